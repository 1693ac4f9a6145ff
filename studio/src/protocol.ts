/**
 * What the page asks and what Python answers: `preheat.studio.service` is the other side.
 *
 * The page knows no grammar and no formula. It holds a `Document`, which is what somebody typed, and shows what comes back.
 * Times are ticks of the run's clock (updates, unless the run counts something else), and one `Axis` says what a tick is
 * worth in another unit. Every answer is either what was asked for or `Refused`.
 */

/** What is known of the run, as typed; "" is not said. `seconds_per_step` is for the axis in hours, minutes or seconds alone. */
export interface RunFields {
  total: string;
  clock: string;
  steps_per_epoch: string;
  samples_per_step: string;
  tokens_per_step: string;
  seconds_per_step: string;
}

/**
 * One schedule of a document: its text (a plan as JSON), a peak and a run of its own where it has them, a checkpoint's tick.
 * `given`: its name is that of what was opened, and goes when the text is changed.
 */
export interface Written {
  name: string;
  text: string;
  peak: string;
  run: RunFields | null;
  position?: number | null;
  given?: boolean;
}

/** All that a link holds. `line` is the line of plans that is shown, "" the learning rate's. */
export interface Document {
  schedules: Written[];
  run: RunFields;
  peak: string;
  line: string;
  chosen: number;
  axis: string;
  log: boolean;
  difference: boolean;
  view: [number, number] | null;
}

/** A refusal, as the terminal prints it. `column` counts from 0 in the text, null where it is not the text that is wrong. */
export interface Problem {
  message: string;
  what: string;
  write: string;
  column: number | null;
  field: "text" | "run" | keyof RunFields | "peak" | "handle" | "file" | "";
}

export interface Refused {
  error: Problem;
}

/** A part of the schedule: from tick `start` up to, not including, `end` (null: it never ends). */
export interface Phase {
  start: number;
  end: number | null;
  first: number;
  last: number;
  part: string;
  extent: string;
  length: string;
  values: string;
  source: [number, number] | null;
}

/** What can be dragged: a point of the curve. `time` and `value`: whether it moves along the axis, and in height. */
export interface Handle {
  id: string;
  at: number;
  value: number;
  time: boolean;
  height: boolean;
  label: string;
}

/** `fixed`: why nothing of it can be dragged, "" where something can. */
export interface Curve {
  canonical: string;
  bound: string;
  lines: string[];
  line: string;
  quantity: string;
  total: number;
  ends: boolean;
  updates: number;
  tick: number;
  clock: string;
  peak: number | null;
  position: number | null;
  at: number[];
  values: number[];
  phases: Phase[];
  handles: Handle[];
  fixed: string;
}

/** Curve k minus the first one, and the first update at which they differ; null where they never do. */
export interface Difference {
  at: number[];
  values: number[];
  first: number | null;
  says: string;
}

/** A unit that the axis may count: `worth` of it pass in a tick. */
export interface Axis {
  id: string;
  label: string;
  worth: number;
}

/** Values to be read: at each time one of every schedule, null where it has none. */
export interface Rows {
  at: number[];
  values: (number | null)[][];
}

export interface Drawn {
  curves: (Curve | Refused)[];
  differences: (Difference | null)[];
  axes: Axis[];
  rows: Rows;
  total: number;
}

/** Where a handle of a document is moved to, null where not; what a pixel is worth says how many digits are meant. */
export interface Moved {
  document: Document;
  points: number;
  schedule: number;
  handle: string;
  at: number | null;
  value: number | null;
  ticks_per_pixel: number;
  value_per_pixel: number;
}

/** What has come of it; `says` what was done beyond the change of a number, "" mostly. */
export interface Edited {
  document: Document;
  drawn: Drawn;
  says?: string;
}

export interface Finding {
  code: string;
  place: string;
  what: string;
  write: string;
  means: string;
}

export interface Reviewed {
  findings: Finding[];
  sentences: string[];
  rows: string[][];
}

export interface Copied {
  form: string;
  text: string;
  notes: string[];
}

export interface Form {
  id: string;
  label: string;
  language: string;
}

export interface Named {
  name: string;
  text: string;
  summary: string;
  source: string;
}

export interface Peer {
  library: string;
  schedulers: { name: string; signature: string; example: string }[];
}

export interface Catalogue {
  forms: Form[];
  words: Named[];
  recipes: Named[];
  presets: Named[];
  peers: Peer[];
}

/** One run of a comparison: what its loss and its rate were. */
export interface Run {
  arm: string;
  study: string;
  seed: number;
  at: number[];
  loss: (number | null)[];
  rate_at: number[];
  rate: (number | null)[];
}

export interface Opened {
  schedules: Written[];
  run: RunFields | null;
  peak: string;
  findings: Finding[];
  notes: string[];
  runs: Run[];
}

/** What can be opened. A file's `content` is base64; a `path` is one on the machine that Python runs on. */
export type Source =
  | { kind: "preset"; name: string }
  | { kind: "recipe"; name: string }
  | { kind: "peer"; library: string; name: string; arguments: string }
  | { kind: "file"; name: string; content: string }
  | { kind: "path"; path: string };

export interface Picture {
  svg: string;
}

/** The questions, by name: what is sent, and what comes back. */
export interface Questions {
  catalogue: [Record<string, never>, Catalogue];
  draw: [{ document: Document; points: number }, Drawn];
  edit: [Moved, Edited];
  review: [{ document: Document; schedule: number }, Reviewed];
  copy: [{ document: Document; schedule: number; form: string }, Copied];
  open: [{ source: Source; document: Document }, Opened];
  picture: [{ document: Document; width: number; height: number }, Picture];
}

export type Question = keyof Questions;
export type Ask = <Q extends Question>(question: Q, given: Questions[Q][0]) => Promise<Questions[Q][1] | Refused>;

export const refused = (answer: object): answer is Refused => "error" in answer;
