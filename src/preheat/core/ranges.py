"""What a hyper-parameter can be, and the refusal of schedules that leave it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.peaks import peak_of
from preheat.core.plan import Line, Plan
from preheat.core.sampling import edges, horizon, sampled

BELOW_ONE = ("momentum", "betas[0]", "betas[1]", "betas[2]", "b1", "b2")  # optax calls betas so
NOT_BELOW_ZERO = ("lr", "weight_decay", "eps", *BELOW_ONE)
_POINTS = 1000  # of a schedule whose text alone does not say how far it reaches


def refuse_impossible(plan: Plan, multiples: Callable[[Line], Iterable[float]] | None = None) -> None:
    """Refuse lines of a bound plan whose values their hyper-parameter cannot have: a rate below 0, a momentum of 1.

    multiples: what the values of a line are multiplied with, each above 0; by default those of factors are not known.
    Quantities of one's own may be anything.
    """
    for line in plan.lines:
        if line.hyper in NOT_BELOW_ZERO:
            known = ([1.0] if line.is_absolute else []) if multiples is None else multiples(line)
            _refuse_line(line, max(known, default=None))


def _refuse_line(line: Line, multiple: float | None) -> None:
    bounds, what = peak_of(line.schedule), "rates" if line.is_rate else "values"
    limit = 1 / multiple if multiple and line.hyper in BELOW_ONE else math.inf
    if bounds.low >= 0 and bounds.high < limit:
        return
    low, high = _reached(line.schedule)
    low = bounds.low if bounds.exact else low
    if low < 0:
        raise PreheatError(
            f"the {what} of {line.key!r} fall to {low:g}, and there are none below 0",
            write="write an end of 0 or above, or .clipped(0)",
        )
    if high >= limit:
        raise PreheatError(
            f"the {what} of {line.key!r} reach {high * (multiple or 1.0):g}, and they must stay below 1",
            write="write lower values",
        )


def _reached(bound: Schedule) -> tuple[float, float]:
    """The least and the greatest of the values of a bound schedule, looked at where they may lie."""
    until = horizon(bound) if bound.length == math.inf else math.ceil(bound.length)
    values = [bound.function(t) for t in sampled(until + 1, edges(bound, until), _POINTS)]
    return min(values), max(values)
