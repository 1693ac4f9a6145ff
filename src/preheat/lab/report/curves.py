"""From records to curves that can be drawn: a little smoothed, thinned, on an axis that one spike does not spoil."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.core.spans import Run
from preheat.lab.experiment import Arm, Study, Trial
from preheat.lab.records import Record
from preheat.lab.statistics.arms import Records
from preheat.lab.statistics.inference import mean_and_sd, student
from preheat.session.rewarm import Rewarm

POINTS = 160
"""Points a curve: more than a screen shows."""

WINDOW = 20
"""The mean is taken over one part in so many of the run, half before and half after the point."""

FEW = 5
"""From so many seeds on a band is the interval of their mean; of fewer it is from the lowest to the highest."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An instability of one run: a "spike" of the loss; the "end" of finite numbers; or "stuck", where the run counts as
    diverged though its loss was finite.
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
    troubles: list[Trouble]

    @property
    def torn(self) -> bool:
        """Whether the mean ends before some seed does, so that the seeds have to be seen."""
        ends = {sum(map(math.isfinite, row)) for row in self.losses}
        return len(ends) > 1


def families(study: Study) -> list[str]:
    """The schedules of a study by name, each once, in their order."""
    return list(dict.fromkeys(arm.family for arm in study.arms))


def curves(study: Study, records: Records) -> list[ArmCurves]:
    """One entry per arm, in the order of the study; an arm without a finished run has empty lists."""
    column, looks = loss_column(study, records), families(study)
    longest = max(records.values(), key=lambda run: (run.steps[-1:], len(run.steps)), default=None)
    updates = sampled(longest.steps) if longest else []
    found = []
    for arm in study.arms:
        runs = {seed: records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records}
        losses = [smoothed(run.steps, run.column(column), updates, reach(run)) for run in runs.values()]
        norms = [smoothed(run.steps, run.column("grad_norm"), updates, reach(run)) for run in runs.values()]
        rate = rates(arm, study, records, updates) if runs else []
        troubles = [one for seed, run in runs.items() for one in troubles_of(run, seed, column, study)]
        means = mean_curve(losses), *band(losses), mean_curve(norms)
        found.append(ArmCurves(arm.name, looks.index(arm.family), updates, losses, *means, rate, troubles))
    return found


def loss_column(study: Study, records: Records) -> str:
    """What is drawn as the loss: the metric of that name, else the deciding metric, else the first that was logged."""
    logged = dict.fromkeys(name for run in records.values() for name in run.columns)
    wanted = ["loss", study.metrics[0].name, *(name for name in logged if name not in ("lr", "grad_norm"))]
    return next((name for name in wanted if name in logged), "loss")


def sampled(steps: Sequence[int]) -> list[int]:
    """About `POINTS` of the updates, from the first to the last."""
    if len(steps) <= POINTS:
        return list(steps)
    return sorted({steps[round(k * (len(steps) - 1) / (POINTS - 1))] for k in range(POINTS)})


def reach(run: Record, window: int = WINDOW) -> int:
    """How far a mean reaches to both sides: a part of the run, and no less than to the next update that was logged."""
    apart = (run.steps[-1] - run.steps[0]) // max(1, len(run.steps) - 1) if run.steps else 0
    return max(apart // 2, (run.steps[-1] + 1) // window // 2 if run.steps else 0)


def smoothed(steps: Sequence[int], values: Sequence[float], updates: Sequence[int], reach: int) -> list[float]:
    """The mean of what is finite within `reach` updates to both sides; NaN where nothing is, and after the end."""
    numbers = np.asarray(values, dtype=float)
    finite = np.isfinite(numbers)
    at, kept, wanted = np.asarray(steps, dtype=np.int64)[finite], numbers[finite], np.asarray(updates, dtype=np.int64)
    if not len(at):
        return [math.nan] * len(updates)
    first, last = np.searchsorted(at, wanted - reach), np.searchsorted(at, wanted + reach, side="right")
    ends = zip(updates, first.tolist(), last.tolist(), strict=True)
    return [mean(kept[a:b]) if b > a and step <= at[-1] else math.nan for step, a, b in ends]


def mean(values: Sequence[float] | np.ndarray) -> float:
    """The mean; a diverging loss may be so large that a sum would overflow."""
    return float(np.sum(np.asarray(values) / len(values))) if len(values) > 1 else float(values[0])


def mean_curve(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean over seeds, where every seed has a value: else a run that dropped out would seem to lower the curve."""
    return [mean(values) if all(map(math.isfinite, values)) else math.nan for values in zip(*rows, strict=True)]


def band(rows: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """The lower and the upper edge of the band around the mean; empty for one seed."""
    if len(rows) < 2:
        return [], []
    ends = [edges(values) for values in zip(*rows, strict=True)]
    return [low for low, _ in ends], [high for _, high in ends]


def edges(values: Sequence[float]) -> tuple[float, float]:
    """The band at one update; none where a seed has no value."""
    mean, sd = mean_and_sd(values) if all(map(math.isfinite, values)) else (None, None)
    if mean is None or sd is None:
        return math.nan, math.nan
    if len(values) < FEW:
        return min(values), max(values)
    half = student(len(values) - 1) * sd / math.sqrt(len(values))
    return mean - half, mean + half


def band_text(seeds: int) -> str:
    """What a band is."""
    if seeds < 2:
        return ""
    return "lowest to highest seed" if seeds < FEW else "95 % t interval of the mean"


def rates(arm: Arm, study: Study, records: Records, updates: Sequence[int]) -> list[float]:
    """The learning rate of an arm as its longest run logged it; where nobody logged `lr`, the schedule's own values."""
    runs = [records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records]
    if any("lr" in run.columns for run in records.values()):
        longest = max(runs, key=lambda run: run.steps[-1:])
        return smoothed(longest.steps, longest.column("lr"), updates, reach(longest, window=1 << 62))
    schedule = lines(Trial(study, arm, study.seeds[0]).target)
    total = study.steps or (updates[-1] + 1 if updates else 1)
    try:
        bound = schedule.bind(Run(total=total)) if schedule else None
        return [bound(update) for update in updates] if bound else []
    except PreheatError:  # epochs or tokens, whose length only the training knows
        return []


def lines(target: Schedule | Absolute | Plan) -> Schedule | None:
    """The schedule of the learning rate: of a plan the line for all groups, else the first for one."""
    if isinstance(target, Plan):
        found = sorted((line for line in target.lines if line.hyper == "lr"), key=lambda line: line.group is not None)
        return found[0].schedule if found else None
    return target.schedule if isinstance(target, Absolute) else target


def falls(study: Study, column: str) -> bool:
    """Whether lower is better in what is drawn as the loss."""
    return not any(metric.name == column and metric.goal == "max" for metric in study.metrics)


def troubles_of(run: Record, seed: int, column: str, study: Study) -> list[Trouble]:
    """Spikes of the loss, and where the run was lost or stuck."""
    values = run.column(column)
    logged = [(step, value) for step, value in zip(run.steps, values, strict=True) if not math.isnan(value)]
    found = [Trouble("spike", seed, step, value) for step, value in spikes(logged)] if falls(study, column) else []
    ended = run.result.metrics.get(study.metrics[0].name) is None
    if not run.steps or not (ended or run.result.diverged):
        return found
    finite = [position for position, value in enumerate(values) if math.isfinite(value)]
    last = values[finite[-1]] if finite else math.inf
    if not ended:
        return [*found, Trouble("stuck", seed, run.steps[-1], last)]
    end = run.steps[min(len(run.steps) - 1, finite[-1] + 1 if finite else 0)]
    return [*(one for one in found if one.step < end), Trouble("end", seed, end, last)]


def spikes(logged: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The updates at which `Rewarm` would warm up again: the definition of a spike is that rule's, with its defaults.

    Its new warmup, during which no other spike is seen, is as long as the window that smooths a curve.
    """
    rule = Rewarm("loss", span=max(1, (logged[-1][0] + 1) // WINDOW) if logged else 1)
    state, found = rule.start(), []
    for step, value in logged:
        after = rule.observe(state, value, step)
        if after["since"] == step:
            found.append((step, value))
        state = after
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


def chance_of(records: Records) -> float | None:
    """The loss of a model that learned nothing, where the task says it."""
    return next((record.result.chance_loss for record in records.values()), None)


def example(records: Records) -> Record | None:
    """Any run: what all runs of a study share can be read from it."""
    return next(iter(records.values()), None)
