/** What can be dragged: a button on each edge and height that Python says can move. It moves; the text follows. */
import { useEffect, useRef } from "preact/hooks";

import { moment, nice, rounded, value } from "./numbers";
import { axisOf } from "./picture";
import type { Handle } from "./protocol";
import { type Frame, fromY, toX, toY } from "./scale";
import { type Drag, type Store, useStore } from "./store";

const IDLE = 1200; // ms after the last key at which a movement by keys is over
const KEYS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export function Handles({ frame, box }: { frame: Frame; box: Record<string, string> }) {
  const store = useStore();
  const document = store.document.value;
  const curve = store.curve.value;
  if (!store.editable || !curve || (document.difference && document.schedules.length > 1)) return null;
  const held = store.dragging.value; // what is in somebody's hand stays there, also where it leaves what is seen
  const seen = curve.handles.filter(({ at }) => held || (at >= frame.x[0] - 1e-9 && at <= frame.x[1] * (1 + 1e-9)));
  return (
    <div class="handles" style={box}>
      {seen.map((handle) => (
        <Knob key={`${store.chosen.value} ${handle.id}`} handle={handle} frame={frame} />
      ))}
    </div>
  );
}

function Knob({ handle, frame }: { handle: Handle; frame: Frame }) {
  const store = useStore();
  const held = useRef<Held | null>(null);
  held.current ??= new Held(store);
  const hand = held.current;
  hand.handle = handle;
  hand.frame = frame;
  useEffect(() => hand.leave, []);
  const document = store.document.value;
  const axis = axisOf(document, store.drawn.value);
  const said = `${moment(handle.at, axis.worth)} ${axis.label}, value ${value(handle.value)}`;
  const y = Math.min(frame.height, Math.max(0, frame.log && handle.value <= 0 ? frame.height : toY(frame, handle.value)));
  return (
    <button
      type="button"
      class="knob"
      data-moves={handle.time && handle.height ? "both" : handle.time ? "time" : "height"}
      style={{ left: `${toX(frame, handle.at)}px`, top: `${y}px` }}
      role="slider"
      aria-label={handle.label}
      aria-orientation={handle.time ? "horizontal" : "vertical"}
      aria-valuemin={handle.time ? 0 : Math.min(0, handle.value)}
      aria-valuemax={handle.time ? (store.curve.value?.total ?? handle.at) : Math.max(1, handle.value)}
      aria-valuenow={handle.time ? handle.at : handle.value}
      aria-valuetext={said}
      title={`${handle.label}: ${said}`}
      onPointerDown={hand.down}
      onPointerMove={hand.moved}
      onPointerUp={hand.up}
      onPointerCancel={hand.cancel}
      onKeyDown={hand.key}
      onBlur={hand.settle}
    />
  );
}

/** One handle in somebody's hand, by pointer or by keys; what is asked for adds up from where it was taken. */
class Held {
  handle: Handle = null as unknown as Handle;
  frame: Frame = null as unknown as Frame;
  private drag: Drag | null = null;
  private by: "pointer" | "keys" | null = null;
  private from = { x: 0, y: 0, at: 0, value: 0 };
  private idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly store: Store) {}

  readonly down = (event: PointerEvent): void => {
    if (event.button > 0) return;
    event.preventDefault();
    event.stopPropagation();
    const knob = event.currentTarget as HTMLElement;
    knob.focus({ preventScroll: true });
    knob.setPointerCapture(event.pointerId);
    this.settle();
    this.take("pointer");
    this.from = { x: event.clientX, y: event.clientY, at: this.handle.at, value: this.handle.value };
  };

  readonly moved = (event: PointerEvent): void => {
    if (this.by !== "pointer") return;
    const { frame, from } = this;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    const share = event.altKey ? 10 : 1; // Alt: a tenth of the way, and of what a pixel means
    const ticks = (frame.x[1] - frame.x[0]) / frame.width / share;
    const low = frame.log && from.value <= 0 ? frame.height : toY(frame, from.value);
    const height = fromY(frame, low + dy / share);
    const pixel = Math.abs(fromY(frame, low + (dy - 1) / share) - height);
    this.go(from.at + dx * ticks, dy === 0 ? from.value : height, ticks, pixel);
  };

  readonly up = (): void => this.end("pointer");

  readonly cancel = (): void => {
    if (this.by) this.drag?.cancel();
    this.forget();
  };

  readonly settle = (): void => this.end("keys");

  readonly leave = (): void => {
    this.drag?.end();
    this.forget();
  };

  readonly key = (event: KeyboardEvent): void => {
    const way = KEYS[event.key];
    if (event.key === "Escape" && this.by) this.cancel();
    else if (way && this.by !== "pointer") this.press(way, event.shiftKey ? 10 : 1, event.altKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  private press([right, up]: [number, number], times: number, fine: boolean): void {
    const { handle, frame } = this;
    if ((right && !handle.time) || (up && !handle.height)) return;
    if (this.by !== "keys") {
      this.take("keys");
      this.from = { x: 0, y: 0, at: handle.at, value: handle.value };
    }
    const { from } = this;
    const tick = this.store.curve.peek()?.tick ?? 1;
    const stride = fine ? tick : Math.max(tick, nice((frame.x[1] - frame.x[0]) / 200, Math.floor));
    const rise = this.rise(fine);
    if (right) from.at = rounded(from.at + right * times * stride, fine ? tick : stride);
    if (up) from.value = rounded(from.value + up * times * rise, rise);
    this.go(from.at, from.value, stride, rise);
    clearTimeout(this.idle);
    this.idle = setTimeout(this.settle, IDLE);
  }

  /** How far a key raises: a hundredth of what is seen; on a logarithmic axis a hundredth of the value. */
  private rise(fine: boolean): number {
    const { frame, from } = this;
    const whole = frame.log && from.value > 0 ? from.value : frame.y[1] - frame.y[0];
    return nice(whole / (fine ? 1000 : 100), Math.floor);
  }

  private take(by: "pointer" | "keys"): void {
    this.by = by;
    this.drag = this.store.drag(this.store.chosen.peek(), this.handle.id);
  }

  private go(at: number, height: number, ticks: number, pixel: number): void {
    const to = { at: this.handle.time ? at : null, value: this.handle.height ? height : null };
    this.drag?.move({ ...to, ticks_per_pixel: ticks, value_per_pixel: pixel });
  }

  private end(by: "pointer" | "keys"): void {
    if (this.by !== by) return;
    this.drag?.end();
    this.forget();
  }

  private forget(): void {
    clearTimeout(this.idle);
    this.drag = null;
    this.by = null;
  }
}

