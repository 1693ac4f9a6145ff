"""timm.scheduler: every scheduler by its own name, and all by `sched`, as timm's train.py and create_scheduler_v2 take it.

A t of timm's is whatever its caller counts, epochs or updates; so it is here. Noise comes from torch's generator, which is not
computed here: a curve with noise is the curve without, and a finding says how far off.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from preheat.compat.parts.curves import falling_power, powers, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, cut, factors, rate_argument
from preheat.core.checks import (
    Number,
    counted,
    finite_number,
    int_if_whole,
    one_of,
    positive_number,
    ticks,
)
from preheat.core.constructors import hold, invsqrt, table
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, listed
from preheat.core.nodes.pointwise import Upper
from preheat.core.nodes.sequence import sequence
from preheat.core.shapes import Shape, compose
from preheat.core.shapes import power as power_shape

_MOST = 100_000  # values of a table, before it is refused for its length
PEER = Peer("timm", "1.0.31", "timm/scheduler/")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("CosineLRScheduler", "cosine")
def cosine_lr_scheduler(
    *,
    t_initial: Number,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    k_decay: float = 1.0,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr_min + (b·gⁱ − lr_min)(1 + cos(π·(t/T)ᵏ))/2 in cycle i, T its length; lr_min after cycle_limit of them.

    Without warmup_prefix the warmup covers the curve's beginning, so that the peak is not reached.
    """
    shape = "cosine" if k_decay == 1 else compose("cosine", power_shape(k_decay))
    main = _cycles(shape, t_initial, lr_min, (cycle_mul, cycle_decay, cycle_limit), base_lr)
    warm = _Warmup(warmup_t, warmup_lr_init, warmup_prefix, base_lr)
    findings = [*_minimum(lr_min, base_lr), *_noise(noise_range_t, noise_pct, noise_std)]
    findings += _shrinking(t_initial, cycle_mul, warmup_t if warmup_prefix else 0)
    return factors(warm.then(main), base_lr, [*findings, *warm.findings(main)])


@PEER.restates("TanhLRScheduler", "tanh")
def tanh_lr_scheduler(
    *,
    t_initial: Number,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr_min + (b·gⁱ − lr_min)(1 − tanh(lb·(1 − u) + ub·u))/2 in cycle i: a table, which no word of the language gives.

    Without warmup_prefix the warmup ends on the curve, whose beginning it covers.
    """
    low, high = finite_number(lb, "lb"), finite_number(ub, "ub")
    if low >= high:
        raise PreheatError("lb must be below ub", given=(lb, ub))
    floor = finite_number(lr_min, "lr_min") / positive_number(base_lr, "base_lr")
    cycles = _Cycles(positive_number(t_initial, "t_initial"), cycle_mul, cycle_decay, cycle_limit)

    def value(t: float) -> float:
        gain, u = cycles.at(t)
        return floor + (gain - floor) * (1 - math.tanh(low * (1 - u) + high * u)) / 2 if gain is not None else floor

    warm = _Warmup(warmup_t, warmup_lr_init, warmup_prefix, base_lr, None if warmup_prefix else value(warmup_t))
    first = math.ceil(warm.length)  # the first whole t of the curve, which need not begin with a whole one
    behind = warm.length if warmup_prefix else 0
    values = [value(t - behind) for t in range(first, first + max(1, cycles.whole(_MOST)) + 1)]
    up = short_ramp(warm.start / base_lr, warm.end, warm.length)
    up = up >> Hold(warm.end, first - warm.length) if first > warm.length else up
    curve = up >> table(values) if first else table([1.0, *values[1:]])
    findings = [*_minimum(lr_min, base_lr), *_noise(noise_range_t, noise_pct, noise_std)]
    return factors(curve, base_lr, [*findings, *_shrinking(t_initial, cycle_mul, warmup_t if warmup_prefix else 0)])


@PEER.restates("PolyLRScheduler", "poly")
def poly_lr_scheduler(
    *,
    t_initial: Number,
    power: float = 0.5,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    k_decay: float = 1.0,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr_min + (b·gⁱ − lr_min)(1 − (t/T)ᵏ)ᵖ in cycle i, T its length; lr_min after cycle_limit of them."""
    shape = falling_power(positive_number(power, "power"))
    if k_decay != 1:
        shape = compose(shape, power_shape(k_decay))
    main = _cycles(shape, t_initial, lr_min, (cycle_mul, cycle_decay, cycle_limit), base_lr)
    warm = _Warmup(warmup_t, warmup_lr_init, warmup_prefix, base_lr)
    findings = [*_minimum(lr_min, base_lr), *_noise(noise_range_t, noise_pct, noise_std)]
    findings += _shrinking(t_initial, cycle_mul, warmup_t if warmup_prefix else 0)
    return factors(warm.then(main), base_lr, [*findings, *warm.findings(main)])


@PEER.restates("StepLRScheduler", "step")
def step_lr_scheduler(
    *,
    decay_t: float,
    decay_rate: float = 1.0,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """decay_rateᵏ, k the number of times that decay_t has passed."""
    main = powers(_rate(decay_rate), int_if_whole(positive_number(decay_t, "decay_t")))
    warm = _Warmup(warmup_t, warmup_lr_init, warmup_prefix, base_lr)
    findings = [*_noise(noise_range_t, noise_pct, noise_std), *warm.findings(main), *cut(main)]
    return factors(warm.then(main), base_lr, findings)


@PEER.restates("MultiStepLRScheduler", "multistep")
def multi_step_lr_scheduler(
    *,
    decay_t: Any,
    decay_rate: float = 1.0,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """decay_rateᵏ, k the number of milestones up to t + 1: each acts one t early."""
    early = [finite_number(one, "a milestone") - 1 for one in listed(decay_t, "decay_t")]
    if early != sorted(early):
        raise PreheatError("decay_t must rise: timm looks for t in it by halving", given=decay_t)
    edges = [0, *sorted({int_if_whole(one) for one in early if one > 0})]
    values = [_rate(decay_rate) ** sum(one <= edge for one in early) for edge in edges]
    lengths = [*(b - a for a, b in pairwise(edges)), "rest"]
    main = sequence([Hold(value, length) for value, length in zip(values, lengths, strict=True)])
    warm = _Warmup(warmup_t, warmup_lr_init, warmup_prefix, base_lr)
    return factors(warm.then(main), base_lr, [*_noise(noise_range_t, noise_pct, noise_std), *warm.findings(main)])


@PEER.restates("WSDLRScheduler", "wsd")
def wsd_lr_scheduler(
    *,
    t_initial: Number,
    decay_t: Number,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Stable (1, or (1 + t/τ)⁻ᵖ, never below lr_min), and over the last decay_t down to lr_min by decay_fn."""
    total, down = positive_number(t_initial, "t_initial"), positive_number(decay_t, "decay_t")
    if down > total:
        raise PreheatError("decay_t must be at most t_initial", given=(decay_t, t_initial))
    floor = finite_number(lr_min, "lr_min") / positive_number(base_lr, "base_lr")
    one_of(stable_fn, "stable_fn", ("constant", "rsqrt", "power"))
    warm, how = _Warmup(warmup_t, warmup_lr_init, True, base_lr), (decay_power, decay_ratio)
    before, down = int_if_whole(total - down), int_if_whole(down)
    if stable_fn == "constant":
        main = _after(before, *_cooldown(decay_fn, down, how, max(1.0, floor), floor))
    else:
        tau = positive_number(stable_timescale or warmup_t, "stable_timescale, or else warmup_t,")
        stable = invsqrt(tau, power=0.5 if stable_fn == "rsqrt" else stable_power)
        factor = _after(before, *_cooldown(decay_fn, down, how, 1.0, 0.0))
        main = hold(floor) + (Upper((stable, hold(floor))) + hold(-floor)) * factor if floor else stable * factor
    findings = [*_minimum(lr_min, base_lr), *_noise(noise_range_t, noise_pct, noise_std)]
    return factors(warm.then(main), base_lr, findings)


@PEER.restates("PlateauLRScheduler", "plateau")
def plateau_lr_scheduler(
    *,
    decay_rate: float = 0.1,
    patience_t: int = 10,
    threshold: float = 1e-4,
    cooldown_t: int = 0,
    warmup_t: Number = 0,
    warmup_lr_init: float = 0.0,
    lr_min: float = 0.0,
    mode: str = "max",
    noise_range_t: Any = None,
    noise_type: str = "normal",
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int | None = None,
    initialize: bool = True,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The warmup, which in timm ends one step after it is full, and what a metric makes of the rate: a rule, no schedule."""
    warm = _Warmup(warmup_t, warmup_lr_init, True, base_lr)
    write = f"use rules=[Plateau(metric, factor={decay_rate!r}, patience={patience_t!r}, after={warmup_t!r})]"
    what = "the rate falls when a metric stops improving, and timm saves none of that in a checkpoint"
    findings = [Finding("metric-driven", "metric", what, write), *_noise(noise_range_t, noise_pct, noise_std)]
    return factors(warm.then(hold()), base_lr, findings)


@PEER.restates("create_scheduler_v2", "create_scheduler")
def create_scheduler_v2(
    *,
    sched: str = "cosine",
    num_epochs: Number = 300,
    decay_epochs: float | None = None,
    decay_milestones: Any = (90, 180, 270),
    cooldown_epochs: Number = 0,
    patience_epochs: int = 10,
    decay_rate: float = 0.1,
    min_lr: float = 0.0,
    warmup_lr: float = 1e-5,
    warmup_epochs: Number = 0,
    warmup_prefix: bool = False,
    noise: Any = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    cycle_mul: float = 1.0,
    cycle_decay: float = 0.1,
    cycle_limit: int = 1,
    k_decay: float = 1.0,
    decay_fn: str | None = None,
    stable_timescale: float | None = None,
    plateau_mode: str = "max",
    step_on_epochs: bool = True,
    updates_per_epoch: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The scheduler that timm makes for `sched`; its t are epochs, or updates where step_on_epochs is False.

    decay_rate is the power of "poly"; a decay_epochs below 1 is a share of what "wsd" and "rsqrt" have left.
    """
    return _created(**locals())


SCHEDS = ("cosine", "tanh", "poly", "step", "constant", "multistep", "plateau", "wsd", "rsqrt", "none")


def _created(*, sched: str, step_on_epochs: bool, updates_per_epoch: int, base_lr: float, **given: Any) -> Restated:
    """The arguments of create_scheduler_v2 as those of the scheduler that it makes."""
    each = 1 if step_on_epochs else counted(updates_per_epoch, "updates_per_epoch is needed, at least 1", least=1)
    length, warm = given["num_epochs"] * each, given["warmup_epochs"] * each
    common = {key: given[key] for key in ("noise_pct", "noise_std", "noise_seed", "faithful")}
    common |= {"noise_range_t": _spread(given["noise"], length), "warmup_t": warm, "warmup_lr_init": given["warmup_lr"]}
    common |= {"base_lr": base_lr}
    stairs = common | {"warmup_prefix": given["warmup_prefix"]}
    curves = stairs | {key: given[key] for key in ("cycle_mul", "cycle_decay", "cycle_limit")}
    curves |= {"t_initial": length, "lr_min": given["min_lr"]}
    rate = given["decay_rate"]
    match sched:
        case "cosine":
            return cosine_lr_scheduler(**curves, k_decay=given["k_decay"])
        case "tanh":
            return tanh_lr_scheduler(**curves)
        case "poly":
            return poly_lr_scheduler(**curves, power=rate, k_decay=given["k_decay"])
        case "step":
            decay = 90 if given["decay_epochs"] is None else given["decay_epochs"]
            return step_lr_scheduler(**stairs, decay_t=decay * each, decay_rate=rate)
        case "constant":
            return step_lr_scheduler(**stairs, decay_t=1)
        case "multistep":
            return multi_step_lr_scheduler(
                **stairs, decay_t=[m * each for m in given["decay_milestones"]], decay_rate=rate
            )
        case "plateau":
            how = {"patience_t": given["patience_epochs"], "lr_min": given["min_lr"], "mode": given["plateau_mode"]}
            return plateau_lr_scheduler(**common, **how, decay_rate=rate)
        case "wsd" | "rsqrt":
            return wsd_lr_scheduler(**common, **_wsd(sched, each, given))
        case "none":
            return factors(hold(), base_lr)
    raise PreheatError(f"timm has no sched {sched!r}", write=f"write one of {', '.join(SCHEDS)}")


def _wsd(sched: str, each: int, given: Any) -> dict[str, Any]:
    """What create_scheduler_v2 makes of its arguments for "wsd" and "rsqrt": the warmup is always before it, within the run."""
    left = (given["num_epochs"] - (0 if given["warmup_prefix"] else given["warmup_epochs"])) * each
    decay = 0.2 if given["decay_epochs"] is None else given["decay_epochs"]
    scale = given["stable_timescale"]
    return {
        "t_initial": left,
        "decay_t": round(decay * left if 0 < decay < 1 else decay * each),
        "lr_min": given["min_lr"],
        "stable_fn": "rsqrt" if sched == "rsqrt" else "constant",
        "stable_timescale": None if scale is None else scale * each,
        "decay_fn": given["decay_fn"] or ("linear" if sched == "rsqrt" else "1-sqrt"),
    }


# -- what several of them ask ---------------------------------------------------------------------------------------------


class _Warmup:
    """From one rate linearly to the base, or to what is to be reached, in so many t; then the curve, shifted or not."""

    def __init__(self, length: Number, start: float, prefix: bool, base: float, reaching: float | None = None) -> None:
        self.length, self.prefix = ticks(length, "warmup_t"), prefix
        if self.length < 0:
            raise PreheatError("warmup_t must be at least 0", given=length)
        self.start = finite_number(start, "warmup_lr_init")
        self.base, self.end = positive_number(base, "base_lr"), 1.0 if reaching is None else reaching

    def then(self, main: Schedule) -> Schedule:
        if not self.length:  # the first t is never asked for: it has the optimizer's own rate
            return main if main(0) == 1 else Hold(1.0, 1) >> main.shifted(-1)
        main = main if self.prefix else main.shifted(-self.length)
        return short_ramp(self.start / self.base, self.end, self.length) >> main

    def findings(self, main: Schedule) -> list[Finding]:
        """Where the warmup ends elsewhere than the curve begins, and whether its start is a rate of an unknown base."""
        found = rate_argument("warmup_lr_init", self.start if self.length else 0, self.base)
        if self.length and not self.prefix and abs(main(self.length) - self.end) > 1e-9:
            on = main(self.length)
            what = (
                f"the warmup covers the curve's beginning: it reaches for {self.end:g}, the curve goes on at {on:.6g}"
            )
            found.append(Finding("jump", f"t = {self.length:g}", what, "write warmup_prefix=True"))
        return found


class _Cycles:
    """Cycles one after another: which of them, and how much of it has passed."""

    def __init__(self, length: float, mul: float, gain: float, limit: int) -> None:
        counts = range(counted(limit, "cycle_limit is a number of cycles"))
        self.lengths = [length * positive_number(mul, "cycle_mul") ** i for i in counts]
        self.gain = finite_number(gain, "cycle_decay")

    def at(self, t: float) -> tuple[float | None, float]:
        """The peak of the cycle that t falls into, None after the last, and the share of it that has passed."""
        begin = 0.0
        for i, length in enumerate(self.lengths):
            if t < begin + length:
                return self.gain**i, (t - begin) / length
            begin += length
        return None, 1.0

    def whole(self, most: int) -> int:
        """How many whole t they take, at most so many."""
        return min(most, math.ceil(sum(self.lengths)))


def _cycles(
    shape: Shape | str, t_initial: Number, lr_min: float, cycles: tuple[float, float, int], base: float
) -> Schedule:
    """Cycles from b·gⁱ down to the minimum, each `mul` times as long as the one before; the minimum after the last."""
    (mul, gain, limit), first = cycles, int_if_whole(positive_number(t_initial, "t_initial"))
    floor, longer = (
        finite_number(lr_min, "lr_min") / positive_number(base, "base_lr"),
        positive_number(mul, "cycle_mul"),
    )
    if floor < 0:
        raise PreheatError("lr_min must be at least 0", given=lr_min)
    times, shrink = counted(limit, "cycle_limit is a number of cycles"), finite_number(gain, "cycle_decay")
    if not times:
        return hold(floor)
    if times == 1:
        return short_ramp(1.0, floor, first, shape)
    if shrink == 1 or not floor:
        return short_ramp(1.0, floor, first, shape).repeated(times, longer, shrink)
    falling = short_ramp(1.0, 0.0, first, shape)  # lr_min + (b·gⁱ − lr_min)·w is a sum of two that repeat
    rising = short_ramp(0.0, floor, first, shape)
    return falling.repeated(times, longer, shrink) + rising.repeated(times, longer)


def _cooldown(
    decay_fn: Any, down: Number, how: tuple[float, float], top: float, floor: float
) -> tuple[float, Schedule]:
    """Where it begins, and from there to the floor, by a decay_fn of WSDLRScheduler."""
    exponent, ratio = how
    if callable(decay_fn):
        write = "name one: 'linear', '1-sqrt', 'cosine', 'power', 'exp'"
        raise PreheatError("what a decay_fn computes cannot be read", write=write)
    name = one_of(decay_fn, "decay_fn", ("linear", "1-sqrt", "cosine", "power", "exp"))
    if name == "exp":
        share = finite_number(ratio, "decay_ratio")
        if not 0 < share < 1:
            raise PreheatError("decay_ratio must lie between 0 and 1", given=ratio)
        gain = (top - floor) / (1 - share)  # top → floor along top·shareᵘ: normalised, so that it arrives
        low = floor - gain * share
        fall = short_ramp(gain, gain * share, down, "exponential") if gain else short_ramp(0.0, 0.0, down)
        return top, fall + hold(low) if low else fall
    shape = power_shape(positive_number(exponent, "decay_power")) if name == "power" else name
    return top, short_ramp(top, floor, down, shape)


def _after(before: Number, top: float, fall: Schedule) -> Schedule:
    return Hold(top, before) >> fall if before else fall


def _rate(decay_rate: float) -> float:
    found = finite_number(decay_rate, "decay_rate")
    if found < 0:
        raise PreheatError("a negative decay_rate would make negative rates", given=decay_rate)
    return found


def _minimum(lr_min: float, base: float) -> list[Finding]:
    return rate_argument("lr_min", lr_min, base)


def _spread(noise: Any, length: Number) -> Any:
    """The range of t with noise, from shares of the length."""
    if noise is None or not isinstance(noise, list | tuple):
        return None if noise is None else noise * length
    found = [one * length for one in noise]
    return found[0] if len(found) == 1 else found


def _noise(noise_range: Any, pct: float, std: float) -> list[Finding]:
    """A finding where noise is asked for: its numbers are torch's."""
    if noise_range is None:
        return []
    where = (
        "from t = {} to {}".format(*noise_range)
        if isinstance(noise_range, list | tuple)
        else f"from t = {noise_range} on"
    )
    noise = f"1 + normal(0, {std:g}), up to ±{pct:.0%}, of torch's generator"
    what = f"{where} timm multiplies the rate by {noise}; here there is none"
    return [Finding("not-equal", "noise_range_t", what, "read the values: recognised(scheduler, total)")]


def _shrinking(t_initial: Number, cycle_mul: float, behind: Number) -> list[Finding]:
    """A finding where ever shorter cycles are over: timm takes the logarithm of a number below 0 there."""
    if not 0 < cycle_mul < 1:
        return []
    last = math.ceil(t_initial / (1 - cycle_mul)) + math.ceil(behind)
    return [
        Finding(
            "raises-after-the-end",
            f"update {last}",
            "timm raises ValueError from there on; here the last value is kept",
        )
    ]
