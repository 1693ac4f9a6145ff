/** An answer that follows what it depends on, and never an older one after a newer. */
import { useEffect, useState } from "preact/hooks";

import { type Document, refused, type Problem, type Question, type Questions } from "../protocol";
import { useStore } from "../store";

export interface Asked<A> {
  answer: A | null;
  problem: Problem | null;
  /** What is shown belongs to what stood there before. */
  waiting: boolean;
}

/** What is written, after a pause, without what of it is looked at: zooming changes no sentence. */
export function useWritten(): Document {
  return { ...useStore().settled.value, axis: "updates", log: false, difference: false, view: null };
}

const NOTHING = { answer: null, problem: null, waiting: true };

/** The answer to a question; `given` null asks nothing. */
export function useAsked<Q extends Question>(question: Q, given: Questions[Q][0] | null): Asked<Questions[Q][1]> {
  const store = useStore();
  const [state, setState] = useState<Asked<Questions[Q][1]>>(NOTHING);
  const key = JSON.stringify(given);
  useEffect(() => {
    if (given === null) return;
    let wanted = true;
    setState((before) => ({ ...before, waiting: true }));
    void store.ask(question, given).then((found) => {
      if (!wanted || found === null) return;
      if (refused(found)) setState({ answer: null, problem: found.error, waiting: false });
      else setState({ answer: found as Questions[Q][1], problem: null, waiting: false });
    });
    return () => {
      wanted = false;
    };
  }, [question, key]);
  return state;
}
