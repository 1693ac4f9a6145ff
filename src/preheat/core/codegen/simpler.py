"""A recorded schedule as the cases that a person would write: for reading, where the recording is for computing.

A ramp is recorded from both of its ends, so that no digits are lost, and a steep one in stretches: cases whose formulas are
one are merged, the shortest of them kept. What moves a time to where it is already is left out.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from preheat.core.codegen.trace import Expr
from preheat.core.namespaces import Scalars

_SAMPLES = [(2 * i + 1) / 66 for i in range(33)]  # of the time between two edges, where two formulas are compared
_SAMPLES += [end for k in range(7, 43, 3) for end in (2.0**-k, 1 - 2.0**-k)]  # what is short begins or ends at an edge
_MOST_EDGES = 64
_SAME = 1e-9  # of the larger value
_ROUNDED = 1e-12  # of the largest value seen: what differences lose, and less than the digits of a page tell
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<": operator.lt,
    ">": operator.gt,
    "neg": operator.neg,
    **{name: getattr(Scalars, name) for name in ("sin", "sqrt", "log1p", "expm1", "floor", "minimum", "maximum")},
    **{name: getattr(Scalars, name) for name in ("where", "take", "within")},
    "find": lambda starts, t: bisect_right(starts, t) - 1,
}


class Times(NamedTuple):
    """The time that formulas are functions of, between what it lies, and whether it is ever its highest."""

    symbol: Expr
    low: float
    high: float
    closed: bool = False

    def between(self, low: float, high: float) -> Times:
        """The same on a part of it."""
        return self._replace(low=max(self.low, low), high=min(self.high, high), closed=self.closed and high > self.high)

    @property
    def is_there(self) -> bool:
        """Whether it is any moment at all."""
        return self.low < self.high or (self.closed and self.low == self.high)

    def samples(self, *values: Any) -> list[float]:
        """Some moments of it: between all edges that the values may have, and close to each."""
        found = {edge for value in values for edge in _edges(value, self) if self.low < edge < self.high}
        marks = sorted(found)
        if len(marks) > _MOST_EDGES:
            marks = marks[: _MOST_EDGES // 2] + marks[-_MOST_EDGES // 2 :]
        high = self.high if self.high < math.inf else 4 * max([self.low, *marks]) + 1000
        ends = [self.low, *marks, high]
        return [a + (b - a) * share for a, b in pairwise(ends) for share in _SAMPLES]


class Piece(NamedTuple):
    """A case: its times, and its formula."""

    times: Times
    value: Any


def pieces(value: Any, times: Times) -> list[Piece]:
    """The cases of an expression, those that are one merged, each without what does nothing."""
    merged: list[Piece] = []
    for piece in _split(value, times):
        both = _merged(merged[-1], piece) if merged else None
        merged[-1:] = [both] if both else [*merged[-1:], piece]
    return merged


def offset(value: Any, times: Times) -> tuple[int, float] | None:
    """k and c of an expression k·t + c, k being 1 or −1; None for any other."""
    if value is times.symbol:
        return 1, 0
    if not isinstance(value, Expr):
        return None
    if value.op == "within":
        return offset(value.args[0], times) if _is_within(value, times) else None
    if value.op not in ("+", "-"):
        return None
    a, b = value.args
    sign = 1 if value.op == "+" else -1
    if isinstance(b, Expr):
        found = None if isinstance(a, Expr) else offset(b, times)
        return found and (sign * found[0], a + sign * found[1])
    found = offset(a, times)
    return found and (found[0], found[1] + sign * b)


def least(value: Any, times: Times) -> float:
    """What an expression of time never falls below, as far as that is easily told."""
    if not isinstance(value, Expr):
        return value
    if moved := offset(value, times):
        return min(moved[0] * end + moved[1] for end in times[1:3])
    if value.op in ("//", "%") or (value.op == "-" and isinstance(value.args[1], Expr) and value.args[1].op == "take"):
        return 0.0  # since a beginning that has passed
    if value.op in ("*", "/"):
        factors = [arg for arg in value.args if not (isinstance(arg, Expr) and arg.op == "take")]
        return 0.0 if all(least(arg, times) >= 0 for arg in factors) else -math.inf
    return -math.inf


def same(first: Any, second: Any, times: Times) -> bool:
    """Whether two expressions have one value at every moment that is looked at."""
    scale, moments = 0.0, times.samples(first, second)
    try:
        for t in moments:
            a, b = evaluated(first, times.symbol, t), evaluated(second, times.symbol, t)
            larger = max(abs(a), abs(b))
            scale = max(scale, larger)
            if not abs(a - b) <= _SAME * larger + _ROUNDED * scale:
                return False
    except (ArithmeticError, ValueError, TypeError):  # it has no value there
        return False
    return True


def _edges(value: Any, times: Times) -> Iterator[float]:
    """The moments at which a formula may become another one, as far as they are easily told."""
    seen, left = set[Expr](), [value]
    while left:
        one = left.pop()
        if not isinstance(one, Expr) or one in seen or not one.args:
            continue
        seen.add(one)
        a, *rest = one.args
        if one.op == "choose":
            yield from _when(a, rest[0], times)
            left += rest[1]
        elif one.op == "within":
            yield from _when(a, rest, times)
        elif one.op == "find":
            yield from _when(rest[0], a, times)
        elif one.op in ("<", ">") and not isinstance(rest[0], Expr):
            yield from _when(a, rest, times)
        left += [arg for arg in one.args if isinstance(arg, Expr)]


def _when(value: Any, points: Iterable[float], times: Times) -> Iterator[float]:
    """The moments at which a value that moves with time is at one of some points; of a cycle those in its first rounds and
    in its last ones."""
    if moved := offset(value, times):
        yield from (moved[0] * (point - moved[1]) for point in points if abs(point) < math.inf)
        return
    if not isinstance(value, Expr) or not value.args:
        return
    a, *rest = value.args
    if value.op == "within":
        yield from _when(a, points, times)
    elif value.op == "%" and not isinstance(rest[0], Expr) and (moved := offset(a, times)):
        period, high = rest[0], times.high if times.high < math.inf else times.low
        first, last = (math.floor((end + moved[1]) / period) for end in (times.low, high))
        rounds = {first, first + 1, first + 2, (first + last) // 2, last - 1, last}
        yield from _when(a, [n * period + point for n in rounds for point in (0.0, *points)], times)
    elif value.op == "-" and isinstance(rest[0], Expr) and rest[0].op == "take":
        yield from _when(a, [start + point for start in rest[0].args[0] for point in points], times)
    elif value.op in ("*", "/") and not isinstance(rest[0], Expr) and rest[0]:
        yield from _when(a, [point / rest[0] if value.op == "*" else point * rest[0] for point in points], times)


def evaluated(value: Any, symbol: Expr, t: float) -> Any:
    """The value of an expression at a moment."""
    known: dict[Expr, Any] = {symbol: t}

    def of(one: Any) -> Any:
        if not isinstance(one, Expr):
            return one
        if one not in known:
            if one.op == "choose":
                at, edges, branches = one.args
                known[one] = of(branches[bisect_right(edges, of(at))])
            else:
                known[one] = _FUNCTIONS[one.op](*map(of, one.args))
        return known[one]

    return of(value)


def length(value: Any) -> int:
    """How many operations a person would write."""
    return 1 + sum(map(length, value.args)) if isinstance(value, Expr) and value.op != "choose" else 1


def _split(value: Any, times: Times) -> list[Piece]:
    if not isinstance(value, Expr):
        return [Piece(times, value)]
    if times.low >= times.high:
        return [Piece(times, evaluated(value, times.symbol, times.low))]
    if value.op == "choose" and (moved := offset(value.args[0], times)) and moved[0] == 1:
        _, edges, branches = value.args
        cuts = [-math.inf, *(edge - moved[1] for edge in edges), math.inf]
        parts = [times.between(*cuts[i : i + 2]) for i in range(len(branches))]
        return [
            one for part, branch in zip(parts, branches, strict=True) if part.is_there for one in pieces(branch, part)
        ]
    cases = [i for i, arg in enumerate(value.args) if isinstance(arg, Expr)]
    if len(cases) == 1 and value.op in ("+", "-", "*", "/", "neg"):
        (i,) = cases
        inner = pieces(value.args[i], times)
        if len(inner) > 1 or inner[0].value is not value.args[i]:
            return [Piece(at, _with(value, i, one)) for at, one in inner]
    if value.op == "where" and same(value.args[1], value.args[2], times):
        return [Piece(times, value.args[1])]
    return [Piece(times, value)]


def _with(value: Expr, place: int, arg: Any) -> Any:
    args = [*value.args[:place], arg, *value.args[place + 1 :]]
    return Expr(value.op, *args) if isinstance(arg, Expr) else _FUNCTIONS[value.op](*args)


def _merged(first: Piece, second: Piece) -> Piece | None:
    """Both cases as one, if a formula of either is that of the other."""
    times = first.times._replace(high=second.times.high)
    found = [
        one.value for one, other in ((first, second), (second, first)) if same(one.value, other.value, other.times)
    ]
    return Piece(times, min(found, key=length)) if found else None


def _is_within(value: Expr, times: Times) -> bool:
    """Whether a time that is kept between two others lies between them anyway."""
    t, low, high = value.args
    moved = offset(t, times)
    if moved is None:
        return False
    ends = sorted(moved[0] * end + moved[1] for end in times[1:3])
    return low - 1e-9 <= ends[0] and ends[1] <= high + 1e-9
