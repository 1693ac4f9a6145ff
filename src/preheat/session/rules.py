"""What a rule is: immutable, with a small dict of plain values as its state.

    value(t) = gain · s(position)

A rule sees a position and a dict of numbers. It may set the gain, or hold the position; whoever needs more measures it
and passes the number.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.spans import Edge, Run, Span, SpanLike

State = dict[str, Any]
LARGEST = sys.float_info.max
KINDS: dict[str, type[Rule]] = {}  # by name: a rule of your own is known once its class exists


@dataclass(frozen=True)
class Rule:
    """What every rule has: the metric that it listens to, by name."""

    metric: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__name__.startswith("_"):
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

    def gain(self, state: State, position: float) -> float:
        """What the schedule's value is multiplied with at `position`."""
        return 1.0

    def holds(self, state: State, position: float) -> bool:
        """Whether time stands still at `position`."""
        return False

    def waited(self, state: State, ticks: float) -> State:
        """The state after `ticks` have passed during which another rule held the position."""
        return state

    def to_data(self) -> dict[str, Any]:
        """The rule as plain data."""
        plain = {key: value["value"] if isinstance(value, dict) else value for key, value in asdict(self).items()}
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
                raise StateError(f"{key} in the state of {kind} is like {first!r} at the start, not {shown(value)}")
        return dict(state)

    def _check_metric(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise PreheatError(f"a rule listens to a metric by name, such as 'loss'; not {shown(self.metric)}")


def rule_from_data(data: object) -> Rule:
    """The rule that `to_data` described; raises PreheatError for anything else."""
    if not isinstance(data, Mapping) or (kind := str(data.get("kind"))) not in KINDS:
        raise PreheatError(f"a rule as data is a mapping with a 'kind', not {shown(data)}; known: {', '.join(KINDS)}")
    try:
        return KINDS[kind](**{key: value for key, value in data.items() if key != "kind"})
    except TypeError as error:
        raise PreheatError(f"{kind}: {error}") from None


def finite(value: float) -> float:
    """The same, an infinity as the largest number: a state is JSON."""
    return max(-LARGEST, min(value, LARGEST))


def told(value: SpanLike, what: str) -> Span:
    span = Span(value)
    if span.is_rest:
        raise PreheatError(f"{what} of a rule cannot be 'rest'; write a length such as 1000, '2 epochs' or '5%'")
    return span


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PreheatError(f"unknown {name} {shown(value)}{nearest(str(value), known)}")


def count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PreheatError(f"{name} is a whole number of at least 0, not {shown(value)}")
