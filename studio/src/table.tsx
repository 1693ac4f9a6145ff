/** The values as a table: at the edges of phases, the ends of what is seen, and every so often between; as Python gave them. */
import { count, value } from "./numbers";
import { axisOf, named, read } from "./picture";
import { curveOf, useStore } from "./store";

const BETWEEN = 10;

export function Table() {
  const store = useStore();
  const document = store.document.value;
  const drawn = store.drawn.value;
  const axis = axisOf(document, drawn);
  const curves = document.schedules.map((_, index) => curveOf(drawn?.curves[index]));
  const [low, high] = document.view ?? [0, drawn?.total ?? 1];
  const wanted = new Set<number>();
  for (let k = 0; k <= BETWEEN; k++) wanted.add(low + ((high - low) * k) / BETWEEN);
  for (const curve of curves) for (const { start } of curve?.phases ?? []) if (start >= low && start <= high) wanted.add(start);
  const leading = store.curve.value ?? curves.find((curve) => curve);
  const places = leading ? [...wanted].map((tick) => read(leading.at, leading.values, tick)?.at ?? tick) : [];
  const rows = [...new Set(places)].sort((a, b) => a - b).slice(0, 60);
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
            {rows.map((tick) => (
              <tr key={tick}>
                <th scope="row">{count(Number((tick * axis.worth).toPrecision(8)))}</th>
                {curves.map((curve, index) => {
                  const found = curve && read(curve.at, curve.values, tick);
                  return <td key={index}>{found ? `${found.exact ? "" : "≈ "}${value(found.value)}` : "–"}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
