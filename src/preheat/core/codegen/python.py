"""A schedule as stand-alone Python source, and the function that it defines.

Cases become a balanced if-tree; beyond WIDE of them, or DEEP levels of indentation, a table of functions is bisected,
because Python's compiler has limits. Sibling branches reuse the same local names: unique ones make a call many times
slower.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from preheat.core.codegen.trace import Expr, record
from preheat.core.errors import shown

WIDE, DEEP, LONG = 256, 40, 100  # cases in one tree, levels of it, characters of an expression without a name
_MATH = ("expm1", "floor", "log1p", "sin", "sqrt")
_CALLED = re.compile(rf"\b(bisect_right|{'|'.join(_MATH)})\(")
_IF, _COMPARE, _SUM, _TERM, _SIGN, _POWER, _ATOM = range(7)  # how tightly an expression binds
_BINDS = {
    "<": _COMPARE,
    ">": _COMPARE,
    "+": _SUM,
    "-": _SUM,
    "*": _TERM,
    "/": _TERM,
    "//": _TERM,
    "%": _TERM,
    "**": _POWER,
}

Text = tuple[str, int]  # an expression's text, and how tightly it binds


def source(schedule: Any, name: str = "schedule") -> str:
    """Python source of a function `name(t)` equal to the bound `schedule`, bit for bit; it needs the standard library only."""
    header, definitions = _parts(schedule, name)
    code = "\n\n\n".join(definitions)
    return f"{header}\n\n{code}\n" if header else f"{code}\n"


def compiled(schedule: Any) -> Callable[[float], float]:
    """The function that `source` describes."""
    scope: dict[str, Any] = {}
    header, definitions = _parts(schedule, "schedule")
    for part in (header, *definitions):  # one by one: for all at once Python's compiler takes many times the memory
        exec(compile(part, "<schedule>", "exec"), scope)  # our own text, made from validated nodes
    return scope["schedule"]


def _parts(schedule: Any, name: str) -> tuple[str, list[str]]:
    """The imports and the definitions of the source, in the order in which they need one another."""
    t, value = record(schedule)
    module = _Module()
    module.define(name, t, value, shown(schedule._ready, 1000))
    called = {word for text in module.definitions for word in _CALLED.findall(text)}
    used = [word for word in _MATH if word in called]
    header = "from bisect import bisect_right\n" * ("bisect_right" in called)
    return header + f"from math import {', '.join(used)}\n" * bool(used), module.definitions


class _Module:
    """Functions and tables, in the order in which they need one another."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.tables: dict[tuple, str] = {}

    def define(self, name: str, t: Expr, value: Any, doc: str = "") -> None:
        """Add `def name(t): return value`."""
        body = _Body(self)
        _Block(body, {t: ("t", _ATOM)}, 1, 0).end(value, "return {}")
        docstring = [f'    """{doc}"""'] if doc else []
        self.definitions.append("\n".join([f"def {name}(t):", *docstring, *body.lines]))

    def table(self, values: tuple) -> str:
        """The name of a constant tuple."""
        if values not in self.tables:
            self.tables[values] = f"TABLE_{len(self.tables)}"
            items = ", ".join(_constant(value)[0] for value in values)
            self.definitions.append(f"{self.tables[values]} = ({items}{',' * (len(values) == 1)})")
        return self.tables[values]

    def functions(self, t: Expr, branches: tuple) -> str:
        """The name of a tuple of functions of t, one a branch."""
        name = f"part_{len(self.definitions)}"
        for i, branch in enumerate(branches):
            self.define(f"{name}_{i}", t, branch)
        self.definitions.append(f"{name} = ({', '.join(f'{name}_{i}' for i in range(len(branches)))})")
        return name


class _Body:
    """The lines of one function."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.lines: list[str] = []


class _Block:
    """Lines of one indentation: the texts of what is known there, and how many local names are taken."""

    def __init__(self, body: _Body, names: dict[Expr, Text], indent: int, taken: int) -> None:
        self.body, self.names, self.indent, self.taken = body, dict(names), indent, taken

    def end(self, root: Any, sink: str) -> None:
        """Compute `root` and hand it to `sink`: `return {}`, or `x = {}`."""
        order, uses = _needed(root, self.names)
        for expr in order:
            if expr.op == "choose" and expr is root:
                self.choose(expr, sink)
                return
            if expr.op == "choose":
                target = self.fresh()
                self.choose(expr, f"{target} = {{}}")
                self.names[expr] = target, _ATOM
            else:
                text = self.operation(expr)
                named = uses[expr] > 1 or len(text[0]) > LONG or expr.op == "within"
                self.names[expr] = self.local(text[0]) if named else text
        self.add(sink.format(self.text(root)[0]))

    def choose(self, expr: Expr, sink: str) -> None:
        """The cases of `expr`, each handing its value to `sink`."""
        t, edges, branches = expr.args
        self.names[t] = known = self.atom(self.text(t))
        if len(branches) > WIDE or self.indent > DEEP:
            parts, table = self.body.module.functions(t, branches), self.body.module.table(edges)
            self.add(sink.format(f"{parts}[bisect_right({table}, {known[0]})]({known[0]})"))
        else:
            self.tree(expr, range(len(branches)), sink)

    def tree(self, expr: Expr, span: range, sink: str) -> None:
        """A balanced if-tree over these branches."""
        t, edges, branches = expr.args
        known = {t: self.names[t]}
        if len(span) == 1:
            _Block(self.body, known, self.indent, self.taken).end(branches[span[0]], sink)
            return
        middle = len(span) // 2
        returns = sink.startswith("return")
        self.add(f"if {known[t][0]} < {_constant(edges[span[middle] - 1])[0]}:")
        _Block(self.body, known, self.indent + 1, self.taken).tree(expr, span[:middle], sink)
        if not returns:
            self.add("else:")
        _Block(self.body, known, self.indent + (not returns), self.taken).tree(expr, span[middle:], sink)

    # -- one line -----------------------------------------------------------------------------------------------------

    def add(self, text: str) -> None:
        self.body.lines.append("    " * self.indent + text)

    def fresh(self) -> str:
        self.taken += 1
        return f"x{self.taken}"

    def local(self, text: str) -> Text:
        name = self.fresh()
        self.add(f"{name} = {text}")
        return name, _ATOM

    def atom(self, text: Text) -> Text:
        """A text that may stand twice: a name or a number."""
        return text if text[0].replace(".", "").isalnum() else self.local(text[0])

    def text(self, value: Any) -> Text:
        return self.names[value] if isinstance(value, Expr) else _constant(value)

    def operation(self, expr: Expr) -> Text:
        """The Python of one operation whose arguments have texts already."""
        op, args = expr.op, expr.args
        if op in ("take", "find"):
            table, index = self.body.module.table(tuple(args[0])), self.text(args[1])[0]
            return (f"{table}[{index}]", _ATOM) if op == "take" else (f"bisect_right({table}, {index}) - 1", _SUM)
        texts = [self.text(arg) for arg in args]
        if op in _MATH:
            return f"{op}({texts[0][0]})", _ATOM
        if op == "neg":
            return f"-{_tight(texts[0], _SIGN)}", _SIGN
        if op == "where":
            condition, yes, no = (_tight(text, _COMPARE) for text in texts)
            return f"{yes} if {condition} else {no}", _IF
        if op in ("minimum", "maximum"):
            a, b = (self.atom(text)[0] for text in texts)
            return f"{a} if {a} {'<' if op == 'minimum' else '>'} {b} else {b}", _IF
        if op == "within":
            t, low, high = self.atom(texts[0])[0], texts[1][0], texts[2][0]
            above = "" if high == "inf" else f"{high} if {t} > {high} else "
            return f"{low} if {t} < {low} else {above}{t}", _IF
        return _binary(op, *texts)


def _binary(op: str, a: Text, b: Text) -> Text:
    """`a op b` with the brackets that it needs: operators associate to the left, powers to the right."""
    binds = _BINDS[op]
    if op == "**":
        return f"{_tight(a, _ATOM)} ** {_tight(b, _SIGN)}", binds
    if op == "+" and b[0].startswith("-") and b[1] >= _TERM:
        return f"{_tight(a, _SUM)} - {b[0][1:]}", _SUM
    return f"{_tight(a, binds)} {op} {_tight(b, binds + 1)}", binds


def _tight(text: Text, binds: int) -> str:
    return text[0] if text[1] >= binds else f"({text[0]})"


def _needed(root: Any, names: dict[Expr, Text]) -> tuple[list[Expr], Counter[Expr]]:
    """What must be computed for `root`, arguments first, and how often each is used; not what is inside branches."""
    found: set[Expr] = set()
    uses: Counter[Expr] = Counter()
    waiting = [root]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, Expr) and expr not in found and expr not in names:
            found.add(expr)
            args = expr.args[:1] if expr.op == "choose" else expr.args
            uses.update(arg for arg in args if isinstance(arg, Expr))
            waiting.extend(args)
    return sorted(found, key=lambda expr: expr.serial), uses


def _constant(value: float) -> Text:
    return repr(value), _SIGN if value < 0 else _ATOM
