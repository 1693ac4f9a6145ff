"""The rule that stays at a moment of the schedule until a metric stalls."""

from __future__ import annotations

from dataclasses import dataclass

from preheat.core.errors import StateError
from preheat.core.spans import SpanLike
from preheat.session.plateau import StallRule
from preheat.session.rules import State, length_of


@dataclass(frozen=True, kw_only=True)
class HoldUntil(StallRule):
    """Stay at a moment of the schedule until a metric stalls, then go on: a stable phase of whatever length it needs.

    metric, patience, threshold, threshold_mode, mode: as in Plateau.   at: the span after which time stands still.

    >>> from preheat import Run
    >>> rule = HoldUntil("loss", at=100, patience=0).bind(Run())
    >>> rule.holds(rule.start(), 99), rule.holds(rule.start(), 100)
    (False, True)

    Raises PreheatError for values out of range.
    """

    at: SpanLike = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "at", length_of(self.at, "at"))

    def start(self) -> State:
        return {"best": None, "bad": 0, "released": 0}

    def observe(self, state: State, value: float, position: float) -> State:
        if state["released"] or position < self.at.value:  # type: ignore[union-attr, operator]
            return state
        state = self.counted(state, value)
        return {**state, "released": int(state["bad"] > self.patience)}

    def checked(self, state: object) -> State:
        read = super().checked(state)
        if read["released"] not in (0, 1):
            raise StateError("released in the state of HoldUntil is 0 or 1", given=read["released"])
        return read

    def holds(self, state: State, position: float) -> bool:
        return not state["released"] and position >= self.at.value  # type: ignore[union-attr, operator]
