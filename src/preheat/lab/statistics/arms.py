"""What the finished runs say: means, paired differences with their intervals, and counts.

Rules, so that no table says more than its numbers:

* Runs are paired by seed: the same seed has the same initial weights and the same data in every arm.
* Intervals of paired differences hold together at 95 %: over all arms and metrics of the study, and after earlier looks
  if their number is given. In a grid the verdict speaks of families, so there are two sets, each of which holds together:
  the differences of the arms at each peak, and those of the families (`GridSummary`).
* A run that ended in a value that is not finite has nothing to compare. If an arm has one, the arm has no mean and no
  difference, because the runs that are left are the lucky ones; the counts of diverged runs are compared instead.
* A run that stayed at chance level has a loss. It counts in the means as it is, and among the diverged.
* A run that a race spared is not missing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from preheat.lab.experiment import Arm, Metric, Study
from preheat.lab.statistics.finals import Records, Runs, lost, values
from preheat.lab.statistics.grid import GridSummary, grid_summary
from preheat.lab.statistics.inference import (
    LEVEL,
    Difference,
    discordant_p,
    exact_interval,
    level_of,
    mean_and_sd,
    paired,
)
from preheat.lab.statistics.race import Failed, RaceSummary, race_summary

__all__ = ["ArmSummary", "Difference", "Divergence", "Records", "StudySummary", "summarised"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """How often an arm diverges: the 95 % interval of its own rate, and how that compares with the reference's.

    `more` counts the seeds with which only this arm diverged, `fewer` those with which only the reference did; `p` is the
    exact test of these two. `differs` if that is enough to claim a direction, along with all other claims.
    """

    low: float
    high: float
    more: int = 0
    fewer: int = 0
    p: float | None = None
    differs: bool = False


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One line of the table. `mean`, `sd` and `difference` are None where they are not defined.

    `losses` are the final values of the metric, whatever it is; `stopped` counts the runs that a race spared.
    """

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
    stopped: int = 0
    divergence: Divergence | None = None

    @property
    def runs(self) -> int:
        """How many runs have finished."""
        return len(self.losses)


@dataclass(frozen=True, slots=True)
class StudySummary:
    """The table of one study, by its first metric; `others` has the same table for each further metric.

    data: the fingerprints of the data that the runs saw: more than one where a folder was carried on elsewhere.
    claims: the number of comparisons whose intervals hold together at 95 %; looks: how many earlier looks at the results
    the intervals allow for.
    """

    study: Study
    arms: tuple[ArmSummary, ...]
    data: tuple[str, ...]
    others: dict[str, tuple[ArmSummary, ...]] = field(default_factory=dict)
    grid: GridSummary | None = None
    race: RaceSummary | None = None
    claims: int = 1
    looks: int = 0


def summarised(
    study: Study, records: Records, *, race: bool = False, failed: Failed = (), looks: int = 0
) -> StudySummary:
    """The table of a study from the records of its finished runs.

    race: whether the arms were raced, so that some were stopped. failed: runs that the race went on without.
    looks: how often the results were looked at before, with fewer seeds; the intervals get wider for that.
    """
    found = {
        arm.name: {seed: records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records}
        for arm in study.arms
    }
    racing = race_summary(study, records, failed) if race else None
    stopped = racing.stopped if racing else {}
    claims = claims_of(study, found)
    tables = {
        metric.name: tuple(
            arm_summary(study, arm, metric, found, (stopped.get(arm.name), claims, looks)) for arm in study.arms
        )
        for metric in study.metrics
    }
    data = sorted({run.result.data for runs in found.values() for run in runs.values()} - {""})
    grid = grid_summary(study, records, stopped, looks) if study.is_grid else None
    first, *_ = study.metrics
    others = {name: arms for name, arms in tables.items() if name != first.name}
    return StudySummary(study, tables[first.name], tuple(data), others, grid, racing, claims, looks)


def claims_of(study: Study, found: Mapping[str, Runs]) -> int:
    """How many comparisons are made: of every arm with its reference, by each metric and by how often they diverge.

    A test on divergence counts only where so many seeds are discordant that it could say anything, which takes six.
    """
    pairs = [(arm, first) for arm in study.arms if (first := study.reference(arm))]
    telling = sum(
        discordant_p(sum(discordant(study, found[arm.name], found[first.name])), 0) <= 1 - LEVEL for arm, first in pairs
    )
    return max(1, len(pairs) * len(study.metrics) + telling)


def arm_summary(
    study: Study, arm: Arm, metric: Metric, found: Mapping[str, Runs], setting: tuple[int | None, int, int]
) -> ArmSummary:
    """One line of the table; `setting` is after how many seeds the arm was stopped, the number of claims and of looks."""
    (stopped, claims, looks), runs = setting, found[arm.name]
    own, reference = values(runs, metric), study.reference(arm)
    mean, sd = mean_and_sd(list(own.values()))
    first = None if reference is None else values(found[reference.name], metric)
    due = len(study.seeds) if stopped is None else stopped
    return ArmSummary(
        name=arm.name,
        spec=arm.spec,
        losses=dict(own),
        mean=mean,
        sd=sd,
        difference=None if first is None else paired(own, first, goal=metric.goal, claims=claims, looks=looks),
        diverged=sum(lost(run, study.metrics[0]) for run in runs.values()),
        non_finite=sum(value is None for value in own.values()),
        missing=max(0, due - len(runs)),
        seconds=math.fsum(run.seconds for run in runs.values()) / len(runs) if runs else None,
        stopped=len(study.seeds) - max(due, len(runs)),
        divergence=divergence(study, arm, found, 1 - level_of(claims, looks)),
    )


def divergence(study: Study, arm: Arm, found: Mapping[str, Runs], enough: float) -> Divergence | None:
    """How often an arm diverges; None where none of its runs has finished."""
    runs, reference = found[arm.name], study.reference(arm)
    if not runs:
        return None
    low, high = exact_interval(sum(lost(run, study.metrics[0]) for run in runs.values()), len(runs))
    if reference is None:
        return Divergence(low, high)
    more, fewer = discordant(study, runs, found[reference.name])
    p = discordant_p(more, fewer)
    return Divergence(low, high, more, fewer, p, p <= enough)


def discordant(study: Study, own: Runs, first: Runs) -> Sequence[int]:
    """With how many seeds only this arm diverged, and with how many only the reference did."""
    metric = study.metrics[0]
    pairs = [(lost(own[seed], metric), lost(first[seed], metric)) for seed in own if seed in first]
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
