"""Curves that several libraries share, so that no formula is written twice."""

from __future__ import annotations

import math

from preheat.core.checks import Number
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled
from preheat.core.shapes import Shape
from preheat.core.shapes import power as power_shape

ENDLESS = 2**40
"""Updates of a line that another library never ends; a power of two, so that dividing by it is exact."""


def short_ramp(start: float, end: float, ticks: Number, shape: Shape | str = "linear") -> Schedule:
    """A ramp in so many updates, of fewer than one too, which `ramp` refuses because a share may be meant."""
    return Ramp(start, end, ticks, shape)


def short_hold(value: float, ticks: Number) -> Schedule:
    """A constant for so many updates, of fewer than one too."""
    return Hold(value, ticks)


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
    if isinstance(curve, Sequence) and all(isinstance(part, Ramp | Hold) for part in curve.parts):
        first, *others = (multiplied(part, factor) for part in curve.parts)
        for part in others:
            first = first >> part
        return first
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


def level(value: float, ticks: Number) -> Schedule:
    """A hold of so many updates, of fewer than one too, which `hold` refuses because a share may be meant."""
    return Hold(value, ticks)


def until(curve: Schedule, at: Number) -> Schedule:
    """`curve` up to `at`, with its last value where it ends before."""
    if curve.length <= at:
        return curve if curve.length == at else curve >> Hold(curve(curve.length), at - curve.length)
    return curve.truncated(at)


def switched(first: Schedule, at: Number, then: Schedule) -> Schedule:
    """`first` before `at` and `then` from there on, both counted from the beginning: phases that overlap."""
    return until(first, at) >> (then.shifted(-at) if at else then)
