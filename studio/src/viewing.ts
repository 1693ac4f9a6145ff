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
  const { view } = store.document.peek();
  const drawn = store.drawn.peek();
  if (!view || !drawn) return;
  const wide = view[1] - view[0];
  const low = Math.min(Math.max(0, view[0] + share * wide), Math.max(0, drawn.total - wide));
  store.look({ view: [low, low + wide] });
}

export function look(store: Store, view: [number, number]): void {
  const drawn = store.drawn.peek();
  if (drawn) store.look({ view: inside([Math.max(0, view[0]), Math.min(drawn.total, view[1])], drawn.total, store.curve.peek()?.tick ?? 1) });
}
