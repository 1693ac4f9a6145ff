/** The records of a comparison: every run's loss, under it the rate that made it, over one axis. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { colour, dash, ink } from "../look";
import type { Run } from "../protocol";
import { useStore } from "../store";
import { columns, once } from "./curves";
import { Panel, Tabs } from "./parts";

const LOSS = 220;
const RATE = 130;
const ROOM = 60; // left of both charts, so that an update stands under itself

interface Charted {
  label: string;
  height: number;
  of: (run: Run) => [number[], (number | null)[]];
}

const CHARTS: Charted[] = [
  { label: "loss", height: LOSS, of: (run) => [run.at, run.loss] },
  { label: "learning rate", height: RATE, of: (run) => [run.rate_at, run.rate] },
];

function options(chart: Charted, width: number, lines: { arm: string }[], arms: string[], dark: boolean, sync: string): uPlot.Options {
  const colours = ink(dark);
  const axis = { stroke: colours.text, grid: { stroke: colours.grid, width: 1 }, ticks: { stroke: colours.grid, width: 1 } };
  return {
    width,
    height: chart.height,
    scales: { x: { time: false } },
    legend: { show: false },
    cursor: { sync: { key: sync }, y: false, points: { show: false }, drag: { x: true, y: false } },
    axes: [axis, { ...axis, size: ROOM, values: (_, splits) => splits.map((value) => (value === null ? "" : String(Number(value.toPrecision(4))))) }],
    series: [
      {},
      ...lines.map(({ arm }) => {
        const style = arms.indexOf(arm);
        return { stroke: colour(style, dark), dash: dash(style), width: 1.5, points: { show: false } };
      }),
    ],
  };
}

function Chart({ chart, runs, arms, sync, updates }: { chart: Charted; runs: Run[]; arms: string[]; sync: string; updates: [number, number] }) {
  const dark = useStore().dark.value;
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { at, lines } = columns(runs, chart.of);
    const plot = new uPlot(options(chart, place.current!.clientWidth, lines, arms, dark, sync), [at, ...lines.map((line) => line.values)], place.current!);
    plot.setScale("x", { min: updates[0], max: updates[1] });
    const fitted = new ResizeObserver(([entry]) => entry && plot.setSize({ width: entry.contentRect.width, height: chart.height }));
    fitted.observe(place.current!);
    return () => {
      fitted.disconnect();
      plot.destroy();
    };
  }, [runs, arms.join("\n"), dark, ...updates]);
  return (
    <figure>
      <figcaption>{chart.label}</figcaption>
      <div class="plot" ref={place} role="img" aria-label={`${chart.label} of ${runs.length} runs over updates`} />
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
  if (all.length === 0) return null;
  const study = studies.includes(wanted) ? wanted : studies[0]!;
  const runs = all.filter((run) => run.study === study && !hidden.includes(run.arm));
  const ticks = all.filter((run) => run.study === study).flatMap((run) => [...run.at, ...run.rate_at]);
  const updates: [number, number] = [ticks.reduce((a, b) => Math.min(a, b), Infinity), ticks.reduce((a, b) => Math.max(a, b), -Infinity)];
  const dark = store.dark.value;
  return (
    <Panel name="runs" title="Runs">
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
          <Chart key={chart.label} chart={chart} runs={runs} arms={arms} sync="preheat-runs" updates={updates} />
        ))}
        <p class="muted">updates</p>
      </div>
      <Ends runs={runs} />
    </Panel>
  );
}
