"""The leaves: a ramp, a constant, three curves that need no end, and a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Set
from fractions import Fraction
from typing import Any

from preheat.core.checks import MAX_TEXT, finite_number, int_if_whole, positive_number
from preheat.core.errors import BindError, PreheatError
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule, nested
from preheat.core.peaks import Bounds, between
from preheat.core.rectification import rectification
from preheat.core.shapes import LINEAR, Shape, shape_of
from preheat.core.spans import Edge, Run, Span, SpanLike


class Leaf(Schedule):
    """A node with a span of its own."""

    __slots__ = ("span",)

    span: Span
    _needs_end = (
        False  # whether its values depend on its length, so that it cannot go on until the run ends, whenever that is
    )

    @property
    def _grows(self) -> bool:
        return self.span.is_rest

    @property
    def _lasts(self) -> Fraction | float:
        return math.inf if isinstance(self.span.value, str) else Fraction(self.span.value)

    def _exact(self, run: Run | None) -> Fraction:
        return Fraction(0) if self.span.is_rest else self.span.exact(run)

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if not self.span.is_rest:
            return self._sized(Span(self.span.measured(run, begin)), run)
        if end is not None:
            left = max(Fraction(0), end.actual - begin.actual)
            return self._sized(Span(int_if_whole(left)), run)
        if not self._needs_end:
            return self._sized(self.span, run)
        raise BindError(
            f"how long {self!r} lasts is not known",
            write="bind it to a Run with a total, or give it a span",
            hint="total_or_span",
        )

    def _sized(self, span: Span, run: Run | None) -> Schedule:
        sized = self._with(span=span)
        return sized if span.value else Hold(sized._last(), span)

    def _magnitude(self) -> float:
        return 1.0

    @property
    def _is_there(self) -> bool:
        """Whether it lasts for some time on every run."""
        return self.span.is_bare and self.span.value > 0  # type: ignore[operator]


class Ramp(Leaf, word="ramp"):
    """From `start` at its first moment to `end` at its last."""

    __slots__ = ("_cases", "end", "shape", "start")

    start: float
    end: float
    shape: Shape
    _needs_end = True
    _computed = ("_cases",)

    def __init__(self, start: float, end: float, span: SpanLike, shape: Shape | str = LINEAR) -> None:
        shape = shape_of(shape)
        ends = finite_number(start, "the start of a ramp"), finite_number(end, "the end of a ramp")
        if shape.name == "exponential" and min(ends) <= 0:
            raise PreheatError(
                f"an exponential ramp needs both ends above 0, not {ends[0]!r} and {ends[1]!r}",
                write=f"write a small end such as {max(*ends, 1e-3) / 1000:g}, or another shape",
            )
        self._set(start=ends[0], end=ends[1], span=Span(span), shape=shape, _depth=nested(extra=shape.nesting))

    @property
    def _pieces(self) -> int:
        return self.shape.pieces(self.start, self.end)

    def _compute_cases(self) -> tuple[list[float], list[Any]]:
        return self.shape.cases(self.start, self.end, self._length)

    def _formula(self, t: Any, xp: Any) -> Any:
        seams, sides = self._cases
        return xp.choose(t, seams, lambda i, t: sides[i](t, xp))

    def _last(self) -> float:
        return self.end

    def _magnitude(self) -> float:
        return max(abs(self.start), abs(self.end), abs(self.end - self.start))

    def _bounds(self) -> Bounds:
        return between(self.start, self.end, self._is_there)


class Hold(Leaf, word="hold"):
    """Constant."""

    __slots__ = ("value",)

    value: float

    def __init__(self, value: float, span: SpanLike) -> None:
        self._set(value=finite_number(value, "the value of a hold"), span=Span(span), _depth=1)

    @property
    def _moves(self) -> bool:
        return False

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.value

    def _magnitude(self) -> float:
        return abs(self.value)

    def _bounds(self) -> Bounds:
        return between(self.value, self.value, self._is_there)


class _Timed(Leaf):
    """A curve with a time constant τ."""

    __slots__ = ("tau",)

    tau: Span

    def __init__(self, tau: SpanLike, span: SpanLike) -> None:
        constant = Span(tau)
        if constant.is_rest or constant.value == 0:
            raise PreheatError("tau must be a length above 0", given=constant.value, write="write for example 4000")
        self._set(tau=constant, span=Span(span), _depth=1)

    def _sized(self, span: Span, run: Run | None) -> Schedule:
        tau = Span(self.tau.measured(run, Edge()))
        if tau.value == 0:
            raise BindError(f"tau={self.tau} is less than half a tick of this run", write="give a longer one")
        return Leaf._sized(self._with(tau=tau), span, run)

    def _bounds(self) -> Bounds:
        return between(0.0, 1.0, False)

    @property
    def _tau(self) -> float:
        return float(self.tau.value)  # an int beyond 2^31 could not meet the 32-bit positions of JAX


class InvSqrt(_Timed, word="invsqrt"):
    """(τ/(τ+t))ᵖ, a square root unless said otherwise."""

    __slots__ = ("power",)

    power: float

    def __init__(self, tau: SpanLike, span: SpanLike, power: float = 0.5) -> None:
        super().__init__(tau, span)
        exponent = positive_number(power, "the power of invsqrt")
        if not 0.01 <= exponent <= 100:
            raise PreheatError("the power of invsqrt must lie in [0.01, 100]", given=power)
        self._set(power=exponent)

    def _formula(self, t: Any, xp: Any) -> Any:
        inverse = 1.0 / (1.0 + t / self._tau)
        if self.power == 0.5:
            return xp.sqrt(inverse)
        return inverse if self.power == 1 else xp.power(inverse, self.power)


class Saturating(_Timed, word="saturating"):
    """1 − exp(−t/τ)."""

    __slots__ = ()

    def _formula(self, t: Any, xp: Any) -> Any:
        return 0.0 - xp.expm1(-t / self._tau)  # and not its negative, which would begin at −0.0


class Rectified(Leaf, word="rectified"):
    """RAdam's variance rectification."""

    __slots__ = ("_cases", "beta2")

    beta2: float
    _computed = ("_cases",)

    def __init__(self, beta2: float, span: SpanLike) -> None:
        decay = finite_number(beta2, "beta2")
        if not 0.6 < decay < 1:
            raise PreheatError("beta2 must lie between 0.6 and 1, where the factor is defined", given=beta2)
        self._set(beta2=decay, span=Span(span), _depth=1)

    def _compute_cases(self) -> tuple[list[float], list[Any]]:
        return rectification(self.beta2)

    def _formula(self, t: Any, xp: Any) -> Any:
        seams, sides = self._cases
        return xp.choose(t, seams, lambda i, t: sides[i](t, xp))

    def _bounds(self) -> Bounds:
        return between(self._formula(0, Scalars), 1.0, False)


class Table(Schedule, word="table"):
    """One value per tick, linear between."""

    __slots__ = ("values",)

    values: tuple[float, ...]
    _grows = False  # type: ignore[assignment]

    def __init__(self, values: Iterable[float]) -> None:
        read = tuple(finite_number(value, "a value of a table") for value in listed(values, "table"))
        if not read:
            raise PreheatError("a table needs at least one value", write="write table([0.1, 0.2])")
        self._set(values=read, _depth=nested(extra=1))
        if (size := len(repr(self))) > MAX_TEXT:
            what = (
                f"a table of {len(read)} values takes {size} characters of text, and a schedule has at most {MAX_TEXT}"
            )
            raise PreheatError(what, write="round the values, or write ramps between a few of them")

    def _exact(self, run: Run | None) -> Fraction:
        return self._lasts

    @property
    def _lasts(self) -> Fraction:
        return Fraction(len(self.values))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return self

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

    def _bounds(self) -> Bounds:
        return between(min(self.values), max(self.values), True)


def listed(values: object, word: str) -> list[Any]:
    """The items of a list, tuple, range, iterator or array of one dimension; what has no order or no end is refused."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise PreheatError(f"{word} takes a list of values", given=values)
    found = list(itertools.islice(values, MAX_TEXT))
    if len(found) == MAX_TEXT:
        raise PreheatError(f"{word} takes fewer than {MAX_TEXT} values")
    return found
