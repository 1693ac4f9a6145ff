"""A schedule again and again, each time longer or shorter, higher or lower; and only the first part of one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Any

from preheat.core.checks import MOST_TICKS, Number, finite_number, int_if_whole, positive_number, round_half_up
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule
from preheat.core.nodes.combine import Wrapped, sequence
from preheat.core.nodes.leaves import Hold, _put
from preheat.core.spans import Edge, Run, Span

MANY = 10_000  # repetitions of different lengths: where each begins is kept in a table
_NOTHING = 2.0**-53  # of the first repetition, is a length that no time falls into


@dataclass(eq=False, repr=False)
class Repeated(Wrapped):
    """Repetition k, from 0, has its spans × stretchᵏ and its values × shrinkᵏ; times=None never ends."""

    base: Schedule
    times: int | None
    stretch: float = 1.0
    shrink: float = 1.0

    _once = ("_length",)

    def __post_init__(self) -> None:
        times = self.times
        if times is not None and (
            isinstance(times, bool) or not hasattr(times, "__index__") or not 1 <= times <= MOST_TICKS
        ):
            raise PreheatError(f"repeated(n) takes a whole number from 1 to 2^53, or None, not {shown(times)}")
        times = None if times is None else int(times)
        stretch, shrink = positive_number(self.stretch, "stretch"), finite_number(self.shrink, "shrink")
        if times is None and (stretch < 1 or abs(shrink) > 1):
            raise PreheatError(
                f"repeated(None, stretch={stretch!r}, shrink={shrink!r}) "
                + ("would end all the same" if stretch < 1 else "would grow without bound")
                + "; give the number of repetitions"
            )
        if times is not None and times > MANY and stretch != 1:
            raise PreheatError(f"repeated(n, stretch={stretch!r}) takes at most {MANY} repetitions, not {times}")
        self._prepare(times=times, stretch=stretch, shrink=shrink)
        if self.base._endless or (times is None and self.base._grows):
            raise PreheatError(f"one repetition must have an end: {shown(self.base)}; give its parts spans")
        _put(self, _endless=times is None)

    # -- lengths ----------------------------------------------------------------------------------------------------

    @cached_property
    def _scales(self) -> list[float]:
        """How many times as long as the first each repetition is, up to those too short to matter or too late to come."""
        scales, total, length = [1.0], 1.0, float(self.base._length)
        while len(scales) != self.times and total * length <= MOST_TICKS and scales[-1] * self.stretch < 1e300:
            scales.append(self.stretch ** len(scales))
            total += scales[-1]
            if len(scales) > MANY:
                raise BindError(f"stretch={self.stretch!r} is too near to 1; write repeated() without it")
            if scales[-1] < _NOTHING:
                break
        return scales

    @cached_property
    def _starts(self) -> list[Number]:
        """When each of those repetitions begins."""
        lasting = (Fraction(self.base._length) * Fraction(scale) for scale in self._scales[:-1])
        return [int_if_whole(start) for start in accumulate(lasting, initial=Fraction(0))]

    @cached_property
    def _shares(self) -> Fraction | float:
        """How many first repetitions all of them last together."""
        if self.times is None:
            return math.inf
        if self.stretch == 1:
            return Fraction(self.times)
        if self.times * math.log2(self.stretch) > 900:
            raise BindError(f"stretch={self.stretch!r} over {self.times} repetitions leaves the range of numbers")
        return sum((Fraction(self.stretch**k) for k in range(self.times)), Fraction(0))

    def _exact(self, run: Run | None) -> Fraction | float:
        exact = self.base._exact(run)
        return exact if exact == 0 else exact * self._shares

    @cached_property
    def _length(self) -> Number:  # type: ignore[override]
        return math.inf if self.times is None else int_if_whole(Fraction(self.base._length) * self._shares)

    # -- laying out -------------------------------------------------------------------------------------------------

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if not self.base._grows:
            return self._in_whole_ticks(run, begin)
        if end is None:
            raise BindError(f"how long {shown(self)} lasts is not known; bind it to a Run with a total")
        room = end.actual - begin.actual
        share = Fraction(math.floor(room / self._shares))
        return self._filled(self.base._laid(run, begin, Edge(begin.exact + share, begin.actual + share)), room)

    def _in_whole_ticks(self, run: Run | None, begin: Edge) -> Schedule:
        """All repetitions are alike, so where units make edges to round, they are rounded down: then all of them fit."""
        base, exact = self.base._laid(run, Edge(Fraction(-1, 2)), None), self.base._exact(run)
        if self.times is None or base._length == int_if_whole(exact):
            return self._filled(base, Fraction(0))
        return self._filled(base, round_half_up(begin.exact + Fraction(exact * self._shares)) - begin.actual)

    def _filled(self, base: Schedule, room: Fraction) -> Schedule:
        """The repetitions of a laid base, the last value held for what they leave of the room."""
        if not base._length and self.times is None:
            raise BindError(f"repeating {shown(self.base)}, which lasts 0 ticks, would never pass; give it a length")
        if not base._length:
            return Hold(base._last() * self._gain, Span(int_if_whole(max(Fraction(0), room))))
        laid = replace(self, base=base)
        left = room - Fraction(laid._length) if room > 0 else 0
        return sequence((laid, Hold(laid._last(), Span(int_if_whole(left))))) if left > 0 else laid

    def _settle(self) -> None:
        super()._settle()
        if self.stretch != 1:
            self._starts  # noqa: B018

    # -- values -----------------------------------------------------------------------------------------------------

    def _formula(self, t: Any, xp: Any) -> Any:
        if self.times is None:
            return self._one(t, xp)
        return xp.choose(t, [self._length], lambda i, t: self._last() if i else self._one(t, xp))

    def _one(self, t: Any, xp: Any) -> Any:
        """The value in whichever repetition t falls into."""
        length = self.base._length
        if self.stretch == 1:
            k, local = xp.laps(t, length)
        else:
            k, local = xp.find(t, self._starts)
            local = xp.within(local / xp.take(self._scales, k), 0, length)
        value = self.base._formula(local, xp.scattered)
        return value if self.shrink == 1 else value * xp.power(self.shrink, k)

    @property
    def _gain(self) -> float:
        """What the last repetition is multiplied by."""
        k = (self.times or 1) - 1
        steep = abs(self.shrink) > 1 and k * math.log2(abs(self.shrink)) > 1000
        return math.inf if steep else self.shrink**k

    def _last(self) -> float:
        return self._one(0, Scalars) if self.times is None else self.base._last() * self._gain

    def _magnitude(self) -> float:
        return self.base._magnitude() * max(1.0, abs(self._gain))


@dataclass(eq=False, repr=False)
class Truncated(Wrapped):
    """The same until a span has passed, then the value it has there."""

    base: Schedule
    span: Span

    _grows = False  # type: ignore[assignment]

    def __post_init__(self) -> None:
        span = Span(self.span)
        if span.is_rest:
            raise PreheatError("truncated('rest') would cut nothing; give it a span such as 1000 or '80%'")
        self._prepare(span=span)
        _put(self, _endless=False)

    def _exact(self, run: Run | None) -> Fraction | float:
        exact = self.span.exact(run)
        return exact if self.base._grows else min(exact, self.base._exact(run))

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        known = self.base._grows and run is not None and run.total is not None
        whole_run = Edge(Fraction(run.total), Fraction(run.total)) if known else None  # type: ignore[union-attr, arg-type]
        return replace(self, base=self.base._laid(run, begin, whole_run), span=Span(self.span.measured(run, begin)))

    @property
    def _length(self) -> Number:
        return min(self.base._length, self.span.value)  # type: ignore[type-var]

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._formula(t, xp)
