"""Charts as SVG text: no dependency, no script, light and dark by the viewer's own setting.

`line_chart` draws curves over a common axis, `interval_chart` means with their intervals. Both return one `<svg>`
element that stands alone as a file and inside a page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FONT = 13
_GLYPH = 0.56  # mean width of a character, in font sizes: there is nobody here to measure text
_LIGHT = ("#d1590a", "#0b63b5", "#0a7d5c", "#a3379b", "#8a6a00", "#55606e")
_DARK = ("#ff9a4d", "#6cb2ff", "#3fd0a4", "#e58add", "#e2c044", "#a5b0be")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_COLOURS = len(_LIGHT)


@dataclass(frozen=True, slots=True)
class Series:
    """A curve. Values that are not finite leave a gap, on a logarithmic axis also those that are not positive.

    `style` picks colour and dashes, so that the same thing looks alike in every chart. A `faint` series lies behind and
    has no place in the legend. `cut` marks the last point with a cross: the curve ended before its time.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: int = 0
    faint: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, the ends of its interval where it has one, and the single values behind it."""

    name: str
    mean: float
    low: float | None
    high: float | None
    points: Sequence[float] = ()
    style: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """Values `low` to `high` on pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._scale(self.low), self._scale(self.high)
        return self.start + (self.end - self.start) * (self._scale(value) - low) / (high - low)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, count: int) -> list[float]:
        """About `count` round values within the axis."""
        return decades(self.low, self.high, count) if self.log else round_values(self.low, self.high, count)


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    width: int = 460,
    height: int = 300,
    log_y: bool = False,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Curves over a common axis, as an `<svg>` element.

    `y_range` fixes the vertical axis, low < high, and what leaves it is cut off; without it everything finite fits in.
    """
    head, top = heading(title, y_label, [one for one in series if not one.faint], width)
    low, high = y_range or span([y for one in series for y in one.ys if drawable(y, log_y)], log_y)
    y = Axis(low, high, height - 42, top + 8, log_y)
    labels = [(tick, tick_text(tick, y)) for tick in y.ticks(5)]
    left = 12 + FONT * _GLYPH * max((len(text) for _, text in labels), default=1)
    first, last = span([x for one in series for x in one.xs if math.isfinite(x)], False, pad=0.0)
    x = Axis(first, last, left, width - 14)
    rules = [f'<path class="rule" d="M{left:.1f} {y(v):.1f}H{width - 14}"/>' for v, _ in labels]
    marks = [text_at(left - 6, y(v) + 4, text, "end") for v, text in labels]
    curves = [curve(one, x, y) for one in sorted(series, key=lambda one: not one.faint)]
    clipped = f'<svg x="{left:.1f}" y="{top}" width="{width - 14 - left + 6:.1f}" height="{height - 34 - top}" '
    clipped += f'viewBox="{left:.1f} {top} {width - 14 - left + 6:.1f} {height - 34 - top}">{"".join(curves)}</svg>'
    body = [head, *rules, *marks, *bottom(x, height, x_label), clipped]
    return svg(width, height, title, "".join(body))


def interval_chart(rows: Sequence[Interval], *, title: str, x_label: str, width: int = 460, height: int = 300) -> str:
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
            body.append(f'<path class="bar s{row.style % _COLOURS}" d="M{x(row.low):.1f} {y}H{x(row.high):.1f}"/>')
        body += [f'<circle class="dot s{row.style % _COLOURS}" cx="{x(v):.1f}" cy="{y}" r="3.5"/>' for v in row.points]
        body.append(f'<path class="line s{row.style % _COLOURS}" d="M{x(row.mean):.1f} {y - 8}V{y + 8}"/>')
    return svg(width, height, title, "".join(body))


def svg(width: int, height: int, title: str, body: str) -> str:
    """The element around a chart; its style names only what is inside."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="preheat-chart" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" style="max-width:100%;color-scheme:light dark"><style>{style()}</style>'
        f"{body}</svg>"
    )


def style() -> str:
    """The rules of all charts, for light and dark."""
    chart = ".preheat-chart"
    rules = [
        f"{chart} text{{font:{FONT}px system-ui,sans-serif;fill:#5b6470}}",
        f"{chart} text.title{{font-weight:600;fill:#14181d}}",
        f"{chart} path{{fill:none}}{chart} .rule{{stroke:#e3e6ea}}{chart} .axis{{stroke:#8a94a0}}",
        f"{chart} .line{{stroke-width:2;stroke-linejoin:round}}{chart} .faint{{stroke-width:1;opacity:.3}}",
        f"{chart} .bar{{stroke-width:9;opacity:.35}}{chart} circle{{stroke:none}}",
    ]
    dark = [f"{chart} text{{fill:#a7b0ba}}{chart} text.title{{fill:#eef1f4}}"]
    dark.append(f"{chart} .rule{{stroke:#2c333b}}{chart} .axis{{stroke:#6b7580}}")
    for colours, into in ((_LIGHT, rules), (_DARK, dark)):
        for index, colour in enumerate(colours):
            into.append(f"{chart} .s{index}{{stroke:{colour}}}{chart} circle.s{index}{{fill:{colour}}}")
    return "".join(rules) + "@media(prefers-color-scheme:dark){" + "".join(dark) + "}"


def heading(title: str, y_label: str, named: Sequence[Series], width: int) -> tuple[str, int]:
    """Title, legend and the name of the vertical axis; and where they end."""
    parts, x, y = [text_at(12, 18, title, "start", "title")], 12.0, 40
    for one in named if len(named) > 1 else ():
        name = shortened(one.name, 32)
        need = 30 + FONT * _GLYPH * len(name) + 16
        if x + need > width and x > 12:
            x, y = 12.0, y + 20
        parts.append(f'<path class="line s{one.style % _COLOURS}" {dashed(one)}d="M{x:.1f} {y - 4}h24"/>')
        parts.append(text_at(x + 30, y, name, "start"))
        x += need
    y = y + 22 if len(named) > 1 else y
    parts.append(text_at(12, y, y_label, "start"))
    return "".join(parts), y + 6


def bottom(x: Axis, height: int, label: str) -> list[str]:
    """The horizontal axis: line, ticks and name."""
    y = height - 42
    parts = [f'<path class="axis" d="M{x.start:.1f} {y}H{x.end:.1f}"/>']
    for tick in x.ticks(6):
        parts.append(f'<path class="axis" d="M{x(tick):.1f} {y}v4"/>')
        parts.append(text_at(x(tick), y + 18, tick_text(tick, x), "end" if x(tick) > x.end - 8 else "middle"))
    return [*parts, text_at((x.start + x.end) / 2, height - 6, label, "middle")]


def curve(one: Series, x: Axis, y: Axis) -> str:
    """The path of a series, with a gap where there is nothing to draw."""
    parts, pen = [], "M"
    last: tuple[float, float] | None = None
    for a, b in zip(one.xs, one.ys, strict=True):
        if not (math.isfinite(a) and drawable(b, y.log)):
            pen = "M"
            continue
        last = (x(a), min(1e5, max(-1e5, y(b))))  # a renderer's numbers end sooner than ours
        parts.append(f"{pen}{last[0]:.1f} {last[1]:.1f}")
        pen = "L"
    kind = "faint" if one.faint else "line"
    path = f'<path class="{kind} s{one.style % _COLOURS}" {dashed(one)}d="{"".join(parts)}"/>' if parts else ""
    if not (one.cut and last):
        return path
    across, down = last[0], min(y.start - 5, max(y.end + 1, last[1]))
    return path + f'<path class="line s{one.style % _COLOURS}" d="M{across - 4:.1f} {down - 4:.1f}l8 8m0 -8l-8 8"/>'


def dashed(one: Series) -> str:
    """The dashes of a style, so that colour is not all that tells curves apart."""
    dash = "" if one.faint else _DASHES[one.style % len(_DASHES)]
    return f'stroke-dasharray="{dash}" ' if dash else ""


def span(values: Sequence[float], log: bool, pad: float = 0.04, zero: bool = True) -> tuple[float, float]:
    """The ends of an axis that holds `values`, with some air; from 0 where 0 is near."""
    low, high = min(values, default=1.0 if log else 0.0), max(values, default=1.0)
    if log:
        return (low / 1.2, high * 1.2) if high / low < 1e300 else (low, high)
    if low == high:
        return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    air = pad * (high - low)
    return 0.0 if zero and 0 <= low < 0.3 * high else low - air, high + air


def drawable(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis."""
    return math.isfinite(value) and (value > 0 or not log)


def round_values(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float, count: int) -> list[float]:
    """Powers of ten, thinned to `count`; with 2 and 5 between where there are few."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first >= 2:
        return [10.0**p for p in range(first, last + 1, math.ceil((last - first) / count))]
    finer = [m * 10.0**p for p in range(first - 1, last + 1) for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return finer if len(finer) >= 2 else round_values(low, high, count)


def tick_text(value: float, axis: Axis) -> str:
    """A tick's number, short: 0.25, 1.5k, 3e−5."""
    if abs(value) < 1e-9 * (axis.high - axis.low) and not axis.log:
        return "0"
    for size, unit in () if axis.log else ((1e6, "M"), (1e4, "k")):
        if size <= abs(value) < 1e9:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}".replace("-", "−")
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return (f"{mantissa}e{int(exponent)}" if e else text).replace("-", "−")


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_at(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    """A line of text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
