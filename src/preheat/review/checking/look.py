"""One line of rates, looked at all over its run: its values, its edges, its warmup, its stated peak."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property

from preheat.core.checks import Number
from preheat.core.errors import BindError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp, Rectified, Saturating, Table
from preheat.core.nodes.pointwise import Pointwise
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled, Shifted, Truncated, Wrapped
from preheat.core.plan import Line
from preheat.core.sampling import Phase, edges, highest, horizon, phases, sampled
from preheat.core.spans import Run

POINTS = 4096  # updates looked at of a longer run, those around its edges aside
NOTICED = 0.02  # of the peak: a difference that is worth a word
NEAR = 0.01  # of the peak: what counts as the peak
SHORTEN = "shorten them, give one of them 'rest', or give a larger total"
_UNIT = {"token": "tokens_per_step", "sample": "samples_per_step"}


class Look:
    """A line of a plan on a run. Times are updates, where the run knows what one is worth, else ticks of its clock.

    line: as written.   curve: bound, cut at the end of the run.   tick: ticks from one update to the next.
    peak: the rate that factor 1 stands for; None where they are none, or it is not known. Values are the line's; a sentence
    tells them in rates where it can (`said`), and calls them what they are (`noun`).
    ends: whether the end of the schedule is that of a run that says none.
    known: whether where it ends is known.   fits: whether the run has room for all parts.   n: updates looked at.
    """

    def __init__(self, line: Line, run: Run, ends: bool = True, peak: float | None = None) -> None:
        self.line, self.run = line, run
        self._worth = 1.0 if line.is_absolute or peak is None else peak
        self.noun = "rate" if line.is_absolute or peak is not None else "factor"
        worth = getattr(run, _UNIT[run.clock]) if run.clock in _UNIT else None
        self.tick: Number = worth or 1
        self.word = "update" if run.clock == "step" or worth else run.clock
        try:
            self.curve, self.fits = line.schedule.bind(run), True
        except BindError as error:
            if error.hint != "truncate":
                raise
            self.curve, self.fits, self.excess = line.schedule.bind(run, truncate=True), False, error.what
        length = run.total if run.total is not None else self.curve.length if ends else math.inf
        self.known = length != math.inf
        self.total: Number = length if self.known else horizon(self.curve)
        self.n = max(1, math.ceil(self.total / self.tick))

    def said(self, value: float) -> str:
        """A value as a sentence tells it: the rate where that is known."""
        return f"{value * self._worth:.6g}"

    def value(self, update: Number) -> float:
        """The value of an update, or between two."""
        return self.curve.function(update * self.tick)

    @cached_property
    def at(self) -> list[int]:
        """The updates looked at: all, or some and those around each edge."""
        around = [edge / self.tick for edge in edges(self.curve, self.total)]
        return sampled(self.n, around, max(POINTS, len(around)))

    @cached_property
    def values(self) -> list[float]:
        """Their values."""
        return [self.value(update) for update in self.at]

    @cached_property
    def top(self) -> int:
        """The first update with the highest value."""
        return highest(self.value, self.at)

    @cached_property
    def high(self) -> float:
        """The highest value, in size: what others are compared with."""
        return max(abs(self.value(self.top)), max(map(abs, self.values)), 1e-300)

    @cached_property
    def inside(self) -> Schedule:
        """The curve before it was cut."""
        return _uncut(self.curve)

    @cached_property
    def phases(self) -> list[Phase]:
        """The parts of the uncut curve, in ticks."""
        return phases(self.inside)

    @cached_property
    def stated_peak(self) -> float | None:
        """The peak that the text states; None where that is not to be told from it."""
        return _stated(self.inside)

    @cached_property
    def warmup(self) -> Number:
        """Updates of the warmup with which it begins, as written; 0 for none."""
        end: Number = 0
        for phase in self.phases:
            if phase.start != phase.end and not _rises(phase.part):
                break
            end = self._near_its_end(phase) if isinstance(_unscaled(phase.part), Saturating | Rectified) else phase.end
        if end or len(self.phases) > 1:
            return end / self.tick
        before = [value for update, value in zip(self.at, self.values, strict=True) if update <= self.top]
        rising = all(a <= b for a, b in itertools.pairwise(before))
        return self.top if rising and before[0] < 0.9 * self.high else 0

    def _near_its_end(self, phase: Phase) -> Number:
        """Where a warmup that comes ever closer to its end is within a hundredth of it."""
        low, high = phase.start, min(phase.end, self.total)
        least = (1 - NEAR) * self.inside(high)
        while high - low > self.tick:
            middle = (low + high) / 2
            low, high = (low, middle) if self.inside(middle) >= least else (middle, high)
        return high

    def seams(self) -> Iterator[tuple[Number, float, float]]:
        """Each edge inside the run, with the values just before it and at it."""
        for edge in edges(self.curve, self.total):
            near = min(1e-6 * self.tick, edge / 2)
            yield edge, self.curve(edge - near), self.curve(edge)

    def has(self, kind: type[Schedule]) -> bool:
        """Whether there is a node of a kind in it."""
        return any(isinstance(node, kind) for node in nodes(self.inside))


def folded(times: float) -> str:
    """How many times as much: whole from a hundred on, so that no exponent is read."""
    return f"{times:,.0f}" if 100 <= times < 1e15 else f"{times:.3g}"


def nodes(schedule: Schedule) -> Iterator[Schedule]:
    """A schedule and all that it is made of."""
    yield schedule
    inner = (
        schedule.parts
        if isinstance(schedule, Sequence)
        else schedule.operands
        if isinstance(schedule, Pointwise)
        else ()
    )
    for child in (schedule.base,) if isinstance(schedule, Wrapped) else inner:
        yield from nodes(child)


def _uncut(node: Schedule) -> Schedule:
    """A schedule before it was cut, also where it was scaled afterwards."""
    if isinstance(node, Scaled):
        base = _uncut(node.base)
        return node if base is node.base else base.scaled(node.factor)
    return _uncut(node.base) if isinstance(node, Truncated) else node


def _unscaled(part: Schedule) -> Schedule:
    while isinstance(part, Scaled) and part.factor > 0:
        part = part.base
    return part


def _rises(part: Schedule) -> bool:
    """Whether a part is a warmup: it goes up, and only up."""
    part = _unscaled(part)
    return (isinstance(part, Ramp) and part.end > part.start) or isinstance(part, Saturating | Rectified)


def _stated(node: Schedule) -> float | None:
    """The greatest value that is written in a schedule; None where several work together at a time."""
    if isinstance(node, Sequence):
        found = [_stated(part) for part in node.parts if part.length]
        return None if None in found or not found else max(found)  # type: ignore[type-var]
    if isinstance(node, Scaled):
        inner = _stated(node.base)
        return None if inner is None or node.factor <= 0 else inner * node.factor
    if isinstance(node, Shifted | Truncated | Repeated):
        return _stated(node.base)
    if isinstance(node, Ramp):
        return max(node.start, node.end)
    if isinstance(node, Hold):
        return node.value
    return max(node.values) if isinstance(node, Table) else None
