/** The chart: curves in a frame that can be zoomed and moved, a crosshair with what stands there, phases, handles. */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Handles } from "./handles";
import { moment, value } from "./numbers";
import { PhaseStrip } from "./phases";
import { axisOf, named, picture, read } from "./picture";
import { Plot, type Shown } from "./plot";
import { type Frame, toX } from "./scale";
import { curveOf, POINTS, type Store, useStore } from "./store";
import { Swatch } from "./swatch";
import { type Gestures, gestures } from "./gestures";

const MOST_WIDE = 1000; // pixels for which so many values do

export function Chart() {
  const store = useStore();
  const place = useRef<HTMLDivElement>(null);
  const over = useRef<HTMLDivElement>(null);
  const frame = useSignal<Frame | null>(null);
  const cursor = useSignal<number | null>(null);
  const selected = useSignal<[number, number] | null>(null);
  const shown = useComputed(() => shownOf(store, frame.value?.width ?? 800));

  usePlot(place, shown, frame);
  useEffect(() => {
    const given: Gestures = { store, frame, cursor, selected };
    return over.current ? gestures(over.current, given) : undefined;
  }, []);

  const at = frame.value;
  const box = at ? { left: `${at.left}px`, top: `${at.top}px`, width: `${at.width}px`, height: `${at.height}px` } : { display: "none" };
  return (
    <section class="chart" aria-label="Curves">
      <Readout cursor={cursor.value} />
      <div class="plot">
        <div class="canvas" ref={place} aria-hidden="true" />
        <div
          class="over"
          ref={over}
          style={box}
          tabIndex={0}
          role="group"
          aria-label="Chart. Plus and minus zoom, 0 shows the whole run, arrow keys move the crosshair, with Shift the view."
        >
          {at && cursor.value !== null && <i class="crosshair" style={{ left: `${toX(at, cursor.value)}px` }} />}
          {at && selected.value && (
            <i class="selected" style={{ left: `${selected.value[0]}px`, width: `${selected.value[1] - selected.value[0]}px` }} />
          )}
        </div>
        {at && <Handles frame={at} box={box} />}
      </div>
      {at && <PhaseStrip frame={at} />}
      {store.editable && store.curve.value?.fixed && <p class="muted fixed">{store.curve.value.fixed}</p>}
    </section>
  );
}

/** What is shown, null before the first answer. While a handle is dragged the vertical axis only grows. */
function shownOf(store: Store, width: number): Shown | null {
  const drawn = store.drawn.value;
  if (!drawn) return null;
  const document = store.document.value;
  const seen = { document, drawn, good: store.good.value, chosen: store.chosen.value, pointed: store.pointed.value };
  const shown = picture({ ...seen, dark: store.dark.value, width });
  if (!store.dragging.value) store.held = null;
  else {
    store.held ??= shown.y;
    shown.y = store.held = [Math.min(store.held[0], shown.y[0]), Math.max(store.held[1], shown.y[1])];
  }
  return shown;
}

function usePlot(place: { current: HTMLDivElement | null }, shown: { value: Shown | null }, frame: { value: Frame | null }): void {
  const store = useStore();
  const plot = useRef<Plot | null>(null);
  const waiting = useRef(0);
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const made = new Plot(element, (found) => {
      frame.value = found;
    });
    plot.current = made;
    const watch = new ResizeObserver(() => {
      made.resize();
      const points = Math.max(1, Math.ceil(element.clientWidth / MOST_WIDE)) * POINTS; // in great steps: each is a question more
      if (points !== store.points.peek()) {
        store.points.value = points;
        store.draw();
      }
    });
    watch.observe(element);
    return () => {
      cancelAnimationFrame(waiting.current);
      watch.disconnect();
      made.destroy();
    };
  }, []);
  useSignalEffect(() => {
    const next = shown.value;
    if (!next) return;
    cancelAnimationFrame(waiting.current);
    waiting.current = requestAnimationFrame(() => plot.current?.show(next));
  });
}

/** What stands at the crosshair: the value of every curve at the nearest update that was drawn, with its place if that is another. */
function Readout({ cursor }: { cursor: number | null }) {
  const store = useStore();
  const document = store.document.value;
  const drawn = store.drawn.value;
  const axis = axisOf(document, drawn);
  const differing = document.difference && document.schedules.length > 1;
  const leading = store.curve.value ?? store.good.value.find((one) => one !== undefined);
  const at = cursor === null || !leading ? null : (read(leading.at, leading.values, cursor)?.at ?? cursor);
  return (
    <dl class="readout">
      <div class="where">
        <dt>{axis.label}</dt>
        <dd>{at === null ? "–" : moment(at, axis.worth)}</dd>
      </div>
      {document.schedules.map((_, index) => {
        const curve = curveOf(drawn?.curves[index]) ?? store.good.value[index];
        const found = differing ? drawn?.differences[index] : curve;
        if (differing && index === 0) return null;
        const reading = at === null || !found ? null : read(found.at, found.values, at);
        return (
          <div key={index} data-chosen={index === store.chosen.value}>
            <dt>
              <Swatch index={index} /> {differing ? `${named(document, index)} − ${named(document, 0)}` : document.schedules.length > 1 ? named(document, index) : (curve?.quantity ?? "")}
            </dt>
            <dd>{reading ? `${value(reading.value)}${reading.exact ? "" : ` at ${moment(reading.at, axis.worth)}`}` : "–"}</dd>
          </div>
        );
      })}
    </dl>
  );
}

