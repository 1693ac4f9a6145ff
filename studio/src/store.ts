/** What the page holds: a document, what Python answered to it, and what was there before. Panels read signals and call actions. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";

import { NOTHING_WRITTEN, toHash } from "./link";
import {
  type Ask,
  type Catalogue,
  type Curve,
  type Document,
  type Drawn,
  type Edited,
  type Moved,
  type Opened,
  type Question,
  type Questions,
  refused,
  type Refused,
  type Written,
} from "./protocol";
import type { Answers } from "./transport";

/** `http`: the page of `preheat studio`; `frozen`: an exported file, to look at; `widget`: a cell of a notebook. */
export type Mode = "http" | "frozen" | "widget";

/** A phase that is pointed at, on the curve or in the text. */
export interface Pointed {
  schedule: number;
  phase: number;
}

/** A handle on its way: `move` as often as the pointer moves, then `end`, or `cancel` to have all as it was. */
export interface Drag {
  move(to: Pick<Moved, "at" | "value" | "ticks_per_pixel" | "value_per_pixel">): void;
  end(): void;
  cancel(): void;
}

const BURST = 1000; // ms within which typing in one field is one step back
const PAUSE = 300; // ms after which somebody has paused
const MOST_STEPS = 500;
export const POINTS = 1500; // values of a curve, on a page of usual width
const LATEST = new Set<Question>(["review", "copy"]); // of these only the newest answer is wanted, one at a time

export class Store {
  readonly document: Signal<Document>;
  /** What is drawn, in the order of the document's schedules; a curve that is not there yet is undefined. */
  readonly drawn = signal<Drawn | null>(null);
  /** The last curve of each schedule that was one: shown faintly while its text is wrong. */
  readonly good = signal<(Curve | undefined)[]>([]);
  /** The document after a pause of typing or dragging: what reviews and copies are asked for. */
  readonly settled: Signal<Document>;
  readonly catalogue = signal<Catalogue | null>(null);
  /** What was opened last: its notes and findings, the runs of a comparison. */
  readonly opened = signal<Opened | null>(null);
  /** Why no answer comes, "" where they come; why a document as a whole cannot be drawn; what was refused of a link or file. */
  readonly trouble = signal("");
  readonly undrawn = signal("");
  readonly refusal = signal("");
  /** What was done that was not asked for in so many words, until something else is done. */
  readonly notice = signal("");
  /** What a screen reader is told. */
  readonly said = signal("");
  readonly pointed = signal<Pointed | null>(null);
  readonly dragging = signal(false);
  /** How many values a curve is asked for; set by the chart, which knows its width. */
  readonly points = signal(POINTS);
  readonly theme = signal<"system" | "light" | "dark">("system");
  /** Whether the page is dark now, by the switch or by the system. */
  readonly dark = signal(false);
  /** The element that everything is in; listen to keys here, for a notebook has keys of its own. */
  root: HTMLElement | null = null;
  /** The vertical axis while a handle is dragged, which then only grows. */
  held: [number, number] | null = null;

  readonly chosen: ReadonlySignal<number>;
  readonly curve: ReadonlySignal<Curve | undefined>;
  readonly canUndo: ReadonlySignal<boolean>;
  readonly canRedo: ReadonlySignal<boolean>;
  readonly editable: boolean;

  private readonly again: (() => void)[] = [];
  private readonly newest = new Map<Question, object>();
  private readonly turns = new Map<Question, () => void>();
  private readonly busy = new Map<Question, Promise<void>>();
  private seen: () => void = () => {};
  private readonly first = new Promise<void>((seen) => {
    this.seen = seen;
  });
  private readonly past = signal<Document[]>([]);
  private readonly future = signal<Document[]>([]);
  private burst = { key: "", until: 0 };
  private generation = 0;
  private flying = false;
  private wanted = false;
  private owner: object | null = null;
  private pause: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly transport: Ask,
    readonly mode: Mode,
    document: Document,
    /** What an exported file holds; null where Python answers. */
    readonly answers: Answers | null = null,
  ) {
    this.document = signal(document);
    this.settled = signal(document);
    this.editable = mode !== "frozen";
    this.chosen = computed(() => Math.min(this.document.value.chosen, this.document.value.schedules.length - 1));
    this.curve = computed(() => curveOf(this.drawn.value?.curves[this.chosen.value]));
    this.canUndo = computed(() => this.past.value.length > 0);
    this.canRedo = computed(() => this.future.value.length > 0);
  }

  /** Ask Python; null where no answer comes, which the page shows. What is refused is answered as `Refused`. */
  readonly ask = async <Q extends Question>(question: Q, given: Questions[Q][0]): Promise<Questions[Q][1] | Refused | null> => {
    const mine = {};
    if (LATEST.has(question)) this.newest.set(question, mine);
    for (;;) {
      if (!(await this.turn(question, mine))) return null;
      try {
        const answer = await this.transport(question, given);
        this.trouble.value = "";
        return answer;
      } catch (error) {
        this.trouble.value = error instanceof Error ? error.message : String(error);
      } finally {
        this.turns.get(question)?.();
      }
      if (!LATEST.has(question)) return null;
      await new Promise<void>((again) => this.again.push(again)); // whoever asked still wants to know
    }
  };

  /** Wait until Python may be asked this; false where it has been asked anew meanwhile, so that nobody wants this answer. */
  private async turn(question: Question, mine: object): Promise<boolean> {
    if (question === "draw" || question === "edit") return true; // these wait for themselves
    await this.first; // Python has one thing to do until there is something to see
    if (!LATEST.has(question)) return true;
    while (this.turns.has(question)) await this.busy.get(question);
    if (this.newest.get(question) !== mine) return false;
    const ended = new Promise<void>((done) => {
      this.turns.set(question, () => {
        this.turns.delete(question);
        done();
      });
    });
    this.busy.set(question, ended);
    return true;
  }

  /** Tell a screen reader; the same sentence twice is told twice. */
  readonly say = (sentence: string): void => {
    this.said.value = this.said.peek() === sentence ? `${sentence}\u00a0` : sentence;
  };

  /** The address that opens this document. */
  link(): string {
    return `${location.href.replace(/#.*$/, "")}#${toHash(this.document.peek())}`;
  }

  /** Everything that is asked when the page opens, and again after trouble. */
  async begin(): Promise<void> {
    for (const ask of this.again.splice(0)) ask();
    this.draw();
    const answer = await this.ask("catalogue", {});
    if (answer && !refused(answer)) this.catalogue.value = answer;
  }

  /** Change what is written, as a step that can be undone; changes with the same `burst` in quick succession are one. */
  change(made: Document | ((document: Document) => Document), burst = ""): void {
    const before = this.document.peek();
    const after = typeof made === "function" ? made(before) : made;
    if (after === before) return;
    if (after.schedules.length !== before.schedules.length) this.arrange([...after.schedules.keys()]);
    const now = Date.now();
    if (!burst || burst !== this.burst.key || now > this.burst.until) this.record(before);
    this.burst = { key: burst, until: now + BURST };
    this.owner = null;
    this.notice.value = this.refusal.value = "";
    this.show(after);
  }

  /** Change what is looked at (view, axis, line, chosen), which is no step. */
  look(seen: Partial<Pick<Document, "view" | "axis" | "log" | "difference" | "line" | "chosen">>): void {
    this.show({ ...this.document.peek(), ...seen });
  }

  /** What is seen of the run, in ticks. */
  view(): [number, number] {
    return this.document.peek().view ?? [0, this.drawn.peek()?.total ?? 1];
  }

  /** Change one schedule. */
  write(schedule: number, written: Partial<Written>, burst = ""): void {
    this.change(
      (document) => ({
        ...document,
        schedules: document.schedules.map((one, index) => (index === schedule ? rewritten(one, written) : one)),
      }),
      burst,
    );
  }

  /** Schedules over the present ones, or in their place; the last of them is chosen. */
  put(schedules: Written[], replace: boolean, more: Partial<Document> = {}): void {
    const present = replace ? [] : this.document.peek().schedules;
    this.rearrange([...present.keys(), ...schedules.map(() => null)], () => schedules, more);
  }

  add(): void {
    this.put([{ ...NOTHING_WRITTEN, text: this.document.peek().schedules[this.chosen.peek()]?.text ?? "" }], false);
  }

  duplicate(schedule: number): void {
    const { schedules } = this.document.peek();
    const copy = schedules[schedule];
    const order = [...schedules.keys()];
    order.splice(schedule + 1, 0, -1);
    if (copy) this.rearrange(order, () => [copy], { chosen: schedule + 1 });
  }

  remove(schedule: number): void {
    const { schedules, chosen } = this.document.peek();
    const after = Math.max(0, Math.min(chosen > schedule ? chosen - 1 : chosen, schedules.length - 2));
    const order = [...schedules.keys()].filter((index) => index !== schedule);
    if (order.length) this.rearrange(order, () => [], { chosen: after });
  }

  move(schedule: number, by: number): void {
    const order = [...this.document.peek().schedules.keys()];
    if (order[schedule + by] === undefined) return;
    const [moved] = order.splice(schedule, 1);
    order.splice(schedule + by, 0, moved as number);
    this.rearrange(order, () => [], { chosen: order.indexOf(this.chosen.peek()) });
  }

  /** The last step back; what is looked at stays. */
  undo(): void {
    this.step(this.past, this.future);
  }

  redo(): void {
    this.step(this.future, this.past);
  }

  /** Take hold of a handle. All that follows until its end is one step. */
  drag(schedule: number, handle: string): Drag {
    const base = this.document.peek();
    const seen = { drawn: this.drawn.peek(), good: this.good.peek() };
    let wanted: Parameters<Drag["move"]>[0] | null = null;
    let flying = false;
    let recorded = false;
    const drag = {};
    this.owner = drag;
    this.dragging.value = true;

    const next = async (): Promise<void> => {
      if (flying || !wanted) return;
      const moved = { document: base, points: this.points.peek(), schedule, handle, ...wanted };
      [flying, wanted] = [true, null];
      const answer = await this.ask("edit", moved);
      flying = false;
      if (!answer || this.owner !== drag) return;
      if (refused(answer)) this.undrawn.value = answer.error.message;
      else {
        if (!recorded && !sameWritten(answer.document, base)) {
          this.record(base);
          recorded = true;
        }
        this.edited(answer);
        this.notice.value = answer.says ?? "";
      }
      await next();
    };
    return {
      move: (to) => {
        wanted = to;
        void next();
      },
      end: () => {
        this.dragging.value = false;
        this.pauseSoon();
      },
      cancel: () => {
        if (this.owner !== drag) return;
        this.owner = null;
        batch(() => {
          this.dragging.value = false;
          if (recorded) this.past.value = this.past.peek().slice(0, -1);
          this.generation += 1;
          this.document.value = { ...base, ...lookedAt(this.document.peek()) };
          this.drawn.value = seen.drawn;
          this.good.value = seen.good;
        });
        this.draw();
        this.pauseSoon();
      },
    };
  }

  /** Draw what the document says: one question at a time, and of those that wait the latest. */
  draw(): void {
    this.wanted = true;
    if (!this.flying) void this.drawNext();
  }

  private async drawNext(): Promise<void> {
    this.flying = true;
    while (this.wanted) {
      this.wanted = false;
      const asked = this.generation;
      const answer = await this.ask("draw", { document: this.document.peek(), points: this.points.peek() });
      this.seen();
      if (!answer) break;
      if (asked !== this.generation) {
        this.wanted ||= !this.dragging.peek(); // it answers a document that is no more
        continue;
      }
      if (refused(answer)) this.undrawn.value = answer.error.message;
      else this.keep(answer);
    }
    this.flying = false;
  }

  private edited(answer: Edited): void {
    batch(() => {
      this.generation += 1;
      this.document.value = { ...answer.document, ...lookedAt(this.document.peek()) };
      this.keep(answer.drawn);
    });
    this.pauseSoon();
  }

  private keep(drawn: Drawn): void {
    batch(() => {
      this.undrawn.value = "";
      this.drawn.value = drawn;
      const clock = drawn.curves.map(curveOf).find((curve) => curve)?.clock;
      const still = (curve?: Curve) => (clock === undefined || curve?.clock === clock ? curve : undefined); // its ticks are the axis'
      this.good.value = drawn.curves.map((curve, index) => curveOf(curve) ?? still(this.good.peek()[index]));
    });
  }

  private show(document: Document): void {
    this.document.value = document;
    this.draw();
    this.pauseSoon();
  }

  private pauseSoon(): void {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      if (!this.dragging.peek()) this.settled.value = this.document.peek(); // a hand that rests has not let go
    }, PAUSE);
  }

  private record(before: Document): void {
    this.past.value = [...this.past.peek(), before].slice(-MOST_STEPS);
    this.future.value = [];
  }

  private step(from: Signal<Document[]>, to: Signal<Document[]>): void {
    const target = from.peek().at(-1);
    if (!target) return;
    const now = this.document.peek();
    batch(() => {
      from.value = from.peek().slice(0, -1);
      to.value = [...to.peek(), now];
      this.burst = { key: "", until: 0 };
      this.owner = null;
      this.generation += 1;
      if (target.schedules.length !== now.schedules.length) this.arrange([...target.schedules.keys()]);
      const chosen = Math.min(now.chosen, target.schedules.length - 1);
      this.show({ ...now, schedules: target.schedules, run: target.run, peak: target.peak, chosen });
    });
  }

  /** The schedules in another order; in place of what is no index come new ones, in turn. */
  private rearrange(order: (number | null)[], fresh: () => Written[], more: Partial<Document>): void {
    batch(() => {
      const before = this.document.peek();
      const added = fresh()[Symbol.iterator]();
      const schedules = order.map((index) => before.schedules[index ?? -1] ?? (added.next().value as Written));
      this.arrange(order); // first: an answer that was asked for before is not taken any more
      this.change({ ...before, chosen: schedules.length - 1, ...more, schedules });
    });
  }

  private arrange(order: (number | null)[]): void {
    this.generation += 1;
    const drawn = this.drawn.peek();
    const moved = <T>(all: T[]): T[] => order.map((index) => all[index ?? -1] as T);
    this.good.value = moved(this.good.peek());
    this.pointed.value = null;
    if (drawn) this.drawn.value = { ...drawn, curves: moved(drawn.curves), differences: order.map(() => null) };
  }
}

/** A schedule that is changed: another text is no longer what was opened by its name, and a name that is typed stays. */
function rewritten(one: Written, changed: Partial<Written>): Written {
  const { given, ...after } = { ...one, ...changed };
  const opened = given === true && after.name === one.name;
  if (!opened) return after;
  return after.text === one.text ? { ...after, given } : { ...after, name: "" };
}

/** The curve of an answer, undefined where there is none. */
export const curveOf = (found: Curve | Refused | undefined): Curve | undefined =>
  found && !refused(found) ? found : undefined;

const lookedAt = ({ view, axis, log, difference, line, chosen }: Document) => ({ view, axis, log, difference, line, chosen });

const sameWritten = (a: Document, b: Document): boolean =>
  JSON.stringify([a.schedules, a.run, a.peak]) === JSON.stringify([b.schedules, b.run, b.peak]);

export const StoreContext = createContext<Store>(null as unknown as Store);
export const useStore = (): Store => useContext(StoreContext);
