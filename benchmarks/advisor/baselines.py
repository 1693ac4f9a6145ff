"""What advice has to beat. Those that are fitted are fitted on the split that sets constants, and on nothing else.

absolute rate     a peak above a threshold needs warmup; one threshold for SGD, one for Adam, that err least
predictor         logistic regression on log peak, log depth, norm placement and optimizer
1 % linear        the optimizer's usual rate, warmup of 1 % of the run
untuned           Adam's usual rate, 2/(1 − β₂) updates of warmup (Ma and Yarats 2021), at most the whole run
valley            the range test's rate, no warmup
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from benchmarks.advisor.advice import Advice, Answer
from benchmarks.advisor.families import CONFIGURATIONS, Configuration
from benchmarks.advisor.truth import Trained

USUAL = {"sgd": 0.1, "adam": 1e-3}
"""Rates that people start from: 0.1 for SGD with momentum 0.9 (He et al. 2016), 1e-3 for Adam (Kingma and Ba 2015)."""

_RIDGE = 1e-2  # keeps the coefficients finite where the classes can be separated
_CONFIGURATIONS = {one.name: one for one in CONFIGURATIONS}
Answers = Callable[[Sequence[Trained]], list[Answer]]


def peaks_of(trained: Sequence[Trained]) -> list[tuple[Trained, int, bool]]:
    """Every peak of the grid that is decided, and whether it needs warmup."""
    return [
        (one, peak, verdict.needed)
        for one in trained
        for peak, verdict in enumerate(one.verdicts)
        if verdict.needed is not None
    ]


def configuration(trained: Trained) -> Configuration:
    """The configuration that a line of results is of."""
    return _CONFIGURATIONS[trained.name]


def never(trained: Sequence[Trained]) -> list[Answer]:
    """That no peak needs warmup."""
    return [Answer(one, peak, needed, 0.0) for one, peak, needed in peaks_of(trained)]


def absolute_rate(constants: Sequence[Trained]) -> tuple[dict[str, float], Answers]:
    """The thresholds by optimizer, and the answers that they give."""
    rows: dict[str, list[tuple[float, bool]]] = {}
    for one, peak, needed in peaks_of(constants):
        rows.setdefault(configuration(one).options.optimizer, []).append((one.peaks[peak], needed))
    thresholds = {optimizer: _threshold(those) for optimizer, those in rows.items()}

    def answered(trained: Sequence[Trained]) -> list[Answer]:
        out = []
        for one, peak, needed in peaks_of(trained):
            threshold = thresholds[configuration(one).options.optimizer]
            # p/(p + threshold) is one half at the threshold, and rises with the peak
            out.append(Answer(one, peak, needed, one.peaks[peak] / (one.peaks[peak] + threshold)))
        return out

    return thresholds, answered


def _threshold(rows: Sequence[tuple[float, bool]]) -> float:
    """The rate that errs least as the lowest that needs warmup: the middle, in logs, of the best places."""
    rates = sorted({rate for rate, _ in rows})
    cuts = [rates[0] / 2, *(math.sqrt(a * b) for a, b in pairwise(rates)), rates[-1] * 2]
    errors = [sum((rate > cut) != needed for rate, needed in rows) for cut in cuts]
    best = [cut for cut, error in zip(cuts, errors, strict=True) if error == min(errors)]
    return best[len(best) // 2]


def predictor(constants: Sequence[Trained]) -> Answers:
    """The answers of the logistic regression."""
    rows = peaks_of(constants)
    features = np.array([_features(one, peak) for one, peak, _ in rows])
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread == 0] = 1

    def design(those: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(those)), (those - mean) / spread])

    weights = logistic(design(features), np.array([needed for *_, needed in rows], dtype=float))

    def answered(trained: Sequence[Trained]) -> list[Answer]:
        out = []
        for one, peak, needed in peaks_of(trained):
            score = float((design(_features(one, peak)[None]) @ weights)[0])
            out.append(Answer(one, peak, needed, 1 / (1 + math.exp(-score))))
        return out

    return answered


def logistic(design: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The coefficients with the largest likelihood less a small ridge (not on the first), by Newton's method."""
    weights, ridge = np.zeros(design.shape[1]), _RIDGE * np.eye(design.shape[1])
    ridge[0, 0] = 0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (labels - chance) - ridge @ weights
        step = np.linalg.solve((design.T * (chance * (1 - chance))) @ design + ridge, gradient)
        weights = weights + step / max(1.0, float(np.abs(step).max()))
    return weights


def _features(trained: Trained, peak: int) -> np.ndarray:
    """Log peak, by optimizer; log depth; where norms are; the optimizer."""
    options = configuration(trained).options
    sgd, rate = options.optimizer == "sgd", math.log(trained.peaks[peak])
    norm = getattr(options, "norm", "pre" if getattr(options, "model", "") == "transformer" else "none")
    marks = [float(norm == name) for name in ("layer", "pre", "post")]
    depth = math.log(getattr(options, "depth", 1))
    return np.array([rate * sgd, rate * (not sgd), depth, *marks, float(sgd)])


def one_percent(trained: Sequence[Trained]) -> list[Advice]:
    """The usual rate, warmup of 1 % of the run."""
    return [
        Advice(config=one.name, advised_peak=USUAL[configuration(one).options.optimizer], warmup=0.01 * one.steps)
        for one in trained
    ]


def untuned(trained: Sequence[Trained]) -> list[Advice]:
    """Adam's usual rate with 2/(1 − β₂) updates of warmup; nothing for SGD, of which the rule says nothing."""
    options = [(one, configuration(one).options) for one in trained]
    return [
        Advice(config=one.name, advised_peak=USUAL["adam"], warmup=min(2 / (1 - those.beta2), one.steps))
        for one, those in options
        if those.optimizer == "adam"
    ]


def valley(trained: Sequence[Trained], suggested: Callable[[Configuration], float | None]) -> list[Advice]:
    """The rate that a range test of the configuration suggests, without warmup; nothing where it suggests none."""
    rates = [(one, suggested(configuration(one))) for one in trained]
    return [Advice(config=one.name, advised_peak=rate, warmup=0) for one, rate in rates if rate is not None]


def warmups_at(trained: Sequence[Trained]) -> dict[str, list[Advice]]:
    """The warmups that rules name whatever the peak is, at every peak of the grid."""
    lengths: dict[str, Callable[[Configuration], float]] = {
        "none": lambda one: 0,
        "1 % linear": lambda one: 0.01 * one.steps,
        "5 % linear": lambda one: 0.05 * one.steps,
        "untuned, or none": lambda one: (
            min(2 / (1 - one.options.beta2), one.steps) if one.options.optimizer == "adam" else 0
        ),
        "a sixth of the run": lambda one: one.steps / 6,
        "a third of the run": lambda one: one.steps / 3,
        "half of the run": lambda one: one.steps / 2,
    }
    return {
        name: [
            Advice(config=one.name, peak=peak, warmup=length(configuration(one)))
            for one in trained
            for peak in one.peaks
        ]
        for name, length in lengths.items()
    }
