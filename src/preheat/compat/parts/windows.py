"""Schedulers that act in windows on the value that they find there, alone, in turn and together, as one curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from preheat.compat.parts.curves import lasting, multiplied
from preheat.core.checks import Number
from preheat.core.constructors import hold, ramp, table
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp

_MOST = 8192  # updates of a table: what several do at once, where none of them is a factor


class Window(NamedTuple):
    """What one scheduler does from update `begin` up to before `end`.

    curve: from its begin on. A factor of the value found; or, with a floor, a share of what that value is above the floor.
    floor: None for a factor.   sets: whether the curve is the value itself.   start: what the value is set to at the begin.
    zero: where a share first is 0; `height` above the floor is what it is a share of from there on.
    every: ticks of a step of its own, in which it stands still.   late: whether it acts after the others, at an epoch's end.
    """

    begin: int
    end: Number
    curve: Schedule
    floor: float | None = None
    sets: bool = False
    start: float | None = None
    zero: Number = math.inf
    height: float = 0.0
    every: int = 1
    late: bool = False

    @property
    def is_factor(self) -> bool:
        """Whether it multiplies."""
        return self.floor is None and not self.sets

    def at(self, tick: int) -> float:
        """The curve's value at an update of the run."""
        steps = (tick - self.begin) // self.every
        return self.curve(steps * self.every)

    def zeros(self, one: bool) -> list[Number]:
        """The updates at which a wave is 0, after which it begins anew; the first where nothing disturbs it."""
        if self.begin + self.zero >= self.end:
            return []
        last = self.begin + self.zero if one or self.end == math.inf else self.end - 1
        return list(range(int(self.begin + self.zero), int(last) + 1, int(2 * self.zero)))

    def alone(self, first: int, value: float) -> Schedule:
        """The values from update `first` on, where nothing else acts and the value before is `value`."""
        passed = first - self.begin
        if self.sets:
            curve = self.curve
        elif self.floor is None:
            before = self.at(first - 1) if passed else 1.0
            curve = _times(self.curve, value / before if before else 0.0)
        else:
            curve = _above(self.curve, self.floor, self._height(first, value))
        stepped = curve if self.every == 1 else curve.stepwise(self.every)
        return stepped.shifted(-passed) if passed else stepped

    def _height(self, first: int, value: float) -> float:
        passed = first - self.begin
        floor = self.floor or 0.0
        if passed == self.zero:
            return self.height
        if self.start is not None and not passed:
            return self.start - floor
        before = self.at(first - 1) if passed else 1.0
        return (value - floor) / before if before else self.height

    def moved(self, tick: int, value: float) -> float:
        """The value after its step at an update, beside others that act there too."""
        if (tick - self.begin) % self.every:
            return value
        if self.sets:
            return self.at(tick)
        before = self.at(tick - self.every) if tick > self.begin else 1.0
        if self.floor is None:
            return value * self.at(tick) / before if before else 0.0
        if self.start is not None and tick == self.begin:
            return self.start
        if not before:
            return value + self.height * self.at(tick)
        return self.floor + (value - self.floor) * self.at(tick) / before


def acting(windows: Sequence[Window], value: float = 1.0) -> Schedule:
    """All of them on one value, in their order at each update; what none moves stays.

    Raises PreheatError where several act at once for so long that only too large a table could say it.
    """
    in_turn = _in_turn(windows)
    if all(window.is_factor for window in windows) and not in_turn:
        return _product(windows, value)
    edges = {
        0,
        *(w.begin for w in windows),
        *(w.end for w in windows),
        *(w.begin + w.zero for w in windows if w.begin + w.zero < w.end),
    }
    times = sorted(edge for edge in edges if edge < math.inf)
    curve: Schedule | None = None
    for first, end in zip(times, (*times[1:], math.inf), strict=True):
        active = [window for window in windows if window.begin <= first < window.end]
        part = _part(active, int(first), end, value)
        if end == math.inf and not active and curve is not None and curve(curve.length) == value:
            return curve  # which keeps its last value
        fixed = part if end == math.inf else lasting(part, end - first)
        curve = fixed if curve is None else curve >> fixed
        value = part(end - 1 - first) if end < math.inf else value
    return curve  # type: ignore[return-value]  there is a first edge


def _part(active: list[Window], first: int, end: Number, value: float) -> Schedule:
    if not active:
        return hold(value)
    if len(active) == 1:
        return active[0].alone(first, value)
    if all(window.is_factor for window in active):
        curve = active[0].alone(first, value)
        for window in active[1:]:
            curve = curve * window.alone(first, 1.0)
        return curve
    if end - first > _MOST:
        what = (
            f"what {len(active)} schedulers do at once from update {first} on is no product, and too long for a table"
        )
        raise PreheatError(what, write="write windows that do not overlap")
    values = []
    for tick in range(first, int(end)):
        for window in active if not tick else sorted(active, key=lambda window: window.late):
            value = window.moved(tick, value)
        values.append(value)
    return table(values)


def _product(windows: Sequence[Window], value: float) -> Schedule:
    """Factors, each from its begin on, its last value kept."""
    curve: Schedule | None = None
    for window in windows:
        own = window.curve if window.every == 1 else window.curve.stepwise(window.every)
        kept = own if window.end == math.inf else _kept(own, window.end - window.begin - 1)
        placed = hold(1.0, window.begin) >> kept if window.begin else kept
        curve = placed if curve is None else curve * placed
    return _times(curve, value) if curve is not None else hold(value)


def _kept(curve: Schedule, ticks: Number) -> Schedule:
    """Up to its value after so many ticks, which stays."""
    return hold(curve(0)) if not ticks else curve.truncated(ticks) if curve.length > ticks else curve


def _in_turn(windows: Sequence[Window]) -> bool:
    ordered = sorted(windows, key=lambda window: window.begin)
    return all(a.end <= b.begin for a, b in pairwise(ordered))


def _times(curve: Schedule, factor: float) -> Schedule:
    if not factor:
        return hold(0.0)
    return curve if factor == 1.0 else multiplied(curve, factor)


def _above(share: Schedule, floor: float, height: float) -> Schedule:
    if not height:
        return hold(floor)
    if isinstance(share, Ramp) and share.shape.name != "exponential":
        return ramp(floor + height * share.start, floor + height * share.end, share.span, share.shape)
    return _times(share, height) + hold(floor) if floor else _times(share, height)
