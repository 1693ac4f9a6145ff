/** The chosen schedule as text for somewhere else: in the form that is chosen, as Python wrote it. */
import { useEffect, useRef, useState } from "preact/hooks";

import type { Document } from "../protocol";
import { useStore } from "../store";
import { key, useAsked, written } from "./asked";
import { useKey } from "./keys";
import { Panel, Refusal, toClipboard, useLooked } from "./parts";

const OLD = "This is not of what stands on the page now: Python does not answer.";

export function Copy() {
  const store = useStore();
  const forms = store.catalogue.value?.forms ?? [];
  const [asked, setAsked] = useState("");
  const [said, setSaid] = useState("");
  const wanted = useRef(false);
  const place = useRef<HTMLPreElement>(null);
  const form = forms.find((one) => one.id === asked)?.id ?? forms[0]?.id ?? "";
  const [looked, look] = useLooked();
  const given = (held: Document) => ({ document: written(held), schedule: held.chosen, form });
  const { answer, problem, of, waiting } = useAsked("copy", form && looked ? given(store.settled.value) : null);

  const old = store.trouble.value !== "" && of !== key(given(store.document.value)); // and no newer one comes

  const copy = async () => {
    if (old) return store.say(OLD);
    wanted.current = of !== key(given(store.document.peek())); // the text is on its way: it is copied when it is there
    if (!answer || wanted.current || !place.current) return;
    const there = await toClipboard(answer.text, place.current);
    const sentence = there ? "Copied." : "This browser does not let the page copy; select the text and copy it.";
    setSaid(sentence);
    store.say(sentence);
  };
  useEffect(() => {
    if (wanted.current) void copy();
  }, [of]);
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(""), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  useKey("C", () => void copy());

  return (
    <Panel
      name="copy"
      title="Copy as"
      unfolded={look}
      aside={
        <>
          <select aria-label="Form" value={form} onChange={(event) => setAsked(event.currentTarget.value)}>
            {forms.map((one) => (
              <option key={one.id} value={one.id}>
                {one.label}
              </option>
            ))}
          </select>
          <span class="said">{said}</span>
          <button type="button" class="first" disabled={!answer || old} title="Alt+C" aria-keyshortcuts="Alt+C" onClick={copy}>
            Copy
          </button>
        </>
      }
    >
      {forms.length === 0 && <p class="muted">Asking Python…</p>}
      {old && <p class="note">{OLD}</p>}
      <div class={waiting || old ? "stale" : ""}>
        {problem && <Refusal problem={problem} />}
        <pre ref={place} tabIndex={0} role="region" aria-label="Text to copy" hidden={!answer}>
          <code>{answer?.text}</code>
        </pre>
        {answer?.notes.map((note) => (
          <p key={note} class="note">
            {note}
          </p>
        ))}
      </div>
    </Panel>
  );
}
