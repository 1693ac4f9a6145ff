"""The smallest rate at which a loss, looked at along a line, is higher than where the line begins. Needs no framework.

From a guess, the parabola through what is known says where to look next; where it knows nothing, the distance from the guess
doubles on a logarithmic scale. Once the answer lies between two rates, it is interpolated, or bisected where that is slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from preheat.core.errors import PreheatError

WITHIN = 1 + 1 / 16  # high / low at which the answer is near enough
_BESIDE = 1.025  # how far beside an estimate to look, so that two looks close in on it: its square is below WITHIN
_MOST_LOOKS = 32
_FURTHEST = 2.0**90  # times the first look: where a loss that does not rise, or does nothing else, is given up
_ROUNDED = 2.0**-48  # of the loss: what double precision leaves of a mean


@dataclass(frozen=True)
class Crossing:
    """Where a loss along a line rises above its level: between `low`, where it does not, and `high`, where it does.

    rate: √(low · high), within 1/32; None where it is not known, and then `why` says why.
    curve: every rate that was looked at, with the loss there, in order of rates; one forward pass each.
    depth: how far the loss falls below its first value on the way: the change that decides.
    """

    rate: float | None
    low: float
    high: float
    curve: tuple[tuple[float, float], ...]
    depth: float = 0.0
    why: str = ""

    @property
    def forwards(self) -> int:
        """How often the loss was computed."""
        return len(self.curve)


def crossing(
    loss: Callable[[float], float],
    at_zero: float,
    slope: float,
    *,
    rise: float = 0.0,
    guess: float | None = None,
    noise: float = 0.0,
    largest: float = math.inf,
) -> Crossing:
    """The smallest η > 0 with loss(η) > at_zero + rise, to 1/16. A loss that is not finite counts as above.

    slope: −d loss/dη at 0.   guess: where to look first; within 2 × of the answer 8 looks are enough, else 16.
    noise: changes of the loss below 3 × this say nothing.   largest: a loss that has not risen there is given up.

    Between two looks the loss is not seen: of several rates at which it crosses its level, one is found, and half of it was
    looked at. Not known (`rate` None) where the loss does not rise, where it falls by less than 3 × the noise, and where the
    slope is not positive while rise is 0, since then every small rate raises it.

    Raises PreheatError where at_zero or slope is not finite.
    """
    if not (math.isfinite(at_zero) and math.isfinite(slope)):
        raise PreheatError(
            f"the loss and its slope must be finite: {at_zero}, {slope}", write="measure before it diverges"
        )
    if slope <= 0 and rise <= 0:
        return Crossing(None, 0.0, 0.0, (), why="the update does not lower the loss to first order")
    hunt = _Hunt(at_zero, slope, rise, max(noise, _ROUNDED * abs(at_zero)), largest)
    first = hunt.first() if guess is None else guess
    while (rate := hunt.next() if hunt.seen else first) is not None:
        hunt.seen[rate] = loss(rate)
    return hunt.found()


@dataclass
class _Hunt:
    """What has been seen of a loss along a line, and where to look next."""

    at_zero: float
    slope: float
    rise: float
    unseen: float  # noise or rounding, whichever is larger
    largest: float
    seen: dict[float, float] = field(default_factory=dict)
    stride: int = 0  # the exponent of 2 of the next step outward
    width: float = math.inf  # of the bracket on a logarithmic scale, before the last look

    def first(self) -> float:
        """Without a guess: where the slope alone would take off a tenth of the loss."""
        change = 0.1 * abs(self.at_zero) + self.rise
        return min(change / abs(self.slope) if change and self.slope else 1e-3, 1e-3 * self.largest)

    def above(self, rate: float) -> bool:
        return not self.seen[rate] - self.at_zero <= self.rise

    @property
    def high(self) -> float:
        return min((rate for rate in self.seen if self.above(rate)), default=math.inf)

    @property
    def low(self) -> float:
        high = self.high
        return max((rate for rate in self.seen if rate < high), default=0.0)

    @property
    def origin(self) -> float:
        return next(iter(self.seen))

    def next(self) -> float | None:
        """The next rate to look at; None at the end."""
        low, high = self.low, self.high
        if len(self.seen) >= _MOST_LOOKS or low >= min(self.largest, self.origin * _FURTHEST):
            return None
        if high <= self.origin / _FURTHEST:
            return None
        if high == math.inf:
            return min(self.outward(low, self.parabola(low), 1), self.largest)
        if low == 0.0:
            return self.outward(high, self.parabola(high), -1)
        return self.between(low, high) if high / low > WITHIN else self.halfway(low)

    def halfway(self, low: float) -> float | None:
        """A look at half the answer, unless there was one: a loss that is above there crosses earlier."""
        return None if any(0.25 * low < rate < 0.75 * low for rate in self.seen) else 0.5 * low

    def outward(self, end: float, estimate: float | None, sign: int) -> float:
        """Beyond the estimate; where there is none, and where one failed, 2, then 4, 16, 256 times further."""
        stride = max(self.stride, 1) if estimate is None else self.stride
        self.stride = max(1, 2 * stride)
        step = 2.0 ** (sign * stride)
        if estimate is None:
            return end * step
        return max(estimate * _BESIDE, end * step) if sign > 0 else min(estimate / _BESIDE, end * step)

    def between(self, low: float, high: float) -> float:
        """Beside the interpolated answer, on the side that is further away; the middle where that did not halve the bracket."""
        width = math.log(high / low)
        slow, self.width = width > 0.5 * self.width, width
        estimate = None if slow else self.interpolated(low, high)
        if estimate is None or not low < estimate < high:
            self.width = math.inf
            return math.sqrt(low) * math.sqrt(high)
        return estimate / _BESIDE if estimate / low > high / estimate else estimate * _BESIDE

    def bend(self, rate: float) -> float | None:
        """h in loss(η) = at_zero − slope·η + h·η², by the loss at a rate; None where rounding or noise hides it."""
        change = self.seen[rate] - self.at_zero + self.slope * rate
        return change / rate**2 if math.isfinite(change) and abs(change) > 4 * self.unseen else None

    def parabola(self, rate: float) -> float | None:
        """Where the parabola with the known slope through the loss at a rate crosses the level."""
        bend = self.bend(rate)
        inside = None if bend is None else self.slope**2 + 4 * bend * self.rise
        if bend is None or inside is None or not 0 <= inside < math.inf:
            return None
        if self.slope < 0:
            return 2 * self.rise / (math.sqrt(inside) - self.slope)
        root = (self.slope + math.sqrt(inside)) / (2 * bend) if bend > 0 else 0.0
        return root if 0 < root < math.inf else None

    def interpolated(self, low: float, high: float) -> float | None:
        """Where the curve with the known slope crosses its level if its bend is a power of the rate between two looks."""
        below, above = self.bend(low), self.bend(high)
        if below is None or above is None or below <= 0 or above <= 0:
            return self.parabola(high if above is not None else low)
        power = math.log(above / below) / math.log(high / low)
        for _ in range(40):
            rate = math.sqrt(low) * math.sqrt(high)
            bend = below * (rate / low) ** power
            change = rate * (bend * rate - self.slope)
            below, low, high = (below, low, rate) if change > self.rise else (bend, rate, high)
        return low

    def found(self) -> Crossing:
        low, high = self.low, self.high
        curve = tuple(sorted(self.seen.items()))
        depth = max((self.at_zero - value for rate, value in curve if rate < high), default=0.0)
        known = Crossing(math.sqrt(low) * math.sqrt(high), low, high, curve, depth)
        if high == math.inf:
            why = f"the loss does not rise up to the rate {low:.3g}"
        elif low == 0.0:
            why = f"the loss rises at every rate down to {high:.3g}, although its slope is downward"
        elif high / low > WITHIN:
            why = (
                f"the loss was looked at {len(curve)} times, and the answer still lies between {low:.3g} and {high:.3g}"
            )
        elif self.rise <= 0 and depth < 3 * self.unseen:
            why = f"the loss falls by no more than {depth:.3g}, less than 3 times its noise, {self.unseen:.3g}"
        else:
            return known
        return Crossing(None, low, high, curve, depth, why)
