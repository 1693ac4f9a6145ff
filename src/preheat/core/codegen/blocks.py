"""A schedule as functions of statements: cases become a balanced if-tree.

Beyond WIDE of them, or DEEP levels of indentation, a table of functions is bisected, because Python's compiler has limits.
Sibling branches reuse the same local names: unique ones make a call many times slower. How a statement is spelled is the
language's to say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from preheat.core.codegen.texts import ATOM, LONG, Text, needed
from preheat.core.codegen.trace import Expr

WIDE, DEEP = 256, 40  # cases in one tree, levels of it


class Language(ABC):
    """How statements and operations are spelled."""

    indent: str
    result: str  # a statement that gives the value of a function, {} for the value
    assigned: str  # one that gives a local name its value
    opened: str  # what begins the statements for a condition

    @abstractmethod
    def function(self, name: str, doc: str, lines: list[str]) -> str:
        """The definition of a function of t."""

    @abstractmethod
    def numbers(self, name: str, values: list[str]) -> str:
        """The definition of a list of constants, numbers or functions."""

    @abstractmethod
    def declared(self, name: str) -> list[str]:
        """What must stand before a name that several branches give a value."""

    @abstractmethod
    def local(self, name: str, text: str) -> str:
        """The definition of a local name."""

    @abstractmethod
    def otherwise(self, returned: bool) -> list[str]:
        """What stands between the statements for a condition, which return or do not, and those without it."""

    @abstractmethod
    def closed(self, returned: bool) -> list[str]:
        """What stands after both."""

    @abstractmethod
    def constant(self, value: float) -> Text:
        """A number."""

    @abstractmethod
    def position(self, table: str, t: str) -> Text:
        """How many numbers of a rising table are at most t."""

    @abstractmethod
    def operation(self, op: str, texts: list[Text], atom: Callable[[Text], str]) -> Text:
        """One operation; atom: makes a text one that may stand twice."""


class Module:
    """Functions and tables, in the order in which they need one another."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.definitions: list[str] = []
        self.tables: dict[tuple, str] = {}

    def define(self, name: str, t: Expr, value: Any, doc: str = "") -> None:
        """Add a function of that name that gives `value`."""
        body = _Body(self)
        _Block(body, {t: ("t", ATOM)}, 1, 0).end(value, self.language.result)
        self.definitions.append(self.language.function(name, doc, body.lines))

    def table(self, values: tuple) -> str:
        """The name of a constant list of numbers."""
        if values not in self.tables:
            self.tables[values] = f"TABLE_{len(self.tables)}"
            items = [self.language.constant(value)[0] for value in values]
            self.definitions.append(self.language.numbers(self.tables[values], items))
        return self.tables[values]

    def functions(self, t: Expr, branches: tuple) -> str:
        """The name of a list of functions of t, one a branch."""
        name = f"part_{len(self.definitions)}"
        names = [f"{name}_{i}" for i in range(len(branches))]
        for one, branch in zip(names, branches, strict=True):
            self.define(one, t, branch)
        self.definitions.append(self.language.numbers(name, names))
        return name


class _Body:
    """The lines of one function."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []


class _Block:
    """Lines of one indentation: the texts of what is known there, and how many local names are taken."""

    def __init__(self, body: _Body, names: dict[Expr, Text], indent: int, taken: int) -> None:
        self.body, self.names, self.indent, self.taken = body, dict(names), indent, taken
        self.language = body.module.language

    def end(self, root: Any, sink: str) -> None:
        """Compute `root` and hand it to `sink`, a statement with {} for it."""
        order, uses = needed(root, self.names)
        for expr in order:
            if expr.op == "choose" and expr is root:
                self.choose(expr, sink)
                return
            if expr.op == "choose":
                target = self.fresh()
                self.add(*self.language.declared(target))
                self.choose(expr, self.language.assigned.format(target, "{}"))
                self.names[expr] = target, ATOM
            else:
                text = self.operation(expr)
                named = uses[expr] > 1 or len(text[0]) > LONG or expr.op == "within"
                self.names[expr] = self.local(text[0]) if named else text
        self.add(sink.format(self.text(root)[0]))

    def choose(self, expr: Expr, sink: str) -> None:
        """The cases of `expr`, each handing its value to `sink`."""
        t, edges, branches = expr.args
        self.names[t] = known = self.atom(self.text(t)), ATOM
        if len(branches) > WIDE or self.indent > DEEP:
            parts, table = self.body.module.functions(t, branches), self.body.module.table(edges)
            self.add(sink.format(f"{parts}[{self.language.position(table, known[0])[0]}]({known[0]})"))
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
        returns = sink == self.language.result
        edge = self.language.constant(edges[span[middle] - 1])[0]
        self.add(self.language.opened.format(f"{known[t][0]} < {edge}"))
        _Block(self.body, known, self.indent + 1, self.taken).tree(expr, span[:middle], sink)
        self.add(*self.language.otherwise(returns))
        _Block(self.body, known, self.indent + (not returns), self.taken).tree(expr, span[middle:], sink)
        self.add(*self.language.closed(returns))

    # -- one line -----------------------------------------------------------------------------------------------------

    def add(self, *lines: str) -> None:
        self.body.lines.extend(self.language.indent * self.indent + line for line in lines)

    def fresh(self) -> str:
        self.taken += 1
        return f"x{self.taken}"

    def local(self, text: str) -> Text:
        name = self.fresh()
        self.add(self.language.local(name, text))
        return name, ATOM

    def atom(self, text: Text) -> str:
        """A text that may stand twice: a name or a number."""
        return text[0] if text[0].replace(".", "").isalnum() else self.local(text[0])[0]

    def text(self, value: Any) -> Text:
        return self.names[value] if isinstance(value, Expr) else self.language.constant(value)

    def operation(self, expr: Expr) -> Text:
        """One operation whose arguments have texts already."""
        op, args = expr.op, expr.args
        if op in ("take", "find"):
            table, index = self.body.module.table(tuple(args[0])), self.text(args[1])[0]
            return (f"{table}[{index}]", ATOM) if op == "take" else self._last_start(table, index)
        return self.language.operation(op, [self.text(arg) for arg in args], self.atom)

    def _last_start(self, table: str, t: str) -> Text:
        return self.language.operation("-", [self.language.position(table, t), ("1", ATOM)], self.atom)
