"""What a trial says: which runs trained, what the noise is, and the shortest warmup that is as good as the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from preheat.measure.advising.facts import ShortRuns, Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, judged.

    losses: the mean final loss of each warmup; infinite where a run diverged: its loss was not finite, or ended no lower
    than it began.
    noise: the standard deviation of a difference of two of them.
    gain: by how much the best warmup ends below none, as a share of what the best run's loss fell by; 1 where none diverges.
    """

    losses: dict[int, float]
    noise: float
    first: float

    @property
    def best(self) -> int:
        """The warmup with the lowest loss; the shortest of equals."""
        return min(self.losses, key=lambda one: (self.losses[one], one))

    @property
    def shortest(self) -> int:
        """The shortest warmup within one standard deviation of the best."""
        return min(one for one, loss in self.losses.items() if loss <= self.losses[self.best] + self.noise)

    @property
    def longest(self) -> int:
        """The longest that was tried."""
        return max(self.losses)

    @property
    def hopeless(self) -> bool:
        """Whether every run diverged."""
        return all(math.isinf(one) for one in self.losses.values())

    @property
    def rescued(self) -> bool:
        """Whether it diverges without warmup and trains with one."""
        return math.isinf(self.losses[0]) and not self.hopeless

    @property
    def fell(self) -> float:
        """What the best run's loss fell by."""
        return self.first - self.losses[self.best]

    @property
    def difference(self) -> float:
        """By how much the best of the runs with warmup ends below that without: negative where it ends above."""
        warm = min(loss for warmup, loss in self.losses.items() if warmup > 0)
        return self.losses[0] - warm if math.isfinite(self.losses[0]) or math.isfinite(warm) else math.nan

    @property
    def gain(self) -> float:
        """The difference as a share of what the loss fell by, at most 1 either way."""
        return max(-1.0, min(1.0, self.difference / self.fell)) if self.fell > 0 else 0.0

    @property
    def in_noise(self) -> float:
        """The difference in units of its noise."""
        if self.noise > 0 or not self.difference:
            return self.difference / self.noise if self.noise > 0 else 0.0
        return math.copysign(math.inf, self.difference)


def judged(trial: Trial) -> Outcome:
    """The outcome of a trial, which has an arm without warmup and one with."""
    losses = {arm.warmup: _final(arm, trial.first) for arm in trial.arms}
    return Outcome(losses, _noise(trial, losses), trial.first)


def _final(arm: ShortRuns, first: float) -> float:
    """The mean final loss over orders and batches; infinite where any run diverged."""
    means = [_mean(one) for one in arm.losses]
    return fmean(means) if means and all(one < first for one in means) else math.inf


def _mean(losses: Sequence[float]) -> float:
    value = fmean(losses) if losses else math.inf
    return value if math.isfinite(value) else math.inf


def _noise(trial: Trial, losses: dict[int, float]) -> float:
    """The standard deviation of a difference between two arms, from the batches set aside and from the order of the data.

    An arm and an order shift all their losses alike; what is left, (order 0 − order 1) of an arm against the other arms',
    is noise. Where arms cannot tell, because one or none trained, it is the spread over the batches alone.
    """
    trained = [arm for arm in trial.arms if math.isfinite(losses[arm.warmup])]
    if not trained:
        return math.nan
    orders = min(len(arm.losses) for arm in trained)
    shifts = [_mean(arm.losses[0]) - _mean(arm.losses[1]) for arm in trained] if orders > 1 else []
    by_order = variance(shifts) / 2 if len(shifts) > 1 else 0.0  # of the mean of two orders, difference of two arms
    reference = trained[0].losses[0]
    apart = [variance([a - b for a, b in zip(arm.losses[0], reference, strict=True)]) for arm in trained[1:]]
    by_batch = fmean(apart) / len(reference) if apart else variance(reference) / len(reference)
    return math.sqrt(by_order + by_batch)
