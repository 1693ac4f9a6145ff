"""What one finished run counts for: its values, its cost, and whether it was lost."""

import math
from collections.abc import Iterable, Mapping
from statistics import median

from preheat.lab.experiment import Metric
from preheat.lab.records import Record
from preheat.lab.statistics.inference import Losses

Records = Mapping[tuple[str, int], Record]
"""The finished runs of a study, by the name of the arm and the seed."""

Runs = Mapping[int, Record]
"""The finished runs of an arm, by seed."""


def values(runs: Runs, metric: Metric) -> Losses:
    """The final values of a metric by seed; None where not finite."""
    return {seed: run.result.metrics.get(metric.name) for seed, run in runs.items()}


def cost(run: Record, metric: Metric) -> float:
    """The final value, its sign turned where higher is better; infinite where it is not finite."""
    value = run.result.metrics.get(metric.name)
    return math.inf if value is None else -value if metric.goal == "max" else value


def lost(run: Record, metric: Metric) -> bool:
    """Whether the run counts as diverged: it says so, or has no finite value."""
    return run.result.diverged or run.result.metrics.get(metric.name) is None


def ceiling(runs: Iterable[Record], metric: Metric) -> float | None:
    """The cost of a model that has learned nothing; None if the runs do not tell.

    It is the chance level where the training named one for its loss, else the first finite value that was logged of the
    metric, or, for a metric called a loss, of the training loss; the median over the runs.
    """
    sign, known = (-1 if metric.goal == "max" else 1), []
    for run in runs:
        is_loss = metric.goal == "min" and metric.name.endswith("loss")
        chance = run.result.chance_loss if is_loss else None
        logged = [*run.column(metric.name)[:1], *(run.column("loss")[:1] if is_loss else [])]
        known += [value for value in (chance, *logged) if value is not None and math.isfinite(value)][:1]
    return sign * median(known) if known else None
