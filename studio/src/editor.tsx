/** The texts of the schedules: typed, marked where they are wrong or pointed at, each with a peak and a run of its own. */
import { useEffect, useRef } from "preact/hooks";

import { RunForm } from "./fields";
import { NO_RUN } from "./link";
import { place } from "./numbers";
import { type Problem, refused, type Written } from "./protocol";
import { type Store, useStore } from "./store";
import { Swatch } from "./swatch";

export function Editor() {
  const store = useStore();
  const { schedules } = store.document.value;
  return (
    <section class="editor" aria-label="Schedules">
      {schedules.map((written, index) => (
        <Schedule key={index} written={written} index={index} several={schedules.length > 1} />
      ))}
      {store.editable && (
        <button type="button" class="quiet add" onClick={() => store.add()} disabled={schedules.length >= 12}>
          + another over {schedules.length > 1 ? "these" : "this one"}
        </button>
      )}
    </section>
  );
}

interface Row {
  written: Written;
  index: number;
  several: boolean;
}

function Schedule({ written, index, several }: Row) {
  const store = useStore();
  const problem = problemOf(store, index);
  const mine = problem && (problem.column !== null || ["", "text", "handle"].includes(problem.field)) ? problem : null;
  const chosen = store.chosen.value === index;
  const choose = () => {
    if (store.document.peek().chosen !== index) store.look({ chosen: index });
  };
  return (
    <article class="schedule" data-chosen={several ? chosen : undefined} aria-label={`Schedule ${index + 1}`} onFocusCapture={choose} onPointerDown={choose}>
      {(several || written.name) && (
        <div class="head">
          <Swatch index={index} />
          <input
            class="name"
            aria-label={`Name of schedule ${index + 1}`}
            placeholder={`${index + 1}`}
            value={written.name}
            readOnly={!store.editable}
            onInput={(event) => store.write(index, { name: event.currentTarget.value }, `name ${index}`)}
          />
          {store.editable && several && <Moves written={written} index={index} />}
        </div>
      )}
      <Text written={written} index={index} problem={mine} />
      <ErrorText problem={mine} id={errorId(index)} />
      {written.run && (
        <RunForm
          label={`Run of schedule ${index + 1}`}
          run={written.run}
          peak={written.peak}
          problem={problem}
          burst={`own ${index}`}
          write={(run, peak) => ({ schedules: store.document.peek().schedules.map((one, k) => (k === index ? { ...one, run, peak } : one)) })}
        />
      )}
    </article>
  );
}

const errorId = (index: number): string => `error-of-schedule-${index + 1}`;

/** What is wrong with a schedule, null where nothing is. */
export function problemOf(store: Store, index: number): Problem | null {
  const found = store.drawn.value?.curves[index];
  return found && refused(found) ? found.error : null;
}

function Moves({ written, index }: { written: Written; index: number }) {
  const store = useStore();
  const nth = `schedule ${index + 1}`;
  const last = store.document.value.schedules.length - 1;
  const own = () => store.write(index, written.run ? { run: null, peak: "" } : { run: { ...NO_RUN, ...store.document.peek().run }, peak: store.document.peek().peak });
  return (
    <span class="moves">
      <button type="button" class="quiet" aria-pressed={written.run !== null} title={`Give ${nth} a run and a peak of its own`} onClick={own}>
        own run
      </button>
      <button type="button" class="quiet" aria-label={`Move ${nth} up`} title="Up" disabled={index === 0} onClick={() => store.move(index, -1)}>
        ↑
      </button>
      <button type="button" class="quiet" aria-label={`Move ${nth} down`} title="Down" disabled={index === last} onClick={() => store.move(index, 1)}>
        ↓
      </button>
      <button type="button" class="quiet" aria-label={`Duplicate ${nth}`} onClick={() => store.duplicate(index)}>
        duplicate
      </button>
      <button type="button" class="quiet" aria-label={`Remove ${nth}`} title="Remove" onClick={() => store.remove(index)}>
        ×
      </button>
    </span>
  );
}

/** A text field over its own text, which marks what is wrong and what is pointed at. */
function Text({ written, index, problem }: { written: Written; index: number; problem: Problem | null }) {
  const store = useStore();
  const field = useRef<HTMLTextAreaElement>(null);
  const { text } = written;
  useEffect(() => {
    const now = store.document.peek().schedules[index]?.text; // letters may have been typed since this was drawn
    if (field.current && now !== undefined && field.current.value !== now) field.current.value = now;
  }, [text]);
  const point = () => {
    const at = field.current?.selectionStart ?? 0;
    const phases = store.chosen.peek() === index ? (store.curve.peek()?.phases ?? []) : [];
    const phase = phases.findIndex(({ source }) => source && place(text, source[0]) <= at && at <= place(text, source[1]));
    store.pointed.value = phase < 0 ? null : { schedule: index, phase };
  };
  return (
    <div class="text">
      <pre aria-hidden="true">
        <Marked text={text} index={index} problem={problem} />
        {"\n"}
      </pre>
      <textarea
        ref={field}
        rows={1}
        aria-label={`Text of schedule ${index + 1}`}
        aria-invalid={problem !== null}
        aria-describedby={problem ? errorId(index) : undefined}
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        readOnly={!store.editable}
        placeholder="warmup(5%) >> decay(shape=cosine)"
        defaultValue={text}
        onInput={(event) => store.write(index, { text: event.currentTarget.value }, `text ${index}`)}
        onKeyUp={point}
        onClick={point}
        onBlur={() => {
          store.pointed.value = null;
        }}
      />
    </div>
  );
}

function Marked({ text, index, problem }: { text: string; index: number; problem: Problem | null }) {
  const store = useStore();
  if (problem && problem.column !== null) {
    const at = Math.min(place(text, problem.column), text.length);
    const word = /^[\p{L}\p{N}_.%-]+|^./su.exec(text.slice(at))?.[0] ?? " ";
    return (
      <>
        {text.slice(0, at)}
        <mark class="wrong">{word}</mark>
        {text.slice(at + word.length)}
      </>
    );
  }
  const pointed = store.pointed.value;
  const source = pointed?.schedule === index ? store.curve.value?.phases[pointed.phase]?.source : null;
  if (!source) return <>{text}</>;
  const [from, to] = source.map((nth) => place(text, nth)) as [number, number];
  return (
    <>
      {text.slice(0, from)}
      <mark>{text.slice(from, to)}</mark>
      {text.slice(to)}
    </>
  );
}

/** A refusal as the terminal prints it. It has its line while all is well too: a chart that jumps at every key cannot be watched. */
export function ErrorText({ problem, id }: { problem: Problem | null; id: string }) {
  if (!problem) return <p class="room" />;
  const { message, write, column } = problem;
  const what = write && message.endsWith(write) ? message.slice(0, -write.length).replace(/;\s*$/, "") : message;
  return (
    <p class="problem" id={id}>
      <span>{what}</span>
      {problem.field === "text" && column !== null && !/column/.test(what) && <span class="column">column {column + 1}</span>}
      {write && <span class="write">{write}</span>}
    </p>
  );
}
