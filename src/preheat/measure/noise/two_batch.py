"""The gradient noise scale from the norms of gradients of two batch sizes: numerator and denominator averaged apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from preheat.core.checks import finite_number, positive_number
from preheat.core.errors import PreheatError
from preheat.measure.intervals import student

FEWEST = 4  # draws below which their spread says nothing


@dataclass
class TwoBatch:
    """tr Σ / |G|² from squared norms of gradients of small and of big batches.

        E|g_B|² = |G|² + tr Σ / B,  so
        tr Σ ≈ mean((|g_b|² − |g_B|²) / (1/b − 1/B)),   |G|² ≈ mean((B|g_B|² − b|g_b|²) / (B − b)),

    each without bias; their ratio is taken once, of the means. McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.

    decay: the weight of what was added before is multiplied with it at every draw; 1 weighs all alike.

    >>> found = TwoBatch()
    >>> for small, big in [(3.0, 2.1), (3.2, 1.9), (2.8, 2.0), (3.0, 2.0)]:
    ...     _ = found.add(small, big, 1, 2)
    >>> round(found.trace, 6), round(found.squared_gradient, 6), round(found.value, 6)
    (2.0, 1.0, 2.0)

    Raises PreheatError for a decay outside (0, 1].
    """

    decay: float = 1.0
    draws: int = 0
    trace: float = 0.0
    squared_gradient: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < finite_number(self.decay, "decay") <= 1:
            raise PreheatError("decay is above 0 and at most 1", given=self.decay)
        self._weight = self._squares = 0.0  # the sums of the weights and of their squares
        self._spread = (0.0, 0.0, 0.0)  # weighted sums of squared deviations: of tr Σ, of |G|², and of both

    def add(self, small: float, big: float, b_small: float, b_big: float) -> tuple[float, float]:
        """Add a draw: the squared norms, and their batch sizes. Returns what it says of tr Σ and of |G|².

        Raises PreheatError for norms that are not finite and for sizes of which the second is not the larger.
        """
        small, big = (finite_number(one, "a squared norm") for one in (small, big))
        if not 0 < positive_number(b_small, "a batch size") < positive_number(b_big, "a batch size"):
            raise PreheatError("the big batch is larger than the small one", given=(b_small, b_big))
        trace = (small - big) / (1.0 / b_small - 1.0 / b_big)
        squared = (b_big * big - b_small * small) / (b_big - b_small)
        self.draws += 1
        self._weight = self._weight * self.decay + 1.0
        self._squares = self._squares * self.decay**2 + 1.0
        off = trace - self.trace, squared - self.squared_gradient
        self.trace += off[0] / self._weight
        self.squared_gradient += off[1] / self._weight
        now = trace - self.trace, squared - self.squared_gradient
        added = off[0] * now[0], off[1] * now[1], off[0] * now[1]
        self._spread = tuple(was * self.decay + one for was, one in zip(self._spread, added, strict=True))  # type: ignore[assignment]
        return trace, squared

    @property
    def value(self) -> float | None:
        """tr Σ / |G|² in examples; None where |G|² cannot be told from 0."""
        low, high = self.interval()
        return max(0.0, self.trace / self.squared_gradient) if low <= high < math.inf else None

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the ratio (Fieller's, over the draws), cut at 0; its end is inf where |G|² reaches 0.

        {r : (S − r·G)² ≤ t² (var S − 2r cov + r² var G)}
        """
        if self.draws < FEWEST:
            return 0.0, math.inf
        count = self._weight**2 / self._squares
        scale = student(count - 1.0) ** 2 / (self._weight * (count - 1.0))
        s, g = self.trace, self.squared_gradient
        ss, gg, sg = (scale * one for one in self._spread)
        a, b, c = g * g - gg, s * g - sg, s * s - ss
        root = math.sqrt(max(0.0, b * b - a * c))
        if a > 0 and g > 0:
            return max(0.0, (b - root) / a), max(0.0, (b + root) / a)
        # |G|² may be 0: what is left are ratios above the larger root, and those below the smaller one
        if a < 0 < b * b - a * c and (b + root) / a < 0 < (b - root) / a:
            return (b - root) / a, math.inf
        return 0.0, math.inf
