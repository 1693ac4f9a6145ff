/** Where things lie in the frame of the chart: from ticks and values to pixels and back. */
import { labels, ticks, value } from "./numbers";

/** The frame as it was drawn last: its place in the chart, and what its edges are worth. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: [number, number];
  y: [number, number];
  log: boolean;
}

export const toX = (frame: Frame, tick: number): number => ((tick - frame.x[0]) / (frame.x[1] - frame.x[0])) * frame.width;

export const fromX = (frame: Frame, pixel: number): number => frame.x[0] + (pixel / frame.width) * (frame.x[1] - frame.x[0]);

export function toY(frame: Frame, value: number): number {
  const [low, high] = frame.log ? frame.y.map(Math.log) as [number, number] : frame.y;
  return (1 - ((frame.log ? Math.log(value) : value) - low) / (high - low)) * frame.height;
}

export function fromY(frame: Frame, pixel: number): number {
  const [low, high] = frame.log ? frame.y.map(Math.log) as [number, number] : frame.y;
  const found = low + (1 - pixel / frame.height) * (high - low);
  return frame.log ? Math.exp(found) : found;
}

const NARROWEST = 10; // ticks that are seen at least
/** Shares of the highest value: of all that differs by less the axis begins at 0. Who has zoomed in looks for less than who has not. */
export const FLAT = { whole: 0.1, zoomed: 1e-3 };
const DECADES = 8; // of a logarithmic axis at most: what is below them is nothing beside the peak

/** The ends of the vertical axis for what is seen: with air, and from 0 where values come near it, or hardly differ. */
export function heights(seen: Iterable<number>, log: boolean, signed: boolean, flat: number): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of seen) {
    if (log && value <= 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  const level = high - low <= flat * Math.max(Math.abs(low), Math.abs(high));
  if (log) {
    low = Math.max(low, high / 10 ** DECADES);
    return level ? [low / 2, high * 2] : [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  }
  if (signed) {
    const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const air = 0.06 * (high - low || most);
    return [Math.min(low - air, 0), Math.max(high + air, 0)];
  }
  if (low >= 0 && (level || low < 0.6 * high)) low = 0;
  else if (high <= 0 && level) high = 0;
  const air = 0.06 * (high - low || 1);
  return [low === 0 ? -air / 2 : low - air, high === 0 && low < 0 ? air / 2 : high + air];
}

/** The steps of a vertical axis, about `wanted` of them, and what is written beside each. */
export function rungs(y: [number, number], log: boolean, wanted: number): { at: number[]; said: string[] } {
  if (!log || y[1] < 3 * y[0]) {
    const { at, step } = ticks(y[0], y[1], wanted);
    return { at, said: labels(at, step) };
  }
  const [low, high] = [Math.ceil(Math.log10(y[0]) - 1e-9), Math.floor(Math.log10(y[1]) + 1e-9)];
  const between = high - low < 2 ? [1, 2, 5] : [1];
  const every = Math.ceil((high - low + 1) / wanted);
  const at: number[] = [];
  for (let k = low - 1; k <= high; k += every) {
    for (const lead of between) {
      const tick = Number(`${lead}e${k}`);
      if (tick >= y[0] && tick <= y[1]) at.push(tick);
    }
  }
  return { at, said: at.map((tick) => (tick < 1e-3 ? tick.toExponential(0) : value(tick))) };
}

const ABOVE = 1e4; // times the first loss, on a logarithmic axis

/** How high the losses of runs are seen: a run that has diverged leaves the frame at the top, so that the others are seen. */
export function ceiling(runs: (number | null)[][], log: boolean): number {
  const known = runs.map((run) => run.filter((loss) => loss !== null && (!log || loss > 0)) as number[]).filter((run) => run.length > 0);
  const first = known.reduce((most, run) => Math.max(most, run[0] as number), -Infinity);
  const low = known.flat().reduce((least, loss) => Math.min(least, loss), Infinity);
  return log ? first * ABOVE : first + (first - low || Math.abs(first) || 1);
}

/** A window on the run, kept inside of it and not so narrow that nothing is left to see; null for the whole run. */
export function inside([low, high]: [number, number], total: number, tick: number): [number, number] | null {
  const wide = Math.max(high - low, NARROWEST * tick);
  if (wide >= total * 0.9999) return null;
  const start = Math.min(Math.max(0, (low + high - wide) / 2), total - wide);
  return [start, start + wide];
}

/** The index of the last of ascending numbers that is not above `wanted`; -1 before the first. */
export function below(ascending: ArrayLike<number>, wanted: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
