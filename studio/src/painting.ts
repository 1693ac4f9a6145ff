/** What is painted in the frame: bands of phases, curves, marks. Pure drawing on a canvas, in its own pixels. */
import { dash, WIDTH } from "./look";
import { type Frame, toX, toY } from "./scale";

export interface Line {
  at: number[];
  values: (number | null)[];
  style: number;
  colour: string;
  faint: boolean;
  /** A dot at every whole tick of this many: where updates lie so far apart that one sees each; 0 for none. */
  dots: number;
}

export interface Mark {
  at: number;
  text: string;
}

export interface Band {
  from: number;
  to: number;
  fill: string;
}

/** The canvas with the frame's origin at 0, 0 and everything outside of it cut off. */
export function framed(context: CanvasRenderingContext2D, frame: Frame, ratio: number, paint: () => void): void {
  context.save();
  context.setTransform(ratio, 0, 0, ratio, frame.left * ratio, frame.top * ratio);
  context.beginPath();
  context.rect(0, 0, frame.width, frame.height);
  context.clip();
  paint();
  context.restore();
}

export function bands(context: CanvasRenderingContext2D, frame: Frame, all: Band[]): void {
  for (const { from, to, fill } of all) {
    context.fillStyle = fill;
    const left = toX(frame, from);
    context.fillRect(left, 0, toX(frame, to) - left, frame.height);
  }
}

export function line(context: CanvasRenderingContext2D, frame: Frame, { at, values, style, colour, faint, dots }: Line): void {
  context.strokeStyle = context.fillStyle = colour;
  context.globalAlpha = faint ? 0.35 : 1;
  context.lineWidth = WIDTH;
  context.lineJoin = "round";
  context.setLineDash(dash(style));
  context.beginPath();
  let drawing = false;
  for (let k = 0; k < at.length; k++) {
    const value = values[k];
    if (value === null || value === undefined || (frame.log && value <= 0)) {
      drawing = false;
      continue;
    }
    const x = toX(frame, at[k] as number);
    const y = toY(frame, value);
    if (drawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    drawing = true;
  }
  context.stroke();
  context.setLineDash([]);
  if (dots) {
    for (let k = 0; k < at.length; k++) {
      const value = values[k];
      if (value === null || value === undefined || (frame.log && value <= 0) || !Number.isInteger((at[k] as number) / dots)) continue;
      context.beginPath();
      context.arc(toX(frame, at[k] as number), toY(frame, value), 2.6, 0, 2 * Math.PI);
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

/** A dashed line upright at a tick, with its text beside it. */
export function mark(context: CanvasRenderingContext2D, frame: Frame, { at, text }: Mark, ink: string, paper: string, font: string): void {
  const x = Math.round(toX(frame, at)) + 0.5;
  if (x < 0 || x > frame.width) return;
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, frame.height);
  context.stroke();
  context.setLineDash([]);
  context.font = font;
  context.textAlign = x > frame.width * 0.6 ? "right" : "left";
  context.textBaseline = "top";
  const beside = x + (x > frame.width * 0.6 ? -6 : 6);
  context.strokeStyle = paper;
  context.lineWidth = 4;
  context.strokeText(text, beside, 4); // so that it is read over a curve too
  context.fillText(text, beside, 4);
}
