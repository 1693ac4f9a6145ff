"""Schedules and plans as data, described by a JSON Schema (2020-12) that is made from the fields of the kinds."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterable, Mapping
from typing import Any

from preheat.core import plan, spans
from preheat.core.checks import MOST_TICKS
from preheat.core.node import KINDS, Schedule
from preheat.core.shapes import WORDS, WRITTEN
from preheat.core.text.codec import STATED, needed

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEDULE: dict[str, Any] = {"$ref": "#/$defs/schedule"}
_SPAN: dict[str, Any] = {"$ref": "#/$defs/span"}
_OF_TYPE: dict[str, dict[str, Any]] = {  # what a field holds, by its annotation
    "Schedule": _SCHEDULE,
    "tuple[Schedule, ...]": {"type": "array", "items": _SCHEDULE, "minItems": 2},
    "tuple[float, ...]": {"type": "array", "items": {"type": "number"}, "minItems": 1},
    "Span": _SPAN,
    "SpanLike": _SPAN,
    "Shape": {"$ref": "#/$defs/shape"},
    "float": {"type": "number"},
    "Number": {"type": "number"},
    "int": {"type": "integer"},
    "int | None": {"type": ["integer", "null"]},
    "str": {"type": "string"},
    "str | None": {"type": ["string", "null"]},
}
SPAN: dict[str, Any] = {
    "description": "A length: ticks, or text with a unit, such as '500 steps', '2 epochs', '1.5B tokens', '5%' or 'rest'.",
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": MOST_TICKS},
        {"type": "string", "pattern": spans.PATTERN},
    ],
}
_SHAPE: dict[str, Any] = {
    "description": "How a ramp goes from its start to its end: a name, or text such as 'power(2)'.",
    "anyOf": [
        {"enum": list(WRITTEN)},
        {"type": "string", "pattern": rf"(?:{'|'.join(WORDS)})\s*\("},
    ],
}


def schema() -> dict[str, Any]:
    """The JSON Schema of what `to_dict` gives and `from_dict` takes: a schedule, rates, or a plan.

    It accepts all that `from_dict` accepts, and refuses unknown kinds, keys, shapes and units, keys that are missing, and
    values of another type. It does not look into the text of a plan's line, and says nothing of ranges or of what parts mean
    beside one another (two `rest`, an exponential ramp from 0, nesting beyond 32): there `from_dict` alone refuses.

    >>> schema()["$defs"]["hold"]["required"]
    ['kind', 'value', 'span']
    """
    line = {"anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/line"}]}
    names = {"pattern": plan.PATTERN, "not": {"enum": list(plan.NO_LINES)}}
    stated = {word: {"schedule": _SCHEDULE} for word in STATED}
    return {
        "$schema": DIALECT,
        "title": "A schedule, rates, or a plan of preheat as data",
        "type": "object",
        "if": {"required": ["kind"]},
        "then": {"$ref": "#/$defs/line"},
        "else": {"$ref": "#/$defs/plan"},
        "$defs": {
            "plan": {"type": "object", "minProperties": 1, "propertyNames": names, "additionalProperties": line},
            "line": one_of_kinds([*STATED, *KINDS]),
            "schedule": one_of_kinds(KINDS),
            "span": SPAN,
            "shape": _SHAPE,
            **{word: described(word, STATED[word], fields, ["schedule"]) for word, fields in stated.items()},
            **{word: described(word, kind, _fields(kind), needed(kind)) for word, kind in KINDS.items()},
        },
    }


def one_of_kinds(words: Iterable[str]) -> dict[str, Any]:
    """An object whose `kind` is one of the words, and which is as the definition of that word says."""
    kinds = list(words)
    cases = [{"if": {"properties": {"kind": {"const": word}}}, "then": {"$ref": f"#/$defs/{word}"}} for word in kinds]
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": kinds}}, "allOf": cases}


def described(word: str, kind: type, fields: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    """The definition of a kind: its fields and no others."""
    return {
        "type": "object",
        "description": (kind.__doc__ or word).partition("\n")[0],
        "properties": {"kind": {"const": word}, **fields},
        "required": ["kind", *required],
        "additionalProperties": False,
    }


def of_type(annotation: str) -> dict[str, Any]:
    """What a field with that annotation holds; anything, where it is one of a kind of your own that is not known here."""
    if annotation.startswith("Literal["):
        return {"enum": literal_eval(annotation.removeprefix("Literal"))}
    return _OF_TYPE.get(annotation, {})


def _fields(kind: type[Schedule]) -> dict[str, Any]:
    annotations = {
        name: text for base in reversed(kind.__mro__) for name, text in vars(base).get("__annotations__", {}).items()
    }
    return {name: of_type(annotations.get(name, "")) for name in kind.__match_args__}
