/** The keys of the panels: Alt with a letter, which browsers and notebooks leave to pages. */
import { useLayoutEffect } from "preact/hooks";

import { type Store, useStore } from "../store";

/** What the page listens on: in a notebook the widget, which is not the only one. */
export const around = (store: Store): EventTarget | null => (store.mode === "widget" ? store.root : document);

/** While the component is there, Alt with the letter does this, wherever on the page (in a notebook: in the widget). */
export function useKey(letter: string, act: () => void): void {
  const store = useStore();
  useLayoutEffect(() => { // before the next key: after the next frame, a key would act on what stood there before
    const target = around(store);
    const listen = (event: Event) => {
      const key = event as KeyboardEvent;
      if (!key.altKey || key.ctrlKey || key.metaKey || key.code !== `Key${letter}`) return; // the code: Alt+C types ç on a Mac
      key.preventDefault();
      act();
    };
    target?.addEventListener("keydown", listen);
    return () => target?.removeEventListener("keydown", listen);
  });
}
