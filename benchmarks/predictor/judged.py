"""Predictions held against what came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.predictor.runs import FITTED, LONG, SCHEDULES, SHORT, Line
from preheat.measure import predict
from preheat.measure.predicting.prediction import Prediction
from preheat.measure.predicting.runs import Logged


@dataclass(frozen=True)
class Judged:
    """How right somebody was. spread: standard deviation of predicted less actual differences."""

    name: str
    correlation: float
    regret: float
    spread: float


def judged(lines: Sequence[Line], seeds: Sequence[int]) -> tuple[Prediction, list[float], list[Judged]]:
    """What was predicted from the short runs of these seeds, the actual final losses, and everybody's score."""
    by = {(one["schedule"], one["total"], one["seed"]): one for one in lines}
    runs = [_logged(by[name, SHORT, seed]) for name in FITTED for seed in seeds]
    found = predict(runs, SCHEDULES, total=LONG)
    actual = [float(np.mean([by[name, LONG, seed]["losses"][-1] for seed in seeds])) for name in SCHEDULES]
    said = {"together": [one.difference for one in found.schedules]}
    said |= {law.name: list(law.differences) for law in (*found.laws, found.control)}
    return found, actual, [_scored(name, values, actual) for name, values in said.items()]


def _logged(line: Line) -> Logged:
    return Logged(f"{line['schedule']}, seed {line['seed']}", line["rates"], line["steps"], line["losses"])


def _scored(name: str, said: Sequence[float], actual: Sequence[float]) -> Judged:
    off = np.array(said) - np.array(actual)
    return Judged(name, correlation(said, actual), actual[int(np.argmin(said))] - min(actual), float(off.std()))


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's; values here are never equal."""
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])
