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

from preheat.lab.experiment import Arm, Metric, Study
from preheat.lab.statistics.finals import Records, Runs, ceiling, cost, lost, values
from preheat.lab.statistics.inference import Difference, level_of, mean_and_sd, paired, quantile

Row = Mapping[float, tuple[Arm, Runs]]
"""A family: its arm and the finished runs at each peak, the smallest first."""


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


def grid_summary(study: Study, records: Records, stopped: Mapping[str, int], looks: int = 0) -> GridSummary | None:
    """The grid of a study from the records of its finished runs; None if the families have no peak in common.

    `stopped` are the arms that a race left, `looks` the number of earlier looks at the results.
    """
    rows = {arm.family: family_row(study, records, arm.family) for arm in study.arms}
    peaks = sorted(set.intersection(*(set(row) for row in rows.values())))
    if not peaks:
        return None
    rows = {name: {peak: row[peak] for peak in peaks} for name, row in rows.items()}
    cap = ceiling(records.values(), study.metrics[0])
    seeds = [seed for seed in study.seeds if all(seed in runs for row in rows.values() for _, runs in row.values())]
    (reference, first), *others = [(alone(study, row, seeds, cap, stopped), row) for row in rows.values()]
    families = [compared(study, (family, row), (reference, first), looks) for family, row in others]
    return GridSummary(study.metrics[0].name, tuple(peaks), (reference, *families), cap, grid_claims(study))


def grid_claims(study: Study) -> int:
    """What is said of each family but the first: every metric at the best peaks, sensitivity, trainable peaks."""
    return (len({arm.family for arm in study.arms}) - 1) * (len(study.metrics) + 2)


def family_row(study: Study, records: Records, name: str) -> Row:
    """A family's arms and their finished runs."""
    arms = [arm for arm in study.arms if arm.family == name]
    return {
        arm.peak: (arm, {seed: records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records})
        for arm in arms
        if arm.peak is not None
    }


def alone(study: Study, row: Row, seeds: Sequence[int], cap: float | None, stopped: Mapping[str, int]) -> Family:
    """A family without its comparisons; `seeds` are those that ran at every peak in every family."""
    metric, cells = study.metrics[0], []
    for peak, (arm, runs) in row.items():
        mean, sd = mean_and_sd(list(values(runs, metric).values()))
        cells.append(
            Cell(peak, len(runs), mean, sd, sum(lost(run, metric) for run in runs.values()), arm.name in stopped)
        )
    most = max(cell.runs for cell in cells)
    costs = {cell.peak: -cell.mean if metric.goal == "max" else cell.mean for cell in cells if cell.mean is not None}
    costs = {cell.peak: costs[cell.peak] for cell in cells if cell.peak in costs and cell.runs == most}
    excess = sensitivities(metric, row, seeds, cap)
    arm = next(iter(row.values()))[0]
    return Family(
        name=arm.family,
        spec=arm.spec,
        cells=tuple(cells),
        best=min(costs, key=lambda peak: costs[peak]) if costs else None,
        trainable=climbed([(cell.peak, cell.runs > 2 * cell.diverged) for cell in cells]),
        trainable_by_seed=trainable_by_seed(metric, row, seeds),
        sensitivity=mean_and_sd(list(excess.values()))[0],
        sensitivity_by_seed=excess,
    )


def compared(study: Study, own: tuple[Family, Row], first: tuple[Family, Row], looks: int) -> Family:
    """A family with its differences from the first one."""
    (family, row), (reference, other), claims = own, first, grid_claims(study)
    at_best: dict[str, Difference | None] = {}
    for metric in study.metrics:
        if family.best is not None and reference.best is not None:
            here, there = values(row[family.best][1], metric), values(other[reference.best][1], metric)
            at_best[metric.name] = paired(here, there, goal=metric.goal, claims=claims, looks=looks)
    excess = paired(family.sensitivity_by_seed, reference.sensitivity_by_seed, claims=claims, looks=looks)
    boundary = octaves(list(row), family.trainable_by_seed, reference.trainable_by_seed, level_of(claims, looks))
    return replace(family, at_best=at_best, sensitivity_difference=excess, octaves=boundary)


def sensitivities(metric: Metric, row: Row, seeds: Sequence[int], cap: float | None) -> dict[int, float]:
    """Each seed's mean excess over its best peak; empty without a ceiling."""
    found: dict[int, float] = {}
    if cap is None:
        return found
    for seed in seeds:
        costs = [min(cost(runs[seed], metric), cap) for _, runs in row.values()]
        found[seed] = math.fsum(costs) / len(costs) - min(costs)
    return found


def climbed(trained: Sequence[tuple[float, bool]]) -> float | None:
    """The last peak before the first that does not train; None if that is the smallest."""
    largest = None
    for peak, holds in trained:
        if not holds:
            break
        largest = peak
    return largest


def trainable_by_seed(metric: Metric, row: Row, seeds: Sequence[int]) -> dict[int, float | None]:
    """Each seed's largest trainable peak."""
    return {seed: climbed([(peak, not lost(runs[seed], metric)) for peak, (_, runs) in row.items()]) for seed in seeds}


def octaves(
    peaks: Sequence[float], own: Mapping[int, float | None], first: Mapping[int, float | None], level: float
) -> Octaves | None:
    """The ratio of the largest trainable peaks, over the seeds that have both; None if none has.

    A boundary lies anywhere from the peak that trained up to the next, or beyond the grid. So each seed bounds the ratio
    from below and from above; the interval runs from the lower end for the lower bounds to the upper end for the upper.
    """
    edges = [-math.inf, *map(math.log2, peaks), math.inf]
    pairs = [(own[seed], first[seed]) for seed in own if seed in first]
    if not pairs:
        return None
    at = [[0 if peak is None else 1 + peaks.index(peak) for peak in pair] for pair in pairs]
    lows, highs = [edges[a] - edges[b + 1] for a, b in at], [edges[a + 1] - edges[b] for a, b in at]
    mean = math.fsum(edges[a] - edges[b] for a, b in at) / len(at) if all(a and b for a, b in at) else None
    return Octaves(mean, reached(lows, level, -1), reached(highs, level, 1), len(pairs), level)


def reached(bounds: Sequence[float], level: float, side: int) -> float | None:
    """The end of an interval on one side; None if a value is not bounded there, or there is only one."""
    if len(bounds) < 2 or not all(map(math.isfinite, bounds)):
        return None
    mean, sd = mean_and_sd(bounds)
    return (mean or 0.0) + side * (quantile(bounds, level) * sd / math.sqrt(len(bounds)) if sd else 0.0)
