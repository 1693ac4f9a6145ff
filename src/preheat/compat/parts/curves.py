"""Curves that several libraries share, so that no formula is written twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Listed
from itertools import pairwise

from preheat.core.checks import Number, int_if_whole
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence, sequence
from preheat.core.nodes.wrapped import Scaled, Truncated
from preheat.core.shapes import Shape, reverse
from preheat.core.shapes import power as power_shape

ENDLESS = 2**40
"""Updates of a line that another library never ends; a power of two, so that dividing by it is exact."""


def short_ramp(start: float, end: float, ticks: Number, shape: Shape | str = "linear") -> Schedule:
    """A ramp in so many updates, of fewer than one too, which `ramp` refuses because a share may be meant."""
    return Ramp(start, end, ticks, shape)


def short_hold(value: float, ticks: Number) -> Schedule:
    """A constant for so many updates, of fewer than one too."""
    return Hold(value, ticks)


def cosine_wave(half: Number, low: float = 0.0, until: Number | None = None, start: float = 1.0) -> Schedule:
    """From `start` down to `low` in `half` updates along a cosine, up again in as many, and on: (1 + cos(πt/half))/2.

    until: where it stops and keeps its value; None for never.
    """
    down = short_ramp(start, low, half, "cosine")
    if until is not None and until <= half:
        return down if until == half else down.truncated(until)
    waves = (down >> short_ramp(low, start, half, "cosine")).repeated()
    return waves if until is None else waves.truncated(until)


def lasting(curve: Schedule, ticks: Number) -> Schedule:
    """The curve for exactly so many updates: cut, or its last value kept for the rest of them."""
    if isinstance(curve, Hold):
        return Hold(curve.value, int_if_whole(ticks))
    if curve.length > ticks:
        return curve.truncated(ticks)
    return curve if curve.length == ticks else curve >> Hold(curve(curve.length), int_if_whole(ticks - curve.length))


def joined(curves: Iterable[Schedule]) -> Schedule:
    """One after another; those of no length are left out, but not all of them."""
    parts = list(curves)
    return sequence([part for part in parts if part.length] or parts[-1:])


def through(points: Listed[tuple[Number, float]], shape: Shape | str = "linear") -> Schedule:
    """Through points (update, value) in order, a ramp between two; of several at one update the last counts; then it holds."""
    (first, value), (_, last) = points[0], points[-1]
    parts: list[Schedule] = [Hold(value, first)] if first > 0 else []
    parts += [Ramp(a, b, until - since, shape) for (since, a), (until, b) in pairwise(points) if until > since]
    curve = joined([*parts, Hold(last, "rest")])
    return curve.shifted(first) if first < 0 else curve


FARTHEST = 1e38
"""Where a value that grows without end is given up: single precision ends there."""


def doublings(start: float, rate: float, end: float = FARTHEST) -> int:
    """How many times `start` is multiplied by a rate above 1 until it has reached `end`."""
    return max(1, math.ceil(math.log(end / abs(start)) / math.log(rate)) if abs(start) < end else 1)


def geometric(
    start: float, rate: float, ticks: Number, *, staircase: bool = False, times: int | None = None
) -> Schedule:
    """start · rate^(t/ticks), or of whole t/ticks in a staircase; without end, or for so many times `ticks` updates."""
    if not start or rate == 1:
        return Hold(start, "rest")
    if staircase:
        return Hold(start, ticks).repeated(times, shrink=rate)
    curve = short_ramp(abs(start), abs(start) * rate, ticks, "exponential").repeated(times, shrink=rate)
    return curve if start > 0 else curve.scaled(-1)


def multiplied(curve: Schedule, factor: float) -> Schedule:
    """`curve.scaled(factor)`, with the factor written into the parts where that is exact enough: easier to read."""
    if isinstance(curve, Ramp):
        return Ramp(curve.start * factor, curve.end * factor, curve.span, curve.shape)
    if isinstance(curve, Hold):
        return Hold(curve.value * factor, curve.span)
    if isinstance(curve, Scaled):
        return multiplied(curve.base, curve.factor * factor)
    if isinstance(curve, Repeated):
        return Repeated(multiplied(curve.base, factor), curve.times, curve.stretch, curve.shrink, curve.ticks)
    if isinstance(curve, Truncated):
        return Truncated(multiplied(curve.base, factor), curve.span)
    if isinstance(curve, Sequence):
        return sequence(multiplied(part, factor) for part in curve.parts)
    return curve.scaled(factor)


def counted_warmup(updates: int, stable: Number = 0) -> Schedule:
    """(t + 1)/W in W updates, at 1 with the last of them, then 1 for as many as are `stable`; no warmup of 0 updates."""
    if updates <= 1:
        return Hold(1.0, updates + stable)
    return Ramp(1 / updates, 1.0, updates - 1) >> Hold(1.0, 1 + stable)


def onwards(start: float, end: float, span: Number, power: float = 1.0) -> Schedule:
    """start + (end − start)·(t/span)ᵖ, which does not stop at `end`: what a library computes that clamps nothing."""
    times = 2.0 ** max(4, 46 - math.ceil(math.log2(span)))  # a power of 2: the product is exact
    shape = {1.0: "linear", 0.5: "sqrt"}.get(power) or power_shape(power)
    return Ramp(start, start + (end - start) * times**power, span * times, shape)


def switched(first: Schedule, at: Number, then: Schedule) -> Schedule:
    """`first` before `at` and `then` from there on, both counted from the beginning: phases that overlap."""
    return lasting(first, at) >> (then.shifted(-at) if at else then)


def powers(factor: float, every: Number = 1) -> Schedule:
    """factorᵏ, k the number of times that `every` updates have passed: for ever, or, above 1, up to about 1e260."""
    if factor == 1:
        return Hold(1.0, "rest")
    times = None if factor < 1 else max(1, math.floor(600 / math.log(factor)))
    if times == 1 and factor < 1e260:
        return Hold(1.0, every) >> Hold(factor, every)
    return Hold(1.0, every).repeated(times, shrink=factor)


def falling_power(exponent: float) -> Shape | str:
    """The shape of (1 − u)ᵖ, as a decay from 1 to 0 goes."""
    return "linear" if exponent == 1 else reverse(power_shape(exponent))


def line(start: float, end: float, ticks: Number, runs: int = 1000) -> Schedule:
    """A straight line through its end and on, below 0 too, for as many times its length."""
    return short_ramp(start, start + (end - start) * runs, ticks * runs)


def exponential(start: float, ratio: float, ticks: Number) -> Schedule:
    """start · ratio^(t/ticks), ratio at least 0, without end; above 1 until it overflows."""
    if not ratio or not start:
        return Hold(start, 1) >> Hold(0.0, ticks)
    if ratio == 1.0:
        return Hold(start, "rest")
    runs = max(1, int((8 if ratio < 1 else 600) / abs(math.log(ratio))))  # digits are kept; growth stays a number
    once = multiplied(short_ramp(1.0, ratio**runs, ticks * runs, "exponential"), abs(start))
    curve = once.repeated(shrink=ratio**runs) if ratio < 1 else once
    return curve if start > 0 else curve.scaled(-1)


def stairs(values: Iterable[float], edges: Iterable[Number]) -> Schedule:
    """The first value, and each further one from its edge on, in rising order; the last for ever. An edge may come first."""
    parts, value, begun = list[Schedule](), None, 0
    for following, edge in zip(values, (0, *edges), strict=True):
        if value is not None and edge > begun:
            parts.append(Hold(value, int_if_whole(edge - begun)))
            begun = edge
        value = following
    return sequence([*parts, Hold(value, "rest")])  # type: ignore[arg-type]  there is a first value


def first_tick(reached: Callable[[int], bool], near: Number) -> int:
    """The first update from 0 on at which `reached` holds, which does from some update on; near: about where that is."""
    tick = max(0, math.floor(near))
    while tick and reached(tick - 1):
        tick -= 1
    while not reached(tick):
        tick += 1
    return tick


def one_cycle(
    ends: tuple[float, float, float], total: int, share: float, shape: str, *, phases: int = 2, beyond: bool = False
) -> Schedule:
    """From the initial rate to the peak in share·total − 1 updates, and to the last at total − 1; in three phases it first
    goes back to the initial rate, in as many.

    ends: the initial rate, the peak, the last.   share: of the first phase; a phase that would end before update 0 is not seen.
    shape: "cosine" or "linear".   beyond: one update more, which the libraries still take: on along the shape.
    Raises PreheatError where share·total is 1: a phase of no length is divided by there.
    """
    initial, peak, last = ends
    end, first = total - 1, share * total - 1
    if not first:
        write = "write a share of more than one update"
        raise PreheatError("the library divides by a first phase of no length", given=share, write=write)
    times, values = [0, first, end], [initial, peak, last]
    if phases == 3:
        times, values = [0, first, 2 * first, end], [initial, peak, initial, last]
    if first < 0:
        times, values = times[-2:], values[-2:]
    reached = [i for i in range(len(times) - 1) if times[i] < end]
    parts = [short_ramp(values[i], values[i + 1], times[i + 1] - times[i], shape) for i in reached]
    main = sequence([parts[0].shifted(times[0]) if first < 0 else parts[0], *parts[1:]])
    if not beyond or times[reached[-1] + 1] != end:
        return lasting(main, end)
    before, after, span = values[-2], values[-1], end - times[-2]
    mirrored = before if shape == "cosine" else 2 * after - before
    return main >> short_ramp(after, mirrored, span, shape).truncated(min(1, span))


def triangles(low: float, high: float, lengths: tuple[Number, Number], mode: str, heights: Schedule) -> Schedule:
    """From `low` up to `high` in the first of the lengths and down again in the second, for ever.

    mode: "triangular"; "triangular2", each half as high as the one before; "exp_range", the height times `heights`.
    """
    up, down = lengths

    def triangle(a: float, b: float) -> Schedule:
        return short_ramp(a, b, up) >> short_ramp(b, a, down) if down else short_ramp(a, b, up)

    if mode == "triangular2":
        return Hold(low, "rest") + triangle(0.0, high - low).repeated(shrink=0.5)
    if mode == "exp_range" and heights != Hold(1.0, "rest"):
        return Hold(low, "rest") + triangle(0.0, high - low).repeated() * heights
    return triangle(low, high).repeated()
