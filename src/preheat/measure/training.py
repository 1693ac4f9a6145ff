"""What is measured: a model, its optimizer, the loss of a batch and batches; and what a measurement may do with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer, Rprop

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, shown
from preheat.measure.snapshot import restored, undrawn
from preheat.torch.wrapped import watched

Loss = Callable[[Any], Tensor]
"""`loss(batch)`: the mean loss of a batch as a tensor of one number, computed with the model."""

_NO_DIRECTION = {
    LBFGS: "it looks for its own step length",
    Rprop: "its steps do not depend on the rate",
}
_UNMOVED = "no parameter of the optimizer gets a gradient from this loss"
_MOVED = (
    "give the optimizer parameters of the model that require a gradient, and a loss computed with them, not detached"
)
ASIDE = 8  # batches that ends are judged by
_SCALER = ("scale", "unscale_", "_per_optimizer_states")  # torch's, its own for FSDP, and others made like them
_FURTHER, _STRAIGHT = 16.0, 1e-3  # times the rate where D is taken again, and by how much of it the two may differ
_TRIES = 4  # at an update that is taken apart; two are enough where the first moves the weights at all


class NotFiniteError(PreheatError):
    """A loss, or its gradient, that is not finite. loss: the loss."""

    def __init__(self, loss: float) -> None:
        self.loss = loss
        super().__init__(f"the loss or its gradient is not finite: {loss}", write="measure before it diverges")


@dataclass(frozen=True)
class Training:
    """A model, its optimizer, the loss of a batch, and batches.

    loss: called as `loss(batch)`, gives the mean loss of the batch as a tensor of one number.
    batches: an iterable, such as a list or a DataLoader; what is drawn from a generator is gone.
    scaler: the grad scaler, where gradients are scaled.
    held_out: batches that are never trained on, for what judges a training by its end.

    Raises PreheatError for what is none of these, and for optimizers that do not follow a rate.
    """

    model: nn.Module
    optimizer: Optimizer
    loss: Loss
    batches: Iterable[Any]
    scaler: Any = None
    held_out: Iterable[Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise PreheatError("model is a torch.nn.Module", given=self.model)
        if not callable(self.loss):
            raise PreheatError(
                "loss is a function of a batch", given=self.loss, write="write loss=lambda batch: loss_of(model, batch)"
            )
        for name, given in (("batches", self.batches), ("held_out", self.held_out)):
            if isinstance(given, str | bytes | Tensor) or not isinstance(given, Iterable | None):
                raise PreheatError(f"{name} is an iterable of batches, such as a DataLoader", given=given)
        if self.batches is None:
            raise PreheatError("batches is an iterable of batches, such as a DataLoader", given=None)
        able, _ = watched(self.optimizer)
        if len(able) != 1:
            raise PreheatError(
                "optimizer is a torch.optim.Optimizer, or wraps one",
                given=self.optimizer,
                write="give the optimizer whose step() applies the updates, one at a time",
            )
        for kind, why in _NO_DIRECTION.items():
            if isinstance(able[0], kind):
                raise PreheatError(f"{kind.__name__} cannot be measured: {why}", write="use an optimizer with a rate")
        if any(group.get("lr", 0.0) is None for group in able[0].param_groups):
            raise PreheatError(
                f"{type(able[0]).__name__} finds its own rate, and none can be set",
                write="give it one, such as lr=1e-3",
            )
        if self.scaler is not None and not all(hasattr(self.scaler, name) for name in _SCALER):
            raise PreheatError(
                "scaler is a torch.amp.GradScaler", given=self.scaler, write="leave it out where there is none"
            )
        object.__setattr__(self, "optimizer", able[0])

    def taken(self, n: int) -> list[Any]:
        """The first n batches. Raises PreheatError where there are fewer."""
        found = list(islice(iter(self.batches), counted(n, "a number of batches is whole and at least 1", 1)))
        if len(found) < n:
            raise PreheatError(f"{n} batches are needed, and there are {len(found)}", write="give more batches")
        return found

    def endless(self) -> Iterator[Any]:
        """The batches, again and again; a generator only once. Raises PreheatError where they run out at once."""
        while True:
            empty = True
            for batch in self.batches:
                empty = False
                yield batch
            if empty:
                raise PreheatError("the batches ran out", write="give a list, a DataLoader, or an endless generator")

    def judging(self, stream: Iterator[Any]) -> list[Any]:
        """The batches that ends are judged by: those held out, at most so many, else the next of the stream."""
        held_out = [] if self.held_out is None else list(islice(self.held_out, ASIDE))
        if self.held_out is not None and not held_out:
            raise PreheatError("held_out has no batch", write="leave it out, or give some")
        return held_out or [next(stream) for _ in range(ASIDE)]

    @contextmanager
    def opened(self) -> Iterator[Probe]:
        """A block in which the training may be tried out; afterwards everything is as it was."""
        with torch.inference_mode(False), torch.enable_grad(), restored(self.model, self.optimizer, self.scaler):
            yield Probe(self)

    def undrawn(self) -> AbstractContextManager[None]:
        """A block that may draw batches; afterwards the random generators, those of a DataLoader too, are as they were."""
        return undrawn(self.batches, self.held_out)


class Probe:
    """A training that is being tried out. Its losses are comparable: each is computed under the same random numbers."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.optimizer = training.optimizer
        self.parameters = [one for group in self.optimizer.param_groups for one in group["params"] if one.requires_grad]
        self.forwards = 0
        self._random, self._seed = torch.get_rng_state(), 0
        self._ratios = ratios(self.optimizer)
        self._groups = list(self.optimizer.param_groups)

    @torch.no_grad()
    def loss(self, batch: Any) -> float:
        """The loss of a batch with the weights as they are; it may not be finite."""
        with self._same_random_numbers():
            return float(self._checked(self.training.loss(batch)))

    def gradient(self, batches: Sequence[Any], *, fresh: bool = False) -> float:
        """Leave the mean gradient of the batches in `.grad`, and return their mean loss. Accumulation is counted right.

        fresh: under new random numbers, as training would draw them, so that dropout too is noise of the gradient.

        Raises NotFiniteError where the loss or the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        scaler = self.training.scaler
        for batch in batches:
            with self._same_random_numbers(fresh):
                value = self._checked(self.training.loss(batch)) / len(batches)
            if not value.requires_grad:
                raise PreheatError(_UNMOVED, write=_MOVED)
            (value if scaler is None else scaler.scale(value)).backward()
            total += float(value.detach())
        self._check_gradients()
        if scaler is not None:
            scaler._per_optimizer_states.clear()  # it may have been unscaled before
            scaler.unscale_(self.optimizer)
        if not math.isfinite(total) or not _largest(self.gradients()).isfinite():
            raise NotFiniteError(total)
        return total

    def _check_gradients(self) -> None:
        found = self.gradients()
        if not found:
            raise PreheatError(_UNMOVED, write=_MOVED)
        if any(one.layout != torch.strided for one in found):
            raise PreheatError("sparse gradients cannot be measured", write="make the embedding with sparse=False")

    def gradients(self) -> list[Tensor]:
        """The gradients of the parameters that have one."""
        return [one.grad for one in self.parameters if one.grad is not None]

    def reseed(self, seed: int) -> None:
        """Losses from now on are computed under other random numbers, the same for all of them."""
        self._random, self._seed = torch.Generator().manual_seed(seed).get_state(), seed

    def step(self, rate: float) -> None:
        """One update with the gradients that are there: the largest group at `rate`, the others in their ratio to it."""
        for group, ratio in zip(self._groups, self._ratios, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * ratio)
            else:
                group["lr"] = rate * ratio
        no_hooks = MappingProxyType({})  # schedulers count updates by hooks, and these are none
        with (
            patch.object(self.optimizer, "_optimizer_step_pre_hooks", no_hooks),
            patch.object(self.optimizer, "_optimizer_step_post_hooks", no_hooks),
        ):
            type(self.optimizer).step(self.optimizer)

    def line(self, batches: Sequence[Any]) -> Line:
        """The line on which the optimizer's next update would move the weights, with the gradient of these batches.

        θ(η) = θ − η · D, with all that the optimizer puts into D: momentum, preconditioner, weight decay, and the groups'
        ratios. The weights and the optimizer's state are afterwards as they were.
        """
        loss = self.gradient(batches)
        origin = [one.detach().clone() for one in self.parameters]
        slopes = [None if one.grad is None else one.grad.detach().clone() for one in self.parameters]
        direction = self._direction(origin)
        slope = sum(
            float((g * d).sum(dtype=torch.float64)) for g, d in zip(slopes, direction, strict=True) if g is not None
        )
        return Line(self.parameters, origin, direction, loss, slope)

    def _direction(self, origin: list[Tensor]) -> list[Tensor]:
        """D, from an update so far out that rounding beside the weights does not hide it.

        Raises PreheatError where an update at another rate has another D: then there is no line.
        """
        length, rate = _length(origin), 1.0
        for _ in range(_TRIES):
            direction = self._moved(origin, rate)
            share = rate * _length(direction) / length if length else 1.0
            if share >= 0.5:
                break
            rate *= 1 / share if share else 1e4
        further = self._moved(origin, _FURTHER * rate)
        apart = _length([one - other for one, other in zip(direction, further, strict=True)])
        rounded = max((torch.finfo(one.dtype).eps for one in origin), default=0.0) * (1 + 1 / share if share else 1.0)
        if math.isfinite(apart) and not apart <= (_STRAIGHT + 8 * rounded) * _length(further):
            name = type(self.optimizer).__name__
            raise PreheatError(
                f"the steps of {name} are not in proportion to its rate, so no rate along its update can be told",
                write="use lr_range_test, which makes whole updates, or another optimizer",
            )
        return direction

    def _moved(self, origin: list[Tensor], rate: float) -> list[Tensor]:
        """How far an update at a rate moves the weights, per unit of the rate, backwards; the weights stay."""
        with restored(self.training.model, self.optimizer):
            self.step(rate)
            return [(was - one.detach()) / rate for was, one in zip(origin, self.parameters, strict=True)]

    @contextmanager
    def _same_random_numbers(self, fresh: bool = False) -> Iterator[None]:
        if not fresh:
            torch.set_rng_state(self._random)
            if torch.cuda.is_available() and torch.cuda.is_initialized():
                torch.cuda.manual_seed_all(self._seed)
        self.forwards += 1
        yield

    def _checked(self, value: Any) -> Tensor:
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise PreheatError(f"loss(batch) gives a tensor of one number, not {shown(value)}")
        if not value.is_floating_point():
            raise PreheatError(f"loss(batch) gives a tensor of a floating-point dtype, not {value.dtype}")
        return value.reshape(())


@dataclass(frozen=True)
class Line:
    """The weights along an update, θ(η) = θ − η · D.

    loss: at η = 0, of the batches that made it.   slope: −dL/dη there, which is gᵀD.
    """

    parameters: list[Tensor]
    origin: list[Tensor]
    direction: list[Tensor]
    loss: float
    slope: float

    @torch.no_grad()
    def move(self, rate: float) -> None:
        """Put the weights at θ − rate · D."""
        for one, was, along in zip(self.parameters, self.origin, self.direction, strict=True):
            one.copy_(torch.add(was, along, alpha=-rate))

    @property
    def reach(self) -> float:
        """The rate at which the weights move by their own length, or by 1 each where they are smaller; inf for no update."""
        length = _length(self.direction)
        ones = math.sqrt(sum(one.numel() for one in self.origin))
        return max(_length(self.origin), ones) / length if length else math.inf


def _largest(tensors: list[Tensor]) -> Tensor:
    """The largest magnitude in any of them, NaN where there is one: without waiting for a device once for each."""
    return torch.stack([one.to(tensors[0].device) for one in torch._foreach_norm(tensors, math.inf)]).max()


def _length(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(one.square().sum(dtype=torch.float64)) for one in tensors))


def ratios(optimizer: Optimizer) -> list[float]:
    """The rate of each group as a share of the largest: of `initial_lr` where all stand at 0, as before a warmup."""
    for name in ("lr", "initial_lr"):
        rates = [float(group.get(name, 0.0)) for group in optimizer.param_groups]
        if (largest := max(rates, default=0.0)) > 0:
            return [rate / largest for rate in rates]
    return [1.0 for _ in optimizer.param_groups]
