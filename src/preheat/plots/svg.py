"""Panels as SVG text: no dependency, no script, light and dark by the viewer's own setting."""

import math
from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

from preheat.plots.axis import Axis, drawable, tick_text
from preheat.plots.panel import DARK, DASHES, LIGHT, Curves, Intervals, Mark, Series, shortened

FONT = 13
_GLYPH = 0.56  # mean width of a character, in font sizes: text cannot be measured here
_SIGNS = {
    "spike": "m0 -5l5 9h-10z",
    "nonfinite": "m-4 -4l8 8m0 -8l-8 8",
    "at chance": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
}


def svg(
    panel: Curves | Intervals,
    *,
    width: int = 460,
    height: int = 300,
    in_page: bool = False,
    legend: bool | None = None,
) -> str:
    """A panel as one `<svg>` element, which stands alone as a file; or goes into a page that has `style()` and a legend.

    Intervals make it higher than `height` where they need it.   legend: whether it has one itself; by default, if alone.
    """
    if isinstance(panel, Intervals):
        height = max(height, 78 + 46 * len(panel.rows))
        body = _intervals(panel, width, height)
    else:
        body = _curves(panel, width, height, not in_page if legend is None else legend)
    alone = "" if in_page else ' xmlns="http://www.w3.org/2000/svg" style="max-width:100%;color-scheme:light dark"'
    return (
        f'<svg{alone} class="preheat-chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(panel.title)}">'
        f"{'' if in_page else f'<style>{style()}</style>'}{''.join(body)}</svg>"
    )


def style() -> str:
    """The rules of all charts, dark where the system is; each names only what is inside a chart."""
    light, dark = rules()
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def rules() -> tuple[str, str]:
    """The rules of all charts on a light page, and what a dark one changes."""
    chart = ".preheat-chart"
    light = [
        f"{chart} text{{font:{FONT}px system-ui,sans-serif;fill:#5b6470}}",
        f"{chart} text.title{{font-weight:600;fill:#14181d}}",
        f"{chart} path{{fill:none}}{chart} .rule{{stroke:#e3e6ea}}{chart} .axis,{chart} .level{{stroke:#8a94a0}}",
        f"{chart} .level{{stroke-dasharray:1 4;stroke-width:2}}{chart} path.band{{stroke:none;opacity:.18}}",
        f"{chart} .line{{stroke-width:2;stroke-linejoin:round}}{chart} .faint{{stroke-width:1;opacity:.3}}",
        f"{chart} .bar{{stroke-width:9;opacity:.35}}{chart} circle{{stroke:none}}",
    ]
    dark = [f"{chart} text{{fill:#a7b0ba}}{chart} text.title{{fill:#eef1f4}}"]
    dark.append(f"{chart} .rule{{stroke:#2c333b}}{chart} .axis,{chart} .level{{stroke:#6b7580}}")
    for colours, into in ((LIGHT, light), (DARK, dark)):
        for index, colour in enumerate(colours):
            into.append(f"{chart} .s{index}{{stroke:{colour}}}{chart} :is(circle,.band).s{index}{{fill:{colour}}}")
    return "".join(light), "".join(dark)


def swatch(style: int) -> str:
    """A piece of a curve, for the legend of a page."""
    line = f'<path class="line {_colour(style)}" {_dashed(style)}d="M0 5h26"/>'
    return f'<svg class="preheat-chart swatch" viewBox="0 0 26 10" aria-hidden="true">{line}</svg>'


def _curves(panel: Curves, width: int, height: int, legend: bool) -> list[str]:
    body, top = _heading(panel, width, panel.named if legend else [])
    right, bottom = width - 14, height - 42
    y = Axis(*panel.y_limits, bottom, top + 8, panel.log_y)
    labels = [(y(tick), tick_text(tick, y)) for tick in y.ticks(min(5, max(2, (bottom - top) // 20)))]
    left = 18 + FONT * _GLYPH * max((len(text) for _, text in labels), default=1)
    x = Axis(*panel.x_limits, left, right, panel.log_x, panel.x_ticks)
    for place, text in labels:
        body.append(f'<path class="rule" d="M{left:.1f} {place:.1f}H{right}"/>')
        body.append(_text(left - 6, place + 4, text, "end"))
    body += _bottom(x, height, panel.x_label)
    box = f"{left:.1f} {top} {right - left + 6:.1f} {height - 34 - top}"
    place = 'x="{}" y="{}" width="{}" height="{}"'.format(*box.split())
    curves = [_curve(panel, one, x, y) for one in sorted(panel.series, key=lambda one: not one.faint)]
    body.append(f'<svg {place} viewBox="{box}">{"".join(curves)}</svg>')
    if panel.level and y.low <= panel.level[1] <= y.high:
        name, value = panel.level
        body.append(f'<path class="level" d="M{left:.1f} {y(value):.1f}H{right}"/>')
        body.append(_text(width - 28, y(value) - 5, name, "end"))
    return body + [
        _sign(mark, x(mark.x), y(panel.mark_height(mark)), y) for mark in panel.marks if drawable(mark.x, x.log)
    ]


def _intervals(panel: Intervals, width: int, height: int) -> list[str]:
    pitch = (height - 78) / max(1, len(panel.rows))
    x = Axis(*panel.x_limits, 14, width - 14)
    body = [_text(12, 18, panel.title, "start", "title"), *_bottom(x, height, panel.x_label)]
    body.append(f'<path class="axis" d="M{x(0.0):.1f} 30V{height - 42}"/>')
    for position, row in enumerate(panel.rows):
        down, colour = round(42 + pitch * (position + 0.5)), _colour(row.style)
        body.append(_text(12, down - 15, shortened(row.name, 44), "start"))
        if row.low is not None and row.high is not None:
            body.append(f'<path class="bar {colour}" d="M{x(row.low):.1f} {down}H{x(row.high):.1f}"/>')
        body += [f'<circle class="dot {colour}" cx="{x(v):.1f}" cy="{down}" r="3.5"/>' for v in row.points]
        body.append(f'<path class="line {colour}" d="M{x(row.mean):.1f} {down - 8}V{down + 8}"/>')
    return body


def _heading(panel: Curves, width: int, named: Sequence[Series]) -> tuple[list[str], int]:
    """Title, legend and the name of the vertical axis; and where they end."""
    parts, x, y = [_text(12, 18, panel.title, "start", "title")], 12.0, 40
    for one in named if len(named) > 1 else ():
        name = shortened(one.name, 32)
        need = 30 + FONT * _wide(name) + 16
        if x + need > width and x > 12:
            x, y = 12.0, y + 20
        parts.append(f'<path class="line {_look(one.style)}" {_dashed(one.style)}d="M{x:.1f} {y - 4}h24"/>')
        parts.append(_text(x + 30, y, name, "start"))
        x += need
    y = y + 22 if len(named) > 1 else y
    return [*parts, _text(12, y, panel.y_label, "start")], y + 6


def _bottom(x: Axis, height: int, label: str) -> list[str]:
    """The horizontal axis: line, ticks and name; a tick's number is left out where it would touch the one before."""
    y, free = height - 42, -math.inf
    parts = [f'<path class="axis" d="M{x.start:.1f} {y}H{x.end:.1f}"/>']
    for tick in x.ticks(6):
        text, last = tick_text(tick, x), x(tick) > x.end - 8
        half = FONT * _GLYPH * len(text) / 2
        parts.append(f'<path class="axis" d="M{x(tick):.1f} {y}v4"/>')
        if x(tick) - half * (1 + last) > free:
            parts.append(_text(x(tick), y + 18, text, "end" if last else "middle"))
            free = x(tick) + half + 4
    return [*parts, _text((x.start + x.end) / 2, height - 6, label, "middle")]


def _curve(panel: Curves, one: Series, x: Axis, y: Axis) -> str:
    """Band, line and dots of a series, with a gap where there is nothing to draw."""
    across = [x(a) if drawable(a, x.log) else math.nan for a in one.xs]

    def places(values: Sequence[float]) -> list[tuple[float, float]]:
        found = zip(across, panel.drawn(values), strict=True)
        return [(a, math.nan if math.isnan(v) else min(1e5, max(-1e5, y(v)))) for a, v in found]  # renderers overflow

    look, line, parts = _look(one.style), places(one.ys), []
    if len(one.low) and (area := _area(places(one.low), places(one.high))):
        parts.append(f'<path class="band {look}" d="{area}"/>')
    if path := "".join(map(_path, _pieces(line))):
        kind, dashes = ("faint", "") if one.faint else ("line", _dashed(one.style))
        parts.append(f'<path class="{kind} {look}" {dashes}d="{path}"/>')
    if one.dots:
        dots = [place for piece in _pieces(line) for place in piece]
        parts += [f'<circle class="{look}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in dots]
    return "".join(parts)


def _pieces(places: Sequence[tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    """The runs of places that are not interrupted by one with a NaN."""
    pieces: list[list[tuple[float, ...]]] = [[]]
    for place in places:
        if not any(map(math.isnan, place)):
            pieces[-1].append(place)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _path(places: Sequence[tuple[float, ...]]) -> str:
    return "M" + "L".join(f"{place[0]:.1f} {place[1]:.1f}" for place in places)


def _area(low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]) -> str:
    """The outline between two edges, in as many pieces as there are gaps."""
    pieces = _pieces([(x, a, b) for (x, a), (_, b) in zip(low, high, strict=True)])
    return "".join(_path([(x, b) for x, _, b in one] + [(x, a) for x, a, _ in reversed(one)]) + "Z" for one in pieces)


def _sign(mark: Mark, across: float, down: float, y: Axis) -> str:
    """A mark's sign, whole on the chart, with its text."""
    place = f"M{across:.1f} {min(y.start - 5, max(y.end + 1, down)):.1f}{_SIGNS[mark.kind]}"
    return f'<path class="line {_look(mark.style)}" d="{place}"><title>{escape(mark.text)}</title></path>'


def _look(style: int) -> str:
    """The classes of a style: its colour, and the key by which a page may hide it."""
    return f"{_colour(style)} k{style}"


def _colour(style: int) -> str:
    return f"s{style % len(LIGHT)}"


def _dashed(style: int) -> str:
    dashes = " ".join(f"{2 * part:g}" for part in DASHES[style % len(DASHES)])
    return f'stroke-dasharray="{dashes}" ' if dashes else ""


def _wide(text: str) -> float:
    """About how wide a text is, in font sizes: a Chinese character is as wide as it is high."""
    return sum(1.0 if east_asian_width(sign) in "WF" else _GLYPH for sign in text)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    """A line of text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
