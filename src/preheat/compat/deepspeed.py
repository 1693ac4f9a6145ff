"""DeepSpeed: the schedulers of `deepspeed.runtime.lr_schedules`, by their names in a config's "scheduler" section.

Its constructor writes the starting rate into the optimizer and its first `step()` takes position 0, so the first two updates of
a warmup are alike. A rate that is given (warmup_max_lr, cycle_min_lr, …) replaces the optimizer's.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from preheat.compat.parts.curves import ENDLESS, short_hold
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, ignored, rate_argument, rates
from preheat.core.checks import Number, counted, finite_number, int_if_whole, positive_number
from preheat.core.constructors import hold, invsqrt, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp
from preheat.core.stated import Absolute

PEER = Peer("deepspeed", "0.19.8", "deepspeed/runtime/lr_schedules.py")
SECOND_BETA = 0.99  # that OneCycle writes beside every momentum


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("WarmupLR")
def warmup_lr(
    *,
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float | None = None,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min at update 0, then min + (max − min)·log(t)/log(W), or ·(t − 1)/W; W is at least 2, and no max is base_lr."""
    findings = [*_resumed(last_batch_iteration), *_typed(warmup_type)]
    warm, log = _warm(warmup_num_steps), warmup_type != "linear"

    def curve(low: float, high: float) -> Schedule:
        return hold(low, 1) >> _rise(low, high, warm, log) >> hold(high)

    return _between(curve, warmup_min_lr, warmup_max_lr, base_lr, findings)


@PEER.restates("WarmupDecayLR")
def warmup_decay_lr(
    *,
    total_num_steps: int,
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float | None = 0.001,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """As WarmupLR, then min + (max − min)·(T − t + 1)/(T − W), at least min; max is 0.001 unless given, None for base_lr."""
    findings = [*_resumed(last_batch_iteration), *_typed(warmup_type)]
    warm, log = _warm(warmup_num_steps), warmup_type != "linear"
    left = counted(total_num_steps, "total_num_steps is a number of updates") - warm

    def curve(low: float, high: float) -> Schedule:
        main = ramp(high, low, left) if left > 0 else hold(low)
        top = hold(high, 1) if log else hold(high, 0)
        return hold(low, 1) >> _rise(low, high, warm, log) >> top >> main

    return _between(curve, warmup_min_lr, warmup_max_lr, base_lr, findings)


@PEER.restates("WarmupCosineLR")
def warmup_cosine_lr(
    *,
    total_num_steps: int,
    warmup_min_ratio: float = 0.0,
    warmup_num_steps: int = 1000,
    cos_min_ratio: float = 0.0001,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """0 at update 0; min + (1 − min)·log(t)/log(W) or ·(t − 1)/W; then a cosine to cos_min_ratio, one update early."""
    warm, log = _warm(warmup_num_steps), warmup_type != "linear"
    left = max(1, counted(total_num_steps, "total_num_steps is a number of updates") - warm)
    low, floor = finite_number(warmup_min_ratio, "warmup_min_ratio"), finite_number(cos_min_ratio, "cos_min_ratio")
    main = ramp(1.0, floor, left, "cosine")  # after a log warmup the peak is its first value, the warmup's last
    main = main if log else main.shifted(-1) >> hold(floor)  # after a linear one the peak is never taken
    main = main.clipped(low=0.0) if floor < 0 else main
    curve = hold(0.0, 1) >> _rise(low, 1.0, warm, log) >> main
    return factors(curve, base_lr, [*_resumed(last_batch_iteration), *_typed(warmup_type)])


@PEER.restates("OneCycle")
def one_cycle(
    *,
    cycle_min_lr: float,
    cycle_max_lr: float,
    decay_lr_rate: float = 0.0,
    cycle_first_step_size: float = 2000,
    cycle_second_step_size: float | None = None,
    cycle_first_stair_count: int = 0,
    cycle_second_stair_count: int | None = None,
    decay_step_size: float = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: float = 0.8,
    cycle_max_mom: float = 0.9,
    decay_mom_rate: float = 0.0,
    last_batch_iteration: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Up from min to max and down again, in stairs if wanted, then min/(1 + r·k/d) for k updates after the cycle.

    The first of the betas goes the other way, and then grows: max·(1 + r·k/d); its update 0 has the smallest value.
    """
    low, high = finite_number(cycle_min_lr, "cycle_min_lr"), finite_number(cycle_max_lr, "cycle_max_lr")
    first = positive_number(cycle_first_step_size, "cycle_first_step_size")
    second = (
        first if cycle_second_step_size is None else finite_number(cycle_second_step_size, "cycle_second_step_size")
    )
    down = cycle_first_stair_count if cycle_second_stair_count is None else cycle_second_stair_count
    cycle = _Cycle((first, second), (cycle_first_stair_count, down), finite_number(decay_step_size, "decay_step_size"))
    curve = cycle.rate(low, high, decay_lr_rate)
    findings = [*_resumed(last_batch_iteration), *_replaced(base_lr, high)]
    if not cycle_momentum:
        return Restated(Absolute(curve), findings=findings)
    moment = cycle.momentum(cycle_min_mom, cycle_max_mom, decay_mom_rate)
    others = {"betas[0]": Absolute(moment), "betas[1]": Absolute(hold(SECOND_BETA))}
    what = f"an optimizer without betas keeps its momentum; betas[1] becomes {SECOND_BETA}, whatever it was"
    return Restated(Absolute(curve), others, [*findings, Finding("not-carried", "cycle_momentum", what)])


@PEER.restates("LRRangeTest")
def lr_range_test(
    *,
    lr_range_test_min_lr: float = 1e-3,
    lr_range_test_step_size: int = 2000,
    lr_range_test_step_rate: float = 1.0,
    lr_range_test_staircase: bool = False,
    last_batch_iteration: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min·(1 + r·t/n), or with stairs min·(1 + r·⌊t/n⌋), without end."""
    low = finite_number(lr_range_test_min_lr, "lr_range_test_min_lr")
    size = counted(lr_range_test_step_size, "lr_range_test_step_size is a number of updates", least=1)
    rate = finite_number(lr_range_test_step_rate, "lr_range_test_step_rate")
    line = ramp(low, low * (1 + rate * ENDLESS), size * ENDLESS)
    curve = line.stepwise(size) if lr_range_test_staircase else line
    return rates(curve, findings=[*_resumed(last_batch_iteration), *_replaced(base_lr, low)])


def _warm(steps: int) -> int:
    return max(2, counted(steps, "warmup_num_steps is a number of updates above 0", least=1))


def _rise(low: float, high: float, warm: int, log: bool) -> Schedule:
    """log(t + 1)/log(W) is at its end one update early; the linear warmup is not."""
    return ramp(low, high, warm - 1, "log") if log else ramp(low, high, warm)


def _between(curve: Any, low: float, high: float | None, base_lr: float, findings: list[Finding]) -> Restated:
    """Rates between two that are given; or factors, where the upper one is the optimizer's own."""
    low = finite_number(low, "warmup_min_lr")
    if high is not None:
        return rates(curve(low, finite_number(high, "warmup_max_lr")), findings=[*findings, *_replaced(base_lr, high)])
    base = positive_number(base_lr, "base_lr")
    return factors(curve(low / base, 1.0), base, [*findings, *rate_argument("warmup_min_lr", low, base)])


class _Cycle(NamedTuple):
    """One cycle: the updates of its halves, their stairs (0 for none), and in how many updates the decay after it counts."""

    sizes: tuple[float, float]
    stairs: tuple[int, int]
    step: float

    @property
    def late(self) -> Number:
        """How much of the decay has passed at its first update: where the cycle does not end on one, it has begun again."""
        return _updates(sum(self.sizes)) - sum(self.sizes)

    def rate(self, low: float, high: float, rate: float) -> Schedule:
        """Up and down, then low/(1 + r·k/d)."""
        period = _period(self.step, rate, "decay_lr_rate")
        fall = hold(low) if period is None else _later(invsqrt(period, power=1.0).scaled(low), self.late)
        return self.between(low, high) >> fall

    def momentum(self, least: float, most: float, rate: float) -> Schedule:
        """The least at update 0; then down and up, then most·(1 + r·k/d), without end."""
        least, most = finite_number(least, "cycle_min_mom"), finite_number(most, "cycle_max_mom")
        period = _period(self.step, rate, "decay_mom_rate")
        line = hold(most) if period is None else ramp(most, most * (1 + ENDLESS / period), ENDLESS)
        rise = line if period is None else _later(line, self.late)
        return hold(least, 1) >> (self.between(most, least) >> rise).shifted(-1)

    def between(self, start: float, top: float) -> Schedule:
        """There and back, in stairs where there are any."""
        (first, second), (up, down) = self.sizes, self.stairs
        for count, size, name in ((up, first, "first"), (down, second, "second")):
            if counted(count, f"cycle_{name}_stair_count is a number of stairs") and size != int(size):
                raise PreheatError(f"cycle_{name}_step_size must be whole for stairs", given=size)
        if second < 0:
            raise PreheatError("cycle_second_step_size must not be below 0", given=second)
        rise, fall = Ramp(start, top, first, "linear"), Ramp(top, start, second, "linear")
        there = _stairs(rise, first, up, False) if up else rise
        back = _stairs(fall, second, down, True) if down and second else fall  # DeepSpeed rounds down what is left
        whole, until = there >> back, _updates(first + second)
        return whole if until == first + second else whole.repeated().truncated(until)


def _stairs(line: Ramp, size: float, count: int, down: bool) -> Schedule:
    """Down: the value at the end of each stair; else at its beginning, and at the end of the line its own.

    Stairs that are no whole number of updates are laid half of the least distance off, so that nothing hangs on rounding.
    """
    stair = int_if_whole(size / count)
    margin = 0.5 / count
    whole, part = (stair - 1, stair - margin) if down else (0, margin)
    shift = whole if isinstance(stair, int) else part
    stairs = line.stepwise(stair)
    return stairs.shifted(-shift) >> short_hold(line.end, shift) if shift else stairs


def _updates(length: float) -> Number:
    """Updates that follow the cycle: where it does not end on one, the first after its end has begun it again."""
    return int(length) if length == int(length) else math.ceil(length) + 1


def _later(curve: Schedule, late: Number) -> Schedule:
    return curve.shifted(-late) if late else curve


def _period(step: float, rate: float, name: str) -> float | None:
    """Updates in which the decay makes 1 + r·k/d two; None where there is none."""
    if not step or not finite_number(rate, name):
        return None
    return positive_number(step / rate, f"decay_step_size / {name}")


def _typed(warmup_type: str) -> list[Finding]:
    if warmup_type in ("log", "linear"):
        return []
    return ignored("warmup_type", warmup_type, "log", "an unknown type becomes log", "write log or linear")


def _resumed(last_batch_iteration: int) -> list[Finding]:
    why = "a schedule has no position; resume with the Scheduler's state"
    return ignored("last_batch_iteration", last_batch_iteration, -1, why)


def _replaced(base_lr: float, own: float) -> list[Finding]:
    """A finding where the optimizer has another rate than that which the scheduler writes over it."""
    why = "the scheduler writes its own rates over the optimizer's"
    return [] if base_lr == own else ignored("base_lr", positive_number(base_lr, "base_lr"), 1.0, why)
