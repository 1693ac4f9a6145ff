/** The canvas: uPlot lays out the frame and its axes, and what is in the frame is painted by `painting`. */
import uPlot from "uplot";

import { ink } from "./look";
import { labels, ticks } from "./numbers";
import { type Band, bands, framed, type Line, line, type Mark, mark } from "./painting";
import { type Frame, rungs } from "./scale";

export interface Shown {
  x: [number, number];
  y: [number, number];
  log: boolean;
  dark: boolean;
  /** How many of the axis' unit pass in a tick, and what they are. */
  worth: number;
  unit: string;
  lines: Line[];
  bands: Band[];
  marks: Mark[];
}

export const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
const LEFT = 62;
const BELOW = 46;
const APART = { x: 90, y: 44 }; // pixels between labels

const BESIDE = 20; // pixels from a label to the frame and to the edge

/** The pixels that the labels of a vertical axis take: none is cut. */
export function room({ ctx }: uPlot, said: string[] | null): number {
  ctx.save();
  ctx.font = FONT;
  const widest = Math.max(0, ...(said ?? []).map((one) => ctx.measureText(one).width));
  ctx.restore();
  return Math.ceil(widest) + BESIDE;
}

export class Plot {
  private plot: uPlot | null = null;
  private shown: Shown | null = null;
  private built = "";

  constructor(
    private readonly place: HTMLElement,
    private readonly framed: (frame: Frame) => void,
  ) {}

  show(shown: Shown): void {
    this.shown = shown;
    const looks = `${shown.log} ${shown.dark} ${shown.unit}`;
    if (looks !== this.built || !this.plot) {
      this.plot?.destroy();
      this.built = looks;
      this.plot = new uPlot(this.options(shown), [[...shown.x], [null, null]], this.place);
    }
    const plot = this.plot;
    plot.batch(() => {
      plot.setScale("x", { min: shown.x[0], max: shown.x[1] });
      plot.setScale("y", { min: shown.y[0], max: shown.y[1] });
      plot.redraw(false, true);
    });
  }

  resize(): void {
    this.plot?.setSize(this.size());
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private size(): { width: number; height: number } {
    return { width: this.place.clientWidth, height: this.place.clientHeight };
  }

  private options(shown: Shown): uPlot.Options {
    const colours = ink(shown.dark);
    const axis = { stroke: colours.text, font: FONT, labelFont: FONT, grid: { stroke: colours.grid, width: 1 }, ticks: { stroke: colours.grid, width: 1, size: 5 } };
    return {
      ...this.size(),
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: shown.log ? 3 : 1 } },
      series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
      axes: [
        { ...axis, size: BELOW - 18, label: shown.unit, labelSize: 18, splits: () => this.xTicks().at, values: () => this.xTicks().said },
        { ...axis, size: (plot, said) => Math.max(LEFT, room(plot, said)), splits: () => this.yTicks().at, values: () => this.yTicks().said },
      ],
      hooks: { drawClear: [(plot) => this.beneath(plot)], draw: [(plot) => this.above(plot)] },
    };
  }

  private xTicks(): { at: number[]; said: string[] } {
    const { x, worth } = this.shown as Shown;
    const most = worth === 1 ? x[1] - x[0] : Infinity; // nothing lies between two updates
    const { at, step } = ticks(x[0] * worth, x[1] * worth, Math.min(most, (this.place.clientWidth - LEFT) / APART.x));
    return { at: at.map((unit) => unit / worth), said: labels(at, step) };
  }

  private yTicks(): { at: number[]; said: string[] } {
    const { y, log } = this.shown as Shown;
    return rungs(y, log, Math.max(2, (this.place.clientHeight - BELOW) / APART.y));
  }

  private frame(plot: uPlot): Frame {
    const { left, top, width, height } = plot.bbox;
    const { x, y, log } = this.shown as Shown;
    const ratio = uPlot.pxRatio;
    return { left: left / ratio, top: top / ratio, width: width / ratio, height: height / ratio, x, y, log };
  }

  private beneath(plot: uPlot): void {
    const frame = this.frame(plot);
    framed(plot.ctx, frame, uPlot.pxRatio, () => bands(plot.ctx, frame, (this.shown as Shown).bands));
  }

  private above(plot: uPlot): void {
    const { lines, marks, dark } = this.shown as Shown;
    const frame = this.frame(plot);
    framed(plot.ctx, frame, uPlot.pxRatio, () => {
      for (const one of lines) line(plot.ctx, frame, one);
      for (const one of marks) mark(plot.ctx, frame, one, ink(dark).text, ink(dark).paper, FONT);
    });
    this.framed(frame);
  }
}
