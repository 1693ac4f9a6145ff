/** The page: what is typed, what comes of it, and what stands around both. */
import { effect } from "@preact/signals";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";

import { Chart } from "./chart";
import { Controls } from "./controls";
import { Editor } from "./editor";
import { RunPanel } from "./fields";
import { toHash } from "./link";
import { Below, Panels, Toolbar } from "./panels/index";
import { toClipboard } from "./panels/parts";
import { refused } from "./protocol";
import { type Store, StoreContext, useStore } from "./store";
import { Table } from "./table";

/** The page in an element, which becomes its root; returns what ends it. */
export function mount(place: HTMLElement, store: Store): () => void {
  place.classList.add("preheat-studio");
  place.dataset.mode = store.mode;
  store.root = place;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const look = () => {
    const theme = store.theme.value;
    const dark = theme === "dark" || (theme === "system" && system.matches);
    place.dataset.theme = dark ? "dark" : "light";
    store.dark.value = dark;
  };
  system.addEventListener("change", look);
  const ends = [effect(look), telling(store), () => system.removeEventListener("change", look)];
  render(
    <StoreContext.Provider value={store}>
      <Page />
    </StoreContext.Provider>,
    place,
  );
  void store.begin();
  return () => {
    for (const end of ends) end();
    render(null, place);
  };
}

function Page() {
  const store = useStore();
  useKeys(store);
  return (
    <>
      <header class="top">
        <h1>preheat studio</h1>
        {store.editable && <Steps />}
        {store.mode !== "widget" && <Theme />}
        <Toolbar />
      </header>
      <Trouble />
      <main>
        <div class="work">
          <Editor />
          <RunPanel />
          <Controls />
          <Chart />
          <Table />
          <Below />
        </div>
        <Panels />
      </main>
      <p class="unseen" role="status" aria-live="polite">
        {store.said.value}
      </p>
    </>
  );
}

function Steps() {
  const store = useStore();
  return (
    <span class="steps" role="group" aria-label="Steps">
      <button type="button" class="quiet" aria-label="Undo" title="Undo (Ctrl+Z)" disabled={!store.canUndo.value} onClick={() => store.undo()}>
        ↶
      </button>
      <button type="button" class="quiet" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" disabled={!store.canRedo.value} onClick={() => store.redo()}>
        ↷
      </button>
    </span>
  );
}

function Theme() {
  const store = useStore();
  return (
    <button
      type="button"
      class="quiet theme"
      aria-label={store.dark.value ? "Light colours" : "Dark colours"}
      title={store.dark.value ? "Light colours" : "Dark colours"}
      onClick={() => {
        store.theme.value = store.dark.peek() ? "light" : "dark";
      }}
    >
      {store.dark.value ? "☀" : "☾"}
    </button>
  );
}

/** What keeps the page from answering; and what was refused as a whole. */
function Trouble() {
  const store = useStore();
  const { trouble, undrawn, refusal, notice } = store;
  if (trouble.value)
    return (
      <p class="trouble" role="alert">
        {trouble.value}{" "}
        <button type="button" onClick={() => void store.begin()}>
          Try again
        </button>{" "}
        {store.mode === "http" && <CopyHash />}
      </p>
    );
  if (undrawn.value || refusal.value)
    return (
      <p class="trouble" role="alert">
        {undrawn.value || refusal.value}
      </p>
    );
  return notice.value ? (
    <p class="notice" role="status">
      {notice.value}
    </p>
  ) : null;
}

/** What opens the schedules behind the address of another start of the command. */
function CopyHash() {
  const store = useStore();
  const [label, setLabel] = useState("Copy from #");
  const copy = async (event: MouseEvent) => {
    const there = await toClipboard(`#${toHash(store.document.peek())}`, event.currentTarget as HTMLElement);
    setLabel(there ? "Copied" : "It cannot be copied here");
  };
  return (
    <button type="button" onClick={copy}>
      {label}
    </button>
  );
}

/** Steps back and forth by keys, everywhere: the fields' own undo knows nothing of dragging. */
function useKeys(store: Store): void {
  useEffect(() => {
    const target = store.mode === "http" ? document : store.root;
    const listen = (found: Event): void => {
      const event = found as KeyboardEvent;
      if (!(event.ctrlKey || event.metaKey) || event.altKey || !store.editable) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      if (event.target instanceof Element && event.target.closest("dialog")) return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) store.redo();
      else store.undo();
    };
    target?.addEventListener("keydown", listen);
    return () => target?.removeEventListener("keydown", listen);
  }, []);
}

/** After a pause a screen reader is told what has changed: what is wrong, else what each schedule has become. */
function telling(store: Store): () => void {
  let before = store.settled.peek();
  return effect(() => {
    const now = store.settled.value;
    if (now === before) return;
    const changed = now.schedules.flatMap((written, index) => {
      const old = before.schedules[index];
      const same = old && old.text === written.text && old.peak === written.peak && old.run === written.run;
      if (same && now.run === before.run && now.peak === before.peak) return [];
      const found = store.drawn.peek()?.curves[index];
      if (!found) return [];
      return [`Schedule ${index + 1}: ${refused(found) ? found.error.message : found.canonical}`];
    });
    before = now;
    if (changed.length) store.say(changed.join(". "));
  });
}
