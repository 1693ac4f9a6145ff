"""One schedule, changed: scaled, shifted, or only its first part."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from preheat.core.checks import Number, finite_number, int_if_whole, ticks
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule, nested
from preheat.core.peaks import Bounds
from preheat.core.spans import Edge, Run, Span, SpanLike


class Wrapped(Schedule):
    """What is not said otherwise is as it is in the schedule inside."""

    __slots__ = ("_children", "_endless", "base")

    base: Schedule

    def _wrap(self, base: Schedule, **values: object) -> None:
        if not isinstance(base, Schedule):
            raise PreheatError(f"{self._word} takes a schedule", given=base)
        usual = {"base": base, "_children": (base,), "_depth": nested(base), "_endless": base._endless}
        self._set(**usual | values)

    @property
    def _grows(self) -> bool:
        return self.base._grows

    def _exact(self, run: Run | None) -> Fraction | float:
        return self.base._exact(run)

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return self._with(base=self.base._resolved(run, begin, end))

    @property
    def _length(self) -> Number:
        return self.base._length

    def _magnitude(self) -> float:
        return self.base._magnitude()

    def _bounds(self) -> Bounds:
        return self.base._bounds().loosely()


class Scaled(Wrapped, method="scaled"):
    """k · s."""

    __slots__ = ("factor",)

    factor: float

    def __init__(self, base: Schedule, factor: float) -> None:
        self._wrap(base, factor=finite_number(factor, "the factor of scaled(k)"))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._formula(t, xp) * self.factor

    def _last(self) -> float:
        return self.base._last() * self.factor

    def _magnitude(self) -> float:
        return self.base._magnitude() * max(1.0, abs(self.factor))

    def _bounds(self) -> Bounds:
        return self.base._bounds().times(self.factor)


class Shifted(Wrapped, method="shifted"):
    """s(t − n): later, or earlier if n < 0."""

    __slots__ = ("ticks",)

    ticks: Number

    def __init__(self, base: Schedule, ticks: Number) -> None:
        self._wrap(base, ticks=_ticks(ticks))

    def _exact(self, run: Run | None) -> Fraction | float:
        return max(Fraction(0), self.base._exact(run) + Fraction(self.ticks))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return self._with(base=self.base._resolved(run, begin.later(self.ticks, self.ticks), end))

    @property
    def _length(self) -> Number:
        length = self.base._length
        return length if length == math.inf else int_if_whole(max(Fraction(0), Fraction(length) + Fraction(self.ticks)))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._at(xp.since(t, self.ticks), xp)

    def _bounds(self) -> Bounds:
        bounds = self.base._bounds()
        return bounds if self.ticks >= 0 else bounds.loosely()


class Truncated(Wrapped, method="truncated"):
    """The same until a span has passed, then the value it has there."""

    __slots__ = ("span",)

    span: Span
    _grows = False  # type: ignore[assignment]

    def __init__(self, base: Schedule, span: SpanLike) -> None:
        until = Span(span)
        if until.is_rest:
            raise PreheatError("truncated('rest') would cut nothing", write="give it a span such as 1000 or '80%'")
        self._wrap(base, span=until, _endless=False)

    def _exact(self, run: Run | None) -> Fraction | float:
        exact = self.span.exact(run)
        return exact if self.base._grows else min(exact, self.base._exact(run))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        known = self.base._grows and run is not None and run.total is not None
        whole_run = Edge(Fraction(run.total), Fraction(run.total)) if known else None  # type: ignore[union-attr, arg-type]
        return self._with(base=self.base._resolved(run, begin, whole_run), span=Span(self.span.measured(run, begin)))

    @property
    def _length(self) -> Number:
        return min(self.base._length, self.span.value)  # type: ignore[type-var]

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._formula(t, xp)


def _ticks(value: Number) -> Number:
    return ticks(value, "the ticks of shifted(n)")
