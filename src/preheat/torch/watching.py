"""Which calls of `step()` stand for an applied update."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from torch.amp import GradScaler
from torch.optim import Optimizer


class Flag:
    """Set by every update that an optimizer applies. A constant, never a counter: a compiled step that changed a number
    would compile again for each."""

    def __init__(self) -> None:
        self.up = False

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.up = True


class Watch:
    """Tells applied updates from skipped and surplus calls, and counts them.

    Until an applied update has been seen every call counts, so that a bare loop draws the curve. From then on a call
    counts if an update was applied since the last one. With a GradScaler the updates that it skips do not count, those
    that a fused optimizer skips inside itself among them.
    """

    def __init__(self, optimizers: Sequence[Optimizer], scaler: GradScaler | None) -> None:
        self.optimizers, self.scaler, self.flag = optimizers, scaler, Flag()
        self.seen = False
        self.applied = self.surplus = self.skipped = self.unseen = 0
        self._scale = scaler.get_scale() if scaler else 1.0
        for optimizer in optimizers:
            weakref.finalize(self, optimizer.register_step_post_hook(self.flag).remove)

    def due(self) -> bool:
        """Whether this call of `step()` stands for an applied update."""
        flag = self.flag
        if self.scaler is not None and self._was_skipped():
            flag.up = False
            self.skipped += 1
            return False
        if flag.up:
            flag.up = False
            self.seen = True
            self.applied += 1
            return True
        if self.seen:
            self.surplus += 1
            return False
        self.unseen += 1
        return True

    def _was_skipped(self) -> bool:
        """Whether the scaler found an infinity: it says so until its update(), and lowers its scale in it."""
        before, self._scale = self._scale, self.scaler.get_scale()  # type: ignore[union-attr]
        if self._scale < before:
            return True
        states = self.scaler._per_optimizer_states  # type: ignore[union-attr]  # no public name says it
        found = [states[id(o)]["found_inf_per_device"] for o in self.optimizers if id(o) in states]
        return any(bool(value.item()) for per_device in found for value in per_device.values())
