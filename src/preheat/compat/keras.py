"""Keras: every schedule of `keras.optimizers.schedules`; rates, in single precision.

Keras takes the type of its numbers from the initial rate: with a whole number as `initial_learning_rate` all others, π too, are
cut to whole numbers. That is restated, with a finding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from preheat.compat.parts.curves import doublings, geometric, joined, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored, rates
from preheat.core.checks import Number, finite_number, int_if_whole, positive_number, whole_number
from preheat.core.constructors import hold, invsqrt
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import InvSqrt
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("keras", "3.15.1", "keras/src/optimizers/schedules/learning_rate_schedule.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("ExponentialDecay")
def exponential_decay(
    *,
    initial_learning_rate: float,
    decay_steps: int,
    decay_rate: float,
    staircase: bool = False,
    name: str = "ExponentialDecay",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init·rate^(t/N), or of whole t/N."""
    first, cut, findings = _numbers(initial_learning_rate)
    rate, steps = cut(decay_rate, "decay_rate"), _steps(decay_steps, cut)
    if rate < 0:
        raise PreheatError("ExponentialDecay gives NaN with a decay_rate below 0", given=decay_rate)
    if not rate:  # 0⁰ is 1
        return rates(hold(first, steps if staircase else 1) >> hold(0.0), base_lr, findings)
    times = doublings(first, rate) if rate > 1 and first else None
    if times:
        what = "it grows without end, and single precision ends; here the last value is kept"
        findings.append(Finding("no-end", f"update {times * steps}", what))
    return rates(geometric(first, rate, steps, staircase=staircase, times=times), base_lr, findings)


@PEER.restates("PiecewiseConstantDecay")
def piecewise_constant_decay(
    *,
    boundaries: Sequence[float],
    values: Sequence[float],
    name: str = "PiecewiseConstant",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """values[i] up to and with boundaries[i]: the next value is first used by the update after the boundary."""
    if len(boundaries) != len(values) - 1 or not boundaries:
        what = f"PiecewiseConstantDecay takes one value more than boundaries, not {len(values)} and {len(boundaries)}"
        raise PreheatError(what, write="give one boundary at least")
    after = [max(0, int(finite_number(one, "a boundary")) + 1) for one in boundaries]
    if list(boundaries) != sorted(boundaries):
        raise PreheatError("the boundaries of PiecewiseConstantDecay rise", given=list(boundaries))
    spans = [until - since for since, until in zip([0, *after], after, strict=False)]
    levels = [finite_number(one, "a value") for one in values]
    parts = [hold(level, span) for level, span in zip(levels, spans, strict=False)]
    return rates(joined([*parts, hold(levels[-1])]), base_lr)


@PEER.restates("PolynomialDecay")
def polynomial_decay(
    *,
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
    name: str = "PolynomialDecay",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(init − end)·(1 − t/N)ᵖᵒʷᵉʳ + end; with cycle N grows to the next multiple, so that it jumps up after each."""
    first, cut, findings = _numbers(initial_learning_rate)
    end, exponent, steps = cut(end_learning_rate, "end_learning_rate"), cut(power, "power"), _steps(decay_steps, cut)
    if exponent < 0:
        raise PreheatError("PolynomialDecay is infinite at its end with a power below 0", given=power)
    if not exponent:
        return rates(hold(first), base_lr, findings)
    shape = reverse(power_shape(exponent))
    if not cycle:
        return rates(short_ramp(first, end, steps, shape), base_lr, findings)
    whole = whole_number(int_if_whole(steps), "with cycle=True decay_steps", 1)
    # in repetition k, of 1 − t/(kN) there is left a k-th of what the first has, and its end still belongs to it
    down = joined([short_ramp(1.0, 0.0, whole, shape).shifted(-1), hold(0.0, 1)]).repeated()
    lower = InvSqrt(whole, "rest", exponent).stepwise(whole)
    curve = hold(1.0, 1) >> (down * lower)
    return rates(curve.scaled(first - end) + hold(end), base_lr, findings)


@PEER.restates("InverseTimeDecay")
def inverse_time_decay(
    *,
    initial_learning_rate: float,
    decay_steps: int,
    decay_rate: float,
    staircase: bool = False,
    name: str = "InverseTimeDecay",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init/(1 + rate·t/N), or of whole t/N."""
    first, cut, findings = _numbers(initial_learning_rate)
    rate, steps = cut(decay_rate, "decay_rate"), _steps(decay_steps, cut)
    if rate < 0:
        raise PreheatError("InverseTimeDecay divides by zero on its way with a decay_rate below 0", given=decay_rate)
    if not rate:
        return rates(hold(first), base_lr, findings)
    curve = invsqrt(int_if_whole(steps / rate), power=1.0)
    return rates((curve.stepwise(steps) if staircase else curve).scaled(first), base_lr, findings)


@PEER.restates("CosineDecay")
def cosine_decay(
    *,
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    name: str = "CosineDecay",
    warmup_target: float | None = None,
    warmup_steps: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From initial to warmup_target in W updates, then the cosine over decay_steps more, down to α times where it began."""
    first, cut, findings = _numbers(initial_learning_rate)
    steps, floor = _steps(decay_steps, cut), finite_number(alpha, "alpha")
    if warmup_target is None:
        why, write = "Keras makes no warmup without a warmup_target", "give warmup_target, the rate at the peak"
        findings += ignored("warmup_steps", warmup_steps, 0, why, write)
        return rates(_cosine(first, first * floor, steps, cut), base_lr, findings)
    peak, warm = cut(warmup_target, "warmup_target"), cut(warmup_steps, "warmup_steps")
    if warm < 0:
        raise PreheatError("warmup_steps is at least 0", given=warmup_steps)
    up = [short_ramp(first, peak, int_if_whole(warm))] if warm else []
    return rates(joined([*up, _cosine(peak, peak * floor, steps, cut)]), base_lr, findings)


@PEER.restates("CosineDecayRestarts")
def cosine_decay_restarts(
    *,
    initial_learning_rate: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
    name: str = "SGDRDecay",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Cosines from init·m_mulᵏ, each t_mul times as long as the last, above a floor of α·init that stays."""
    first, cut, findings = _numbers(initial_learning_rate)
    steps, floor = _steps(first_decay_steps, cut, "first_decay_steps"), cut(alpha, "alpha")
    longer, higher = cut(t_mul, "t_mul"), cut(m_mul, "m_mul")
    if longer < 1 or higher < 0:
        what = "CosineDecayRestarts gives NaN after its last cycle with t_mul below 1, and with m_mul below 0"
        raise PreheatError(what, given=(t_mul, m_mul), write="give t_mul of at least 1 and m_mul of at least 0")
    times = doublings(1.0, higher) if higher > 1 else None
    wave = _cosine(1.0, 0.0, steps, cut).repeated(_fewer(times, longer), longer, higher)
    curve = wave.scaled(first * (1.0 - floor))
    findings += cut(wave) if times else []
    if longer != 1.0:
        what = (
            "Keras finds the cycle by logarithms in single precision: the update of a restart may still be at the floor"
        )
        findings.append(Finding("not-equal", "t_mul", what))
    return rates(curve + hold(first * floor) if floor else curve, base_lr, findings)


def _fewer(times: int | None, stretch: float) -> int | None:
    """No more repetitions than last 2⁵³ updates."""
    return times if times is None or stretch == 1 else min(times, math.ceil(53 / math.log2(stretch)))


def _cosine(start: float, end: float, steps: Number, cut: Any) -> Schedule:
    """Half a cosine; of whole numbers less, because π is 3 there."""
    pi = cut(math.pi, "π")
    if pi == math.pi:
        return short_ramp(start, end, steps, "cosine")
    return short_ramp(start, end, steps * math.pi / pi, "cosine").truncated(steps)


def _numbers(initial: float) -> tuple[float, Any, list[Finding]]:
    """The initial rate, what Keras makes of the other numbers beside it, and a finding where that cuts them."""
    first = finite_number(initial, "initial_learning_rate")
    kind = getattr(initial, "dtype", None)  # of a number of numpy, which Keras takes over
    if str(kind).endswith("float16"):
        raise PreheatError("Keras computes in half precision beside it", given=initial, write=f"write {first:.3g}")
    if not isinstance(initial, int) and "int" not in str(kind):
        return first, finite_number, []
    what = f"{initial!r} is a whole number, and Keras cuts every other number to one: a target of 0.1 is 0, π is 3"
    found = Finding("not-carried", "initial_learning_rate", what, f"write {float(initial)!r}")
    return first, lambda value, name: float(int(finite_number(value, name))), [found]


def _steps(value: float, cut: Any, name: str = "decay_steps") -> Number:
    positive_number(value, name)
    return int_if_whole(positive_number(cut(value, name), name))
