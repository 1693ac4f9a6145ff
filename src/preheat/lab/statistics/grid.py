"""What a grid of peaks says of each family of arms: its best peak, its sensitivity to the rate, and what it can train.

* **Best peak**: the peak with the best mean among those at which every run has a finite value. The best of several is
  flattered by chance, the more the flatter the family and the wider its runs scatter. So a claim that rests on its being
  the best has to be surer: every other peak that cannot be told from it, by the interval of their paired difference, counts
  as half a further claim. Measured at five peaks with families that do not differ, flat ones against
  curved ones, and up to ten times the scatter of the other: at most 5.7 % of such claims are false, each by itself at 95 %;
  without it up to 12 %. `python -m benchmarks.verdicts grid` counts all claims of a grid together: at most 3.2 %. (Half,
  because chance flatters in one direction only. To choose each seed's peak by the other seeds takes the flattery out of
  the mean but not out of the interval: a peak that all but one seed prefer is chosen for nearly all; 10 to 27 % were told
  apart.)
* **Sensitivity**: the mean over the peaks of min(loss, ceiling) − loss at the best peak, by seed; the ceiling is the loss of
  a model that learned nothing, and a loss that is not finite counts as the ceiling. 0 is a family for which the peak does
  not matter. Peaks should lie evenly on a logarithmic scale. Wortsman et al. 2023 (arXiv 2309.14322) take the best loss
  of each sweep, and ran each once. With several seeds that counts noise: the lowest of five equal peaks lies the lower
  the more the runs scatter, and of flat families with one and three times the scatter 29, 74 and 99.8 % were told apart
  with 3, 5 and 10 seeds. Here the best peak is one for all seeds, by their mean, and what is claimed of it has to be
  surer as above. With one seed the best peak would be chosen by the very loss that is compared, so there is none.
* **Largest trainable peak**: going up from the smallest, the last peak before one at which half of the runs or more
  diverge; for one seed, the last before it diverges. Between two peaks of the grid nothing is known, so the ratio of two
  families, in octaves (doublings), has an interval that allows for one step of the grid to either side.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from preheat.lab.experiment import Arm
from preheat.lab.statistics.inference import Difference, Share, interval, mean_and_sd, paired, student
from preheat.lab.trials import LARGEST, Trials


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
    more. `trainable` counts all runs; it is None if not even the smallest peak trains. A family that trains at no peak has
    no sensitivity. `at_best` has a difference for
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

    `claims` is the number of claims on families whose intervals hold together at 95 %.
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


@dataclass(frozen=True, slots=True)
class GridScope:
    """What a grid compares: the peaks that all families have, their arms at these, and of what claims can be made."""

    peaks: tuple[float, ...]
    rows: tuple[dict[float, Arm], ...]
    ceiling: float | None
    has_sensitivity: bool
    has_reach: bool


def grid_scope(trials: Trials) -> GridScope | None:
    """What the grid of a study compares; None if the families have no peak in common.

    Of sensitivity nothing is claimed without a ceiling, nor of the largest trainable peak where every run trains.
    """
    study, families = trials.study, trials.study.families.values()
    peaks = sorted(peak for peak in {arm.peak for arm in study.arms} if peak and all(peak in row for row in families))
    if not peaks:
        return None
    rows = tuple({peak: row[peak] for peak in peaks} for row in families)
    cap, several = _ceiling(trials), len(peaks) > 1
    reach = several and any(trials.diverged(arm) for row in rows for arm in row.values())
    return GridScope(tuple(peaks), rows, cap, several and cap is not None, reach)


def grid_summary(trials: Trials, stopped: Mapping[str, int], share: Share) -> GridSummary | None:
    """The grid of a study from its finished runs; None if the families have no peak in common.

    stopped: the arms that a race left.   share: what each claim on a family gets.
    """
    study, scope = trials.study, grid_scope(trials)
    if scope is None:
        return None
    arms = [arm for row in scope.rows for arm in row.values()]
    seeds = [seed for seed in study.seeds if all(seed in trials.of(arm) for arm in arms)]
    reference, *others = [_family(trials, row, seeds, scope.ceiling, stopped) for row in scope.rows]
    compared = [_compared(trials, family, reference, share, scope.ceiling) for family in others]
    return GridSummary(study.metrics[0].name, scope.peaks, (reference, *compared), scope.ceiling, share.claims)


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
        known += [value for value in (chance, *logged) if value is not None and abs(value) <= LARGEST][:1]
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
    trains = any(cell.runs > 2 * cell.diverged for cell in complete)  # else every peak is as bad, and none is the best
    excess = _sensitivities(_capped(trials, arms, seeds, cap)) if trains else {}
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


def _capped(trials: Trials, arms: Sequence[Arm], seeds: Sequence[int], cap: float | None) -> list[dict[int, float]]:
    """What the runs at each peak cost by seed, at most the ceiling; nothing without a ceiling, or with one seed."""
    if cap is None or len(seeds) < 2:
        return []
    costs = [trials.costs(arm) for arm in arms]
    return [{seed: min(by_seed[seed], cap) for seed in seeds} for by_seed in costs]


def _sensitivities(costs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Each seed's mean over the peaks less its cost at the best one, from the costs by seed at each peak."""
    if not costs:
        return {}
    best = min(costs, key=lambda row: math.fsum(row.values()))
    return {seed: math.fsum(row[seed] - best[seed] for row in costs) / len(costs) for seed in best}


def _doubt(costs: Sequence[Mapping[int, float]]) -> float:
    """How much surer a claim on the best peak has to be: 1, and a half for every other that cannot be told from it."""
    best = min(costs, key=lambda row: math.fsum(row.values()) / len(row))
    others = [[row[seed] - best[seed] for seed in best if seed in row] for row in costs if row is not best]
    return 1 + sum(_near(differences) for differences in others) / 2


def _near(differences: Sequence[float]) -> bool:
    """Whether these paired differences leave it open which is better."""
    ends = interval(differences)
    return ends[0] <= 0 <= ends[1] if ends else len(differences) < 2


def _compared(trials: Trials, family: Family, reference: Family, share: Share, cap: float | None) -> Family:
    """A family with its differences from the first one."""
    study = trials.study
    at_best: dict[str, Difference | None] = {}
    if family.best is not None and reference.best is not None:
        here, there = study.families[family.name][family.best], study.families[reference.name][reference.best]
        doubts = [_doubt(_complete(trials, one)) for one in (family, reference)]
        for metric in study.metrics:
            own, first = trials.finals(here, metric), trials.finals(there, metric)
            below, above = doubts if metric.goal == "min" else doubts[::-1]  # the own best flatters where it is better
            at_best[metric.name] = paired(own, first, goal=metric.goal, share=replace(share, above=above, below=below))
    boundary = octaves(
        [cell.peak for cell in family.cells], family.trainable_by_seed, reference.trainable_by_seed, share.level
    )
    excess = _sensitivity_difference(trials, family, reference, cap, share)
    return replace(family, at_best=at_best, sensitivity_difference=excess, octaves=boundary)


def _complete(trials: Trials, family: Family) -> list[dict[int, float]]:
    """The costs by seed at the peaks among which the best one was chosen."""
    arms, most = trials.study.families[family.name], max(cell.runs for cell in family.cells)
    return [trials.costs(arms[cell.peak]) for cell in family.cells if cell.mean is not None and cell.runs == most]


def _sensitivity_difference(
    trials: Trials, family: Family, reference: Family, cap: float | None, share: Share
) -> Difference | None:
    """How much more or less sensitive a family is than the first one."""
    seeds = list(family.sensitivity_by_seed)
    if not seeds or not reference.sensitivity_by_seed:
        return None
    above, below = (
        _doubt(_capped(trials, [trials.study.families[one.name][cell.peak] for cell in one.cells], seeds, cap))
        for one in (family, reference)
    )
    share = replace(share, above=above, below=below)  # the own best makes the excess over it too large
    found = paired(family.sensitivity_by_seed, reference.sensitivity_by_seed, share=share)
    return replace(found, more=None) if found else None  # more seeds are not what makes a family less sensitive


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
    return (mean or 0.0) + side * (student(len(bounds) - 1, level) * sd / math.sqrt(len(bounds)) if sd else 0.0)
