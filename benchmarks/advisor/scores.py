"""How good answers are: accuracy, the area under the curve, calibration; how much advice cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.advisor.advice import Advice, Answer
from benchmarks.advisor.truth import Regret, Trained, quantile

BINS = 5
LIMIT = 10.0
"""What a single regret counts at most in a mean, whether it is a loss or a gain."""


@dataclass(frozen=True)
class Scored:
    """Answers "needs warmup" or not: how many, how many were "not known", the share that is right of those known.

    `auc` is the share of (needed, not needed) pairs in which the first got the higher probability, ties half; nan of none.
    """

    asked: int
    unknown: int
    accuracy: float
    auc: float
    brier: float


def scored(answers: Sequence[Answer]) -> Scored:
    """The figures of these answers. One half counts as "needed"."""
    known = [(one.probability, one.needed) for one in answers if one.probability is not None]
    right = sum((p >= 0.5) == needed for p, needed in known)
    squares = sum((p - needed) ** 2 for p, needed in known)
    count = len(known) or math.nan
    return Scored(len(answers), len(answers) - len(known), right / count, _auc(known), squares / count)


def _auc(known: Sequence[tuple[float, bool]]) -> float:
    high, low = [p for p, needed in known if needed], [p for p, needed in known if not needed]
    wins = sum((p > q) + (p == q) / 2 for p in high for q in low)
    return wins / (len(high) * len(low)) if high and low else math.nan


@dataclass(frozen=True)
class Bin:
    """Answers of similar probability: its mean, the share that did need warmup, with Wilson's 95 % interval."""

    said: float
    happened: float
    low: float
    high: float
    count: int


def calibration(answers: Sequence[Answer]) -> list[Bin]:
    """Bins of equal width that hold any answers."""
    out = []
    for number in range(BINS):
        inside = [
            (one.probability, one.needed)
            for one in answers
            if one.probability is not None and min(int(one.probability * BINS), BINS - 1) == number
        ]
        if inside:
            share = sum(needed for _, needed in inside) / len(inside)
            out.append(Bin(sum(p for p, _ in inside) / len(inside), share, *wilson(share, len(inside)), len(inside)))
    return out


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z = 1.959964
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Advised:
    """One piece of advice of a peak and a warmup, with its regret."""

    trained: Trained
    advice: Advice
    regret: Regret


def advised(advice: Sequence[Advice], trained: Sequence[Trained]) -> list[Advised]:
    """The regrets of what was advised where no peak was given."""
    by_name = {one.name: one for one in trained}
    return [
        Advised(by_name[said.config], said, by_name[said.config].regret(said.advised_peak, said.warmup))
        for said in advice
        if said.peak is None and said.advised_peak is not None and said.warmup is not None
    ]


@dataclass(frozen=True)
class Cost:
    """Regrets of several pieces of advice in seed standard deviations: their number, median and 90th percentile, and the same
    against an oracle chosen by the other seeds; how many lay outside the grid, and the median of what they cost in updates."""

    count: int
    median: float
    high: float
    median_by_others: float
    high_by_others: float
    outside: int
    updates: float


def cost(those: Sequence[Advised]) -> Cost:
    """The figures of these regrets."""
    values = [one.regret.value for one in those]
    by_others = [one.regret.by_others for one in those]
    return Cost(
        len(those),
        quantile(values, 0.5),
        quantile(values, 0.9),
        quantile(by_others, 0.5),
        quantile(by_others, 0.9),
        sum(one.regret.outside for one in those),
        quantile([one.advice.cost for one in those], 0.5),
    )


def mean_within(values: Sequence[float]) -> float:
    """The mean, each value counted as LIMIT at most in size: a bound on losses alone would leave gains whole, and turn the
    mean of values around 0 into a gain."""
    return sum(max(-LIMIT, min(LIMIT, value)) for value in values) / len(values)


def lengths(advice: Sequence[Advice], trained: Sequence[Trained]) -> list[float]:
    """The regrets of the warmups that were advised for peaks of the grid, where some run of that peak trained."""
    by_name, out = {one.name: one for one in trained}, []
    for said in advice:
        if said.peak is not None and said.warmup is not None:
            one = by_name[said.config]
            peak, _, _ = one.nearest(said.peak, 0)
            if one.trains_at(peak):
                out.append(one.regret_at(peak, said.warmup))
    return out
