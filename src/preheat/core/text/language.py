"""The language: the grammar with the words of every kind of node, of the constructors and of the recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preheat.core import shapes
from preheat.core.errors import ParseError, shown
from preheat.core.node import KINDS, Schedule
from preheat.core.plan import Plan, absolute
from preheat.core.text.parser import Language, Reader
from preheat.core.text.printer import TIGHTNESS

_learned: dict[str, Callable[..., Any]] = {**shapes.WORDS, "absolute": absolute}


def learn(*functions: Callable[..., Any]) -> None:
    """Add words by their names: how constructors and recipes, which stand above, become readable."""
    _learned.update((function.__name__, function) for function in functions)


def read(text: str) -> Any:
    """Whatever the language says in `text`: a schedule, a shape, or a line of a plan."""
    return Reader(text, _language()).result()


def parse(text: str) -> Schedule:
    """The schedule that `text` describes: what repr prints, and the recipe words. Nothing is evaluated.

    text: at most 256 KiB, nested at most 32 deep.

    >>> parse("warmup('5%') >> decay(to=0.1, shape='cosine')")
    ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.1, 'rest', shape='cosine')

    Raises ParseError (a PreheatError) with the column, and the nearest word where there is one.
    """
    value = read(text)
    if not isinstance(value, Schedule):
        raise ParseError(f"{shown(text)} is not a schedule", write="write for example warmup('5%') >> decay()")
    return value


def read_plan(text: str) -> Plan:
    """The plan that `Plan.to_text` wrote; raises ParseError for anything else. Nothing is evaluated."""
    import json  # not every import of preheat reads a plan

    try:
        lines = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ParseError(f"cannot read a plan from {shown(text)}: {error}") from None
    if not isinstance(lines, dict):
        raise ParseError("a plan is a JSON object from line to schedule", given=lines)
    return Plan({key: read(value) for key, value in lines.items()})


def _language() -> Language:
    """As it is now: a kind of node is part of it once its class exists."""
    called = {word: kind for word, kind in KINDS.items() if kind._form == "call"}
    methods = [word for word, kind in KINDS.items() if kind._form == "method"]
    infix = sorted((kind for kind in KINDS.values() if kind._form == "infix"), key=lambda kind: TIGHTNESS[kind._sign])
    return Language(
        words=called | _learned,
        methods={word: getattr(Schedule, word) for word in (*methods, "clipped")},
        signs=[(kind._sign, kind) for kind in infix],
        has_methods=lambda value: isinstance(value, Schedule),
    )
