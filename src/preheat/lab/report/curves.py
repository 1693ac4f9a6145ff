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
from preheat.lab.records import Record
from preheat.lab.statistics.inference import student
from preheat.lab.trials import Trials
from preheat.plots.panel import thinned
from preheat.session.rewarm import Rewarm

POINTS = 160  # a curve: more than a screen shows
WINDOW = 20  # the mean is taken over one part in so many of the run, half before and half after the point
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
    longest = max(trials.values(), key=lambda run: (run.steps[-1:], len(run.steps)), default=None)
    updates = thinned(longest.steps, POINTS) if longest else []
    styles = {family: style for style, family in enumerate(study.families)}
    for arm in study.arms:
        runs = trials.of(arm)
        losses, norms = (
            [smoothed(run.steps, run.column(name), updates, _reach(run)) for run in runs.values()]
            for name in (column, "grad_norm")
        )
        means = mean_curve(losses), *band(losses), mean_curve(norms)
        unstable = [one for seed, run in runs.items() for one in _instabilities(run, seed, column, study)]
        rate = _rates(trials, arm, updates) if runs else []
        found.append(ArmCurves(arm.name, styles[arm.family], updates, losses, *means, rate, unstable, arm.peak))
    return found


def loss_column(trials: Trials) -> str:
    """What is drawn as the loss: the metric of that name, else the deciding metric, else the first that was logged."""
    logged = trials.logged
    wanted = ["loss", trials.study.metrics[0].name, *(name for name in logged if name not in ("lr", "grad_norm"))]
    return next((name for name in wanted if name in logged), "loss")


def lower_is_better(study: Study, column: str) -> bool:
    """Whether lower is better in what is drawn as the loss."""
    return not any(metric.name == column and metric.goal == "max" for metric in study.metrics)


def _gap(run: Record) -> int:
    """The updates between two that were logged."""
    return (run.steps[-1] - run.steps[0]) // max(1, len(run.steps) - 1) if run.steps else 0


def _reach(run: Record) -> int:
    """How far a mean reaches to both sides: a part of the run, and no less than to the next update that was logged."""
    return max(_gap(run) // 2, (run.steps[-1] + 1) // WINDOW // 2 if run.steps else 0)


def smoothed(steps: Sequence[int], values: Sequence[float], updates: Sequence[int], reach: int) -> list[float]:
    """The mean of what is finite within `reach` updates to both sides; NaN where nothing is, and after the end."""
    numbers = np.asarray(values, dtype=float)
    finite = np.isfinite(numbers)
    at, kept, wanted = np.asarray(steps, dtype=np.int64)[finite], numbers[finite], np.asarray(updates, dtype=np.int64)
    if not len(at):
        return [math.nan] * len(updates)
    first, last = np.searchsorted(at, wanted - reach), np.searchsorted(at, wanted + reach, side="right")
    ends = zip(updates, first.tolist(), last.tolist(), strict=True)
    # divided first: a diverging loss may be so large that a sum would overflow
    return [float((kept[a:b] / (b - a)).sum()) if b > a and step <= at[-1] else math.nan for step, a, b in ends]


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
    return "band: lowest to highest seed" if seeds < FEW else "band: 95 % t interval of the mean"


def _rates(trials: Trials, arm: Arm, updates: Sequence[int]) -> list[float]:
    """The learning rate of an arm as its longest run logged it; where nobody logged `lr`, the schedule's own values."""
    study = trials.study
    if "lr" in trials.logged:
        longest = max(trials.of(arm).values(), key=lambda run: run.steps[-1:])
        return smoothed(longest.steps, longest.column("lr"), updates, _gap(longest) // 2)
    schedule = _rate_line(Trial(study, arm, study.seeds[0]).target)
    total = study.steps or (updates[-1] + 1 if updates else 1)
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
    values = run.column(column)
    logged = [(step, value) for step, value in zip(run.steps, values, strict=True) if not math.isnan(value)]
    found = [Instability("spike", seed, *at) for at in spikes(logged)] if lower_is_better(study, column) else []
    nonfinite = run.result.metrics.get(study.metrics[0].name) is None
    if not run.steps or not (nonfinite or run.result.diverged):
        return found
    finite = [position for position, value in enumerate(values) if math.isfinite(value)]
    last = values[finite[-1]] if finite else math.inf
    if not nonfinite:
        return [*found, Instability("at chance", seed, run.steps[-1], last)]
    end = run.steps[min(len(run.steps) - 1, finite[-1] + 1 if finite else 0)]
    return [*(one for one in found if one.step < end), Instability("nonfinite", seed, end, last)]


def spikes(logged: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The updates at which `Rewarm` would warm up again: the definition of a spike is that rule's, with its defaults.

    Its new warmup, during which no other spike is seen, is as long as the window that smooths a curve: so a run has few.
    """
    rule = Rewarm("loss", span=max(1, (logged[-1][0] + 1) // WINDOW) if logged else 1)
    state, found = rule.start(), []
    for step, value in logged:
        state = rule.observe(state, value, step)
        if state["since"] == step:
            found.append((step, value))
    return found


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
