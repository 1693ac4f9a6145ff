/** What was opened, in place of what is on the page or over it. */
import { NO_RUN } from "../link";
import type { Document, Opened, RunFields, Written } from "../protocol";

const same = (one: RunFields, other: RunFields) => (Object.keys(NO_RUN) as (keyof RunFields)[]).every((name) => one[name] === other[name]);

/** The schedules that are put, whether in place of the present ones, and what of the document changes with them.
 *
 * In place: its run and its peak become the page's; a run of which it says nothing stays. Over: where its run or its peak is
 * another than the page's, it keeps them as its own. Empty fields on the page are nothing that anybody meant to keep.
 */
export function placed(held: Document, opened: Opened, over: boolean): [Written[], boolean, Partial<Document>] {
  const empty = held.schedules.every((one) => one.text.trim() === "");
  if (!over || empty)
    return [opened.schedules, true, { run: opened.run ?? held.run, peak: opened.peak, line: "", chosen: 0, view: null }];
  const own = (one: Written): Written => ({
    ...one,
    run: one.run ?? (opened.run && !same(opened.run, held.run) ? opened.run : null),
    peak: one.peak || (opened.peak === held.peak ? "" : opened.peak),
  });
  return [opened.schedules.map(own), false, { view: null }];
}
