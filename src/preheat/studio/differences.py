"""How each curve differs from the first: at every moment at which both are drawn, and from which update on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from preheat.core.errors import PreheatError
from preheat.review.diff import comparable, first_apart, first_in_words
from preheat.review.laid_out import Laid
from preheat.studio.moments import View, looked_at, seen


def difference(first: Laid, other: Laid, view: View | None, points: int) -> dict[str, Any]:
    """A curve minus the first one, where both are, and the first update whose values differ, with a sentence."""
    import numpy

    said, update = _apart(first, other)
    low, high = (
        max(ends) if k == 0 else min(ends)
        for k, ends in enumerate(zip(seen(first, view), seen(other, view), strict=True))
    )
    if low > high or first.rates != other.rates:
        return {"at": [], "values": [], "first": update, "says": said}
    times = numpy.union1d(*(looked_at(laid, (low, high), points)[0] for laid in (first, other)))
    times = times[times <= max(low, high)]
    values = other.curve.along(times) - first.curve.along(times)
    return {"at": times.tolist(), "values": values.tolist(), "first": update, "says": said}


@lru_cache(maxsize=64)
def _apart(first: Laid, other: Laid) -> tuple[str, int | None]:
    try:
        comparable(first, other)
    except PreheatError as error:
        return str(error), None
    ends = [laid.updates for laid in (first, other) if laid.ends]
    point, unknown = first_apart(first, other, 0, min(ends) if len(ends) == 2 else None)
    if point is not None:
        return first_in_words(first.unit, point), int(point.at)
    if unknown is not None:
        return f"equal before {first.unit} {unknown:,}; from there on it is not known", None
    return "equal at every update that both have" if ends else "equal at every update", None
