"""A schedule again and again, each time longer or shorter, higher or lower."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate
from typing import Any, Literal

from preheat.core.checks import (
    MOST_TICKS,
    Number,
    counted,
    finite_number,
    float_below,
    int_if_whole,
    one_of,
    positive_number,
    round_half_up,
)
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Leaf
from preheat.core.nodes.sequence import sequence
from preheat.core.nodes.wrapped import Wrapped
from preheat.core.peaks import Bounds
from preheat.core.spans import REST, ROUNDED_DOWN, Edge, Run, Span

MANY = 10_000  # repetitions of different lengths: where each begins is kept in a table
_NOTHING = 2.0**-53  # of the first repetition, is a length that no time falls into


class Repeated(Wrapped, method="repeated"):
    """Repetition k, from 0, has its spans × stretchᵏ and its values × shrinkᵏ; times=None never ends."""

    __slots__ = ("_scales", "_shares", "_starts", "shrink", "stretch", "ticks", "times")

    times: int | None
    stretch: float
    shrink: float
    ticks: Literal["whole", "exact"]
    _scales: list[float]
    _starts: list[Number]
    _shares: Fraction | float

    def __init__(
        self, base: Schedule, times: int | None, stretch: float = 1.0, shrink: float = 1.0, ticks: str = "whole"
    ) -> None:
        count, ticks = _repetitions(times), one_of(ticks, "ticks", ("whole", "exact"))
        longer, higher = positive_number(stretch, "stretch"), finite_number(shrink, "shrink")
        if count is None and (longer < 1 or abs(higher) > 1):
            raise PreheatError(
                f"repeated(None, stretch={longer!r}, shrink={higher!r}) "
                + ("would end all the same" if longer < 1 else "would grow without bound"),
                write="give the number of repetitions",
            )
        if count is not None and count > MANY and longer != 1:
            raise PreheatError(f"repeated(n, stretch={longer!r}) takes at most {MANY} repetitions", given=count)
        self._wrap(base, times=count, stretch=longer, shrink=higher, ticks=ticks, _endless=count is None)
        if base._endless or (count is None and base._grows):
            raise PreheatError(f"one repetition must have an end: {shown(base)}", write="give its parts spans")
        if ticks == "exact" and not base._grows and not isinstance(base, Leaf):
            what = f"ticks='exact' is for one part, or for parts with a 'rest': {shown(base)}"
            raise PreheatError(what, write="leave it out")

    @property
    def _pieces(self) -> int:
        """How many beginnings its table may have."""
        if self.stretch == 1:
            return 1
        doubling = math.ceil(100 / abs(math.log2(self.stretch)))  # lengths from 2^-47 to 2^53
        return min(doubling, MANY if self.times is None else self.times)

    # -- lengths ----------------------------------------------------------------------------------------------------

    def _compute_scales(self) -> list[float]:
        """How many times as long as the first each repetition is, up to those too short to matter or too late to come."""
        scales, total, length = [1.0], 1.0, float(self.base._length)
        while len(scales) != self.times and total * length <= MOST_TICKS and scales[-1] * self.stretch < 1e300:
            scales.append(self.stretch ** len(scales))
            total += scales[-1]
            if len(scales) > MANY:
                raise BindError(f"stretch={self.stretch!r} is too near to 1", write="write repeated() without it")
            if scales[-1] < _NOTHING:
                break
        return scales

    def _compute_starts(self) -> list[Number]:
        """When each of those repetitions begins."""
        lasting = (self.base._lasts * Fraction(scale) for scale in self._scales[:-1])
        return [int_if_whole(start) for start in accumulate(lasting, initial=Fraction(0))]

    def _compute_shares(self) -> Fraction | float:
        """How many first repetitions all of them last together."""
        if self.times is None:
            return math.inf
        if self.stretch == 1:
            return Fraction(self.times)
        if self.times * math.log2(self.stretch) > 900:
            raise BindError(f"stretch={self.stretch!r} over {self.times} repetitions leaves the range of numbers")
        return sum((Fraction(self.stretch**k) for k in range(self.times)), Fraction(0))

    @property
    def _moves(self) -> bool:
        return self.base._grows

    def _exact(self, run: Run | None) -> Fraction:
        return Fraction(0) if self._endless else self.base._exact(run) * self._shares  # type: ignore[operator]

    @property
    def _lasts(self) -> Fraction | float:
        return math.inf if self._endless else self.base._lasts * self._shares

    # -- resolving --------------------------------------------------------------------------------------------------

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        if not self.base._grows:
            return (self._in_whole_ticks if self.ticks == "whole" else self._in_exact_ticks)(run, begin)
        if end is None:
            raise BindError(f"how long {shown(self)} lasts is not known", write="bind it to a Run with a total")
        room = max(Fraction(0), end.actual - begin.actual)
        share = room / Fraction(self._shares)
        share = Fraction(math.floor(share)) if self.ticks == "whole" else float_below(share)
        return self._filled(self.base._resolved(run, begin, begin.later(share, share)), room)

    def _in_whole_ticks(self, run: Run | None, begin: Edge) -> Schedule:
        """All repetitions are alike, so where units make edges to round, they are rounded down: then all of them fit."""
        base, exact = self.base._resolved(run, ROUNDED_DOWN, None), self.base._exact(run)
        if self.times is None or base._length == int_if_whole(exact):
            return self._filled(base, Fraction(0))
        return self._filled(base, round_half_up(begin.exact + Fraction(exact * self._shares)) - begin.actual)

    def _in_exact_ticks(self, run: Run | None, begin: Edge) -> Schedule:
        """One part whose unit makes no whole number of ticks keeps the fraction: the last repetition ends where it should."""
        exact, shares = self.base._exact(run), Fraction(1 if self._endless else self._shares)
        room = exact * shares
        if not self._endless and not self.base.span.is_bare:  # type: ignore[attr-defined]
            room = round_half_up(begin.exact + room) - begin.actual
        share = float_below(room / shares)
        base = self.base._with(span=REST)._resolved(run, begin, begin.later(share, share))
        return self._filled(base, Fraction(0) if self._endless else room)

    def _filled(self, base: Schedule, room: Fraction) -> Schedule:
        """The repetitions of a resolved base, the last value held for what they leave of the room."""
        if not base._length and self.times is None:
            what = f"repeating {shown(self.base)}, which lasts 0 ticks, would never pass"
            raise BindError(what, write="give it a length")
        if not base._length:
            return Hold(base._last() * self._gain, Span(int_if_whole(max(Fraction(0), room))))
        resolved = self._with(base=base, ticks="whole")
        left = room - Fraction(resolved._length) if room > 0 else 0
        return sequence((resolved, Hold(resolved._last(), Span(int_if_whole(left))))) if left > 0 else resolved

    def _precompute(self) -> None:
        super()._precompute()
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
        return self._grown((self.times or 1) - 1)

    def _grown(self, k: int) -> float:
        """What repetition k is multiplied by; infinite where no float holds it."""
        steep = abs(self.shrink) > 1 and k * math.log2(abs(self.shrink)) > 1000
        return math.inf if steep else self.shrink**k

    def _last(self) -> float:
        return self._one(0, Scalars) if self.times is None else self.base._last() * self._gain

    def _magnitude(self) -> float:
        return self.base._magnitude() * max(1.0, abs(self._gain))

    def _bounds(self) -> Bounds:
        """Those of the first two repetitions and of the last two, between which all others lie."""
        base, alike = self.base._bounds(), self.stretch == 1
        if self.times is None:
            last = [] if self.shrink == 1 else [base.times(0.0)]
            every, alike = [base, base.times(self.shrink), *last], alike and not last
        else:
            every = [base.times(self._grown(k)) for k in {0, 1, self.times - 2, self.times - 1} if 0 <= k < self.times]
        low, high = min(one.low for one in every), max(one.high for one in every)
        return Bounds(low, high, base.exact and alike, base.constant)


def _repetitions(times: object) -> int | None:
    """A number of repetitions, or None for ever; numpy's integers are taken too."""
    if times is None:
        return None
    return counted(times, "repeated(n) takes a whole number from 1 to 2^53, or None", least=1)
