"""What a trial says: which runs trained, what the noise is, and the shortest warmup that is as good as the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance

from preheat.measure.advising.constants import SMALL, STUCK, SURELY
from preheat.measure.advising.facts import ShortRuns, Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, judged.

    losses: the mean final loss of each warmup; infinite where none of its runs trained, but for a warmup that is stuck where
    none trains: that is no evidence of more than its loss, and none at all for warmup.
    failed: where no run trained, how they ended, in words.
    fell: what the best run's loss fell by, from what low-rate updates reach, since a first loss may be of any size; at least
    what the batches differ by.
    noise: the standard deviation of a difference of two losses; together with SMALL of what the loss fell by, since a run
    that repeats to the last digit shows differences that matter to nobody.
    gain: by how much the best warmup ends below none, as a share of what the loss fell by; 1 where none does not train.

    Only differences of losses count, and their ratios: loss + c and k · loss have the same outcome.
    """

    losses: dict[int, float]
    failed: dict[int, str]
    fell: float
    noise: float

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
        """Whether no run trained."""
        return all(math.isinf(one) for one in self.losses.values())

    @property
    def rescued(self) -> bool:
        """Whether it does not train without warmup and does with one."""
        return math.isinf(self.losses[0]) and not self.hopeless

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
    highest = bar(trial.first, trial.reached)
    ends = [_ends(arm, trial.first, highest) for arm in trial.arms]
    losses = {arm.warmup: _final(arm, how, highest) for arm, how in zip(trial.arms, ends, strict=True)}
    failed = {arm.warmup: " or ".join(sorted(set(how))) for arm, how in zip(trial.arms, ends, strict=True) if all(how)}
    for arm in trial.arms:
        if failed.get(arm.warmup) == "stuck" and math.isfinite(losses[0]):
            # it had fewer updates at the peak than none had, which trains: it may be late, and counts by its loss
            losses[arm.warmup] = max(losses[0], fmean(map(fmean, arm.losses)))
    best = min(losses.values())
    fell = 0.0
    if math.isfinite(best):
        spread = max(_spread(one) for arm in trial.arms if losses[arm.warmup] == best for one in arm.losses)
        fell = max(min(trial.first, trial.reached) - best, spread)
    trained = [arm for arm, how in zip(trial.arms, ends, strict=True) if not any(how)]
    return Outcome(losses, failed, fell, math.hypot(_noise(trained), SMALL * fell))


def bar(first: float, reached: float) -> float:
    """The final loss from which on a run did not train: it began there, or low-rate updates fell by well more."""
    return min(first, reached + STUCK * max(0.0, first - reached)) if math.isfinite(reached) else first


def _ends(arm: ShortRuns, first: float, highest: float) -> list[str]:
    """How each run of an arm ended, in words; "" where it trained."""
    ignores = arm.ignores or [False] * len(arm.losses)
    return [_end(one, deaf, first, highest) for one, deaf in zip(arm.losses, ignores, strict=True)]


def _end(losses: Sequence[float], ignores: bool, first: float, highest: float) -> str:
    if not losses:
        return "diverged"
    if fmean(losses) >= first:
        return "above its start"
    stuck = fmean(losses) > highest + SURELY * _spread(losses)  # `highest` comes from single batches
    return "stuck" if ignores or stuck else ""


def _spread(losses: Sequence[float]) -> float:
    """The standard deviation between batches; 0 where there are not two."""
    return stdev(losses) if len(losses) > 1 else 0.0


def _final(arm: ShortRuns, how: Sequence[str], highest: float) -> float:
    """The mean final loss over orders and batches; infinite where no run trained, and one that diverged counts as `highest`."""
    if all(how):
        return math.inf
    ends = zip(arm.losses, how, strict=True)
    return fmean(min(fmean(one or [highest]), highest) if end else fmean(one) for one, end in ends)


def _noise(trained: Sequence[ShortRuns]) -> float:
    """The standard deviation of a difference between two arms, from the batches set aside and from the order of the data.

    An arm and an order shift all their losses alike; what is left, (order 0 − order 1) of an arm against the other arms',
    is noise. Where arms cannot tell, because one or none trained, it is the spread over the batches alone.
    """
    if not trained:
        return 0.0
    orders = min(len(arm.losses) for arm in trained)
    shifts = [fmean(arm.losses[0]) - fmean(arm.losses[1]) for arm in trained] if orders > 1 else []
    by_order = variance(shifts) / 2 if len(shifts) > 1 else 0.0  # of the mean of two orders, difference of two arms
    reference = trained[0].losses[0]
    if len(reference) < 2:
        return math.sqrt(by_order)
    apart = [variance([a - b for a, b in zip(arm.losses[0], reference, strict=True)]) for arm in trained[1:]]
    by_batch = fmean(apart) / len(reference) if apart else variance(reference) / len(reference)
    return math.sqrt(by_order + by_batch)
