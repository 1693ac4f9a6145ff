"""What changes while a run goes on, and all that is saved of it: the position, and one small dict per rule."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from preheat.control.rules import Rule, State, rule_from_data
from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import Line, Plan
from preheat.core.spans import Run


class Session:
    """A bound plan, where it is, and what its rules have seen. `value = gain · s(position)`, the gain for rates only."""

    def __init__(self, plan: Plan, rules: Sequence[Rule] = (), position: float = 0) -> None:
        self.plan, self.rules, self.position = plan, tuple(rules), position
        self.states: list[State] = [rule.start() for rule in self.rules]

    def advance(self, ticks: float) -> None:
        """Let time pass, unless a rule holds it; whatever is passed on the way to where a rule holds is passed."""
        if not any(rule.holds(state, self.position) for rule, state in zip(self.rules, self.states, strict=True)):
            self.position += ticks

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Tell the rules what was measured. Raises PreheatError, having told none, for a metric that is no number."""
        values = {name: _measured(name, value) for name, value in metrics.items()}
        known = {rule.metric for rule in self.rules}
        for name in known:
            if not known & set(values):
                raise PreheatError(f"no rule listens to {', '.join(values) or 'nothing'}{nearest(name, known)}")
        pairs = zip(self.rules, self.states, strict=True)
        self.states = [
            rule.observe(state, values[rule.metric], self.position) if rule.metric in values else state
            for rule, state in pairs
        ]

    @property
    def gain(self) -> float:
        """What the rules make of the rate at this position."""
        gains = (rule.gain(state, self.position) for rule, state in zip(self.rules, self.states, strict=True))
        return math.prod(gains, start=1.0)

    def value(self, line: Line) -> float:
        """The value of a line now."""
        value = line.schedule.function(self.position)
        return value * self.gain if self.rules and line.hyper == "lr" else value

    def rules_text(self) -> str:
        """The rules and their states as JSON: what a checkpoint holds."""
        pairs = zip(self.rules, self.states, strict=True)
        return json.dumps([{"rule": rule.to_data(), "state": state} for rule, state in pairs])


def checked_rules(rules: object, run: Run) -> tuple[Rule, ...]:
    """The rules with their spans in ticks of `run`; refuses what is not a list of rules."""
    if not isinstance(rules, list | tuple) or not all(isinstance(rule, Rule) for rule in rules):
        raise PreheatError(f"rules= takes a list of rules, such as [Plateau('loss')]; not {shown(rules)}")
    return tuple(rule.bind(run) for rule in rules)


def rules_from_text(text: object) -> tuple[list[Rule], list[State]]:
    """The rules and states that `rules_text` wrote; raises StateError for anything else. Nothing is evaluated."""
    try:
        rows = json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"the rules of the state cannot be read from {shown(text)}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and set(row) == {"rule", "state"} for row in rows):
        raise StateError(f"the rules of a state are a list of rules with their states, not {shown(rows)}")
    try:
        rules = [rule_from_data(row["rule"]) for row in rows]
    except PreheatError as error:
        raise StateError(f"the rules of the state cannot be read: {error}") from None
    return rules, [rule.checked(row["state"]) for rule, row in zip(rules, rows, strict=True)]


def _measured(name: str, value: Any) -> float:
    if hasattr(value, "item") and not isinstance(value, numbers.Real):  # a tensor or array of one number
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise PreheatError(f"the metric {name!r} must be a number, not {shown(value)}")
    return float(value)
