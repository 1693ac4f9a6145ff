"""`preheat show`: a schedule as a curve, its phases, and its values where something happens."""

import math
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from preheat.cli.laying import Laid, RunOptions, laid
from preheat.core.checks import Number
from preheat.core.errors import PreheatError
from preheat.plots.panel import Curves, Series, shortened
from preheat.plots.sampling import Phase, edges, highest, phases, sampled
from preheat.plots.svg import svg
from preheat.plots.terminal import Terminal, braille, number

POINTS = 4000  # values looked at for a curve: some 25 to a dot of a wide terminal
LISTED, AROUND = 12, 6  # phases that are listed, and edges whose values are, before the list is cut
LONGEST_TEXT = 1500


def show(
    spec: str,
    /,
    *,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    peak: float = 1.0,
    log: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    png: Path | None = None,
    svg: Path | None = None,
) -> None:
    """Draw a schedule, with its phases and its values where something happens.

    Try:

        preheat show "ramp(0.01, 0.1, 1000) >> hold(0.1)" --total 3000
        preheat show 'warmup("5%") >> decay(shape="cosine")' --total 10k --peak 3e-4
        preheat show 'warmup("3 epochs") >> decay()' --total "90 epochs" \\
            --steps-per-epoch 5005
        preheat show 'warmup(4000) >> invsqrt(4000)' --svg noam.svg

    a >> b is a and then b; a * b is their product. The words, and what they do:

        ramp(0.01, 0.1, 1000)      from 0.01 to 0.1 in 1000 updates
        hold(0.1, "20%")           constant; without a length, for the rest
        warmup(500)                from 0 to 1, the peak
        decay("20%", to=0.1)       from 1 to 0.1; without a length, for the rest
        steps([1, 0.1], [30, 60])  a staircase: values and lengths
        invsqrt(tau)  saturating(tau)  rectified(beta2)  table([0.1, 0.2])
        lower(a, b)  upper(a, b)   the lesser, the greater at every update
        .scaled(k)  .clipped(low, high)  .repeated(n)  .shifted(n)

    ramp, warmup and decay take shape="linear", "cosine", "sqrt", "square",
    "smooth", "mirror-cosine", "log", "exponential", power(p) or reverse(...).
    Whole schedules by their usual names are words too, such as
    cosine(warmup_ratio=0.05, min_lr_ratio=0.1), wsd(), noam(512) and one_cycle().

    Parameters
    ----------
    spec
        The schedule, in quotes. A length is a number of updates, '5%', '2 epochs', '1.5B tokens' or 'rest'.
    peak
        Multiplies every value: the peak rate, where the schedule is written with 1 as its peak.
    log
        A logarithmic axis.
    png
        Also write the curve to this file, as PNG; needs matplotlib.
    svg
        Also write the curve to this file, as SVG.
    """
    it = laid(spec, run, peak)
    found = edges(it.bound, it.total)
    at = sampled(it.total, found, POINTS)
    value = cache(it.values)
    values = [value(t) for t in at]
    if log and max(values) <= 0:
        raise PreheatError("--log needs a value above 0, and this schedule has none")
    curve = Series("value", at, values)
    wrote = [_saved(path, kind, curve, it, log) for path, kind in ((png, "png"), (svg, "svg")) if path]
    terminal = Terminal.of(sys.stdout)
    width = terminal.width if terminal.unicode else terminal.width - 1
    drawn = braille(values, at=at, width=width, height=12, x_label=it.tick, log_y=log, terminal=terminal)
    tables = [_phases(it, terminal), _notable(it, found, highest(value, at), terminal)]
    print("\n\n".join([terminal.text("\n".join(_heading(it, terminal))), drawn, *map("\n".join, tables)]))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")


def _heading(it: Laid, terminal: Terminal) -> list[str]:
    """The canonical text, and what it was laid out on, with the bound text where it differs."""
    length = it.run.total if it.run.total is not None else it.bound.length if it.known else it.total
    ticks = f"{number(length)} {it.tick}{'s' * (length != 1)}"
    if it.run.total is not None:
        where = f"on {ticks}"
    elif it.known:
        where = f"without --total, its own length: {ticks}"
    else:
        where = f"without --total it never ends: the first {ticks}"
    if it.bound != it.written:
        where += f": {shortened(repr(it.bound), LONGEST_TEXT)}"
    peak = [f"times the peak, {it.peak:g}"] if it.peak != 1 else []
    return [terminal.styled(shortened(repr(it.written), LONGEST_TEXT), "1"), where, *peak]


def _phases(it: Laid, terminal: Terminal) -> list[str]:
    """One line per part of the schedule."""
    found = [phase for phase in phases(it.bound) if phase.start < it.total]
    rows = [(*_extent(phase), _ends(phase, it), repr(phase.part)) for phase in found[:LISTED]]
    if it.known and math.ceil(found[-1].end) < it.total:
        rest = Phase(math.ceil(found[-1].end), it.total, it.bound)
        rows.append((*_extent(rest), f"{it.values(it.total):.6g}", "(over: keeps its last value)"))
    lines = _columns([(f"{it.tick}s", "length", "value", "part"), *rows], "<><<", terminal)
    return [*lines, *_cut(len(found) - LISTED, "phases")]


def _extent(phase: Phase) -> tuple[str, str]:
    """Its first and last update, and its length."""
    if phase.end == math.inf:
        return f"{number(math.ceil(phase.start))} …", "no end"
    first, last = math.ceil(phase.start), math.ceil(phase.end) - 1
    ends = f"{number(first)} … {number(last)}" if first < last else number(first) if first == last else "none"
    return ends, number(phase.end - phase.start)


def _ends(phase: Phase, it: Laid) -> str:
    """The value at its start, and at its end, which is the first moment of what follows."""
    endless = phase.part.length == math.inf
    end = it.total - phase.start if endless else phase.part.length
    first, last = (f"{phase.part(t) * it.peak:.6g}" for t in (0, end))
    return first if first == last else f"{first} → {last}{' …' * endless}"


def _notable(it: Laid, found: list[Number], peak: int, terminal: Terminal) -> list[str]:
    """The values at the first updates, around every edge, at the peak, and at the end."""
    begins = {math.ceil(phase.start): phase.part for phase in phases(it.bound) if 0 < phase.start < it.total}
    remarks: dict[int, list[str]] = {0: ["first"], 1: []}
    inner = [edge for edge in map(math.ceil, found) if edge not in begins and edge < it.total]
    shown = [*begins, *inner][:AROUND]
    for near in (edge + offset for edge in shown for offset in (-1, 0, 1)):
        remarks.setdefault(near, [])
    remarks.setdefault(peak, []).append("highest")
    for edge in shown:
        remarks[edge].append(f"begins: {begins[edge]!r}" if edge in begins else "edge")
    for update, remark in (
        {it.total - 1: "last", it.total: "after the run"}.items() if it.known else [(it.total, "goes on")]
    ):
        remarks.setdefault(update, []).append(remark)
    rows = [(number(t), f"{it.values(t):.6g}", ", ".join(remarks[t])) for t in sorted(remarks) if t <= it.total]
    lines = _columns([(it.tick, "value", ""), *rows], "><<", terminal)
    return [*lines, *_cut(len(begins) + len(inner) - AROUND, "edges; preheat table prints every value")]


def _columns(rows: list[tuple[str, ...]], align: str, terminal: Terminal) -> list[str]:
    """Rows of text under their first, the header; the last column cut to the terminal."""
    rows = [tuple(map(terminal.text, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(align, widths, strict=True))
    lines = [terminal.text(shortened(form.format(*row).rstrip(), terminal.width - 2)) for row in rows]
    return [terminal.styled(lines[0], "2"), *lines[1:]]


def _cut(more: int, what: str) -> list[str]:
    return [f"and {more:,} more {what}"] if more > 0 else []


def _saved(path: Path, kind: str, curve: Series, it: Laid, log: bool) -> Path:
    """Write the picture and return where it is."""
    title = repr(it.written)
    panel = Curves(title=title, series=[curve], x_label=it.tick, y_label="value", log_y=log)
    if kind == "png":
        from preheat.plots.mpl import png

        content = png(panel)
    else:
        content = svg(replace(panel, title=shortened(title, 90)), width=720, height=400).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PreheatError(f"cannot write {path}: {error.strerror}") from None
    return path
