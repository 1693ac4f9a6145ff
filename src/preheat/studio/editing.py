"""A drag, as the text that says it: only the arguments that change are typed anew, with their units.

Along the axis one edge moves and every other stays, so the total does too: what the part before it gains, the part after it
loses. A part that is `rest` does so by itself; before an edge it leaves that to the part after it. Where the part after an edge
has no length that could change, all that follows moves along. What no argument of a call says exactly is said by the
composition that the call stands for, put in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from preheat.core.checks import MOST_TICKS, counted, finite_number
from preheat.core.errors import PreheatError
from preheat.core.errors import shown as quoted
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.pointwise import Pointwise
from preheat.core.nodes.sequence import Sequence
from preheat.recipes.registry import RECIPES
from preheat.studio.amounts import Amount, number, rounded
from preheat.studio.arguments import Argument, Role, argument_of
from preheat.studio.document import Document, FieldError, document_from
from preheat.studio.drawing import draw
from preheat.studio.handles import End, end_of, handle_of, is_rest, is_set, is_top, linked, moves, value_at, way_of
from preheat.studio.lines import Change
from preheat.studio.parts import Call
from preheat.studio.shown import Shown, alone, shown

_SHARE = 400  # of the height is what a pixel shows, where the page does not say it
_LEAST = 1e-6  # of the highest value: the least end of an exponential ramp, which has none at 0
_LONGEST = 60  # letters of a call that is spoken of
_FINEST = 1 / 16  # of a pixel: how near to the last place that is not refused
_MOST_STEPS = 1 << 20  # pixels of a way, the last of which that is not refused is looked for


class Drag(NamedTuple):
    """Where an end is to be; None where it stays. With each, what a pixel is worth."""

    end: End
    at: float | None
    value: float | None
    ticks: float
    height: float


class Aim(NamedTuple):
    """What a part is to have: a length in ticks, or a value, how finely it is meant (0: exactly), and the most of a length."""

    index: int
    role: Role
    wanted: Fraction
    resolution: Fraction
    most: Fraction = Fraction(MOST_TICKS)


class Edited(NamedTuple):
    """A document of one schedule after a drag, and what was done that was not asked for."""

    document: Document
    says: str = ""


def edited(document: Document, index: int, drag: Drag) -> Edited:
    """A schedule of a document as a document of its own, after a drag: at the place asked for, or the nearest that is legal."""
    found = Edited(alone(document, index))
    seen = shown(found.document, 0)
    if drag.end.index >= len(seen.parts):
        raise FieldError("handle", PreheatError("there is no such handle", given=drag.end.id, write="draw it again"))
    for change in (_moved, _lifted):
        after = change(found.document, drag)
        found = Edited(after.document, after.says or found.says)
    return found


def edit(given: Mapping[str, Any], points: int) -> dict[str, Any]:
    """The question of the page: its document after a drag, and what is then drawn."""
    document, held = document_from(given.get("document")), given["document"]
    last = len(document.schedules) - 1
    index = counted(given.get("schedule"), f"a schedule of the document is one of 0 to {last}", most=last)
    end = end_of(str(given.get("handle")))
    if end is None:
        raise FieldError("handle", PreheatError("there is no such handle", given=given.get("handle")))
    at, value = (None if given.get(name) is None else finite_number(given[name], name) for name in ("at", "value"))
    low, high = document.view or (0.0, float(shown(document, index).laid.total))
    ticks, height = _size(given, "ticks_per_pixel"), _size(given, "value_per_pixel")
    found = edited(document, index, Drag(end, at, value, ticks or (high - low) / max(points, 1), height))
    after = _put(held, index, found.document)
    drawn = draw(document_from(after), points)
    _keep(drawn["curves"][index], found.document, end)
    return {"document": after, "drawn": drawn, "says": found.says}


def _keep(curve: dict[str, Any], document: Document, end: End) -> None:
    """Keep the handle that is held: where a jump closes, the two that were there are one else."""
    held = handle_of(shown(document, 0), end)
    if (
        math.isfinite(held["at"])
        and "error" not in curve
        and all(handle["id"] != end.id for handle in curve["handles"])
    ):
        curve["handles"] = [*curve["handles"], held]


def _size(given: Mapping[str, Any], name: str) -> float:
    """What a pixel is worth, 0 where that is not said."""
    return max(0.0, finite_number(given.get(name) or 0, name))


def _put(held: Mapping[str, Any], index: int, alone: Document) -> dict[str, Any]:
    """What the page holds, with what of it has changed."""
    written = alone.schedules[0]
    schedules = [dict(one) for one in held["schedules"]]
    schedules[index] |= {"text": written.text, "peak": written.peak}
    if schedules[index].get("given") and not written.given:
        schedules[index] |= {"name": written.name, "given": False}
    return {**held, "schedules": schedules, "peak": alone.peak}


# -- along the axis -----------------------------------------------------------------------------------------------------


def _moved(document: Document, drag: Drag) -> Edited:
    seen, index = shown(document, 0), drag.end.index
    if drag.at is None or drag.at == seen.parts[index].end or drag.end.role != "last" or not moves(seen, index):
        return Edited(document)
    now, resolution = float(seen.parts[index].end), Fraction(max(drag.ticks, 1.0))
    to = _within(seen, index, drag.at)
    if abs(to - now) <= 1e-9 * max(1.0, now):
        return Edited(document)

    def at(time: float) -> Edited | None:
        wanted = Fraction(time)
        every = _candidates(document, _lengths(seen, index, wanted, resolution))
        return next((one for one in every if _has_moved(seen, one.document, index, wanted, resolution)), None)

    return _nearest(at, now, to, float(resolution)) or Edited(document)


def _nearest(at: Callable[[float], Edited | None], now: float, to: float, step: float) -> Edited | None:
    """What there is at the place asked for; where that is refused, what there is at the last of the steps on the way there that
    is not. However far beyond it one asks, the answer is the same, so that a handle never turns back."""
    found, low = at(to), 0.0
    if found is not None:
        return found
    way = min(abs(to - now) / step, _MOST_STEPS)
    high = float(math.ceil(way))
    while high - low > _FINEST:
        middle = (low + high) / 2 if high - low <= 1 else (low + high) // 2
        between = at(now + math.copysign(middle * step, to - now)) if middle < way else None
        low, high, found = (low, middle, found) if between is None else (middle, high, between)
    return found


def _within(seen: Shown, index: int, at: float) -> float:
    """The nearest time at which the end of a part may be: neither before its start nor beyond what it may push away."""
    part, after = seen.parts[index], seen.parts[index + 1 :]
    if after and (is_set(after[0]) or is_rest(after[0])):
        high = float(after[0].end)
    else:
        rest = next((float(one.end - one.start) for one in after if is_rest(one)), None)
        total = seen.laid.run.total
        slack = rest if rest is not None else math.inf if total is None else total - float(seen.parts[-1].end)
        high = part.end + max(0.0, slack)
    return min(max(at, float(part.start)), high, float(MOST_TICKS))


def _lengths(seen: Shown, index: int, to: Fraction, resolution: Fraction) -> list[list[Aim]]:
    """What parts may last so that one of them ends at a time: the part itself and the one after it, or one of both."""
    part = seen.parts[index]
    after = seen.parts[index + 1] if index + 1 < len(seen.parts) else None
    begin, high = Fraction(part.start), Fraction(_within(seen, index, math.inf))
    own = [Aim(index, "length", to - begin, resolution, high - begin)]
    if after is None or not is_set(after):
        return [own]
    back = [Aim(index + 1, "length", Fraction(after.end) - to, resolution, Fraction(after.end) - begin)]
    if not is_set(part):
        return [back]
    both = [*own, Aim(index + 1, "length", Fraction(after.end), Fraction(0))]  # up to where it ended
    inside = part.call.place == after.call.place and part.call.place.word in RECIPES  # which fills its run by itself
    return [own, back, both] if inside else [both]


def _has_moved(before: Shown, document: Document, index: int, to: Fraction, resolution: Fraction) -> bool:
    """Whether an edge is where it was asked for, no other has moved that could stay, and every value is what it was."""
    try:
        after = shown(document, 0)
    except PreheatError:
        return False
    parts, old = after.parts, before.parts
    if len(parts) != len(old) or abs(parts[index].end - to) > resolution + 1:
        return False
    pushes = index + 1 < len(old) and not is_set(old[index + 1]) and not is_rest(old[index + 1])
    stay = [k for k in range(len(old)) if k != index and (k < index or not pushes)]
    if any(parts[k].end != old[k].end and not abs(parts[k].end - old[k].end) <= 1 for k in stay):
        return False
    said = [k for k in range(len(old)) if isinstance(old[k].call.node, Ramp | Hold)]
    near = 1e-9 * before.highest
    return all(abs(parts[k].first - old[k].first) <= near and abs(parts[k].last - old[k].last) <= near for k in said)


# -- in height ----------------------------------------------------------------------------------------------------------


def _lifted(document: Document, drag: Drag) -> Edited:
    seen = shown(document, 0)
    ends = linked(seen, drag.end)
    way, now = way_of(seen, ends), value_at(seen.parts, drag.end)
    if drag.value is None or drag.value == now or way is None:
        return Edited(document)
    resolution = drag.height or seen.highest / _SHARE or 1.0 / _SHARE
    to = _between(seen, ends, drag.value, way, resolution)
    if abs(to - now) <= 1e-12 * max(abs(now), abs(to)):
        return Edited(document)

    def at(value: float) -> Edited | None:
        every = _heights(document, seen, ends, way, (Fraction(value), Fraction(resolution)))
        return next((one for one in every if _has_lifted(seen, one.document, drag.end, value, resolution)), None)

    return _nearest(at, now, to, resolution) or Edited(document)


def _between(seen: Shown, ends: list[End], value: float, way: str, resolution: float) -> float:
    """The nearest value that is legal: not below 0 unless one is, of factors not above the peak, of a peak and of exponential
    ramps above 0."""
    values = [value for part in seen.parts for value in (part.first, part.last)]
    nodes = [seen.parts[end.index].call.node for end in ends]
    low = 0.0 if min(values) >= 0 else -math.inf
    if way != "arguments":
        low = resolution
    elif any(isinstance(node, Ramp) and node.shape.name == "exponential" for node in nodes):
        low = seen.highest * _LEAST
    factors = (way == "arguments" and not seen.laid.rates) or seen.laid.factor is not None
    high = seen.highest if factors and way == "arguments" else math.inf
    return min(max(value, low), high)


def _heights(
    document: Document, seen: Shown, ends: list[End], way: str, wanted: tuple[Fraction, Fraction]
) -> Iterator[Edited]:
    """The documents in which linked ends may have a value."""
    value, resolution = wanted
    now = Fraction(value_at(seen.parts, ends[0]))
    if way == "arguments":
        gains = [Fraction(seen.parts[end.index].gain) for end in ends]
        every = zip(ends, gains, strict=True)
        yield from _candidates(document, [[Aim(*end, value / gain, abs(resolution / gain)) for end, gain in every]])
    elif way == "scale" and seen.form is not None and seen.form.scale is not None:
        scale = seen.form.scale
        times = Fraction(scale.value) * value / now
        new = number(rounded(times, abs(Fraction(scale.value) * resolution / now)))
        yield Edited(_with_text(document, [Change(scale.start, scale.stop, new)]))
    elif seen.laid.factor is not None:
        peak = number(
            rounded(Fraction(seen.laid.factor) * value / now, resolution * Fraction(seen.laid.factor) / abs(now))
        )
        yield Edited(_with_peak(document, peak))


def _has_lifted(before: Shown, document: Document, end: End, to: float, resolution: float) -> bool:
    """Whether an end has the value asked for, and no edge has moved."""
    try:
        after = shown(document, 0)
    except PreheatError:
        return False
    if [(part.start, part.end) for part in after.parts] != [(part.start, part.end) for part in before.parts]:
        return False
    return abs(value_at(after.parts, end) - to) <= resolution * (1 + 1e-9) or abs(to) < resolution


def _with_peak(document: Document, peak: str) -> Document:
    written = document.schedules[0]
    if written.peak.strip():
        return replace(document, schedules=(replace(written, peak=peak),))
    return replace(document, peak=peak)


# -- in the text --------------------------------------------------------------------------------------------------------


def _candidates(document: Document, ways: list[list[Aim]]) -> Iterator[Edited]:
    """The documents that may have what is aimed at in one of several ways: by arguments, else by what calls stand for."""
    for composed in (False, True):
        for aims in ways:
            found = _spelled(document, aims, composed)
            if found is not None:
                yield found


def _spelled(document: Document, aims: list[Aim], composed: bool) -> Edited | None:
    """The document in which the text says what is aimed at; None where that needs a composition that is not wanted."""
    written = list[str]()
    while True:
        try:
            seen = shown(document, 0)
        except PreheatError:
            return None
        if seen.line is None or max(aim.index for aim in aims) >= len(seen.parts):
            return None
        found = _changes(seen, aims, composed)
        if not isinstance(found, Call):
            return Edited(_with_text(document, found), _says(written))
        if not composed or len(written) > len(aims):
            return None
        written.append(quoted(seen.line.text[found.place.start : found.place.stop], _LONGEST)[1:-1])
        document = _with_text(document, [_composition(found)])


def _says(written: list[str]) -> str:
    """What was done to calls that are written out."""
    several = "are" if len(written) > 1 else "is"
    return f"{' and '.join(written)} {several} written out, for no argument says that" if written else ""


def _changes(seen: Shown, aims: list[Aim], composed: bool) -> list[Change] | Call:
    """What makes the text say what is aimed at; or the call that has no argument which says it."""
    found, edge = dict[int, Change](), Fraction(0)
    for aim in aims:
        call = seen.parts[aim.index].call
        argument = None if composed and call.place.word in RECIPES else _argument(seen, aim)
        amount = None if argument is None or aim.role != "length" else _amount(seen, argument)
        if argument is None or (aim.role == "length" and amount is None):
            return call
        if amount is None:
            new = _height(seen, aim, argument)
        elif aim.resolution:
            about = amount.near(aim.wanted, aim.resolution, aim.most)
            edge = amount.edge(Fraction(seen.parts[aim.index].start), about)
            new = amount.text(about)
        else:
            new = amount.text(amount.exactly(max(Fraction(0), aim.wanted - edge)))
        found[argument.start] = argument.change(new)
    return list(found.values())


def _argument(seen: Shown, aim: Aim) -> Argument | None:
    text = "" if seen.line is None else seen.line.text
    end = End(aim.index, aim.role)
    return argument_of(seen.parts[aim.index].call, aim.role, text, aim.role != "length" and is_top(seen, end))


def _height(seen: Shown, aim: Aim, argument: Argument) -> str:
    """A value as it is typed: of a ratio, its share of the highest."""
    if not argument.ratio:
        return number(rounded(aim.wanted, aim.resolution))
    top = Fraction(seen.highest) / Fraction(seen.parts[aim.index].gain)
    return number(rounded(aim.wanted / top, aim.resolution / top))


def _amount(seen: Shown, argument: Argument) -> Amount | None:
    """The unit of a length; None where its worth is not known."""
    if not argument.share:
        return Amount(argument.typed, seen.laid.run)
    total = argument.total or seen.laid.run.total
    return None if total is None else Amount(argument.typed, seen.laid.run, Fraction(total))


def _composition(call: Call) -> Change:
    """A call's composition, to be put in its place: in brackets where a method follows."""
    value = call.place.value
    several = call.held and isinstance(value, Sequence | Pointwise)
    return Change(call.place.start, call.place.stop, f"({value!r})" if several else repr(value))


def _with_text(document: Document, changes: list[Change]) -> Document:
    line, written = shown(document, 0).line, document.schedules[0]
    assert line is not None
    return replace(document, schedules=(written.with_text(line.changed(changes)),))
