"""The rules: immutable, each with a small dict of plain values as its state.

    value(t) = gain · s(position)

A rule sees a position and a dict of numbers. It may set the gain, or hold the position; whoever needs more measures it
and passes the number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.numbers import positive, real
from preheat.core.spans import Edge, Run, Span, SpanLike

State = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """What every rule has: the metric that it listens to, by name."""

    metric: str

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

    def to_data(self) -> dict[str, Any]:
        """The rule as plain data."""
        plain = {key: value["value"] if isinstance(value, dict) else value for key, value in asdict(self).items()}
        return {"kind": type(self).__name__, **plain}

    def checked(self, state: object) -> State:
        """A state read from a checkpoint; refused unless it has this rule's keys and finite numbers or None."""
        expected = self.start()
        if not isinstance(state, dict) or set(state) != set(expected):
            raise StateError(
                f"the state of {type(self).__name__} has the keys {', '.join(expected)}; not {shown(state)}"
            )
        for key, value in state.items():
            if value is not None and (isinstance(value, str) or not math.isfinite(real(value, key))):
                raise StateError(f"{key} of {type(self).__name__} is a number or None, not {shown(value)}")
        return dict(state)

    def _check_metric(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise PreheatError(f"a rule listens to a metric by name, such as 'loss'; not {shown(self.metric)}")


@dataclass(frozen=True, kw_only=True)
class _Stalls(Rule):
    """What rules that wait for a metric to stall have in common: when a value counts as better, and how long to wait."""

    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    mode: str = "min"

    def __post_init__(self) -> None:
        self._check_metric()
        _one_of("mode", self.mode, ("min", "max"))
        _one_of("threshold_mode", self.threshold_mode, ("rel", "abs"))
        if real(self.threshold, "threshold") < 0:
            raise PreheatError(f"threshold cannot be negative: {shown(self.threshold)}")
        _count("patience", self.patience)

    def better(self, value: float, best: float | None) -> bool:
        """Whether `value` improves on `best` by more than the threshold; NaN never does."""
        if best is None:
            return not math.isnan(value)
        sign = 1.0 if self.mode == "max" else -1.0
        relative = self.threshold_mode == "rel"
        bar = best * (1.0 + sign * self.threshold) if relative else best + sign * self.threshold
        return value > bar if self.mode == "max" else value < bar

    def counted(self, state: State, value: float) -> State:
        """The state with the best value so far and how many were no better since."""
        if self.better(value, state["best"]):
            return {**state, "best": _finite(value), "bad": 0}
        return {**state, "bad": state["bad"] + 1}


@dataclass(frozen=True, kw_only=True)
class Plateau(_Stalls):
    """Scale the rate down when a metric stalls: torch's ReduceLROnPlateau, composed with any schedule.

        gain ← max(gain · factor, min)   after more than `patience` values that were no better

    metric: its name in `step(metrics={...})`.   factor: 0 < factor < 1.   patience: values, ≥ 0.
    threshold, threshold_mode: how much better counts: "rel" best·(1 ± threshold), "abs" best ± threshold.
    mode: "min" or "max".   cooldown: values to ignore after a cut.   min: the least gain, a factor of the schedule.
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
    after: SpanLike = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < real(self.factor, "factor") < 1:
            raise PreheatError(f"the factor of Plateau lies between 0 and 1, not {shown(self.factor)}")
        if not 0 <= real(self.min, "min") <= 1:
            raise PreheatError(f"min of Plateau is a factor from 0 to 1, not {shown(self.min)}")
        _count("cooldown", self.cooldown)
        object.__setattr__(self, "after", Span(self.after))

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


@dataclass(frozen=True, kw_only=True)
class HoldUntil(_Stalls):
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
        object.__setattr__(self, "at", Span(self.at))

    def start(self) -> State:
        return {"best": None, "bad": 0, "released": 0}

    def observe(self, state: State, value: float, position: float) -> State:
        if state["released"] or position < self.at.value:  # type: ignore[union-attr, operator]
            return state
        state = self.counted(state, value)
        return {**state, "released": int(state["bad"] > self.patience)}

    def holds(self, state: State, position: float) -> bool:
        return not state["released"] and position >= self.at.value  # type: ignore[union-attr, operator]


@dataclass(frozen=True, kw_only=True)
class Rewarm(Rule):
    """After a spike of a metric back off and warm up again.

        gain(t) = backoff + (1 − backoff) · min(1, (t − t_spike)/n)

    A value is a spike if it is not finite, or more than `threshold` standard deviations above the running mean (both
    exponential, weight 0.97), once `settle` values have been seen. Spikes do not enter the mean.

    metric: its name.   span: the length n of the new warmup.   backoff: the gain at the spike, from 0 to below 1.
    threshold: in standard deviations, > 0.   settle: values, ≥ 2.

    >>> from preheat import Run
    >>> rule = Rewarm("loss", span=100).bind(Run())
    >>> state = rule.start()
    >>> for loss in [2.0, 2.1] * 20 + [9.0]:
    ...     state = rule.observe(state, loss, position=50)
    >>> rule.gain(state, 50), rule.gain(state, 100), rule.gain(state, 150)
    (0.1, 0.55, 1.0)

    Raises PreheatError for values out of range. Kumar et al. 2025, arXiv:2504.02507 (the exponential z-score).
    """

    span: SpanLike = 100
    backoff: float = 0.1
    threshold: float = 6.0
    settle: int = 25

    def __post_init__(self) -> None:
        self._check_metric()
        if not 0 <= real(self.backoff, "backoff") < 1:
            raise PreheatError(f"backoff of Rewarm lies from 0 to below 1, not {shown(self.backoff)}")
        positive(self.threshold, "threshold")
        _count("settle", self.settle)
        object.__setattr__(self, "span", Span(self.span))

    def start(self) -> State:
        return {"seen": 0, "mean": 0.0, "variance": 0.0, "since": None}

    def observe(self, state: State, value: float, position: float) -> State:
        gap = value - state["mean"]
        settled = state["seen"] >= max(2, self.settle)
        if not math.isfinite(value) or (settled and gap > self.threshold * math.sqrt(state["variance"]) > 0):
            return {**state, "since": position}
        if state["seen"] == 0:
            return {**state, "seen": 1, "mean": value}
        variance = _KEPT * (state["variance"] + (1.0 - _KEPT) * gap * gap)
        return {**state, "seen": state["seen"] + 1, "mean": state["mean"] + (1.0 - _KEPT) * gap, "variance": variance}

    def gain(self, state: State, position: float) -> float:
        passed, length = position - (state["since"] or 0), self.span.value  # type: ignore[union-attr]
        if state["since"] is None or passed >= length:  # type: ignore[operator]
            return 1.0
        return self.backoff + (1.0 - self.backoff) * (passed / length)  # type: ignore[operator]


_KEPT = 0.97
KINDS: dict[str, type[Rule]] = {kind.__name__: kind for kind in (Plateau, HoldUntil, Rewarm)}


def rule_from_data(data: object) -> Rule:
    """The rule that `to_data` described; raises PreheatError for anything else."""
    if not isinstance(data, Mapping) or (kind := data.get("kind")) not in KINDS:
        raise PreheatError(f"a rule as data is a mapping with a 'kind'{nearest('', KINDS)}; not {shown(data)}")
    try:
        return KINDS[kind](**{key: value for key, value in data.items() if key != "kind"})
    except TypeError as error:
        raise PreheatError(f"{kind}: {error}") from None


def _finite(value: float) -> float:
    return max(-1.7976931348623157e308, min(value, 1.7976931348623157e308))


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PreheatError(f"unknown {name} {shown(value)}{nearest(str(value), known)}")


def _count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PreheatError(f"{name} is a whole number of at least 0, not {shown(value)}")
