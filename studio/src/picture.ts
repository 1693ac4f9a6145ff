/** What the chart shows of a document and the answers to it, and what stands at the crosshair. */
import { colour, ink } from "./look";
import type { Band, Line, Mark } from "./painting";
import type { Shown } from "./plot";
import { moment } from "./numbers";
import type { Axis, Curve, Document, Drawn } from "./protocol";
import { below, FLAT, heights } from "./scale";
import { curveOf, type Pointed } from "./store";

export const UPDATES: Axis = { id: "updates", label: "updates", worth: 1 };
const JUMP = 1e-6; // ticks: the moment just before a jump is drawn, and nobody's update
const APART = 9; // pixels between updates from which on each has its dot

export interface Seen {
  document: Document;
  drawn: Drawn;
  good: (Curve | undefined)[];
  chosen: number;
  pointed: Pointed | null;
  dark: boolean;
  width: number;
}

/** What a schedule is called: by its name, else by its place. */
export const named = (document: Document, schedule: number): string =>
  document.schedules[schedule]?.name || (document.schedules.length > 1 ? `${schedule + 1}` : "value");

export const axisOf = (document: Document, drawn: Drawn | null): Axis =>
  drawn?.axes.find((axis) => axis.id === document.axis) ?? drawn?.axes[0] ?? UPDATES;

/** Everything in the frame. */
export function picture(seen: Seen): Shown {
  const { document, drawn, dark } = seen;
  const axis = axisOf(document, drawn);
  const x = document.view ?? [0, Math.max(drawn.total, 2)] as [number, number];
  const differing = document.difference && document.schedules.length > 1;
  const lines = differing ? differences(seen, x) : curves(seen, x);
  const log = document.log && !differing;
  const y = heights(visible(lines, x), log, differing, document.view ? FLAT.zoomed : FLAT.whole);
  const shown = { x, y, log, dark, worth: axis.worth, unit: axis.label, lines };
  return { ...shown, bands: differing ? [] : bandsOf(seen, x), marks: marksOf(seen, axis) };
}

function curves({ document, drawn, good, dark, chosen, width }: Seen, x: [number, number]): Line[] {
  const lines = document.schedules.map((_, index): Line | null => {
    const curve = curveOf(drawn.curves[index]);
    const shown = curve ?? good[index];
    if (!shown) return null;
    const dots = ((x[1] - x[0]) / shown.tick) * APART < width ? shown.tick : 0;
    return { at: shown.at, values: shown.values, style: index, colour: colour(index, dark), faint: !curve, dots };
  });
  const last = lines[chosen];
  return [...lines.filter((one) => one !== last), last].filter((one) => one !== null && one !== undefined);
}

function differences({ drawn, dark }: Seen, x: [number, number]): Line[] {
  const zero: Line = { at: [...x], values: [0, 0], style: 0, colour: colour(0, dark), faint: true, dots: 0 };
  const lines = drawn.differences.flatMap((found, index): Line[] =>
    found && index > 0 ? [{ at: found.at, values: found.values, style: index, colour: colour(index, dark), faint: false, dots: 0 }] : [],
  );
  return [zero, ...lines];
}

function* visible(lines: Line[], [low, high]: [number, number]): Generator<number> {
  for (const { at, values } of lines) {
    const end = Math.min(at.length - 1, below(at, high) + 1);
    for (let k = Math.max(0, below(at, low)); k <= end; k++) {
      const value = values[k];
      if (value !== null && value !== undefined) yield value;
    }
  }
}

function bandsOf({ drawn, chosen, pointed, dark }: Seen, x: [number, number]): Band[] {
  const phases = curveOf(drawn.curves[chosen])?.phases ?? [];
  return phases.flatMap(({ start, end }, index): Band[] => {
    const lit = pointed?.schedule === chosen && pointed.phase === index;
    if (!lit && index % 2 === 0) return [];
    return [{ from: start, to: end ?? x[1], fill: lit ? ink(dark).pointed : ink(dark).band }];
  });
}

function marksOf({ document, drawn }: Seen, axis: Axis): Mark[] {
  const said = (at: number) => `${moment(at, axis.worth)}${axis.id === "updates" ? "" : ` ${axis.label}`}`;
  const positions = drawn.curves.flatMap((curve): Mark[] => {
    const at = curveOf(curve)?.position ?? null;
    return at === null ? [] : [{ at, text: `saved at ${said(at)}` }];
  });
  if (!document.difference) return positions;
  const firsts = drawn.differences.flatMap((found): Mark[] =>
    found && found.first !== null ? [{ at: found.first, text: `first differs at ${said(found.first)}` }] : [],
  );
  return [...positions, ...firsts];
}

/** The value of a line at a tick: of the nearest value that was drawn, and whether that is the very tick. */
export interface Read {
  at: number;
  value: number | null;
  exact: boolean;
}

/** The values at a tick, each the nearest that Python gave: nothing between them is made up. */
export function read(at: number[], values: (number | null)[], tick: number): Read | null {
  const index = below(at, tick);
  const [before, after] = [at[index], at[index + 1]];
  let nearest = before === undefined || (after !== undefined && after - tick < tick - before) ? index + 1 : index;
  if ((at[nearest + 1] as number) - (at[nearest] as number) < JUMP) nearest += 1;
  const found = at[nearest];
  return found === undefined ? null : { at: found, value: values[nearest] ?? null, exact: found === tick };
}
