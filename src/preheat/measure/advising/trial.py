"""Short runs that differ in the length of their warmup alone: the beginning of the run, then a quick decay to 0, each from the
weights as they are and on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from preheat.measure.advising.deciding import safe, schedule
from preheat.measure.advising.facts import Facts, OptimizerFacts, ShortRuns, Trial
from preheat.measure.advising.runs import Update, beginning, whole_run
from preheat.measure.training import Training

ORDERS = 2  # of the data: without a second one the noise of a run is not known


def tried(
    training: Training, facts: Facts, updates: Sequence[Update], aside: Sequence[Any], said: Callable[[str], None]
) -> tuple[Trial, int, int]:
    """The trial on these updates, judged by the batches set aside; with the updates and forward passes that it cost."""
    with training.opened() as probe:
        first = fmean(map(probe.loss, aside))
    runs = _Runs(training, updates, aside, said, first, forwards=len(aside))
    number, largest = len(updates), safe(facts)
    arms = []
    for warmup in warmups(facts.optimizer, number):
        rates = beginning(schedule(facts.peak, largest, warmup), facts.peak, facts.steps, number)
        arms.append(runs.under(warmup, rates, f"{warmup} updates of warmup"))
    return Trial(number, first, arms, facts.reached_by(number)), runs.applied, runs.forwards


@dataclass
class _Runs:
    """The runs of a trial: the same weights and updates for all, and what they cost."""

    training: Training
    updates: Sequence[Update]
    aside: Sequence[Any]
    said: Callable[[str], None]
    first: float
    applied: int = 0
    forwards: int = 0

    def under(self, warmup: int, rates: Sequence[float], name: str) -> ShortRuns:
        """A run under these rates for each order of the data."""
        ends = []
        for order in range(ORDERS):
            self.said(f"short runs of {len(self.updates)} updates, {name}, order {order + 1} of {ORDERS}")
            with self.training.opened() as probe:
                updates = self.updates[:: -1 if order else 1]
                ends.append(whole_run(probe, updates, rates, self.aside, first=self.first))
                self.applied += ends[-1].applied
                self.forwards += probe.forwards - sum(map(len, self.updates[: ends[-1].applied]))
        return ShortRuns(warmup, [one.losses for one in ends], [one.ignores for one in ends])


def warmups(optimizer: OptimizerFacts, updates: int) -> list[int]:
    """The lengths that are tried: none, what Adam's second moment takes but at most a quarter of the run, and half of it."""
    quarter = max(1, updates // 4)
    return [0, quarter if optimizer.untuned is None else max(1, min(optimizer.untuned, quarter)), max(2, updates // 2)]
