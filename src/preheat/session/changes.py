"""Plans on runs and against one another: bound, compared, rebased."""

from __future__ import annotations

import math
from collections.abc import Callable

from preheat.core.checks import MAX_TEXT
from preheat.core.errors import BindError, PreheatError, StateError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.sequence import up_to_rest
from preheat.core.plan import Absolute, Line, Plan
from preheat.core.spans import Run

_BLOCK = 1 << 16
_MOST = 1 << 24  # updates compared one by one
_FAR = 1 << 22  # updates are compared where the end is not known, and times where it is not known when updates come
_MUCH_LONGER = 10**6  # ticks more, of which any share is seen


def bound_plan(plan: Plan, run: Run) -> Plan:
    """The plan bound to the run; while the total is not known, up to an open-ended 'rest' if it has one."""
    if run.total is None:
        plan = plan.replaced(None, up_to_rest)
    bound = plan.bind(run)
    if (size := len(bound.to_text())) > MAX_TEXT:
        raise PreheatError(f"the plan takes {size} characters of text in a checkpoint; at most {MAX_TEXT}")
    return bound


def grows_with(plan: Plan, run: Run) -> bool:
    """Whether the plan as written would be bound otherwise on a longer run."""
    total = run.total or 0
    return plan.bind(run) != plan.bind(run.replace(total=total + max(total, _MUCH_LONGER)))


def nothing_grows(plan: Plan) -> BindError:
    """What there is to say where a longer run changes nothing."""
    what = f"nothing in {shown(plan, 200)} is 'rest' or '%', so nothing can grow"
    return BindError(what, write="write what is to come: s >> …")


def first_change(old: Plan, new: Plan, position: float, until: float = math.inf, tick: int | None = None) -> str | None:
    """The first update from `position` to `until` whose value differs between bound plans, in words; None if none does.

    tick: what an update is worth, where that is known.
    """
    if set(old) != set(new):
        return f"the lines were {', '.join(old)} and are {', '.join(new)}"
    changes = []
    for key in old:
        if type(old[key]) is not type(new[key]):
            return f"{key!r} was {old[key]!r} and is {new[key]!r}"
        if old[key] != new[key]:
            pair = _schedule(old[key]), _schedule(new[key])
            last = min(until, _compared_until(*pair, position, tick or 1))
            if found := _difference(*pair, position, last, _stride(last - position, tick)):
                changes.append((*found, key))
    if not changes:
        return None
    t, before, after, key = min(changes)
    return f"the first update to differ is {t:g}, where {key!r} was {before!r} and is {after!r}"


def _compared_until(old: Schedule, new: Schedule, position: float, tick: int) -> float:
    """Where both have ended; where one never does, far enough to tell."""
    ends = [s.length for s in (old, new) if s.length < math.inf]
    last = max([position, *ends])
    return last if len(ends) == 2 else last + max(last, _FAR * tick)


def _stride(ticks: float, tick: int | None) -> int:
    """Ticks between the times at which schedules are compared: updates, or evenly where updates may fall anywhere."""
    return max(1, math.ceil(ticks / _FAR)) if tick is None else tick * math.ceil(max(1, ticks / tick / _MOST))


def _difference(
    old: Schedule, new: Schedule, position: float, last: float, stride: int
) -> tuple[float, float, float] | None:
    """The first time from `position` to `last` at which two schedules differ, and both values there."""
    import numpy

    for block in range(0, math.floor((last - position) / stride) + 1, _BLOCK):
        count = min(_BLOCK, math.floor((last - position) / stride) + 1 - block)
        times = (numpy.arange(count) + block) * stride + position
        before, after = old(times), new(times)
        where = numpy.flatnonzero(before != after)
        if len(where):
            i = int(where[0])
            return float(times[i]), float(before[i]), float(after[i])
    return None


def rebased(
    old: Plan, new: Plan, position: float, gain: float = 1.0, join: Callable[[Line, float], float] | None = None
) -> Plan:
    """The new plan, each line scaled so that it goes on from the value in force; `gain` is what rules no longer do.

    join: what to scale a line with, given the gain; by default what the two plans say of a line of the same name.
    """
    if join is None and set(old) != set(new):
        raise StateError(f"cannot rebase: the lines were {', '.join(old)} and are {', '.join(new)}")
    lines: dict[str, Schedule | Absolute] = {}
    for line in new.lines:
        its_gain = gain if line.is_rate else 1.0
        factor = _joining(old, line, position, its_gain) if join is None else join(line, its_gain)
        schedule = line.schedule if factor == 1 else line.schedule.scaled(factor)
        lines[line.key] = Absolute(schedule) if line.is_absolute else schedule
    return Plan(lines)


def _joining(old: Plan, line: Line, position: float, gain: float) -> float:
    """What a line is to be multiplied with to go on from the value that a line of the same name had."""
    return constant_between(line, position, _schedule(old[line.key])(position) * gain, line.schedule(position))


def constant_between(line: Line, position: float, force: float, there: float) -> float:
    """The constant from the value that a new line has `there` to the value in force; refused where it has none."""
    if there == 0 and force != 0:
        raise StateError(
            f"cannot rebase {line.key!r}: the new plan is 0 at update {position:g}", write="pass on_change='adopt'"
        )
    return 1.0 if there == force else force / there


def _schedule(target: Schedule | Absolute) -> Schedule:
    return target.schedule if isinstance(target, Absolute) else target
