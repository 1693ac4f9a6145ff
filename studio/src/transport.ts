/** How the page reaches Python: over HTTP; in an exported file there is none, and what was asked beforehand answers. */
import type { Ask, Catalogue, Copied, Document, Drawn, Picture, Question, Refused, Reviewed, Run } from "./protocol";

/** What the page says when an answer does not come. */
export class TransportError extends Error {}

const ENDED =
  "Python has ended, and what is seen beside the schedules is of before. Start `preheat studio` again, and put behind the address that it prints what stands in this page's address from # on: that is the schedules.";

/** The questions of the page, asked of the server that it came from. */
export const http: Ask = async (question, given) => {
  let answer: Response;
  try {
    answer = await fetch(`./ask/${question}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
    });
  } catch {
    throw new TransportError(ENDED);
  }
  if (!answer.ok) throw new TransportError((await answer.text()).trim() || `Python answered ${answer.status}.`);
  return answer.json();
};

/** What an exported file holds: the answers, asked when it was written. `drawn` by line, `copied` in the order of the forms. */
export interface Answers {
  document: Document;
  drawn: Record<string, Drawn>;
  reviewed: (Reviewed | Refused)[];
  copied: (Copied | Refused)[][];
  catalogue: Catalogue;
  runs: Run[];
  picture: Picture;
}

const NOT_HERE = "This is an exported file: it shows what was drawn. `preheat studio` opens it for editing.";

/** The answers of an exported file. */
export const frozen = (answers: Answers): Ask => {
  const nothing = { error: { message: NOT_HERE, what: NOT_HERE, write: "", column: null, field: "" } };
  const forms = answers.catalogue.forms.map((form) => form.id);
  const known: Partial<Record<Question, (given: any) => object | undefined>> = {
    catalogue: () => answers.catalogue,
    draw: (given) => answers.drawn[given.document.line] ?? Object.values(answers.drawn)[0],
    review: (given) => answers.reviewed[given.schedule],
    copy: (given) => answers.copied[given.schedule]?.[forms.indexOf(given.form)],
    picture: () => answers.picture,
  };
  return async (question, given) => (known[question]?.(given) ?? nothing) as any;
};
