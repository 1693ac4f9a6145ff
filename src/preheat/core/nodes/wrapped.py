"""One schedule, changed: scaled, shifted, in steps, or only its first part."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from preheat.core.checks import Number, finite_number, float_below, int_if_whole, ticks
from preheat.core.errors import PreheatError
from preheat.core.namespaces import Scalars
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

    @property
    def _moves(self) -> bool:
        return self.base._moves

    def _exact(self, run: Run | None) -> Fraction:
        return self.base._exact(run)

    def _over(self, children: list[Schedule]) -> Schedule:
        return self._with(base=children[0])

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return self._with(base=self.base._resolved(run, begin, end))

    @property
    def _lasts(self) -> Fraction | float:
        return self.base._lasts

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

    def _exact(self, run: Run | None) -> Fraction:
        return max(Fraction(0), self.base._exact(run) + Fraction(self.ticks))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return self._with(base=self.base._resolved(run, begin.later(self.ticks, self.ticks), end))

    @property
    def _lasts(self) -> Fraction | float:
        lasts = self.base._lasts
        return lasts if lasts == math.inf else max(Fraction(0), lasts + Fraction(self.ticks))

    def _formula(self, t: Any, xp: Any) -> Any:
        if self._length - self.ticks >= self.base._length:
            return self._earlier(t, xp)
        return xp.choose(t, [self._length], lambda i, t: self._last() if i else self._earlier(t, xp))

    def _earlier(self, t: Any, xp: Any) -> Any:
        return self.base._at(xp.since(t, self.ticks), xp)

    def _last(self) -> float:
        return self._earlier(0, Scalars) if self.base._lasts == math.inf else self.base._last()

    def _bounds(self) -> Bounds:
        bounds = self.base._bounds()
        return bounds if self.ticks >= 0 else bounds.loosely()


class Stepwise(Wrapped, method="stepwise"):
    """For each span the value that it has there at its beginning: s(n · ⌊t/n⌋)."""

    __slots__ = ("span",)

    span: Span

    def __init__(self, base: Schedule, span: SpanLike) -> None:
        step = Span(span)
        if step.is_rest or step.value == 0:
            raise PreheatError(
                "stepwise takes a length above 0", given=step.value, write="write for example '1 epoch' or 1000"
            )
        self._wrap(base, span=step)

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        step = int_if_whole(float_below(self.span.exact(run)))  # whole ticks would drift away from the epochs
        return self._with(base=self.base._resolved(run, begin, end), span=Span(step))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._at(xp.begun(t, self.span.value), xp)

    def _last(self) -> float:
        return self._formula(0 if self._length == math.inf else self._length, Scalars)

    def _bounds(self) -> Bounds:
        return self.base._bounds().loosely()


class Truncated(Wrapped, method="truncated"):
    """The same until a span has passed, then the value it has there."""

    __slots__ = ("span",)

    span: Span
    _grows = _moves = False  # type: ignore[assignment]

    def __init__(self, base: Schedule, span: SpanLike) -> None:
        until = Span(span)
        if until.is_rest:
            raise PreheatError("truncated('rest') would cut nothing", write="give it a span such as 1000 or '80%'")
        self._wrap(base, span=until, _endless=False)

    def _exact(self, run: Run | None) -> Fraction:
        exact = self.span.exact(run)
        return exact if self.base._grows or self.base._endless else min(exact, self.base._exact(run))

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        known = self.base._grows and run is not None and run.total is not None
        whole_run = Edge(Fraction(run.total), Fraction(run.total)) if known else None  # type: ignore[union-attr, arg-type]
        return self._with(base=self.base._resolved(run, begin, whole_run), span=Span(self.span.measured(run, begin)))

    @property
    def _lasts(self) -> Fraction | float:
        return min(self.base._lasts, Fraction(self.span.value))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._formula(t, xp)


def _ticks(value: Number) -> Number:
    if isinstance(value, str):  # a share has no worth before the run is known
        raise PreheatError("shifted(n) takes a number of ticks", given=value, write="write for example 500")
    return ticks(value, "the ticks of shifted(n)")
