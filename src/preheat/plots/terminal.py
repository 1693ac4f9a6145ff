"""Curves as text: braille dots where the terminal shows them, plain ASCII where it does not. Standard library only."""

import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TextIO

from preheat.plots.axis import Axis

# the dots of a braille cell, by column and row
_DOTS = {(0, 0): 1, (0, 1): 2, (0, 2): 4, (1, 0): 8, (1, 1): 16, (1, 2): 32, (0, 3): 64, (1, 3): 128}
_GAP, _STEEP = 3, 4  # dots of a dash, and dots above one another that make a line steep
_NEEDED = "⣿│┤└─┴→…×"
_PLAIN = str.maketrans(
    {"│": "|", "┤": "+", "└": "+", "─": "-", "┴": "+", "→": "->", "…": "...", "×": "x", "−": "-", "–": "-"}
)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a stream can show: columns of text, braille and arrows or only ASCII, colours or none."""

    width: int = 80
    unicode: bool = True
    colour: bool = False

    @classmethod
    def of(cls, stream: TextIO) -> "Terminal":
        """What `stream` can show. NO_COLOR and TERM=dumb leave colours out; TERM=linux, the console, has no braille."""
        term = os.environ.get("TERM", "")
        colour = stream.isatty() and term != "dumb" and not os.environ.get("NO_COLOR")
        width = min(120, max(40, shutil.get_terminal_size().columns))
        return cls(width, term != "linux" and _encodes(stream.encoding), colour)

    def text(self, text: str) -> str:
        """`text` in the characters that it can show."""
        return text if self.unicode else text.translate(_PLAIN)

    def styled(self, text: str, code: str) -> str:
        """`text` in bold ("1"), dim ("2") or a colour, where there are colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def braille(
    values: Sequence[float],
    *,
    at: Sequence[int] | None = None,
    width: int = 72,
    height: int = 12,
    x_label: str = "update",
    log_y: bool = False,
    terminal: Terminal = Terminal(),
    beside: Sequence[float] = (),
) -> str:
    """A curve through `values`, as lines of text with both axes, `width` columns in all and `height` rows of dots.

    at: where the values are, ascending; 0, 1, 2 … by default. log_y: a logarithmic axis; what is not above 0 leaves a
    gap, as does what is not finite. Nothing to draw gives an empty frame. In ASCII a column shows one star per row.
    beside: the values of a second curve at the same places, broken, in another colour, and of o in ASCII.
    """
    at = range(len(values)) if at is None else at
    drawn, other = (
        [v if math.isfinite(v) and (v > 0 or not log_y) else None for v in each] for each in (values, beside)
    )
    y = _vertical([v for v in (*drawn, *other) if v is not None], log_y)
    labels = _labels(y, height)
    margin = max(map(len, labels.values()), default=0)
    columns = max(8, width - margin - 3)
    wide, tall = (2, 4) if terminal.unicode else (1, 1)
    size = columns * wide, height * tall
    dots = _dots(_placed(at, drawn, y, *size))
    broken = _broken(_dots(_placed(at[: len(other)], other, y, *size)), *size, _GAP if terminal.unicode else 1) - dots
    lines = []
    for row in range(height):
        cells = [_signs(dots, broken, column, row, terminal) for column in range(columns)]
        axis = f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'} "
        lines.append(axis + _coloured(cells, terminal))
    lines += _bottom(at, margin, columns, x_label)
    return terminal.text("\n".join(line.rstrip() for line in lines))


def number(value: float) -> str:
    """A number of ticks, with thousands marked."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.6g}"


def _encodes(encoding: str | None) -> bool:
    try:
        _NEEDED.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def _vertical(values: Sequence[float], log: bool) -> Axis:
    """The vertical axis as shares of the height: from 0 where 0 is near, or where there is only one value."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if log:
        return Axis(low, high, log=True) if low < high else Axis((low or 1.0) / 2, (high or 1.0) * 2, log=True)
    if low == high or 0 <= low < 0.3 * high:
        low, high = min(0.0, low), max(0.0, high)
    return Axis(low, high) if low < high else Axis(0.0, 1.0)


def _labels(y: Axis, height: int) -> dict[int, str]:
    """The text at each row that has one, with as many digits as tell them apart."""
    ticks = y.ticks(max(2, min(5, height // 2)))
    size = max(map(abs, ticks))
    step = min(b / size - a / size for a, b in pairwise(ticks))
    digits = 4 if y.log else min(17, max(6, 2 - math.floor(math.log10(step))))
    rows = {round((1 - y(tick)) * (height - 1)): tick for tick in ticks}
    return {row: "0" if abs(tick / size) < 1e-9 * step else f"{tick:.{digits}g}" for row, tick in rows.items()}


def _placed(
    at: Sequence[int], drawn: Sequence[float | None], y: Axis, columns: int, rows: int
) -> Iterator[tuple[int, int] | None]:
    """The dot of each value, None for a gap."""
    first, extent = (at[0], at[-1] - at[0]) if len(at) else (0, 0)
    for x, value in zip(at, drawn, strict=True):
        if value is None:
            yield None
        else:
            across = (x - first) / extent if extent else 0
            yield round(across * (columns - 1)), round((1 - y(value)) * (rows - 1))


def _dots(places: Iterator[tuple[int, int] | None]) -> set[tuple[int, int]]:
    """All dots (column, row) of the lines from place to place."""
    dots, last = set[tuple[int, int]](), None
    for place in places:
        if place is not None and place != last:
            (a, b), (c, d) = last or place, place
            length = max(abs(c - a), abs(d - b), 1)
            dots |= {(round(a + (c - a) * k / length), round(b + (d - b) * k / length)) for k in range(length + 1)}
        last = place
    return dots


def _broken(dots: set[tuple[int, int]], columns: int, rows: int, gap: int) -> set[tuple[int, int]]:
    """A line of dashes: along the way that it runs in, every second stretch of `gap` dots is left out."""
    if gap == 1:
        return dots
    tall = {x for x in range(columns) if sum((x, y) in dots for y in range(rows)) > _STEEP}
    return {(x, y) for x, y in dots if ((y if x in tall else x) // gap) % 2 == 0}


def _signs(
    dots: set[tuple[int, int]], broken: set[tuple[int, int]], column: int, row: int, terminal: Terminal
) -> tuple[str, bool]:
    """What stands in one cell, and whether that is of the second curve only."""
    if terminal.unicode:
        first, both = _cell(dots, column, row), _cell(dots | broken, column, row) if broken else " "
        return (both, first == " ") if broken else (first, False)
    own = (column, row) in dots
    return ("*" if own else "o" if (column, row) in broken else " "), not own


def _coloured(cells: Sequence[tuple[str, bool]], terminal: Terminal) -> str:
    """A row of cells, those of the second curve in a colour of their own."""
    end = max((i + 1 for i, (sign, _) in enumerate(cells) if sign != " "), default=0)
    runs = groupby(cells[:end], key=lambda cell: cell[0] != " " and cell[1])
    return "".join(terminal.styled("".join(sign for sign, _ in run), "36" if other else "33") for other, run in runs)


def _cell(dots: set[tuple[int, int]], column: int, row: int) -> str:
    """The braille character of one cell of 2 × 4 dots."""
    bits = sum(bit for (x, y), bit in _DOTS.items() if (2 * column + x, 4 * row + y) in dots)
    return chr(0x2800 + bits) if bits else " "


def _bottom(at: Sequence[int], margin: int, columns: int, x_label: str) -> list[str]:
    """The horizontal axis: a line, and the first, middle and last place under it."""
    if not len(at) or at[0] == at[-1]:
        return [f"{'':>{margin}} └─{'─' * columns}", f"{'':>{margin}}   {number(at[0]) if len(at) else ''}"]
    left, right, middle = number(at[0]), f"{x_label} {number(at[-1])}", (at[0] + at[-1] + 1) // 2
    place = round((middle - at[0]) / (at[-1] - at[0]) * (columns - 1))
    start = place - len(number(middle)) // 2
    if len(left) + len(right) >= columns:
        right = "" if len(left) + len(number(at[-1])) >= columns else number(at[-1])
    if len(left) + 2 > start or start + len(number(middle)) + 2 > columns - len(right):
        return [f"{'':>{margin}} └─{'─' * columns}", f"{'':>{margin}}   {left}{right:>{columns - len(left)}}"]
    text = f"{left:<{start}}{number(middle)}"
    rule = "─" * place + "┴" + "─" * (columns - place - 1)
    return [f"{'':>{margin}} └─{rule}", f"{'':>{margin}}   {text}{right:>{columns - len(text)}}"]
