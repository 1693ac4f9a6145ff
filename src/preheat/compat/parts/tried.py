"""What another library's scheduler can say of a schedule: settings tried out, and held against it at every update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from preheat.compat.parts.restated import Restated, curve_of
from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.plan import RATE, Plan
from preheat.core.sampling import edges
from preheat.core.spans import Run
from preheat.core.stated import Absolute, plain

EXACT = 1e-12  # of the largest rate
MOST_EDGES = 10  # at which settings are tried; no scheduler here has as many
MOST_UPDATES = 2_000_000  # that are compared


class Wanted(NamedTuple):
    """A schedule as the rates of every update of a run.

    rates: of updates 0 … total − 1.   end: the value after the last.   edges: where its parts begin, in whole updates.
    """

    rates: Any
    total: int
    end: float
    edges: tuple[int, ...]

    @property
    def peak(self) -> float:
        """The largest rate, that after the last update too."""
        return max(float(self.rates.max()), self.end)


def rate_alone(target: Any, library: str) -> Any:
    """The schedule of a plan that has nothing but a rate; what is no plan stays. Raises PreheatError for other lines."""
    if not isinstance(target, Plan):
        return target
    if set(target) != {RATE}:
        others = ", ".join(sorted(set(target) - {RATE}))
        raise PreheatError(f"a config of {library} cannot say {others}", write="write lr alone")
    return target[RATE]


def wanted(target: Any, run: Run, peak: float | None, library: str) -> Wanted:
    """The rates that a schedule, rates or a plan with nothing but a rate has on a run.

    Raises PreheatError for factors without a peak, other lines, and a run without a total.
    """
    target = rate_alone(target, library)
    if not isinstance(target, Absolute) and peak is None:
        raise PreheatError(
            f"a config of {library} says rates, and these are factors",
            write="give the peak, as in peak=3e-4",
            hint="peak",
        )
    if run.total is None:
        raise PreheatError(
            f"a config of {library} needs to know how long the run is", write="give a Run with a total", hint="total"
        )
    total = int(run.total)
    if total > MOST_UPDATES:
        raise PreheatError(f"at most {MOST_UPDATES:,} updates are compared with what {library} does", given=total)
    bound = target.bind(run) if isinstance(target, Absolute) else target.bind(run, peak=positive_number(peak, "peak"))
    table = bound.table(total + 1)
    return Wanted(table[:-1], total, float(table[-1]), _edges(plain(bound), total))


def tried(library: str, goal: Wanted, settings: Iterable[tuple[Mapping[str, Any], Restated]]) -> Mapping[str, Any]:
    """The first settings whose scheduler gives the rates wanted, at every update.

    Raises PreheatError where none does, with the first update at which the nearest of them differs, and by how much at most.
    """
    nearest: tuple[float, Mapping[str, Any], int] | None = None
    for arguments, restated in settings:
        off = abs(curve_of(restated).table(goal.total) - goal.rates)
        most = float(off.max())
        if most <= EXACT * goal.peak:
            return arguments
        if nearest is None or most < nearest[0]:
            nearest = most, arguments, int((off > EXACT * goal.peak).argmax())
    if nearest is None:
        raise PreheatError(f"no scheduler of {library} comes near this schedule", write="export it as Python instead")
    most, arguments, first = nearest
    said = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    what = f"no scheduler of {library} has these rates: the nearest, {said}, is off from update {first} on"
    raise PreheatError(f"{what}, by {most:.3g} at most", write="export it as Python instead")


def _edges(schedule: Schedule, total: int) -> tuple[int, ...]:
    inside = {round(edge) for edge in edges(schedule, total)}
    return (0, *sorted(inside - {0, total})[:MOST_EDGES], total)
