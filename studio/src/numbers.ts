/** Numbers as they are read: no arithmetic of schedules, only how many digits say something. */

const BIG: [number, string][] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** A value: six digits at most, without zeros that say nothing. */
export function value(number: number | null | undefined): string {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size < 1e-4 || size >= 1e7) return number.toExponential(5).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(number.toPrecision(6)));
}

const formats = new Map<string, Intl.NumberFormat>(); // making one takes longer than drawing a curve

function grouped(number: number, least: number, most: number): string {
  const key = `${least} ${most}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most })));
  return format.format(number);
}

/** A count, its thousands apart. */
export const count = (number: number): string => grouped(number, 0, 3);

/** A time in a unit of which `worth` pass in a tick: with the digits that tell it from the tick before it. */
export function moment(tick: number, worth: number): string {
  const digits = Math.max(3, Math.min(15, Math.ceil(-Math.log10(worth) - 1e-9)));
  return grouped(Number((tick * worth).toPrecision(15)), 0, digits);
}

/** The steps of an axis from `low` to `high`: about `wanted` of them, at 1, 2 or 5 of a power of ten. */
export function ticks(low: number, high: number, wanted: number): { at: number[]; step: number } {
  const step = nice((high - low) / Math.max(1, wanted), Math.ceil);
  const at: number[] = [];
  const first = Math.ceil(low / step - 1e-9);
  for (let k = first; k * step <= high + step * 1e-9 && at.length < 50; k++) at.push(k * step);
  return { at, step };
}

/** A round number near `rough`: 1, 2 or 5 of a power of ten; the next above it, or with Math.floor below. */
export function nice(rough: number, way: (x: number) => number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const rounds = way === Math.ceil ? [1, 2, 5, 10] : [5, 2, 1];
  const lead = rough / power;
  const fits = way === Math.ceil ? (r: number) => r >= lead * (1 - 1e-9) : (r: number) => r <= lead * (1 + 1e-9);
  return (rounds.find(fits) ?? 1) * power;
}

/** Labels of ticks: thousands, millions and so on by their letter, each with the digits that tell it from its neighbours. */
export function labels(at: number[], step: number): string[] {
  const most = Math.max(...at.map(Math.abs), 0);
  const tiny = most < 1e-3;
  return at.map((x) => (x === 0 ? "0" : tiny ? small(x, step) : large(x, step)));
}

const decade = (x: number): number => Math.floor(Math.log10(Math.abs(x)) + 1e-9);

const small = (x: number, step: number): string => x.toExponential(Math.max(0, Math.min(8, decade(x) - decade(step))));

function large(x: number, step: number): string {
  const size = Math.abs(x);
  const [scale, letter] = BIG.find(([scale]) => size >= scale && step * 200 >= scale && (size >= 1e4 || step >= 1e3)) ?? [1, ""];
  const digits = Math.max(0, Math.min(9, -decade(step / scale)));
  const said = grouped(x / scale, digits, digits);
  return letter ? `${said.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")}${letter}` : said;
}

/** `number` to the nearest multiple of `step`, without the noise of binary fractions. */
export function rounded(number: number, step: number): number {
  const digits = Math.max(0, Math.min(15, Math.ceil(-Math.log10(step) + 1e-9)));
  return Number((Math.round(number / step) * step).toFixed(digits));
}

/** Where in a JavaScript string the character stands that Python counts as the nth. */
export function place(text: string, nth: number): number {
  let at = 0;
  for (const character of text) {
    if (nth-- <= 0) break;
    at += character.length;
  }
  return at;
}
