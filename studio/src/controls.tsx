/** How the chart is looked at: line of a plan, unit of the axis, logarithmic, difference, zoom. */
import { axisOf } from "./picture";
import { curveOf, useStore } from "./store";
import { zoom } from "./viewing";

const CLOSER = 2;

export function Controls() {
  const store = useStore();
  const document = store.document.value;
  const drawn = store.drawn.value;
  const several = document.schedules.length > 1;
  const says = document.difference && several ? (drawn?.differences ?? []).flatMap((found) => (found?.says ? [found.says] : [])) : [];
  return (
    <div class="controls">
      <Lines />
      <label>
        <span>axis</span>
        <select value={axisOf(document, drawn).id} onChange={(event) => store.look({ axis: event.currentTarget.value })}>
          {(drawn?.axes ?? [axisOf(document, drawn)]).map(({ id, label }) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={document.log} disabled={document.difference && several} onChange={() => store.look({ log: !document.log })} />
        logarithmic
      </label>
      {several && (
        <label class="check">
          <input type="checkbox" checked={document.difference} onChange={() => store.look({ difference: !document.difference })} />
          difference to the first
        </label>
      )}
      <span class="zoom" role="group" aria-label="Zoom">
        <button type="button" class="quiet" aria-label="Closer" title="Closer (+, or Ctrl and the wheel)" onClick={() => zoom(store, null, CLOSER)}>
          +
        </button>
        <button type="button" class="quiet" aria-label="Further" title="Further (−)" disabled={!document.view} onClick={() => zoom(store, null, 1 / CLOSER)}>
          −
        </button>
        <button type="button" class="quiet" disabled={!document.view} title="The whole run (0, or a double click)" onClick={() => store.look({ view: null })}>
          whole run
        </button>
      </span>
      {says.length > 0 && (
        <ul class="says">
          {says.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** The lines of the plans that are drawn: one is shown at a time. */
function Lines() {
  const store = useStore();
  const curves = store.drawn.value?.curves ?? [];
  const lines = [...new Set(curves.flatMap((curve) => curveOf(curve)?.lines ?? []))];
  const shown = store.curve.value?.line ?? store.document.value.line;
  if (lines.length < 2) return null;
  return (
    <span class="lines" role="group" aria-label="Line of the plan">
      {lines.map((line) => (
        <button key={line} type="button" class="quiet" aria-pressed={line === shown} onClick={() => store.look({ line })}>
          {line}
        </button>
      ))}
    </span>
  );
}
