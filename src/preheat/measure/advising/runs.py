"""A whole run of a training that is being tried out, at rates that are known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from torch import Tensor

from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.measure.advising.constants import IGNORES
from preheat.measure.training import NotFiniteError, Probe

_TARGETS = ("labels", "label", "targets", "target")

Update = Sequence[Any]
"""The micro-batches of one update."""


def beginning(text: str, peak: float, steps: int, updates: int) -> list[float]:
    """The rates of the first updates of a run under a schedule in factors; over the last fifth of them they fall to 0.

    A run is judged by its end, and a rate that is still high hides what was learned; at the rates of the run itself until then
    it breaks where the run would.
    """
    bound = parse(text).bind(Run(total=steps), peak=peak)
    falls = min(updates, steps) - max(1, updates // 5)
    last = bound(falls)
    return [bound(t) if t < falls else last * (updates - t) / (updates - falls) for t in range(updates)]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over. applied: its updates.   losses: of the batches set aside; none if one was not finite on the way.

    ignores: whether they hardly rise when examples get one another's targets: the run is stuck at predicting a constant.
    """

    applied: int
    losses: list[float]
    ignores: bool = False


def whole_run(
    probe: Probe,
    updates: Iterable[Update],
    rates: Sequence[float],
    aside: Sequence[Any],
    log: Callable[[int, float, float], None] = lambda step, loss, rate: None,
    *,
    first: float,
) -> Ended:
    """One update after the other, each at its rate. log: called with the update, its loss and its rate.

    first: the mean loss of the batches set aside, before.
    """
    for done, (batches, rate) in enumerate(zip(updates, rates, strict=False)):
        try:
            loss = probe.gradient(batches, fresh=True)
        except NotFiniteError:  # that is a result
            return Ended(done, [])
        log(done, loss, rate)
        probe.step(rate)
    found = [probe.loss(batch) for batch in aside]
    if not all(map(math.isfinite, found)):
        return Ended(len(rates), [])
    pairs = [(loss, probe.loss(one)) for loss, one in zip(found, map(exchanged, aside), strict=True) if one is not None]
    return Ended(len(rates), found, _ignores(pairs, first - fmean(found), stdev(found) if len(found) > 1 else math.inf))


def _ignores(pairs: Sequence[tuple[float, float]], fell: float, spread: float) -> bool:
    """Whether losses, before and after the exchange, hardly rise, beside what the loss fell by and what batches differ by.

    Where none of them changes in its last digit, what was exchanged is no target of this loss.
    """
    if all(before == after for before, after in pairs):
        return False
    return fmean(after - before for before, after in pairs) < min(IGNORES * fell, spread)


def exchanged(batch: Any) -> Any:
    """The batch with every example's target given to the next; None where it is not known which those are, or all are equal.

    The classes of a pair (inputs, whole numbers), or what a mapping calls labels, label, targets or target.
    """
    if isinstance(batch, Mapping):
        name = next((one for one in _TARGETS if one in batch), None)
        other = None if name is None else _rolled(batch[name])
        return None if other is None else {**batch, name: other}
    if isinstance(batch, tuple | list) and len(batch) == 2 and all(map(_several, batch)):
        inputs, targets = batch
        other = None if targets.is_floating_point() or len(inputs) != len(targets) else _rolled(targets)
        return None if other is None else [inputs, other]
    return None


def _rolled(targets: Any) -> Tensor | None:
    """Each one's given to the next; None where that changes nothing."""
    other = targets.roll(1, 0) if _several(targets) else None
    return None if other is None or other.equal(targets) else other


def _several(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) > 1
