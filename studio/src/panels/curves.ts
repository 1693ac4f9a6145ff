/** The runs of one study as columns over one axis, as uPlot takes them. */
import type { Run } from "../protocol";

export interface Columns {
  at: number[];
  lines: { arm: string; seed: number; values: (number | null)[] }[];
}

/** Every run's values at the union of all positions; where a run has none, nothing (`undefined` in uPlot joins, `null` is a gap). */
export function columns(runs: Run[], of: (run: Run) => [number[], (number | null)[]]): Columns {
  const all = new Set<number>();
  for (const run of runs) for (const at of of(run)[0]) all.add(at);
  const at = [...all].sort((a, b) => a - b);
  const lines = runs.map((run) => {
    const [positions, found] = of(run);
    const known = new Map(positions.map((position, index) => [position, found[index] ?? null]));
    return { arm: run.arm, seed: run.seed, values: at.map((position) => known.get(position) as number | null) };
  });
  return { at, lines };
}

/** What is there, each once, in the order in which it came. */
export const once = (names: string[]) => [...new Set(names)];
