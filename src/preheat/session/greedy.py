"""The rule that raises the rate while a metric improves, and lowers it while it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from preheat.core.checks import finite_number, whole_number
from preheat.core.errors import PreheatError, StateError
from preheat.core.spans import SpanLike
from preheat.session.plateau import StallRule
from preheat.session.rules import State, check_name, clamped, length_of


@dataclass(frozen=True, kw_only=True)
class GreedyLR(StallRule):
    """Raise the rate while a metric improves, lower it while it does not: transformers' GreedyLR, composed with any schedule.

        gain ← min(gain / factor, max)   after more than `patience` values in a row that were each the best so far
        gain ← max(gain · factor, min)   after more than `patience` values in a row that were not

    metric: its name in `step(metrics={...})`.   factor: 0 < factor < 1.   patience: values, ≥ 0.
    threshold, threshold_mode, mode: when a value counts as better, as in Plateau.
    cooldown, warmup: values to ignore after a cut, and after a rise.
    min, max: the least and the greatest gain, factors of the schedule. transformers' min_lr and max_lr are rates: divide
        them by the base rate. By default the rate never rises above the schedule.
    eps: a smaller change of the gain is not made.   smooth: judge the mean of the last `window_size` values that are finite.
    reset_start: cuts that find the gain at min before everything begins again with a gain of 1.
    group: the group whose rate it scales, if not all: the plan needs a line for it, such as "head/lr".
    after: a span; what is seen earlier is not counted.

    >>> from preheat import Run
    >>> rule = GreedyLR("loss", factor=0.5, patience=1, max=4.0).bind(Run())
    >>> state = rule.start()
    >>> for loss in (1.0, 0.9):
    ...     state = rule.observe(state, loss, position=0)
    >>> rule.gain(state, position=0)
    2.0

    Raises PreheatError for values out of range. Subramanian et al. 2025, arXiv:2512.14527.
    """

    threshold: float = 1e-6
    threshold_mode: str = "abs"
    factor: float = 0.95
    cooldown: int = 0
    warmup: int = 0
    min: float = 0.0
    max: float = 1.0
    eps: float = 1e-8
    smooth: bool = False
    window_size: int = 50
    reset_start: int = 500
    group: str | None = None  # pyrefly: ignore[bad-override]
    after: SpanLike = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < finite_number(self.factor, "factor") < 1:
            raise PreheatError("the factor of GreedyLR lies between 0 and 1", given=self.factor)
        if not 0 <= finite_number(self.min, "min") <= finite_number(self.max, "max"):
            raise PreheatError("min and max of GreedyLR are factors of the schedule", given=(self.min, self.max))
        if finite_number(self.eps, "eps") < 0:
            raise PreheatError("eps of GreedyLR is at least 0", given=self.eps)
        if not isinstance(self.smooth, bool):
            raise PreheatError("smooth of GreedyLR is True or False", given=self.smooth)
        for name in ("cooldown", "warmup", "reset_start"):
            whole_number(getattr(self, name), name)
        whole_number(self.window_size, "window_size", 1)
        check_name(self.group)
        object.__setattr__(self, "after", length_of(self.after, "after"))

    def start(self) -> State:
        first = {"best": None, "good": 0, "bad": 0, "ignored": 0, "resets": self.reset_start, "gain": 1.0}
        return {**first, "sum": 0.0, "window": []} if self.smooth else first

    def observe(self, state: State, value: float, position: float) -> State:
        if position < self.after.value:  # type: ignore[union-attr, operator]
            return state
        if self.smooth and math.isfinite(value):
            state = self._with(state, value)
            value = state["sum"] / len(state["window"])
        if state["ignored"]:
            return {**state, "ignored": state["ignored"] - 1, "good": 0, "bad": 0}
        if self.better(value, state["best"]):
            best = value if math.isfinite(value) else repr(value)
            state = {**state, "best": best, "good": state["good"] + 1, "bad": 0}
        else:
            state = {**state, "good": 0, "bad": state["bad"] + 1}
        if state["good"] > self.patience:
            raised = min(state["gain"] / self.factor, self.max)
            gain = raised if raised - state["gain"] > self.eps else state["gain"]
            return {**state, "gain": gain, "ignored": self.warmup, "good": 0, "resets": self.reset_start}
        return self._lowered(state) if state["bad"] > self.patience else state

    def _with(self, state: State, value: float) -> State:
        """The window with one more value, summed as it moves."""
        window, total = [*state["window"], value], clamped(state["sum"] + value)
        if len(window) > self.window_size:
            total = clamped(total - window.pop(0))
        return {**state, "sum": total, "window": window}

    def _lowered(self, state: State) -> State:
        """After a cut; after one more than enough that found the gain at its least, as at the start."""
        cut = max(state["gain"] * self.factor, self.min)
        gain = cut if state["gain"] - cut > self.eps else state["gain"]
        left = state["resets"] - (gain <= self.min)
        if gain <= self.min and left <= 0:
            return {**self.start(), "ignored": self.cooldown}
        return {**state, "gain": gain, "ignored": self.cooldown, "bad": 0, "resets": left}

    def gain(self, state: State, position: float) -> float:
        return state["gain"]

    def checked(self, state: object) -> State:
        if self.smooth and isinstance(state, dict):
            window = state.get("window")
            if not isinstance(window, list) or len(window) > self.window_size or not all(map(_is_finite, window)):
                raise StateError("the window of GreedyLR holds its last values", given=window)
            bare = {name: value for name, value in state.items() if name != "window"}
            total = bare.pop("sum", None)
            if not _is_finite(total):
                raise StateError("the sum of GreedyLR's window is a number", given=total)
            return {**replace(self, smooth=False).checked(bare), "sum": total, "window": window}
        read = super().checked(state)
        if not 0 <= read["gain"] <= max(1.0, self.max):
            raise StateError("the gain of GreedyLR lies from 0 to its max", given=read["gain"])
        return read


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
