"""A config as a file: its text, and its data by what kind of file it is. Nothing is imported or evaluated."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from preheat.core.errors import ParseError, PreheatError
from preheat.core.extras import needed

MOST = 4 << 20  # bytes of a config


class Config:
    """A config: its name, its text, and what it says.

    >>> config = Config("train.toml", "[training]\\nsteps = 10")
    >>> config.kind, config.data
    ('toml', {'training': {'steps': 10}})
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    @classmethod
    def of(cls, path: str | Path) -> Config:
        """The file; raises PreheatError where it cannot be read, or is too large to be a config."""
        where = Path(path)
        try:
            if where.stat().st_size > MOST:
                raise PreheatError(f"{where.name} is too large to be a config: {where.stat().st_size:,} bytes")
            return cls(where.name, where.read_text(encoding="utf-8"))
        except OSError as error:
            raise PreheatError(f"cannot read {where.name}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise PreheatError(f"{where.name} is no text") from None

    @property
    def kind(self) -> str:
        """json, yaml, toml, python, or text for anything else."""
        suffixes = {"json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "py": "python"}
        return suffixes.get(self.name.lower().rpartition(".")[2], "text")

    @cached_property
    def data(self) -> dict[str, Any]:
        """What a file of JSON, YAML, TOML, or of Python's assignments says, by key; {} of any other.

        Raises ParseError where it cannot be read as what its name says.
        """
        read = {"json": json.loads, "yaml": _yaml, "toml": tomllib.loads, "python": assignments}.get(self.kind)
        if read is None:
            return {}
        try:
            found = read(self.text)
        except PreheatError:
            raise
        except (ValueError, RecursionError, SyntaxError) as error:
            raise ParseError(f"{self.name} cannot be read as {self.kind}: {error}") from None
        if not isinstance(found, Mapping):
            raise ParseError(f"{self.name} holds no keys at its top")
        return dict(found)

    def __repr__(self) -> str:
        return self.name


def assignments(text: str) -> dict[str, Any]:
    """The names that a Python file assigns at its top, with their values where these are literals, `dict(…)` or arithmetic.

    Read as syntax, never run. A value that is none of these is left out.

    >>> assignments("lr = 2 * 1e-3\\nsched = dict(type='Cosine', begin=5)\\nimport os\\nout = os.getcwd()")
    {'lr': 0.002, 'sched': {'type': 'Cosine', 'begin': 5}}
    """
    found: dict[str, Any] = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets: list[ast.expr] = [statement.target]
        elif isinstance(statement, ast.Assign):
            targets = statement.targets
        else:
            continue
        try:
            value = literal(statement.value, found)
        except ValueError:
            continue
        found.update((target.id, value) for target in targets if isinstance(target, ast.Name))
    return found


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


def _yaml(text: str) -> Any:
    with needed("a YAML config", "configs"):
        import yaml
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParseError(f"not readable as YAML: {error}") from None
