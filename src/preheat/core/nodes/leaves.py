"""The leaves: a ramp, a constant, three curves that need no end, and a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Set
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from preheat.core.checks import Number, finite_number, int_if_whole
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.node import Schedule, nested
from preheat.core.rectification import rectification
from preheat.core.shapes import LINEAR, Shape, shape_of
from preheat.core.spans import Edge, Run, Span

MAX_TEXT = 256 * 1024


class Leaf(Schedule):
    """A node with a span of its own."""

    span: Span

    _open_ended = True  # has a value at every time, so it may go on until the run ends, whenever that is

    @property
    def _grows(self) -> bool:
        return self.span.is_rest

    def _exact(self, run: Run | None) -> Fraction:
        return Fraction(0) if self.span.is_rest else self.span.exact(run)

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if not self.span.is_rest:
            return self._sized(Span(self.span.measured(run, begin)), run)
        if end is not None:
            left = max(Fraction(0), end.actual - begin.actual)
            return self._sized(Span(int_if_whole(left)), run)
        if self._open_ended:
            return self._sized(self.span, run)
        what = f"how long {self!r} lasts is not known"
        raise BindError(what, write="bind it to a Run with a total, or give it a span", hint="total_or_span")

    def _sized(self, span: Span, run: Run | None) -> Schedule:
        laid = replace(self, span=span)  # type: ignore[type-var]
        return laid if span.value else Hold(laid._last(), span)

    @property
    def _length(self) -> Number:
        return math.inf if isinstance(self.span.value, str) else self.span.value

    def _magnitude(self) -> float:
        return 1.0


@dataclass(eq=False, repr=False)
class Ramp(Leaf):
    """From `start` at its first moment to `end` at its last."""

    start: float
    end: float
    span: Span
    shape: Shape = LINEAR

    _open_ended = False
    _once = ("_cases",)

    def __post_init__(self) -> None:
        shape = shape_of(self.shape)
        ends = finite_number(self.start, "the start of a ramp"), finite_number(self.end, "the end of a ramp")
        if shape.name == "exponential" and min(ends) <= 0:
            raise PreheatError(
                f"an exponential ramp needs both ends above 0, not {ends[0]!r} and {ends[1]!r}; "
                f"write a small end such as {max(*ends, 1e-3) / 1000:g}, or another shape"
            )
        _put(self, start=ends[0], end=ends[1], span=Span(self.span), shape=shape, _depth=nested(extra=shape.nesting))

    @cached_property
    def _cases(self) -> tuple[list[float], list[Any]]:
        return self.shape.cases(self.start, self.end, self._length)

    def _formula(self, t: Any, xp: Any) -> Any:
        seams, sides = self._cases
        return xp.choose(t, seams, lambda i, t: sides[i](t, xp))

    def _last(self) -> float:
        return self.end

    def _magnitude(self) -> float:
        return max(abs(self.start), abs(self.end), abs(self.end - self.start))


@dataclass(eq=False, repr=False)
class Hold(Leaf):
    """Constant."""

    value: float
    span: Span

    def __post_init__(self) -> None:
        _put(self, value=finite_number(self.value, "the value of a hold"), span=Span(self.span), _depth=1)

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.value

    def _magnitude(self) -> float:
        return abs(self.value)


@dataclass(eq=False, repr=False)
class _Timed(Leaf):
    """A curve with a time constant τ."""

    tau: Span
    span: Span

    def __post_init__(self) -> None:
        tau = Span(self.tau)
        if tau.is_rest or tau.value == 0:
            raise PreheatError(f"tau must be a length above 0, not {tau.value!r}; write for example 4000")
        _put(self, tau=tau, span=Span(self.span), _depth=1)

    def _sized(self, span: Span, run: Run | None) -> Schedule:
        tau = Span(self.tau.measured(run, Edge()))
        if tau.value == 0:
            raise BindError(f"tau={self.tau} is less than half a tick of this run; give a longer one")
        return super(_Timed, replace(self, tau=tau))._sized(span, run)

    @property
    def _tau(self) -> float:
        return float(self.tau.value)  # an int beyond 2^31 could not meet the 32-bit positions of JAX


@dataclass(eq=False, repr=False)
class InvSqrt(_Timed):
    """√(τ/(τ+t))."""

    def _formula(self, t: Any, xp: Any) -> Any:
        return xp.sqrt(1.0 / (1.0 + t / self._tau))


@dataclass(eq=False, repr=False)
class Saturating(_Timed):
    """1 − exp(−t/τ)."""

    def _formula(self, t: Any, xp: Any) -> Any:
        return -xp.expm1(-t / self._tau)


@dataclass(eq=False, repr=False)
class Rectified(Leaf):
    """RAdam's variance rectification."""

    beta2: float
    span: Span

    _once = ("_cases",)

    def __post_init__(self) -> None:
        beta2 = finite_number(self.beta2, "beta2")
        if not 0.6 < beta2 < 1:
            raise PreheatError(
                f"beta2 must lie between 0.6 and 1, where the factor is defined, not {shown(self.beta2)}"
            )
        _put(self, beta2=beta2, span=Span(self.span), _depth=1)

    @cached_property
    def _cases(self) -> tuple[list[float], list[Any]]:
        return rectification(self.beta2)

    def _formula(self, t: Any, xp: Any) -> Any:
        seams, sides = self._cases
        return xp.choose(t, seams, lambda i, t: sides[i](t, xp))


@dataclass(eq=False, repr=False)
class Table(Schedule):
    """One value per tick, linear between."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        values = tuple(finite_number(value, "a value of a table") for value in _listed(self.values, "table"))
        if not values:
            raise PreheatError("a table needs at least one value; write table([0.1, 0.2])")
        _put(self, values=values, _depth=nested(extra=1))
        if (size := len(repr(self))) > MAX_TEXT:
            raise PreheatError(f"a table of {len(values)} values takes {size} characters of text; at most {MAX_TEXT}")

    @property
    def _grows(self) -> bool:
        return False

    def _exact(self, run: Run | None) -> Fraction:
        return Fraction(len(self.values))

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return copy(self)  # what is bound remembers its run

    @property
    def _length(self) -> Number:
        return len(self.values)

    def _formula(self, t: Any, xp: Any) -> Any:
        last = len(self.values) - 1
        t = xp.within(t, 0, last)
        if last == 0:
            return self.values[0]
        below = xp.minimum(xp.floor(t), last - 1)
        a, b = xp.take(self.values, below), xp.take(self.values, below + 1)
        share = t - below
        return xp.where(share < 0.5, a + (b - a) * share, b + (a - b) * (1.0 - share))

    def _magnitude(self) -> float:
        return max(map(abs, self.values)) * 2.0


def _listed(values: object, word: str) -> list[Any]:
    """The items of a list, tuple, range, iterator or array of one dimension; what has no order or no end is refused."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise PreheatError(f"{word} takes a list of values, not {shown(values)}")
    found = list(itertools.islice(values, MAX_TEXT))
    if len(found) == MAX_TEXT:
        raise PreheatError(f"{word} takes fewer than {MAX_TEXT} values")
    return found


def _put(node: Schedule, **values: object) -> None:
    """Set fields of a node while it is being built; `_depth`, which each has, seals it."""
    vars(node).update(values)
