"""What the finished runs say: means, paired differences with their intervals, and counts.

Rules, so that no table says more than its numbers:

* Runs are paired by seed: the same seed has the same initial weights and the same data in every arm.
* The interval is Student's, 95 %, of the paired differences: with three seeds a bootstrap interval is far too narrow.
  It holds for one comparison; nothing is corrected for there being several.
* A run that ended in a loss that is not finite has no loss to compare. If an arm has one, the arm has no mean and no
  difference, because the runs that are left are the lucky ones; the counts of diverged runs are compared instead.
* A run that stayed at chance level has a loss. It counts in the means as it is, and among the diverged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from preheat.core.errors import PreheatError
from preheat.lab.experiment import Arm, Study
from preheat.lab.records import Record

LEVEL = 0.95

Losses = Mapping[int, float | None]
"""Final validation losses by seed; None where not finite."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Validation loss of an arm minus the first arm's, over the seeds that finished in both.

    `low` and `high` bound the 95 % interval of the mean difference; they are None with one seed. `better` counts the
    seeds whose loss is lower than in the first arm.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    better: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval leaves out 0: the only case in which a direction may be claimed."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One line of the table. `mean`, `sd` and `difference` are None where they are not defined."""

    name: str
    spec: str
    losses: dict[int, float | None]
    mean: float | None
    sd: float | None
    difference: Difference | None
    diverged: int
    non_finite: int
    missing: int
    seconds: float | None

    @property
    def runs(self) -> int:
        """How many runs have finished."""
        return len(self.losses)


@dataclass(frozen=True, slots=True)
class StudySummary:
    """The table of one study. The first arm is the one that the others are compared with.

    `data` are the fingerprints of the data that the runs saw: more than one where a folder was carried on elsewhere.
    """

    study: Study
    arms: tuple[ArmSummary, ...]
    data: tuple[str, ...]


Records = Mapping[tuple[str, int], Record]
"""The finished runs of a study, by the name of the arm and the seed."""


def summarised(study: Study, records: Records) -> StudySummary:
    """The table of a study from the records of its finished runs."""
    found = [
        {seed: records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records} for arm in study.arms
    ]
    first = losses(found[0])
    arms = [
        arm_summary(arm, runs, None if position == 0 else first, len(study.seeds))
        for position, (arm, runs) in enumerate(zip(study.arms, found, strict=True))
    ]
    data = sorted({run.result.data for runs in found for run in runs.values()})
    return StudySummary(study, tuple(arms), tuple(data))


def arm_summary(arm: Arm, runs: Mapping[int, Record], first: Losses | None, expected: int) -> ArmSummary:
    """One line of the table; `first` are the losses of the first arm, None for that arm itself."""
    own = losses(runs)
    mean, sd = mean_and_sd(list(own.values()))
    return ArmSummary(
        name=arm.name,
        spec=arm.spec,
        losses=dict(own),
        mean=mean,
        sd=sd,
        difference=None if first is None else paired(own, first),
        diverged=sum(run.result.diverged or not run.result.finite for run in runs.values()),
        non_finite=sum(not run.result.finite for run in runs.values()),
        missing=expected - len(runs),
        seconds=math.fsum(run.seconds for run in runs.values()) / len(runs) if runs else None,
    )


def losses(runs: Mapping[int, Record]) -> Losses:
    """Final validation losses by seed."""
    return {seed: run.result.val_loss for seed, run in runs.items()}


def mean_and_sd(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The mean, and the standard deviation over seeds (n − 1); None where not defined."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None, None
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return mean, None
    return mean, math.hypot(*(value - mean for value in known)) / math.sqrt(len(known) - 1)  # squares could overflow


def paired(own: Losses, first: Losses) -> Difference | None:
    """The difference of an arm to the first; None where a run was not finite, or no seed finished in both."""
    if None in own.values() or None in first.values():
        return None
    both = [(own[seed], first[seed]) for seed in own if seed in first]
    differences = [a - b for a, b in both if a is not None and b is not None]
    if not differences:
        return None
    mean = math.fsum(differences) / len(differences)
    low, high = interval(differences) or (None, None)
    return Difference(mean, low, high, len(differences), sum(d < 0 for d in differences))


def interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean, mean ∓ t · sd / √n with n − 1 degrees of freedom; None for one value.

    >>> [round(end, 3) for end in interval([-0.41, -0.38, -0.40])]
    [-0.435, -0.359]
    """
    mean, sd = mean_and_sd(differences)
    if mean is None or sd is None:
        return None
    half = student(len(differences) - 1) * sd / math.sqrt(len(differences))
    return mean - half, mean + half


def student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t."""
    try:
        from scipy.special import stdtrit
    except ImportError:
        raise PreheatError("intervals need scipy; pip install 'preheat[lab]'") from None
    return float(stdtrit(freedom, (1 + LEVEL) / 2))
