"""The laws of a schedule that is a function of the update number."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from preheat.core.checks import counted, finite_number
from preheat.core.errors import PreheatError
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import plain
from preheat.core.text.language import parse
from preheat.testing.laws import Broken, differing

MOST_ASKED_AGAIN = 1000  # updates that are asked a second time, in another order


def check_schedule(schedule: Any, updates: int, *, peak: float | None = None) -> tuple[Broken, ...]:
    """The laws that a function from update numbers to values breaks: of preheat, optax, Keras, or one's own.

    schedule: called with an int, 0 the first update; what it gives is taken as a float. Text, and what else stands for a
        schedule that needs no run, is read.
    updates: how many the run has, at least 1.   peak: what no value may exceed; the largest value of the run by default.

    Looks at every update of the run, at as many after it, at up to 1,000 of them again in another order, and, where it takes
    one, at an array of all.

    >>> check_schedule(lambda t: 0.1 * (1 - t / 10), 10)
    (Broken(law='bounds', shown='update 11: -0.01'),)

    Raises PreheatError for what is no function, no count or no peak; nothing else but what the schedule raises inside its run.
    """
    n = counted(updates, "updates= is a count of at least 1", least=1)
    highest = None if peak is None else finite_number(peak, "peak")
    function = schedule if callable(schedule) else _bound(schedule, n)
    inside = [float(function(t)) for t in range(n)]
    return tuple(broken for broken in _broken(function, inside, n, highest))


def _bound(schedule: Any, n: int) -> Any:
    """What stands for a schedule, on a run of n updates."""
    target = parse(schedule)
    if isinstance(target, Plan):
        raise PreheatError("a schedule is checked line by line", given=target, write="give one line of the plan")
    return plain(target.bind(Run(total=n)))


def _broken(schedule: Callable[[Any], Any], inside: list[float], n: int, peak: float | None) -> Iterator[Broken]:
    after, failure = _after(schedule, n)
    yield from bounded([*inside, *after], max(inside) if peak is None else peak)
    at = random.Random(0).sample(range(n), min(n, MOST_ASKED_AGAIN))
    again = {t: float(schedule(t)) for t in at}
    if shown := differing(inside, [again.get(t, value) for t, value in enumerate(inside)], near=0):
        yield Broken("pure", shown)
    yield from _vectorised(schedule, inside)
    yield from ended(inside, after, failure)


def bounded(values: list[float], peak: float) -> Iterator[Broken]:
    """What breaks the law that values are finite, and lie between 0 and the peak: the first of each."""
    for t, value in enumerate(values):
        if not math.isfinite(value):
            yield Broken("finite", f"update {t}: {value}")
            break
    for t, value in enumerate(values):
        if value < 0 or value > peak * (1 + 1e-6):
            yield Broken("bounds", f"update {t}: {value:.6g}" + (f", above {peak:.6g}" if value > 0 else ""))
            break


def ended(inside: list[float], after: list[float], failure: str) -> Iterator[Broken]:
    """What breaks the law of the end: the first rise above the last value, or what was raised."""
    near = 1e-6 * max(map(abs, inside))
    for t, value in enumerate(after, start=len(inside)):
        if value > inside[-1] + near:
            yield Broken("ends", f"update {t}: {value:.6g} after {inside[-1]:.6g}")
            return
    if failure:
        yield Broken("ends", f"update {len(inside) + len(after)}: {failure}")


def _after(schedule: Callable[[Any], Any], n: int) -> tuple[list[float], str]:
    found: list[float] = []
    for t in range(n, 2 * n + 1):
        try:
            found.append(float(schedule(t)))
        except Exception as error:  # whatever a foreign schedule raises is what there is to tell
            return found, raised(error)
    return found, ""


def raised(error: Exception) -> str:
    """An exception in a few words."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:80]}" if first else type(error).__name__


def _vectorised(schedule: Callable[[Any], Any], inside: list[float]) -> Iterator[Broken]:
    import numpy

    n = len(inside)
    try:
        found = numpy.asarray(schedule(numpy.arange(n)), dtype=float)
    except Exception:  # it takes no arrays, and no law says that it must
        return
    if found.shape not in ((n,), ()):
        yield Broken("arrays", f"an array of shape {found.shape} for one of shape ({n},)")
    elif shown := differing(inside, numpy.broadcast_to(found, n).tolist()):  # one value of a constant stands for all
        yield Broken("arrays", shown)
