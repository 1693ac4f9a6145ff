"""A schedule as stand-alone Python source, and the function that it defines.

Cases become a balanced if-tree; beyond WIDE of them, or DEEP levels of indentation, a table of functions is bisected,
because Python's compiler has limits. Sibling branches reuse the same local names: unique ones make a call many times
slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from preheat.core.record import Expr, record
from preheat.core.schedule import Schedule

WIDE, DEEP, LONG = 256, 40, 12
_UNARY = ("sin", "sqrt", "exp", "log1p", "expm1", "floor")
_HEADER = "from bisect import bisect_right\nfrom math import exp, expm1, floor, log1p, sin, sqrt\n"


def source(schedule: Schedule, name: str = "schedule") -> str:
    """Python source of a function `name(t)` equal to the bound `schedule`, bit for bit; it needs the standard library only."""
    t, value = record(schedule)
    module = _Module()
    module.define(name, t, value)
    return _HEADER + "\n\n".join(["", *module.definitions])


def compiled(schedule: Schedule) -> Callable[[float], float]:
    """That function."""
    scope: dict[str, Any] = {}
    exec(compile(source(schedule), "<schedule>", "exec"), scope)  # our own text, made from validated nodes
    return scope["schedule"]


class _Module:
    """Functions and tables, in the order in which they need one another."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.tables: dict[tuple, str] = {}

    def define(self, name: str, t: Expr, value: Any) -> None:
        """Add `def name(t): return value`."""
        body = _Body(self)
        body.block(value, {t: "t"}, 1, 0, "return {}")
        self.definitions.append("\n".join([f"def {name}(t):", *body.lines]))

    def table(self, values: tuple) -> str:
        """The name of a constant tuple."""
        if values not in self.tables:
            self.tables[values] = f"table_{len(self.tables)}"
            self.definitions.append(f"{self.tables[values]} = {_constant(values)}")
        return self.tables[values]

    def functions(self, t: Expr, branches: tuple) -> str:
        """The name of a tuple of functions of t, one a branch."""
        name = f"parts_{len(self.definitions)}"
        for i, branch in enumerate(branches):
            self.define(f"{name}_{i}", t, branch)
        self.definitions.append(f"{name} = ({''.join(f'{name}_{i}, ' for i in range(len(branches)))})")
        return name


class _Body:
    """The lines of one function."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.lines: list[str] = []

    def block(self, root: Any, names: dict[Expr, str], indent: int, used: int, sink: str) -> None:
        """Lines that compute `root`, given the texts of what is known, and hand it to `sink`."""
        names, line = dict(names), _Line(self, indent, used)
        order, uses = _needed(root, names)
        for expr in order:
            if expr.op == "choose" and expr is root:
                self.choose(expr, names, line, sink)
                return
            if expr.op == "choose":
                names[expr] = target = line.fresh()
                self.choose(expr, names, line, f"{target} = {{}}")
            else:
                text = line.text(expr, names)
                shared = uses[expr] > 1 or len(text) > 20 * LONG or expr.op == "within"
                names[expr] = line.local(text) if shared else text
        line.add(sink.format(_text(root, names)))

    def choose(self, expr: Expr, names: dict[Expr, str], line: _Line, sink: str) -> None:
        """The cases of `expr`, each handing its value to `sink`."""
        t, edges, branches = expr.args
        known = line.atom(_text(t, names))
        names[t] = known
        if len(branches) > WIDE or line.indent > DEEP:
            parts, table = self.module.functions(t, branches), self.module.table(edges)
            line.add(sink.format(f"{parts}[bisect_right({table}, {known})]({known})"))
        else:
            self.tree(expr, (0, len(branches)), {t: known}, line, sink)

    def tree(self, expr: Expr, span: tuple[int, int], names: dict[Expr, str], line: _Line, sink: str) -> None:
        """A balanced if-tree over the branches span[0] … span[1] − 1."""
        low, high = span
        if high - low == 1:
            self.block(expr.args[2][low], names, line.indent, line.used, sink)
            return
        middle = (low + high) // 2
        inner = _Line(self, line.indent + 1, line.used)
        line.add(f"if {names[expr.args[0]]} < {_constant(expr.args[1][middle - 1])}:")
        self.tree(expr, (low, middle), names, inner, sink)
        line.add("else:")
        self.tree(expr, (middle, high), names, inner, sink)


class _Line:
    """Where the next line goes: its indentation, and how many local names are taken on the way to it."""

    def __init__(self, body: _Body, indent: int, used: int) -> None:
        self.body, self.indent, self.used = body, indent, used

    def add(self, text: str) -> None:
        self.body.lines.append(" " * self.indent + text)

    def fresh(self) -> str:
        self.used += 1
        return f"x{self.used}"

    def local(self, text: str) -> str:
        name = self.fresh()
        self.add(f"{name} = {text}")
        return name

    def atom(self, text: str) -> str:
        """A text that may stand twice: a name or a number."""
        return text if text.replace(".", "").isalnum() else self.local(text)

    def text(self, expr: Expr, names: dict[Expr, str]) -> str:
        """The Python of one operation whose arguments have texts already."""
        op = expr.op
        if op == "take":
            return f"{self.body.module.table(tuple(expr.args[0]))}[int({_text(expr.args[1], names)})]"
        args = [_text(arg, names) for arg in expr.args]
        if op in _UNARY:
            return f"{op}({args[0]})"
        if op == "neg":
            return f"(-{args[0]})"
        if op == "where":
            return f"({args[1]} if {args[0]} else {args[2]})"
        if op in ("minimum", "maximum"):
            a, b = map(self.atom, args)
            return f"({a} if {a} {'<' if op == 'minimum' else '>'} {b} else {b})"
        if op == "within":
            t = self.atom(args[0])
            above = "" if args[2] == "inf" else f"{args[2]} if {t} > {args[2]} else "
            return f"{args[1]} if {t} < {args[1]} else {above}{t}"
        return f"({args[0]} {op} {args[1]})"


def _needed(root: Any, names: dict[Expr, str]) -> tuple[list[Expr], Counter[Expr]]:
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


def _text(value: Any, names: dict[Expr, str]) -> str:
    return names[value] if isinstance(value, Expr) else _constant(value)


def _constant(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({''.join(_constant(item) + ', ' for item in value)})"
    return f"({value!r})" if value < 0 else repr(value)
