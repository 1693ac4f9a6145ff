"""transformers: every SchedulerType by its own name; arguments as `get_scheduler` and `lr_scheduler_kwargs` take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat.parts.curves import cosine_wave, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, held, ignored, rate_argument, resumed
from preheat.core.checks import counted, finite_number, int_if_whole, one_of, positive_number
from preheat.core.constructors import decay, hold, invsqrt, ramp, warmup
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("transformers", "5.23.0", "transformers/optimization.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates()
def get_scheduler(
    *,
    name: str,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The scheduler of that name, a SchedulerType: transformers' own door."""
    if name == "get_scheduler":
        raise PreheatError("get_scheduler takes the name of a scheduler", given=name, write="write name='cosine'")
    lengths = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    said = {key: value for key, value in lengths.items() if value is not None}
    return PEER[name](**said, **dict(scheduler_specific_kwargs or {}), base_lr=base_lr, faithful=faithful)


@PEER.restates("get_constant_schedule")
def constant(
    *, num_warmup_steps: int = 0, num_training_steps: int | None = None, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """The optimizer's own rate. A warmup that is asked for is not made."""
    write = "write constant_with_warmup, in lr_scheduler_type too"
    return factors(hold(), base_lr, ignored("num_warmup_steps", num_warmup_steps, 0, "constant has no warmup", write))


@PEER.restates("get_constant_schedule_with_warmup")
def constant_with_warmup(
    *,
    num_warmup_steps: int,
    num_training_steps: int | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then 1."""
    return factors(_warmed(num_warmup_steps) >> hold(), base_lr, resumed(last_epoch))


@PEER.restates("get_linear_schedule_with_warmup")
def linear(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then (T − t)/(T − W)."""
    left = _left(num_warmup_steps, num_training_steps)
    return factors(_warmed(num_warmup_steps) >> decay(left), base_lr, resumed(last_epoch))


@PEER.restates("get_cosine_schedule_with_warmup")
def cosine(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then (1 + cos(2π·c·p))/2 with p = (t − W)/(T − W), which goes on after T: at c = ½ it climbs again."""
    curve, findings = _cosine(num_warmup_steps, num_training_steps, num_cycles, 0.0, faithful)
    return factors(curve, base_lr, [*resumed(last_epoch), *findings])


@PEER.restates("get_cosine_with_hard_restarts_schedule_with_warmup")
def cosine_with_restarts(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: int = 1,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then `num_cycles` times half a cosine, the last cut where a part of one is left; 0 after T."""
    left = max(1, _left(num_warmup_steps, num_training_steps))
    cycles = positive_number(num_cycles, "num_cycles")
    main = short_ramp(1.0, 0.0, left / cycles, "cosine").repeated()
    return factors(_warmed(num_warmup_steps) >> main.truncated(left) >> hold(0.0), base_lr, resumed(last_epoch))


@PEER.restates("get_polynomial_decay_schedule_with_warmup")
def polynomial(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then lr_end + (1 − lr_end)·(1 − p)ᵖᵒʷᵉʳ; lr_end is a rate, as is base_lr, which must be above it."""
    left = _left(num_warmup_steps, num_training_steps)
    if finite_number(lr_end, "lr_end") >= positive_number(base_lr, "base_lr"):
        raise PreheatError(f"lr_end={lr_end!r} must be below the optimizer's rate, base_lr={base_lr!r}")
    main = ramp(1.0, lr_end / base_lr, left, reverse(power_shape(power))) if left else hold(lr_end / base_lr)
    findings = [*resumed(last_epoch), *rate_argument("lr_end", lr_end if lr_end != 1e-7 else 0, base_lr)]
    if num_warmup_steps == num_training_steps:
        what = "transformers divides by zero once, and gives lr_end after that; here lr_end is kept"
        findings.append(Finding("after-the-end", f"update {num_training_steps}", what))
    return factors(_warmed(num_warmup_steps) >> main, base_lr, findings)


@PEER.restates("get_inverse_sqrt_schedule")
def inverse_sqrt(
    *,
    num_warmup_steps: int,
    timescale: int | None = None,
    num_training_steps: int | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then √(τ/(τ + t − W)); τ is W unless given, and 10,000 without a warmup."""
    tau = _updates(timescale or num_warmup_steps or 10_000, "timescale" if timescale else "num_warmup_steps", 1)
    return factors(_warmed(num_warmup_steps) >> invsqrt(tau), base_lr, resumed(last_epoch))


@PEER.restates("reduce_lr_on_plateau", "get_reduce_on_plateau_schedule")
def reduce_lr_on_plateau(
    *,
    num_warmup_steps: int = 0,
    num_training_steps: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
    **kwargs: Any,
) -> Restated:
    """The optimizer's own rate, and what a metric makes of it. A warmup that is asked for is not made."""
    write = "write warmup(W) >> hold() and the rule Plateau(…, after=W)"
    findings = ignored("num_warmup_steps", num_warmup_steps, 0, "reduce_lr_on_plateau has no warmup", write)
    what = "the rate falls when a metric stops improving"
    return factors(hold(), base_lr, [*findings, Finding("metric-driven", "metric", what, "use the rule Plateau")])


@PEER.restates("get_greedy_schedule", "GreedyLR")
def greedy(
    *,
    num_warmup_steps: int = 0,
    num_training_steps: int | None = None,
    min_lr: float = 1e-3,
    max_lr: float = 1.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **kwargs: Any,
) -> Restated:
    """The optimizer's own rate, and what a metric makes of it, up and down. A warmup that is asked for is not made."""
    base = positive_number(base_lr, "base_lr")
    write = "write warmup(W) >> hold() and the rule preheat.session.GreedyLR(…, after=W)"
    findings = ignored("num_warmup_steps", num_warmup_steps, 0, "greedy has no warmup", write)
    bounds = f'GreedyLR("loss", min={min_lr / base:g}, max={max_lr / base:g})'
    data = f'{{"kind": "GreedyLR", "metric": "loss", "min": {min_lr / base:g}, "max": {max_lr / base:g}}}'
    what = "the rate rises while a metric improves and falls while it does not"
    driven = Finding("metric-driven", "metric", what, f"use the rule preheat.session.{bounds}, as data {data}")
    if min_lr > base:
        low = f"min_lr={min_lr!r} is above the optimizer's rate, so that it never falls"
        findings.append(Finding("ignored-argument", "min_lr", low, "give min_lr below the rate"))
    return factors(hold(), base, [*findings, *rate_argument("min_lr", min_lr, base), driven])


@PEER.restates("get_adafactor_schedule", "AdafactorSchedule")
def adafactor(*, initial_lr: float = 0.0, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """Refused: it shows what Adafactor itself does, min(1/√t, 0.01) times the size of each tensor, and moves nothing."""
    raise PreheatError(
        "AdafactorSchedule sets no rate: it shows the one that Adafactor makes of its own steps and of each tensor's size",
        write="write Adafactor(relative_step=False, scale_parameter=False, lr=…) and a schedule",
    )


@PEER.restates("get_cosine_with_min_lr_schedule_with_warmup")
def cosine_with_min_lr(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """As cosine, but from 1 to the floor: r + (1 − r)·(1 + cos(2π·c·p))/2, r = min_lr_rate or min_lr/base_lr."""
    floor = _floor(min_lr, min_lr_rate, base_lr)
    curve, findings = _cosine(num_warmup_steps, num_training_steps, num_cycles, floor, faithful)
    return factors(curve, base_lr, [*resumed(last_epoch), *rate_argument("min_lr", min_lr, base_lr), *findings])


@PEER.restates("get_cosine_with_min_lr_schedule_with_warmup_lr_rate")
def cosine_warmup_with_min_lr(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/W, or from warmup_lr_rate to 1 at W − 1; then the cosine one update early, at its floor at T − 1.

    A warmup of one update with a warmup_lr_rate stays at that rate for the update.
    """
    floor = _floor(min_lr, min_lr_rate, base_lr)
    warm, left = _updates(num_warmup_steps, "num_warmup_steps"), _left(num_warmup_steps, num_training_steps)
    start = 1 / max(1, warm) if warmup_lr_rate is None else finite_number(warmup_lr_rate, "warmup_lr_rate")
    up = hold(start, 1) if warm == 1 else ramp(start, 1.0, warm - 1) >> hold(1.0, 1) if warm else hold(1.0, 0)
    waves = _waves(left, num_cycles, floor, None if faithful else max(1, left))
    curve, after = held(up >> waves.shifted(-1), warm + left, faithful, "it climbs again")
    findings = [*resumed(last_epoch), *rate_argument("min_lr", min_lr, base_lr), *after]
    return factors(curve, base_lr, findings)


@PEER.restates("get_wsd_schedule")
def warmup_stable_decay(
    *,
    num_warmup_steps: int,
    num_decay_steps: int,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From min_lr_ratio up to 1, stable, then down to min_lr_ratio, each by its type: linear, cosine or 1-sqrt."""
    warm = _updates(num_warmup_steps, "num_warmup_steps")
    down = _updates(num_decay_steps, "num_decay_steps")
    if num_training_steps is None and num_stable_steps is None:
        raise PreheatError("warmup_stable_decay needs num_training_steps or num_stable_steps")
    findings = resumed(last_epoch)
    if num_stable_steps is None:
        num_stable_steps = num_training_steps - warm - down  # type: ignore[operator]
    elif num_training_steps is not None:
        findings += ignored("num_training_steps", num_training_steps, None, "num_stable_steps says it already")
    known = ("linear", "cosine", "1-sqrt")
    up = {"linear": "linear", "cosine": "cosine", "1-sqrt": reverse("sqrt")}[one_of(warmup_type, "warmup_type", known)]
    fall = one_of(decay_type, "decay_type", known)
    main = _waves(down, num_cycles, min_lr_ratio, down) if fall == "cosine" else ramp(1.0, min_lr_ratio, down, fall)
    cut = max(0, down + min(0, num_stable_steps))  # where the phases overlap the decay begins in the middle
    main = main.shifted(cut - down).truncated(cut) if num_stable_steps < 0 else main
    curve = ramp(min_lr_ratio, 1.0, warm, up) >> hold(1.0, max(0, num_stable_steps)) >> main >> hold(min_lr_ratio)
    return factors(curve, base_lr, findings)


def _updates(value: Any, name: str, least: int = 0) -> int:
    """A number of updates; 3.0 is taken for 3."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    what, write = f"{name} must be a whole number of updates, at least {least}", f"write {name}=100"
    return counted(whole, what, least, write=write)


def _warmed(num_warmup_steps: int) -> Schedule:
    return warmup(_updates(num_warmup_steps, "num_warmup_steps"))


def _left(num_warmup_steps: int, num_training_steps: int) -> int:
    """Updates after the warmup; 0 where it takes the whole run, or more."""
    total = _updates(num_training_steps, "num_training_steps", 1)
    return max(0, total - _updates(num_warmup_steps, "num_warmup_steps"))


def _floor(min_lr: float | None, min_lr_rate: float | None, base_lr: float) -> float:
    if (min_lr is None) == (min_lr_rate is None):
        raise PreheatError("one of min_lr and min_lr_rate is needed", write="write min_lr_rate=0.1")
    if min_lr is not None:
        return finite_number(min_lr, "min_lr") / base_lr
    return finite_number(min_lr_rate, "min_lr_rate")


def _waves(left: int, num_cycles: float, floor: float, until: int | None) -> Schedule:
    """2·num_cycles half waves in `left` updates, and on to `until`; where none is left, as many in one update."""
    cycles = finite_number(num_cycles, "num_cycles")
    if cycles <= 0:
        raise PreheatError("num_cycles must be above 0", given=num_cycles, write="leave it out for half a wave")
    half = int_if_whole(max(1, left) / (2 * cycles))
    return cosine_wave(half, floor, until)


def _cosine(
    num_warmup_steps: int, num_training_steps: int, num_cycles: float, floor: float, faithful: bool
) -> tuple[Schedule, list[Finding]]:
    left = _left(num_warmup_steps, num_training_steps)
    waves = _waves(left, num_cycles, floor, None if faithful else left)
    curve = _warmed(num_warmup_steps) >> waves
    return held(curve, num_warmup_steps + left, faithful, "it climbs back to the full rate")
