"""What a bound schedule does from one edge to the next, told in words from the formulas that it follows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from preheat.core.checks import Number, int_if_whole
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import InvSqrt, Ramp, Rectified, Saturating, Table
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.wrapped import Scaled, Stepwise
from preheat.core.shapes import Shape
from preheat.review.laid_out import Laid
from preheat.session.pieces import CONSTANT, CURVE, Form, Piece, pieces

_ADVERBS = {
    "linear": "linearly",
    "cosine": "along a half cosine",
    "exponential": "exponentially, by the same factor at every update",
    "smooth": "gently at both ends (shape smooth)",
    "mirror-cosine": "steeply at both ends (shape mirror-cosine)",
}
_ROUNDING = 1e-12  # of the largest value of a phase: a limit that is the value there but for rounding
_LATE = ("square", "rex")  # slow at first, as u² is
_EARLY = ("sqrt", "log")


class Phase(NamedTuple):
    """A time in which a schedule follows one formula.

    start, end: in ticks.   first, stop: its updates are first … stop − 1, none where they are equal.
    begins, ends: its values at both, the second as the limit from before.   low, high: the least and the greatest of these and
    of its updates.   does: "rises linearly".
    """

    start: Number
    end: Number
    first: int
    stop: int
    begins: float
    ends: float
    low: float
    high: float
    does: str

    @property
    def updates(self) -> int:
        """How many updates fall into it."""
        return self.stop - self.first


def phases_of(line: Laid, values: Any) -> tuple[Phase, ...]:
    """The phases of a line from update 0 to the end of its run, one after another; values: of all its updates."""
    total = Fraction(line.total)
    found = [piece for piece in _joined(pieces(line.curve)) if piece.start < total]
    edges = [*(piece.start for piece in found), total]
    after = Fraction(line.curve.length) if line.curve.length != math.inf else None
    return tuple(
        _phase(line, values, piece, end, piece.start == after)
        for piece, (_, end) in zip(found, pairwise(edges), strict=True)
    )


def _joined(found: list[Piece]) -> Iterator[Piece]:
    """Without those that only go on with the constant before them."""
    last: Form | None = None
    for piece in found:
        if piece.form != last or piece.form[0] != CONSTANT:
            yield piece
        last = piece.form


def _phase(line: Laid, values: Any, piece: Piece, end: Fraction, over: bool) -> Phase:
    start, stop = int_if_whole(piece.start), int_if_whole(end)
    first, last = line.update_of(start), line.update_of(stop)
    inside = values[first:last]
    begins, ends = line.curve.function(start), _limit(line, piece, end)
    after = line.curve.function(stop)
    if abs(after - ends) <= _ROUNDING * max(abs(begins), abs(ends), float(abs(inside).max(initial=0.0))):
        ends = after  # it goes on without a jump
    low, high = (float(inside.min(initial=min(begins, ends))), float(inside.max(initial=max(begins, ends))))
    does = "keeps its last value" if over else _does(piece.form, (begins, ends), (low, high), inside)
    return Phase(start, stop, first, last, begins, ends, low, high, does)


def _limit(line: Laid, piece: Piece, end: Fraction) -> float:
    """The value just before `end`."""
    form, scale = piece.form, 1.0
    while form[0] is Scaled:
        form, scale = form[1], scale * form[2]
    if form[0] == CONSTANT:
        return form[1] * scale
    own = form[1] if isinstance(form[1], Schedule) else None
    if own is not None and own.length != math.inf and form[2] + Fraction(own.length) == end:
        return own(own.length) * scale
    return line.curve.function(math.nextafter(float(end), -math.inf))


def _does(form: Form, ends: tuple[float, float], extent: tuple[float, float], values: Any) -> str:
    """What the values do, and how."""
    if form[0] == CONSTANT:
        return "stays"
    (begins, ended), (low, high) = ends, extent
    if low == high:
        return "stays"
    slack = 1e-12 * max(abs(low), abs(high))
    steps = values[1:] - values[:-1]
    rising, falling = bool((steps >= -slack).all()), bool((steps <= slack).all())
    if begins <= ended and rising:
        return f"rises{_how(form)}"
    if begins >= ended and falling:
        return f"falls{_how(form)}"
    return f"moves between {low:.6g} and {high:.6g}{_how(form)}"


def _how(form: Form) -> str:
    """The way of a curve as words after a verb, with a space before them; "" where there is no word for it."""
    while form[0] is Scaled:
        form = form[1]
    if form[0] == CURVE:
        return f" {_curve(form)}"
    if form[0] is Table:
        return " from one value of a table to the next"
    if form[0] is Repeated:
        return f" {_cycles(form[1])}"
    if form[0] is Stepwise:
        step = form[1].span.value
        return f" in steps, one every {step:,.6g} updates" if isinstance(step, int | float) else ""
    return ""


def _curve(form: Form) -> str:
    what = form[1]
    if isinstance(what, Ramp):
        return _adverb(what.shape)
    if what is InvSqrt:
        power = form[3]
        return "as the inverse square root of time" if power == 0.5 else f"as time to the power of −{power:g}"
    names = {
        Saturating: "exponentially towards its limit",
        Rectified: "as RAdam's rectification does",
    }
    return names[what]


def _adverb(shape: Shape) -> str:
    """How a ramp of this shape moves."""
    text = f"(shape {shape!r})".replace("'", "")
    if shape.inner is not None:
        return text
    if shape.name in _ADVERBS:
        return _ADVERBS[shape.name]
    late = shape.exponent > 1 if shape.exponent is not None else shape.name in _LATE
    if shape.exponent == 1:
        return "linearly"
    if late is shape.mirrored:
        return f"fast at first, then ever more slowly {text}"
    return f"slowly at first, then ever faster {text}"


def _cycles(cycle: Repeated) -> str:
    times = "again and again" if cycle.times is None else "once" if cycle.times == 1 else f"{cycle.times:,} times"
    longer = "" if cycle.stretch == 1 else f", each {cycle.stretch:g} times as long as the one before"
    higher = "" if cycle.shrink == 1 else f", each {cycle.shrink:g} times as high"
    return f"{times}, in cycles of {cycle.base.length:,.6g} updates{longer}{higher}"
