"""A bound schedule as the formulas that it follows one after another: what two of them have in common need not be computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Leaf, Ramp
from preheat.core.nodes.pointwise import Pointwise, Product
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled, Shifted, Truncated

CONSTANT, CURVE = "constant", "curve"
Form = tuple[Any, ...]
"""A formula as a value: (CONSTANT, value), (CURVE, what, since when), or a kind of node with the formulas inside.

Equal ones have equal values; different ones may. A curve is smooth: two that agree at many times agree at all.
"""


class Piece(NamedTuple):
    """From `start` on, a formula."""

    start: Fraction
    form: Form


class Stretch(NamedTuple):
    """A time during which each of two schedules follows one formula; `end` is math.inf for the last."""

    start: Fraction
    end: Fraction | float
    old: Form
    new: Form


def pieces(schedule: Schedule, at: Fraction = Fraction(0)) -> list[Piece]:
    """The formulas of a bound schedule that begins `at` a time, until for ever: the last value is one, too."""
    found = _pieces_within(schedule, at)
    if (length := schedule.length) == math.inf:
        return found
    end = at + Fraction(length)
    return [*_until(found, end), Piece(end, (CONSTANT, schedule(length)))]


def stretches(old: list[Piece], new: list[Piece], begin: Fraction) -> Iterator[Stretch]:
    """The times from `begin` on during which both keep to one formula."""
    starts = sorted({begin, *(piece.start for piece in (*old, *new) if piece.start > begin)})
    pairs = zip(_forms_at(old, starts), _forms_at(new, starts), strict=True)
    for start, end, (before, after) in zip(starts, [*starts[1:], math.inf], pairs, strict=True):
        yield Stretch(start, end, before, after)


def is_smooth(form: Form) -> bool:
    """Whether it is a constant or one curve, so that agreeing at many times is agreeing at all."""
    return form[0] in (CONSTANT, CURVE) or (form[0] is Scaled and is_smooth(form[1]))


def common_period(*forms: Form | Fraction) -> Fraction | None:
    """The time after which all of some formulas, and a length of time, have begun anew; None where there is none."""
    found = [form if isinstance(form, Fraction) else _period(form) for form in forms]
    if None in found:
        return None
    whole = math.lcm(*(period.denominator for period in found if period is not None))
    return Fraction(math.lcm(*(int(period * whole) for period in found if period is not None)), whole)


def _period(form: Form) -> Fraction | None:
    """The time after which a formula repeats itself; None where it does not."""
    kind, *inner = form
    if kind == CONSTANT:
        return Fraction(1)
    if kind is Scaled:
        return _period(inner[0])
    if kind is Repeated:
        cycle = inner[0]
        return Fraction(cycle.base.length) if (cycle.times, cycle.stretch, cycle.shrink) == (None, 1, 1) else None
    return (
        common_period(*inner) if isinstance(kind, type) and issubclass(kind, Pointwise) and _are_forms(inner) else None
    )


def _are_forms(inner: list[Any]) -> bool:
    return all(isinstance(one, tuple) for one in inner)


def _pieces_within(schedule: Schedule, at: Fraction) -> list[Piece]:
    if isinstance(schedule, Sequence):
        lengths = [part.length for part in schedule.parts[:-1]]
        starts = list(accumulate(map(Fraction, lengths), initial=at))
        ends = [*starts[1:], None]
        rows = zip(schedule.parts, starts, ends, strict=True)
        return [piece for part, start, end in rows for piece in _until(_pieces_within(part, start), end)]
    if isinstance(schedule, Scaled):
        return [_scaled(piece, schedule.factor) for piece in pieces(schedule.base, at)]
    if isinstance(schedule, Pointwise):
        return _merged(schedule, at)
    if isinstance(schedule, Truncated):
        return _pieces_within(schedule.base, at)
    if isinstance(schedule, Shifted):
        return _shifted(schedule, at)
    return [Piece(at, _form(schedule, at))]


def _form(schedule: Schedule, at: Fraction) -> Form:
    """The formula of a leaf, or of a node that is taken whole."""
    if isinstance(schedule, Ramp):
        return (CONSTANT, schedule.start) if schedule.start == schedule.end else (CURVE, schedule, at)
    if isinstance(schedule, Leaf):  # its values do not depend on how long it lasts
        fields = [getattr(schedule, name) for name in schedule.__match_args__ if name != "span"]
        return (CONSTANT, schedule.value) if isinstance(schedule, Hold) else (CURVE, type(schedule), *fields, at)
    return type(schedule), schedule, at


def _scaled(piece: Piece, factor: float) -> Piece:
    kind, *rest = piece.form
    form = (CONSTANT, rest[0] * factor) if kind == CONSTANT else (Scaled, piece.form, factor)
    return Piece(piece.start, piece.form if factor == 1 else form)


def _shifted(schedule: Shifted, at: Fraction) -> list[Piece]:
    inside = pieces(schedule.base, at + Fraction(schedule.ticks))
    earlier = [piece.form for piece in inside if piece.start <= at]
    first = earlier[-1] if earlier else (CONSTANT, schedule(0))
    return [Piece(at, first), *(piece for piece in inside if piece.start > at)]


def _merged(schedule: Pointwise, at: Fraction) -> list[Piece]:
    operands = [pieces(operand, at) for operand in schedule.operands]
    starts = sorted({piece.start for operand in operands for piece in operand})
    rows = zip(*(_forms_at(operand, starts) for operand in operands), strict=True)
    return [Piece(start, _combined(schedule, forms, start - at)) for start, forms in zip(starts, rows, strict=True)]


def _combined(schedule: Pointwise, forms: tuple[Form, ...], t: Fraction) -> Form:
    """The formula that several make together; `t` is when they begin to."""
    if all(form[0] == CONSTANT for form in forms):
        return CONSTANT, schedule(float(t))
    if isinstance(schedule, Product):
        forms = tuple(form for form in forms if form != (CONSTANT, 1.0))
    return forms[0] if len(forms) == 1 else (type(schedule), *forms)


def _until(found: list[Piece], end: Fraction | None) -> list[Piece]:
    return found if end is None else [piece for piece in found if piece.start < end]


def _forms_at(found: list[Piece], times: list[Fraction]) -> Iterator[Form]:
    """The formula that holds at each of some rising times."""
    i = 0
    for time in times:
        while i + 1 < len(found) and found[i + 1].start <= time:
            i += 1
        yield found[i].form
