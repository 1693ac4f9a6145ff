"""The phases of a bound schedule as a table has them: from when to when, how long, and between which values."""

import math

from preheat.core.checks import Number
from preheat.core.sampling import Phase
from preheat.plots.terminal import number


def extent(phase: Phase) -> tuple[str, str]:
    """Its first and last tick, and its length."""
    if phase.end == math.inf:
        return f"{number(math.ceil(phase.start))} …", "no end"
    first, last = math.ceil(phase.start), math.ceil(phase.end) - 1
    ends = f"{number(first)} … {number(last)}" if first < last else number(first) if first == last else "none"
    return ends, number(phase.end - phase.start)


def ends(phase: Phase, total: Number, scale: float = 1.0) -> str:
    """The value at its start, and at its end, which is the first moment of what follows; of what never ends, at `total`."""
    endless = phase.part.length == math.inf
    end = total - phase.start if endless else phase.part.length
    first, last = (f"{phase.part(t) * scale:.6g}" for t in (0, end))
    return first if first == last else f"{first} → {last}{' …' * endless}"
