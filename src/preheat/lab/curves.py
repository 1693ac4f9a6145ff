"""From records to curves that can be drawn: a little smoothed, thinned, on an axis that one spike does not spoil."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from preheat.lab.experiment import Arm, Study
from preheat.lab.records import Record
from preheat.lab.statistics import Records

POINTS = 160
"""Points a curve: more than a screen shows."""

WINDOW = 20
"""The mean is taken over one part in so many of the run, half before and half after the point."""


@dataclass(frozen=True, slots=True)
class ArmCurves:
    """What one arm's runs looked like, at the same updates: a curve per seed and their mean, gaps as NaN.

    `cut` says of each seed whether its loss left the finite numbers.
    """

    name: str
    updates: list[int]
    losses: list[list[float]]
    loss: list[float]
    grad_norm: list[float]
    rate: list[float]
    cut: list[bool]


def curves(study: Study, records: Records) -> list[ArmCurves]:
    """One entry per arm, in the order of the study; an arm without a finished run has empty lists."""
    return [arm_curves(arm, study, records) for arm in study.arms]


def arm_curves(arm: Arm, study: Study, records: Records) -> ArmCurves:
    """The curves of one arm."""
    runs = [records[arm.name, seed] for seed in study.seeds if (arm.name, seed) in records]
    updates = sampled(study.steps)
    reach = max(0, study.steps // WINDOW // 2)
    losses = [smoothed(run.steps, run.losses, updates, reach) for run in runs]
    norms = [smoothed(run.steps, run.grad_norms, updates, reach) for run in runs]
    longest = max(runs, key=lambda run: len(run.steps), default=None)
    rate = smoothed(longest.steps, longest.rates, updates, 0) if longest else []
    cut = [not run.result.finite for run in runs]
    return ArmCurves(arm.name, updates, losses, mean_curve(losses), mean_curve(norms), rate, cut)


def sampled(steps: int) -> list[int]:
    """About `POINTS` updates from the first to the last."""
    if steps <= POINTS:
        return list(range(steps))
    return sorted({round(k * (steps - 1) / (POINTS - 1)) for k in range(POINTS)})


def smoothed(steps: Sequence[int], values: Sequence[float], updates: Sequence[int], reach: int) -> list[float]:
    """The mean of what is finite within `reach` updates to both sides; NaN where nothing is, and after the end."""
    known = {step: value for step, value in zip(steps, values, strict=True) if math.isfinite(value)}
    end = max(known, default=-1)
    means = []
    for at in updates:
        near = [known[step] for step in range(at - reach, at + reach + 1) if step in known]
        means.append(mean(near) if near and at <= end else math.nan)
    return means


def mean(values: Sequence[float]) -> float:
    """The mean; a diverging loss may be so large that a sum would overflow."""
    return values[0] if len(values) == 1 else math.fsum(value / len(values) for value in values)


def mean_curve(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean over seeds, where every seed has a value: else a run that dropped out would seem to lower the curve."""
    return [mean(values) if all(map(math.isfinite, values)) else math.nan for values in zip(*rows, strict=True)]


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
