"""Curves that several libraries share, so that no formula is written twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from preheat.core.checks import Number, int_if_whole
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled
from preheat.core.shapes import Shape


def short_ramp(start: float, end: float, ticks: Number, shape: Shape | str = "linear") -> Schedule:
    """A ramp in so many updates, of fewer than one too, which `ramp` refuses because a share may be meant."""
    return Ramp(start, end, ticks, shape)


def cosine_wave(half: Number, low: float = 0.0, until: Number | None = None, start: float = 1.0) -> Schedule:
    """From `start` down to `low` in `half` updates along a cosine, up again in as many, and on: (1 + cos(πt/half))/2.

    until: where it stops and keeps its value; None for never.
    """
    down = short_ramp(start, low, half, "cosine")
    if until is not None and until <= half:
        return down if until == half else down.truncated(until)
    waves = (down >> short_ramp(low, start, half, "cosine")).repeated()
    return waves if until is None else waves.truncated(until)


def multiplied(curve: Schedule, factor: float) -> Schedule:
    """`curve.scaled(factor)`, with the factor written into the parts where that is exact enough: easier to read."""
    if isinstance(curve, Ramp):
        return Ramp(curve.start * factor, curve.end * factor, curve.span, curve.shape)
    if isinstance(curve, Hold):
        return Hold(curve.value * factor, curve.span)
    if isinstance(curve, Scaled):
        return multiplied(curve.base, curve.factor * factor)
    if isinstance(curve, Sequence) and all(isinstance(part, Ramp | Hold) for part in curve.parts):
        first, *others = (multiplied(part, factor) for part in curve.parts)
        for part in others:
            first = first >> part
        return first
    return curve.scaled(factor)


def line(start: float, end: float, ticks: Number, runs: int = 1000) -> Schedule:
    """A straight line through its end and on, below 0 too, for as many times its length."""
    return short_ramp(start, start + (end - start) * runs, ticks * runs)


def geometric(start: float, ratio: float, ticks: Number, endless: bool = False) -> Schedule:
    """start · ratio^(t/ticks), ratio at least 0; endless: beyond its `ticks` too."""
    if not ratio or not start:
        return Hold(start, 1) >> Hold(0.0, ticks)
    if ratio == 1.0:
        return Hold(start, "rest" if endless else ticks)
    steep = abs(math.log(ratio))
    if not endless:
        return (
            short_ramp(start, start * ratio, ticks, "exponential")
            if start > 0
            else geometric(-start, ratio, ticks).scaled(-1)
        )
    runs = max(1, int((8 if ratio < 1 else 600) / steep))  # a stretch keeps its digits, and growth stays a number
    once = multiplied(short_ramp(1.0, ratio**runs, ticks * runs, "exponential"), abs(start))
    curve = once.repeated(shrink=ratio**runs) if ratio < 1 else once
    return curve if start > 0 else curve.scaled(-1)


def stairs(values: Iterable[float], edges: Iterable[Number]) -> Schedule:
    """The first value, and each further one from its edge on, in rising order; the last for ever. An edge may come first."""
    curve: Schedule | None = None
    value, begun = None, 0
    for following, edge in zip(values, (0, *edges), strict=True):
        if value is not None and edge > begun:
            part = Hold(value, int_if_whole(edge - begun))
            curve, begun = part if curve is None else curve >> part, edge
        value = following
    last = Hold(value, "rest")  # type: ignore[arg-type]  there is a first value
    return last if curve is None else curve >> last


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
    main = parts[0].shifted(times[0]) if first < 0 else parts[0]
    for part in parts[1:]:
        main = main >> part
    if not beyond or times[reached[-1] + 1] != end:
        return exactly(main, end)
    before, after, span = values[-2], values[-1], end - times[-2]
    mirrored = before if shape == "cosine" else 2 * after - before
    return main >> short_ramp(after, mirrored, span, shape).truncated(min(1, span))


def exactly(curve: Schedule, ticks: Number) -> Schedule:
    """The curve for so many updates: cut there, or its last value held until then."""
    if isinstance(curve, Hold):
        return Hold(curve.value, int_if_whole(ticks))
    if curve.length > ticks:
        return curve.truncated(ticks)
    short = ticks - curve.length
    return curve >> Hold(curve(curve.length), int_if_whole(short)) if short else curve


def triangles(low: float, high: float, up: Number, down: Number, *, mode: str, gamma: float = 1.0) -> Schedule:
    """From `low` up to `high` in `up` updates and down again in `down`, for ever.

    mode: "triangular"; "triangular2", each half as high as the one before; "exp_range", the height times gammaᵗ.
    """
    height = high - low
    triangle = short_ramp(0.0, height, up) >> short_ramp(height, 0.0, down)
    if mode == "triangular" or (mode == "exp_range" and gamma == 1.0):
        return (short_ramp(low, high, up) >> short_ramp(high, low, down)).repeated()
    if mode == "triangular2":
        return Hold(low, "rest") + triangle.repeated(shrink=0.5)
    return Hold(low, "rest") + triangle.repeated() * geometric(1.0, gamma, 1, endless=True)
