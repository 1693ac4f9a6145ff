"""What a grid of peaks says of each family of arms: its best peak, its sensitivity to the rate, and what it can train.

* **Best peak**: the peak with the best mean among those at which every run has a finite value. The best of several is
  flattered by chance. Two families are flattered alike if they were tried at the same peaks, so they are compared at
  their best ones, paired by seed; measured, equal families then differ in at most 5 % of the cases. If one family is flat
  over the grid and the other is not, the flat one is flattered more: up to 9 % with five peaks.
* **Sensitivity** (Wortsman et al. 2023, arXiv 2309.14322): the mean over the peaks of min(loss, ceiling) − best loss, by
  seed; the ceiling is the loss of a model that learned nothing, and a loss that is not finite counts as the ceiling. 0
  is a family for which the peak does not matter. Peaks should lie evenly on a logarithmic scale.
* **Largest trainable peak**: going up from the smallest, the last peak before one at which half of the runs or more
  diverge; for one seed, the last before it diverges. Between two peaks of the grid nothing is known, so the ratio of two
  families, in octaves (doublings), has an interval that allows for one step of the grid to either side.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from preheat.lab.experiment import Arm, Study
from preheat.lab.statistics.inference import Difference, level_of, mean_and_sd, paired, quantile
from preheat.lab.trials import Trials


@dataclass(frozen=True, slots=True)
class Cell:
    """One family at one peak. `mean` and `sd` are None where a run has no finite value; `stopped`: by the race."""

    peak: float
    runs: int
    mean: float | None
    sd: float | None
    diverged: int
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Octaves:
    """log2 of a family's largest trainable peak over the reference's; an end is None where the grid does not bound it."""

    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    level: float

    @property
    def excludes_zero(self) -> bool:
        """Whether one family can be said to train at higher peaks."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)


@dataclass(frozen=True, slots=True)
class Family:
    """One row of the grid. The last three are against the first family, paired by seed; None or empty for that itself.

    Values by seed are there for the seeds that ran at every peak in every family: in a race those of its first rung, or
    more. `trainable` counts all runs; it is None if not even the smallest peak trains. `at_best` has a difference for
    each metric, at the peaks that are best by the first metric.
    """

    name: str
    spec: str
    cells: tuple[Cell, ...]
    best: float | None
    trainable: float | None
    trainable_by_seed: dict[int, float | None]
    sensitivity: float | None
    sensitivity_by_seed: dict[int, float]
    at_best: dict[str, Difference | None] = field(default_factory=dict)
    sensitivity_difference: Difference | None = None
    octaves: Octaves | None = None


@dataclass(frozen=True, slots=True)
class GridSummary:
    """All families at all peaks. `ceiling` caps what a run can cost in the sensitivity; None if it is not known.

    `claims` is the number of comparisons whose intervals hold together at 95 %.
    """

    metric: str
    peaks: tuple[float, ...]
    families: tuple[Family, ...]
    ceiling: float | None
    claims: int

    @property
    def means(self) -> list[list[float | None]]:
        """Families × peaks, as a heat map draws them."""
        return [[cell.mean for cell in family.cells] for family in self.families]


def grid_summary(trials: Trials, stopped: Mapping[str, int], looks: int = 0) -> GridSummary | None:
    """The grid of a study from its finished runs; None if the families have no peak in common.

    `stopped` are the arms that a race left, `looks` the number of earlier looks at the results.
    """
    study, families = trials.study, trials.study.families.values()
    peaks = sorted(peak for peak in {arm.peak for arm in study.arms} if peak and all(peak in row for row in families))
    if not peaks:
        return None
    rows = [{peak: row[peak] for peak in peaks} for row in families]
    cap = _ceiling(trials)
    seeds = [seed for seed in study.seeds if all(seed in trials.of(arm) for row in rows for arm in row.values())]
    reference, *others = [_family(trials, row, seeds, cap, stopped) for row in rows]
    compared = [_compared(trials, family, reference, looks) for family in others]
    return GridSummary(study.metrics[0].name, tuple(peaks), (reference, *compared), cap, _claims(study))


def _claims(study: Study) -> int:
    """What is said of each family but the first: every metric at the best peaks, sensitivity, trainable peaks."""
    return (len(study.families) - 1) * (len(study.metrics) + 2)


def _ceiling(trials: Trials) -> float | None:
    """The cost of a model that has learned nothing; None if the runs do not tell.

    It is the chance level where the training named one for its loss, else the first finite value that was logged of the
    metric, or, for a metric called a loss, of the training loss; the median over the runs. Chance level and training loss
    are the first stage's: a metric of a later one has its own first value, and none where it was logged once.
    """
    metric, known = trials.study.metrics[0], list[float]()
    is_loss = metric.goal == "min" and metric.name.endswith("loss") and not metric.stage
    for run in trials.values():
        chance = run.result.chance_loss if is_loss else None
        own = run.column(metric.name)
        logged = [*(own[:1] if len(own) > 1 or not metric.stage else []), *(run.column("loss")[:1] if is_loss else [])]
        known += [value for value in (chance, *logged) if value is not None and math.isfinite(value)][:1]
    return metric.cost(median(known)) if known else None


def _family(
    trials: Trials, row: Mapping[float, Arm], seeds: Sequence[int], cap: float | None, stopped: Mapping[str, int]
) -> Family:
    """A family without its comparisons, from its arms by rising peak; `seeds` ran at every peak in every family."""
    arms, cost, cells = list(row.values()), trials.study.metrics[0].cost, []
    diverged = {peak: trials.diverged(arm) for peak, arm in row.items()}
    for peak, arm in row.items():
        finals = list(trials.finals(arm).values())
        cells.append(Cell(peak, len(finals), *mean_and_sd(finals), len(diverged[peak]), arm.name in stopped))
    most = max(cell.runs for cell in cells)
    complete = [cell for cell in cells if cell.mean is not None and cell.runs == most]
    excess = _sensitivities([trials.costs(arm) for arm in arms], seeds, cap)
    return Family(
        name=arms[0].family,
        spec=arms[0].spec,
        cells=tuple(cells),
        best=min(complete, key=lambda cell: cost(cell.mean)).peak if complete else None,
        trainable=largest_trainable([(cell.peak, cell.runs > 2 * cell.diverged) for cell in cells]),
        trainable_by_seed={
            seed: largest_trainable([(peak, seed not in found) for peak, found in diverged.items()]) for seed in seeds
        },
        sensitivity=mean_and_sd(list(excess.values()))[0],
        sensitivity_by_seed=excess,
    )


def _sensitivities(costs: Sequence[Mapping[int, float]], seeds: Sequence[int], cap: float | None) -> dict[int, float]:
    """Each seed's mean excess over its best peak, from the costs by seed at each peak; empty without a ceiling."""
    found: dict[int, float] = {}
    if cap is None:
        return found
    for seed in seeds:
        capped = [min(by_seed[seed], cap) for by_seed in costs]
        found[seed] = math.fsum(capped) / len(capped) - min(capped)
    return found


def _compared(trials: Trials, family: Family, reference: Family, looks: int) -> Family:
    """A family with its differences from the first one."""
    study, claims = trials.study, _claims(trials.study)
    at_best: dict[str, Difference | None] = {}
    if family.best is not None and reference.best is not None:
        here, there = study.families[family.name][family.best], study.families[reference.name][reference.best]
        for metric in study.metrics:
            own, first = trials.finals(here, metric), trials.finals(there, metric)
            at_best[metric.name] = paired(own, first, goal=metric.goal, claims=claims, looks=looks)
    excess = paired(family.sensitivity_by_seed, reference.sensitivity_by_seed, claims=claims, looks=looks)
    peaks, level = [cell.peak for cell in family.cells], level_of(claims, looks)
    boundary = octaves(peaks, family.trainable_by_seed, reference.trainable_by_seed, level)
    return replace(family, at_best=at_best, sensitivity_difference=excess, octaves=boundary)


def largest_trainable(trained: Sequence[tuple[float, bool]]) -> float | None:
    """The last peak before the first that does not train; None if that is the smallest."""
    largest = None
    for peak, holds in trained:
        if not holds:
            break
        largest = peak
    return largest


def octaves(
    peaks: Sequence[float], own: Mapping[int, float | None], reference: Mapping[int, float | None], level: float
) -> Octaves | None:
    """The ratio of the largest trainable peaks, over the seeds that have both; None if none has.

    A boundary lies anywhere from the peak that trained up to the next, or beyond the grid. So each seed bounds the ratio
    from below and from above; the interval runs from the lower end for the lower bounds to the upper end for the upper.
    """
    edges = [-math.inf, *map(math.log2, peaks), math.inf]
    pairs = [(own[seed], reference[seed]) for seed in own if seed in reference]
    if not pairs:
        return None
    at = [[0 if peak is None else 1 + peaks.index(peak) for peak in pair] for pair in pairs]
    lows, highs = [edges[a] - edges[b + 1] for a, b in at], [edges[a + 1] - edges[b] for a, b in at]
    mean = math.fsum(edges[a] - edges[b] for a, b in at) / len(at) if all(a and b for a, b in at) else None
    return Octaves(mean, interval_end(lows, level, -1), interval_end(highs, level, 1), len(pairs), level)


def interval_end(bounds: Sequence[float], level: float, side: int) -> float | None:
    """The end of an interval on one side; None if a value is not bounded there, or there is only one."""
    if len(bounds) < 2 or not all(map(math.isfinite, bounds)):
        return None
    mean, sd = mean_and_sd(bounds)
    return (mean or 0.0) + side * (quantile(bounds, level) * sd / math.sqrt(len(bounds)) if sd else 0.0)
