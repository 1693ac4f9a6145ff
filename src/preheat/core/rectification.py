"""RAdam's variance rectification without the cancellation of its usual form.

With r = −ln β₂ and g(x) = coth(x/2) − 2/x, which is small and has a fast continued fraction,

    ρₖ = ρ∞ − 2kβ₂ᵏ/(1−β₂ᵏ) = k·(1 − g(kr)) + g(r)

The left form loses log₁₀(ρ∞/ρₖ) digits, so it serves only where kr ≥ 2; where kr ≥ 60 the factor is 1.
"""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from preheat.core.namespaces import Scalars

Side = Callable[[Any, Any], Any]
_EARLY, _LATE = 2.0, 60.0  # values of kr
_ODD = range(17, 1, -2)


def rectification(beta2: float) -> tuple[list[float], list[Side]]:
    """Seams in ticks and the formula (t, xp) of each stretch; t counts from the first update k with ρₖ > 4."""
    gap = 1 - Fraction(repr(beta2))  # β₂ is the decimal that it prints as
    limit, rate = float(2 / gap - 5), -math.log1p(-float(gap))  # ρ∞ − 4

    def early(k: Any, xp: Any) -> Any:
        return (k - 4.0) + (_g(rate) - k * _g(k * rate))

    def late(k: Any, xp: Any) -> Any:
        return limit - 2.0 * k / xp.expm1(k * rate)

    def factor(excess: Any, xp: Any) -> Any:
        scale = (limit + 4.0) / (limit * (limit + 2.0))
        return xp.sqrt(scale * excess * ((excess + 2.0) / (excess + 4.0)))

    first = float(next(k for k in itertools.count(1) if (early if k * rate < _EARLY else late)(k, Scalars) > 0))
    seam, one = _EARLY / rate - first, _LATE / rate - first
    sides: list[Side] = [lambda t, xp: factor(late(t + first, xp), xp), lambda t, xp: 1.0]
    if seam <= 0:
        return [one], sides
    return [seam, one], [lambda t, xp: factor(early(t + first, xp), xp), *sides]


def _g(x: Any) -> Any:
    """coth(x/2) − 2/x for 0 < x ≤ 2."""
    half = x * 0.5
    square = half * half
    below = 19.0
    for odd in _ODD:
        below = odd + square / below
    return half / below
