"""A whole run of a training that is being tried out, at rates that are known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.measure.training import Probe

Update = Sequence[Any]
"""The micro-batches of one update."""


def rates_of(text: str, peak: float, updates: int) -> list[float]:
    """The rates of a schedule in factors, bound to so many updates."""
    bound = parse(text).bind(Run(total=updates), peak=peak)
    return [bound(t) for t in range(updates)]


def whole_run(
    probe: Probe,
    updates: Iterable[Update],
    rates: Sequence[float],
    aside: Sequence[Any],
    log: Callable[[int, float, float], None] = lambda step, loss, rate: None,
) -> tuple[int, list[float]]:
    """One update after the other, each at its rate: how many there were, and the final losses of the batches set aside.

    log: called with the update, its loss and its rate.   Without final losses: one was not finite on the way.
    """
    for done, (batches, rate) in enumerate(zip(updates, rates, strict=False)):
        try:
            loss = probe.gradient(batches, fresh=True)
        except PreheatError:  # not finite: that is a result
            return done, []
        log(done, loss, rate)
        probe.step(rate)
    found = [probe.loss(batch) for batch in aside]
    return len(rates), found if all(map(math.isfinite, found)) else []
