"""schedule-free: the warmup inside its optimizers, the only schedule that they have."""

from __future__ import annotations

from typing import Any

from preheat.compat.parts.curves import counted_warmup
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, rates
from preheat.core.checks import counted, positive_number
from preheat.core.constructors import hold

PEER = Peer("schedulefree", "1.4.1", "schedulefree/adamw_schedulefree.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


def _warmed(lr: float, warmup_steps: int, base_lr: float) -> Restated:
    up = counted_warmup(counted(warmup_steps, "warmup_steps is a number of updates"))
    curve = up >> hold() if up.length else hold()
    return rates(curve.scaled(positive_number(lr, "lr")), base_lr)


@PEER.restates("AdamWScheduleFree", "AdamWScheduleFreeReference", "AdamWScheduleFreeClosure")
def adamw_schedule_free(
    *, lr: float = 0.0025, warmup_steps: int = 0, base_lr: float = 1.0, faithful: bool = False, **others: Any
) -> Restated:
    """lr·(t + 1)/W up to W, and lr from there on; what averaging does in place of a decay is no rate."""
    return _warmed(lr, warmup_steps, base_lr)


@PEER.restates("SGDScheduleFree", "SGDScheduleFreeReference", "SGDScheduleFreeClosure")
def sgd_schedule_free(
    *, lr: float = 1.0, warmup_steps: int = 0, base_lr: float = 1.0, faithful: bool = False, **others: Any
) -> Restated:
    """lr·(t + 1)/W up to W, and lr from there on; what averaging does in place of a decay is no rate."""
    return _warmed(lr, warmup_steps, base_lr)
