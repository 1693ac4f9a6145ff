"""A schedule again and again, each time longer or shorter, higher or lower."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from preheat.core.combine import Wrapped, sequence
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.numbers import Number, positive, real, whole
from preheat.core.pieces import Hold
from preheat.core.schedule import Schedule
from preheat.core.spans import Edge, Run, Span
from preheat.core.xp import Scalars


@dataclass(frozen=True, repr=False)
class Repeated(Wrapped):
    """Repetition k, from 0, has its spans × stretchᵏ and its values × shrinkᵏ; times=None never ends."""

    base: Schedule
    times: int | None
    stretch: float = 1.0
    shrink: float = 1.0

    def __post_init__(self) -> None:
        times = self.times
        if times is not None and (isinstance(times, bool) or not hasattr(times, "__index__") or not 1 <= times < 2**63):
            raise PreheatError(f"repeated(n) takes a whole number from 1 to 2^63, or None, not {shown(times)}")
        stretch, shrink = positive(self.stretch, "stretch"), real(self.shrink, "shrink")
        if times is None and (stretch < 1 or abs(shrink) > 1):
            raise PreheatError(
                f"repeated(None, stretch={stretch!r}, shrink={shrink!r}) "
                + ("would end all the same" if stretch < 1 else "would grow without bound")
                + "; give the number of repetitions"
            )
        times = None if times is None else int(times)
        self._prepare(times=times, stretch=stretch, shrink=shrink)
        if self.base._endless or (times is None and self.base._grows):
            raise PreheatError(f"one repetition must have an end: {shown(self.base)}; give its parts spans")
        object.__setattr__(self, "_endless", times is None)

    def _shares(self) -> Fraction | float:
        """How many first repetitions all of them last together."""
        if self.times is None:
            return math.inf
        if self.stretch == 1:
            return Fraction(self.times)
        if abs(math.log(self.stretch)) * self.times > 600:
            raise BindError(f"stretch={self.stretch!r} over {self.times} repetitions leaves the range of numbers")
        return Fraction((self.stretch**self.times - 1) / (self.stretch - 1))

    def _exact(self, run: Run | None) -> Fraction | float:
        exact = self.base._exact(run)
        return exact if exact == 0 else exact * self._shares()

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if not self.base._grows:
            return self._whole_times(self.base._laid(run, begin, None))
        if end is None:
            raise BindError(f"how long {shown(self)} lasts is not known; bind it to a Run with a total")
        room = end.actual - begin.actual
        share = Fraction(math.floor(room / Fraction(self._shares())))
        first = self._whole_times(self.base._laid(run, begin, Edge(begin.exact + share, begin.actual + share)))
        left = room - Fraction(first._length)
        return first if left <= 0 else sequence((first, Hold(first._last(), Span(whole(left)))))

    def _whole_times(self, base: Schedule) -> Schedule:
        """The repetitions of a laid base; of nothing, only its last value."""
        if base._length:
            return replace(self, base=base)
        if self.times is None:
            raise BindError(f"repeating {shown(self.base)}, which lasts 0 ticks, would never pass; give it a length")
        return Hold(base._last() * self._gain(self.times - 1), Span(0))

    @property
    def _length(self) -> Number:
        return math.inf if self.times is None else whole(Fraction(self.base._length) * Fraction(self._shares()))

    def _formula(self, t: Any, xp: Any) -> Any:
        if self.times is None or (self.stretch == 1 and isinstance(self.base._length, int)):
            return self._one(t, xp)
        return xp.choose(t, [self._length], lambda i, t: self._last() if i else self._one(t, xp))

    def _one(self, t: Any, xp: Any) -> Any:
        """The value in whichever repetition t falls into."""
        k = self._which(t, xp)
        length = self.base._length
        local = t - self._start(k)
        local = xp.within(local if self.stretch == 1 else local / self.stretch**k, 0, length)
        value = self.base._formula(local, xp.scattered)
        return value if self.shrink == 1 else value * self.shrink**k

    def _which(self, t: Any, xp: Any) -> Any:
        """The repetition that t falls into: by formula, then corrected against both neighbouring boundaries."""
        length, r = self.base._length, self.stretch
        if xp.counts(t) and r == 1 and isinstance(length, int):
            k = t // length
        else:
            passed = t / length if r == 1 else xp.log1p(xp.maximum(t * ((r - 1) / length), _ALMOST)) / math.log(r)
            k = xp.floor(passed)
            k = xp.where(t < self._start(k), k - 1, k)
            k = xp.where(t < self._start(k + 1), k, k + 1)
        k = xp.maximum(k, 0)
        return k if self.times is None else xp.minimum(k, self.times - 1)

    def _start(self, k: Any) -> Any:
        """When repetition k begins."""
        if self.stretch == 1:
            return k * self.base._length
        return (self.stretch**k - 1) * (self.base._length / (self.stretch - 1))

    def _gain(self, k: int) -> float:
        return self.shrink**k if abs(self.shrink) <= 1 or k * math.log(abs(self.shrink)) < 700 else math.inf

    def _last(self) -> float:
        if self.times is None:
            return self._formula(0, Scalars)
        return self.base._last() * self._gain(self.times - 1)

    def _magnitude(self) -> float:
        return self.base._magnitude() * max(1.0, abs(self._gain((self.times or 1) - 1)))


_ALMOST = -1.0 + 2.0**-52
