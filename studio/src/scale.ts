/** Where things lie in the frame of the chart: from ticks and values to pixels and back. */

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
const FLAT = 1e-3; // of a value: what differs by less is seen as the same, and axes need no more digits
const DECADES = 8; // of a logarithmic axis at most: what is below them is nothing beside the peak

/** The ends of the vertical axis for what is seen: with air, and from 0 where values come near it. */
export function heights(seen: Iterable<number>, log: boolean, signed: boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of seen) {
    if (log && value <= 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  const least = (FLAT * Math.max(Math.abs(low), Math.abs(high))) / 2;
  if (!log && high - low < 2 * least) [low, high] = [(low + high) / 2 - least, (low + high) / 2 + least];
  if (log) {
    low = Math.max(low, high / 10 ** DECADES);
    return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  }
  if (signed) {
    const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const air = 0.06 * (high - low || most);
    return [Math.min(low - air, 0), Math.max(high + air, 0)];
  }
  if (low >= 0 && low < 0.6 * high) low = 0;
  const air = 0.06 * (high - low || Math.abs(high) || 1);
  return [low === 0 ? -air / 2 : low - air, high + air];
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
