"""The gradient noise scale of a training as it stands, from gradients of micro-batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, shown
from preheat.measure.evidence import Evidence
from preheat.measure.noise.two_batch import FEWEST, TwoBatch
from preheat.measure.training import Probe, Training
from preheat.plots.panel import Curves, Series


@dataclass(frozen=True, repr=False)
class NoiseScale(Evidence):
    """tr Σ / |G|² of some weights, in examples.

    value: None where |G|² cannot be told from 0; then the noise scale is `low` or more.
    low, high: its 95 % interval, high is inf where it has no end.
    trace, squared_gradient: tr Σ, of one example, and |G|².
    draws: what each draw says of the two.   sizes: examples of a micro-batch and of a draw, the mean of all.
    uneven: the examples of the smallest and the largest micro-batch, where they differ.
    """

    value: float | None
    low: float
    high: float
    trace: float
    squared_gradient: float
    draws: tuple[tuple[float, float], ...]
    sizes: tuple[float, float]
    uneven: tuple[int, int] | None = None

    @classmethod
    def of(cls, found: TwoBatch, draws: Sequence[tuple[float, float]], sizes: Sequence[Sequence[int]]) -> NoiseScale:
        """What was found in some draws. sizes: of the micro-batches of each."""
        every = [size for one in sizes for size in one]
        means, ends = (fmean(every), fmean(map(sum, sizes))), (min(every), max(every))
        known = (found.value, *found.interval(), found.trace, found.squared_gradient)
        return cls(*known, tuple(draws), means, None if ends[0] == ends[1] else ends)

    @property
    def words(self) -> str:
        """The value with its interval, or what is known instead."""
        if self.value is not None:
            return f"{self.value:.3g} examples (95 % interval {self.low:.3g} to {self.high:.3g})"
        known = f"{self.low:.3g} examples or more" if self.low > 0 else "not known"
        return f"{known}: the gradient cannot be told from its noise"

    @property
    def sentence(self) -> str:
        found = f"The gradient noise scale is {self.words}"
        small, big = (f"{round(one, 1):g}" for one in self.sizes)
        if self.uneven is not None:
            small += f" ({self.uneven[0]} to {self.uneven[1]}; the numbers are means)"
        more = "" if self.value is not None else " More draws, or more micro-batches in each, would tell."
        return (
            f"{found}, from {len(self.draws)} draws of {big} examples in micro-batches of {small}.{more} Good for: the "
            "order of magnitude of the batch size beyond which larger ones save few updates, with these weights. Not good for: "
            "weights of later, since it grows while the loss falls; the gradient as an adaptive optimizer rescales it; "
            "losses that weigh examples unequally, such as by their tokens."
        )

    def panel(self) -> Curves:
        found, rows = TwoBatch(), []
        for trace, squared in self.draws:
            found.add(*_as_norms(trace, squared))
            rows.append((found.draws, found.trace / found.squared_gradient, *found.interval()))
        rows = [row for row in rows if row[1] > 0 and row[3] < math.inf]
        xs, ys, low, high = ([row[column] for row in rows] for column in range(4))
        series = [Series("of the draws so far", xs, ys, low=low, high=high, dots=len(xs) == 1)]
        return Curves(
            title="Gradient noise scale", x_label="draws", y_label="examples", caption=self.sentence, series=series
        )


def _as_norms(trace: float, squared: float) -> tuple[float, float, int, int]:
    """Squared norms of batches of 1 and 2 that say this."""
    return squared + trace, squared + trace / 2, 1, 2


def noise_scale(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[Any], Tensor],
    batches: Iterable[Any],
    *,
    micro_batches: int = 8,
    draws: int = 16,
    batch_size: int | None = None,
    scaler: Any = None,
) -> NoiseScale:
    """The gradient noise scale tr Σ / |G|²: how many examples a batch needs for its gradient to be as large as its noise.

    model, optimizer, loss, batches, scaler: the training; `loss(batch)` is the mean over the batch's examples.
    batches: the micro-batches, drawn at random; one pass at most. Examples of one draw may be distinct: over all N of a data
        set that leaves tr Σ without bias and makes |G|² that of what the data are a sample of, less by tr Σ / N.
    micro_batches: gradients in a draw, at least 2.   draws: at most; at least 4 are needed.
    batch_size: examples in a batch, else the length of its first tensor.

    Every gradient has random numbers of its own, so that dropout counts as noise. Norms over a batch (BatchNorm in training
    mode) make gradients of small batches differ in the mean too, which is then counted as noise. All is put back.
    Raises PreheatError where there are too few batches, for unknown batch sizes, and for a DistributedDataParallel.
    McCandlish et al. 2018, arXiv:1812.06162.
    """
    training = Training(model, optimizer, loss, batches, scaler)
    check_drawn(model, micro_batches, draws)
    found, rows, sizes = TwoBatch(), list[tuple[float, float]](), list[list[int]]()
    with training.undrawn(), training.opened() as probe:
        for drawn in in_draws(training.batches, micro_batches, draws):
            sizes.append([size_of(one, batch_size) for one in drawn])
            rows.append(found.add(*norms_of_draw(probe, drawn, sizes[-1])))
    refuse_few(len(rows), micro_batches)
    return NoiseScale.of(found, rows, sizes)


def check_drawn(model: nn.Module, micro_batches: int, draws: int) -> None:
    """Refuse too few micro-batches or draws, and a model whose gradients are averaged over processes."""
    counted(micro_batches, "micro_batches is a whole number of at least 2", 2)
    counted(draws, f"draws is a whole number of at least {FEWEST}", FEWEST)
    if isinstance(model, DistributedDataParallel):
        what = "a DistributedDataParallel averages the gradients of all ranks"
        raise PreheatError(what, write="measure its .module, or use NoiseMeter while it trains")


def refuse_few(draws: int, batches: int) -> None:
    """Refuse draws whose spread says nothing."""
    if draws < FEWEST:
        what = f"{FEWEST} draws of {batches} batches are needed, and the batches give {draws}"
        raise PreheatError(what, write="give more or smaller batches, or write micro_batches=2")


def in_draws(batches: Iterable[Any], micro_batches: int, draws: int) -> Iterator[list[Any]]:
    """The batches of one pass, some at a time; an incomplete draw is left out."""
    passed = iter(batches)
    for _ in range(draws):
        drawn = list(islice(passed, micro_batches))
        if len(drawn) < micro_batches:
            return
        yield drawn


def norms_of_draw(
    probe: Probe, batches: Sequence[Any], sizes: Sequence[int], seen: Callable[[int, list[Tensor]], None] | None = None
) -> tuple[float, float, float, float]:
    """The mean of the micro-batches' squared gradient norms, that of the gradient of all, and the batch sizes of both.

    The first size is the harmonic mean, since E|g_b|² = |G|² + tr Σ / b.
    seen: told after each micro-batch how many there were, and their weighted sum, which goes on to change.
    """
    total, small = sum(sizes), 0.0
    means = [torch.zeros_like(one, dtype=at_least_single(one.dtype)) for one in probe.parameters]
    for place, (batch, size) in enumerate(zip(batches, sizes, strict=True), 1):
        probe.gradient([batch], fresh=True)
        small += squared_norm(probe.gradients()).item() / len(sizes)
        for mean, one in zip(means, probe.parameters, strict=True):
            if one.grad is not None:
                mean.add_(one.grad, alpha=size / total)
        if seen is not None:
            seen(place, means)
    return small, squared_norm(means).item(), len(sizes) / sum(1.0 / size for size in sizes), float(total)


@torch.no_grad()
def squared_norm(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of all squares, as a tensor on the first one's device, so that nothing waits."""
    if not tensors:
        raise PreheatError("no parameter has a gradient", write="call it after backward()")
    norms = [torch.linalg.vector_norm(one, dtype=at_least_single(one.dtype)) for one in tensors]
    return torch.stack([one.to(norms[0].device) for one in norms]).square().sum()


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which sums are kept."""
    return torch.promote_types(dtype, torch.float32)


def size_of(batch: Any, batch_size: int | None = None) -> int:
    """The examples in a batch: as said, else the length of its first tensor. Raises PreheatError where there is none."""
    if batch_size is not None:
        return counted(batch_size, "batch_size is a whole number of at least 1", 1)
    first = next(_tensors(batch), None)
    if first is None or first.ndim == 0 or len(first) == 0:
        raise PreheatError(f"the number of examples of {shown(batch)} is not known", write="write batch_size=")
    return len(first)


def _tensors(batch: Any) -> Iterator[Tensor]:
    """The tensors of a batch, in their order."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for one in batch.values():
            yield from _tensors(one)
    elif isinstance(batch, list | tuple):
        for one in batch:
            yield from _tensors(one)
