"""The rule that listens for spikes of a metric, and warms up again after one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from preheat.core.checks import finite_number, positive_number, whole_number
from preheat.core.errors import PreheatError, StateError, shown
from preheat.core.spans import Run, Span, SpanLike
from preheat.session.clock import tick_of
from preheat.session.rules import Rule, State, check_name, length_of
from preheat.session.spikes import SETTLE, THRESHOLD, blank, entered, stands_out

_USUAL = "100 steps"  # updates, whatever the clock counts


@dataclass(frozen=True, kw_only=True)
class Rewarm(Rule):
    """After a spike of a metric back off and warm up again.

        gain(t) = backoff + (1 − backoff) · min(1, (t − t_spike)/n)

    A value is a spike if it is not finite, or more than `threshold` standard deviations above the running mean (both
    exponential, weight 0.97), once `settle` values have been seen. A spike does not enter the mean. During the new
    warmup all finite values do and none starts it again, so that a metric which stays high is not taken for a spike for
    ever.

    metric: its name.   span: the length n of the new warmup, in ticks of the run's clock or with a unit, by default 100
    updates; where the run does not say what an update is worth it has to be given.
    backoff: the gain at the spike, from 0 to below 1.
    threshold: in standard deviations, > 0.   settle: values, ≥ 2.
    group: the group whose rate it scales, if not all: the plan needs a line for it, such as "head/lr".

    >>> from preheat import Run
    >>> rule = Rewarm("loss", span=100).bind(Run())
    >>> state = rule.start()
    >>> for loss in [2.0, 2.1] * 20 + [9.0]:
    ...     state = rule.observe(state, loss, position=50)
    >>> rule.gain(state, 50), rule.gain(state, 100), rule.gain(state, 150)
    (0.1, 0.55, 1.0)

    Raises PreheatError for values out of range. Kumar et al. 2025, arXiv:2504.02507 (the exponential z-score).
    """

    span: SpanLike = _USUAL
    backoff: float = 0.1
    threshold: float = THRESHOLD
    settle: int = SETTLE
    group: str | None = None  # pyrefly: ignore[bad-override]

    def __post_init__(self) -> None:
        self._check_metric()
        check_name(self.group)
        if not 0 <= finite_number(self.backoff, "backoff") < 1:
            raise PreheatError(f"backoff of {type(self).__name__} lies from 0 to below 1", given=self.backoff)
        positive_number(self.threshold, "threshold")
        whole_number(self.settle, "settle", 2)
        if not (span := length_of(self.span, "span")).is_bare or span.value:
            object.__setattr__(self, "span", span)
        else:
            raise PreheatError(
                f"the span of {type(self).__name__} must be above 0", write="write a number of ticks such as 100"
            )

    def bind(self, run: Run) -> Self:
        try:
            bound = super().bind(run)
        except PreheatError as error:
            raise self._unknown_span(run) if self.span == Span(_USUAL) else error from None
        tick, length = tick_of(run) or 1, bound.span.value  # type: ignore[union-attr]
        if length < tick > 1:  # type: ignore[operator]
            what = f"the span of {type(self).__name__} is less than the {tick} {run.clock}s of one update"
            raise PreheatError(what, given=self.span.plain, write=f"write span={_USUAL!r}")  # type: ignore[union-attr]
        return bound

    def _unknown_span(self, run: Run) -> PreheatError:
        what = f"{type(self).__name__} warms up again over {_USUAL} by default, and these are no known number of {run.clock}s"
        unit = {"epoch": "2 epochs", "second": "10 min"}.get(run.clock, f"1M {run.clock}s")
        return PreheatError(what, given=run, write=f"write its length on this clock, such as span={unit!r}")

    def start(self) -> State:
        return {**blank(), "since": None}

    def is_spike(self, state: State, value: float, position: float) -> bool:
        """Whether a value that is observed at `position` is one."""
        listening = self._passed(state, position) is None
        return stands_out(state, value, self.threshold, self.settle, listening)

    def observe(self, state: State, value: float, position: float) -> State:
        if self.is_spike(state, value, position):
            return {**state, "since": position}
        return entered(state, value)

    def gain(self, state: State, position: float) -> float:
        passed = self._passed(state, position)
        return 1.0 if passed is None else self.backoff + (1.0 - self.backoff) * passed

    def after_hold(self, state: State, ticks: float) -> State:
        return state if state["since"] is None else {**state, "since": state["since"] - ticks}

    def checked(self, state: object) -> State:
        read = super().checked(state)
        if read["variance"] < 0:
            raise StateError(f"the variance of {type(self).__name__} cannot be negative: {shown(read['variance'])}")
        return read

    def _passed(self, state: State, position: float) -> float | None:
        """How much of a new warmup has passed, from 0 to below 1; None outside of one."""
        passed, length = position - (state["since"] or 0), self.span.value  # type: ignore[union-attr]
        return None if state["since"] is None or passed >= length else max(0.0, passed / length)  # type: ignore[operator]
