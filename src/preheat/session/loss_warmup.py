"""The rule that warms up as the loss falls, whatever number of updates that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError, StateError
from preheat.session.rules import Rule, State, check_name, clamped


@dataclass(frozen=True, kw_only=True)
class LossWarmup(Rule):
    """Warm up as the loss falls: from `start_ratio` at the first loss L₀ to 1 where its mean L̄ has fallen to `until`.

        gain = 1/(1 + ρ · max(0, L̄ − until)),   ρ = (1/start_ratio − 1)/(L₀ − until)

    It keeps the rate below a constant over a curvature of at most H₀ + H₁(L − L*), which nets have early in training: then
    η(L)/η(until) = (H₀ + H₁(until − L*))/(H₀ + H₁(L − L*)), and neither H₀, H₁ nor L* need be known, only the rate that the
    start stands and the loss at which warmup is over. Give the schedule no warmup of its own, such as `hold() >> decay("20%")`.
    Where the mean never falls to `until`, the rate never reaches the schedule's.

    metric: the loss, by its name.   until: the loss at which the gain is 1, below L₀.
    start_ratio: the gain at L₀ and before a loss was seen, between 0 and 1: the rate that the start stands / the peak.
    first: L₀; by default the first finite loss that is seen.
    keep: how much of the exponential mean is kept when a loss is seen, from 0 (L̄ is the last loss) to below 1.
    monotone: the gain never falls again; False lets it follow the mean down too.
    group: the group whose rate it scales, if not all: the plan needs a line for it, such as "head/lr".

    A loss that is not finite changes nothing; Rewarm and Rewind are for spikes.

    >>> from preheat import Run
    >>> rule = LossWarmup("loss", until=1.0, start_ratio=0.1, keep=0.0).bind(Run())
    >>> state, gains = rule.start(), []
    >>> for loss in (4.0, 2.5, 1.0, 1.5):
    ...     state = rule.observe(state, loss, position=0)
    ...     gains.append(round(rule.gain(state, position=0), 3))
    >>> gains
    [0.1, 0.182, 1.0, 1.0]

    Raises PreheatError for values out of range, and where the first loss is not above `until`. The assumption is that of
    Alimisis, Islamov and Lucchi 2025, arXiv:2510.03164; ρ from two rates, the mean and `monotone` are ours.
    """

    until: float
    start_ratio: float
    first: float | None = None
    keep: float = 0.9
    monotone: bool = True
    group: str | None = None  # pyrefly: ignore[bad-override]

    def __post_init__(self) -> None:
        self._check_metric()
        check_name(self.group)
        finite_number(self.until, "until")
        if not 0 < finite_number(self.start_ratio, "start_ratio") < 1:
            raise PreheatError("start_ratio of LossWarmup lies between 0 and 1", given=self.start_ratio)
        if not 0 <= finite_number(self.keep, "keep") < 1:
            raise PreheatError("keep of LossWarmup lies from 0 to below 1", given=self.keep)
        if not isinstance(self.monotone, bool):
            raise PreheatError("monotone of LossWarmup is True or False", given=self.monotone)
        if self.first is not None:
            self._check_first(finite_number(self.first, "first"))

    def start(self) -> State:
        return {"first": self.first, "mean": None, "gain": float(self.start_ratio)}

    def observe(self, state: State, value: float, position: float) -> State:
        if not math.isfinite(value):
            return state
        if state["first"] is None:
            self._check_first(value)
        first = value if state["first"] is None else state["first"]
        before = value if state["mean"] is None else state["mean"]
        mean = clamped(before + (1.0 - self.keep) * clamped(value - before))
        gain = self._gain_at(mean, first)
        return {"first": first, "mean": mean, "gain": max(gain, state["gain"]) if self.monotone else gain}

    def _gain_at(self, loss: float, first: float) -> float:
        """The same as 1/(1 + ρ · max(0, loss − until)), which does not overflow."""
        left = max(0.0, clamped(loss - self.until) / clamped(first - self.until))
        return self.start_ratio / (self.start_ratio + (1.0 - self.start_ratio) * left)

    def gain(self, state: State, position: float) -> float:
        return state["gain"]

    def checked(self, state: object) -> State:
        read = super().checked(state)
        if read["mean"] is not None and read["first"] is None:
            raise StateError("the state of LossWarmup has a mean and no first loss", given=state)
        if read["first"] is not None and not read["first"] > self.until:
            raise StateError(f"the first loss of LossWarmup is above {self.until}", given=read["first"])
        if not 0 <= read["gain"] <= 1:
            raise StateError("the gain of LossWarmup lies from 0 to 1", given=read["gain"])
        return read

    def _check_first(self, first: float) -> None:
        if not first > self.until:
            what = f"LossWarmup ends at the loss {self.until!r}, and the first is {first!r}: nothing is left to warm up"
            raise PreheatError(what, write="write a lower until=, or leave the rule out")
