"""Several schedules at the same time: their product, the least, the greatest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from typing import Any

from preheat.core.checks import Number, int_if_whole, round_half_up
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule, nested
from preheat.core.nodes.operands import flat, several
from preheat.core.peaks import Bounds, greater, lesser, product
from preheat.core.spans import Edge, Run


class Pointwise(Schedule):
    """It lasts as long as the longest operand, and grows only if all of them do."""

    __slots__ = ("_children", "_endless", "_grows", "_length", "operands")

    operands: tuple[Schedule, ...]
    _computed = ("_length",)

    def __init__(self, operands: Iterable[Schedule]) -> None:
        every = self._accepted(operands)
        endless, grows = any(one._endless for one in every), all(one._grows for one in every)
        self._set(operands=every, _children=every, _depth=nested(*every), _endless=endless, _grows=grows)

    def _accepted(self, operands: Iterable[Schedule]) -> tuple[Schedule, ...]:
        return several(operands, self._word)

    def _exact(self, run: Run | None) -> Fraction | float:
        return max(operand._exact(run) for operand in self.operands)

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        fixed = {i: s._resolved(run, begin, None) for i, s in enumerate(self.operands) if not s._grows}
        if fixed:
            needed, longest = self._exact(run), max(operand._length for operand in fixed.values())
            if needed < math.inf and longest < int_if_whole(needed):  # it is one that grows
                longest = max(longest, round_half_up(begin.exact + Fraction(needed)) - begin.actual)
            end = None if longest == math.inf else begin.later(needed, longest)
        operands = (fixed[i] if i in fixed else s._resolved(run, begin, end) for i, s in enumerate(self.operands))
        return self._with(operands=tuple(operands))

    def _compute_length(self) -> Number:
        return max(operand._length for operand in self.operands)

    def _formula(self, t: Any, xp: Any) -> Any:
        values = (s._formula(t, xp) if s._length == self._length else s._at(t, xp) for s in self.operands)
        return reduce(lambda a, b: self._merge(a, b, xp), values)

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        raise NotImplementedError

    def _last(self) -> float:
        return reduce(lambda a, b: self._merge(a, b, Scalars), (operand._last() for operand in self.operands))

    def _magnitude(self) -> float:
        return max(operand._magnitude() for operand in self.operands)


class Product(Pointwise, infix=("product", "*")):
    """`a * b`: the product at every time; products inside are flattened."""

    __slots__ = ()

    def _accepted(self, operands: Iterable[Schedule]) -> tuple[Schedule, ...]:
        return flat(operands, Product)

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return a * b

    def _magnitude(self) -> float:
        return math.prod(max(1.0, operand._magnitude()) for operand in self.operands)

    def _bounds(self) -> Bounds:
        return product(operand._bounds() for operand in self.operands)


class Lower(Pointwise, word="lower"):
    """The least of several at every time."""

    __slots__ = ()

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return xp.minimum(a, b)

    def _bounds(self) -> Bounds:
        return lesser(operand._bounds() for operand in self.operands)


class Upper(Pointwise, word="upper"):
    """The greatest of several at every time."""

    __slots__ = ()

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return xp.maximum(a, b)

    def _bounds(self) -> Bounds:
        return greater(operand._bounds() for operand in self.operands)
