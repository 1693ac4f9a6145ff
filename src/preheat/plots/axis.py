"""Axes: their limits, where a value lies, which values are worth a tick, and how a tick's number is written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Axis:
    """Values `low` to `high` on places `start` to `end`; `at` are the ticks, where they are given."""

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0
    log: bool = False
    at: Sequence[float] = ()

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        size = max(abs(low), abs(high))  # first divided by, so that no difference overflows
        return self.start + (self.end - self.start) * (value / size - low / size) / (high / size - low / size)

    def ticks(self, count: int) -> list[float]:
        """About `count` round values within the axis, or those that were given; its ends where no two are round."""
        if self.at:
            return list(self.at)
        difference, size = self.high - self.low, max(abs(self.low), abs(self.high))
        found: list[float] = []
        if self.log:
            found = decades(self.low, self.high, count)
        elif 1e-290 < difference < LARGEST and difference > 1e-12 * size:
            found = round_values(self.low, self.high, count)
        return found if len(found) > 1 else [self.low, self.high]


def limits(values: Sequence[float], log: bool, pad: float = 0.04, zero: bool = True) -> tuple[float, float]:
    """The ends of an axis that holds `values`, with some air; from 0 where 0 is near."""
    low, high = min(values, default=1.0 if log else 0.0), max(values, default=1.0)
    if log:
        return (low / 1.2, high * 1.2) if high / low < LARGEST else (low, high)
    if low == high:
        return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    air = pad * (high - low)
    return 0.0 if zero and 0 <= low < 0.3 * high else low - air, high + air


def drawable(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis: what is so large that arithmetic would overflow has none."""
    return abs(value) <= LARGEST and (value >= 1 / LARGEST or not log)


def round_values(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    raw = max((high - low) / count, 1 / LARGEST)  # below it a power of ten may be 0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float, count: int) -> list[float]:
    """Powers of ten, thinned to `count`; with 2 and 5 between where there are few."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first >= 2:
        return [10.0**p for p in range(first, last + 1, math.ceil((last - first) / count))]
    finer = [m * 10.0**p for p in range(first - 1, last + 1) for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return finer if len(finer) >= 2 else round_values(low, high, count)


def tick_text(value: float, axis: Axis) -> str:
    """A tick's number, short: 0.25, 15k, 3e−5."""
    if abs(value) < 1e-9 * (axis.high - axis.low) and not axis.log:
        return "0"
    for size, unit in () if axis.log else ((1e6, "M"), (1e4, "k")):
        if size <= abs(value) < 1e9:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}".replace("-", "−")
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return (f"{mantissa}e{int(exponent)}" if e else text).replace("-", "−")
