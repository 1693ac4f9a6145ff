"""How each curve differs from the first: at every moment at which both are drawn, and from which update on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from preheat.core.errors import PreheatError
from preheat.review.diff import Point, comparable, first_apart
from preheat.review.laid_out import Laid
from preheat.studio.moments import View, listed, looked_at, seen

Named = tuple[str, Laid]


def difference(one: Named, two: Named, view: View | None, points: int) -> dict[str, Any]:
    """A curve minus the first one, where both are, and the first update whose values differ, with a sentence that calls them by
    their names."""
    import numpy

    (_, first), (_, other) = one, two
    says, update = _says(one, two)
    ends = zip(seen(first, view), seen(other, view), strict=True)
    low, high = (pick(end) for pick, end in zip((max, min), ends, strict=True))
    if low > high or first.rates != other.rates:
        return {"at": [], "values": [], "first": update, "says": says}
    times = numpy.union1d(*(looked_at(laid, (low, high), points)[0] for laid in (first, other)))
    times = times[times <= high]
    with numpy.errstate(over="ignore"):  # of two values near the end of what a float holds
        values = other.curve.along(times) - first.curve.along(times)
    return {"at": times.tolist(), "values": listed(values), "first": update, "says": says}


def _says(one: Named, two: Named) -> tuple[str, int | None]:
    (name, first), (other_name, other) = one, two
    try:
        point, unknown = _apart(first, other)
    except PreheatError as error:
        return f"{name} and {other_name}: {error}", None
    if point is not None:
        a, b = _told_apart(point.a, point.b)
        return f"{other_name} differs from {name} first at {first.unit} {point.at:,}: {b}, not {a}", int(point.at)
    if unknown is not None:
        return f"{other_name} is equal to {name} before {first.unit} {unknown:,}; from there on it is not known", None
    every = "at every update that both have" if first.ends or other.ends else "at every update"
    return f"{other_name} is equal to {name} {every}", None


@lru_cache(maxsize=64)
def _apart(first: Laid, other: Laid) -> tuple[Point | None, int | None]:
    comparable(first, other)
    return first_apart(first, other, 0, min(first.updates, other.updates) if first.ends and other.ends else None)


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Two values with as few digits as tell them apart, and no fewer than are usual."""
    pairs = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(6, 18))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(a), repr(b)))
