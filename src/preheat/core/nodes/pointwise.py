"""Several schedules at the same time: their product, their sum, the least, the greatest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from typing import Any

from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule, nested
from preheat.core.nodes.operands import flat, several
from preheat.core.peaks import Bounds, greater, lesser, product, total
from preheat.core.spans import Edge, Run


class Pointwise(Schedule):
    """It lasts as long as the longest operand, and grows if one of them grows and moves there, or all grow.

    An operand whose `rest` is only a last hold takes the length of the others: it would make the node last as long as the
    run without changing a value.
    """

    __slots__ = ("_children", "_endless", "_grows", "_moves", "operands")

    operands: tuple[Schedule, ...]

    def __init__(self, operands: Iterable[Schedule]) -> None:
        every = self._accepted(operands)
        endless, moves = any(one._endless for one in every), any(one._moves for one in every)
        grows = moves or all(one._grows for one in every)
        self._set(operands=every, _children=every, _depth=nested(*every), _endless=endless, _grows=grows, _moves=moves)

    def _accepted(self, operands: Iterable[Schedule]) -> tuple[Schedule, ...]:
        return several(operands, self._word)

    def _exact(self, run: Run | None) -> Fraction:
        return max(operand._exact(run) for operand in self.operands)

    def _over(self, children: list[Schedule]) -> Schedule:
        return self._with(operands=tuple(children))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if self._grows:
            return self._over([s._resolved(run, begin, end if s._grows else None) for s in self.operands])
        found = {i: s._resolved(run, begin, None) for i, s in enumerate(self.operands) if not s._grows}
        holding = {i: s._exact(run) for i, s in enumerate(self.operands) if s._grows}
        needed, longest = self._exact(run), max(operand._lasts for operand in found.values())
        for i in sorted(
            holding, key=lambda i: holding[i], reverse=True
        ):  # the longest first: the others take its length
            until = None if longest == math.inf else begin.later(needed, longest)
            found[i] = self.operands[i]._resolved(run, begin, until)
            longest = max(longest, found[i]._lasts)
        return self._over([found[i] for i in range(len(self.operands))])

    @property
    def _lasts(self) -> Fraction | float:
        return max(operand._lasts for operand in self.operands)

    def _formula(self, t: Any, xp: Any) -> Any:
        return self._merged(
            [s._formula(t, xp) if s._length == self._length else s._at(t, xp) for s in self.operands], xp
        )

    def _merged(self, values: list[Any], xp: Any) -> Any:
        return reduce(lambda a, b: self._merge(a, b, xp), values)

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        raise NotImplementedError

    def _last(self) -> float:
        return self._merged([operand._last() for operand in self.operands], Scalars)

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


class Sum(Pointwise, infix=("sum", "+")):
    """`a + b`: the sum at every time; sums inside are flattened."""

    __slots__ = ()

    def _accepted(self, operands: Iterable[Schedule]) -> tuple[Schedule, ...]:
        return flat(operands, Sum)

    def _merged(self, values: list[Any], xp: Any) -> Any:
        """In pairs, and those in pairs: however many there are, rounding stays below 2e-15 of their absolute values."""
        while len(values) > 1:
            left_over = values[-1:] if len(values) % 2 else []
            values = [a + b for a, b in zip(values[::2], values[1::2], strict=False)] + left_over
        return values[0]

    def _magnitude(self) -> float:
        return sum(operand._magnitude() for operand in self.operands)

    def _bounds(self) -> Bounds:
        return total(operand._bounds() for operand in self.operands)


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
