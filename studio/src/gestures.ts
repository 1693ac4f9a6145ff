/** What the pointer and the keys do to the chart: crosshair, zoom, pan. Mouse, touch and pen alike. */
import type { Signal } from "@preact/signals";

import { count, value } from "./numbers";
import { axisOf, read } from "./picture";
import { type Frame, fromX } from "./scale";
import type { Store } from "./store";
import { look, pan, zoom } from "./viewing";

export interface Gestures {
  store: Store;
  frame: Signal<Frame | null>;
  cursor: Signal<number | null>;
  /** What is being selected to zoom into, in pixels of the frame. */
  selected: Signal<[number, number] | null>;
}

const WORTH_IT = 6; // pixels from which on a drag is meant
const CLOSER = 1.5;

/** Listen on the frame; returns what ends it. */
export function gestures(over: HTMLElement, given: Gestures): () => void {
  const ending = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(kind: K, listen: (event: HTMLElementEventMap[K]) => void, passive = true) =>
    over.addEventListener(kind, listen, { signal: ending.signal, passive });
  pointers(over, on, given);
  on("wheel", (event) => wheel(over, event, given), false);
  on("keydown", (event) => key(event, given), false);
  on("dblclick", () => given.store.look({ view: null }));
  return () => ending.abort();
}

type On = <K extends keyof HTMLElementEventMap>(kind: K, listen: (event: HTMLElementEventMap[K]) => void, passive?: boolean) => void;

const within = (over: HTMLElement, event: MouseEvent): number => event.clientX - over.getBoundingClientRect().left;

function pointers(over: HTMLElement, on: On, { store, frame, cursor, selected }: Gestures): void {
  const down = new Map<number, number>(); // where each pointer is, in pixels of the frame
  let start: { pixel: number; view: [number, number]; pans: boolean } | null = null;
  const tick = (pixel: number): number => fromX(frame.peek() as Frame, pixel);
  const spread = (): [number, number] => [Math.min(...down.values()), Math.max(...down.values())];
  let pinch: [number, number] | null = null; // the ticks under both fingers

  on("pointerdown", (event) => {
    if (!frame.peek() || (event.pointerType === "mouse" && event.button > 1)) return;
    over.setPointerCapture(event.pointerId);
    down.set(event.pointerId, within(over, event));
    if (down.size === 2) {
      pinch = spread().map(tick) as [number, number];
      start = null;
      selected.value = null;
    } else {
      const pans = event.pointerType === "touch" || event.shiftKey || event.button === 1;
      start = { pixel: within(over, event), view: store.view(), pans };
    }
  });
  on("pointermove", (event) => {
    const at = frame.peek();
    if (!at) return;
    const pixel = within(over, event);
    if (down.has(event.pointerId)) down.set(event.pointerId, pixel);
    if (pinch && down.size === 2) {
      const [a, b] = spread();
      const worth = (pinch[1] - pinch[0]) / Math.max(8, b - a);
      look(store, [pinch[0] - a * worth, pinch[0] + (at.width - a) * worth]);
    } else if (start?.pans && store.document.peek().view) {
      const wide = start.view[1] - start.view[0];
      const moved = start.view[0] - ((pixel - start.pixel) / at.width) * wide;
      const low = Math.min(Math.max(0, moved), (store.drawn.peek()?.total ?? wide) - wide);
      store.look({ view: [low, low + wide] });
    } else if (start && !start.pans && Math.abs(pixel - start.pixel) > WORTH_IT) {
      const ends = [start.pixel, Math.min(at.width, Math.max(0, pixel))].sort((a, b) => a - b);
      selected.value = ends as [number, number];
    }
    cursor.value = pixel < 0 || pixel > at.width ? null : tick(pixel);
  });
  const up = (event: PointerEvent, meant: boolean): void => {
    down.delete(event.pointerId);
    if (down.size < 2) pinch = null;
    start = null;
    const chosen = selected.peek();
    selected.value = null;
    if (meant && chosen) look(store, [tick(chosen[0]), tick(chosen[1])]);
  };
  on("pointerup", (event) => up(event, true));
  on("pointercancel", (event) => up(event, false));
  on("pointerleave", () => {
    cursor.value = null;
  });
  on("keydown", (event) => {
    if (event.key === "Escape" && start) {
      start = null;
      selected.value = null;
    }
  });
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
  if (found) store.say(`${count(Number((found.at * axis.worth).toPrecision(8)))} ${axis.label}: ${value(found.value)}`);
}
