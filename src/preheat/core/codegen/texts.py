"""The text of one operation in languages whose operators are those of C: how tightly each binds, which brackets it needs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from preheat.core.codegen.trace import Expr

LONG = 100  # characters of an expression without a name
FUNCTIONS = ("expm1", "floor", "log1p", "sin", "sqrt")
IF, COMPARE, SUM, TERM, SIGN, POWER, ATOM = range(7)
_BINDS = {
    "<": COMPARE,
    ">": COMPARE,
    "+": SUM,
    "-": SUM,
    "*": TERM,
    "/": TERM,
    "//": TERM,
    "%": TERM,
    "**": POWER,
}
_SIMPLE = re.compile(r"-?[0-9.]+(e-?[0-9]+)?|[a-z_][a-z_0-9]*")

Text = tuple[str, int]  # an expression's text, and how tightly it binds


def constant(value: float) -> Text:
    """A number as Python and JavaScript write it."""
    return repr(value).replace("e+", "e"), SIGN if value < 0 else ATOM


def tight(text: Text, binds: int) -> str:
    """The text, in brackets where it binds less tightly."""
    return text[0] if text[1] >= binds else f"({text[0]})"


def binary(op: str, a: Text, b: Text) -> Text:
    """`a op b` with the brackets that it needs: operators associate to the left, powers to the right."""
    binds = _BINDS[op]
    if op == "**":
        base, exponent = tight(a, ATOM), tight(b, SIGN)
        between = "**" if _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent) else " ** "
        return f"{base}{between}{exponent}", binds
    if op == "+" and b[0].startswith("-") and b[1] >= TERM:
        return f"{tight(a, SUM)} - {b[0][1:]}", SUM
    return f"{tight(a, binds)} {op} {tight(b, binds + 1)}", binds


def needed(root: Any, names: dict[Expr, Text]) -> tuple[list[Expr], Counter[Expr]]:
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
