"""Charts as SVG text: no dependency, no script, light and dark by the viewer's own setting.

`line_chart` draws curves over a common axis, `interval_chart` (in charts_interval) means with their intervals. Both
return one `<svg>` element that stands alone as a file; with `inside`, one for a page that has `style()` and legends.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from preheat.plots.charts_axis import Axis, drawable, span, tick_text

FONT = 13
_GLYPH = 0.56  # mean width of a character, in font sizes: there is nobody here to measure text
_LIGHT = ("#d1590a", "#0b63b5", "#0a7d5c", "#a3379b", "#8a6a00", "#55606e")
_DARK = ("#ff9a4d", "#6cb2ff", "#3fd0a4", "#e58add", "#e2c044", "#a5b0be")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_COLOURS = len(_LIGHT)
SIGNS = {"end": "m-4 -4l8 8m0 -8l-8 8", "spike": "m0 -5l5 9h-10z", "stuck": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"}


@dataclass(frozen=True, slots=True)
class Series:
    """A curve. Values that are not finite leave a gap, on a logarithmic axis also those that are not positive.

    `style` picks colour and dashes, so that the same thing looks alike in every chart; in a page `.k{style}` is all that
    is drawn of it. A `faint` series lies behind and has no place in the legend. Between `low` and `high`, where given,
    lies a band. `dots` shows every point.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: int = 0
    faint: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign at a point: "spike" is a triangle, "end" a cross, "stuck" a ring. `text` is shown to who points at it."""

    x: float
    y: float
    kind: str
    style: int
    text: str


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    width: int = 460,
    height: int = 300,
    log_x: bool = False,
    x_ticks: Sequence[float] = (),
    log_y: bool = False,
    y_range: tuple[float, float] | None = None,
    marks: Sequence[Mark] = (),
    level: tuple[str, float] | None = None,
    inside: bool = False,
) -> str:
    """Curves over a common axis, as an `<svg>` element.

    `y_range` fixes the vertical axis, low < high, and what leaves it is cut off, `marks` at its edge; without it
    everything finite fits in. `level` is a horizontal line with its name.
    """
    head, top = heading(title, y_label, [] if inside else [one for one in series if not one.faint], width)
    seen = [v for one in series for v in (*one.ys, *one.low, *one.high) if drawable(v, log_y)]
    low, high = y_range or span(seen + ([level[1]] if level and drawable(level[1], log_y) else []), log_y)
    y = Axis(low, high, height - 42, top + 8, log_y)
    labels = [(tick, tick_text(tick, y)) for tick in y.ticks(5)]
    left = 18 + FONT * _GLYPH * max((len(text) for _, text in labels), default=1)
    first, last = span([x for one in series for x in one.xs if drawable(x, log_x)], log_x, pad=0.0)
    x = Axis(first, last, left, width - 14, log_x, x_ticks)
    body = [head, *(f'<path class="rule" d="M{left:.1f} {y(v):.1f}H{width - 14}"/>' for v, _ in labels)]
    body += [text_at(left - 6, y(v) + 4, text, "end") for v, text in labels]
    body += bottom(x, height, x_label)
    box = f"{left:.1f} {top} {width - 14 - left + 6:.1f} {height - 34 - top}"
    place = 'x="{}" y="{}" width="{}" height="{}"'.format(*box.split())
    curves = [curve(one, x, y) for one in sorted(series, key=lambda one: not one.faint)]
    body.append(f'<svg {place} viewBox="{box}">{"".join(curves)}</svg>')
    if level and low <= level[1] <= high:
        body.append(f'<path class="level" d="M{left:.1f} {y(level[1]):.1f}H{width - 14}"/>')
        body.append(text_at(width - 28, y(level[1]) - 5, level[0], "end"))
    body += [signed(mark, x, y) for mark in marks if drawable(mark.x, log_x)]
    return svg(width, height, title, "".join(body), inside)


def svg(width: int, height: int, title: str, body: str, inside: bool = False) -> str:
    """The element around a chart; its style names only what is inside."""
    alone = "" if inside else ' xmlns="http://www.w3.org/2000/svg" style="max-width:100%;color-scheme:light dark"'
    return (
        f'<svg{alone} class="preheat-chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{'' if inside else f'<style>{style()}</style>'}{body}</svg>"
    )


def style() -> str:
    """The rules of all charts, for light and dark."""
    chart = ".preheat-chart"
    rules = [
        f"{chart} text{{font:{FONT}px system-ui,sans-serif;fill:#5b6470}}",
        f"{chart} text.title{{font-weight:600;fill:#14181d}}",
        f"{chart} path{{fill:none}}{chart} .rule{{stroke:#e3e6ea}}{chart} .axis,{chart} .level{{stroke:#8a94a0}}",
        f"{chart} .level{{stroke-dasharray:1 4;stroke-width:2}}{chart} path.band{{stroke:none;opacity:.18}}",
        f"{chart} .line{{stroke-width:2;stroke-linejoin:round}}{chart} .faint{{stroke-width:1;opacity:.3}}",
        f"{chart} .bar{{stroke-width:9;opacity:.35}}{chart} circle{{stroke:none}}",
    ]
    dark = [f"{chart} text{{fill:#a7b0ba}}{chart} text.title{{fill:#eef1f4}}"]
    dark.append(f"{chart} .rule{{stroke:#2c333b}}{chart} .axis,{chart} .level{{stroke:#6b7580}}")
    for colours, into in ((_LIGHT, rules), (_DARK, dark)):
        for index, colour in enumerate(colours):
            into.append(f"{chart} .s{index}{{stroke:{colour}}}{chart} :is(circle,.band).s{index}{{fill:{colour}}}")
    return "".join(rules) + "@media(prefers-color-scheme:dark){" + "".join(dark) + "}"


def heading(title: str, y_label: str, named: Sequence[Series], width: int) -> tuple[str, int]:
    """Title, legend and the name of the vertical axis; and where they end."""
    parts, x, y = [text_at(12, 18, title, "start", "title")], 12.0, 40
    for one in named if len(named) > 1 else ():
        name = shortened(one.name, 32)
        need = 30 + FONT * _GLYPH * len(name) + 16
        if x + need > width and x > 12:
            x, y = 12.0, y + 20
        parts.append(f'<path class="line {look(one.style)}" {dashed(one.style)}d="M{x:.1f} {y - 4}h24"/>')
        parts.append(text_at(x + 30, y, name, "start"))
        x += need
    y = y + 22 if len(named) > 1 else y
    parts.append(text_at(12, y, y_label, "start"))
    return "".join(parts), y + 6


def bottom(x: Axis, height: int, label: str) -> list[str]:
    """The horizontal axis: line, ticks and name; a tick's number is left out where it would touch the one before."""
    y, free = height - 42, -math.inf
    parts = [f'<path class="axis" d="M{x.start:.1f} {y}H{x.end:.1f}"/>']
    for tick in x.ticks(6):
        text, last = tick_text(tick, x), x(tick) > x.end - 8
        half = FONT * _GLYPH * len(text) / 2
        parts.append(f'<path class="axis" d="M{x(tick):.1f} {y}v4"/>')
        if x(tick) - half * (1 + last) > free:
            parts.append(text_at(x(tick), y + 18, text, "end" if last else "middle"))
            free = x(tick) + half + 4
    return [*parts, text_at((x.start + x.end) / 2, height - 6, label, "middle")]


def curve(one: Series, x: Axis, y: Axis) -> str:
    """The paths of a series, with a gap where there is nothing to draw."""
    places = [
        (x(a), pixel(y, b)) if drawable(a, x.log) and drawable(b, y.log) else None
        for a, b in zip(one.xs, one.ys, strict=True)
    ]
    kind = "faint" if one.faint else "line"
    path = strokes(places)
    parts = (
        [f'<path class="{kind} {look(one.style)}" {"" if one.faint else dashed(one.style)}d="{path}"/>'] if path else []
    )
    if one.low:
        parts.insert(0, band(one, x, y))
    if one.dots:
        parts += [
            f'<circle class="{look(one.style)}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in filter(None, places)
        ]
    return "".join(parts)


def strokes(places: Sequence[tuple[float, float] | None]) -> str:
    """A path through places, lifted where there is none."""
    pen, parts = "M", []
    for place in places:
        if place:
            parts.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
        pen = "L" if place else "M"
    return "".join(parts)


def band(one: Series, x: Axis, y: Axis) -> str:
    """The area between `low` and `high`, in as many pieces as there are gaps."""
    pieces: list[list[tuple[float, float, float]]] = [[]]
    for a, low, high in zip(one.xs, one.low, one.high, strict=True):
        if drawable(a, x.log) and drawable(low, y.log) and drawable(high, y.log):
            pieces[-1].append((x(a), pixel(y, low), pixel(y, high)))
        elif pieces[-1]:
            pieces.append([])
    outlines = [[(a, top) for a, _, top in piece] + [(a, low) for a, low, _ in reversed(piece)] for piece in pieces]
    path = "".join(f"{strokes(outline)}Z" for outline in outlines if outline)
    return f'<path class="band {look(one.style)}" d="{path}"/>' if path else ""


def pixel(y: Axis, value: float) -> float:
    """The place of a value; a renderer's numbers end sooner than ours."""
    return min(1e5, max(-1e5, y(value)))


def signed(mark: Mark, x: Axis, y: Axis) -> str:
    """A mark's sign, at the edge where its value is beyond it or not finite."""
    down = min(y.start - 5, max(y.end + 1, pixel(y, mark.y) if drawable(mark.y, y.log) else y.end))
    place = f"M{x(mark.x):.1f} {down:.1f}{SIGNS[mark.kind]}"
    return f'<path class="line {look(mark.style)}" d="{place}"><title>{escape(mark.text)}</title></path>'


def look(style: int) -> str:
    """The classes of a style: its colour, and the key by which a page may hide it."""
    return f"{hue(style)} k{style}"


def hue(style: int) -> str:
    """The class of a style's colour."""
    return f"s{style % _COLOURS}"


def dashed(style: int) -> str:
    """The dashes of a style, so that colour is not all that tells curves apart."""
    dash = _DASHES[style % len(_DASHES)]
    return f'stroke-dasharray="{dash}" ' if dash else ""


def swatch(style: int) -> str:
    """A piece of the curve, for the legend of a page."""
    line = f'<path class="line {hue(style)}" {dashed(style)}d="M0 5h26"/>'
    return f'<svg class="preheat-chart swatch" viewBox="0 0 26 10" aria-hidden="true">{line}</svg>'


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_at(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    """A line of text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
