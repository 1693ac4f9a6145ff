"""What the finished runs say: means, paired differences with their intervals, and counts.

Rules, so that no table says more than its numbers:

* Runs are paired by seed: the same seed has the same initial weights and the same data in every arm.
* Intervals of paired differences hold together at 95 %: over all arms and metrics, those of earlier reports among them, and
  after earlier looks at other runs (`looks`). In a grid the verdict speaks of families, so there are two sets, each of which
  holds together: the differences of the arms at each peak, and those of the families (`GridSummary`).
* A run that ended in a value that is not finite has nothing to compare. If an arm has one, the arm has no mean and no
  difference, because the runs that are left are the lucky ones; the counts of diverged runs are compared instead.
* A run that stayed at chance level has a loss. It counts in the means as it is, and among the diverged.
* A run that a race spared is not missing. An arm that a race stopped has no difference: it was stopped for what it showed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from preheat.lab.experiment import Arm, Metric, Study
from preheat.lab.statistics.grid import GridSummary, grid_summary
from preheat.lab.statistics.inference import (
    Difference,
    Share,
    discordant_p,
    exact_interval,
    mean_and_sd,
    paired,
)
from preheat.lab.statistics.looks import Claims, Report, claimed
from preheat.lab.statistics.race import RaceSummary, race_summary
from preheat.lab.statistics.sameness import Alike, alike
from preheat.lab.statistics.target import TargetSummary, level_of_each, target_arm
from preheat.lab.trials import Trials


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

    data: the fingerprints of the data that the runs saw: more than one where a comparison was continued on other data.
    claims: the number of comparisons of arms whose intervals hold together at 95 %; absent: how many of the comparisons
    that the verdict speaks of were made in earlier reports only; looks: how many earlier looks it allows for; reports: all
    comparisons that were reported so far. alike: arms that ended at equal values.
    """

    study: Study
    arms: tuple[ArmSummary, ...]
    data: tuple[str, ...]
    others: dict[str, tuple[ArmSummary, ...]] = field(default_factory=dict)
    grid: GridSummary | None = None
    race: RaceSummary | None = None
    claims: int = 1
    looks: int = 0
    absent: int = 0
    reports: tuple[Report, ...] = ()
    alike: tuple[Alike, ...] = ()
    target: TargetSummary | None = None


def summarised(trials: Trials, *, race: bool = False, earlier: Sequence[Report] = ()) -> StudySummary:
    """The table of a study from its finished runs.

    race: whether the arms were raced, so that some were stopped.
    earlier: what was reported before; the intervals get wider for it.
    """
    study, found = trials.study, claimed(trials, earlier)
    racing = race_summary(trials) if race else None
    stopped = racing.stopped if racing else {}
    tables = {
        metric.name: tuple(_arm_summary(trials, arm, metric, stopped, found.arms) for arm in study.arms)
        for metric in study.metrics
    }
    data = sorted({run.result.data for run in trials.values()} - {""})
    grid = grid_summary(trials, stopped, found.families) if study.is_grid else None
    arms = tables.pop(study.metrics[0].name)
    return StudySummary(
        study=study,
        arms=arms,
        data=tuple(data),
        others=tables,
        grid=grid,
        race=racing,
        claims=found.arms.claims,
        looks=max(share.looks for share in (found.arms, found.families, found.target)),
        absent=found.absent[1 if grid else 0],
        reports=found.reports,
        alike=alike(trials),
        target=_target_summary(study, arms, found),
    )


def _target_summary(study: Study, arms: tuple[ArmSummary, ...], claims: Claims) -> TargetSummary | None:
    """Each arm against the study's target; of an arm that lacks runs, or that a race stopped, nothing is said."""
    if (target := study.target) is None:
        return None
    goal = study.metrics[0].goal
    share = claims.target
    levels = tuple(level_of_each(target.level, share.claims, share.looks + more) for more in (0, 1))
    found = []
    for arm in arms:
        lack = "stopped by the race" if arm.stopped else ""
        lack = f"{arm.missing} of {len(study.seeds)} runs missing" if arm.missing else lack
        values = list(arm.losses.values())
        found.append(target_arm(arm.name, values, target, goal, levels=(levels[0], levels[1]), lack=lack))
    side = "below" if goal == "min" else "above"
    return TargetSummary(target.value, target.sd, target.level, levels[0], side, tuple(found), claims.absent[2])


def _arm_summary(trials: Trials, arm: Arm, metric: Metric, stopped: Mapping[str, int], share: Share) -> ArmSummary:
    """One line of the table. stopped: the arms that a race stopped, after how many seeds."""
    runs, own, reference = trials.of(arm), trials.finals(arm, metric), trials.study.reference(arm)
    mean, sd = mean_and_sd(list(own.values()))
    first = None if reference is None else trials.finals(reference, metric)
    seeds = len(trials.study.seeds)
    due = stopped.get(arm.name, seeds)
    return ArmSummary(
        name=arm.name,
        spec=arm.spec,
        losses=own,
        mean=mean,
        sd=sd,
        difference=None if first is None or arm.name in stopped else paired(own, first, goal=metric.goal, share=share),
        diverged=len(trials.diverged(arm)),
        non_finite=sum(value is None for value in own.values()),
        missing=max(0, due - len(runs)),
        seconds=sum(run.seconds for run in runs.values()) / len(runs) if runs else None,
        stopped=seeds - max(due, len(runs)),
        divergence=_divergence(trials, arm, 1 - share.level),
    )


def _divergence(trials: Trials, arm: Arm, enough: float) -> Divergence | None:
    """How often an arm diverges; None where none of its runs has finished."""
    runs, reference = trials.of(arm), trials.study.reference(arm)
    if not runs:
        return None
    low, high = exact_interval(len(trials.diverged(arm)), len(runs))
    if reference is None:
        return Divergence(low, high)
    more, fewer = _discordant(trials, arm, reference)
    p = discordant_p(more, fewer)
    return Divergence(low, high, more, fewer, p, p <= enough)


def _discordant(trials: Trials, arm: Arm, reference: Arm) -> tuple[int, int]:
    """With how many seeds only this arm diverged, and with how many only the reference did."""
    both = trials.of(arm).keys() & trials.of(reference).keys()
    own, first = trials.diverged(arm) & both, trials.diverged(reference) & both
    return len(own - first), len(first - own)
