"""`preheat show`: a schedule as a curve, its phases, and its values where something happens."""

import math
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

import preheat
from preheat.cli.columns import columns
from preheat.cli.pictures import Picture, saved
from preheat.cli.presets import in_a_line
from preheat.cli.resolved import Resolved, RunOptions, resolve
from preheat.core.checks import Number
from preheat.core.errors import PreheatError, shown
from preheat.core.nodes.leaves import Leaf
from preheat.core.nodes.sequence import Sequence as InTurn
from preheat.core.sampling import Phase, edges, highest, phases, sampled
from preheat.core.stated import plain
from preheat.plots.phases import ends, extent
from preheat.plots.terminal import Terminal, braille, number

if TYPE_CHECKING:
    from preheat.plots.panel import Curves

POINTS = 4000  # values looked at for a curve: some 25 to a dot of a wide terminal
LISTED, AROUND = 12, 6  # phases that are listed, and edges whose values are, before the list is cut
LONGEST_EXTENT = 32  # characters of "first … last" that leave room for the parts in a terminal of 80
LONGEST_TEXT = 1500


class _Curve(NamedTuple):
    """What is drawn: values, the updates that have them, and whether the axis is logarithmic."""

    at: Sequence[int]
    values: Sequence[float]
    log: bool


def show(
    spec: str | None = None,
    /,
    *,
    preset: str | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    line: str | None = None,
    log: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    png: Picture = None,
    svg: Picture = None,
) -> None:
    """Draw a schedule, with its phases and its values where something happens.

    Try:

        preheat show "ramp(0.01, 0.1, 1000) >> hold(0.1)" --total 3000
        preheat show "warmup(5%) >> decay(shape=cosine)" --total 10k --peak 3e-4
        preheat show "warmup(3 epochs) >> decay()" --total "90 epochs" \\
            --steps-per-epoch 5005
        preheat show "warmup(4000) >> invsqrt(4000)" --svg noam.svg
        preheat show --preset pythia_1.4b --total 143k

    a >> b is a and then b; a * b is their product, a + b their sum. The words, and what they do:

        ramp(0.01, 0.1, 1000)      from 0.01 to 0.1 in 1000 updates
        hold(0.1, 20%)             constant; without a length, for the rest
        warmup(500)                from 0 to 1, the peak
        decay(20%, to=0.1)         from 1 to 0.1; without a length, for the rest
        steps([1, 0.1], [30, 60])  a staircase: values and lengths
        invsqrt(tau)  saturating(tau)  rectified(beta2)  table([0.1, 0.2])
        lower(a, b)  upper(a, b)   the lesser, the greater at every update
        .scaled(k)  .clipped(low, high)  .repeated(n)  .shifted(n)
        .stepwise(1 epoch)         for each epoch the value at its beginning

    ramp, warmup and decay take shape=linear, cosine, sqrt, square, smooth,
    mirror-cosine, rex, log, exponential, power(p), reverse(...) or
    compose(outer, inner).
    Whole schedules by their usual names are words too, such as
    cosine(warmup_ratio=0.05, min_lr_ratio=0.1), wsd(), noam(512) and one_cycle().
    absolute(s) says that the values are the rates themselves, and a plan is JSON:
    {"lr": "warmup(5%) >> decay()", "weight_decay": "absolute(hold(0.1))"}

    Parameters
    ----------
    spec
        The schedule, in quotes, or a plan as JSON. A length is a number of updates, 5%, 2 epochs, 1.5B tokens or rest.
    preset
        A published run by its name, instead of a schedule; preheat presets lists them.
    peak
        The rate at the peak, where the schedule is factors: it multiplies every value. 1 by default, with --preset what
        was published.
    line
        Which line of a plan, such as weight_decay or head/lr; the learning rate's by default.
    log
        A logarithmic axis.
    png
        Also write the curve to this file, as PNG; needs matplotlib.
    svg
        Also write the curve to this file, as SVG.
    """
    resolved = resolve(spec, preset, run, peak, line)
    found = edges(resolved.curve, resolved.total)
    at = sampled(resolved.total, found, POINTS)
    value = cache(resolved.values.function)
    values = [value(t) for t in at]
    if log and max(values) <= 0:
        raise PreheatError("--log needs a value above 0, and this schedule has none")
    curve = _Curve(at, values, log)
    wrote = saved(_panel(resolved, curve), png=png, svg=svg) if png or svg else []
    terminal = Terminal.of(sys.stdout)
    width = terminal.width if terminal.unicode else terminal.width - 1
    drawn = braille(values, at=at, width=width, height=12, x_label=resolved.tick, log_y=log, terminal=terminal)
    tables = [_phases(resolved, terminal), _notable(resolved, found, highest(value, at), terminal)]
    heading = [*_heading(resolved, terminal), *([] if preset is None else [in_a_line(preheat.presets[preset])])]
    print("\n\n".join([terminal.text("\n".join(heading)), drawn, *map("\n".join, tables)]))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")


def _heading(resolved: Resolved, terminal: Terminal) -> list[str]:
    """The canonical text, and the run that it is bound to, with the bound text where that differs."""
    given = resolved.run.total
    length = given if given is not None else resolved.bound.length if resolved.known else resolved.total
    ticks = f"{number(length)} {resolved.tick}{'s' * (length != 1)}"
    if given is not None:
        where = f"on {ticks}"
    elif resolved.known:
        where = f"without --total, its own length: {ticks}"
    else:
        where = f"without --total it never ends: the first {ticks}"
    if resolved.bound != resolved.written:
        where += f": {shown(resolved.bound, LONGEST_TEXT)}"
    peak = [f"times the peak, {resolved.peak:g}"] if resolved.peak != 1 else []
    plan_line = [resolved.line] if resolved.line else []
    return [terminal.styled(shown(resolved.written, LONGEST_TEXT), "1"), *plan_line, where, *peak, *_lost(resolved)]


def _lost(resolved: Resolved) -> list[str]:
    """A line for each part that is too short to be one tick of this run, and so is not there."""
    written = plain(resolved.written)
    parts = written.parts if isinstance(written, InTurn) else ()
    lost = [part for part in parts if isinstance(part, Leaf) and 0 < part.span.exact(resolved.run) < 0.5]
    return [
        f"{part!r} is less than half a{'n' * (resolved.tick[0] in 'aeiou')} {resolved.tick} of this run: none"
        for part in lost
    ]


def _phases(resolved: Resolved, terminal: Terminal) -> list[str]:
    """One line per part of the schedule."""
    found = [phase for phase in phases(resolved.curve) if phase.start < resolved.total]
    rows = [(*extent(one), ends(one, resolved.total, resolved.peak), repr(one.part)) for one in found[:LISTED]]
    if resolved.known and found[-1].end <= resolved.total - 1:
        rest = Phase(math.ceil(found[-1].end), resolved.total, resolved.curve)
        rows.append((*extent(rest), f"{resolved.values(resolved.total):.6g}", "(over: keeps its last value)"))
    head = f"{resolved.tick}s"
    if max(len(row[0]) for row in rows) > LONGEST_EXTENT:
        head, rows = f"from {resolved.tick}", [(row[0].partition(" …")[0], *row[1:]) for row in rows]
    lines = columns([(head, "length", "value", "part"), *rows], "<><<", terminal)
    return [*lines, *_cut(len(found) - LISTED, "phases")]


def _notable(resolved: Resolved, found: list[Number], peak: int, terminal: Terminal) -> list[str]:
    """The values at the first updates, around every edge, at the peak, and at the end."""
    total = resolved.total
    begins = {math.ceil(phase.start): phase.part for phase in phases(resolved.curve) if 0 < phase.start < total}
    remarks: dict[int, list[str]] = {0: ["first"], 1: []}
    inner = [edge for edge in map(math.ceil, found) if edge not in begins and edge < total]
    listed = [*begins, *inner][:AROUND]
    for near in (edge + offset for edge in listed for offset in (-1, 0, 1)):
        remarks.setdefault(near, [])
    remarks.setdefault(peak, []).append("highest")
    for edge in listed:
        remarks[edge].append(f"begins: {begins[edge]!r}" if edge in begins else "edge")
    ends = {total - 1: "last", total: "after the run"} if resolved.known else {total: "goes on"}
    for update, remark in ends.items():
        remarks.setdefault(update, []).append(remark)
    rows = [(number(t), f"{resolved.values(t):.6g}", ", ".join(remarks[t])) for t in sorted(remarks) if t <= total]
    lines = columns([(resolved.tick, "value", ""), *rows], "><<", terminal)
    return [*lines, *_cut(len(begins) + len(inner) - AROUND, "edges; preheat table prints every value")]


def _cut(more: int, what: str) -> list[str]:
    return [f"and {more:,} more {what}"] if more > 0 else []


def _panel(resolved: Resolved, curve: _Curve) -> "Curves":
    """The picture of a file."""
    from preheat.plots.panel import Curves, Series  # only a picture needs them

    title, series = repr(resolved.written), [Series("value", curve.at, curve.values)]
    return Curves(title=title, series=series, x_label=resolved.tick, y_label="value", log_y=curve.log)
