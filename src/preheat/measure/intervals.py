"""Intervals of a mean from few values."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

LEVEL = 0.95


def student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, from its distribution's closed form.

    >>> [round(student(freedom), 3) for freedom in (1, 2, 3, 10)]
    [12.706, 4.303, 3.182, 2.228]
    """
    low, high = 0.0, math.pi / 2  # of atan(t/√freedom)
    for _ in range(60):
        angle = 0.5 * (low + high)
        low, high = (angle, high) if _within(angle, freedom) < LEVEL else (low, angle)
    return math.tan(low) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """How much of the distribution lies within ±√freedom · tan(angle): a finite sum of powers of the cosine."""
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    share = math.sin(angle) * total
    return (angle + share) * 2 / math.pi if odd else share


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of values; without bounds where there is one value."""
    if len(values) < 2:
        return -math.inf, math.inf
    middle, half = fmean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half
