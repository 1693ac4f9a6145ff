"""From records to curves that can be drawn: a little smoothed, thinned, on an axis that one spike does not spoil."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import Target
from preheat.lab.experiment import Arm, Study, Trial
from preheat.lab.records.record import Record
from preheat.lab.records.series import WINDOW, spikes, stage_of
from preheat.lab.statistics.inference import student
from preheat.lab.trials import Trials
from preheat.plots.panel import thinned

POINTS = 160  # a curve: more than a screen shows
FEW = 5  # from so many seeds on a band is the interval of their mean; of fewer it is from the lowest to the highest


@dataclass(frozen=True, slots=True)
class Instability:
    """What went wrong in one run, and when. `kind` is "spike", a jump of the loss; "nonfinite", from where on it is no
    number; or "at chance", where the run counts as diverged though its loss was finite.
    """

    kind: str
    seed: int
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class ArmCurves:
    """What one arm's runs looked like, all at the same updates: a curve per seed, their mean and a band, gaps as NaN.

    `style` is the place of the arm's family in the study: the same schedule looks alike at every peak.
    """

    name: str
    style: int
    updates: list[int]
    losses: list[list[float]]
    loss: list[float]
    low: list[float]
    high: list[float]
    grad_norm: list[float]
    rate: list[float]
    instabilities: list[Instability]
    peak: float | None = None

    @property
    def shows_seeds(self) -> bool:
        """Whether the single seeds have to be seen: they are few, or the mean ends before some of them do."""
        return len(self.losses) < FEW or self.ends_differ

    @property
    def ends_differ(self) -> bool:
        """Whether the seeds have their last finite value at different updates."""
        return len({sum(map(math.isfinite, row)) for row in self.losses}) > 1


def curves(trials: Trials) -> list[ArmCurves]:
    """One entry per arm, in the order of the study; an arm without a finished run has empty lists."""
    study, column, found = trials.study, loss_column(trials), []
    longest = max((run.steps_of(column) for run in trials.values()), key=lambda at: (at[-1:], len(at)), default=[])
    updates = thinned(longest, POINTS)
    norm, rates = beside(column, "grad_norm"), beside(column, "lr")
    styles = {family: style for style, family in enumerate(study.families)}
    for arm in study.arms:
        runs = trials.of(arm)
        losses, norms = (
            [_smooth(run, name, updates, _reach(run.steps_of(name))) for run in runs.values()]
            for name in (column, norm)
        )
        means = mean_curve(losses), *band(losses), mean_curve(norms)
        unstable = [one for seed, run in runs.items() for one in _instabilities(run, seed, column, study)]
        rate = _rates(trials, arm, updates, rates) if runs else []
        found.append(ArmCurves(arm.name, styles[arm.family], updates, losses, *means, rate, unstable, arm.peak))
    return found


def loss_column(trials: Trials) -> str:
    """What is drawn as the loss: the metric of that name, else the deciding metric, else the first that was logged."""
    logged = trials.logged
    wanted = [
        "loss",
        trials.study.metrics[0].name,
        *(name for name in logged if name.rpartition("/")[2] not in ("lr", "grad_norm")),
    ]
    return next((name for name in wanted if name in logged), "loss")


def beside(column: str, name: str) -> str:
    """A metric of the same stage as `column`.

    >>> beside("stage2/loss", "lr"), beside("loss", "lr")
    ('stage2/lr', 'lr')
    """
    stage = stage_of(column)
    return f"{stage}/{name}" if stage else name


def lower_is_better(study: Study, column: str) -> bool:
    """Whether lower is better in what is drawn as the loss."""
    return not any(metric.name == column and metric.goal == "max" for metric in study.metrics)


def _gap(steps: Sequence[int]) -> int:
    """The updates between two that were logged."""
    return (steps[-1] - steps[0]) // max(1, len(steps) - 1) if len(steps) else 0


def _reach(steps: Sequence[int]) -> int:
    """How far a mean reaches to both sides: a part of the run, and no less than to the next update that was logged."""
    return max(_gap(steps) // 2, (steps[-1] + 1) // WINDOW // 2) if len(steps) else 0


def _smooth(run: Record, name: str, updates: Sequence[int], reach: int) -> list[float]:
    """One metric of a run, smoothed; of a long run from the means of its stretches."""
    steps, values, digest = run.steps_of(name), run.column(name), run.digest(name)
    if digest is None:
        return smoothed(steps, values, updates, reach)
    last = max((step for step, value in zip(steps, values, strict=True) if math.isfinite(value)), default=-1)
    curve = smoothed(
        digest.updates, digest.means, [min(step, digest.updates[-1]) for step in updates], reach, digest.counts
    )
    return [value if step <= last else math.nan for step, value in zip(updates, curve, strict=True)]


def smoothed(
    steps: Sequence[int],
    values: Sequence[float],
    updates: Sequence[int],
    reach: int,
    counts: Sequence[int] | None = None,
) -> list[float]:
    """The mean of what is finite within `reach` updates to both sides; NaN where nothing is, and after the end.

    counts: of how many values each one is the mean, where it is one.
    """
    numbers = np.asarray(values, dtype=float)
    finite = np.isfinite(numbers)
    at, kept, wanted = np.asarray(steps, dtype=np.int64)[finite], numbers[finite], np.asarray(updates, dtype=np.int64)
    if not len(at):
        return [math.nan] * len(updates)
    first, last = np.searchsorted(at, wanted - reach), np.searchsorted(at, wanted + reach, side="right")
    ends = zip(updates, first.tolist(), last.tolist(), strict=True)
    weights = None if counts is None else np.asarray(counts, dtype=float)[finite]
    return [_mean(kept, weights, a, b) if b > a and step <= at[-1] else math.nan for step, a, b in ends]


def _mean(values: np.ndarray, weights: np.ndarray | None, start: int, end: int) -> float:
    """The mean of a part; divided first: a diverging loss may be so large that a sum would overflow."""
    if weights is None:
        return float((values[start:end] / (end - start)).sum())
    return float((values[start:end] * (weights[start:end] / weights[start:end].sum())).sum())


def mean_curve(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean over seeds, where every seed has a value: else a run that dropped out would seem to lower the curve."""
    return np.sum(np.asarray(rows) / len(rows), axis=0).tolist() if rows else []


def band(rows: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """The lower and the upper edge of the band around the mean, none where a seed has no value; empty for one seed."""
    if len(rows) < 2:
        return [], []
    values = np.asarray(rows)
    if len(rows) < FEW:
        return values.min(axis=0).tolist(), values.max(axis=0).tolist()
    size = np.maximum(np.abs(values).max(axis=0), 1e-300)  # first divided by, so that no square overflows
    with np.errstate(over="ignore"):
        half = student(len(rows) - 1) * (values / size).std(axis=0, ddof=1) * size / math.sqrt(len(rows))
        return (mean_curve(rows) - half).tolist(), (mean_curve(rows) + half).tolist()


def band_text(seeds: int) -> str:
    """What a band is; empty for one seed."""
    if seeds < 2:
        return ""
    return "band: lowest to highest seed" if seeds < FEW else "band: 95 % t interval"


def _rates(trials: Trials, arm: Arm, updates: Sequence[int], name: str) -> list[float]:
    """The learning rate of an arm as its longest run logged it; where nobody logged it, the schedule's own values."""
    study = trials.study
    if name in trials.logged:
        longest = max(trials.of(arm).values(), key=lambda run: run.steps_of(name)[-1:])
        steps = longest.steps_of(name)
        return smoothed(steps, longest.column(name), updates, _gap(steps) // 2)
    schedule = _rate_line(Trial(study, arm, study.seeds[0]).target)
    total = study.steps or (updates[-1] + 1 if len(updates) else 1)
    try:
        bound = schedule.bind(Run(total=total)) if schedule else None
        return [bound(update) for update in updates] if bound else []
    except PreheatError:  # epochs or tokens, whose length only the training knows
        return []


def _rate_line(target: Target) -> Schedule | None:
    """The schedule of the learning rate: of a plan the line for all groups, else the first for one."""
    found = sorted((line for line in Plan(target).lines if line.is_rate), key=lambda line: line.group is not None)
    return found[0].schedule if found else None


def _instabilities(run: Record, seed: int, column: str, study: Study) -> list[Instability]:
    """Spikes of the loss, and where the run lost its numbers, or ended at chance."""
    steps, values, digest = run.steps_of(column), run.column(column), run.digest(column)
    found = list[Instability]()
    if lower_is_better(study, column):
        jumps = spikes(steps, values) if digest is None or digest.spikes is None else digest.spikes
        found = [Instability("spike", seed, *at) for at in jumps]
    nonfinite = run.finals.get(study.metrics[0].name) is None
    if not len(steps) or not (nonfinite or run.result.diverged):
        return found
    finite = [position for position, value in enumerate(values) if math.isfinite(value)]
    last = values[finite[-1]] if finite else math.inf
    if not nonfinite:
        return [*found, Instability("at chance", seed, steps[-1], last)]
    end = steps[min(len(steps) - 1, finite[-1] + 1 if finite else 0)]
    return [*(one for one in found if one.step < end), Instability("nonfinite", seed, end, last)]


def loss_range(arms: Sequence[ArmCurves], chance: float | None) -> tuple[float, float] | None:
    """An axis for losses on which the end can be read; None where there is no loss.

    Chance level is on it; the first few updates and spikes may not be.
    """
    values = sorted(v for arm in arms for row in arm.losses for v in row if math.isfinite(v))
    if not values:
        return None
    low, most, nearly_all = (values[int(share * (len(values) - 1))] for share in (0.0, 0.8, 0.96))
    high = nearly_all if chance is None else max(chance, min(most, 3 * chance))
    high = high if high > low else nearly_all  # where even the lowest is far above chance
    air = 0.06 * (high - low) or abs(high) / 2 or 1.0
    return low - air, high + air
