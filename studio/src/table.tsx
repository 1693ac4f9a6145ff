/** The values as a table: at the times that Python chose for what is in view, each the value of that very time. */
import { moment, value } from "./numbers";
import { axisOf, named } from "./picture";
import { curveOf, useStore } from "./store";

export function Table() {
  const store = useStore();
  const document = store.document.value;
  const drawn = store.drawn.value;
  const axis = axisOf(document, drawn);
  const curves = document.schedules.map((_, index) => curveOf(drawn?.curves[index]));
  const [low, high] = document.view ?? [0, drawn?.total ?? 1];
  const { at, values } = drawn?.rows ?? { at: [], values: [] };
  return (
    <details class="table">
      <summary>Values as a table</summary>
      <div class="wide" tabIndex={0} role="region" aria-label="Values">
        <table>
          <caption class="unseen">The value of each schedule</caption>
          <thead>
            <tr>
              <th scope="col">{axis.label}</th>
              {curves.map((curve, index) => (
                <th key={index} scope="col">
                  {curves.length > 1 ? named(document, index) : (curve?.quantity ?? "value")}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {at.map((tick, row) =>
              tick < low || tick > high ? null : (
                <tr key={tick}>
                  <th scope="row">{moment(tick, axis.worth)}</th>
                  {curves.map((_, index) => (
                    <td key={index}>{value(values[index]?.[row])}</td>
                  ))}
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
    </details>
  );
}
