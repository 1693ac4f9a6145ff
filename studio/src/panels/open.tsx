/** Open: whatever is known by a name, a file, or a path on the machine that Python runs on. */
import { useEffect, useRef, useState } from "preact/hooks";

import { refused, type Catalogue, type Opened, type Problem, type Source } from "../protocol";
import { useStore } from "../store";
import { around, useKey } from "./keys";
import { placed } from "./merging";
import { Refusal } from "./parts";

/** One line of the list: what it is called and says, and what opens it. */
interface Entry {
  key: string;
  kind: string;
  name: string;
  says: string;
  detail: string;
  searched: string;
  source: Source | { kind: "word"; text: string };
}

const MOST_SHOWN = 60;

function entries(catalogue: Catalogue): Entry[] {
  const entry = (kind: string, name: string, says: string, detail: string, source: Entry["source"]): Entry => ({
    key: `${kind} ${name}`,
    kind,
    name,
    says,
    detail,
    searched: `${kind} ${name} ${says} ${detail}`.toLowerCase(),
    source,
  });
  return [
    ...catalogue.presets.map((one) => entry("preset", one.name, one.summary, one.text, { kind: "preset", name: one.name })),
    ...catalogue.recipes.map((one) => entry("recipe", one.name, one.summary, one.text, { kind: "recipe", name: one.name })),
    ...catalogue.words.map((one) => entry("word", one.name, one.summary, one.text, { kind: "word", text: one.text })),
    ...catalogue.peers.flatMap(({ library, schedulers }) =>
      schedulers.map((one) =>
        entry(library, one.name, "", one.signature, { kind: "peer", library, name: one.name, arguments: one.example }),
      ),
    ),
  ];
}

/** What has all the words, those first of which the name begins with the first word. */
function found(all: Entry[], search: string): Entry[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = all.filter((one) => words.every((word) => one.searched.includes(word)));
  const begins = (one: Entry) => (words[0] && one.name.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return fitting.sort((a, b) => begins(a) - begins(b));
}

/** A file as base64, in pieces that a call takes. */
async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

function Peer({ source, signature, open, back }: { source: Source & { kind: "peer" }; signature: string; open: (source: Source) => void; back: () => void }) {
  const [typed, setTyped] = useState(source.arguments);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="peer"
      onSubmit={(event) => {
        event.preventDefault();
        open({ ...source, arguments: typed });
      }}
    >
      <p>
        <b>{source.name}</b> of {source.library}
      </p>
      <p>
        <code>{signature}</code>
      </p>
      <label>
        Arguments
        <input ref={field} type="text" value={typed} spellcheck={false} autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
      </label>
      <p class="row">
        <button type="submit" class="first">
          Open
        </button>
        <button type="button" onClick={back}>
          Back to the list
        </button>
      </p>
    </form>
  );
}

function Named({ all, choose }: { all: Entry[]; choose: (entry: Entry) => void }) {
  const [search, setSearch] = useState("");
  const list = useRef<HTMLUListElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const fitting = found(all, search);
  const move = (event: KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || buttons.length === 0) return;
    event.preventDefault();
    const now = buttons.indexOf(event.target as HTMLButtonElement);
    if (now + step < 0) field.current?.focus();
    else buttons[Math.min(now + step, buttons.length - 1)]?.focus();
  };
  return (
    <div onKeyDown={move}>
      <input
        type="search"
        aria-label="Search presets, recipes, words and other libraries"
        placeholder="Search: llama, wsd, one cycle, timm…"
        value={search}
        spellcheck={false}
        ref={field}
        onInput={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && fitting[0]) choose(fitting[0]);
        }}
      />
      <ul class="entries" ref={list}>
        {fitting.slice(0, MOST_SHOWN).map((one) => (
          <li key={one.key}>
            <button type="button" onClick={() => choose(one)}>
              <b>{one.name}</b> <span class="kind">{one.kind}</span>
              {one.says && <span class="says">{one.says}</span>}
              <code>{one.detail}</code>
            </button>
          </li>
        ))}
      </ul>
      <p class="muted" role="status">
        {fitting.length === 0 ? "Nothing has all these words." : fitting.length > MOST_SHOWN ? `${MOST_SHOWN} of ${fitting.length}; search for more.` : ""}
      </p>
    </div>
  );
}

function FromMachine({ open, file }: { open: (source: Source) => void; file: (file: File) => void }) {
  const [path, setPath] = useState("");
  return (
    <div class="machine">
      <label>
        A config or a checkpoint, also dropped onto the page
        <input
          type="file"
          onChange={(event) => {
            const [chosen] = event.currentTarget.files ?? [];
            if (chosen) file(chosen);
            event.currentTarget.value = "";
          }}
        />
      </label>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (path.trim()) open({ kind: "path", path: path.trim() });
        }}
      >
        <label>
          A path where Python runs: a config, a checkpoint, the folder of a comparison
          <span class="row">
            <input type="text" value={path} spellcheck={false} autocomplete="off" onInput={(event) => setPath(event.currentTarget.value)} />
            <button type="submit" disabled={!path.trim()}>
              Open
            </button>
          </span>
        </label>
      </form>
    </div>
  );
}

/** Opens sources into the document, in place of what is there or over it. */
function useOpening(over: boolean, done: () => void) {
  const store = useStore();
  const [problem, setProblem] = useState<Problem | null>(null);
  const put = (opened: Opened) => {
    store.put(...placed(store.document.peek(), opened, over));
    store.opened.value = opened;
    store.say(`Opened ${opened.schedules.map((one) => one.name || one.text).join(", ")}.`);
    setProblem(null);
    done();
  };
  const open = async (source: Entry["source"]) => {
    if (source.kind === "word")
      return put({ schedules: [{ name: "", text: source.text, peak: "", run: null }], run: null, peak: "", findings: [], notes: [], runs: [] });
    const answer = await store.ask("open", { source, document: store.document.peek() });
    if (answer === null) return done(); // that Python has ended is said by the page
    if (refused(answer)) setProblem(answer.error);
    else put(answer);
  };
  const file = async (chosen: File) => open({ kind: "file", name: chosen.name, content: await base64(chosen) });
  return { open, file, problem, forget: () => setProblem(null) };
}

export function Open() {
  const store = useStore();
  const dialog = useRef<HTMLDialogElement>(null);
  const [shown, setShown] = useState(false);
  const [over, setOver] = useState(false);
  const [peer, setPeer] = useState<Entry | null>(null);
  const { open, file, problem, forget } = useOpening(over, () => dialog.current?.close());
  const show = () => {
    if (dialog.current?.open) return;
    forget();
    setPeer(null);
    setShown(true);
    dialog.current?.showModal();
  };
  useKey("O", show);
  useEffect(() => {
    const target = around(store);
    const carries = (event: Event) => (event as DragEvent).dataTransfer?.types.includes("Files") ?? false;
    const hover = (event: Event) => carries(event) && event.preventDefault();
    const drop = (event: Event) => {
      const [dropped] = (event as DragEvent).dataTransfer?.files ?? [];
      if (!dropped) return;
      event.preventDefault();
      show(); // where a refusal is seen
      void file(dropped);
    };
    target?.addEventListener("dragover", hover);
    target?.addEventListener("drop", drop);
    return () => {
      target?.removeEventListener("dragover", hover);
      target?.removeEventListener("drop", drop);
    };
  });
  const choose = (entry: Entry) => (entry.source.kind === "peer" ? (forget(), setPeer(entry)) : void open(entry.source));
  const catalogue = store.catalogue.value;
  return (
    <>
      <button type="button" title="Alt+O" aria-keyshortcuts="Alt+O" onClick={show}>
        Open…
      </button>
      <dialog class="open" ref={dialog} aria-labelledby="open-title" onClose={() => setShown(false)}>
        {shown && (
          <>
            <header>
              <h2 id="open-title">Open</h2>
              <fieldset class="row">
                <legend class="unseen">Where it goes</legend>
                {([false, true] as const).map((value) => (
                  <label key={String(value)}>
                    <input type="radio" name="where" checked={over === value} onChange={() => setOver(value)} />
                    {value ? "over the present ones" : "in place of all"}
                  </label>
                ))}
              </fieldset>
              <button type="button" aria-label="Close" onClick={() => dialog.current?.close()}>
                ×
              </button>
            </header>
            <div role="alert">{problem && <Refusal problem={problem} />}</div>
            {peer && peer.source.kind === "peer" ? (
              <Peer key={peer.key} source={peer.source} signature={peer.detail} open={open} back={() => (forget(), setPeer(null))} />
            ) : (
              <>
                {catalogue ? <Named all={entries(catalogue)} choose={choose} /> : <p class="muted">Asking Python…</p>}
                <FromMachine open={open} file={file} />
              </>
            )}
          </>
        )}
      </dialog>
    </>
  );
}
