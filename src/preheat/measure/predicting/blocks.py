"""The rates of a run in blocks of equal rate, so that a sum over its updates is one over some hundred blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FINE = 250  # a block ends where the rate has moved by one part of the peak in so many


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rates η, a block each: its first update, how many it has, and their mean rate. A constant stretch is one block.

    peak_at: the block from which on the rate falls; what is before it is warmup.
    """

    starts: Floats
    counts: Floats
    rates: Floats

    @classmethod
    def of(cls, rates: Floats) -> Blocks:
        """The blocks of the rates of a run, one per update, not all of them 0."""
        moved = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(rates)))])
        level = np.floor(moved / rates.max() * _FINE)
        same = np.concatenate([[False], np.diff(rates) == 0, [False]])
        constant = same[:-1] | same[1:]
        # a constant stretch shares its block with no update of another rate
        turns = (level[1:] != level[:-1]) | ((constant[1:] | constant[:-1]) & ~same[1:-1])
        starts = np.concatenate([[0], np.flatnonzero(turns) + 1])
        counts = np.diff(np.append(starts, len(rates))).astype(float)
        return cls(starts.astype(float), counts, np.add.reduceat(rates, starts) / counts)

    @property
    def peak_at(self) -> int:
        """The first block of the largest rate."""
        return int(np.argmax(self.rates))

    def done(self, times: Floats) -> Floats:
        """How many updates of each block were applied, by time: an array (times, blocks)."""
        return np.clip(times[:, None] - self.starts, 0.0, self.counts)

    def area(self, times: Floats) -> Floats:
        """S(t) = Σ η over the first t updates."""
        return self.done(times) @ self.rates

    def drops(self) -> Floats:
        """By how much the rate falls as each block begins; nothing of the warmup counts. A rise is negative."""
        fall = -np.diff(self.rates, prepend=self.rates[0])
        fall[: self.peak_at + 1] = 0.0
        return fall

    def area_since(self, times: Floats) -> Floats:
        """Σ η from the first update of each block to the time: (times, blocks), 0 before it begins."""
        before = np.concatenate([[0.0], np.cumsum(self.counts * self.rates)[:-1]])
        return np.maximum(self.area(times)[:, None] - before, 0.0)
