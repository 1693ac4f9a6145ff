"""Intervals of a mean from few values: Student's t, without scipy, which no instrument needs."""

import math
import sys
from collections.abc import Sequence
from statistics import fmean, stdev

LEVEL = 0.95
"""Of every interval of a measurement."""

_LARGEST = math.log(sys.float_info.max)


def student(freedom: float, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t, for any degrees of freedom above 0: atan(t/√ν) is bisected.

    >>> [round(student(freedom), 3) for freedom in (1, 2, 2.5, 3, 10)]
    [12.706, 4.303, 3.575, 3.182, 2.228]
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: float) -> float:
    """P(|T| ≤ √ν·tan θ) = ∫₀^θ cos^(ν−1) ÷ that up to π/2, by the series of the shorter side.

    Up to θ it is sin θ · cos^ν θ · Σ_k (½ν+½)_k/(3/2)_k · sin^2k θ, from θ on Σ_k (½)_k/k! · cos^(2k+ν) θ/(2k+ν).
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    whole = math.sqrt(math.pi) / 2 * math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2))
    total, term, k = 0.0, 1.0, 0
    if sine < cosine:
        while total + term != total:
            total, term, k = total + term, term * sine**2 * (freedom + 1 + 2 * k) / (3 + 2 * k), k + 1
        return total * sine * cosine**freedom / whole
    while total + term != total:
        total, term, k = total + term / (2 * k + freedom), term * cosine**2 * (2 * k + 1) / (2 * k + 2), k + 1
    return 1.0 - total * cosine**freedom / whole


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Student's interval of the mean of values, as if they were normal; without bounds where there is one value."""
    if len(values) < 2:
        return -math.inf, math.inf
    middle, half = fmean(values), student(len(values) - 1, level) * stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half


def geometric(values: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of values above 0, and Student's interval of it, that of the logarithms; 0 to inf of one value."""
    logs = [math.log(one) for one in values]
    low, high = interval(logs)
    return math.exp(fmean(logs)), math.exp(low), math.exp(high) if high < _LARGEST else math.inf
