"""The critical rate: the smallest step along the optimizer's own update that raises the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from preheat.core.checks import counted, positive_number
from preheat.core.crossing import Crossing, crossing
from preheat.core.errors import PreheatError
from preheat.measure.evidence import Evidence
from preheat.measure.intervals import geometric
from preheat.measure.training import Line, Loss, Probe, Training
from preheat.plots.panel import Curves, Series

_FARTHEST = 1e4  # lengths of the weights that a step may move them: beyond, nothing of them is left
_OTHER = 1_000_003  # between the seeds of a probe batch and of a second look at it
_SMALL = 0.5  # of the slope: where less of it is left on another batch, a batch is mostly noise


def search(
    line: Line,
    loss: Callable[[], float],
    at_zero: float,
    slope: float | None = None,
    *,
    rise: float = 0.0,
    guess: float | None = None,
    noise: float = 0.0,
) -> Crossing:
    """The smallest η > 0 with L(θ − η·D) > at_zero + rise on a line of an open probe, to 1/16.

    loss: of the weights as they are, such as `lambda: probe.loss(batch)`.   at_zero: it at the line's beginning.
    slope: gᵀD of that loss; without it the line's own, which is right where the loss is of the batches that made the line.
    The weights are afterwards at the line's beginning. See `preheat.core.crossing.crossing` for the rest.
    """

    def looked(rate: float) -> float:
        line.move(rate)
        return loss()

    rounded = max((torch.finfo(one.dtype).eps for one in line.origin), default=0.0) * abs(at_zero)
    try:
        return crossing(
            looked,
            at_zero,
            line.slope if slope is None else slope,
            rise=rise,
            guess=guess,
            noise=max(noise, rounded),
            largest=_FARTHEST * line.reach,
        )
    finally:
        line.move(0.0)


@dataclass(frozen=True, repr=False)
class CriticalLR(Evidence):
    """The rate above which the optimizer's next update raises the loss of the batch that it was made with.

    rate: the geometric mean over the probe batches; None where the loss did not rise on any, up to the rate `low`.
    low, high: its 95 % interval, of Student on logarithms; 0 and inf where only one batch knows it.
    probes: the search on each batch, with every loss that was looked at.   losses: the loss of each at rate 0.
    noise: of the loss change that decides, whose size is `depth`: it is at least 3 × the noise.
    share: how much of an update's slope is left on another batch; 1 for batches without noise, None with one batch.
    forwards: forward passes over a probe batch, in all; `probes` of them with a backward pass.
    """

    rate: float | None
    low: float
    high: float
    probes: tuple[Crossing, ...]
    losses: tuple[float, ...]
    noise: float
    depth: float
    share: float | None
    forwards: int

    @property
    def sentence(self) -> str:
        good = (
            "Good for: which rates the weights as they are stand, beside a planned peak, and how that moves while they are "
            "trained. Not good for: a peak by itself, since warmup makes weights that stand more."
        )
        if self.rate is None:
            return (
                f"The critical rate is not known, but it is not below {self.low:.3g}: the loss of none of {len(self.probes)} "
                f"batches rises up to there. {good}"
            )
        known = sum(one.rate is not None for one in self.probes)
        batches = f"{known}" if known == len(self.probes) else f"{known} of {len(self.probes)}"
        spread = f"95 % interval {self.low:.3g} to {self.high:.3g}" if known > 1 else "no interval"
        return (
            f"The critical rate is {self.rate:.3g} ({spread}, {batches} {'batch' if batches == '1' else 'batches'}, "
            f"{self.forwards} forward passes): above it an update raises the loss of its own batch.{self._small}{self._others} "
            f"{good}"
        )

    @property
    def _small(self) -> str:
        """What is said where a batch is so small that its own critical rate says little of other data."""
        if self.rate is None or self.share is None or self.share >= _SMALL:
            return ""
        if self.share <= 0:
            return " These batches are too small: an update made on one does not lower another's loss; use more micro_batches."
        return (
            f" These batches are small: {self.share:.0%} of an update's slope is left on another batch, so that it raises "
            f"the loss of other data from about {self.rate * self.share:.2g} on, or earlier; use more micro_batches."
        )

    @property
    def _others(self) -> str:
        """What is said of batches on which no rate was found."""
        others = [one.why for one in self.probes if one.rate is None]
        return f" Left out: {'; '.join(sorted(set(others)))}." if others else ""

    def panel(self) -> Curves:
        ends = [1.5 * one.high if one.rate else math.inf for one in self.probes]
        end = max((one for one in ends if one < math.inf), default=math.inf)
        seen = [_seen(one, at_zero, end) for one, at_zero in zip(self.probes, self.losses, strict=True)]
        deepest = max((-y for points in seen for _, y in points), default=0.0)
        return Curves(
            title="Critical rate not known" if self.rate is None else f"Critical rate {self.rate:.3g}",
            x_label="rate",
            y_label="change of the loss",
            caption=self.sentence,
            series=[
                Series(f"batch {place + 1}", [x for x, _ in points], [y for _, y in points], style=place, dots=True)
                for place, points in enumerate(seen)
            ],
            y_range=(-1.3 * deepest, 1.3 * deepest) if deepest > 0 else None,
            level=("as before", 0.0),
        )


def _seen(probe: Crossing, at_zero: float, end: float) -> list[tuple[float, float]]:
    """The losses that were seen up to a rate, as changes."""
    changes = [(rate, value - at_zero) for rate, value in probe.curve if rate <= end and math.isfinite(value)]
    return [(0.0, 0.0), *changes]


def critical_lr(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    batches: Iterable[Any],
    *,
    guess: float | None = None,
    probes: int = 4,
    micro_batches: int = 1,
    scaler: Any = None,
) -> CriticalLR:
    """The smallest rate η at which L(θ − η·D) > L(θ), D the optimizer's next update per rate: η_c = 2·gᵀD / DᵀHD nearby.

    D holds all that the optimizer would do: momentum, preconditioner, weight decay; a rate is the largest group's, the others
    keep their ratio to it. The first `probes` × `micro_batches` batches are used: each probe makes its update and looks at
    its loss with `micro_batches` of them, so that these are one large batch. Everything is afterwards as it was.

    guess: a rate to look at first, such as the answer of a while ago: at most 8 looks for each probe, else 16.

    Raises PreheatError where the loss change that decides is below 3 × its own noise (the same loss computed twice, and under
    other random numbers of dropout or augmentation), where no batch's update lowers its loss, and for bad arguments.
    """
    training = Training(model, optimizer, loss, batches, scaler)
    counted(probes, "probes is a whole number of at least 1", 1)
    counted(micro_batches, "micro_batches is a whole number of at least 1", 1)
    first = None if guess is None else positive_number(guess, "guess")
    with training.undrawn():
        held = training.taken(probes * micro_batches)
    with training.opened() as probe:
        looks = _Looks(probe, first)
        for place in range(probes):
            looks.at(held[place * micro_batches : (place + 1) * micro_batches], place)
        return looks.value(probe.forwards // micro_batches)


@dataclass
class _Looks:
    """What was seen on the probe batches so far."""

    probe: Probe
    guess: float | None
    found: list[Crossing] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    noises: list[float] = field(default_factory=list)
    shared: list[tuple[float, float]] = field(
        default_factory=list
    )  # the slope of an update on the next batch, and its own
    line: Line | None = None

    def at(self, batches: Sequence[Any], seed: int) -> None:
        """Look along the update of some batches, which are one."""
        self.probe.reseed(seed)
        line, before = self.probe.line(batches), self.line
        if before is not None:
            self.shared.append((slope(before), before.slope))

        def loss() -> float:
            return fmean(self.probe.loss(batch) for batch in batches)

        at_zero = loss()
        twice = abs(loss() - at_zero)
        found = search(line, loss, at_zero, guess=self.guess, noise=twice)
        self.guess = found.rate or self.guess
        self.noises.append(max(twice, self._of_random_numbers(line, loss, found, at_zero, seed)))
        self.line = line
        self.found.append(found)
        self.losses.append(at_zero)

    def _of_random_numbers(
        self, line: Line, loss: Callable[[], float], found: Crossing, at_zero: float, seed: int
    ) -> float:
        """The noise of the change that decides, at half the rate, by what other random numbers make of it."""
        if found.rate is None:
            return 0.0
        self.probe.reseed(seed + _OTHER)
        other = loss()
        if other == at_zero:
            return 0.0
        half = min((rate for rate, _ in found.curve), key=lambda rate: abs(rate / found.low - 0.5))
        line.move(half)
        changed = loss() - other
        line.move(0.0)
        return abs(changed - (dict(found.curve)[half] - at_zero)) / math.sqrt(2)

    def value(self, forwards: int) -> CriticalLR:
        known = [one for one in self.found if one.rate is not None]
        rates = [one.rate for one in known if one.rate is not None]
        noise = math.sqrt(fmean(one**2 for one in self.noises))
        own = sum(slope for _, slope in self.shared)
        share = sum(slope for slope, _ in self.shared) / own if own > 0 else None
        if not known:
            self._check_not_below()
            rate, low, high, depth = None, min(one.low for one in self.found), math.inf, 0.0
        else:
            rate, low, high = geometric(rates)
            depth = fmean(one.depth for one in known)
            _check_noise(depth, noise)
        return CriticalLR(rate, low, high, tuple(self.found), tuple(self.losses), noise, depth, share, forwards)

    def _check_not_below(self) -> None:
        """Refuse where not even a lower bound is known."""
        blind = [one.why for one in self.found if one.high < math.inf]
        if blind:
            raise PreheatError(
                f"the critical rate is not known: {blind[0]}",
                write="measure on larger batches (micro_batches=8), some updates later, or not where training has converged",
            )


def _check_noise(depth: float, noise: float) -> None:
    if depth < 3 * noise:
        raise PreheatError(
            f"the critical rate is hidden by noise: the loss falls by {depth:.3g} on the way, and that changes by {noise:.3g} "
            "when it is computed again, with other random numbers",
            write="measure on larger batches (micro_batches=8), or without dropout: call model.eval() before",
        )


def slope(line: Line) -> float:
    """gᵀD with the gradient that the parameters have now."""
    pairs: list[tuple[Tensor | None, Tensor]] = [
        (one.grad, along) for one, along in zip(line.parameters, line.direction, strict=True)
    ]
    return sum(float((grad * along).sum(dtype=torch.float64)) for grad, along in pairs if grad is not None)
