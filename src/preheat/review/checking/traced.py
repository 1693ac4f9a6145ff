"""Values that something else gave, update by update, as a schedule to look at: straight pieces, and edges where it jumps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from preheat.core.constructors import table
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.sequence import sequence

NOTHING = 1e-6  # of the largest value: a rate that trains nothing
NEAR = 1e-4  # of the largest value: how far a piece may be off
_JUMP, _UNLIKE = 0.02, 7.0  # of the largest value, and times as steep as the updates around it
_TRACE = 1e-9  # of a slope
_ROUNDING = 1e-12  # of the largest value
_MOST = 512  # pieces; a schedule of thousands is slow to look at


def traced(values: Sequence[float]) -> Schedule:
    """A schedule within NEAR of the values, one for each update, that keeps the last; a table where that has many pieces.

    >>> traced([0.0, 0.1, 0.2, 1.0, 1.0, 1.0])
    ramp(0.0, 0.2, 2) >> ramp(0.2, 0.20000000010000002, 1) >> hold(1.0, 2)
    """
    largest = max(map(abs, values), default=0.0) or 1.0
    parts: list[Schedule] = []
    begin = 0
    while begin < len(values) - 1:
        if _jumps(values, begin, largest):
            slope = values[begin] - values[max(0, begin - 1)]  # a trace of it, so that only a step looks flat
            parts.append(_piece(values[begin], values[begin] + _TRACE * slope, 1))
            begin += 1
            continue
        end = _straight(values, begin, largest)
        parts.append(_piece(values[begin], values[end], end - begin))
        begin = end
    if len(parts) > _MOST:
        return table(values)
    return sequence(parts) if parts else Hold(values[0], 1)


def _piece(first: float, last: float, span: int) -> Schedule:
    return Hold(first, span) if first == last else Ramp(first, last, span)


def _jumps(values: Sequence[float], at: int, largest: float) -> bool:
    """Whether the values jump after an update: much, and unlike the updates before and after."""
    step = abs(values[at + 1] - values[at])
    around = [abs(values[i + 1] - values[i]) for i in (at - 1, at + 1) if 0 <= i < len(values) - 1]
    return step > _JUMP * largest and bool(around) and step > _UNLIKE * max(around)


def _straight(values: Sequence[float], begin: int, largest: float) -> int:
    """The last update up to which one straight line is near enough to all."""
    start, near, low, high = values[begin], NEAR * largest, -math.inf, math.inf
    end = begin + 1
    for at in range(begin + 1, len(values)):
        if at > begin + 1 and _jumps(values, at - 1, largest):
            break
        step = values[at] - values[at - 1]
        if abs(step) > _ROUNDING * largest and step * (values[begin + 1] - start) < 0:
            break  # where it turns, there is an edge
        if abs(values[at]) <= NOTHING * largest < abs(start):
            break  # and where it comes to nothing
        rise, run = values[at] - start, at - begin
        if not low <= rise / run <= high:
            break
        low, high, end = max(low, (rise - near) / run), min(high, (rise + near) / run), at
    return end
