"""Curves that several libraries share, so that no formula is written twice."""

from __future__ import annotations

import math

from preheat.core.checks import Number
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled, Truncated
from preheat.core.shapes import Shape, power, reverse


def short_ramp(start: float, end: float, ticks: Number, shape: Shape | str = "linear") -> Schedule:
    """A ramp in so many updates, of fewer than one too, which `ramp` refuses because a share may be meant."""
    return Ramp(start, end, ticks, shape)


def cosine_wave(half: Number, low: float = 0.0, until: Number | None = None) -> Schedule:
    """From 1 down to `low` in `half` updates along a cosine, up again in as many, and on: (1 + cos(πt/half))/2.

    until: where it stops and keeps its value; None for never.
    """
    down = short_ramp(1.0, low, half, "cosine")
    if until is not None and until <= half:
        return down if until == half else down.truncated(until)
    waves = (down >> short_ramp(low, 1.0, half, "cosine")).repeated()
    return waves if until is None else waves.truncated(until)


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
        first, *others = (multiplied(part, factor) for part in curve.parts)
        for part in others:
            first = first >> part
        return first
    return curve.scaled(factor)


def powers(factor: float, every: Number = 1) -> Schedule:
    """factorᵏ, k the number of times that `every` updates have passed: for ever, or, above 1, up to about 1e260."""
    if factor == 1:
        return Hold(1.0, "rest")
    times = None if factor < 1 else max(1, math.floor(600 / math.log(factor)))
    return Hold(1.0, every).repeated(times, shrink=factor)


def falling_power(exponent: float) -> Shape | str:
    """The shape of (1 − u)ᵖ, as a decay from 1 to 0 goes."""
    return "linear" if exponent == 1 else reverse(power(exponent))


def lasting(curve: Schedule, updates: Number) -> Schedule:
    """A curve for so many updates: cut there, or its last value kept until then."""
    if curve.length == updates:
        return curve
    if isinstance(curve, Hold):
        return Hold(curve.value, updates)
    if curve.length > updates:
        return curve.truncated(updates)
    return curve >> Hold(curve(curve.length), updates - curve.length)
