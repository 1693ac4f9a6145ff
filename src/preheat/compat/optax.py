"""optax: everything in `optax.schedules`, by its own names: rates, in single precision unless JAX is told otherwise."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from preheat.compat.parts.curves import FARTHEST, doublings, geometric, joined, lasting, short_ramp, through
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, curve_of, ignored, rates
from preheat.core.checks import Number, finite_number, one_of, ticks, whole_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import Shape, compose, reverse
from preheat.core.shapes import power as power_shape

PEER = Peer("optax", "0.2.8", "optax/schedules/_schedule.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("constant_schedule")
def constant_schedule(*, value: float, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """The value."""
    return rates(hold(finite_number(value, "value")), base_lr)


@PEER.restates("polynomial_schedule")
def polynomial_schedule(
    *,
    init_value: float,
    end_value: float,
    power: float,
    transition_steps: int,
    transition_begin: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(init − end)·(1 − c/N)ᵖᵒʷᵉʳ + end, c the updates since transition_begin, at most N; init for ever where N is 0."""
    first, last = finite_number(init_value, "init_value"), finite_number(end_value, "end_value")
    if transition_steps <= 0:
        return rates(hold(first), base_lr, _stuck("end_value", last, first, "transition_steps", transition_steps))
    exponent = finite_number(power, "power")
    if exponent < 0:
        raise PreheatError("optax's polynomial_schedule is infinite at its end with a power below 0", given=power)
    begin, findings = _begin(transition_begin)
    down = short_ramp(first, last, transition_steps, reverse(power_shape(exponent))) if exponent else hold(first)
    return rates(joined([hold(first, begin), down]), base_lr, findings)


@PEER.restates("linear_schedule")
def linear_schedule(
    *,
    init_value: float,
    end_value: float,
    transition_steps: int,
    transition_begin: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init + (end − init)·c/N, c the updates since transition_begin, at most N; init for ever where N is 0."""
    return polynomial_schedule(
        init_value=init_value,
        end_value=end_value,
        power=1.0,
        transition_steps=transition_steps,
        transition_begin=transition_begin,
        base_lr=base_lr,
    )


@PEER.restates("exponential_decay")
def exponential_decay(
    *,
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init·rate^(c/N), or of whole c/N, c the updates since transition_begin; end_value bounds it."""
    first, rate = finite_number(init_value, "init_value"), finite_number(decay_rate, "decay_rate")
    if rate < 0:
        raise PreheatError("optax's exponential_decay gives NaN with a decay_rate below 0", given=decay_rate)
    if transition_steps <= 0 or not rate:
        place, given = ("decay_rate", decay_rate) if transition_steps > 0 else ("transition_steps", transition_steps)
        return rates(hold(first), base_lr, _stuck("end_value", end_value, None, place, given))
    begin, findings = _begin(transition_begin)
    far = _far(end_value) if first > 0 else FARTHEST
    times = doublings(first, rate, far) + staircase if rate > 1 and first else None
    curve = joined([hold(first, begin), geometric(first, rate, transition_steps, staircase=staircase, times=times)])
    if times:
        what = "in single precision the rounding of a rate above 1 adds up, to 6e-8 for every transition_steps"
        findings.append(Finding("not-equal", "decay_rate", what))
    if times and far == FARTHEST:
        what = "it grows without end, and single precision ends; here the last value is kept"
        findings.append(Finding("no-end", f"update {begin + times * transition_steps}", what))
    findings += _late(transition_steps) if staircase else []
    if end_value is None:
        return rates(curve, base_lr, findings)
    bound = finite_number(end_value, "end_value")
    return rates(curve.clipped(bound, None) if rate < 1 else curve.clipped(None, bound), base_lr, findings)


@PEER.restates("cosine_decay_schedule")
def cosine_decay_schedule(
    *,
    init_value: float,
    decay_steps: float,
    alpha: float = 0.0,
    exponent: float = 1.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init·((1 − α)·((1 + cos(πt/N))/2)ᵉ + α)."""
    length = ticks(decay_steps, "decay_steps")
    if length <= 0:
        raise PreheatError("optax's cosine_decay_schedule needs decay_steps above 0", given=decay_steps)
    first = finite_number(init_value, "init_value")
    shape = _cosine_to_the(exponent)
    floor = first * finite_number(alpha, "alpha")
    return rates(hold(first) if shape is None else short_ramp(first, floor, length, shape), base_lr)


@PEER.restates("piecewise_constant_schedule")
def piecewise_constant_schedule(
    *,
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """init, multiplied by each scale from its boundary on."""
    since, value, parts = 0, finite_number(init_value, "init_value"), list[Schedule]()
    for boundary, scale in _boundaries(boundaries_and_scales):
        parts.append(hold(value, boundary - since))
        since, value = boundary, value * scale
    return rates(joined([*parts, hold(value)]), base_lr)


@PEER.restates("piecewise_interpolate_schedule")
def piecewise_interpolate_schedule(
    *,
    interpolate_type: str,
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From init over each boundary's value, the last one times its scale: in lines, or along cosines."""
    shape = one_of(interpolate_type, "interpolate_type", ("linear", "cosine"))
    points = [(0, finite_number(init_value, "init_value"))]
    for boundary, scale in _boundaries(boundaries_and_scales):
        points.append((boundary, points[-1][1] * scale))
    return rates(through(points, shape), base_lr)


@PEER.restates("linear_onecycle_schedule")
def linear_onecycle_schedule(
    *,
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """peak/div up to the peak at ⌊pct_start·T⌋, back at ⌊pct_final·T⌋, and by final_div lower at T, in lines."""
    total = whole_number(transition_steps, "transition_steps", 1)
    scales = {
        int(pct_start * total): div_factor,
        int(pct_final * total): 1.0 / div_factor,
        total: 1.0 / final_div_factor,
    }
    return _onecycle("linear", peak_value / div_factor, scales, base_lr)


@PEER.restates("cosine_onecycle_schedule")
def cosine_onecycle_schedule(
    *,
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """peak/div up to the peak at ⌊pct_start·T⌋, down to peak/(div·final_div) at T, along cosines."""
    total = whole_number(transition_steps, "transition_steps", 1)
    scales = {int(pct_start * total): div_factor, total: 1.0 / (div_factor * final_div_factor)}
    return _onecycle("cosine", peak_value / div_factor, scales, base_lr)


@PEER.restates("warmup_constant_schedule")
def warmup_constant_schedule(
    *, init_value: float, peak_value: float, warmup_steps: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """From init to peak in W updates, and there it stays; init for ever where W is 0."""
    if warmup_steps <= 0:
        first = finite_number(init_value, "init_value")
        return rates(hold(first), base_lr, _stuck("peak_value", peak_value, first, "warmup_steps", warmup_steps))
    return linear_schedule(init_value=init_value, end_value=peak_value, transition_steps=warmup_steps, base_lr=base_lr)


@PEER.restates("warmup_cosine_decay_schedule")
def warmup_cosine_decay_schedule(
    *,
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From init to peak in W updates, then the cosine, to the power of exponent, down to end_value at decay_steps."""
    left = decay_steps - warmup_steps
    if left <= 0:
        raise PreheatError(
            f"decay_steps={decay_steps!r} of optax includes the warmup, and {warmup_steps!r} leaves nothing of it",
            write=f"write decay_steps above {warmup_steps!r}",
        )
    alpha = end_value / peak_value if peak_value else 0.0
    main = cosine_decay_schedule(init_value=peak_value, decay_steps=left, alpha=alpha, exponent=exponent)
    findings = [] if peak_value else ignored("end_value", end_value, 0.0, "it is taken as a share of a peak of 0")
    return rates(_warmed(init_value, peak_value, warmup_steps, main), base_lr, findings)


@PEER.restates("warmup_exponential_decay_schedule")
def warmup_exponential_decay_schedule(
    *,
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From init to peak in W updates, then exponential_decay from there."""
    main = exponential_decay(
        init_value=peak_value,
        transition_steps=transition_steps,
        decay_rate=decay_rate,
        transition_begin=transition_begin,
        staircase=staircase,
        end_value=end_value,
    )
    return rates(_warmed(init_value, peak_value, warmup_steps, main), base_lr, main.findings)


@PEER.restates("sgdr_schedule")
def sgdr_schedule(
    *, cosine_kwargs: Iterable[Mapping[str, float]], base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """One warmup_cosine_decay_schedule after another, each for its decay_steps."""
    cycles = [warmup_cosine_decay_schedule(**one) for one in cosine_kwargs]  # type: ignore[arg-type]
    if not cycles:
        raise PreheatError("optax's sgdr_schedule needs the arguments of one cosine at least", given=cosine_kwargs)
    return rates(joined(map(curve_of, cycles)), base_lr, [found for cycle in cycles for found in cycle.findings])


@PEER.restates("join_schedules")
def join_schedules(
    *, schedules: Sequence[Any], boundaries: Sequence[int], base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """Each schedule from its boundary on, counted from there; schedules: restatements, schedules or their text."""
    if len(schedules) != len(boundaries) + 1:
        raise PreheatError(
            f"join_schedules takes one schedule more than boundaries, not {len(schedules)} and {len(boundaries)}"
        )
    starts = [0, *(whole_number(one, "a boundary") for one in boundaries)]
    if starts != sorted(starts):
        raise PreheatError("the boundaries of join_schedules rise", given=list(boundaries))
    curves = [curve_of(one) for one in schedules]
    spans = [until - since for since, until in pairwise(starts)]
    parts = [lasting(curve, span) for curve, span in zip(curves, spans, strict=False)]
    findings = [found for one in schedules if isinstance(one, Restated) for found in one.findings]
    return rates(joined([part for part in parts if part.length] + curves[-1:]), base_lr, findings)


def _warmed(init_value: float, peak_value: float, warmup_steps: int, main: Restated) -> Schedule:
    warm = whole_number(warmup_steps, "warmup_steps is a number of updates and")
    up = short_ramp(finite_number(init_value, "init_value"), finite_number(peak_value, "peak_value"), warm)
    return up >> curve_of(main) if warm else curve_of(main)


def _onecycle(kind: str, start: float, scales: Mapping[int, float], base_lr: float) -> Restated:
    return piecewise_interpolate_schedule(
        interpolate_type=kind, init_value=start, boundaries_and_scales=scales, base_lr=base_lr
    )


def _cosine_to_the(exponent: float) -> Shape | str | None:
    """The shape of a cosine's power; None for the power 0, which is constant."""
    p = finite_number(exponent, "exponent")
    if p < 0:
        raise PreheatError("optax's cosine is infinite at its end with an exponent below 0", given=exponent)
    return compose(reverse(power_shape(p)), "cosine") if p not in (0.0, 1.0) else "cosine" if p else None


def _boundaries(given: Mapping[int, float] | None) -> list[tuple[int, float]]:
    """Boundaries and scales in order; JSON has texts for its keys."""
    read = {int(key) if isinstance(key, str) and key.isdigit() else key: scale for key, scale in (given or {}).items()}
    found = [(whole_number(key, "a boundary"), finite_number(scale, "a scale")) for key, scale in read.items()]
    if any(scale < 0 for _, scale in found):
        raise PreheatError("the scales of optax's piecewise schedules are at least 0", given=given)
    return sorted(found)


def _begin(transition_begin: int) -> tuple[Number, list[Finding]]:
    """When the transition begins; optax takes what is below 0 as 0."""
    begin = ticks(transition_begin, "transition_begin")
    return max(0, begin), ignored("transition_begin", min(0, begin), 0, "it is taken as 0")


def _late(steps: Number) -> list[Finding]:
    """Where a compiled staircase, which multiplies by 1/N in single precision, steps one update late."""
    late = [k for k in range(1, 33) if _single(_single(k * steps) * _single(1 / steps)) < k]
    if not late:
        return []
    what = f"under jax.jit optax rounds 1/{steps} and steps one update late, here at {_listed(k * steps for k in late)}"
    return [Finding("not-equal", "staircase", what)]


def _single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def _listed(updates: Iterable[Number]) -> str:
    first = [f"{update:g}" for update in updates]
    return ", ".join(first[:3]) + (", …" if len(first) > 3 else "")


def _far(end_value: float | None) -> float:
    """How far a growing curve is followed."""
    return FARTHEST if end_value is None or not 0 < end_value < FARTHEST else end_value


def _stuck(place: str, value: object, first: object, why: str, given: object) -> list[Finding]:
    """What is not reached because optax stays at init_value where a length or a rate is 0."""
    return ignored(place, value, first, f"with {why}={given!r} optax stays at init_value for ever")
