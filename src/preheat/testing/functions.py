"""The laws of a schedule that is a function of the update number."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from preheat.core.checks import counted
from preheat.testing.laws import Broken, differing


def check_schedule(schedule: Callable[[Any], Any], updates: int, *, peak: float | None = None) -> tuple[Broken, ...]:
    """The laws that a function from update numbers to values breaks: of preheat, optax, Keras, or one's own.

    schedule: called with an int, 0 the first update; what it gives is taken as a float.
    updates: how many the run has, at least 1.   peak: what no value may exceed; the largest value of the run by default.

    Looks at every update of the run, at as many after it, in another order, and, where it takes one, at an array of them.

    >>> check_schedule(lambda t: 0.1 * (1 - t / 10), 10)
    (Broken(law='bounds', shown='update 11: -0.01'),)

    Raises PreheatError for `updates` that is no count; nothing else but what the schedule itself raises inside its run.
    """
    n = counted(updates, "updates of the run", least=1)
    inside = [float(schedule(t)) for t in range(n)]
    return tuple(broken for broken in _broken(schedule, inside, n, peak))


def _broken(schedule: Callable[[Any], Any], inside: list[float], n: int, peak: float | None) -> Iterator[Broken]:
    after, failure = _after(schedule, n)
    values = [*inside, *after]
    yield from bounded(values, max(inside) if peak is None else peak)
    order = random.Random(0).sample(range(n), n)
    again = {t: float(schedule(t)) for t in order}
    if shown := differing(inside, [again[t] for t in range(n)], near=0):
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
    for t, value in enumerate(after, start=len(inside)):
        if value > inside[-1] + 1e-6 * max(map(abs, inside)):
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

    try:
        found = numpy.asarray(schedule(numpy.arange(len(inside))), dtype=float)
    except Exception:  # it takes no arrays, and no law says that it must
        return
    if found.shape == (len(inside),) and (shown := differing(inside, found.tolist())):
        yield Broken("arrays", shown)
