"""At which moments a curve is looked at, so that what can be seen of it is seen and nothing else is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from preheat.core.checks import MOST_TICKS, Number
from preheat.core.sampling import edges, sampled
from preheat.review.laid_out import Laid

View = tuple[float, float]
MOST_ROWS = 60  # of the table
_TENTHS = 10


def seen(laid: Laid, view: View | None) -> View:
    """From which tick to which a curve is drawn: what of its run is in view; of what never ends, all that is."""
    low, high = view or (0.0, float(laid.total))
    return max(0.0, low), min(high, float(laid.total if laid.ends else MOST_TICKS))


def looked_at(laid: Laid, view: View | None, points: int) -> tuple[Any, Any]:
    """About `points` rising times in view and their values, as numpy arrays; none where the view is beside the run.

    Updates, all of them if there is room; the end of the run; and every edge, where values jump with the moment before it, so
    that a staircase is drawn as one.
    """
    import numpy

    low, high = seen(laid, view)
    if low > high:
        return numpy.empty(0), numpy.empty(0)
    first, last = math.floor(low / laid.tick), math.ceil(high / laid.tick)
    grid = _grid(last - first + 1, points) + first
    after = numpy.asarray([float(edge) for edge in corners(laid, low, high, points)])
    before = numpy.nextafter(after, -math.inf)
    times = numpy.unique(numpy.concatenate([grid * laid.tick, before, after, [float(laid.total)]]))
    times = times[(times >= low - laid.tick) & (times <= (laid.total if laid.ends else high + laid.tick))]
    values = laid.curve.along(times)
    kept = numpy.isin(times, before, invert=True)
    place = numpy.flatnonzero(~kept[:-1])
    kept[place] = numpy.abs(values[place] - values[place + 1]) > 1e-9 * numpy.abs(values).max(initial=0.0)
    return times[kept], values[kept]


def rows_of(every: Sequence[Laid | None], begins: Iterable[float], view: View | None) -> dict[str, Any]:
    """The values of curves as a table: at an update for each tenth of what is in view, and where phases begin; None where a
    curve has no value."""
    import numpy

    laid = [one for one in every if one is not None]
    ends = [seen(one, view) for one in laid]
    low, high = min((end for end, _ in ends), default=0.0), max((end for _, end in ends), default=-1.0)
    tick = min((one.tick for one in laid), default=1)
    tenths = (float(round((low + (high - low) * k / _TENTHS) / tick) * tick) for k in range(_TENTHS + 1))
    at = sorted({time for time in (*tenths, *begins) if low <= time <= high})[:MOST_ROWS]
    times = numpy.asarray(at, dtype=numpy.float64)
    return {"at": at, "values": [_at(one, times) for one in every]}


def _at(laid: Laid | None, times: Any) -> list[float | None]:
    """The values of a curve at times; None after its end, and where there is no curve."""
    if laid is None:
        return [None] * len(times)
    values = listed(laid.curve.along(times)) if len(times) else []
    return [None if laid.ends and at > laid.total else value for at, value in zip(times, values, strict=True)]


def listed(values: Any) -> list[float | None]:
    """An array as JSON holds it: None for what no float does, which leaves a gap in a curve."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


@lru_cache(maxsize=16)
def _grid(count: int, points: int) -> Any:
    """About `points` of the first `count` updates; curves over one axis are looked at at the same ones."""
    import numpy

    return numpy.asarray(sampled(count, (), points), dtype=numpy.float64)


def corners(laid: Laid, low: float, high: float, points: int) -> list[Number]:
    """The edges in view; none where there are more than there are points, for then no one is seen by itself."""
    found = edges(laid.curve, high, low, steps=True, most=points + 1)
    return found if len(found) <= points else []
