"""What the grid says of a training: whether a peak needs warmup, which peak and warmup were best, what advice would have cost.

Written down before anything was scored:

* A run whose loss is not finite or above chance counts as chance: both taught nothing, and infinities cannot be averaged.
* **A peak needs warmup** where the gain, loss(W = 0) − loss(best W), is above .02 nats and above two standard errors. The best
  W for a seed is the one that is best in the mean of the *other* seeds: the smallest of five noisy means would show a gain
  where there is none. The standard error is that of the paired differences, and at least that of the median spread of such
  differences in this training, because three seeds agree by accident now and then.
* A peak is **undecided** at which W = 0 and every warmup are above 99 % of chance in the mean; and one whose gain is more than
  a tenth of chance but not two errors: some seeds broke and others did not, and three cannot say more. Left out, and counted.
* **Regret** is mean loss(advice) − mean loss(oracle) in seed standard deviations, those pooled over the five best cells. The
  oracle is the cell with the smallest mean loss: the smallest of 48 noisy means is too small, so this regret is too large; on
  a grid without any difference it is 1.4 in the mean, for whatever advice. Beside it stands the regret against an oracle that
  is chosen for each seed by the others: 0 in the mean on such a grid, and a little too small on others, where the choice is
  not always the best cell. Both are held to the thresholds, and both are shown.
* Advice between the cells is judged by the nearest: in log peak, and in log(1 + W). Advice more than half a step outside the
  peaks is marked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

FLOOR = 0.02
ERRORS = 2.0
AT_CHANCE = 0.99
UNSURE = 0.1
BEST = 5


@dataclass(frozen=True)
class Verdict:
    """Whether a peak needs warmup (None: undecided), the gain in nats, and its standard error."""

    needed: bool | None
    gain: float
    error: float


@dataclass(frozen=True)
class Regret:
    """In seed standard deviations, against the best cell and against one chosen by the other seeds; the cell that stood for the
    advice, and whether the advice lay outside the peaks."""

    value: float
    by_others: float
    peak: float
    warmup: int
    outside: bool


class Trained:
    """A line of the results file, `line`, with what follows from it."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.name, self.family, self.split = line["name"], line["family"], line["split"]
        self.peaks, self.warmups, self.chance = tuple(line["peaks"]), tuple(line["warmups"]), line["chance"]
        self.steps, self.seeds = line["steps"], tuple(line["seeds"])
        loss = np.array(line["loss"], dtype=float)  # [peak][warmup][seed]; null becomes nan
        self.loss = np.fmin(loss, self.chance)

    def verdict(self, peak: int) -> Verdict:
        """Whether the peak of that number needs warmup."""
        losses = self.loss[peak]
        if not self.trains_at(peak):
            return Verdict(None, 0.0, 0.0)
        gains = []
        for seed in range(losses.shape[1]):
            best = 1 + int(np.delete(losses[1:], seed, axis=1).mean(axis=1).argmin())
            gains.append(losses[0, seed] - losses[best, seed])
        gain = float(np.mean(gains))
        error = max(float(np.std(gains, ddof=1)), self.paired_spread) / math.sqrt(len(gains))
        needed = gain > max(FLOOR, ERRORS * error)
        unsure = gain > UNSURE * self.chance and not needed
        return Verdict(None if unsure else needed, gain, error)

    def trains_at(self, peak: int) -> bool:
        """Whether some warmup, or none, is below chance at the peak of that number."""
        return bool(self.loss[peak].mean(axis=1).min() <= AT_CHANCE * self.chance)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each peak."""
        return tuple(self.verdict(peak) for peak in range(len(self.peaks)))

    @cached_property
    def paired_spread(self) -> float:
        """The median standard deviation of loss(W = 0) − loss(W) over seeds, where all of them trained."""
        trained = (self.loss <= AT_CHANCE * self.chance).all(axis=2)
        spread = (self.loss[:, :1] - self.loss[:, 1:]).std(axis=2, ddof=1)[trained[:, :1] & trained[:, 1:]]
        return float(np.median(spread)) if spread.size else 0.0

    @cached_property
    def seed_spread(self) -> float:
        """The standard deviation over seeds, pooled over the five best cells."""
        cells = self.loss.reshape(-1, self.loss.shape[2])
        best = cells[np.argsort(cells.mean(axis=1))[:BEST]]
        return float(np.sqrt(best.var(axis=1, ddof=1).mean()))

    @property
    def oracle(self) -> tuple[float, int]:
        """The peak and the warmup with the smallest mean loss."""
        peak, warmup = np.unravel_index(self.loss.mean(axis=2).argmin(), self.loss.shape[:2])
        return self.peaks[peak], self.warmups[warmup]

    def nearest(self, peak: float, warmup: float) -> tuple[int, int, bool]:
        """The numbers of the nearest cell, and whether the peak lies more than half a step outside."""
        logs = np.log(self.peaks)
        at, half = math.log(peak), (logs[1] - logs[0]) / 2
        outside = bool(at < logs[0] - half or at > logs[-1] + half)
        row = int(np.abs(logs - at).argmin())
        return row, int(np.abs(np.log1p(self.warmups) - math.log1p(warmup)).argmin()), outside

    def regret(self, peak: float, warmup: float) -> Regret:
        """What advice of this peak and warmup cost, by the nearest cell."""
        row, column, outside = self.nearest(peak, warmup)
        means, others = self.loss.mean(axis=2), [self._oracle_loss(seed) for seed in range(self.loss.shape[2])]
        value = _in_units(float(means[row, column] - means.min()), self.seed_spread)
        by_others = _in_units(float((self.loss[row, column] - others).mean()), self.seed_spread)
        return Regret(value, by_others, self.peaks[row], self.warmups[column], outside)

    def regret_at(self, peak: int, warmup: float) -> float:
        """What this warmup cost at the peak of that number, in seed standard deviations against the best warmup there.

        The best for a seed is chosen by the others, as in `verdict`, so that a warmup as good as the best costs 0 in the mean.
        """
        losses = self.loss[peak]
        row = losses[self.nearest(self.peaks[peak], warmup)[1]]
        others = [int(np.delete(losses, seed, axis=1).mean(axis=1).argmin()) for seed in range(losses.shape[1])]
        return _in_units(
            float(np.mean([row[seed] - losses[best, seed] for seed, best in enumerate(others)])), self.seed_spread
        )

    def _oracle_loss(self, seed: int) -> float:
        """This seed's loss in the cell that is best in the mean of the other seeds."""
        others = np.delete(self.loss, seed, axis=2).mean(axis=2)
        return float(self.loss[(*np.unravel_index(others.argmin(), others.shape), seed)])


def _in_units(difference: float, spread: float) -> float:
    """A difference in standard deviations; infinite where there is no spread to compare with."""
    if spread:
        return difference / spread
    return math.copysign(math.inf, difference) if difference else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies, of values that may be infinite; nan of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
