"""What an update for a new task costs the loss of an old one: the cap on the rate of fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from torch import nn
from torch.optim import Optimizer

from preheat.core.checks import counted, positive_number
from preheat.core.crossing import Crossing
from preheat.core.errors import PreheatError
from preheat.measure.evidence import Evidence
from preheat.measure.intervals import geometric
from preheat.measure.rates.critical import search, slope
from preheat.measure.training import Line, Loss, Probe, Training
from preheat.plots.panel import Curves, Series

_SHOWN = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the rate that is found: where else is looked at what is forgotten


@dataclass(frozen=True, slots=True)
class Forgotten:
    """By how much one update at a rate raises the old loss: the mean over the new batches, and each; may be negative or inf."""

    rate: float
    rise: float
    each: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class RelativeCriticalLR(Evidence):
    """The rate at which one update for a new task raises the loss of an old one by a budget.

    rate: the geometric mean over the new batches; None where the old loss rose by the budget on none, up to the rate `low`.
    low, high: its 95 % interval, of Student on logarithms; 0 and inf where only one batch knows it.
    budget: the rise of the old loss, in its own unit.   measured: whether the budget is the old loss's own noise.
    kept: the old loss before.   uphill: how many of the new batches' updates raise the old loss at every small rate.
    forgotten: what one update at several rates costs.   probes: the search with each new batch.
    """

    rate: float | None
    low: float
    high: float
    budget: float
    measured: bool
    kept: float
    uphill: int
    forgotten: tuple[Forgotten, ...]
    probes: tuple[Crossing, ...]
    forwards: int

    @property
    def sentence(self) -> str:
        noise = ", which is the standard error of the old loss over its batches," if self.measured else ""
        if self.rate is None:
            return (
                f"No update up to the rate {self.low:.3g} raises the old loss by {self.budget:.3g}{noise} from "
                f"{self.kept:.4g}. {self._good}"
            )
        known = sum(one.rate is not None for one in self.probes)
        spread = f"95 % interval {self.low:.3g} to {self.high:.3g}" if known > 1 else "no interval"
        costs = ", ".join(f"{one.rise:+.2g} at {one.rate:.2g}" for one in self.forgotten if math.isfinite(one.rise))
        left = len(self.probes) - known
        others = f" With {left} of {len(self.probes)} new batches it rises nowhere that far." if left else ""
        return (
            f"One update for the new task raises the old loss by {self.budget:.3g}{noise} from {self.kept:.4g} at the rate "
            f"{self.rate:.3g} ({spread}, {known} of {len(self.probes)} new batches, {self.forwards} forward passes).{others} "
            f"By rate: {costs}. {self._good}"
        )

    @property
    def _good(self) -> str:
        first = f"{self.uphill} of {len(self.probes)} updates raise it at every small rate. "
        return (
            f"{first}Good for: a cap on the peak of fine-tuning, and comparing optimizers or batches by what they forget. Not "
            "good for: what a whole run forgets, since later updates add to it or take it back."
        )

    def panel(self) -> Curves:
        seen = [one for one in self.forgotten if math.isfinite(one.rise)]
        each = [
            Series(
                f"batch {place + 1}",
                [one.rate for one in seen],
                [one.each[place] for one in seen],
                style=1,
                faint=True,
            )
            for place in range(len(self.probes))
        ]
        tallest = 5 * (self.budget + max(0.0, *(-one.rise for one in seen)))
        mean = Series("mean", [one.rate for one in seen], [one.rise for one in seen], dots=True)
        return Curves(
            title="What one update costs the old task",
            x_label="rate",
            y_label="rise of the old loss",
            caption=self.sentence,
            series=[*each, mean],
            log_x=True,
            y_range=(-tallest, tallest),
            x_ticks=[float(f"{one.rate:.2g}") for one in seen],
            level=("budget", self.budget),
        )


def relative_critical_lr(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    batches: Iterable[Any],
    *,
    kept_loss: Loss,
    kept_batches: Iterable[Any],
    budget: float | None = None,
    guess: float | None = None,
    probes: int = 4,
    micro_batches: int = 1,
    kept: int = 4,
    scaler: Any = None,
) -> RelativeCriticalLR:
    """The smallest rate at which the optimizer's update for a new task raises the loss of an old one by more than a budget.

    With s = g_keptᵀD and c = DᵀH_keptD, L_kept(θ − η·D) ≈ L_kept − s·η + c·η²/2, so that η = (s + √(s² + 2·c·budget))/c.
    Where the old task is at its minimum, s is 0 and any rate raises its loss: without a budget there would be no answer but 0.

    loss, batches: the new task; each of `probes` updates is made with `micro_batches` of its batches.
    kept_loss, kept_batches: the old task; the mean over `kept` of its batches is what may not rise.
    budget: how much it may rise by one update, in nats where it is a cross-entropy; without it, by the standard error of the
        old loss over its batches, which is what could not be told from chance.
    Everything is afterwards as it was.

    Raises PreheatError where a budget is below rounding, where there is none and the old batches' losses are all alike or one,
    and for bad arguments.
    """
    new, old = Training(model, optimizer, loss, batches, scaler), Training(model, optimizer, kept_loss, kept_batches)
    counted(probes, "probes is a whole number of at least 1", 1)
    counted(micro_batches, "micro_batches is a whole number of at least 1", 1)
    first = None if guess is None else positive_number(guess, "guess")
    with new.undrawn(), old.undrawn():
        held, held_old = new.taken(probes * micro_batches), old.taken(kept)
    with new.opened() as probe:
        task = _Kept(Probe(old), held_old, budget)
        for place in range(probes):
            line = probe.line(held[place * micro_batches : (place + 1) * micro_batches])
            first = task.look(line, first) or first
        return task.value(probe.forwards // micro_batches)


class _Kept:
    """An old task, and what the updates of a new one cost it."""

    def __init__(self, probe: Probe, batches: Sequence[Any], budget: float | None) -> None:
        self.probe, self.batches, self.measured = probe, batches, budget is None
        losses = [probe.loss(batch) for batch in batches]
        self.at_zero = fmean(losses)
        self.budget = _noise(losses) if budget is None else positive_number(budget, "budget")
        probe.gradient(batches)
        self.gradients = [None if one.grad is None else one.grad.detach().clone() for one in probe.parameters]
        self.lines: list[Line] = []
        self.slopes: list[float] = []
        self.found: list[Crossing] = []

    def loss(self) -> float:
        return fmean(self.probe.loss(batch) for batch in self.batches)

    def look(self, line: Line, guess: float | None) -> float | None:
        """Search along an update of the new task."""
        for one, gradient in zip(line.parameters, self.gradients, strict=True):
            one.grad = gradient
        along = slope(line)
        found = search(line, self.loss, self.at_zero, along, rise=self.budget, guess=guess)
        if found.rate is None and found.high < math.inf:
            raise PreheatError(f"the rate is not known: {found.why}", write="give a larger budget")
        self.lines.append(line)
        self.slopes.append(along)
        self.found.append(found)
        return found.rate

    def forgotten(self, rate: float) -> Forgotten:
        """What one update at a rate costs, line by line."""
        each = []
        for line in self.lines:
            line.move(rate)
            loss = self.loss()
            each.append(loss - self.at_zero if math.isfinite(loss) else math.inf)
            line.move(0.0)
        return Forgotten(rate, fmean(each), tuple(each))

    def value(self, forwards: int) -> RelativeCriticalLR:
        rates = [one.rate for one in self.found if one.rate is not None]
        rate, low, high = geometric(rates) if rates else (None, min(one.low for one in self.found), math.inf)
        shown = tuple(self.forgotten((rate or low) * share) for share in _SHOWN if rate or share <= 1)
        return RelativeCriticalLR(
            rate,
            low,
            high,
            self.budget,
            self.measured,
            self.at_zero,
            sum(one <= 0 for one in self.slopes),
            shown,
            tuple(self.found),
            forwards + self.probe.forwards // len(self.batches),
        )


def _noise(losses: Sequence[float]) -> float:
    """The standard error of a mean loss over its batches."""
    error = stdev(losses) / math.sqrt(len(losses)) if len(losses) > 1 else 0.0
    if not error > 0:
        raise PreheatError(
            "without a budget, what may be forgotten is the old loss's own noise, which these batches do not show",
            write="give budget=0.01, or several different kept_batches",
        )
    return error
