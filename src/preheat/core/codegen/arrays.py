"""A schedule as stand-alone source for JAX: no branches, so it works inside jit, vmap and scan.

Every case is computed and one is chosen, each that would misbehave outside its own times at times moved to its edges.
Positions stay integers until a formula divides them: in 32 bits a float has 24 bits for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from preheat.core.codegen.python import Python, file_of
from preheat.core.codegen.texts import ATOM, FUNCTIONS, LONG, SIGN, Text, binary, constant, needed, tight
from preheat.core.codegen.trace import Expr, Recorder, record
from preheat.core.errors import shown
from preheat.core.namespaces import INT32

_SHORT = 40  # characters of a case that stands where it is chosen
_EVERYWHERE = ("t", "+", "-", "*", "neg", "sin", "floor", "<", ">", "where", "minimum", "maximum", "within")


def sources(schedules: dict[str, Any]) -> str:
    """Source of a function of t for each bound schedule, by name, that needs jax.numpy only."""
    tables: dict[tuple, str] = {}
    definitions = [_Function(tables).define(name, schedule) for name, schedule in schedules.items()]
    constants = [Python().numbers(name, [constant(value)[0] for value in values]) for values, name in tables.items()]
    return file_of("import jax.numpy as jnp\n", [*constants, *definitions])


class Counting(Recorder):
    """The recorder that keeps the time since a fractional moment exact: whole ticks are subtracted first."""

    @staticmethod
    def since(t: Any, start: float) -> Any:
        whole = math.floor(start)
        since = t - whole if whole else t
        return since if whole == start else since - (start - whole)

    @staticmethod
    def find(t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        k = Expr("find", _sized(starts), t)
        whole = [math.floor(start) for start in starts]
        since = t - Expr("take", _sized(whole), k)
        parts = [start - below for start, below in zip(starts, whole, strict=True)]
        return k, since - Expr("take", tuple(parts), k) if any(parts) else since


def _sized(values: Sequence[float]) -> tuple[float, ...]:
    """A table whose numbers an array of 32-bit integers can hold, or one of floats."""
    return tuple(map(float, values)) if max(values) >= INT32 else tuple(values)


Counting.scattered = Counting


class _Function:
    """The lines of one function, and the tables that it shares with others."""

    def __init__(self, tables: dict[tuple, str]) -> None:
        self.tables, self.lines, self.taken = tables, list[str](), 0

    def define(self, name: str, schedule: Any) -> str:
        """The text of `def name(t): …`."""
        t, value = record(schedule, Counting)
        self.add("t = jnp.asarray(t)")
        if isinstance(value, Expr):
            text = self.value(value, {t: ("t", ATOM)})[0]
        else:
            text = f"jnp.full_like(t, {value!r}, dtype=float)"
        self.add(f"return {text}")
        return "\n".join([f"def {name}(t):", f'    """{shown(schedule._ready, 1000)}"""', *self.lines])

    def value(self, root: Any, known: dict[Expr, Text]) -> Text:
        """The text of an expression, the lines that it needs added."""
        names = dict(known)
        order, uses = needed(root, names)
        for expr in order:
            text = self.choose(expr, names) if expr.op == "choose" else self.operation(expr, names)
            long = len(text[0]) > LONG and expr is not root
            named = uses[expr] > 1 or long or expr.op == "within"
            names[expr] = (self.local(text[0]), ATOM) if named else text
        return _text(root, names)

    def choose(self, expr: Expr, names: dict[Expr, Text]) -> Text:
        """The value of the case that the time is in."""
        t, edges, branches = expr.args
        at = self.atom(_text(t, names))
        values = []
        for i, branch in enumerate(branches):
            low, high = edges[i - 1] if i else None, edges[i] if i < len(edges) else None
            known = at if _defined_everywhere(branch) else self.local(_clipped(at, low, high))
            values.append(self.value(branch, {t: (known, ATOM)})[0])
        cases = [self.local(value) if len(value) > _SHORT else value for value in values]
        if len(edges) == 1:
            return f"jnp.where({at} < {edges[0]!r}, {cases[0]}, {cases[1]})", ATOM
        conditions = ", ".join(f"{at} < {edge!r}" for edge in edges)
        return f"jnp.select([{conditions}], [{', '.join(cases[:-1])}], {cases[-1]})", ATOM

    def operation(self, expr: Expr, names: dict[Expr, Text]) -> Text:
        """One operation whose arguments have texts already."""
        op, args = expr.op, expr.args
        if op == "take":
            index = tight(_text(args[1], names), ATOM)
            index = index if args[1].op == "find" else f"{index}.astype(int)"
            return f"{self.table(args[0])}[{index}]", ATOM
        if op == "find":
            position = f'jnp.searchsorted({self.table(args[0])}, {_text(args[1], names)[0]}, side="right")'
            return binary("-", (position, ATOM), ("1", ATOM))
        texts = [_text(arg, names) for arg in args]
        if op in (*FUNCTIONS, "where", "minimum", "maximum"):
            return f"jnp.{op}({', '.join(text for text, _ in texts)})", ATOM
        if op == "neg":
            return f"-{tight(texts[0], SIGN)}", SIGN
        if op == "within":
            return _clipped(texts[0][0], args[1], args[2]), ATOM
        return binary(op, *texts)

    # -- one line -----------------------------------------------------------------------------------------------------

    def add(self, line: str) -> None:
        self.lines.append(f"    {line}")

    def local(self, text: str) -> str:
        self.taken += 1
        self.add(f"x{self.taken} = {text}")
        return f"x{self.taken}"

    def atom(self, text: Text) -> str:
        return text[0] if text[0].isalnum() else self.local(text[0])

    def table(self, values: tuple) -> str:
        return f"jnp.asarray({self.tables.setdefault(tuple(values), f'TABLE_{len(self.tables)}')})"


def _text(value: Any, names: dict[Expr, Text]) -> Text:
    return names[value] if isinstance(value, Expr) else constant(value)


def _clipped(t: str, low: float | None, high: float | None) -> str:
    if low is None:
        return f"jnp.minimum({t}, {high!r})"
    return f"jnp.maximum({t}, {low!r})" if high in (None, math.inf) else f"jnp.clip({t}, {low!r}, {high!r})"


def _defined_everywhere(value: Any) -> bool:
    """Whether an expression is finite at every time, so that nothing is lost by computing it outside its case."""
    seen: set[Expr] = set()
    waiting = [value]
    while waiting:
        expr = waiting.pop()
        if not isinstance(expr, Expr) or expr in seen:
            continue
        seen.add(expr)
        if expr.op == "choose":
            waiting += [expr.args[0], *expr.args[2]]
        elif expr.op in _EVERYWHERE or (expr.op == "/" and not isinstance(expr.args[1], Expr)):
            waiting += expr.args
        else:
            return False
    return True
