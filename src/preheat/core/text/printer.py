"""A schedule printed in the language. It needs only what a node says of itself: its word, its form and its fields."""

from __future__ import annotations

from typing import Any

from preheat.core.spans import Span

TIGHTNESS = {">>": 0, "+": 1, "*": 2}  # as in Python: what binds tighter comes later


def text(node: Any) -> str:
    """The text of a node: what `parse` reads back as an equal value."""
    if node._form == "infix":
        return f" {node._sign} ".join(_operand(child, TIGHTNESS[node._sign]) for child in node._children)
    if node._form == "method":
        return f"{_operand(node.base, len(TIGHTNESS))}.{node._word}({_arguments(node, node.__match_args__[1:])})"
    return f"{node._word}({_arguments(node, node.__match_args__)})"


def _arguments(node: Any, names: tuple[str, ...]) -> str:
    """The fields as arguments: those with a default by name, where they differ from it; child nodes each for itself."""
    given = []
    for name in names:
        value = getattr(node, name)
        if value and value is node._children:
            given += [text(child) for child in value]
        elif name not in node._defaults:
            given.append(_argument(value))
        elif value != node._defaults[name]:
            given.append(f"{name}={_argument(value)}")
    return ", ".join(given)


def _argument(value: Any) -> str:
    return str(value) if isinstance(value, Span) else repr(list(value) if isinstance(value, tuple) else value)


def _operand(node: Any, tightness: int) -> str:
    """The text of an operand, in brackets where the operator around it binds tighter."""
    loose = node._form == "infix" and TIGHTNESS[node._sign] < tightness
    return f"({text(node)})" if loose else text(node)
