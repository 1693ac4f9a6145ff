/** What several panels are made of. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

import type { Problem } from "../protocol";
import { useStore } from "../store";

interface Shown {
  name: string;
  title: string;
  aside?: ComponentChildren;
  /** Somebody looks at it for the first time. */
  unfolded?: () => void;
  children: ComponentChildren;
}

/** Whether a panel is looked at, so that Python is not asked for what nobody sees; and what says that it is. */
export function useLooked(): [boolean, () => void] {
  const folded = useStore().mode === "widget";
  const [looked, setLooked] = useState(!folded);
  return [looked, () => setLooked(true)];
}

/** A part of the page with its name. In a notebook, where there is little room, it is folded until somebody wants it. */
export function Panel({ name, title, aside, unfolded, children }: Shown) {
  if (useStore().mode === "widget")
    return (
      <details class={`panel ${name}`} onToggle={(event) => event.currentTarget.open && unfolded?.()}>
        <summary>{title}</summary>
        <header>{aside}</header>
        {children}
      </details>
    );
  return (
    <section class={`panel ${name}`} aria-labelledby={`panel-${name}`}>
      <header>
        <h2 id={`panel-${name}`}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** A refusal as the terminal prints it: what is wrong, then what to write. */
export function Refusal({ problem }: { problem: Problem }) {
  return <p class="refusal">{problem.message}</p>;
}

export interface Tab {
  id: string;
  label: string;
}

/** Tabs, of which one is in the order of the keyboard; arrows, Home and End go to the others. */
export function Tabs({ label, tabs, chosen, choose, panel }: { label: string; tabs: Tab[]; chosen: string; choose: (id: string) => void; panel: string }) {
  const list = useRef<HTMLDivElement>(null);
  const go = (event: KeyboardEvent) => {
    const at = tabs.findIndex((one) => one.id === chosen);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    choose(tabs[next]!.id);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={go}>
      {tabs.map((one) => (
        <button
          key={one.id}
          type="button"
          role="tab"
          aria-selected={one.id === chosen}
          aria-controls={panel}
          tabIndex={one.id === chosen ? 0 : -1}
          onClick={() => choose(one.id)}
        >
          {one.label}
        </button>
      ))}
    </div>
  );
}

/** Text to the clipboard; where the browser gives none (a notebook over plain http), by a selection. Says whether it is there. */
export async function toClipboard(text: string, beside: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    beside.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    beside.focus();
    return copied;
  }
}
