"""Values of Python's literals, `dict(…)`, arithmetic and names that are known: read as syntax, never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from preheat.core.errors import ParseError


def literal(node: ast.AST | None, names: Mapping[str, Any]) -> Any:
    """The value of an expression of literals, `dict(…)`, arithmetic and names that are known; raises ValueError for others."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.List(elts=items):
            return [literal(item, names) for item in items]
        case ast.Tuple(elts=items):
            return tuple(literal(item, names) for item in items)
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {literal(k, names): literal(v, names) for k, v in zip(keys, values, strict=True)}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=pairs) if all(pair.arg for pair in pairs):
            return {pair.arg: literal(pair.value, names) for pair in pairs}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_number(left, names), _number(right, names))
    raise ValueError("no literal")


def literal_text(text: str) -> Any:
    """The value of a text that is a literal; raises ParseError for any other."""
    try:
        return literal(ast.parse(text.strip(), mode="eval").body, {})
    except (ValueError, SyntaxError, RecursionError):
        raise ParseError(f"{text!r} is no literal") from None


def _number(node: ast.AST, names: Mapping[str, Any]) -> int | float:
    value = literal(node, names)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return value


def _power(a: float, b: float) -> float:
    if abs(b) > 100 or abs(a) > 1e100:
        raise ValueError("too large")
    return a**b


def _divided(a: float, b: float, whole: bool) -> float:
    if not b:
        raise ValueError("a division by zero")
    return a // b if whole else a / b


_ARITHMETIC: dict[type, Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: _divided(a, b, False),
    ast.FloorDiv: lambda a, b: _divided(a, b, True),
    ast.Pow: _power,
}
