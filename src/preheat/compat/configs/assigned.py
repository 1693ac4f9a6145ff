"""A Python config as the names that it assigns at its top: read as syntax, in its order, never run.

A name that something else may have changed than a literal is known to be so, and never the value from before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from preheat.compat.configs.literals import literal
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.value import Value

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_ANYTHING = {"exec", "eval", "globals", "locals", "vars", "setattr", "compile", "__import__"}
_LOOKING = {
    "print",
    "len",
    "repr",
    "str",
    "int",
    "float",
    "sum",
    "min",
    "max",
    "sorted",
    "isinstance",
    "round",
    "range",
}


class Unread(Value):
    """In the place of a value: said, and no literal. line, text: where, and what stands there."""

    __slots__ = ("line", "text")

    line: int
    text: str

    def __init__(self, line: int, text: str) -> None:
        self._set(line=line, text=text)

    @classmethod
    def of(cls, node: ast.stmt | ast.expr) -> Unread:
        """What stands in a node, its first line."""
        return cls(node.lineno, shown(ast.unparse(node).partition("\n")[0], 60)[1:-1])

    def refusal(self, what: str) -> PreheatError:
        """What there is to say where the value is needed."""
        where = f"{what} is changed or computed in line {self.line}, `{self.text}`, which is not run here"
        return PreheatError(where, write="write its value as a literal")


def assigned(text: str) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """The names, with their values where these are literals, `dict(…)` or arithmetic, else Unread; and what may set any name.

    >>> assigned("lr = 2 * 1e-3\\nlr *= 2\\nsched = dict(type='Cosine', begin=5)")[0]
    {'lr': 0.004, 'sched': {'type': 'Cosine', 'begin': 5}}
    >>> assigned("lr = 1.0\\nif fast: lr = 2.0")[0]["lr"].line
    2
    """
    tree, names = ast.parse(text), _Names()
    for statement in tree.body:
        names.follow(statement)
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            names.lose(node.names, Unread.of(node))
    return names.values, tuple(names.findings)


def unread(value: Any) -> Unread | None:
    """The first in a value that is no literal."""
    if isinstance(value, Unread):
        return value
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for one in inside if (found := unread(one)) is not None), None)


class _Names:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.findings: list[Finding] = []

    def follow(self, statement: ast.stmt) -> None:
        """What a statement at the top makes of the names."""
        why, inside = Unread.of(statement), list(_executed(statement))
        if any(_sets_anything(node) for node in inside):
            what = f"`{why.text}` may set any name here, and is not run: what it says is missing"
            self.findings.append(Finding("not-carried", f"line {why.line}", what, "write out what it says"))
        changed = {name for node in inside for name in _changed(node)}
        passed = {name for node in inside for name in _passed(node) if isinstance(self.values.get(name), list | dict)}
        plain = self._plain(statement)
        if lost := passed | (changed - set(plain)):
            self.lose(lost, why)
        self.values.update(plain)

    def lose(self, names: Any, why: Unread) -> None:
        """These are no longer known, nor is what holds, or is held in, the same list or dict."""
        held = {id(one) for name in names for one in _mutable(self.values.get(name))}
        also = [key for key, value in self.values.items() if held and held & {id(one) for one in _mutable(value)}]
        self.values.update(dict.fromkeys((*names, *also), why))

    def _plain(self, statement: ast.stmt) -> dict[str, Any]:
        """The names that a plain assignment sets, a += of numbers, or one of several at once, with their values."""
        match statement:
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=more):
                left = ast.Name(id=target.id, ctx=ast.Load())
                whole = ast.copy_location(ast.BinOp(left=left, op=op, right=more), statement)
                return {name: _value(whole, self.values)}
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                targets: list[ast.expr] = [target]
            case ast.Assign(targets=targets, value=value):
                pass
            case _:
                return {}
        found, plain = _value(value, self.values), {}
        for target in targets:
            if isinstance(target, ast.Name):
                plain[target.id] = found
            elif isinstance(target, ast.Tuple | ast.List) and isinstance(found, list | tuple):
                own = [one.id for one in target.elts if isinstance(one, ast.Name)]
                plain |= zip(own, found, strict=True) if len(own) == len(target.elts) == len(found) else ()
        return plain


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value as far as it is literal: what is not is Unread, alone where it stands in a list or a dict."""
    try:
        return literal(node, names)
    except (ValueError, ArithmeticError, TypeError):
        pass
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items) if not any(isinstance(one, ast.Starred) for one in items):
            return [_value(one, names) for one in items]
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            return {k.value: _value(v, names) for k, v in zip(keys, values, strict=True)}  # type: ignore[union-attr]
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=pairs) if all(pair.arg for pair in pairs):
            return {pair.arg: _value(pair.value, names) for pair in pairs}
    return Unread.of(node)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all that runs with it: not the bodies of functions and classes."""
    yield node
    for inner in () if isinstance(node, _OWN_SCOPE) else ast.iter_child_nodes(node):
        if isinstance(node, _LOOPS) and isinstance(inner, ast.comprehension):
            yield from (one for part in (inner.iter, *inner.ifs) for one in _executed(part))
        else:
            yield from _executed(inner)


def _sets_anything(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(one.name == "*" for one in node.names)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ANYTHING


def _changed(node: ast.AST) -> list[str]:
    """The names that a node sets, deletes, changes inside, or calls a method of."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case (
            ast.Subscript(value=inner, ctx=ast.Store() | ast.Del())
            | ast.Attribute(value=inner, ctx=ast.Store() | ast.Del())
        ):
            return _root(inner)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [one.asname or one.name.partition(".")[0] for one in names if one.name != "*"]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
    return []


def _passed(node: ast.AST) -> list[str]:
    """The names whose lists and dicts a call may change: whose method it calls, and what it is given."""
    if not isinstance(node, ast.Call):
        return []
    if isinstance(node.func, ast.Name) and node.func.id in _LOOKING | {"dict", "list"}:
        return []
    given = [*node.args, *(pair.value for pair in node.keywords)]
    own = _root(node.func.value) if isinstance(node.func, ast.Attribute) else []
    return own + [one.id for part in given for one in ast.walk(part) if isinstance(one, ast.Name)]


def _root(node: ast.expr) -> list[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return [node.id] if isinstance(node, ast.Name) else []


def _mutable(value: Any) -> Iterator[Any]:
    if isinstance(value, list | dict):
        yield value
    if isinstance(value, list | dict | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _mutable(one)
