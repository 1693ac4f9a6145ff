/** An answer that follows what it depends on, and never an older one after a newer. */
import { useEffect, useState } from "preact/hooks";

import { type Document, type Problem, type Question, type Questions, refused } from "../protocol";
import { useStore } from "../store";

export interface Asked<A> {
  answer: A | null;
  problem: Problem | null;
  /** What it answers, to tell whether that is still what stands there. */
  of: string;
  /** What is shown belongs to what stood there before. */
  waiting: boolean;
}

/** What of a document is written, without what of it is looked at: zooming changes no sentence. */
export const written = (held: Document): Document => ({ ...held, axis: "updates", log: false, difference: false, view: null });

/** What is given with a question, as `Asked.of` has it. */
export const key = (given: object | null): string => JSON.stringify(given);

/** The answer to a question; `given` null asks nothing. */
export function useAsked<Q extends Question>(question: Q, given: Questions[Q][0] | null): Asked<Questions[Q][1]> {
  const store = useStore();
  const [found, setFound] = useState<{ answer: Questions[Q][1] | null; problem: Problem | null; of: string }>({ answer: null, problem: null, of: "" });
  const of = key(given);
  useEffect(() => {
    if (given === null) return;
    let wanted = true;
    void store.ask(question, given).then((answer) => {
      if (!wanted || answer === null) return;
      if (refused(answer)) setFound({ answer: null, problem: answer.error, of });
      else setFound({ answer: answer as Questions[Q][1], problem: null, of });
    });
    return () => {
      wanted = false;
    };
  }, [question, of]);
  return { ...found, waiting: found.of !== of };
}
