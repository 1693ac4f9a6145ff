"""Short whole runs from the weights as they are, on the same batches, that differ in the length of their warmup alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.measure.advising.deciding import schedule
from preheat.measure.advising.facts import Facts, OptimizerFacts, ShortRuns, Trial
from preheat.measure.training import Probe, Training

ORDERS = 2  # of the data: without a second one the noise of a run is not known
Update = Sequence[Any]  # the micro-batches of one update


def tried(
    training: Training, facts: Facts, updates: Sequence[Update], aside: Sequence[Any], said: Callable[[str], None]
) -> tuple[Trial, int, int]:
    """The trial on these updates, judged by the batches set aside; with the updates and forward passes that it cost."""
    done = forwards = 0
    arms = []
    with training.opened() as probe:
        first = _mean(probe.loss(batch) for batch in aside)
        forwards += probe.forwards
    for warmup in warmups(facts.optimizer, len(updates)):
        rates = _rates(facts, warmup, len(updates))
        losses = []
        for order in range(ORDERS):
            said(f"trial: {warmup} of {len(updates)} updates of warmup, order {order + 1} of {ORDERS}")
            with training.opened() as probe:
                applied, found = _run(probe, updates if order == 0 else updates[::-1], rates, aside)
            done, forwards = done + applied, forwards + len(found)
            losses.append(found)
        arms.append(ShortRuns(warmup, losses))
    return Trial(len(updates), first, arms), done, forwards


def warmups(optimizer: OptimizerFacts, updates: int) -> list[int]:
    """The lengths that are tried: none, what Adam's second moment takes (at most a quarter), a tenth, half."""
    untuned = optimizer.untuned if optimizer.family == "adaptive" else None
    found = {0, max(1, updates // 10), max(2, updates // 2)}
    return sorted(found if untuned is None else found | {max(1, min(untuned, updates // 4))})


def _rates(facts: Facts, warmup: int, updates: int) -> list[float]:
    bound = parse(schedule(facts, warmup)).bind(Run(total=updates))
    return [facts.peak * bound(t) for t in range(updates)]


def _run(probe: Probe, updates: Sequence[Update], rates: Sequence[float], aside: Sequence[Any]) -> tuple[int, list[float]]:
    """One run: the updates that were applied, and the final losses; none where a loss was not finite."""
    for done, (batches, rate) in enumerate(zip(updates, rates, strict=True)):
        try:
            probe.gradient(batches, fresh=True)
        except PreheatError:  # not finite: that is a result
            return done, []
        probe.step(rate)
    found = [probe.loss(batch) for batch in aside]
    return len(rates), found if all(map(math.isfinite, found)) else []


def _mean(losses: Iterable[float]) -> float:
    found = list(losses)
    return sum(found) / len(found)
