/** What the pointer and the keys do to the chart: crosshair, zoom, pan. Mouse, touch and pen alike. */
import type { Signal } from "@preact/signals";

import { moment, value } from "./numbers";
import { axisOf, read } from "./picture";
import { type Frame, fromX, toY } from "./scale";
import { curveOf, type Store } from "./store";
import { look, pan, slide, zoom } from "./viewing";

export interface Gestures {
  store: Store;
  frame: Signal<Frame | null>;
  cursor: Signal<number | null>;
  /** What is being selected to zoom into, in pixels of the frame. */
  selected: Signal<[number, number] | null>;
}

const WORTH_IT = 6; // pixels from which on a drag is meant
const CLOSER = 1.5;
const CLOSE = 14; // pixels from a curve to a click on it
const NEAREST = 8; // pixels that two fingers are apart at least

/** Listen on the frame; returns what ends it. */
export function gestures(over: HTMLElement, given: Gestures): () => void {
  const ending = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(kind: K, listen: (event: HTMLElementEventMap[K]) => void) =>
    over.addEventListener(kind, listen, { signal: ending.signal, passive: false });
  const pointers = new Pointers(over, given);
  on("pointerdown", pointers.down);
  on("pointermove", pointers.move);
  on("pointerup", (event) => pointers.up(event, true));
  on("pointercancel", (event) => pointers.up(event, false));
  on("pointerleave", () => {
    given.cursor.value = null;
  });
  on("wheel", (event) => wheel(over, event, given));
  on("keydown", (event) => {
    if (event.key !== "Escape" || !pointers.dropped()) key(event, given);
  });
  on("dblclick", () => given.store.look({ view: null }));
  return () => ending.abort();
}

const within = (over: HTMLElement, event: MouseEvent): number => event.clientX - over.getBoundingClientRect().left;

/** One pointer selects what to zoom into, or pans (a finger, or with Shift); two fingers zoom. */
class Pointers {
  private readonly pressed = new Map<number, number>(); // where each pointer is, in pixels of the frame
  private start: { pixel: number; view: [number, number]; pans: boolean } | null = null;
  private pinch: [number, number] | null = null; // the ticks under both fingers

  constructor(
    private readonly over: HTMLElement,
    private readonly given: Gestures,
  ) {}

  readonly down = (event: PointerEvent): void => {
    const { store, frame, selected } = this.given;
    if (!frame.peek() || event.button > 1) return;
    this.over.setPointerCapture(event.pointerId);
    const pixel = within(this.over, event);
    this.pressed.set(event.pointerId, pixel);
    this.start = { pixel, view: store.view(), pans: event.pointerType === "touch" || event.shiftKey || event.button === 1 };
    if (this.pressed.size !== 2) return;
    this.pinch = this.spread().map((at) => this.tick(at)) as [number, number];
    this.start = selected.value = null;
  };

  readonly move = (event: PointerEvent): void => {
    const at = this.given.frame.peek();
    if (!at) return;
    const pixel = within(this.over, event);
    if (this.pressed.has(event.pointerId)) this.pressed.set(event.pointerId, pixel);
    if (this.pinch && this.pressed.size === 2) this.pinched(at, this.pinch);
    else if (this.start?.pans) this.panned(at, this.start, pixel);
    else if (this.start && Math.abs(pixel - this.start.pixel) > WORTH_IT) {
      const ends = [this.start.pixel, Math.min(at.width, Math.max(0, pixel))].sort((a, b) => a - b);
      this.given.selected.value = ends as [number, number];
    }
    this.given.cursor.value = pixel < 0 || pixel > at.width ? null : this.tick(pixel);
  };

  up(event: PointerEvent, meant: boolean): void {
    const { store, selected } = this.given;
    this.pressed.delete(event.pointerId);
    if (this.pressed.size < 2) this.pinch = null;
    const chosen = selected.peek();
    const clicked = meant && this.start !== null && Math.abs(within(this.over, event) - this.start.pixel) <= WORTH_IT;
    this.start = selected.value = null;
    if (meant && chosen) look(store, [this.tick(chosen[0]), this.tick(chosen[1])]);
    else if (clicked) this.choose(event);
  }

  /** The schedule whose curve was clicked on is the chosen one. */
  private choose(event: PointerEvent): void {
    const { store, frame } = this.given;
    const { schedules, chosen, difference } = store.document.peek();
    const at = frame.peek();
    if (!at || schedules.length < 2 || difference) return;
    const tick = this.tick(within(this.over, event));
    const pixel = event.clientY - this.over.getBoundingClientRect().top;
    const away = schedules.map((_, index) => {
      const curve = curveOf(store.drawn.peek()?.curves[index]);
      const found = curve && read(curve.at, curve.values, tick)?.value;
      return typeof found === "number" && (!at.log || found > 0) ? Math.abs(toY(at, found) - pixel) : Infinity;
    });
    const nearest = away.indexOf(Math.min(...away));
    if ((away[nearest] as number) < CLOSE && nearest !== chosen) store.look({ chosen: nearest });
  }

  /** Give up a selection that is under way; false where there is none. */
  dropped(): boolean {
    const { selected } = this.given;
    if (!selected.peek()) return false;
    this.start = selected.value = null;
    return true;
  }

  private tick(pixel: number): number {
    return fromX(this.given.frame.peek() as Frame, pixel);
  }

  private spread(): [number, number] {
    return [Math.min(...this.pressed.values()), Math.max(...this.pressed.values())];
  }

  private pinched(at: Frame, [low, high]: [number, number]): void {
    const [left, right] = this.spread();
    const worth = (high - low) / Math.max(NEAREST, right - left);
    look(this.given.store, [low - left * worth, low + (at.width - left) * worth]);
  }

  private panned(at: Frame, { pixel: from, view }: { pixel: number; view: [number, number] }, pixel: number): void {
    if (this.given.store.document.peek().view) slide(this.given.store, view, (from - pixel) / at.width);
  }
}

/** With Ctrl (which a pinch on a touchpad says too) the wheel zooms; sideways it pans; else the page scrolls. */
function wheel(over: HTMLElement, event: WheelEvent, { store, frame }: Gestures): void {
  const at = frame.peek();
  if (!at) return;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(store, fromX(at, within(over, event)), Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.006));
  } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && store.document.peek().view) {
    event.preventDefault();
    pan(store, event.deltaX / at.width);
  }
}

function key(event: KeyboardEvent, given: Gestures): void {
  const { store, cursor } = given;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (way && event.shiftKey) pan(store, way / 4);
  else if (way) step(given, way);
  else if (event.key === "+" || event.key === "=") zoom(store, cursor.peek(), CLOSER);
  else if (event.key === "-") zoom(store, cursor.peek(), 1 / CLOSER);
  else if (event.key === "0" || event.key === "Escape") store.look({ view: null });
  else return;
  event.preventDefault();
}

/** The crosshair to the next place, a hundredth of what is seen further, and what stands there is said. */
function step({ store, cursor }: Gestures, way: number): void {
  const [low, high] = store.view();
  const tick = Math.max(1, (high - low) / 100);
  const at = Math.min(high, Math.max(low, (cursor.peek() ?? (low + high) / 2) + way * tick));
  cursor.value = at;
  const curve = store.curve.peek();
  const found = curve && read(curve.at, curve.values, at);
  const axis = axisOf(store.document.peek(), store.drawn.peek());
  if (found) store.say(`${moment(found.at, axis.worth)} ${axis.label}: ${value(found.value)}`);
}
