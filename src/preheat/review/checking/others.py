"""What a check finds of factors whose peak is not 1, and of the lines of a plan that are no rates."""

from __future__ import annotations

from collections.abc import Iterator

from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import Line, Plan
from preheat.core.ranges import BELOW_ONE
from preheat.core.spans import Run
from preheat.review.checking.look import SHORTEN, Look


def unclear(plan: Plan) -> Iterator[Finding]:
    """A line that may be meant as factors or as the values themselves, which a Scheduler refuses."""
    for line in plan.lines:
        try:
            refuse_unclear(Plan({line.key: line.target}), lambda _: None)
        except PreheatError as error:
            yield Finding("unclear-peak", line.key, error.reason, error.write)


def others(plan: Plan, run: Run, foreign: bool) -> Iterator[Finding]:
    """Lines that are no rates: whether the run has room for their parts, and whether the hyper-parameter can be so.

    foreign: whether another library runs it, which cuts what a Scheduler refuses.
    """
    for line in plan.lines:
        if line.is_rate:
            continue
        look = Look(line, run)
        if not look.fits and not foreign:
            yield Finding("does-not-fit", line.key, look.excess, SHORTEN)
        yield from _out_of_range(line, look)


def _out_of_range(line: Line, look: Look) -> Iterator[Finding]:
    low, high = min(look.values), max(look.values)
    place = f"{line.key}, {look.word} "
    if low < 0:
        what = f"{_called(line)} {low:.6g}: it is at least 0"
        yield Finding("out-of-range", f"{place}{look.at[look.values.index(low)]:,}", what, "write values of 0 or above")
    if high >= 1 and line.is_absolute and line.hyper in BELOW_ONE:
        what = f"{_called(line)} {high:.6g}: it is below 1"
        yield Finding("out-of-range", f"{place}{look.at[look.values.index(high)]:,}", what, "write values below 1")


def _called(line: Line) -> str:
    return f"a {line.hyper} of" if line.is_absolute else f"a {line.hyper} that is multiplied by"
