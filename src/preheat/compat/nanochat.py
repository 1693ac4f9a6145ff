"""nanochat: what scripts/base_train.py does to the rates, and to the momentum and the weight decay of Muon."""

from __future__ import annotations

from typing import Any

from preheat.compat.parts.curves import cosine_wave, counted_warmup, onwards, switched
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors
from preheat.core.checks import counted, finite_number, positive_number
from preheat.core.constructors import hold, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.stated import Absolute

PEER = Peer("nanochat", "00255c19", "scripts/base_train.py")
MOMENTA, RISE = (0.85, 0.97, 0.90), 400
"""Muon's momentum at the start, at its height, at the end; and in how many updates it rises."""


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("get_lr_multiplier", "get_muon_momentum", "get_weight_decay")
def base_train(
    *,
    num_iterations: int,
    warmup_steps: int = 40,
    warmdown_ratio: float = 0.65,
    final_lr_frac: float = 0.05,
    weight_decay: float = 0.28,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/W, 1, and in the last round(N·warmdown_ratio) updates down to final_lr_frac, which update N would have.

    Also "muon/momentum", up from .85 to .97 in 400 updates whatever the run, down to .90 in the warmdown, and
    "muon/weight_decay", weight_decay·(1 + cos(πt/N))/2. weight_decay is what the script makes of its own for batch and depth.
    """
    total = counted(num_iterations, "num_iterations is a number of updates", least=1)
    warm = counted(warmup_steps, "warmup_steps is a number of updates")
    ratio = finite_number(warmdown_ratio, "warmdown_ratio")
    if not 0 <= ratio <= 1:
        raise PreheatError("warmdown_ratio is a share of the run", given=ratio, write="write 0.2 for its last fifth")
    down, low = round(ratio * total), finite_number(final_lr_frac, "final_lr_frac")
    start, peak, end = MOMENTA
    down_to = _Down(total, down, faithful)
    momentum = down_to.after(ramp(start, peak, RISE), RISE, peak, end)
    decayed = cosine_wave(total, 0.0, None if faithful else total)
    others = {
        "muon/momentum": Absolute(momentum),
        "muon/weight_decay": Absolute(decayed.scaled(positive_number(weight_decay, "weight_decay"))),
    }
    restated = factors(down_to.after(counted_warmup(warm), warm, 1.0, low), base_lr, [_after(total)])
    return Restated(restated.schedule, others, restated.findings)


class _Down:
    """The warmdown: level before it, then a line that reaches its end with update N, and goes on if faithful."""

    def __init__(self, total: int, down: int, faithful: bool) -> None:
        self.total, self.down, self.faithful = total, down, faithful

    def after(self, first: Schedule, until: int, high: float, low: float) -> Schedule:
        """`first` in so many updates, and then what the warmdown has by then: a jump where they overlap."""
        level = self.total - self.down
        down = hold(high)
        if self.down:
            down = onwards(high, low, self.down) if self.faithful else ramp(high, low, self.down)
        if until <= level:
            return first >> hold(high, level - until) >> down
        return switched(first, until, hold(high, level) >> down)


def _after(total: int) -> Finding:
    what = "the rate goes below its last value, and in the end below 0, and the weight decay climbs"
    return Finding("after-the-end", f"update {total}", f"{what}; here the last values are kept")
