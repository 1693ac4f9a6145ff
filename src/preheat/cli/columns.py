"""Rows of text in aligned columns, as wide as the terminal."""

from preheat.plots.terminal import Terminal


def columns(rows: list[tuple[str, ...]], align: str, terminal: Terminal) -> list[str]:
    """One line for each row, the first of them the header; the last column is cut to the terminal.

    align: "<" or ">" for each column.
    """
    rows = [tuple(map(terminal.text, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(align, widths, strict=True))
    lines = [terminal.text(_cut(form.format(*row).rstrip(), terminal.width - 2)) for row in rows]
    return [terminal.styled(lines[0], "2"), *lines[1:]]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"
