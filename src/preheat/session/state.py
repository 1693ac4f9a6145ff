"""What a checkpoint holds of a session. The keys are for ever.

The values are ints, floats and text, constant in the number of groups; the plan is the bound plan as text, read as data and
compared as a value.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from preheat.core.checks import MOST_TICKS, whole_number
from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import read_plan
from preheat.session.bases import SavedBases, bases_from_text
from preheat.session.rules import Rule, State, combined_gain, rules_from_text

FORMAT = 2
KEYS = ("format", "last_epoch", "_step_count", "position", "plan", "run", "rules", "bases")


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a checkpoint, checked and read.

    updates: applied so far; −1 of a member of torch's SequentialLR that has not begun.   steps: calls of `step()` that
    counted, and one.   position: in ticks of the run's clock.   bases: what factors multiply, where that was known.
    """

    updates: int
    steps: int
    position: float
    plan: Plan
    run: Run
    rules: tuple[Rule, ...]
    states: list[State]
    bases: SavedBases

    @property
    def gain(self) -> float:
        """What the rules made of the rate when it was saved."""
        return combined_gain(self.rules, self.states, self.position)


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a session goes on from a saved state: with this plan, run, rules and their states."""

    saved: Saved
    plan: Plan
    run: Run
    rules: tuple[Rule, ...]
    states: list[State]


def run_to_text(run: Run) -> str:
    """The run as JSON, without what is not known of it."""
    return json.dumps({name: value for name in run.__match_args__ if (value := getattr(run, name)) is not None})


def from_state(state: object, own_plan: tuple[str, Plan], own_run: tuple[str, Run]) -> Saved:
    """A state read and checked; refuses what is missing, unknown, ill-typed or out of range.

    own_plan, own_run: the reader's own as text and value: the same text need not be read again.
    """
    given = _with_known_keys(state)
    if _count(given, "format", 1) != FORMAT:
        raise StateError(
            f"the state has format {given['format']}, and this preheat knows {FORMAT}",
            write="use a newer preheat" if given["format"] > FORMAT else "resume it with the preheat that saved it",
        )
    for key in ("plan", "run", "rules", "bases"):
        if not isinstance(given[key], str):
            raise StateError(f"{key} in the scheduler's state is text", given=given[key])
    run = own_run[1] if given["run"] == own_run[0] else _run(given["run"])
    plan = own_plan[1] if given["plan"] == own_plan[0] else _plan(given["plan"])
    rules, states = rules_from_text(given["rules"])
    counts = _count(given, "last_epoch", -1), _count(given, "_step_count", 0)
    position, bases = _position(given["position"], run), bases_from_text(given["bases"])
    if counts[0] == -1 and position:
        raise StateError("a scheduler that has not begun stands at position 0", given=position)
    return Saved(*counts, position, plan, run, tuple(rules), states, bases)


def _with_known_keys(state: object) -> dict[str, Any]:
    if not isinstance(state, dict):
        raise StateError("a scheduler's state is a dict", given=state)
    if "base_lrs" in state and "plan" not in state:
        raise StateError(
            f"that is the state of another scheduler, with {', '.join(map(repr, state))}, and not of preheat's",
            write="load the optimizer's state alone, and write .shifted(-n) to begin at update n of the schedule",
        )
    for key in state:
        if key not in KEYS:
            raise StateError(f"a scheduler's state has no key {shown(key)}{nearest(str(key), KEYS)}")
    if missing := [key for key in KEYS if key not in state]:
        raise StateError(f"the scheduler's state lacks {', '.join(missing)}; was it saved by preheat?")
    return state


def _count(state: dict[str, Any], key: str, least: int) -> int:
    try:
        return whole_number(state[key], f"{key} in the scheduler's state", least)
    except PreheatError as error:
        raise error.restated(StateError, error.reason) from None


def _position(value: object, run: Run) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    fraction = isinstance(value, float) and run.clock == "second" and math.isfinite(value)
    if not (whole or fraction) or not 0 <= value <= MOST_TICKS:  # type: ignore[operator]
        raise StateError(f"position in the scheduler's state must be a number of {run.clock}s", given=value)
    return value  # type: ignore[return-value]


def _run(text: object) -> Run:
    what = f"the saved run cannot be read from {shown(text)}"
    try:
        return Run(**json.loads(text))  # type: ignore[arg-type]
    except PreheatError as error:
        raise error.restated(StateError, f"{what}: {error.reason}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"{what}: {error}") from None


def _plan(text: Any) -> Plan:
    try:
        return read_plan(text)
    except PreheatError as error:
        raise error.restated(StateError, f"the saved plan cannot be read: {error.reason}") from None
