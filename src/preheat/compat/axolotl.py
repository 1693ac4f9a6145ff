"""axolotl: the schedulers of its own, and how it chooses one. Its other kinds are those of transformers."""

from __future__ import annotations

import math
from typing import Any

from preheat.compat import transformers
from preheat.compat.parts.curves import cosine_wave, lasting, switched
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, around, factors, held, ignored, rate_argument, rates, resumed
from preheat.core.checks import counted, finite_number, int_if_whole, positive_number
from preheat.core.constructors import hold, ramp, warmup
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import compose

PEER = Peer("axolotl", "0.19.0", "axolotl/utils/schedulers.py")
_TWICE = compose("rex", "rex")
REX = compose(_TWICE, _TWICE)
"""v/(1/16 + 15/16·v), v the share that is left: a longer stretch of the hyperbola v/(0.1 + 0.9·v) than a run needs."""


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("RexLR", "rex")
def rex_lr(
    *,
    max_lr: float,
    min_lr: float,
    total_steps: int = 0,
    num_warmup_steps: int = 0,
    last_step: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """One update early: (t + 1)/W, then m + (1 − m)·z/(0.1 + 0.9·z), z the share left after t + 1, m = min_lr/max_lr.

    The last update is at min_lr. max_lr is the optimizer's rate in axolotl.
    """
    high, low = positive_number(max_lr, "max_lr"), finite_number(min_lr, "min_lr")
    total, warm = (
        counted(total_steps, "total_steps is a number"),
        counted(num_warmup_steps, "num_warmup_steps is a number"),
    )
    if low > high or warm > total:
        raise PreheatError("min_lr must not be above max_lr, nor num_warmup_steps above total_steps")
    share, base = low / high, positive_number(base_lr, "base_lr")
    findings = [*ignored("last_step", last_step, 0, "a schedule has no position"), *rate_argument("min_lr", low, base)]
    left, end = total - warm, hold(low / base)
    if not left:
        return factors((warmup(warm) >> hold(1.0, 1) >> end).shifted(-1) if warm else end, base, findings)
    # its 16-fold arc passes 0 at `left` and ends at −2/3, 1/24 of it later
    arc = ramp(1.0, share - (1 - share) * 2 / 3, 25 * left / 24, REX).truncated(left)
    curve = warmup(warm) >> arc if warm else arc
    return factors((lasting(curve, total) >> end).shifted(-1), base, findings)


@PEER.restates("InterpolatingLogScheduler")
def interpolating_log_scheduler(
    *, num_steps: int, min_lr: float, max_lr: float, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """min_lr for two updates, then geometrically up, at max_lr with update num_steps; whatever the optimizer's rate is."""
    n = counted(num_steps, "num_steps is a number of updates", least=2)
    low, high = positive_number(min_lr, "min_lr"), positive_number(max_lr, "max_lr")
    findings = [*resumed(last_epoch), *ignored("base_lr", base_lr, 1.0, "the rates are min_lr to max_lr all the same")]
    return rates(hold(low, 1) >> ramp(low, high, n - 1, "exponential"), 1.0, findings)


@PEER.restates()
def get_cosine_schedule_with_quadratic_warmup(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t/W)², then (1 + cos(2π·c·p))/2, which climbs again after the end."""
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    curve = ramp(0.0, 1.0, warm, "square") if warm else None
    curve, findings = _waved(curve, warm, left, (num_cycles, 0.0, faithful))
    return factors(curve, base_lr, [*resumed(last_epoch), *findings])


@PEER.restates()
def get_cosine_schedule_with_min_lr(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    min_lr_ratio: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W, then half a cosine from 1 to min_lr_ratio, which climbs again after the end."""
    warm, left = _lengths(num_warmup_steps, num_training_steps)
    floor = finite_number(min_lr_ratio, "min_lr_ratio")
    curve, findings = _waved(warmup(warm) if warm else None, warm, left, (0.5, floor, faithful))
    return factors(curve, base_lr, findings)


@PEER.restates()
def get_cosine_schedule_with_warmup_decay_constant(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    constant_lr_ratio: float,
    min_lr_ratio: float,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W, then the cosine to min_lr_ratio, there at int(T·constant_lr_ratio), and level from then on."""
    warm, _ = _lengths(num_warmup_steps, num_training_steps)
    floor = finite_number(min_lr_ratio, "min_lr_ratio")
    level = int(num_training_steps * finite_number(constant_lr_ratio, "constant_lr_ratio"))
    up, cycles = warmup(warm) if warm else None, positive_number(num_cycles, "num_cycles")
    if level <= warm:  # the share of the cosine is negative, and stays what it is
        stuck = (1 - floor) * 0.5 * (1 + math.cos(math.pi * cycles * 2 * (level - warm))) + floor
        curve = up >> hold(stuck) if up else hold(stuck)
        return factors(curve, base_lr, resumed(last_epoch))
    wave = cosine_wave(int_if_whole((level - warm) / (2 * cycles)), floor, level - warm)
    return factors(up >> wave if up else wave, base_lr, resumed(last_epoch))


@PEER.restates("JaggedLRRestartScheduler")
def jagged_lr_restart_scheduler(
    *,
    inner_schedule: Any,
    jagged_restart_steps: int,
    jagged_restart_warmup_steps: int,
    jagged_restart_anneal_steps: int = 1,
    min_lr_scale: float = 0.001,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Another schedule, one update early, times a dip to min_lr_scale every jagged_restart_steps: down in A, up in W.

    inner_schedule: the other, of a LambdaLR, as a restatement, a schedule or its text. The first stretch has no warmup.
    """
    every = counted(jagged_restart_steps, "jagged_restart_steps is a number of updates", least=1)
    up = counted(jagged_restart_warmup_steps, "jagged_restart_warmup_steps is a number of updates")
    down = counted(jagged_restart_anneal_steps, "jagged_restart_anneal_steps is a number of updates", least=1)
    if down > every or up > every:
        raise PreheatError("a restart has no room for its warmup or its anneal", given=every)
    low = finite_number(min_lr_scale, "min_lr_scale")
    first = hold(1.0, every - down) >> ramp(1.0, low, down) if every > down else ramp(1.0, low, down)
    again = lasting(switched(ramp(low, 1.0, up), up, first), every) if up else first
    scale = (
        first >> again.repeated()
        if up <= every - down
        else switched(hold(1.0, every - down), every - down, again.repeated())
    )
    return around([inner_schedule], lambda inner: (inner * scale).shifted(-1), base_lr)


def warmup_updates(total: int | None, warmup_steps: float | None = None, warmup_ratio: float | None = None) -> float:
    """What axolotl hands to transformers: 3 % of the run and 100 at most where nothing is said; 1 is made 2."""
    steps: float = 0
    if warmup_steps is not None:
        steps = warmup_steps
    elif total:
        steps = min(int(0.03 * total), 100) if warmup_ratio is None else max(int(warmup_ratio * total), 0)
    else:
        steps = 0.03 if warmup_ratio is None else warmup_ratio
    return 2 if steps == 1 else steps


def _lengths(num_warmup_steps: int, num_training_steps: int) -> tuple[int, int]:
    warm = counted(num_warmup_steps, "num_warmup_steps is a number of updates")
    total = counted(num_training_steps, "num_training_steps is a number of updates", least=1)
    return warm, max(0, total - warm)


def _waved(up: Schedule | None, warm: int, left: int, of: tuple[float, float, bool]) -> tuple[Schedule, list[Finding]]:
    """After the warmup 2·cycles half waves in what is left, in one update where nothing is."""
    num_cycles, floor, faithful = of
    half = int_if_whole(max(1, left) / (2 * positive_number(num_cycles, "num_cycles")))
    wave = cosine_wave(half, floor, None if faithful else left)
    return held(up >> wave if up else wave, warm + left, faithful, "it climbs again")


for _function in transformers.PEER.functions.values():
    PEER.restates()(_function)
