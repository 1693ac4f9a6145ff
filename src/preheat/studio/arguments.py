"""Which argument of a call says how long a part lasts, where it begins and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any, Literal, NamedTuple

from preheat.core import constructors
from preheat.core.text.located import Place
from preheat.recipes.registry import RECIPES
from preheat.studio.lines import Change
from preheat.studio.parts import Call

Role = Literal["length", "first", "last"]

_SAYS: dict[str, dict[Role, str]] = {
    "ramp": {"length": "span", "first": "start", "last": "end"},
    "warmup": {"length": "span", "first": "start"},
    "decay": {"length": "span", "last": "to"},
    "hold": {"length": "span", "first": "value", "last": "value"},
    "steps": {"length": "spans", "first": "values", "last": "values"},
    "invsqrt": {"length": "span"},
    "saturating": {"length": "span"},
    "rectified": {"length": "span"},
}
_WARMUP, _DECAY = ("warmup_steps", "warmup_ratio", "pct_start"), ("decay_steps", "decay_ratio")
_UNSAID = ("pct_start", "decay_ratio")
_SHARES = ("warmup_ratio", "decay_ratio", "pct_start")


class Argument(NamedTuple):
    """An argument of a call: what stands in `text[start:stop]`, as it was typed, "" where it is not said.

    before, after: what is to stand around it.   share: whether it is a share of the run, whose total is the call's own if it
    says one.   ratio: whether it is a share of the peak.
    """

    start: int
    stop: int
    typed: str
    before: str = ""
    after: str = ""
    share: bool = False
    total: int | None = None
    ratio: bool = False

    def change(self, new: str) -> Change:
        """What makes it another."""
        return Change(self.start, self.stop, f"{self.before}{new}{self.after}")


def argument_of(call: Call, role: Role, text: str, peak: bool) -> Argument | None:
    """The argument of a call that says this of one of its parts; None where none says exactly that.

    peak: whether it is the highest value that is asked about.
    """
    word = call.place.word
    if word in RECIPES:
        return _of_recipe(call, role, text, peak)
    name = _SAYS.get(word, {}).get(role)
    if name is None:
        return None
    given = _given(call.place)
    if word == "steps":
        place = given[name].inside[call.index]
        return Argument(place.start, place.stop, text[place.start : place.stop])
    if word == "hold" and isinstance(getattr(given.get("value"), "value", None), str):  # a text alone is its length
        length = given["value"]
        if name == "span":
            return Argument(length.start, length.stop, text[length.start : length.stop])
        before = f"{length.name}=" if length.name else ""
        return None if before else Argument(length.start, length.start, "", after=", ")
    return _argument(call.place, name, given.get(name), text)


def _of_recipe(call: Call, role: Role, text: str, peak: bool) -> Argument | None:
    given, known = _given(call.place), _parameters(call.place.word)
    if role == "length":
        names = _WARMUP if call.index == 0 else _DECAY if call.index == call.of - 1 else ()
        usual = [name for name in _UNSAID if name in names]  # those that have a length although they are not said
        name = next((name for name in (*names, *usual) if name in given or name in usual), None)
        if name not in known:
            return None
        total = given["total_steps"].value if "total_steps" in given else None
        total = total if isinstance(total, int) else None
        return _argument(call.place, name, given.get(name), text)._replace(share=name in _SHARES, total=total)
    if peak:
        found = given.get("peak_lr")
        return None if found is None else _argument(call.place, "peak_lr", found, text)
    end = (
        "start"
        if role == "first" and call.index == 0
        else "min"
        if role == "last" and call.index == call.of - 1
        else ""
    )
    names = [f"{end}_lr", f"{end}_lr_ratio" if end == "min" else f"{end}_ratio"]
    name = next((name for name in names if name in given), names["peak_lr" not in given])
    if name not in known:
        return None
    return _argument(call.place, name, given.get(name), text)._replace(ratio=name.endswith("ratio"))


def _argument(call: Place, name: str, place: Place | None, text: str) -> Argument:
    if place is not None:
        return Argument(place.start, place.stop, text[place.start : place.stop])
    before = f", {name}=" if call.inside else f"{name}="
    return Argument(call.stop - 1, call.stop - 1, "", before)


def _given(call: Place) -> dict[str, Place]:
    """The arguments of a call by their names."""
    return {place.name or name: place for name, place in zip(_padded(call), call.inside, strict=False)}


def _padded(call: Place) -> tuple[str, ...]:
    known = _parameters(call.word)
    return known + ("",) * max(0, len(call.inside) - len(known))


@cache
def _parameters(word: str) -> tuple[str, ...]:
    function: Callable[..., Any] = RECIPES.get(word) or getattr(constructors, word)
    return tuple(signature(function).parameters)
