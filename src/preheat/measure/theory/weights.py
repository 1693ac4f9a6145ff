"""How much of the final weights each update keeps under weight decay: over how many updates a schedule averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from preheat.core.errors import PreheatError, plural
from preheat.core.spans import Run
from preheat.measure.evidence import Evidence
from preheat.measure.theory.last_iterate import lines_of
from preheat.plots.panel import Curves, Series
from preheat.review.explaining.weights import decay_for, kept


@dataclass(frozen=True, repr=False, eq=False)
class UpdateWeights(Evidence):
    """The share of the final weights that each update wrote, AdamW's λη_t · ∏_{s>t} (1 − λη_s).

    name: of the schedule.   weights: of every update.   first: the share that is the first weights'.
    """

    name: str
    weights: np.ndarray
    first: float

    @property
    def window(self) -> float:
        """How many updates are averaged over, (Σc)²/Σc²: the number of equal weights that would average noise alike."""
        shares = self.weights / self.weights.max()  # squares of small ones would be 0
        return float(shares.sum() ** 2 / np.sum(shares**2))

    @property
    def half(self) -> int:
        """From this update on half of what all updates wrote was written."""
        later = np.cumsum(self.weights[::-1])[::-1]
        return int(np.flatnonzero(later >= later[0] / 2)[-1])

    @property
    def sentence(self) -> str:
        """The share of the first weights, the window, and what it is good for."""
        n = len(self.weights)
        return (
            f"Under {self.name} the final weights are {self.first:.3g} what they began with, and {1 - self.first:.3g} what "
            f"{plural(n, 'update')} wrote, half of that from update {self.half:,} on. They average noise like "
            f"{plural(round(self.window), 'equal update')}, {self.window / n:.1%} of the run. This is exact for AdamW's "
            "decoupled weight decay, whatever the loss; that a wider average is better holds where noise is what limits the "
            "loss, and not where the first weights have a large share."
        )

    def panel(self) -> Curves:
        """The weight of every update."""
        at = np.unique(np.linspace(0, len(self.weights) - 1, 600).astype(int))
        series = [Series("weight", at.tolist(), self.weights[at].tolist())]
        title = f"What each update keeps of the final weights: {self.name}"
        return Curves(title=title, series=series, x_label="update", y_label="share of the final weights")


def update_weights(
    schedule: Any, run: Run | None = None, peak: float | None = None, weight_decay: float | None = None
) -> UpdateWeights:
    """How much of the final weights each update keeps under AdamW, λη_t · ∏_{s>t} (1 − λη_s), and over how many it averages.

    schedule: whatever names one.   run: how long it is.   peak: the rate that factor 1 stands for.
    weight_decay: λ, above 0, where the plan has no line for it.

    Raises PreheatError where rates or λ are not known, or rate × λ is 1 or more. Bergsma et al. 2025, arXiv:2502.15938.

    >>> average = update_weights("decay()", Run(total=1000), 0.01, 0.5)
    >>> round(average.first, 3), round(average.window)
    (0.082, 867)
    """
    name, line, lines = lines_of(schedule, run, peak=peak)
    if not line.rates:
        what = "how much an update keeps follows from rates, and these are factors"
        raise PreheatError(what, write="give peak=, the rate that factor 1 stands for")
    decay = decay_for(line, lines, weight_decay)
    values = line.values()
    if decay is None or not values.any():
        what = "how much an update keeps follows from a weight decay, and rates above 0"
        raise PreheatError(what, write="give weight_decay=, such as 0.1")
    weights, first = kept(values, decay)
    if not weights.any():
        what = "rate × weight decay is below what a float holds: no update writes anything"
        raise PreheatError(what, given=float(np.max(values)), write="give the rate at the peak, and the weight decay")
    return UpdateWeights(name, weights, first)
