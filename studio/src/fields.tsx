/** What is known of the run, as typed: its fields, and under them what is wrong with them. */
import { ErrorText, problemOf } from "./editor";
import type { Document, Problem, RunFields } from "./protocol";
import { useStore } from "./store";

interface Field {
  key: keyof RunFields;
  example: string;
}

const TOTAL: Field = { key: "total", example: "e.g. 10_000, 3 epochs, 2B tokens" };
const WORTHS: Field[] = [
  { key: "steps_per_epoch", example: "e.g. 500" },
  { key: "samples_per_step", example: "e.g. 256" },
  { key: "tokens_per_step", example: "e.g. 4M" },
  { key: "seconds_per_step", example: "e.g. 0.35" },
];

/** What a clock counts. */
const counted = (clock: string): string => (clock === "step" ? "updates" : `${clock}s`);

/** The run and the peak of all schedules that have none of their own. */
export function RunPanel() {
  const store = useStore();
  const { run, peak, schedules } = store.document.value;
  const first = schedules.findIndex((written, index) => !written.run && problemOf(store, index));
  return <RunForm label="Run" run={run} peak={peak} problem={first < 0 ? null : problemOf(store, first)} burst="run" write={(run, peak) => ({ run, peak })} />;
}

interface Form {
  label: string;
  run: RunFields;
  peak: string;
  problem: Problem | null;
  burst: string;
  write: (run: RunFields, peak: string) => Partial<Document>;
}

export function RunForm({ label, run, peak, problem, burst, write }: Form) {
  const store = useStore();
  const id = `error-of-${label.toLowerCase().replaceAll(" ", "-")}`;
  const mine = problem !== null && problem.field !== "" && (problem.field === "run" || problem.field === "peak" || problem.field in run);
  const change = (name: string, changed: Partial<RunFields>, newPeak = peak) =>
    store.change((document) => ({ ...document, ...write({ ...run, ...changed }, newPeak) }), `${burst} ${name}`);
  const wrong = (name: string) => mine && (problem.field === name || (problem.field === "run" && name === "total" && problem.column === null));
  if (!store.editable) return <Said run={run} peak={peak} />;
  const field = ({ key, example }: Field) => (
    <label key={key} class={key}>
      <span>{LABELS[key]}</span>
      <input
        value={run[key]}
        placeholder={example}
        aria-invalid={wrong(key)}
        aria-describedby={mine ? id : undefined}
        onInput={(event) => change(key, { [key]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <fieldset class="run">
      <legend class="unseen">{label}</legend>
      {field(TOTAL)}
      <label>
        <span>{LABELS.peak}</span>
        <input
          value={peak}
          placeholder="e.g. 3e-4"
          aria-invalid={wrong("peak")}
          aria-describedby={mine ? id : undefined}
          onInput={(event) => change("peak", {}, event.currentTarget.value)}
        />
      </label>
      <label>
        <span>{LABELS.clock}</span>
        <select value={run.clock} aria-invalid={wrong("clock")} onChange={(event) => change("clock", { clock: event.currentTarget.value })}>
          {CLOCKS.map((clock) => (
            <option key={clock} value={clock}>
              {counted(clock)}
            </option>
          ))}
        </select>
      </label>
      {WORTHS.map(field)}
      <ErrorText problem={mine && problem.column === null ? problem : null} id={id} />
    </fieldset>
  );
}

/** What is known of the run, where nothing can be changed. */
function Said({ run, peak }: { run: RunFields; peak: string }) {
  const said = { ...run, peak, clock: run.clock === "step" ? "" : counted(run.clock) };
  const fields = (["total", "peak", "clock", ...WORTHS.map(({ key }) => key)] as const).map((key) => [LABELS[key], said[key]]);
  const known = fields.filter(([, value]) => value);
  return (
    <dl class="known">
      {known.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
