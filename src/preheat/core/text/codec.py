"""A schedule as text and as plain data, both ways. The text is the language: what prints can be pasted and parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from preheat.core import constructors, shapes
from preheat.core.errors import ParseError, PreheatError, nearest, shown
from preheat.core.node import MAX_NESTING, Schedule
from preheat.core.nodes import combine, leaves
from preheat.core.nodes.repeated import Repeated, Truncated
from preheat.core.shapes import Shape
from preheat.core.spans import Span
from preheat.core.text.parser import Reader

# every kind of node, by the word that stands for it in text and data
CALLS: dict[str, type] = {
    "ramp": leaves.Ramp,
    "hold": leaves.Hold,
    "invsqrt": leaves.InvSqrt,
    "saturating": leaves.Saturating,
    "rectified": leaves.Rectified,
    "table": leaves.Table,
    "lower": combine.Lower,
    "upper": combine.Upper,
}
METHODS: dict[str, type] = {
    "scaled": combine.Scaled,
    "repeated": Repeated,
    "shifted": combine.Shifted,
    "truncated": Truncated,
}
INFIX: dict[str, type] = {"sequence": combine.Sequence, "product": combine.Product}
KINDS: dict[str, type] = {**CALLS, **METHODS, **INFIX}
_WORD = {kind: word for word, kind in KINDS.items()}

_vocabulary: dict[str, Callable[..., Any]] = {
    **{word: getattr(constructors, word) for word in (*CALLS, "warmup", "decay", "steps")},
    "power": shapes.power,
    "reverse": shapes.reverse,
}
_methods = {word: getattr(Schedule, word) for word in (*METHODS, "clipped")}


def learn(**functions: Callable[..., Any]) -> None:
    """Add words to the vocabulary: how the recipes, which the core does not know, become readable."""
    _vocabulary.update(functions)


def read(text: str) -> Any:
    """Whatever the language says in `text`: a schedule, a shape, or a line of a plan."""
    return Reader(text, _vocabulary, _methods).result()


def parse(text: str) -> Schedule:
    """The schedule that `text` describes: what repr prints, and the recipe words. Nothing is evaluated.

    text: at most 256 KiB, nested at most 32 deep.

    >>> parse("warmup('5%') >> decay(to=0.1, shape='cosine')")
    ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.1, 'rest', shape='cosine')

    Raises ParseError (a PreheatError) with the column, and the nearest word where there is one.
    """
    value = read(text)
    if not isinstance(value, Schedule):
        raise ParseError(f"{shown(text)} is not a schedule; write for example warmup('5%') >> decay()")
    return value


def text(node: Schedule) -> str:
    """The text of a schedule: its repr."""
    word = _WORD[type(node)]
    if word in INFIX:
        sign = " >> " if word == "sequence" else " * "
        return sign.join(_bracketed(child, word == "product") for child in node._children)
    own = [f for f in fields(node) if f.name not in ("base", "operands")]  # type: ignore[arg-type]
    given = [text(child) for child in node._children] if word in ("lower", "upper") else []
    given += [_argument(f, getattr(node, f.name)) for f in own if getattr(node, f.name) != f.default]
    prefix = f"{_bracketed(node._children[0], True)}." if word in METHODS else ""
    return f"{prefix}{word}({', '.join(given)})"


def to_dict(schedule: Schedule) -> dict[str, Any]:
    """The schedule as plain data that JSON can hold: `{"kind": "ramp", "start": 0.0, …}`.

    >>> from preheat import hold
    >>> to_dict(hold(1.0, "5%"))
    {'kind': 'hold', 'value': 1.0, 'span': '5%'}

    Raises PreheatError for what is not a schedule.
    """
    if not isinstance(schedule, Schedule):
        raise PreheatError(f"to_dict takes a schedule, not {shown(schedule)}")
    own = {f.name: _plain(getattr(schedule, f.name)) for f in fields(schedule)}  # type: ignore[arg-type]
    return {"kind": _WORD[type(schedule)], **own}


def from_dict(data: Mapping[str, Any]) -> Schedule:
    """The schedule that `to_dict` made `data` from; `from_dict(to_dict(s)) == s`.

    >>> from_dict({"kind": "hold", "value": 1.0, "span": "5%"})
    hold(1.0, '5%')

    Raises PreheatError for an unknown kind, a missing or unknown key, or a value that the kind refuses.
    """
    return _from(data, 1)


def _from(data: object, depth: int) -> Schedule:
    if depth > MAX_NESTING:
        raise PreheatError(f"schedules nest at most {MAX_NESTING} deep")
    if not isinstance(data, Mapping) or not isinstance(word := data.get("kind"), str):
        raise PreheatError(f"a schedule as data is a mapping with a 'kind', not {shown(data)}")
    if word not in KINDS:
        raise PreheatError(f"unknown kind {shown(word)}{nearest(word, KINDS)}")
    known = {f.name: f for f in fields(KINDS[word])}
    given = {key: value for key, value in data.items() if key != "kind"}
    for key in given:
        if key not in known:
            raise PreheatError(f"{word} has no {shown(key)}{nearest(str(key), known)}")
    if missing := [name for name, f in known.items() if f.default is MISSING and name not in given]:
        raise PreheatError(f"{word} lacks {', '.join(missing)}")
    return KINDS[word](**{name: _value(name, value, depth) for name, value in given.items()})


def _value(name: str, value: Any, depth: int) -> Any:
    if name == "base":
        return _from(value, depth + 1)
    if name in ("parts", "operands"):
        if not isinstance(value, list | tuple):
            raise PreheatError(f"{name} is a list of schedules, not {shown(value)}")
        return tuple(_from(item, depth + 1) for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Shape):
        return repr(value) if value.nesting else value.name
    return value.value if isinstance(value, Span) else value


def _argument(field: Field[Any], value: Any) -> str:
    shown_as = str(value) if isinstance(value, Span) else repr(list(value) if isinstance(value, tuple) else value)
    return shown_as if field.default is MISSING else f"{field.name}={shown_as}"


def _bracketed(node: Schedule, tight: bool) -> str:
    """The text of an operand, in brackets where the operator around it binds tighter."""
    return f"({text(node)})" if tight and type(node) in INFIX.values() else text(node)
