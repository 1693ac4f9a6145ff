"""What of a curve can be dragged: the ends of its parts, along the axis and in height. What cannot has no handle.

A point's height is that of every part that meets there at the same value, through holds too, so that a peak stays one. The
top of factors is the peak, whatever the text: a drag changes the peak that was filled in, or a `.scaled(k)`; without either the
top stays.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from preheat.core.errors import shown as quoted
from preheat.core.nodes.leaves import Hold, Leaf, Ramp
from preheat.core.stated import Absolute, Relative
from preheat.recipes.registry import RECIPES
from preheat.studio.arguments import Role, argument_of
from preheat.studio.parts import MOST, Part
from preheat.studio.shown import Shown

_SAME = 1e-12  # of the highest value: two parts that meet there are one point
Way = Literal["arguments", "scale", "peak"]


class End(NamedTuple):
    """An end of a part: its first or its last value."""

    index: int
    role: Role

    @property
    def id(self) -> str:
        """Its name on the page, the same as long as the text has the same parts."""
        return f"{'start' if self.role == 'first' else 'end'}:{self.index}"


def end_of(name: str) -> End | None:
    """The end that a name on the page stands for."""
    kind, _, index = name.partition(":")
    role: dict[str, Role] = {"start": "first", "end": "last"}
    known = kind in role and index.isascii() and index.isdigit() and len(index) < 6
    return End(int(index), role[kind]) if known else None


def handles_of(seen: Shown) -> list[dict[str, Any]]:
    """The handles of a schedule, as the page draws them."""
    found = [handle_of(seen, end) for end in _ends(seen)]
    return [handle for handle in found if (handle["time"] or handle["height"]) and math.isfinite(handle["at"])]


def fixed_of(seen: Shown) -> str:
    """Why a schedule that has no handle has none."""
    if seen.form is None:
        return "No point can be dragged: this line stands in the plan as data, not as text."
    if len(seen.form.calls) > MOST:
        return f"No point can be dragged: there are more than {MOST} parts."
    free = [call.place.word for call in seen.form.calls if not isinstance(call.node, Ramp | Hold)]
    by = " and ".join(dict.fromkeys(filter(None, free)))
    made = f"the curve comes of {by}, and only" if by else "only"
    return (
        f"No point can be dragged: {made} warmups, holds, decays and ramps one after another (>>) have points that can."
    )


def handle_of(seen: Shown, end: End) -> dict[str, Any]:
    """An end as the page draws it."""
    part = seen.parts[end.index]
    start, stop = part.text
    text = "" if seen.line is None else seen.line.text[start:stop]
    of = f"part {part.call.index + 1} of " if part.call.of > 1 else ""
    return {
        "id": end.id,
        "at": _at(seen, end),
        "value": value_at(seen.parts, end),
        "time": end.role == "last" and moves(seen, end.index),
        "height": way_of(seen, linked(seen, end)) is not None,
        "label": f"{'start' if end.role == 'first' else 'end'} of {of}{quoted(text, 60)[1:-1]}",
    }


def value_at(parts: tuple[Part, ...], end: End) -> float:
    """The value at an end."""
    part = parts[end.index]
    return part.first if end.role == "first" else part.last


def is_top(seen: Shown, end: End) -> bool:
    """Whether no part begins or ends higher."""
    return abs(abs(value_at(seen.parts, end)) - seen.highest) <= _SAME * seen.highest


def linked(seen: Shown, end: End) -> list[End]:
    """All the ends that meet an end at its value, and those of holds between them."""
    parts, near = seen.parts, _SAME * seen.highest
    value, waiting, found = value_at(parts, end), [end], list[End]()
    while waiting:
        one = waiting.pop()
        at_same = 0 <= one.index < len(parts) and abs(value_at(parts, one) - value) <= near
        if one in found or not at_same:
            continue
        found.append(one)
        waiting.append(End(one.index + 1, "first") if one.role == "last" else End(one.index - 1, "last"))
        if isinstance(parts[one.index].call.node, Hold):
            waiting.append(End(one.index, "first" if one.role == "last" else "last"))
    return sorted(found)


def way_of(seen: Shown, ends: list[End]) -> Way | None:
    """What says the height of linked ends: the arguments of their parts, a scale or the peak; None where nothing does."""
    laid, form, line = seen.laid, seen.form, seen.line
    if form is None or line is None:
        return None
    value = value_at(seen.parts, ends[0])
    top = bool(value) and is_top(seen, ends[0])
    scale: Way | None = "scale" if form.scale is not None and top else None
    settable = all(isinstance(seen.parts[end.index].call.node, Ramp | Hold) for end in ends)
    if isinstance(laid.written, Absolute | Relative):
        said = [argument_of(seen.parts[end.index].call, end.role, line.text, top) for end in ends]
        return scale if scale and not all(said) else "arguments" if settable else scale
    if not top or (not laid.is_rate and laid.rates):
        return "arguments" if settable else None
    peak: Way | None = "peak" if laid.factor is not None else None
    return (peak or scale) if laid.key == "lr" else (scale or peak)


def is_set(part: Part) -> bool:
    """Whether the length of a part is said by a number that can be another."""
    return isinstance(part.call.node, Leaf) and not part.call.node.span.is_rest


def is_rest(part: Part) -> bool:
    """Whether a part takes what the others leave."""
    return part.call.node._grows


def moves(seen: Shown, index: int) -> bool:
    """Whether the end of a part can be moved along the axis: by its length, or by that of the next if it takes what is left."""
    part = seen.parts[index]
    after = seen.parts[index + 1] if index + 1 < len(seen.parts) else None
    if after is None and (
        part.call.place.word in RECIPES or any(map(is_rest, seen.parts))
    ):  # it ends where the run does
        return False
    return is_set(part) or (is_rest(part) and after is not None and is_set(after))


def _ends(seen: Shown) -> list[End]:
    found = list[End]()
    for index in range(len(seen.parts)):
        first = End(index, "first")
        if index == 0 or End(index - 1, "last") not in linked(seen, first):
            found.append(first)
        found.append(End(index, "last"))
    return [end for end in found if 0 <= _at(seen, end) <= seen.laid.total]


def _at(seen: Shown, end: End) -> float:
    part = seen.parts[end.index]
    return part.start if end.role == "first" else part.end
