"""What a picture shows, decided once: values, limits, marks, colours, words. `svg` and `mpl` only draw it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from preheat.plots.axis import drawable, limits

LIGHT = ("#d1590a", "#0b63b5", "#0a7d5c", "#a3379b", "#8a6a00", "#55606e")
DARK = ("#ff9a4d", "#6cb2ff", "#3fd0a4", "#e58add", "#e2c044", "#a5b0be")
# dash and gap in widths of the line, so that colour is not all that tells curves apart
DASHES = ((), (3.5, 1.5), (1.0, 1.5), (4.5, 1.5, 1.0, 1.5))
# from better to worse: blue to yellow in even steps of lightness, which colour-blind readers and grey prints keep
SCALE = ("#12366a", "#2e4d74", "#49637c", "#657a83", "#829089", "#a0a78e", "#bfbe91", "#ded594", "#ffec95")
INK = ("#fff", "#fff", "#fff", *("#000",) * 6)  # what is read on each of them
SHAPES = {"spike": "△", "nonfinite": "✕", "at chance": "○"}  # the kinds of mark
ROWS = 12  # of a table of numbers: what one can read, not all that was drawn


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
    """A sign at a point, its shape by `kind`, one of SHAPES. `text` is shown to who points at it."""

    x: float
    y: float
    kind: str
    style: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What every picture has. `caption` stands below it on a page, the shorter `note` in a file."""

    title: str
    x_label: str = ""
    y_label: str = ""
    caption: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves(Panel):
    """Curves over a common axis. `y_range` fixes the vertical axis, low < high, and what leaves it is cut off, `marks` at
    its edge; without it everything finite fits in. `level` is a horizontal line with its name.
    """

    series: Sequence[Series]
    log_x: bool = False
    x_ticks: Sequence[float] = ()
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    marks: Sequence[Mark] = ()
    level: tuple[str, float] | None = None

    @property
    def named(self) -> list[Series]:
        """The curves of the legend."""
        return [one for one in self.series if not one.faint]

    @property
    def x_limits(self) -> tuple[float, float]:
        """The ends of the horizontal axis."""
        return limits([x for one in self.series for x in one.xs if drawable(x, self.log_x)], self.log_x, pad=0.0)

    @property
    def y_limits(self) -> tuple[float, float]:
        """The ends of the vertical axis."""
        if self.y_range:
            return self.y_range
        seen = [v for one in self.series for v in (*one.ys, *one.low, *one.high)]
        seen += [self.level[1]] if self.level else []
        return limits([v for v in seen if drawable(v, self.log_y)], self.log_y)

    def drawn(self, values: Sequence[float]) -> list[float]:
        """The values as they can be drawn: NaN for those without a place."""
        return [value if drawable(value, self.log_y) else math.nan for value in values]

    def mark_height(self, mark: Mark) -> float:
        """Where a mark is drawn: near the edge where its value is beyond it, the upper one where it is not finite."""
        low, high = self.y_limits
        air = 0.0 if self.log_y else 0.03 * (high - low)
        return min(high - air, max(low + air, mark.y)) if drawable(mark.y, self.log_y) else high - air

    @property
    def numbers(self) -> list[tuple[str, ...]]:
        """Some points of the curves as a table, its first row the names of the columns."""
        named = self.named
        xs = named[0].xs if named else ()
        places = thinned(range(len(xs)), max(ROWS, len(self.x_ticks)))
        rows = [(f"{xs[place]:g}", *(short(one.ys[place]) for one in named)) for place in places]
        return [(self.x_label.partition(",")[0], *(one.name for one in named)), *rows]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, the ends of its interval where it has one, and the single values behind it."""

    name: str
    mean: float
    low: float | None
    high: float | None
    points: Sequence[float] = ()
    style: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals(Panel):
    """A row per interval around a line at 0: a bar for the interval, a tick for the mean, a dot for every value."""

    rows: Sequence[Interval]
    numbers: Sequence[tuple[str, ...]] = ()

    @property
    def x_limits(self) -> tuple[float, float]:
        """The ends of the axis, 0 within."""
        values = [v for row in self.rows for v in (row.mean, row.low, row.high, *row.points) if v is not None]
        return limits([0.0, *values], False, pad=0.06, zero=False)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A value with its colour, a place on SCALE, or None for one that is hatched; `edge`: a bar stands to its right."""

    text: str
    colour: int | None
    notes: Sequence[str] = ()
    best: bool = False
    edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap(Panel):
    """Named rows of cells under the names of the columns; `ends` are the values of the first and last colour, as text."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]
    ends: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalValues(Panel):
    """A row of values per name, in the style of its place; a line joins those at the same position, NaN is a gap."""

    rows: Sequence[tuple[str, Sequence[float]]]


def thinned(values: Sequence[int], most: int) -> list[int]:
    """At most so many of the values, evenly from the first to the last."""
    if len(values) <= most:
        return list(values)
    return [values[round(k * (len(values) - 1) / (most - 1))] for k in range(most)]


def short(value: float | None) -> str:
    """A number of a table."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}".replace("-", "−")


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, in the middle: names often differ at their ends only.

    >>> shortened("a rather long name 7", 12)
    'a rath…ame 7'
    """
    end = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"
