/** The chosen schedule as text for somewhere else: in the form that is chosen, as Python wrote it. */
import { useEffect, useRef, useState } from "preact/hooks";

import { useStore } from "../store";
import { useAsked, useWritten } from "./asked";
import { useKey } from "./keys";
import { Panel, Refusal, toClipboard, useLooked } from "./parts";

export function Copy() {
  const store = useStore();
  const forms = store.catalogue.value?.forms ?? [];
  const [wanted, setWanted] = useState("");
  const [said, setSaid] = useState("");
  const place = useRef<HTMLPreElement>(null);
  const form = forms.find((one) => one.id === wanted)?.id ?? forms[0]?.id ?? "";
  const [looked, look] = useLooked();
  const written = useWritten();
  const given = { document: written, schedule: written.chosen, form };
  const { answer, problem, waiting } = useAsked("copy", form && looked ? given : null);

  const copy = async () => {
    if (!answer || waiting || !place.current) return;
    const there = await toClipboard(answer.text, place.current);
    const sentence = there ? "Copied." : "This browser does not let the page copy; select the text and copy it.";
    setSaid(sentence);
    store.say(sentence);
  };
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
          <select aria-label="Form" value={form} onChange={(event) => setWanted(event.currentTarget.value)}>
            {forms.map((one) => (
              <option key={one.id} value={one.id}>
                {one.label}
              </option>
            ))}
          </select>
          <span class="said">{said}</span>
          <button type="button" class="first" disabled={!answer || waiting} title="Alt+C" aria-keyshortcuts="Alt+C" onClick={copy}>
            Copy
          </button>
        </>
      }
    >
      {forms.length === 0 && <p class="muted">Asking Python…</p>}
      <div class={waiting ? "stale" : ""}>
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
