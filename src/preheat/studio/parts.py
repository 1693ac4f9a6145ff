"""The parts of a schedule one after another: what in the text says each of them, and where it lies on the run."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from preheat.core.checks import Number
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence, laid_parts
from preheat.core.nodes.wrapped import Scaled
from preheat.core.stated import plain
from preheat.core.text.located import Place
from preheat.review.laid_out import Laid
from preheat.studio.lines import place_of

MOST = 200  # parts of a schedule that are told apart: no one drags more


class Call(NamedTuple):
    """A part as it is written: one of those that a call stands for, alone or in turn.

    place: of the call.   index, of: which of its parts.   node: the part, nothing being bound.   gain: what is multiplied with
    it inside of the part.   held: whether a method follows the call, so that more than a call would need brackets in its place.
    """

    place: Place
    index: int
    of: int
    node: Schedule
    gain: float
    held: bool


class Form(NamedTuple):
    """A schedule as it is written: its parts, and what is said of all of them.

    scale: the argument of the outermost `.scaled(k)`, None where there is none.   gain: the product of all k.
    shift: of `.shifted(n)`.   repeated: whether the parts are those of one repetition.
    """

    calls: tuple[Call, ...]
    base: Schedule
    scale: Place | None
    gain: float
    shift: Number
    repeated: bool


class Part(NamedTuple):
    """A part where it lies: from tick `start` up to `end`, from the value `first` to `last`, as they are drawn."""

    call: Call
    start: Number
    end: Number
    first: float
    last: float
    gain: float

    @property
    def text(self) -> tuple[int, int]:
        """Where its call stands in the text."""
        return self.call.place.start, self.call.place.stop


@lru_cache(maxsize=64)
def form_of(text: str) -> Form:
    """A schedule's text as its parts; raises ParseError for what is none."""
    return _form(place_of(text))


def _form(place: Place) -> Form:
    held, scale, gain, shift, repeated = False, None, 1.0, 0, False
    while place.word in ("absolute", "relative", "scaled", "shifted", "repeated") and isinstance(
        plain(place.inside[0].value), Schedule
    ):
        value = plain(place.value)
        if isinstance(value, Scaled) and place.word == "scaled":
            scale, gain = scale or place.inside[1], gain * value.factor
        elif place.word == "shifted":
            if repeated:
                break
            shift += value.ticks  # type: ignore[union-attr]
        elif place.word == "repeated":
            if repeated:
                break
            repeated = True
        held, place = place.word not in ("absolute", "relative"), place.inside[0]
    base = plain(place.value)
    while isinstance(base, Scaled) and place.word not in ("scaled", "*"):  # of a recipe that gives one
        gain, base = gain * base.factor, base.base
    return Form(tuple(_calls(place, base, held)), base, scale, gain, shift, repeated)


def _calls(place: Place, value: Schedule, held: bool) -> list[Call]:
    if place.word == ">>":
        return [call for operand in place.inside for call in _calls(operand, plain(operand.value), held=False)]
    gain = 1.0
    if place.word == "scaled" and isinstance(value, Scaled) and not isinstance(value.base, Sequence):
        gain, value, place, held = value.factor, value.base, place.inside[0], True
    parts = value.parts if isinstance(value, Sequence) else (value,)
    return [Call(place, i, len(parts), part, gain, held) for i, part in enumerate(parts)]


def parts_of(form: Form, laid: Laid) -> list[Part]:
    """The parts of a form where they lie on its run; none where there are too many, or where they cannot be told."""
    if len(form.calls) > MOST:
        return []
    bound = _bound_parts(form, laid)
    if len(bound) != len(form.calls):
        return []
    gain = form.gain * (laid.factor or 1.0)
    found, start = list[Part](), form.shift
    for call, node in zip(form.calls, bound, strict=True):
        vanishing = not node.length and isinstance(call.node, Ramp)  # what is bound knows its end only
        first = call.node.start * call.gain if vanishing else node(0)  # type: ignore[attr-defined]
        last = node(min(node.length, max(0, laid.total - start)))
        found.append(Part(call, start, start + node.length, first * gain, last * gain, gain * call.gain))
        start += node.length
    return found


def _bound_parts(form: Form, laid: Laid) -> list[Schedule]:
    """The parts with their lengths in ticks, their own gains in their values."""
    if not form.repeated:
        try:
            return laid_parts(form.base, laid.run, form.shift)
        except PreheatError:  # one that goes with others only
            return []
    node: Schedule | None = laid.curve
    while node is not None and not isinstance(node, Repeated):
        node = node.parts[0] if isinstance(node, Sequence) else getattr(node, "base", None)
    return [] if node is None else _of_one_repetition(form.base, node.base, laid)


def _of_one_repetition(written: Schedule, bound: Schedule, laid: Laid) -> list[Schedule]:
    """The parts of what is repeated, those too that last for no tick."""
    found = laid_parts(written, laid.run, lasting=bound.length)
    if sum(part.length for part in found) == bound.length:
        return found
    while isinstance(bound, Scaled) and not isinstance(written, Scaled):
        bound = bound.base
    return list(bound.parts) if isinstance(bound, Sequence) else [bound]
