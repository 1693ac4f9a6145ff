/** The phases of the chosen schedule under the frame, each where it lies, in the words that were typed. */
import { place } from "./numbers";
import type { Phase } from "./protocol";
import { type Frame, toX } from "./scale";
import { useStore } from "./store";

const READABLE = 34; // pixels

/** The phase's call as it was typed, or what it is where it stands in no text. */
export const saidOf = (text: string, { source, part }: Phase): string =>
  source ? text.slice(place(text, source[0]), place(text, source[1])) : part;

export function PhaseStrip({ frame }: { frame: Frame }) {
  const store = useStore();
  const schedule = store.chosen.value;
  const document = store.document.value;
  const text = document.schedules[schedule]?.text ?? "";
  const phases = store.curve.value?.phases ?? [];
  const pointed = store.pointed.value;
  const point = (phase: number | null) => () => {
    store.pointed.value = phase === null ? null : { schedule, phase };
  };
  const hidden = document.difference && document.schedules.length > 1;
  return (
    <ol class="phases" style={{ marginLeft: `${frame.left}px`, width: `${frame.width}px` }} aria-label="Phases">
      {!hidden &&
        phases.map((phase, index) => {
          const left = Math.max(0, toX(frame, phase.start));
          const right = Math.min(frame.width, phase.end === null ? frame.width : toX(frame, phase.end));
          if (right <= 0 || left >= frame.width) return null;
          const said = saidOf(text, phase);
          const whole = `${said}: ${phase.extent}, ${phase.values}`;
          return (
            <li
              key={index}
              style={{ left: `${left}px`, width: `${Math.max(2, right - left)}px` }}
              data-pointed={pointed?.schedule === schedule && pointed.phase === index}
              title={whole}
              onPointerEnter={point(index)}
              onPointerLeave={point(null)}
            >
              <span aria-hidden="true">{right - left > READABLE ? said : ""}</span>
              <span class="unseen">{whole}</span>
            </li>
          );
        })}
    </ol>
  );
}
