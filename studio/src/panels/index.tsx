/** What stands around the curve: the buttons above it, and what Python says below. */
import "../panels.css";

import { useStore } from "../store";
import { useAsked, written } from "./asked";
import { Copy } from "./copy";
import { Download } from "./download";
import { Explain } from "./explain";
import { Findings } from "./findings";
import { Link } from "./link";
import { Open } from "./open";
import { useLooked } from "./parts";
import { Runs } from "./runs";

/** What takes a schedule in or out. */
export function Toolbar() {
  const { mode } = useStore();
  return (
    <div class="toolbar" role="group" aria-label="Schedules in and out">
      {mode !== "frozen" && <Open />}
      {mode === "http" && <Link />}
      <Download />
    </div>
  );
}

/** What is said of the chosen schedule. */
export function Panels() {
  const document = written(useStore().settled.value);
  const [looked, look] = useLooked();
  const reviewed = useAsked("review", looked ? { document, schedule: document.chosen } : null);
  return (
    <div class="panels">
      <Findings reviewed={reviewed} unfolded={look} />
      <Explain reviewed={reviewed} unfolded={look} />
    </div>
  );
}

/** What is wide: the curves of runs, and code. */
export function Below() {
  return (
    <>
      <Runs />
      <Copy />
    </>
  );
}
