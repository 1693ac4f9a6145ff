/** The address holds the document, so that a link is a schedule. */
import { useEffect, useRef, useState } from "preact/hooks";

import { useStore } from "../store";
import { toClipboard } from "./parts";

export function Link() {
  const store = useStore();
  const [copied, setCopied] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const there = await toClipboard(store.link(), button.current!);
    setCopied(there);
    store.say(there ? "The link is copied." : "The address of this page is the link; copy it from there.");
  };
  return (
    <button type="button" ref={button} class="steady" title="The address holds the schedules and opens while this studio runs" onClick={copy}>
      {copied ? "Copied" : "Copy link"}
    </button>
  );
}
