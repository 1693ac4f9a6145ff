"""Extending, cooling down and warming up again: what one does to a run that is under way, as operations on values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from preheat.core.checks import ticks
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.combine import sequence
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.shapes import Shape, shape_of
from preheat.core.spans import Run, Span, SpanLike

if TYPE_CHECKING:
    from preheat.core.plan import Plan

_MUCH = 10**6  # ticks more, of which any share is seen


def extended(schedule: Schedule, total: SpanLike) -> Schedule:
    """The schedule that was bound, laid out on a run with another total."""
    given, run = schedule.__dict__.get("_origin", (schedule, Run()))
    longer = replace(run, total=total)
    bound = given.bind(longer)
    if not stretches(given, longer):
        raise BindError(nothing_grows(given))
    return bound


def stretches(given: Schedule | Plan, run: Run) -> bool:
    """Whether what was given would be laid out otherwise on a longer run."""
    total = run.total or 0
    return given.bind(run) != given.bind(replace(run, total=total + max(total, _MUCH)))


def nothing_grows(given: Schedule | Plan) -> str:
    """Why a longer run changes nothing."""
    return f"nothing in {shown(given, 200)} is 'rest' or '%', so nothing can grow; write what is to come: s >> …"


def cooldown_from(schedule: Schedule, step: float, span: SpanLike, shape: Shape | str, to: float) -> Schedule:
    """The schedule until `step`, and from its value there down to `to`."""
    at = _moment(step)
    value = schedule(at)
    longer = schedule if schedule.length >= at else schedule >> Hold(value, Span(at - schedule.length))
    return sequence((longer.truncated(at), Ramp(value, to, Span(span), shape_of(shape))))


def rewarmed(schedule: Schedule, at: float, span: SpanLike, start: float) -> Schedule:
    """The schedule times a warmup that begins at `at`."""
    return schedule * sequence((Hold(1.0, Span(_moment(at))), Ramp(start, 1.0, Span(span), Shape("linear"))))


def _moment(at: object) -> float:
    moment = ticks(at, "a position")
    if moment < 0:
        raise PreheatError(f"a position cannot be negative: {shown(at)}")
    return moment
