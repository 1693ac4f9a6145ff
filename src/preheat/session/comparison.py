"""Two bound schedules compared by their values, without computing those that need not be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from preheat.core.checks import MOST_TICKS
from preheat.core.errors import shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp
from preheat.session.pieces import CONSTANT, CURVE, Form, Stretch, common_period, is_smooth, pieces, stretches

ROUNDING = 1e-14  # relative: one curve written in two ways differs by this at most
MOST = 1 << 24  # values computed of a pair of schedules
ENOUGH = 1 << 18  # of them for two smooth curves
_BLOCK = 1 << 16
_SEVERAL: Form = ("several formulas",)
_SPREAD = 1 << 12  # values that tell two smooth curves apart


class Change(NamedTuple):
    """A time, what there is to say of it, and both values in words.

    is_first: whether no earlier update differs; else that is not known.   is_unknown: whether not even this one is known to.
    """

    time: float
    moment: str
    old: str
    new: str
    is_first: bool = True
    is_unknown: bool = False


class Comparison:
    """Two bound schedules, what each is multiplied with, how near values must be to be the same, and when updates come.

    tick: ticks from one update to the next; None where updates may come at any time.
    """

    def __init__(
        self, old: Schedule, new: Schedule, gains: tuple[float, float], tolerance: float, tick: int | None
    ) -> None:
        self.old, self.new, self.gains, self.tolerance, self.tick = old, new, gains, tolerance, tick
        self._left = MOST

    def first(self, position: float, until: float = math.inf) -> Change | None:
        """The first update from `position` to `until` whose value differs.

        Where too many values would have to be computed to know, the change is that this is not known.
        """
        if self.old == self.new and self._are_near(*self.gains):
            return None
        self._left = MOST
        for stretch in self._apart(position):
            if stretch.start > until:
                return None
            if change := self._within(stretch, position, until):
                return change
        return None

    def _apart(self, position: float) -> Iterator[Stretch]:
        """The stretches of time in which formulas differ; short ones that follow one another as one."""
        pending: Stretch | None = None
        longest = _BLOCK * (self.tick or 1)
        for stretch in stretches(pieces(self.old), pieces(self.new), Fraction(position)):
            if self._are_the_same(stretch.old, stretch.new):
                continue
            if pending and pending.end == stretch.start and stretch.end - pending.start <= longest:
                pending = Stretch(pending.start, stretch.end, _SEVERAL, _SEVERAL)
                continue
            if pending:
                yield pending
            pending = stretch
        if pending:
            yield pending

    def _are_near(self, a: float, b: float) -> bool:
        return abs(a - b) <= self.tolerance * max(abs(a), abs(b))

    def _are_the_same(self, old: Form, new: Form) -> bool:
        """Whether two formulas have the same values, as far as their text tells."""
        if old == new:
            return self._are_near(*self.gains)
        a, b = self.gains
        if old[0] == new[0] == CONSTANT:
            return self._are_near(a * old[1], b * new[1])
        ramps = old[0] == new[0] == CURVE and isinstance(old[1], Ramp) and isinstance(new[1], Ramp)
        if not ramps or old[2] != new[2] or (old[1].span, old[1].shape) != (new[1].span, new[1].shape):
            return False
        ends = [(a * old[1].start, b * new[1].start), (a * old[1].end, b * new[1].end)]
        return all(self._are_near(*end) for end in ends) and min(x for end in ends for x in end) >= 0

    def _within(self, stretch: Stretch, position: float, until: float) -> Change | None:
        """The first change among the updates of a stretch of time; every one of them is computed if there is room for it."""
        step = self.tick or 1
        begin = position + step * max(0, math.ceil((stretch.start - Fraction(position)) / step))
        if self.tick is None and begin > stretch.start:
            begin = float(stretch.start)  # updates may come at any time: at its beginning, and every tick from there
        end = min(Fraction(stretch.end), MOST_TICKS) if stretch.end < math.inf else MOST_TICKS
        last = float(end) if until >= end else until
        count = max(
            0, math.ceil((end - Fraction(begin)) / step) if until >= end else math.floor((until - begin) / step) + 1
        )
        cycle = None if stretch.end < math.inf else common_period(stretch.old, stretch.new, Fraction(step))
        if cycle is not None:  # what comes after it has all been seen
            count = min(count, int(cycle / step))
        room = min(count, self._left, ENOUGH if is_smooth(stretch.old) and is_smooth(stretch.new) else MOST)
        self._left -= room
        change = self.among(begin, step, room)
        return change if change or room == count else self._far(stretch, begin + step * room, last, step)

    def among(self, begin: float, step: int, count: int) -> Change | None:
        """The first of `count` updates from `begin` whose value differs."""
        import numpy

        for block in range(0, count, _BLOCK):
            times = begin + step * (numpy.arange(min(_BLOCK, count - block)) + block)
            if (i := self._first_of(times)) is not None:
                return self._change(times[i], "the first update to differ is")
        return None

    def _far(self, stretch: Stretch, begin: float, last: float, step: int) -> Change | None:
        """What is known where more updates are left than are computed: two smooth curves agree at many times or differ."""
        import numpy

        spread = numpy.linspace(0, 1, _SPREAD)
        times = begin + numpy.floor((last - begin) * (spread**8 if stretch.end == math.inf else spread) / step) * step
        if (i := self._first_of(times)) is not None:
            return self._change(times[i], "they have come apart by update")._replace(is_first=False)
        if is_smooth(stretch.old) and is_smooth(stretch.new):
            return None
        what = f"whether they differ from {begin:.17g} on would take more than {MOST:,} values to know"
        return Change(begin, what, shown(self.old, 300), shown(self.new, 300), False, True)

    def _first_of(self, times: Any) -> int | None:
        """The number of the first of rising times at which the values differ."""
        import numpy

        old, new = self._values(times)
        with numpy.errstate(over="ignore"):  # two that are farther apart than a float can say are apart
            apart = numpy.abs(old - new) > self.tolerance * numpy.maximum(numpy.abs(old), numpy.abs(new))
        where = numpy.flatnonzero(apart)
        return int(where[0]) if len(where) else None

    def _values(self, times: Any) -> tuple[Any, Any]:
        a, b = self.gains
        return a * self.old.along(times), b * self.new.along(times)

    def _change(self, time: Any, moment: str) -> Change:
        import numpy

        old, new = self._values(numpy.asarray([time]))
        return Change(float(time), f"{moment} {time:.17g}", repr(float(old[0])), repr(float(new[0])))
