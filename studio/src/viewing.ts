/** What is seen of the run: closer, further, aside; always inside of the run. */
import { inside } from "./scale";
import type { Store } from "./store";

/** Zoom about a tick: `by` above 1 shows less. */
export function zoom(store: Store, about: number | null, by: number): void {
  const [low, high] = store.view();
  const middle = about ?? (low + high) / 2;
  look(store, [middle - (middle - low) / by, middle + (high - middle) / by]);
}

/** Move what is seen by a share of its width. */
export function pan(store: Store, share: number): void {
  if (store.document.peek().view) slide(store, store.view(), share);
}

/** See what lies a share of its width beside a view. */
export function slide(store: Store, [low, high]: [number, number], share: number): void {
  const wide = high - low;
  const most = (store.drawn.peek()?.total ?? wide) - wide;
  const start = Math.min(Math.max(0, low + share * wide), Math.max(0, most));
  store.look({ view: [start, start + wide] });
}

/** See from one tick to another, as far as there is something. */
export function look(store: Store, view: [number, number]): void {
  const total = store.drawn.peek()?.total;
  if (total) store.look({ view: inside([Math.max(0, view[0]), Math.min(total, view[1])], total, store.curve.peek()?.tick ?? 1) });
}
