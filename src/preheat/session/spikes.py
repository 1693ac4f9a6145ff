"""What a spike is: a value far above the running mean of those before it. One definition for rules, records and monitors.

    spike:  value > mean + threshold · √variance   (both exponential, weight 0.97, once `settle` values have been seen)

A value that is not finite is one too. Kumar et al. 2025, arXiv:2504.02507 (the exponential z-score).
"""

from __future__ import annotations

import math
from typing import Any

from preheat.session.rules import clamped

THRESHOLD, SETTLE = 6.0, 25  # standard deviations; values that are seen before any is called one
_KEPT = 0.97  # the weight of what was seen before


def blank() -> dict[str, Any]:
    """What is known before a value was seen."""
    return {"seen": 0, "mean": 0.0, "variance": 0.0}


def stands_out(
    known: dict[str, Any], value: float, threshold: float = THRESHOLD, settle: int = SETTLE, listening: bool = True
) -> bool:
    """Whether a value is a spike, given what is known of those before; one that is not finite is, listening or not."""
    high = clamped(value - known["mean"]) > threshold * math.sqrt(known["variance"]) > 0
    return not math.isfinite(value) or (known["seen"] >= settle and listening and high)


def entered(known: dict[str, Any], value: float) -> dict[str, Any]:
    """What is known once a value that is no spike was seen too."""
    gap = clamped(value - known["mean"])
    if known["seen"] == 0:
        return {**known, "seen": 1, "mean": value}
    variance = clamped(_KEPT * (known["variance"] + (1.0 - _KEPT) * gap * gap))
    return {**known, "seen": known["seen"] + 1, "mean": known["mean"] + (1.0 - _KEPT) * gap, "variance": variance}


class Spikes:
    """Told one value after another, says which are spikes: those at which `Rewarm` with its defaults would warm up again.

    quiet: so long after a spike nothing finite is one, and all of it enters the mean: a level that stays high is no spike.
    """

    def __init__(self, quiet: float, threshold: float = THRESHOLD) -> None:
        self._quiet, self._threshold, self._known = quiet, threshold, blank()
        self._since: float | None = None

    @property
    def mean(self) -> float:
        """The running mean."""
        return self._known["mean"]

    def is_one(self, position: float, value: float) -> bool:
        """Whether the value at this position is one."""
        listening = self._since is None or position - self._since >= self._quiet
        if stands_out(self._known, value, self._threshold, listening=listening):
            self._since = position
            return True
        self._known = entered(self._known, value)
        return False
