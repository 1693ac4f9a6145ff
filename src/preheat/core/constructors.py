"""The functions that schedules are built from. Every other schedule is a composition of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, InvSqrt, Ramp, Rectified, Saturating, Table, listed
from preheat.core.nodes.pointwise import Lower, Upper
from preheat.core.nodes.sequence import sequence
from preheat.core.shapes import Shape
from preheat.core.spans import REST, Span, SpanLike, lasting
from preheat.core.stated import joined
from preheat.core.text.words import learn


def ramp(start: float, end: float, span: SpanLike, shape: Shape | str = "linear") -> Schedule:
    """From `start` at its first moment to `end` at its last, which is the first moment of what follows.

        s(t) = start + (end − start) · w(t/n)          shape "linear": w(u) = u
        s(t) = start · (end/start)^(t/n)               shape "exponential", both ends > 0

    start, end: finite values, of any unit (a rate, or a factor of the peak).   span: its length n, in ticks or with a unit.
    shape: "linear", "cosine", "sqrt" ("1-sqrt" is read as it), "square", "smooth", "mirror-cosine", "rex", "log",
    "exponential", power(p), reverse(shape), or compose(outer, inner).

    Choose "linear" unless you have a reason; "exponential" when the ends are orders of magnitude apart.

    >>> warm = ramp(0.01, 0.1, 1000)
    >>> warm(0), warm(500), warm(1000), warm(5000)
    (0.01, 0.055, 0.1, 0.1)

    Raises PreheatError for values that are not finite numbers, an unknown shape, a negative span.
    Goyal et al. 2017, arXiv:1706.02677 (gradual warmup).
    """
    return Ramp(start, end, span, shape)


def hold(value: float | str = 1.0, span: SpanLike = "rest") -> Schedule:
    """Constant.

        s(t) = value

    value: finite.   span: its length; "rest" (the default) is what the other parts leave. A text alone is the length:
    `hold("20%")` is `hold(1.0, "20%")`.

    >>> hold(0.1, 5)(3)
    0.1

    Raises PreheatError for a value that is not a finite number, and a length between 0 and 1 without a unit: write "5%".
    """
    if isinstance(value, str | Span) and span == REST:
        value, span = 1.0, value
    return Hold(value, lasting("hold", span))  # type: ignore[arg-type]  a Hold refuses a text


def warmup(span: SpanLike, start: float = 0.0, shape: Shape | str = "linear") -> Schedule:
    """From `start` to 1, the peak: `ramp(start, 1.0, span, shape)`.

        s(t) = start + (1 − start) · w(t/n)

    span: the length of the warmup.   start: the first value, a factor of the peak.   Update 0 runs at `start`: with
    start=0 it changes nothing; write ramp(1/n, 1, n − 1) to begin at 1/n, as torchtitan does.

    >>> warmup(4).table(6).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

    Raises what ramp raises, and PreheatError for a length between 0 and 1 without a unit: write "5%".
    Vaswani et al. 2017, arXiv:1706.03762; Goyal et al. 2017, arXiv:1706.02677.
    """
    return ramp(start, 1.0, lasting("warmup", span), shape)


def decay(span: SpanLike = "rest", to: float = 0.0, shape: Shape | str = "linear") -> Schedule:
    """From 1, the peak, to `to`: `ramp(1.0, to, span, shape)`.

        s(t) = 1 + (to − 1) · w(t/n)

    span: its length; "rest" (the default) is what the other parts leave.   to: the last value, a factor of the peak.

    >>> decay(4, to=0.5).table(6).tolist()
    [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]

    Raises what ramp raises, and PreheatError for a length between 0 and 1 without a unit: write "5%".
    Bergsma et al. 2025, arXiv:2502.15938 (linear to zero).
    """
    return ramp(1.0, to, lasting("decay", span), shape)


def steps(values: Sequence[float], spans: Sequence[SpanLike]) -> Schedule:
    """A staircase: `values[i]` for `spans[i]`; the last span may be "rest".

        s(t) = values[i]  for  spans[0] + … + spans[i−1] ≤ t < spans[0] + … + spans[i]

    values: finite.   spans: equally many lengths.

    >>> steps([1.0, 0.1], [2, 2]).table(4).tolist()
    [1.0, 1.0, 0.1, 0.1]

    Raises PreheatError if there are not equally many of both, or none. He et al. 2016, arXiv:1512.03385.
    """
    values, spans = listed(values, "steps"), listed(spans, "steps")
    if len(values) != len(spans) or not values:
        raise PreheatError(f"steps takes equally many values and spans, not {len(values)} and {len(spans)}")
    return sequence([hold(value, span) for value, span in zip(values, spans, strict=True)])


def invsqrt(tau: SpanLike, span: SpanLike = "rest", power: float = 0.5) -> Schedule:
    """Inverse square root, 1 at its start and a half after 3τ more ticks; or another power. It needs no end.

        s(t) = (τ / (τ + t))^p

    tau: the time constant τ, a length above 0.   span: its length; "rest" by default.
    power: p, no unit, in [0.01, 100]; 1 is the inverse-time decay 1/(1 + t/τ).

    Choose it when the length of the run is not known. After warmup(τ) it is the schedule of Vaswani et al.

    >>> invsqrt(4)(12), invsqrt(4, power=1)(12)
    (0.5, 0.25)

    Relative error ≤ 1e-15 for p = 0.5 and 1, else up to p · 4e-16.

    Raises PreheatError for a tau of 0 or "rest", a power out of range. Vaswani et al. 2017, arXiv:1706.03762.
    """
    return InvSqrt(tau, span, power)


def saturating(tau: SpanLike, span: SpanLike = "rest") -> Schedule:
    """A warmup that comes ever closer to 1.

        s(t) = 1 − exp(−t/τ)

    tau: the time constant τ, a length above 0.   span: its length; "rest" by default.

    >>> round(saturating(1000)(1000), 6)
    0.632121

    Raises PreheatError for a tau of 0 or "rest". Ma & Yarats 2019, arXiv:1910.04209 (untuned exponential warmup).
    """
    return Saturating(tau, span)


def rectified(beta2: float, span: SpanLike = "rest") -> Schedule:
    """RAdam's variance rectification as a factor, t counted from the first update at which it is defined (ρ > 4).

        s(t) = √( (ρₖ−4)(ρₖ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₖ) ),   ρ∞ = 2/(1−β₂) − 1,   ρₖ = ρ∞ − 2kβ₂ᵏ/(1−β₂ᵏ)

    beta2: Adam's second-moment decay, 0.6 < β₂ < 1, no unit.   span: its length; "rest" by default.

    >>> [round(rectified(0.999)(t), 6) for t in (0, 1, 2)]
    [0.017312, 0.025821, 0.032739]

    Relative error ≤ 2e-15 for β₂ ≥ 0.9; below that up to 2e-15 · 4/(ρ − 4).

    Raises PreheatError for a beta2 out of range. Liu et al. 2019, arXiv:1908.03265.
    """
    return Rectified(beta2, span)


def table(values: Sequence[float]) -> Schedule:
    """One value per tick, linear between; it lasts as many ticks as there are values.

        s(i) = values[i]

    values: finite, at least one; at most as many as print in 256 KiB.

    >>> table([0.1, 0.3])(0.5)
    0.2

    Raises PreheatError for an empty list, a value that is not a finite number, or too long a table.
    """
    return Table(values)


def lower(*schedules: Any) -> Any:
    """The least of several schedules at every time; it lasts as long as the longest.

        s(t) = min(a(t), b(t), …)

    >>> from preheat import ramp
    >>> lower(ramp(0, 1, 4), hold(0.5, 4)).table(5).tolist()
    [0.0, 0.25, 0.5, 0.5, 0.5]

    Raises PreheatError for fewer than two schedules, or factors beside rates.
    """
    return joined("lower", Lower, schedules)


def upper(*schedules: Any) -> Any:
    """The greatest of several schedules at every time; it lasts as long as the longest.

        s(t) = max(a(t), b(t), …)

    >>> from preheat import ramp
    >>> upper(ramp(1, 0, 4), hold(0.5, 4)).table(5).tolist()
    [1.0, 0.75, 0.5, 0.5, 0.5]

    Raises PreheatError for fewer than two schedules, or factors beside rates.
    """
    return joined("upper", Upper, schedules)


learn(ramp, hold, warmup, decay, steps, invsqrt, saturating, rectified, table, lower, upper)
