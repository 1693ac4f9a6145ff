"""Means with their intervals, a row each, around a line at 0."""

from collections.abc import Sequence
from dataclasses import dataclass

from preheat.plots.charts import bottom, hue, shortened, svg, text_at
from preheat.plots.charts_axis import Axis, span


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, the ends of its interval where it has one, and the single values behind it."""

    name: str
    mean: float
    low: float | None
    high: float | None
    points: Sequence[float] = ()
    style: int = 0


def interval_chart(
    rows: Sequence[Interval], *, title: str, x_label: str, width: int = 460, height: int = 300, inside: bool = False
) -> str:
    """One row per interval around a line at 0: a bar for the interval, a tick for the mean, a dot for every value.

    It is made higher than `height` where the rows need it.
    """
    values = [0.0] + [v for row in rows for v in (row.mean, row.low, row.high, *row.points) if v is not None]
    low, high = span(values, False, pad=0.06, zero=False)
    height = max(height, 78 + 46 * len(rows))
    pitch = (height - 78) / max(1, len(rows))
    x = Axis(low, high, 14, width - 14)
    body = [text_at(12, 18, title, "start", "title"), *bottom(x, height, x_label)]
    body.append(f'<path class="axis" d="M{x(0.0):.1f} 30V{height - 42}"/>')
    for position, row in enumerate(rows):
        y = round(42 + pitch * (position + 0.5))
        body.append(text_at(12, y - 15, shortened(row.name, 44), "start"))
        if row.low is not None and row.high is not None:
            body.append(f'<path class="bar {hue(row.style)}" d="M{x(row.low):.1f} {y}H{x(row.high):.1f}"/>')
        body += [f'<circle class="dot {hue(row.style)}" cx="{x(v):.1f}" cy="{y}" r="3.5"/>' for v in row.points]
        body.append(f'<path class="line {hue(row.style)}" d="M{x(row.mean):.1f} {y - 8}V{y + 8}"/>')
    return svg(width, height, title, "".join(body), inside)
