"""The learning-rate range test: a short training whose rate grows from update to update (Smith 2015, arXiv:1506.01186)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from preheat.core.checks import counted
from preheat.measure.rates.suggesters import Smoother, Sweep, check_loss, sweep_rates
from preheat.measure.rates.swept import RangeTest
from preheat.measure.training import Loss, NotFiniteError, Probe, Training

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

REPEATS = 3
"""Sweeps: the fewest that give an interval worth showing."""


def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    batches: Iterable[Any],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    updates: int = 100,
    repeats: int = REPEATS,
    micro_batches: int = 1,
    scaler: Any = None,
) -> RangeTest:
    """Train with a rate that grows from `low` towards `high`, and say which rates the curve of the loss suggests.

    Update i of N has the rate low · (high/low)^(i/N); groups keep their ratio, the largest has this rate. They are real
    updates of the optimizer, each with the mean gradient of `micro_batches` batches; a sweep ends where the smoothed loss is
    above four times its lowest value, or not finite. Every repeat begins with the weights and the optimizer's state as they
    are now, goes on with the batches where the one before stopped, and draws other random numbers; afterwards all is as it
    was, but that batches drawn from an iterator are gone: give a list or a DataLoader where that matters.

    updates × repeats × micro_batches forward and backward passes at most.

    Raises PreheatError for rates that do not grow, too few updates, a first loss that is not finite, a loss that is below 0
    (four times the best means nothing then), and what `Training` refuses.
    """
    training = Training(model, optimizer, loss, batches, scaler)
    rates = sweep_rates(low, high, updates)
    count = counted(repeats, "repeats is a whole number of at least 1", 1)
    size = counted(micro_batches, "micro_batches is a whole number of at least 1", 1)
    source = training.endless()
    with training.undrawn():
        return RangeTest(tuple(_swept(training, rates, source, size, repeat) for repeat in range(count)))


def _swept(training: Training, rates: list[float], batches: Iterator[Any], size: int, repeat: int) -> Sweep:
    """One sweep."""
    numbers, smoother, losses = Random(repeat), Smoother(), list[float]()
    stopped = False
    with training.opened() as probe:
        for rate in rates:
            probe.reseed(numbers.getrandbits(63))
            found, finite = _updated(probe, list(islice(batches, size)), rate)
            if not finite and not losses:
                found = found if not math.isfinite(found) else math.nan  # its gradient is not
            check_loss(found, smoother.add(found), len(losses))
            losses.append(found)
            if stopped := not finite or smoother.diverged:
                break
    return Sweep(tuple(rates[: len(losses)]), tuple(losses), len(rates), stopped)


def _updated(probe: Probe, batches: list[Any], rate: float) -> tuple[float, bool]:
    """The loss before an update, and whether it and its gradient are finite; only then is the update made."""
    try:
        loss = probe.gradient(batches)
    except NotFiniteError as error:
        return error.loss, False
    probe.step(rate)
    return loss, True
