"""Rules as data, described by a JSON Schema that is made from their fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from preheat.core.text.schema import DIALECT, SPAN, described, of_type, one_of_kinds
from preheat.session.rules import KINDS, Rule, needed


def rules_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `rules=` takes as data: a list of mappings, each with the `kind` of a rule.

    It accepts all rules that can be made, and refuses unknown kinds and keys, keys that are missing, and values of another
    type; ranges are the rules' own.

    >>> rules_schema()["$defs"]["Rewarm"]["required"]
    ['kind', 'metric']
    """
    kinds = {word: described(word, kind, _fields(kind), needed(kind)) for word, kind in KINDS.items()}
    return {
        "$schema": DIALECT,
        "title": "Rules of preheat as data",
        "type": "array",
        "items": one_of_kinds(KINDS),
        "$defs": {"span": SPAN, **kinds},
    }


def _fields(kind: type[Rule]) -> dict[str, Any]:
    return {field.name: of_type(str(field.type)) for field in fields(kind)}
