"""A schedule on a clock of samples or tokens, told in updates: for whatever counts nothing else."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from preheat.core.checks import Number, float_below, int_if_whole
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Leaf, Rectified, Table
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Shifted, Stepwise
from preheat.core.plan import Plan
from preheat.core.sampling import edges, horizon, sampled
from preheat.core.spans import Run, Span
from preheat.core.stated import Stated, plain

_WORTHS = {"sample": "samples_per_step", "token": "tokens_per_step"}
_OTHERWISE = "leave clock= out: lengths in other units are told in updates then"
_LOOKED_AT = 4000  # updates at which the same is asked of both, beside those near an edge
_EDGES = 20_000  # of each, near which they are
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
    if length == math.inf and _repeats_for_ever(curve) and not _divides(curve, worth):
        what = f"{shown(bound)} never ends, and updates of {worth:,} ticks do not divide its lengths: it would drift"
        raise PreheatError(what, write="give the run its total=, up to which it is compared", hint="updates")
    at = _compared(curve, slowed, worth, horizon(curve) if length == math.inf else math.ceil(length))
    ours, theirs = [curve.function(update * worth) for update in at], [slowed.function(update) for update in at]
    most = max(map(abs, ours))
    for update, one, other in zip(at, ours, theirs, strict=True):
        if abs(one - other) > _CLOSE * most:
            what = f"{shown(bound)} cannot be told in updates of {worth:,} ticks: it would differ at update {update}"
            raise PreheatError(what, write=_OTHERWISE, hint="updates")
    return type(bound)(slowed) if isinstance(bound, Stated) else slowed


def _compared(curve: Schedule, slowed: Schedule, worth: int, until: int) -> list[int]:
    """The updates at which both must be the same, up to the end of the longer one: a table has whole updates only."""
    last = max(1, math.ceil(until / worth), 0 if slowed.length == math.inf else math.ceil(slowed.length))
    near = [edge / worth for edge in edges(curve, until, steps=True, most=_EDGES)]
    near += edges(slowed, last, steps=True, most=_EDGES)
    return [*sampled(last, near, _LOOKED_AT), last]


def _repeats_for_ever(node: Schedule) -> bool:
    return node._endless and (isinstance(node, Repeated) or any(map(_repeats_for_ever, node._children)))


def _divides(node: Schedule, worth: int) -> bool:
    """Whether every length in it, divided, is a number to the last digit."""
    lengths = [Fraction(ticks) / worth for ticks in _lengths(node).values()]
    return all(Fraction(float(one)) == one for one in lengths) and all(_divides(one, worth) for one in node._children)


def _slowed(node: Schedule, worth: int) -> Schedule:
    """The same with every length divided."""
    if isinstance(node, Rectified):
        what = f"{node!r} counts the ticks of its clock"
        raise PreheatError(what, write=_OTHERWISE, hint="updates")
    if isinstance(node, Table):
        last = len(node.values) - 1
        return Table(node(k * worth) for k in range(math.ceil(last / worth) + 1))
    parts = [_slowed(child, worth) for child in node._children]
    if isinstance(node, Sequence):
        return node._over(_met(node, parts, worth))
    changed: dict[str, Any] = {
        name: _divided(ticks, worth, node) if name == "ticks" else Span(_divided(ticks, worth, node))
        for name, ticks in _lengths(node).items()
    }
    return (node._with(**changed) if changed else node)._over(parts)


def _met(node: Sequence, parts: list[Schedule], worth: int) -> list[Schedule]:
    """The parts of a sequence, divided, each with its end where it belongs: rounded one by one they would add up beside it."""
    ends, begin, met = node._exact_starts[1:], Fraction(0), list[Schedule]()
    for end, part in zip(ends, parts, strict=True):
        if isinstance(part, Leaf) and end != math.inf:
            wanted = float(end / worth)
            if wanted > begin and float(begin + part._lasts) != wanted:
                part = part._with(span=Span(int_if_whole(Fraction(wanted) - begin)))
        met.append(part)
        begin += part.bind()._lasts
    return met


def _lengths(node: Schedule) -> dict[str, Number]:
    """What of a node's own arguments counts ticks."""
    if isinstance(node, Shifted):
        return {"ticks": node.ticks}
    spans = {name: span.value for name in node.__match_args__ if isinstance(span := getattr(node, name), Span)}
    return {name: ticks for name, ticks in spans.items() if not isinstance(ticks, str)}


def _divided(ticks: Number, worth: int, node: Schedule) -> Any:
    exact = Fraction(ticks) / worth
    return int_if_whole(float_below(exact) if isinstance(node, Stepwise) else exact)
