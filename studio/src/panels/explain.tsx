/** What `preheat explain` says of the chosen schedule: sentences, and its phases as a table. */
import type { Reviewed } from "../protocol";
import type { Asked } from "./asked";
import { Panel } from "./parts";

export function Explain({ reviewed: { answer, waiting }, unfolded }: { reviewed: Asked<Reviewed>; unfolded: () => void }) {
  const [head, ...rows] = answer?.rows ?? [];
  return (
    <Panel name="explain" title="In words" unfolded={unfolded}>
      {answer ? (
        <div class={waiting ? "stale" : ""}>
          {answer.sentences.map((sentence, index) => (
            <p key={index}>{sentence}</p>
          ))}
          {head && (
            <div class="scroll" role="region" aria-label="Phases" tabIndex={0}>
              <table>
                <thead>
                  <tr>
                    {head.map((name) => (
                      <th key={name} scope="col">
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row, index) => (
                    <tr key={index}>
                      {row.map((cell, column) => (
                        <td key={column}>{cell}</td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </div>
      ) : (
        <p class="muted">Once the schedule can be read, it is explained here.</p>
      )}
    </Panel>
  );
}
