"""The gradient noise scale while a model trains, from gradients that training computes anyway."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from preheat.core.checks import counted
from preheat.core.errors import PreheatError
from preheat.measure.noise.scale import squared_norm
from preheat.measure.noise.two_batch import TwoBatch

_FOLDED = 16  # updates that are read from the device at once


class NoiseMeter:
    """The gradient noise scale of the last updates, read while training. It costs the norms of gradients, and no copy.

    From accumulation, where every micro-batch's loss is scaled alike and gradients were cleared before:

        meter = NoiseMeter(model)
        for x, y in micro_batches:
            (loss(x, y) / n).backward()
            meter.micro_batch(len(x))
        meter.update()  # before clipping and before optimizer.step()

    From the ranks of DistributedDataParallel, whose gradients are read before they are averaged:

        meter = NoiseMeter(ddp)  # registers a communication hook, before the first backward()
        loss(x, y).backward()
        meter.update(len(x))  # this rank's examples, as many on every rank; micro-batches before the last in no_sync()

    model: a module, the DistributedDataParallel itself where there is one, or an optimizer.
    decay: how much of what was seen before is kept at an update; tr Σ and |G|² are averaged apart.
    hook, state: a communication hook of your own and its state, in place of the plain average.

    Gradients are those of the mean over examples of equal weight. An update whose gradient is not finite, or that has a
    single micro-batch, tells nothing and is counted in `skipped`. Not measured: sharded gradients (FSDP, tensor parallel).

    Raises PreheatError for a decay outside (0, 1], and in a distributed run for a model that is not a
    DistributedDataParallel. McCandlish et al. 2018, arXiv:1812.06162.
    """

    def __init__(
        self,
        model: nn.Module | Optimizer,
        *,
        decay: float = 0.98,
        hook: Callable[[Any, Any], Any] | None = None,
        state: Any = None,
    ) -> None:
        self.found = TwoBatch(decay)
        self.skipped = 0
        self._parameters = _parameters(model)
        self._so_far: list[
            Tensor
        ] = []  # squared norms of the gradient after each micro-batch, or of this rank's buckets
        self._sizes: list[int] = []
        self._passes = 0  # all-reduces of a whole gradient since the last update
        self._pending: list[tuple[Tensor, Tensor, float, float]] = []
        self._ranks: DistributedDataParallel | None = None
        if isinstance(model, DistributedDataParallel):
            self._ranks = model
            model.register_comm_hook(state, self._keeping(hook, model))
        elif hook is not None or state is not None:
            what = "a communication hook is of a DistributedDataParallel"
            raise PreheatError(what, given=type(model).__name__, write="leave hook= and state= out, or give that model")
        elif dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            what = "in a distributed run the meter reads gradients before they are averaged, by a hook"
            raise PreheatError(what, given=type(model).__name__, write="give the DistributedDataParallel")

    def micro_batch(self, size: int) -> None:
        """After the backward() of a micro-batch of so many examples, which added to the gradients."""
        if self._ranks is not None:
            raise PreheatError("the ranks tell the noise scale", write="leave micro_batch() out, and call update(size)")
        self._sizes.append(_size(size))
        self._so_far.append(squared_norm(self._gradients()))

    def update(self, size: int | None = None) -> None:
        """Before the gradients are clipped and applied. size: this rank's examples, where there are ranks.

        Raises PreheatError where the ranks averaged more than once since the last update.
        """
        try:
            drawn = self._of_micro_batches() if self._ranks is None else self._of_ranks(size)
        finally:
            self._so_far, self._sizes, self._passes = [], [], 0
        if drawn is None:
            self.skipped += 1
            return
        self._pending.append(drawn)
        if len(self._pending) >= _FOLDED:
            self._fold()

    @property
    def value(self) -> float | None:
        """tr Σ / |G|² in examples; None where |G|² cannot be told from 0."""
        self._fold()
        return self.found.value

    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, from the spread of the last updates."""
        self._fold()
        return self.found.interval()

    def __str__(self) -> str:
        value, (low, high) = self.value, self.interval()
        skipped = f" ({self.skipped} more told nothing)" if self.skipped else ""
        of = f"of {self.found.draws} updates{skipped}"
        if value is None:
            return f"gradient noise scale not known, {of}; " + (
                f"{low:.3g} examples or more"
                if low
                else "keep training, with gradients cleared before each update's first"
            )
        return f"gradient noise scale {value:.3g} examples (95 % interval {low:.3g} to {high:.3g}), {of}"

    def _gradients(self) -> list[Tensor]:
        return [one.grad for one in self._parameters if one.grad is not None]

    def _of_micro_batches(self) -> tuple[Tensor, Tensor, float, float] | None:
        """From the norms of P_k, the gradient after k of n micro-batches: E|n P_k|² = k²|G|² + Σ_{i≤k} tr Σ / b_i.

        Where noise prevails the differences are nearly independent, with variances in ratio 2k − 1. Their weighted fit is
        that of the last norm and of the mean of (|n P_k|² − |n P_{k−1}|²)/(2k − 1), which is as from the size below.
        """
        n = len(self._sizes)
        if n < 2:
            return None
        odd = torch.arange(1, 2 * n, 2, dtype=torch.float64)
        norms = torch.stack(self._so_far) * n**2
        steps = torch.diff(norms, prepend=norms.new_zeros(1))
        small = (steps / odd.to(steps)).mean()
        inverse = 1.0 / torch.tensor(self._sizes, dtype=torch.float64)
        return small, self._so_far[-1], 1.0 / float((inverse / odd).mean()), n**2 / float(inverse.sum())

    def _of_ranks(self, size: int | None) -> tuple[Tensor, Tensor, float, float] | None:
        """From the mean of the ranks' squared norms and that of their mean gradient."""
        examples, group = _size(size), self._ranks.process_group  # type: ignore[union-attr]
        ranks = group.size()
        if self._passes > 1:
            what = f"the ranks averaged {self._passes} times in one update, the later times what was averaged before"
            raise PreheatError(what, write="compute all micro-batches but the last in the no_sync() of the model")
        if not self._so_far or ranks < 2:
            return None
        small = torch.stack(self._so_far).sum()
        dist.all_reduce(small, group=group)
        return small / ranks, squared_norm(self._gradients()), float(examples), float(examples * ranks)

    def _keeping(
        self, hook: Callable[[Any, Any], Any] | None, model: DistributedDataParallel
    ) -> Callable[[Any, Any], Any]:
        """The communication hook, before which the norm of what it is given is kept."""
        if hook is None:
            from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

            def hook(state: Any, bucket: Any) -> Any:
                return allreduce_hook(model.process_group, bucket)  # type: ignore[arg-type]

        def keeping(state, bucket):  # without annotations: torch refuses those that are not its own
            self._so_far.append(squared_norm([bucket.buffer()]))
            self._passes += bucket.is_last()
            return hook(state, bucket)

        return keeping

    def _fold(self) -> None:
        """Add what is pending, read from the device at once."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        read = torch.stack([torch.stack([small, big]) for small, big, _, _ in pending]).tolist()
        for (small, big), (_, _, b_small, b_big) in zip(read, pending, strict=True):
            if math.isfinite(small) and math.isfinite(big):
                self.found.add(small, big, b_small, b_big)
            else:
                self.skipped += 1


def _parameters(model: object) -> list[nn.Parameter]:
    if isinstance(model, Optimizer):
        return [one for group in model.param_groups for one in group["params"]]
    if isinstance(model, nn.Module):
        return list(model.parameters())
    raise PreheatError("a noise meter reads the gradients of a module or of an optimizer", given=model)


def _size(size: int | None) -> int:
    return counted(size, "the number of examples is whole and at least 1", 1, write="write update(len(batch))")
