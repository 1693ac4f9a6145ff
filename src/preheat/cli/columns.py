"""Rows of text in aligned columns, as wide as the terminal."""

import textwrap
from collections.abc import Sequence

from preheat.plots.terminal import Terminal

_FEW, _IN = 24, 4  # letters of names for which there has to be room beside their rows, or they stand below, indented


def columns(rows: list[tuple[str, ...]], align: str, terminal: Terminal) -> list[str]:
    """One line for each row, the first of them the header; the last column is cut to the terminal.

    align: "<" or ">" for each column.
    """
    rows, widths = _measured(rows, terminal)
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(align, widths, strict=True))
    lines = [terminal.text(_cut(form.format(*row).rstrip(), terminal.width - 2)) for row in rows]
    return [terminal.styled(lines[0], "2"), *lines[1:]]


def whole_columns(rows: list[tuple[str, ...]], align: str, terminal: Terminal) -> list[str]:
    """The same with nothing cut: columns for which there is no room stand in a block below, the first column beside them again,
    and names, which are a last column that is aligned to the left, are wrapped or stand below their rows.
    """
    rows, widths = _measured(rows, terminal)
    room, names = terminal.width - 2, align[-1] == "<"
    blocks = _blocks(widths[:-1] if names else widths, room)
    lines = list[str]()
    for block in blocks:
        form = "  ".join(f"{{:{align[place]}{widths[place]}}}" for place in block)
        start = sum(widths[place] + 2 for place in block)
        shown = list[str]()
        for row in rows:
            line = form.format(*(row[place] for place in block))
            named = names and block is blocks[-1]
            shown += _named(line, row[-1], start, room, min(widths[-1], _FEW)) if named else [line.rstrip()]
        lines += [*([""] if lines else []), terminal.styled(shown[0], "2"), *shown[1:]]
    return lines


def _measured(rows: list[tuple[str, ...]], terminal: Terminal) -> tuple[list[tuple[str, ...]], list[int]]:
    """The rows in characters that can be shown, and how wide each column is."""
    rows = [tuple(map(terminal.text, row)) for row in rows]
    return rows, [max(map(len, column)) for column in zip(*rows, strict=True)]


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """The columns that fit beside one another, the first in every block."""
    blocks = [[0]]
    for place in range(1, len(widths)):
        if len(blocks[-1]) > 1 and sum(widths[k] + 2 for k in blocks[-1]) + widths[place] > room:
            blocks.append([0])
        blocks[-1].append(place)
    return blocks


def _named(line: str, name: str, start: int, room: int, least: int) -> list[str]:
    """A row with its name behind it, in more lines where it is long, or below it where `least` letters have no room."""
    below = start + least > room
    first, *more = textwrap.wrap(name, room - _IN if below else room - start, break_on_hyphens=False) or [""]
    if below:
        return [line.rstrip(), *(" " * _IN + part for part in (first, *more))]
    return [f"{line}  {first}".rstrip(), *(" " * start + part for part in more)]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"
