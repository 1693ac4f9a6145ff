/** The page of `preheat studio` and the exported file begin here; a notebook takes what is exported. */
import "uplot/dist/uPlot.min.css";
import "./style.css";

import { effect } from "@preact/signals";

import { mount } from "./app";
import { documentFrom, fromHash, NO_RUN, NOTHING_WRITTEN, toHash } from "./link";
import type { Document, Opened } from "./protocol";
import { Store } from "./store";
import { type Answers, frozen, http } from "./transport";

export { default } from "./widget";

const QUIET = 400; // ms: browsers stop a page that changes its address often
const FIRST: Document = documentFrom({
  schedules: [{ ...NOTHING_WRITTEN, text: FIRST_TEXT }],
  run: { ...NO_RUN, total: FIRST_TOTAL },
});

const place = document.getElementById("studio");
const written = document.getElementById("answers");
if (place && written) {
  const answers = JSON.parse(written.textContent ?? "") as Answers;
  mount(place, new Store(frozen(answers), "frozen", documentFrom(answers.document), answers));
} else if (place) void begin(place);

/** The document of the address; without one, what the command was given. */
async function begin(place: HTMLElement): Promise<void> {
  const start = given();
  const [found, refusal] = linked();
  const document = found ?? documentOf(await start);
  const store = new Store(http, "http", document);
  remembered(store);
  mount(place, store);
  store.refusal.value = refusal;
  following(store);
  store.opened.value = (await start)?.opened ?? null;
}

function documentOf(start: Start | null): Document {
  return start?.document ? documentFrom(start.document) : FIRST;
}

/** The document that the address says, null where it says none, and why that is where the link is damaged. */
function linked(): [Document | null, string] {
  if (location.hash.length < 2) return [null, ""];
  try {
    return [fromHash(location.hash), ""];
  } catch (error) {
    return [null, (error as Error).message];
  }
}

interface Start {
  document?: Document;
  opened?: Opened | null;
}

async function given(): Promise<Start | null> {
  try {
    const answer = await fetch("./start.json");
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** The address follows the document, and the document an address that somebody pastes. */
function following(store: Store): void {
  let own = location.hash.slice(1);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let first = true;
  effect(() => {
    const document = store.document.value;
    if (first) {
      first = false;
      return; // what was opened is not written over before somebody changes it
    }
    clearTimeout(timer);
    timer = setTimeout(() => {
      own = toHash(document);
      history.replaceState(null, "", `#${own}`);
    }, QUIET);
  });
  addEventListener("hashchange", () => {
    if (location.hash.slice(1) === own) return;
    const [document, refusal] = linked();
    if (refusal) store.refusal.value = refusal;
    else if (document) store.change(document);
  });
}

/** The colours that somebody chose, the next time too. */
function remembered(store: Store): void {
  const name = "preheat-studio-theme";
  try {
    const kept = localStorage.getItem(name);
    if (kept === "light" || kept === "dark") store.theme.value = kept;
    effect(() => {
      if (store.theme.value !== "system") localStorage.setItem(name, store.theme.value);
    });
  } catch {
    // a browser may keep nothing: then the system decides
  }
}
