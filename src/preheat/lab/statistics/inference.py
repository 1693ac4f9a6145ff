"""Numbers in, results out: intervals, p values, divergence rates, and how many more seeds would settle a question.

What was chosen, and why:

* **Up to 9 pairs: Student's interval** of the paired differences. A bootstrap of three pairs misses the truth in about one
  case of four, because three values cannot show how far they scatter; tests by ranks or signs can claim nothing at all.
* **From 10 pairs: the wider, on either side, of Student's and Hall's**, which corrects t for the skewness that the
  differences show (Hall 1992, J. R. Statist. Soc. B 54, 221). `python -m benchmarks.verdicts frontier` measures how
  often arms of equal means are told apart, in %, and what is left of Student's power at normal noise:

      one arm has the noise, the other is normal         10 seeds                      20 seeds
      with a third of its scatter                Student  Hall  both  bootstrap   Student  Hall  both  bootstrap
      exponential                                    7.4   6.0   4.8     6.7          6.6   5.9   4.5      6.0
      log-normal                                    10.7   9.3   7.8     8.5         10.3   8.1   7.1      9.8
      both arms log-normal                           3.1   8.3   2.8     1.7          3.2   8.8   3.1      1.8
      power at normal noise, of Student's           1.00  0.91  0.88    0.93         1.00  0.98  0.96     0.98

  Hall's alone is misled where both arms have tails, Student's where one has: only what both say is claimed. With fewer than
  10 pairs the same would cost a fifth of the power and more.
* **A weakness that no interval mends**: one arm whose runs are now and then far worse, in seeds that have not come up.
  Where one run in ten is 10 standard deviations worse, and the mean is the same, 8 to 29 % are told apart at 3 to 20
  seeds: with ten seeds there is none of them in a third of the cases, and what is left looks like a plain difference.
  Where such a run did come up, `Difference.outlier` says so.
* **Several claims: Bonferroni.** Holm's steps claim more, but no interval can be drawn that agrees with them; Dunnett's
  needs arms that scatter equally, and an arm that sometimes diverges does not. Here a direction is claimed exactly where
  the interval that is shown leaves out 0.
* **Several looks: look k gets 1/k² of the 5 %.** Looking with 3, 5 and 10 seeds and stopping at the first claim is wrong
  in 12 % of the cases where nothing differs; with this rule in 6 %, and in no plan of looks (2, 3, 4 … 30 seeds among them)
  in more than 6.2 %, although the sum would allow 8.2 %. The first look, most often the only one, loses nothing: shares of
  6/π²k², which sum to 5 %, would cut a power of 80 % at the first look to 63 % with 3 seeds and 71 % with 10.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preheat.core.errors import PreheatError
from preheat.lab.records.series import mean as mean_of

LEVEL = 0.95
POWER = 0.8
_PROBABILITIES = (np.arange(32) + 0.5) / 32
SKEWNESS_FROM = 10
"""From so many pairs on the interval takes account of their skewness."""

SAME = 1e-9
"""Differences that scatter by less than this share of their mean are the same, up to rounding."""

MOST_SEEDS = 100
"""A question that needs more further seeds than this is not going to be settled by seeds."""

OUTLIER_FROM = 5
"""Of fewer values two may be close by chance, and any third then lies far from them."""

RARE = 0.01
"""How often differences of normal noise are said to have an outlier."""

LOOKING = (
    "Looking again after adding seeds is a further chance of a false alarm (12 % instead of 5 % with looks at 3, 5 and 10 "
    "seeds), so the next look asks for more"
)

Losses = Mapping[int, float | None]
"""Final values of a metric by seed; None where not finite."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of an arm minus the reference's, over the seeds that finished in both.

    `low` and `high` bound the interval of the mean difference; they are None with one seed, or where every seed gave the
    same difference. `better` counts the seeds that are better than the reference. `level` is the interval's own: above
    95 % where several are to hold together. `p` is two-sided, of this comparison alone. `more` is the number of further
    seeds that would probably settle it; None where it is settled, has no interval, or would not be in `MOST_SEEDS`.
    `outlier` is the seed whose difference lies far from all others, None where there is none.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    better: int
    level: float = LEVEL
    p: float | None = None
    more: int | None = None
    outlier: int | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval leaves out 0: the only case in which a direction may be claimed."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Share:
    """What one comparison gets of the 5 %: how many claims it is among, and after how many earlier looks.

    above, below: by how much more is asked of a claim that the arm is above, or below, the reference: more than 1 where a
    value was picked because it was the lowest of several.
    """

    claims: int = 1
    looks: int = 0
    above: float = 1.0
    below: float = 1.0

    @property
    def level(self) -> float:
        """The level of the interval."""
        return level_of(self.claims, self.looks)

    def side(self, factor: float, looks: int = 0) -> float:
        """The level that bounds one side; after so many further looks."""
        return level_of(self.claims * factor, self.looks + looks)


ALONE = Share()
"""The share of a comparison that is the only one, at the first look."""


def paired(own: Losses, reference: Losses, *, goal: str = "min", share: Share = ALONE) -> Difference | None:
    """The difference of an arm to its reference; None where a run was not finite, or no seed finished in both."""
    if None in own.values() or None in reference.values():
        return None
    both = {seed: (own[seed], reference[seed]) for seed in own if seed in reference}
    by_seed = {seed: a - b for seed, (a, b) in both.items() if a is not None and b is not None}
    if not by_seed:
        return None
    differences = list(by_seed.values())
    low, high = _ends(differences, share) or (None, None)
    better = sum(d > 0 if goal == "max" else d < 0 for d in differences)
    mean, p = mean_of(differences), p_value(differences)
    p = None if p is None else min(1.0, p * (share.above if mean > 0 else share.below))
    at = outlier(differences, RARE / max(share.claims, 1))
    apart = None if at is None else list(by_seed)[at]
    found = Difference(mean, low, high, len(differences), better, share.level, p, outlier=apart)
    settled = low is None or found.excludes_zero
    return found if settled else replace(found, more=more_seeds(differences, share))


def _ends(differences: Sequence[float], share: Share) -> tuple[float, float] | None:
    """The interval, each end by what is asked of a claim on its side: the lower one bounds what is above 0."""
    above = interval(differences, share.side(share.above))
    below = above if share.above == share.below else interval(differences, share.side(share.below))
    return (above[0], below[1]) if above and below else None


def level_of(claims: float = 1, looks: int = 0) -> float:
    """The level of each interval, so that `claims` hold together at 95 % after so many earlier looks at the results."""
    return 1 - (1 - LEVEL) / (max(claims, 1) * (looks + 1) ** 2)


def mean_and_sd(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The mean, and the standard deviation over seeds (n − 1); None where not defined."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None, None
    mean = mean_of(known)
    if len(known) == 1:
        return mean, None
    return mean, math.hypot(*(value - mean for value in known)) / math.sqrt(len(known) - 1)  # squares could overflow


def interval(differences: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """The interval of the mean; None for one value, or where all are the same and not 0.

    Equal differences are no proof: most often the training does not use its seed, so that one run was made n times.

    >>> [round(end, 3) for end in interval([-0.41, -0.38, -0.40])]
    [-0.435, -0.359]
    """
    if (found := _mean_and_scatter(differences)) is None:
        return None
    mean, sd = found
    if sd == 0:
        return mean, mean
    count = len(differences)
    reach = student(count - 1, level) / math.sqrt(count)
    low, high = mean - sd * reach, mean + sd * reach
    if count < SKEWNESS_FROM:
        return low, high
    skewness = _skewness(differences)
    back = [mean - sd * _unskewed(side * reach, skewness, count) for side in (1, -1)]
    return min(low, *back), max(high, *back)


def p_value(differences: Sequence[float]) -> float | None:
    """How often equal arms would differ as much or more, by the same reckoning as the interval; None without one.

    >>> round(p_value([-0.41, -0.38, -0.40]), 4)
    0.0005
    """
    if (found := _mean_and_scatter(differences)) is None:
        return None
    mean, sd = found
    if sd == 0:
        return 1.0
    count, size = len(differences), mean / sd
    sizes = [size]
    if count >= SKEWNESS_FROM:
        sizes.append(_skewed(size, _skewness(differences), count))
    return float(2 * special().stdtr(count - 1, -math.sqrt(count) * min(map(abs, sizes))))


def outlier(differences: Sequence[float], rare: float = RARE) -> int | None:
    """Where the difference stands that lies so far from the others as normal noise does in `rare` of all cases (Grubbs
    1969, Technometrics 11, 1); None where none does.

    >>> outlier([0.1, -0.2, 0.0, 0.15, -0.1, 9.0]), outlier([0.1, -0.2, 9.0])
    (5, None)
    """
    count, (mean, sd) = len(differences), _mean_and_scatter(differences) or (0.0, 0.0)
    if count < OUTLIER_FROM or not sd:
        return None
    sizes = [abs(value - mean) / sd for value in differences]
    t = student(count - 2, 1 - rare / count)
    most = (count - 1) / math.sqrt(count) * math.sqrt(t * t / (count - 2 + t * t))
    return sizes.index(max(sizes)) if max(sizes) > most else None


def _mean_and_scatter(differences: Sequence[float]) -> tuple[float, float] | None:
    """The mean and the standard deviation; None for one value, or where all are the same and not 0."""
    mean, sd = mean_and_sd(differences)
    return None if mean is None or sd is None or (mean and sd <= SAME * abs(mean)) else (mean, sd)


def _skewness(values: Sequence[float]) -> float:
    """The skewness of at least three values that scatter, corrected for their number (G₁)."""
    row = np.asarray(values, float) / max(map(abs, values))
    row -= row.mean()
    count, spread = len(row), math.sqrt(np.mean(row**2))
    return float(np.mean((row / spread) ** 3)) * math.sqrt(count * (count - 1)) / (count - 2) if spread else 0.0


def _skewed(size: float, skewness: float, count: int) -> float:
    """Hall's transformation of (mean − truth) / sd: what is left of the skewness is of order 1/n."""
    return size + skewness * size**2 / 3 + skewness**2 * size**3 / 27 + skewness / (6 * count)


def _unskewed(value: float, skewness: float, count: int) -> float:
    """The inverse of `_skewed`.

    >>> round(_skewed(_unskewed(0.7, 1.3, 12), 1.3, 12), 12)
    0.7
    """
    if abs(skewness) < 1e-6:
        return value
    return 3 / skewness * (float(np.cbrt(1 + skewness * (value - skewness / (6 * count)))) - 1)


def student(freedom: int, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t."""
    return float(special().stdtrit(freedom, (1 + level) / 2))


def exact_interval(count: int, runs: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval of a rate: it holds the truth at least as often as it says.

    >>> [round(end, 2) for end in exact_interval(0, 3)]
    [0.0, 0.71]
    """
    tail = (1 - level) / 2
    low = special().betaincinv(count, runs - count + 1, tail) if count else 0.0
    high = special().betaincinv(count + 1, runs - count, 1 - tail) if count < runs else 1.0
    return float(low), float(high)


def discordant_p(more: int, fewer: int) -> float:
    """The exact two-sided test whether two arms diverge equally often, by the seeds in which only one of them did.

    >>> discordant_p(6, 0), discordant_p(5, 0)
    (0.03125, 0.0625)
    """
    seeds = more + fewer
    return min(1.0, 2 * sum(math.comb(seeds, k) for k in range(min(more, fewer) + 1)) / 2**seeds)


def more_seeds(differences: Sequence[float], share: Share = ALONE) -> int | None:
    """How many further seeds would settle it with a probability of 80 %; None if more than `MOST_SEEDS` or unknown.

    The probability that the interval of the next look, over the old seeds and the new ones, leaves out 0. What the seeds
    say is all that is known of the difference and of the scatter (Student's distribution around the mean that was
    seen): that is right where true differences are as often large as small. It reckons with Student's interval; the wider
    one of ten pairs and more costs some of the 80 %. Simulated through `paired` with 3, 5, 7 and 10 seeds, 700 each, the
    number led to a settled question in 81, 84, 83 and 74 % where true differences were anywhere up to two standard
    deviations, in 72, 73, 78 and 72 % where they were normal with one, and in 46, 56, 62 and 60 % with half of one: of
    those many are too small for any number.
    """
    mean, sd = _mean_and_scatter(differences) or (0.0, 0.0)
    if not mean or not sd:
        return None
    have, functions, size = len(differences), special(), abs(mean) / sd
    further = np.arange(1, MOST_SEEDS + 1)
    seeds = have + further
    scatter = np.sqrt((have - 1) / functions.chdtri(have - 1, _PROBABILITIES))[:, None]  # true over seen, by quantiles
    then = np.sqrt((have - 1 + further * scatter**2) / (seeds - 1))
    unknown = scatter * np.sqrt(further / seeds / have)
    power = np.zeros(MOST_SEEDS)
    for sign, factor in zip(
        (1, -1), (share.above, share.below) if mean > 0 else (share.below, share.above), strict=True
    ):
        reach = functions.stdtrit(seeds - 1, (1 + share.side(factor, 1)) / 2) * then / np.sqrt(seeds)
        power += functions.ndtr((sign * size - reach) / unknown).mean(axis=0)
    enough = np.flatnonzero(power >= POWER)
    return int(further[enough[0]]) if enough.size else None


def special() -> Any:
    """`scipy.special`, loaded when the first interval is asked for."""
    try:
        from scipy import special as functions
    except ImportError:
        raise PreheatError("intervals need scipy; pip install 'preheat[lab]'") from None
    return functions
