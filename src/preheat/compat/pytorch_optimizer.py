"""pytorch_optimizer: its own schedulers; those that it passes on from torch are in `preheat.compat.torch`.

Most of them set min_lr when they are built and are stepped after the optimizer, so that update 0 runs at min_lr and update t at
their value t − 1.
"""

from __future__ import annotations

import math
from typing import Any

from preheat.compat.parts.curves import cosine_wave, joined, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, around, curve_of, factors, held, rates, resumed
from preheat.core.checks import counted, finite_number, one_of, positive_number
from preheat.core.constructors import hold, ramp, table, warmup
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power
from preheat.core.stated import Absolute

PEER = Peer("pytorch_optimizer", "4.1.0", "pytorch_optimizer/lr_scheduler/__init__.py")
RUNS = 1000  # of what goes on in a line for ever, so many runs are followed
FARTHEST = 10**8  # updates, up to which cycles of uneven lengths are laid out


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("LinearScheduler")
def linear(
    *,
    t_max: int,
    max_lr: float,
    min_lr: float = 0.0,
    init_lr: float = 0.0,
    warmup_steps: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min_lr once, then from init_lr to max_lr in W updates, and in a line towards min_lr, and below it after t_max."""
    peak, floor, left = _rate(max_lr, "max_lr"), _rate(min_lr, "min_lr"), _left(t_max, warmup_steps)
    down = short_ramp(peak, floor, left)
    if faithful:
        down = short_ramp(peak, peak + (floor - peak) * RUNS, left * RUNS)
    curve = _after_one(floor, _up(init_lr, peak, warmup_steps), down)
    found = (
        [] if faithful else [Finding("after-the-end", f"update {t_max + 1}", "it falls on, below min_lr and below 0")]
    )
    return rates(curve, base_lr, found)


@PEER.restates("CosineScheduler")
def cosine(
    *,
    t_max: int,
    max_lr: float,
    min_lr: float = 0.0,
    init_lr: float = 0.0,
    warmup_steps: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min_lr once, then from init_lr to max_lr in W updates, and along a cosine to min_lr at t_max, and up again after it."""
    peak, floor, left = _rate(max_lr, "max_lr"), _rate(min_lr, "min_lr"), _left(t_max, warmup_steps)
    wave = cosine_wave(left, until=None if faithful else left).scaled(peak - floor) + hold(floor)
    curve = _after_one(floor, _up(init_lr, peak, warmup_steps), wave)
    return rates(*_cut(curve, t_max + 1, base_lr, faithful))


@PEER.restates("PolyScheduler")
def poly(
    *,
    poly_order: float = 0.5,
    t_max: int,
    max_lr: float,
    min_lr: float = 0.0,
    init_lr: float = 0.0,
    warmup_steps: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min_lr once, from init_lr to max_lr in W updates, then min + (max − min)·sᵖ, s the updates since: it grows."""
    peak, floor, left = _rate(max_lr, "max_lr"), _rate(min_lr, "min_lr"), _left(t_max, warmup_steps)
    order, until = positive_number(poly_order, "poly_order"), left * (RUNS if faithful else 1)
    growing = ramp(floor, floor + (peak - floor) * float(until) ** order, until, power(order))
    curve = _after_one(floor, _up(init_lr, peak, warmup_steps), hold(peak, 1) >> growing.shifted(-1))
    reached = floor + (peak - floor) * float(max(1, left - 1)) ** order
    what = f"after the warmup the rate grows, to {reached:g} in this run: the library does not divide by its length"
    found = [Finding("not-carried", "poly_order", what, "write polynomial decay as decay(shape=reverse(power(p)))")]
    return rates(curve, base_lr, found)


@PEER.restates("REXScheduler")
def rex(
    *, total_steps: int, max_lr: float = 1.0, min_lr: float = 0.0, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """min_lr once, and from then on the reflected exponential, from its second value: max_lr is never used."""
    total = counted(total_steps, "total_steps is a number of updates", least=1)
    peak, floor = _rate(max_lr, "max_lr"), _rate(min_lr, "min_lr")
    return rates(joined([hold(floor, 1), ramp(peak, floor, total, "rex").shifted(-1)]), base_lr)


@PEER.restates("CosineAnnealingWarmupRestarts", "cosine_annealing_with_warmup")
def cosine_annealing_warmup_restarts(
    *,
    first_cycle_steps: int,
    cycle_mult: float = 1.0,
    max_lr: float = 1e-4,
    min_lr: float = 1e-6,
    warmup_steps: int = 0,
    gamma: float = 0.9,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Cycles from min_lr up to max_lr·γᵏ in W updates, then along a cosine down to min_lr; the cosines grow by cycle_mult."""
    warm = counted(warmup_steps, "warmup_steps is a number of updates")
    size = counted(first_cycle_steps, "first_cycle_steps must be above warmup_steps", least=warm + 1)
    peak, floor, falls = _rate(max_lr, "max_lr"), _rate(min_lr, "min_lr"), finite_number(gamma, "gamma")
    parts, total = list[Schedule](), 0
    while total < FARTHEST:
        following = max(1, int((size - warm) * finite_number(cycle_mult, "cycle_mult"))) + warm
        if following == size:
            parts.append(_alike(warm, size - warm, (peak, floor, falls)))
            break
        parts.append(joined([short_ramp(floor, peak, warm), short_ramp(peak, floor, size - warm, "cosine")]))
        total, size, peak = total + size, following, peak * falls
    curve = joined(parts)
    findings = resumed(last_epoch)
    if curve.length == total:
        findings += [Finding("no-end", f"update {total}", "the cycles go on; here the last value is kept")]
    # the first value is overwritten by min_lr, which differs where there is no warmup
    return rates(curve if warm else joined([hold(floor, 1), curve.shifted(-1)]), base_lr, findings)


@PEER.restates("ProportionScheduler")
def proportion(
    *,
    lr_scheduler: Any,
    max_lr: float,
    min_lr: float = 0.0,
    max_value: float = 2.0,
    min_value: float = 2.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The inner scheduler, and rho (of SAM) beside it, between min_value and max_value as the rate is between min and max."""
    inner = around([lr_scheduler], lambda curve: curve, base_lr)
    low, high = finite_number(min_lr, "min_lr"), finite_number(max_lr, "max_lr")
    first, last = finite_number(min_value, "min_value"), finite_number(max_value, "max_value")
    slope = (last - first) / (high - low) if high > low else 0.0
    rate = curve_of(inner)
    value = rate.scaled(slope) + hold(first - slope * low) if slope else hold(last)
    return Restated(inner.schedule, {"rho": Absolute(value)}, inner.findings, inner.base_lr)


@PEER.restates("get_chebyshev_schedule")
def chebyshev(
    *, num_epochs: int, is_warmup: bool = False, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """The steps of Chebyshev's polynomial in their stable order, up to 20 times the base: a table, since they are permuted."""
    count = counted(num_epochs, "num_epochs is a number of updates", least=1)
    if is_warmup:
        return factors(hold(), base_lr, resumed(last_epoch))
    size = 2 ** (int(math.log2(count - 1)) + 1) if count > 1 else 1
    angles = [(place + 0.5) * math.pi / size for place in range(size)]
    steps = [1.0 / (0.525 - 0.475 * math.cos(angle)) for angle in angles]
    order = [0]
    while len(order) < size - 2:
        order = [one for place in order for one in (place, 2 * len(order) - 1 - place)]
    kept = [steps[place] for place in order if place < size]
    return factors(table([kept[0], kept[0], *kept]), base_lr, resumed(last_epoch))


@PEER.restates("get_wsd_schedule")
def warmup_stable_decay(
    *,
    num_warmup_steps: int,
    num_stable_steps: int,
    num_decay_steps: int,
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
    cooldown_type: str = "1-sqrt",
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Up from 0, stable, then down by its type: a cosine to min_lr_ratio, the others to 0; after it min_lr_ratio."""
    shapes = {"cosine": "cosine", "1-sqrt": "sqrt", "1-square": "square", "linear": "linear"}
    shape = shapes[one_of(cooldown_type, "cooldown_type", shapes)]
    warm, stable = counted(num_warmup_steps, "num_warmup_steps"), counted(num_stable_steps, "num_stable_steps")
    down, floor = counted(num_decay_steps, "num_decay_steps"), finite_number(min_lr_ratio, "min_lr_ratio")
    main = ramp(1.0, 0.0, down, shape)
    if shape == "cosine" and down:
        main = cosine_wave(down / (2 * positive_number(num_cycles, "num_cycles")), floor, down)
    findings = resumed(last_epoch)
    if floor and shape != "cosine":
        what = f"a decay by {cooldown_type} goes to 0 all the same, and jumps up to {floor!r} after its end"
        findings.append(Finding("ignored-argument", "min_lr_ratio", what, "write cooldown_type='cosine'"))
    return factors(joined([warmup(warm), hold(1.0, stable), main, hold(floor)]), base_lr, findings)


def _after_one(first: float, up: Schedule, down: Schedule) -> Schedule:
    """One update at the value that is set at the start, and then the rest."""
    return joined([hold(first, 1), up, down])


def _up(init_lr: float, peak: float, warmup_steps: int) -> Schedule:
    return short_ramp(_rate(init_lr, "init_lr"), peak, counted(warmup_steps, "warmup_steps is a number of updates"))


def _left(t_max: int, warmup_steps: int) -> int:
    total, warm = counted(t_max, "t_max is a number of updates", least=1), counted(warmup_steps, "warmup_steps")
    if warm >= total:
        raise PreheatError(
            f"the warmup of {warm} takes the whole run of t_max={total}", write="write fewer warmup_steps"
        )
    return total - warm


def _rate(value: float, what: str) -> float:
    rate = finite_number(value, what)
    if rate < 0:
        raise PreheatError(f"{what} is at least 0", given=value)
    return rate


def _cut(curve: Schedule, total: int, base_lr: float, faithful: bool) -> tuple[Schedule, float, list[Finding]]:
    kept, findings = held(curve, total, faithful, "it climbs back to max_lr")
    return kept, base_lr, findings


def _alike(warm: int, fall: int, values: tuple[float, float, float]) -> Schedule:
    """Cycles of one length without end, whose peaks fall by γ and whose floor does not."""
    peak, floor, gamma = values
    if gamma == 1:
        return joined([short_ramp(floor, peak, warm), short_ramp(peak, floor, fall, "cosine")]).repeated()
    height = joined([short_ramp(0.0, 1.0, warm), short_ramp(1.0, 0.0, fall, "cosine")])
    rest = joined([short_ramp(1.0, 0.0, warm), short_ramp(0.0, 1.0, fall, "cosine")])
    times = None if abs(gamma) <= 1 else max(1, math.ceil(math.log(1e38) / math.log(abs(gamma))))
    return height.repeated(times, shrink=gamma).scaled(peak) + rest.repeated().scaled(floor)
