"""A schedule on a clock of samples or tokens, told in updates: for whatever counts nothing else."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from preheat.core.checks import float_below, int_if_whole
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Rectified, Table
from preheat.core.nodes.wrapped import Shifted, Stepwise
from preheat.core.plan import Plan
from preheat.core.sampling import edges, horizon, sampled
from preheat.core.spans import Run, Span
from preheat.core.stated import Stated, plain

_WORTHS = {"sample": "samples_per_step", "token": "tokens_per_step"}
_OTHERWISE = "leave clock= out: lengths in other units are told in updates then"
_LOOKED_AT = 4000  # updates at which the same is asked of both
_CLOSE = 1e-12  # of the largest value


def ticks_per_update(run: Run) -> int | None:
    """How many ticks of the clock one update is; None where that is not known, or no whole number."""
    if run.clock == "step":
        return 1
    worth = getattr(run, _WORTHS[run.clock]) if run.clock in _WORTHS else None
    return worth if isinstance(worth, int) else None


def in_updates(target: Any, run: Run, who: str = "an update is what is") -> tuple[Any, Run]:
    """A schedule, rates or a plan with its run, on a clock of updates; on such a clock as they are.

    who: "… counts", said where it is refused.
    Raises PreheatError where the run does not say what an update is worth in whole ticks, where it does not fit, and for what
    is not the same once it is told so.
    """
    if run.clock == "step":
        return target, run
    refuse_other_clock(run, who)
    worth = ticks_per_update(run)
    assert worth is not None
    total = None if run.total is None else math.ceil(Fraction(run.total, worth))
    bound = target.bind(run)
    lines = {line.key: line.target for line in bound.lines} if isinstance(bound, Plan) else {"": bound}
    told = {key: _told(one, worth, run.total) for key, one in lines.items()}
    return Plan(told) if isinstance(bound, Plan) else told[""], run.replace(total=total, clock="step")


def refuse_other_clock(run: Run, who: str) -> None:
    """Refuse a run that cannot be told in updates; who: "torch's schedulers count", for example."""
    if ticks_per_update(run) is not None:
        return
    what = f"this run's clock counts {run.clock}s, and {who} updates"
    name = _WORTHS.get(run.clock)
    if name is None:
        raise PreheatError(what, write=_OTHERWISE, hint="updates")
    if (worth := getattr(run, name)) is None:
        raise PreheatError(what, write=f"write Run(..., {name}=…), what an update is worth", hint=name)
    raise PreheatError(f"{what}, of {worth:g} {run.clock}s each", write=f"give {name}= as a whole number", hint=name)


def _told(bound: Any, worth: int, total: int | None) -> Any:
    """One bound schedule with each update as a tick."""
    if worth == 1:
        return bound
    curve = plain(bound)
    slowed = _slowed(curve, worth).bind()
    length = total if total is not None else curve.length
    until = horizon(curve) if length == math.inf else math.ceil(length)
    near = [edge / worth for edge in edges(curve, until, steps=True)]
    at = [*sampled(max(1, math.ceil(until / worth)), near, _LOOKED_AT), math.ceil(until / worth)]
    ours, theirs = [curve.function(update * worth) for update in at], [slowed.function(update) for update in at]
    most = max(map(abs, ours))
    for update, one, other in zip(at, ours, theirs, strict=True):
        if abs(one - other) > _CLOSE * most:
            what = f"{shown(bound)} cannot be told in updates of {worth:,} ticks: it would differ at update {update}"
            raise PreheatError(what, write=_OTHERWISE, hint="updates")
    return type(bound)(slowed) if isinstance(bound, Stated) else slowed


def _slowed(node: Schedule, worth: int) -> Schedule:
    """The same with every length divided."""
    if isinstance(node, Rectified):
        what = f"{node!r} counts the ticks of its clock"
        raise PreheatError(what, write=_OTHERWISE, hint="updates")
    if isinstance(node, Table):
        last = len(node.values) - 1
        return Table(node(k * worth) for k in range(math.ceil(last / worth) + 1))
    found = {name: getattr(node, name) for name in node.__match_args__}
    changed: dict[str, Any] = {
        name: Span(_divided(span.value, worth, node))
        for name, span in found.items()
        if isinstance(span, Span) and span.is_bare
    }
    if isinstance(node, Shifted):
        changed["ticks"] = _divided(node.ticks, worth, node)
    return (node._with(**changed) if changed else node)._over([_slowed(child, worth) for child in node._children])


def _divided(ticks: Any, worth: int, node: Schedule) -> Any:
    exact = Fraction(ticks) / worth
    return int_if_whole(float_below(exact) if isinstance(node, Stepwise) else exact)
