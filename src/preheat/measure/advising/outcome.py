"""What a trial says: which runs trained, what the noise is, and the shortest warmup that is as good as the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from preheat.measure.advising.constants import SMALL, STUCK
from preheat.measure.advising.facts import ShortRuns, Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, judged.

    losses: the mean final loss of each warmup; infinite where its runs diverged: they ended no lower than they began or well
    above low-rate updates (`bar`), or predict a constant.
    level: the loss that low-rate updates reach, or the first one where that is lower.
    noise: the standard deviation of a difference of two of them; together with SMALL of what the loss fell by, since a run
    that repeats to the last digit shows differences that matter to nobody.
    gain: by how much the best warmup ends below none, as a share of what the best run's loss fell by; 1 where none diverges.
    """

    losses: dict[int, float]
    noise: float
    level: float

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
        """What the best run's loss fell by, from what low-rate updates reach: a first loss may be of any size."""
        return _fell(self.level, self.losses[self.best])

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
        return self._over_noise(self.difference)

    def _over_noise(self, difference: float) -> float:
        if self.noise > 0 or not difference:
            return difference / self.noise if self.noise > 0 else 0.0
        return math.copysign(math.inf, difference)


def judged(trial: Trial) -> Outcome:
    """The outcome of a trial, which has an arm without warmup and one with."""
    highest, level = bar(trial.first, trial.reached), min(trial.first, trial.reached)
    losses = {arm.warmup: _final(arm, highest) for arm in trial.arms}
    noise = math.hypot(_noise(trial.arms, highest), SMALL * _fell(level, min(losses.values())))
    return Outcome(losses, noise, level)


def bar(first: float, reached: float) -> float:
    """The final loss from which on a run counts as diverged: it began there, or low-rate updates end well below."""
    return min(first, reached + STUCK * abs(reached))


def _fell(level: float, best: float) -> float:
    return max(level - best, STUCK * abs(best)) if math.isfinite(best) else 0.0


def _final(arm: ShortRuns, highest: float) -> float:
    """The mean final loss over orders and batches; infinite where every run diverged, and one that did counts as `highest`
    where its loss was not finite.
    """
    if not any(_trained(arm, highest)):
        return math.inf
    return fmean(min(fmean(one), highest) if one else highest for one in arm.losses)


def _trained(arm: ShortRuns, highest: float) -> list[bool]:
    """Of each run, whether it trained: it ended below `highest`, and depends on its input."""
    ignores = arm.ignores or [False] * len(arm.losses)
    return [bool(one) and fmean(one) < highest and not deaf for one, deaf in zip(arm.losses, ignores, strict=True)]


def _noise(arms: Sequence[ShortRuns], highest: float) -> float:
    """The standard deviation of a difference between two arms, from the batches set aside and from the order of the data.

    An arm and an order shift all their losses alike; what is left, (order 0 − order 1) of an arm against the other arms',
    is noise. Where arms cannot tell, because one or none trained, it is the spread over the batches alone.
    """
    trained = [arm for arm in arms if all(_trained(arm, highest))]
    if not trained:
        return 0.0
    orders = min(len(arm.losses) for arm in trained)
    shifts = [fmean(arm.losses[0]) - fmean(arm.losses[1]) for arm in trained] if orders > 1 else []
    by_order = variance(shifts) / 2 if len(shifts) > 1 else 0.0  # of the mean of two orders, difference of two arms
    reference = trained[0].losses[0]
    apart = [variance([a - b for a, b in zip(arm.losses[0], reference, strict=True)]) for arm in trained[1:]]
    by_batch = fmean(apart) / len(reference) if apart else variance(reference) / len(reference)
    return math.sqrt(by_order + by_batch)
