/** A cell of a notebook: the same page in a shadow root, and Python at the other end of the widget's messages. */
import { effect } from "@preact/signals";

import { mount } from "./app";
import { documentFrom } from "./link";
import type { Ask, Document } from "./protocol";
import { Store } from "./store";
import { TransportError } from "./transport";

/** What anywidget hands in: the traits of `preheat.widget.Studio`, and messages to and from it. */
interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, act: (message: any) => void): void;
  off(event: string, act: (message: any) => void): void;
  send(content: object): void;
}

const LONGEST = 20_000; // ms that a kernel may be busy with something else

/** Questions over the widget's messages. All views of a widget hear every answer, so a question has a number that is its own. */
function messages(model: Model): { ask: Ask; end: () => void } {
  const view = Math.random().toString(36).slice(2);
  const waiting = new Map<string, { done: (answer: any) => void; failed: (error: Error) => void }>();
  let asked = 0;
  const hear = (message: { id?: string; answer?: object; failed?: string }) => {
    const one = waiting.get(message.id ?? "");
    if (message.failed !== undefined) one?.failed(new TransportError(message.failed));
    else one?.done(message.answer);
  };
  model.on("msg:custom", hear);
  const ask: Ask = (question, given) => {
    const id = `${view} ${(asked += 1)}`;
    return new Promise<any>((done, failed) => {
      const timer = setTimeout(() => failed(new TransportError("The kernel does not answer: it is busy, or it has ended.")), LONGEST);
      const settled = <T>(act: (value: T) => void) => (value: T) => {
        clearTimeout(timer);
        waiting.delete(id);
        act(value);
      };
      waiting.set(id, { done: settled(done), failed: settled(failed) });
      model.send({ id, question, given });
    });
  };
  return { ask, end: () => model.off("msg:custom", hear) };
}

/** What of a document all views and Python have in common; where one zooms is its own matter. */
const shared = ({ schedules, run, peak, line, chosen }: Document) => ({ schedules, run, peak, line, chosen });
const same = (one: Document, other: Document) => JSON.stringify(shared(one)) === JSON.stringify(shared(other));

/** The document of the page and that of the widget, each following the other; returns how to end it. */
function together(store: Store, model: Model): () => void {
  const taken = () => {
    const found = documentFrom(model.get("document"));
    if (!same(found, store.document.peek())) store.change((held) => ({ ...held, ...shared(found) }), "kernel");
  };
  model.on("change:document", taken);
  const end = effect(() => {
    const held = store.document.value;
    if (same(held, documentFrom(model.get("document")))) return;
    model.set("document", shared(held));
    model.save_changes();
  });
  return () => {
    end();
    model.off("change:document", taken);
  };
}

/** Dark or light as the notebook is, which need not be as the system is; `hosts` says how notebooks tell. */
function themed(store: Store, hosts: [string, boolean][]): () => void {
  const look = () => {
    const host = hosts.find(([selector]) => document.querySelector(selector));
    store.theme.value = host ? (host[1] ? "dark" : "light") : "system";
  };
  look();
  const watch = new MutationObserver(look);
  for (const node of [document.documentElement, document.body]) watch.observe(node, { attributes: true });
  return () => watch.disconnect();
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const host = document.createElement("div");
  for (const name of ["data-lm-suppress-shortcuts", "data-p-suppress-shortcuts"]) host.setAttribute(name, "true"); // d d deletes a cell
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(model.get("sheet"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  const place = root.appendChild(document.createElement("div"));
  el.append(host);

  const { ask, end } = messages(model);
  const store = new Store(ask, "widget", documentFrom(model.get("document")));
  const ends = [themed(store, model.get("hosts")), mount(place, store), together(store, model), end, () => host.remove()];
  return () => ends.forEach((act) => act());
}

export default { render };
