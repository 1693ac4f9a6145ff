/** What `preheat check` says of the chosen schedule, and what its source said when it was opened. */
import type { Finding, Reviewed } from "../protocol";
import { useStore } from "../store";
import type { Asked } from "./asked";
import { Panel, Refusal } from "./parts";

function One({ finding }: { finding: Finding }) {
  return (
    <li>
      <p>
        {finding.place && <b>{finding.place}: </b>}
        {finding.what}
      </p>
      {finding.write && <p class="cure">{finding.write}</p>}
      <details>
        <summary>{finding.code}</summary>
        {finding.means}
      </details>
    </li>
  );
}

function List({ found }: { found: Finding[] }) {
  return (
    <ul class="findings-list">
      {found.map((one, index) => (
        <One key={`${index} ${one.code} ${one.place}`} finding={one} />
      ))}
    </ul>
  );
}

export function Findings({ reviewed, unfolded }: { reviewed: Asked<Reviewed>; unfolded: () => void }) {
  const opened = useStore().opened.value;
  const said = opened && (opened.findings.length > 0 || opened.notes.length > 0) ? opened : null;
  const { answer, problem, waiting } = reviewed;
  const found = answer?.findings ?? [];
  return (
    <Panel name="findings" title={found.length ? `Findings: ${found.length}` : "Findings"} unfolded={unfolded}>
      <div class={waiting ? "stale" : ""}>
        {problem && <Refusal problem={problem} />}
        {answer && found.length === 0 && <p class="fine">check found nothing.</p>}
        {found.length > 0 && <List found={found} />}
      </div>
      {said && (
        <>
          <h3>Of what was opened</h3>
          {said.notes.map((note) => (
            <p key={note}>{note}</p>
          ))}
          <List found={said.findings} />
        </>
      )}
    </Panel>
  );
}
