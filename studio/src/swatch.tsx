/** A curve's colour and dashes, to know it by. */
import { colour, dash } from "./look";
import { useStore } from "./store";

export function Swatch({ index }: { index: number }) {
  const { dark } = useStore();
  return (
    <svg class="swatch" viewBox="0 0 26 8" width="26" height="8" aria-hidden="true">
      <path d="M0 4h26" fill="none" stroke={colour(index, dark.value)} stroke-width="3" stroke-dasharray={dash(index).join(" ")} />
    </svg>
  );
}
