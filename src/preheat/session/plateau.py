"""The rule that scales the rate down when a metric stalls, and what it shares with others that wait for that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preheat.core.checks import finite_number, one_of, whole_number
from preheat.core.errors import PreheatError, StateError, nearest
from preheat.core.spans import SpanLike
from preheat.session.rules import Rule, State, check_name, length_of

_INFINITE = ("inf", "-inf")  # a state is JSON, which has no number for them


@dataclass(frozen=True, kw_only=True)
class StallRule(Rule):
    """What rules that wait for a metric to stall have in common: when a value counts as better, and how long to wait."""

    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    mode: str = "min"

    def __post_init__(self) -> None:
        self._check_metric()
        one_of(self.mode, "mode", ("min", "max"))
        one_of(self.threshold_mode, "threshold_mode", ("rel", "abs"))
        if finite_number(self.threshold, "threshold") < 0:
            raise PreheatError(f"threshold cannot be negative: {self.threshold!r}")
        whole_number(self.patience, "patience")

    def better(self, value: float, best: float | str | None) -> bool:
        """Whether `value` improves on `best` by more than the threshold; NaN never does."""
        sign = 1.0 if self.mode == "max" else -1.0
        best = -sign * math.inf if best is None else float(best)
        relative = self.threshold_mode == "rel"
        bar = best * (1.0 + sign * self.threshold) if relative else best + sign * self.threshold
        return value > bar if self.mode == "max" else value < bar

    def counted(self, state: State, value: float) -> State:
        """The state with the best value so far and how many were no better since."""
        if self.better(value, state["best"]):
            return {**state, "best": value if math.isfinite(value) else repr(value), "bad": 0}
        return {**state, "bad": state["bad"] + 1}

    def checked(self, state: object) -> State:
        best = state.get("best") if isinstance(state, dict) else None
        if best not in _INFINITE:
            return super().checked(state)
        return {**super().checked({**state, "best": None}), "best": best}  # type: ignore[dict-item]


@dataclass(frozen=True, kw_only=True)
class Plateau(StallRule):
    """Scale the rate down when a metric stalls: torch's ReduceLROnPlateau, composed with any schedule.

        gain ← max(gain · factor, min)   after more than `patience` values that were no better

    metric: its name in `step(metrics={...})`.   factor: 0 < factor < 1.   patience: values, ≥ 0.
    threshold, threshold_mode: how much better counts: "rel" best·(1 ± threshold), "abs" best ± threshold.
    mode: "min" or "max".   cooldown: values to ignore after a cut.   min: the least gain, a factor of the schedule.
    min_lr: the rate below which no cut brings a group: one for all, a list with one for each, or a mapping from names of
        groups. Where the schedule itself is lower, it is not raised.
    group: the group whose rate it scales, if not all: the plan needs a line for it, such as "head/lr".
    after: a span; what is seen earlier is not counted, so that a warmup is not taken for a stall.

    >>> from preheat import Run
    >>> rule = Plateau("loss", factor=0.5, patience=1).bind(Run())
    >>> state = rule.start()
    >>> for loss in (1.0, 1.0, 1.0):
    ...     state = rule.observe(state, loss, position=0)
    >>> rule.gain(state, position=0)
    0.5

    Raises PreheatError for values out of range. PyTorch, torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    factor: float = 0.1
    cooldown: int = 0
    min: float = 0.0
    min_lr: Any = 0.0
    group: str | None = None  # pyrefly: ignore[bad-override]
    after: SpanLike = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < finite_number(self.factor, "factor") < 1:
            raise PreheatError("the factor of Plateau lies between 0 and 1", given=self.factor)
        if not 0 <= finite_number(self.min, "min") <= 1:
            raise PreheatError("min of Plateau is a factor from 0 to 1", given=self.min)
        whole_number(self.cooldown, "cooldown")
        check_name(self.group)
        object.__setattr__(self, "min_lr", _floors(self.min_lr))
        object.__setattr__(self, "after", length_of(self.after, "after"))

    def to_data(self) -> dict[str, Any]:
        floors = dict(self.min_lr) if _is_named(self.min_lr) else self.min_lr
        return {**super().to_data(), "min_lr": list(floors) if isinstance(floors, tuple) else floors}

    @property
    def has_floor(self) -> bool:
        return self.min_lr != 0

    def floor(self, called: Sequence[str], place: int | None) -> float:
        if not isinstance(self.min_lr, tuple):
            return self.min_lr
        if _is_named(self.min_lr):
            rates = dict(self.min_lr)
            return next((rates[name] for name in called if name in rates), 0.0)
        if place is not None and place >= len(self.min_lr):
            what = f"min_lr of Plateau lists {len(self.min_lr)} rates, and there is a group {place}"
            raise PreheatError(what, write="write one rate, or a mapping from names of groups")
        return 0.0 if place is None else self.min_lr[place]

    def check_floors(self, called: Sequence[Sequence[str]]) -> None:
        if not isinstance(self.min_lr, tuple):
            return
        known = [name for names in called for name in names]
        for name, _ in self.min_lr if _is_named(self.min_lr) else ():
            if name not in known:
                raise PreheatError(f"min_lr of Plateau names no group {name!r}{nearest(name, known)}")
        if not _is_named(self.min_lr) and len(self.min_lr) != len(called):
            what = f"min_lr of Plateau lists one rate for each of {len(called)} groups"
            raise PreheatError(what, given=list(self.min_lr), write="write one rate, or a mapping from names of groups")

    def start(self) -> State:
        return {"best": None, "bad": 0, "cooldown": 0, "gain": 1.0}

    def observe(self, state: State, value: float, position: float) -> State:
        if position < self.after.value:  # type: ignore[union-attr, operator]
            return state
        state = self.counted(state, value)
        if state["cooldown"] > 0:
            state = {**state, "cooldown": state["cooldown"] - 1, "bad": 0}
        if state["bad"] <= self.patience:
            return state
        return {**state, "gain": max(state["gain"] * self.factor, self.min), "cooldown": self.cooldown, "bad": 0}

    def gain(self, state: State, position: float) -> float:
        return state["gain"]

    def checked(self, state: object) -> State:
        read = super().checked(state)
        if not 0 <= read["gain"] <= 1:
            raise StateError("the gain of Plateau lies from 0 to 1", given=read["gain"])
        return read


def _floors(given: Any) -> float | tuple[Any, ...]:
    """A rate for all groups, a tuple with one for each, or a tuple of (name, rate)."""
    if _is_named(given):
        given = dict(given)
    if isinstance(given, Mapping):
        for name in given:
            check_name(name)
        rows = [(name, _rate(rate, f"min_lr of {name!r}")) for name, rate in given.items()]
        return tuple(sorted(rows)) or 0.0
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return tuple(_rate(rate, "a rate of min_lr") for rate in given) or 0.0
    return _rate(given, "min_lr")


def _is_named(floors: object) -> bool:
    return isinstance(floors, tuple) and bool(floors) and isinstance(floors[0], tuple)


def _rate(value: object, what: str) -> float:
    rate = finite_number(value, what)
    if rate < 0:
        raise PreheatError(f"{what} is a rate of at least 0", given=value)
    return rate
