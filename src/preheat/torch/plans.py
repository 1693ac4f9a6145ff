"""Plans against runs and against one another: laid out, compared, rebased."""

from __future__ import annotations

import math

from preheat.core.combine import Sequence, sequence
from preheat.core.errors import PreheatError, StateError
from preheat.core.pieces import MAX_TEXT
from preheat.core.plan import Absolute, Plan
from preheat.core.schedule import Schedule
from preheat.core.spans import Run

_BLOCK = 1 << 16
_HORIZON = 1 << 24


def laid_out(plan: Plan, run: Run) -> Plan:
    """The plan bound to the run; while the total is not known, up to an open-ended 'rest' if it has one."""
    if run.total is None:
        plan = plan.replaced(None, _until_rest)
    bound = plan.bind(run)
    if (size := len(bound.to_text())) > MAX_TEXT:
        raise PreheatError(f"the plan takes {size} characters of text in a checkpoint; at most {MAX_TEXT}")
    return bound


def _until_rest(schedule: Schedule) -> Schedule:
    """A sequence up to and including its 'rest': what follows comes when the end is known."""
    if not isinstance(schedule, Sequence) or not schedule._grows:
        return schedule
    grower = next(i for i, part in enumerate(schedule.parts) if part._grows)
    return sequence(schedule.parts[: grower + 1])


def first_change(old: Plan, new: Plan, position: float, until: float = math.inf) -> str | None:
    """The first update from `position` to `until` whose value differs between bound plans, in words; None if none does."""
    if set(old) != set(new):
        return f"the lines were {', '.join(old)} and are {', '.join(new)}"
    changes = []
    for key in old:
        if type(old[key]) is not type(new[key]):
            return f"{key!r} was {old[key]!r} and is {new[key]!r}"
        if old[key] != new[key] and (found := _difference(_schedule(old[key]), _schedule(new[key]), position, until)):
            changes.append((*found, key))
    if not changes:
        return None
    t, before, after, key = min(changes)
    return f"the first update to differ is {t:g}, where {key!r} was {before!r} and is {after!r}"


def _difference(old: Schedule, new: Schedule, position: float, until: float) -> tuple[float, float, float] | None:
    """The first tick from `position` on at which two schedules differ, and both values there."""
    import numpy

    ends = [s.length for s in (old, new) if s.length < math.inf]
    last = min(max([position, *ends]), position + _HORIZON) + 1
    if len(ends) < 2:  # one of them never ends: as far again, at least a block
        last += max(last - position, _BLOCK)
    at, last = position, min(last, until)
    while at <= last:
        times = numpy.arange(min(_BLOCK, math.floor(last - at) + 1)) + at
        before, after = old(times), new(times)
        where = numpy.flatnonzero(before != after)
        if len(where):
            i = int(where[0])
            return float(times[i]), float(before[i]), float(after[i])
        at += _BLOCK
    return None


def rebased(old: Plan, new: Plan, position: float) -> Plan:
    """The new plan, each line scaled so that it goes on from the value in force."""
    if set(old) != set(new):
        raise StateError(f"cannot rebase: the lines were {', '.join(old)} and are {', '.join(new)}")
    lines: dict[str, Schedule | Absolute] = {}
    for key, target in new.items():
        schedule, force = _schedule(target), _schedule(old[key])(position)
        there = schedule(position)
        if there == 0 and force != 0:
            raise StateError(f"cannot rebase {key!r}: the new plan is 0 at update {position:g}; pass on_change='adopt'")
        schedule = schedule if there == force else schedule.scaled(force / there)
        lines[key] = Absolute(schedule) if isinstance(target, Absolute) else schedule
    return Plan(lines)


def _schedule(target: Schedule | Absolute) -> Schedule:
    return target.schedule if isinstance(target, Absolute) else target
