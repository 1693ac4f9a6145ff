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
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.session.session import Session, rules_from_text
from preheat.torch.clock import tick_of
from preheat.torch.plans import first_change, laid_out, rebased

FORMAT = 1
KEYS = ("format", "last_epoch", "_step_count", "position", "plan", "run", "rules")
POLICIES = ("refuse", "adopt", "keep", "rebase")


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint's content, checked and read."""

    last_epoch: int
    step_count: int
    session: Session
    run: Run


def to_state(last_epoch: int, step_count: int, session: Session, run: Run) -> dict[str, Any]:
    """The state as a dict of plain values."""
    return {
        "format": FORMAT,
        "last_epoch": last_epoch,
        "_step_count": step_count,
        "position": session.position,
        "plan": session.plan.to_text(),
        "run": json.dumps({key: value for key, value in asdict(run).items() if value is not None}),
        "rules": session.rules_text(),
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
    run = _run(state["run"])
    if run.clock != clock:
        raise StateError(f"the state counts {run.clock}s and this scheduler {clock}s; write Run(clock={run.clock!r})")
    try:
        plan = Plan.from_text(state["plan"])
    except PreheatError as error:
        raise StateError(f"the saved plan cannot be read: {error}") from None
    rules, states = rules_from_text(state["rules"])
    session = Session(plan, rules, _position(state["position"], run))
    session.states = states
    return Saved(_count(state, "last_epoch", 0), _count(state, "_step_count", 0), session, run)


def resolved(saved: Saved, own: Session, given: Plan, run: Run, policy: str) -> tuple[Session, Run]:
    """The session to go on with, and its run: the own plan and rules, or what the policy says where they differ."""
    then = saved.session
    source = then if policy == "keep" else own
    session = Session(source.plan, source.rules, then.position)
    session.take_over(then)
    if own.rules != then.rules and policy == "refuse":
        raise StateError(
            f"the rules have changed since this state was saved: they were {shown(then.rules, 300)} and are "
            f"{shown(own.rules, 300)}. Pass on_change='adopt' for the new ones, or 'keep' for the saved ones"
        )
    if run.total is None and saved.run.total is not None and _was_finished(given, saved.run, then.plan):
        session.plan, run = then.plan, saved.run  # the end, not known when this one was built, had been decided
    elif policy in ("refuse", "rebase"):
        session.plan = _checked_plan(then, session, policy, tick_of(run))
    return session, run


def _was_finished(given: Plan, run: Run, plan: Plan) -> bool:
    try:
        return laid_out(given, run) == plan
    except PreheatError:  # what is given now does not even fit
        return False


def _checked_plan(then: Session, session: Session, policy: str, tick: int | None) -> Plan:
    plan, position = session.plan, then.position
    change = None if then.plan == plan else first_change(then.plan, plan, position, tick=tick)
    if policy == "rebase" and (change or then.gain != session.gain):
        if not session.gain:
            raise StateError("cannot rebase: the new rules make the rate 0; pass on_change='adopt'")
        return rebased(then.plan, plan, position, then.gain / session.gain)
    if change is None:
        return plan
    raise StateError(
        f"the plan has changed since this state was saved: {change}. Pass on_change='adopt' for the new plan, "
        f"'keep' for the saved one, or 'rebase' for the new one scaled to go on from the value in force. "
        f"Saved: {shown(then.plan, 300)}; new: {shown(plan, 300)}"
    )


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
