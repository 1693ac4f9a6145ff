"""What a checkpoint holds of a scheduler, and what happens when it meets another plan.

The keys are for ever. The values are ints, floats and text, constant in the number of groups; the plan is the bound
plan as text, read as data and compared as a value.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import Absolute, Plan
from preheat.core.schedule import Schedule
from preheat.core.spans import Run

FORMAT = 1
KEYS = ("format", "last_epoch", "_step_count", "position", "plan", "run", "rules")
POLICIES = ("refuse", "adopt", "keep", "rebase")
_BLOCK = 1 << 16
_HORIZON = 1 << 24


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint's content, checked and read."""

    last_epoch: int
    step_count: int
    position: float
    plan: Plan
    run: Run


def to_state(last_epoch: int, step_count: int, position: float, plan: Plan, run: Run) -> dict[str, Any]:
    """The state as a dict of plain values."""
    return {
        "format": FORMAT,
        "last_epoch": last_epoch,
        "_step_count": step_count,
        "position": position,
        "plan": plan.to_text(),
        "run": json.dumps({key: value for key, value in asdict(run).items() if value is not None}),
        "rules": "{}",
    }


def from_state(state: object, clock: str) -> Saved:
    """A state read and checked; refuses what is missing, unknown, ill-typed, out of range, or of another clock."""
    if not isinstance(state, dict):
        raise StateError(f"a scheduler's state is a dict, not {shown(state)}")
    for key in state:
        if key not in KEYS:
            raise StateError(f"a scheduler's state has no key {shown(key)}{nearest(str(key), KEYS)}")
    if missing := [key for key in KEYS if key not in state]:
        raise StateError(f"the scheduler's state lacks {', '.join(missing)}; was it saved by preheat?")
    if _count(state, "format", 1) != FORMAT:
        raise StateError(
            f"the state has format {state['format']}, and this preheat knows {FORMAT}; use a newer preheat"
        )
    if state["rules"] != "{}":
        raise StateError(f"the state holds rules that this scheduler does not have: {shown(state['rules'])}")
    run = _run(state["run"])
    if run.clock != clock:
        raise StateError(f"the state counts {run.clock}s and this scheduler {clock}s; write Run(clock={run.clock!r})")
    try:
        plan = Plan.from_text(state["plan"])
    except PreheatError as error:
        raise StateError(f"the saved plan cannot be read: {error}") from None
    counts = _count(state, "last_epoch", 0), _count(state, "_step_count", 0)
    return Saved(*counts, _position(state["position"], run), plan, run)


def resolve(saved: Saved, plan: Plan, policy: str) -> Plan:
    """The plan to go on with: `plan`, or what the policy says where a value changes from the saved position on."""
    if saved.plan == plan or policy == "adopt":
        return plan
    if (change := first_change(saved.plan, plan, saved.position)) is None:
        return plan
    if policy == "keep":
        return saved.plan
    if policy == "rebase":
        return _rebased(saved.plan, plan, saved.position)
    raise StateError(
        f"the plan has changed since this state was saved: {change}. Pass on_change='adopt' for the new plan, "
        f"'keep' for the saved one, or 'rebase' for the new one scaled to go on from the value in force. "
        f"Saved: {shown(saved.plan, 300)}; new: {shown(plan, 300)}"
    )


def first_change(old: Plan, new: Plan, position: float) -> str | None:
    """The first update from `position` on whose value differs between two bound plans, in words; None if none does."""
    if set(old) != set(new):
        return f"the lines were {', '.join(old)} and are {', '.join(new)}"
    changes = []
    for key in old:
        if type(old[key]) is not type(new[key]):
            return f"{key!r} was {old[key]!r} and is {new[key]!r}"
        if old[key] != new[key] and (found := _difference(_schedule(old[key]), _schedule(new[key]), position)):
            changes.append((*found, key))
    if not changes:
        return None
    t, before, after, key = min(changes)
    return f"the first update to differ is {t:g}, where {key!r} was {before!r} and is {after!r}"


def _difference(old: Schedule, new: Schedule, position: float) -> tuple[float, float, float] | None:
    """The first tick from `position` on at which two schedules differ, and both values there."""
    import numpy

    ends = [s.length for s in (old, new) if s.length < math.inf]
    last = min(max([position, *ends]), position + _HORIZON) + 1
    if len(ends) < 2:  # one of them never ends: as far again, at least a block
        last += max(last - position, _BLOCK)
    at = position
    while at <= last:
        times = numpy.arange(_BLOCK) + at
        before, after = old(times), new(times)
        where = numpy.flatnonzero(before != after)
        if len(where):
            i = int(where[0])
            return float(times[i]), float(before[i]), float(after[i])
        at += _BLOCK
    return None


def _rebased(old: Plan, new: Plan, position: float) -> Plan:
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


def _count(state: dict[str, Any], key: str, least: int) -> int:
    value = state[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise StateError(
            f"{key} in the scheduler's state must be a whole number of at least {least}, not {shown(value)}"
        )
    return value


def _position(value: object, run: Run) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    fraction = isinstance(value, float) and run.clock == "second" and math.isfinite(value)
    if not (whole or fraction) or value < 0:  # type: ignore[operator]
        raise StateError(f"position in the scheduler's state must be a number of {run.clock}s, not {shown(value)}")
    return value  # type: ignore[return-value]


def _run(text: object) -> Run:
    try:
        return Run(**json.loads(text))  # type: ignore[arg-type]
    except (PreheatError, TypeError, ValueError, RecursionError) as error:
        raise StateError(f"the saved run cannot be read from {shown(text)}: {error}") from None
