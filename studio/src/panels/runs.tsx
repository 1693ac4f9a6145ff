/** The records of a comparison: every run's loss, under it the rate that made it, over one axis. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { colour, dash, ink } from "../look";
import { value } from "../numbers";
import { FONT, room } from "../plot";
import type { Run } from "../protocol";
import { ceiling, FLAT, heights, rungs } from "../scale";
import { useStore } from "../store";
import { columns, once } from "./curves";
import { Panel, Tabs } from "./parts";

const LOSS = 220;
const RATE = 130;
const APART = 36; // pixels between labels

interface Charted {
  label: string;
  height: number;
  /** Whether what diverges is cut off, and the axis may be logarithmic. */
  cut: boolean;
  of: (run: Run) => [number[], (number | null)[]];
}

/** What the charts under each other share: the room left of all, so that an update stands under itself, and the cursor. */
interface Shared {
  plots: Set<uPlot>;
  room: number;
}

const CHARTS: Charted[] = [
  { label: "loss", height: LOSS, cut: true, of: (run) => [run.at, run.loss] },
  { label: "learning rate", height: RATE, cut: false, of: (run) => [run.rate_at, run.rate] },
];

interface Looks {
  chart: Charted;
  dark: boolean;
  log: boolean;
  /** Values above it are not seen. */
  most: number;
  shared: Shared;
}

/** The vertical axis: as wide as the widest label of all the charts. */
function upright({ chart, log, shared }: Looks): uPlot.Axis {
  let steps = rungs([0, 1], false, 2);
  return {
    splits: (_, __, low, high) => (steps = rungs([low, high], log, chart.height / APART)).at,
    values: () => steps.said,
    size: (plot, said) => {
      const needed = room(plot, said);
      if (needed > shared.room) {
        shared.room = needed;
        queueMicrotask(() => shared.plots.forEach((one) => one.redraw(false, true)));
      }
      return shared.room;
    },
  };
}

function options(looks: Looks, width: number, lines: { arm: string }[], arms: string[]): uPlot.Options {
  const { chart, dark, log, most } = looks;
  const colours = ink(dark);
  const axis = { stroke: colours.text, font: FONT, grid: { stroke: colours.grid, width: 1 }, ticks: { stroke: colours.grid, width: 1, size: 5 } };
  const range = (_: uPlot, low: number | null, high: number | null): [number, number] =>
    heights(low === null || high === null ? [] : [low, low > most ? high : Math.min(high, most)], log, false, FLAT.zoomed);
  return {
    width,
    height: chart.height,
    scales: { x: { time: false }, y: { distr: log ? 3 : 1, range } },
    legend: { show: false },
    cursor: { sync: { key: "preheat-runs" }, y: false, points: { show: false }, drag: { x: true, y: false } },
    axes: [axis, { ...axis, ...upright(looks) }],
    series: [
      {},
      ...lines.map(({ arm }) => {
        const style = arms.indexOf(arm);
        return { stroke: colour(style, dark), dash: dash(style), width: 1.5, points: { show: false } };
      }),
    ],
  };
}

interface Given {
  chart: Charted;
  runs: Run[];
  arms: string[];
  updates: [number, number];
  log: boolean;
  shared: Shared;
}

function Chart({ chart, runs, arms, updates, log, shared }: Given) {
  const dark = useStore().dark.value;
  const place = useRef<HTMLDivElement>(null);
  const { at, lines } = columns(runs, chart.of);
  const seen = lines.map(({ values }) => values.map((one) => (log && typeof one === "number" && one <= 0 ? null : one)));
  const most = chart.cut ? ceiling(runs.map((run) => chart.of(run)[1]), log) : Infinity;
  const highest = seen.flat().reduce<number>((most, one) => Math.max(most, one ?? -Infinity), -Infinity);
  useEffect(() => {
    const width = place.current!.clientWidth;
    const plot = new uPlot(options({ chart, dark, log, most, shared }, width, lines, arms), [at, ...seen] as uPlot.AlignedData, place.current!);
    shared.plots.add(plot);
    plot.setScale("x", { min: updates[0], max: updates[1] });
    const fitted = new ResizeObserver(([entry]) => entry && plot.setSize({ width: entry.contentRect.width, height: chart.height }));
    fitted.observe(place.current!);
    return () => {
      fitted.disconnect();
      shared.plots.delete(plot);
      plot.destroy();
    };
  }, [runs, arms.join("\n"), dark, log, ...updates]);
  return (
    <figure>
      <figcaption>{chart.label}</figcaption>
      <div class="plot" ref={place} role="img" aria-label={`${chart.label} of ${runs.length} runs over updates`} />
      {highest > most && <p class="muted">A {chart.label} goes up to {value(highest)}, above what is drawn.</p>}
    </figure>
  );
}

/** The last loss that was written, and how many were not finite. */
function Ends({ runs }: { runs: Run[] }) {
  return (
    <details>
      <summary>Last losses as a table</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">arm</th>
            <th scope="col">seed</th>
            <th scope="col">update</th>
            <th scope="col">loss</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={`${run.arm} ${run.seed}`}>
              <td>{run.arm}</td>
              <td class="number">{run.seed}</td>
              <td class="number">{run.at.at(-1)}</td>
              <td class="number">{run.loss.at(-1) ?? "not finite"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

export function Runs() {
  const store = useStore();
  const all = store.opened.value?.runs ?? store.answers?.runs ?? [];
  const studies = once(all.map((run) => run.study));
  const arms = once(all.map((run) => run.arm));
  const [wanted, setWanted] = useState("");
  const [hidden, setHidden] = useState<string[]>([]);
  const [log, setLog] = useState(false);
  const shared = useRef<Shared>({ plots: new Set(), room: 0 }).current;
  if (all.length === 0) return null;
  const study = studies.includes(wanted) ? wanted : studies[0]!;
  const runs = all.filter((run) => run.study === study && !hidden.includes(run.arm));
  const ticks = all.filter((run) => run.study === study).flatMap((run) => [...run.at, ...run.rate_at]);
  const updates: [number, number] = [ticks.reduce((a, b) => Math.min(a, b), Infinity), ticks.reduce((a, b) => Math.max(a, b), -Infinity)];
  const dark = store.dark.value;
  return (
    <Panel
      name="runs"
      title="Runs"
      aside={
        <label class="check">
          <input type="checkbox" checked={log} onChange={() => setLog(!log)} />
          logarithmic loss
        </label>
      }
    >
      {studies.length > 1 && <Tabs label="Study" tabs={studies.map((id) => ({ id, label: id }))} chosen={study} choose={setWanted} panel="panel-runs-charts" />}
      <div class="legend" role="group" aria-label="Arms">
        {arms.map((arm, index) => (
          <label key={arm}>
            <input
              type="checkbox"
              checked={!hidden.includes(arm)}
              onChange={() => setHidden(hidden.includes(arm) ? hidden.filter((one) => one !== arm) : [...hidden, arm])}
            />
            <svg viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">
              <path d="M0 5h26" stroke={colour(index, dark)} stroke-width="2" stroke-dasharray={dash(index).join(" ")} />
            </svg>
            {arm}
          </label>
        ))}
      </div>
      <div id="panel-runs-charts" {...(studies.length > 1 ? { role: "tabpanel", "aria-label": study } : {})}>
        {CHARTS.map((chart) => (
          <Chart key={chart.label} chart={chart} runs={runs} arms={arms} updates={updates} log={log && chart.cut} shared={shared} />
        ))}
        <p class="muted">updates</p>
      </div>
      <Ends runs={runs} />
    </Panel>
  );
}
