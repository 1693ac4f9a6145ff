"""What changes while a run goes on, and all that is saved of it: the position, and one small dict per rule."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import Line, Plan
from preheat.core.spans import Run
from preheat.session.rules import Rule, State, rule_from_data


class Session:
    """A bound plan, where it is, and what its rules have seen. `value = gain · s(position)`, the gain for rates only."""

    def __init__(self, plan: Plan, rules: Sequence[Rule] = (), position: float = 0) -> None:
        self.plan, self.rules, self.position = plan, tuple(rules), position
        self.states: list[State] = [rule.start() for rule in self.rules]

    def advance(self, ticks: float) -> None:
        """Let time pass, unless a rule holds it; whatever is passed on the way to where a rule holds is passed."""
        if any(rule.holds(state, self.position) for rule, state in self._pairs()):
            self.states = [rule.waited(state, ticks) for rule, state in self._pairs()]
        else:
            self.position += ticks

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Tell the rules what was measured; what no rule listens to may be anything.

        Raises PreheatError, having told none, for a metric that is no number, or if no rule listens to any of them.
        """
        if not isinstance(metrics, Mapping):
            raise PreheatError(f"metrics are given by name, such as {{'loss': 0.1}}, not {shown(metrics)}")
        known = {rule.metric for rule in self.rules}
        values = {name: _measured(name, value) for name, value in metrics.items() if name in known}
        if known and metrics and not values:
            first = str(next(iter(metrics)))
            raise PreheatError(f"no rule listens to {', '.join(map(repr, metrics))}{nearest(first, known)}")
        self.states = [
            rule.observe(state, values[rule.metric], self.position) if rule.metric in values else state
            for rule, state in self._pairs()
        ]

    def _pairs(self) -> Iterable[tuple[Rule, State]]:
        return zip(self.rules, self.states, strict=True)

    @property
    def gain(self) -> float:
        """What the rules make of the rate at this position."""
        gains = (rule.gain(state, self.position) for rule, state in self._pairs())
        return math.prod(gains, start=1.0)

    def value(self, line: Line) -> float:
        """The value of a line now."""
        value = line.schedule.function(self.position)
        return value * self.gain if self.rules and line.hyper == "lr" else value

    def rules_text(self) -> str:
        """The rules and their states as JSON: what a checkpoint holds."""
        return json.dumps([{"rule": rule.to_data(), "state": state} for rule, state in self._pairs()])

    def take_over(self, then: Session) -> None:
        """Go on with what the rules of another session have seen, each rule with what its like saw there."""
        seen = list(then._pairs())
        for i, rule in enumerate(self.rules):
            like = [j for j, (old, _) in enumerate(seen) if type(old) is type(rule) and old.metric == rule.metric]
            if like:
                self.states[i] = seen.pop(next((j for j in like if seen[j][0] == rule), like[0]))[1]


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
        try:
            value = value.item()
        except (RuntimeError, TypeError, ValueError):
            raise PreheatError(f"the metric {name!r} must be one number, not {shown(value)}; write .mean()") from None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise PreheatError(f"the metric {name!r} must be a number, not {shown(value)}")
    return float(value)
