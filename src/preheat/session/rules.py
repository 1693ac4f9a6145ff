"""What a rule is: immutable, with a small dict of plain values as its state.

    value(t) = gain · s(position)

A rule sees a position and a dict of numbers. It may set the gain of all rates or of one group's, bound what that leaves of
a rate from below, or hold the position; whoever needs more measures it and passes the number.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Self

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Edge, Run, Span, SpanLike, lasting

State = dict[str, Any]
LARGEST = sys.float_info.max
KINDS: dict[str, type[Rule]] = {}  # by name: a rule of your own is known once its class exists


@dataclass(frozen=True)
class Rule:
    """What every rule has: the metric that it listens to, by name."""

    metric: str
    group = None  # the group whose rate it scales, by name; None: all

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.start is not Rule.start:  # an abstract one cannot be saved
            KINDS[cls.__name__] = cls

    def bind(self, run: Run) -> Self:
        """The rule with every span in ticks of `run`."""
        spans = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Span)}
        return replace(self, **{name: Span(span.measured(run, Edge())) for name, span in spans.items()})

    def start(self) -> State:
        """The state before anything was seen."""
        raise NotImplementedError

    def observe(self, state: State, value: float, position: float) -> State:
        """The state after the metric was `value` at `position`."""
        raise NotImplementedError

    def observe_at(self, state: State, value: float, position: float, updates: int) -> State:
        """The same, for a rule that needs to know how many updates had been counted too."""
        return self.observe(state, value, position)

    def gain(self, state: State, position: float) -> float:
        """What the schedule's value is multiplied with at `position`."""
        return 1.0

    def floor(self, called: Sequence[str], place: int | None) -> float:
        """The rate below which the gain does not bring a group, by what it may be called and its place; 0 for none."""
        return 0.0

    def check_floors(self, called: Sequence[Sequence[str]]) -> None:
        """Refuse floors that are not those of the groups; `called`: what each of them may be called."""

    @property
    def has_floor(self) -> bool:
        """Whether it bounds a rate from below."""
        return False

    def holds(self, state: State, position: float) -> bool:
        """Whether time stands still at `position`."""
        return False

    def after_hold(self, state: State, ticks: float) -> State:
        """The state after `ticks` during which another rule held the position."""
        return state

    def to_data(self) -> dict[str, Any]:
        """The rule as plain data."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: value.plain if isinstance(value, Span) else value for name, value in values.items()}
        return {"kind": type(self).__name__, **plain}

    def checked(self, state: object) -> State:
        """A state read from a checkpoint; refused unless it has this rule's keys, each with a value of its kind."""
        kind, expected = type(self).__name__, self.start()
        if not isinstance(state, dict) or set(state) != set(expected):
            raise StateError(f"the state of {kind} has the keys {', '.join(expected)}; not {shown(state)}")
        for key, first in expected.items():
            value = state[key]
            number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
            whole = number and isinstance(value, int) and value >= 0
            if not (whole if isinstance(first, int) else number or (first is None and value is None)):
                raise StateError(f"{key} in the state of {kind} is like {first!r} at the start", given=value)
        return dict(state)

    def _check_metric(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise PreheatError(f"a rule listens to a metric by name, such as 'loss'; not {shown(self.metric)}")


def rule_from_data(data: object) -> Rule:
    """The rule that `to_data` described; raises PreheatError for anything else."""
    if not isinstance(data, Mapping) or (kind := str(data.get("kind"))) not in KINDS:
        known = " or ".join(repr(kind) for kind in KINDS)
        raise PreheatError("a rule as data is a mapping with a 'kind'", given=data, write=f"write {known} there")
    arguments = {str(key): value for key, value in data.items() if key != "kind"}
    names = [field.name for field in fields(KINDS[kind])]
    for name in arguments:
        if name not in names:
            raise PreheatError(f"{kind} takes no {shown(name)}{nearest(name, names)}")
    if missing := [name for name in needed(KINDS[kind]) if name not in arguments]:
        what = f"{kind} lacks {', '.join(missing)}"
        raise PreheatError(what, given=dict(data), write=f"write for example {{'kind': {kind!r}, 'metric': 'loss'}}")
    try:
        return KINDS[kind](**arguments)
    except TypeError as error:
        raise PreheatError(f"{kind}: {error}") from None


def needed(kind: type[Rule]) -> list[str]:
    """The fields of a kind without which it is nothing: those that have no default."""
    return [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]


def check_name(group: object) -> None:
    """Refuse what is no name of a group."""
    if group is not None and (not isinstance(group, str) or not group):
        raise PreheatError(
            "a group is named as in a plan", given=group, write="write its name, or its place such as '0'"
        )


def clamped(value: float) -> float:
    """The same, an infinity as the largest number: a state is JSON."""
    return max(-LARGEST, min(value, LARGEST))


def length_of(value: SpanLike, what: str) -> Span:
    """A span that a rule can wait for; a bare number below 1 is refused, as in `warmup(0.05)`."""
    span = Span(lasting(what, value))
    if span.is_rest:
        raise PreheatError(
            f"{what} of a rule cannot be 'rest'", write="write a length such as 1000, '2 epochs' or '5%'"
        )
    return span


def read_rules(rules: object) -> tuple[Rule, ...]:
    """Rules, some of them perhaps as data; refuses what is not a list of them."""
    listed = isinstance(rules, Sequence) and not isinstance(rules, str | bytes)
    if not listed or not all(isinstance(rule, Rule | Mapping) for rule in rules):  # type: ignore[attr-defined]
        raise PreheatError(f"rules= takes a list of rules, such as [Plateau('loss')]; not {shown(rules)}")
    return tuple(rule if isinstance(rule, Rule) else rule_from_data(rule) for rule in rules)  # type: ignore[attr-defined]


def bound_rules(rules: Iterable[Rule], run: Run) -> tuple[Rule, ...]:
    """The rules with their spans in ticks of `run`."""
    return tuple(rule.bind(run) for rule in rules)


def check_floors(rules: Iterable[Rule], called: Sequence[Sequence[str]]) -> None:
    """Refuse rules whose floors are not those of the groups; `called`: what each of them may be called."""
    for rule in rules:
        rule.check_floors(called)


def check_groups(rules: Iterable[Rule], plan: Plan) -> None:
    """Refuse a rule for one group whose rate has no line of its own: a line is scaled as a whole."""
    keys = [line.key for line in plan.lines if line.is_rate]
    for rule in rules:
        if rule.group is not None and (key := f"{rule.group}/{RATE}") not in keys:
            raise PreheatError(
                f"{type(rule).__name__} scales the group {rule.group!r}, and the plan has no line {key!r}, "
                f"only {', '.join(keys) or 'none for ' + repr(RATE)}",
                write=f"write Plan({{'lr': s, {key!r}: s}})",
            )


def combined_gain(
    rules: Sequence[Rule], states: Sequence[State], position: float, group: str | None = None, *, floored: bool = True
) -> float:
    """What all rules for a group together make of its rate at a position; group=None: those for all groups.

    floored=False leaves out those that bound a rate from below.
    """
    gains = [
        gain_of(rule, state, position)
        for rule, state in zip(rules, states, strict=True)
        if rule.group in (None, group) and (floored or not rule.has_floor)
    ]
    return finite_number(math.prod(gains, start=1.0), "the product of the rules' gains")


def gain_of(rule: Rule, state: State, position: float) -> float:
    """What a rule multiplies rates with; refused where that is no number of at least 0."""
    return _of_a_rule(rule, "gain", rule.gain(state, position))


def floor_of(rule: Rule, called: Sequence[str], place: int | None) -> float:
    """The rate below which a rule brings no group; refused where that is no number of at least 0."""
    return _of_a_rule(rule, "floor", rule.floor(called, place))


def _of_a_rule(rule: Rule, word: str, value: object) -> float:
    if type(value) is float and 0.0 <= value < math.inf:  # most often, and quickly
        return value
    what = f"the {word} of {type(rule).__name__}"
    number = finite_number(value, what)
    if number < 0:
        raise PreheatError(f"{what} must be at least 0", given=value)
    return number


def carried_over(rules: Sequence[Rule], saved: Sequence[Rule], states: Sequence[State]) -> list[State]:
    """The states of rules that go on with what others have seen: each with that of its like, the others from the start."""
    carried, left = [rule.start() for rule in rules], list(zip(saved, states, strict=True))
    for i, rule in enumerate(rules):
        alike = [j for j, (old, _) in enumerate(left) if _is_like(old, rule)]
        if alike:
            carried[i] = left.pop(next((j for j in alike if left[j][0] == rule), alike[0]))[1]
    return carried


def _is_like(old: Rule, new: Rule) -> bool:
    """Whether what one has seen can be what the other has seen."""
    return type(old) is type(new) and (old.metric, old.group) == (new.metric, new.group)


def rules_to_text(rules: Iterable[Rule], states: Iterable[State]) -> str:
    """The rules and their states as JSON: what a checkpoint holds."""
    pairs = zip(rules, states, strict=True)
    return json.dumps([{"rule": rule.to_data(), "state": state} for rule, state in pairs])


def rules_from_text(text: object) -> tuple[list[Rule], list[State]]:
    """The rules and states that `rules_to_text` wrote; raises StateError for anything else. Nothing is evaluated."""
    try:
        rows = json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"the rules of the state cannot be read from {shown(text)}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and set(row) == {"rule", "state"} for row in rows):
        raise StateError("the rules of a state are a list of rules with their states", given=rows)
    try:
        rules = [rule_from_data(row["rule"]) for row in rows]
    except PreheatError as error:
        what = f"the rules of the state cannot be read: {error.reason}"
        raise error.restated(StateError, what) from None
    for rule in rules:
        spans = {f.name: value for f in fields(rule) if isinstance(value := getattr(rule, f.name), Span)}
        if written := [f"{name}={span}" for name, span in spans.items() if not span.is_bare]:
            what = f"the rules of a state have their lengths in ticks, and {type(rule).__name__} has {written[0]}"
            raise StateError(what)
    return rules, [rule.checked(row["state"]) for rule, row in zip(rules, rows, strict=True)]
