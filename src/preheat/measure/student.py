"""Student's t without scipy, which an instrument does not need: intervals of a few repeats."""

import math
from collections.abc import Sequence

LEVEL = 0.95
"""Of every interval of a measurement."""


def student(freedom: int, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t: P(|T| ≤ t) is a finite sum of cosines of θ = atan(t/√ν), and θ is bisected.

    >>> round(student(1), 3), round(student(2), 3), round(student(9), 3)
    (12.706, 4.303, 2.262)
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| ≤ √ν tan θ): for even ν sin θ · Σ, for odd ν (θ + sin θ · Σ) · 2/π."""
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(odd, freedom - 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (k + 1) / (k + 2)
    share = math.sin(angle) * total
    return (angle + share) * 2 / math.pi if odd else share


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """The mean of some values and the ends of its interval, as if they were normal. Needs two."""
    mean = math.fsum(values) / len(values)
    scatter = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))
    half = student(len(values) - 1, level) * scatter / math.sqrt(len(values))
    return mean, mean - half, mean + half
