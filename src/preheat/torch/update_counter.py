"""Which calls of `step()` stand for an applied update."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from preheat.core.errors import PreheatError

_LOOKED_AT = 16  # parameters whose own counts are read: each reading may wait for the device


class Flag:
    """Set by every update that an optimizer applies. A constant, never a counter: a compiled step that changed a number
    would compile again for each."""

    def __init__(self) -> None:
        self.up = False
        self.captured = False  # into a CUDA graph, whose replays run no hooks

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if _is_capturing():
            self.captured = True
        else:
            self.up = True


class ScaledFlag(Flag):
    """The same under a GradScaler: a fused optimizer steps always, and skips inside where the scaler's `found_inf`,
    which stands on it just then, is not 0. It is read only when `step()` asks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        if found is None or _is_capturing():
            super().__call__(optimizer, args, kwargs)
        else:
            self.found.append(found)

    def read_found(self) -> bool:
        """Raise the flag for fused updates that were applied; whether there were only skipped ones."""
        found, self.found = self.found, []
        self.up = self.up or any(not value.item() for value in found)
        return bool(found) and not self.up


class UpdateCounter:
    """Tells applied updates from skipped and surplus calls, and counts them.

    Until an applied update has been seen every call counts, so that a bare loop draws the curve. From then on a call
    counts if an update was applied since the last one. With a GradScaler the updates that it skips do not count, those
    that a fused optimizer skips inside itself among them. Of several optimizers one that applies an update is enough.
    Once an update was captured in a CUDA graph every call counts: replays cannot be seen.
    """

    KEPT = ("seen", "applied", "surplus", "skipped", "unseen")

    def __init__(self, optimizers: Sequence[Optimizer], scaler: GradScaler | None) -> None:
        if scaler is not None and not hasattr(scaler, "get_scale"):
            raise PreheatError("scaler= takes the torch.amp.GradScaler of the training loop", given=scaler)
        self.optimizers, self.scaler = optimizers, scaler
        self.flag = Flag() if scaler is None else ScaledFlag()
        self.seen = False
        self.applied = self.surplus = self.skipped = self.unseen = 0
        self.since: tuple[int, int | None] | None = None  # counts at the first update: ours, and the optimizers' own
        self._scale = scaler.get_scale() if scaler else 1.0
        for optimizer in optimizers:
            weakref.finalize(self, optimizer.register_step_post_hook(self.flag).remove)

    def is_update(self, with_metrics: bool = False) -> bool:
        """Whether this call of `step()` stands for an applied update; one that only brings metrics is not surplus."""
        flag = self.flag
        skipped = self.scaler is not None and self._was_skipped()
        if flag.up or (flag.captured and not skipped):
            flag.up = False
            self.seen = True
            self.applied += 1
            if self.since is None:
                self.since = self.applied, own_count(self.optimizers)
            return True
        if skipped:
            self.skipped += 1
        elif self.seen:
            self.surplus += not with_metrics
        else:
            self.unseen += 1
            return True
        return False

    @property
    def has_seen_updates(self) -> bool:
        """Whether any update has been applied since it counts."""
        return self.flag.up or self.applied > 0

    def restart(self) -> None:
        """What comes next is another run's: a state was loaded."""
        self.flag.up, self.since = False, None

    def _was_skipped(self) -> bool:
        """Whether the scaler skipped an update, and no other was applied.

        The scaler says so until its update(), and lowers its scale in it.
        """
        skipped_inside = self.flag.read_found()  # type: ignore[attr-defined]
        before, self._scale = self._scale, self.scaler.get_scale()  # type: ignore[union-attr]
        if self.flag.up:
            return False
        states = getattr(self.scaler, "_per_optimizer_states", {})  # no public name says it; a disabled one has none
        found = [states[id(o)]["found_inf_per_device"] for o in self.optimizers if id(o) in states]
        if skipped_inside or any(bool(value.item()) for per_device in found for value in per_device.values()):
            self._scale = 0.0  # known already: the lower scale to come is no news
            return True
        return self._scale < before


def _is_capturing() -> bool:
    compiling = torch.compiler.is_compiling()
    return not compiling and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def own_count(optimizers: Sequence[Optimizer]) -> int | None:
    """How many updates the optimizers themselves say they applied; None if none of them counts."""
    counts = []
    for optimizer in optimizers:
        for held in (*islice(optimizer.state.values(), _LOOKED_AT), *optimizer.param_groups):
            step = held.get("step") if isinstance(held, dict) else None
            if isinstance(step, int | float) or (isinstance(step, Tensor) and step.numel() == 1):
                counts.append(int(step))
    return max(counts, default=None)
