"""The shapes of a ramp, each two-sided so that neither end loses digits.

With u = t/n and v = (n − t)/n a ramp from a to b is `a + (b − a)·w` before the seam, where w = ½, and `b + (a − b)·w̄`
after it, w̄ = 1 − w written without cancellation. So both ends are exact, a ramp from a to a is constant, and values of
one sign keep a relative error below 2e-15. A weight is a function of (t, s, n, xp) with s = n − t.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.numbers import positive

Weight = Callable[[Any, Any, Any, Any], Any]
Side = Callable[[float, float, Any, Any], Any]
_HALF_PI = math.pi / 2


def _linear(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return t / n


def _cosine(t: Any, s: Any, n: Any, xp: Any) -> Any:
    wave = xp.sin(_HALF_PI * (t / n))
    return wave * wave


def _mirror_cosine(t: Any, s: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u + (u - _cosine(t, s, n, xp))


def _smooth(t: Any, s: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u * u * (1.0 + 2.0 * (s / n))


def _sqrt(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return xp.sqrt(t / n)


def _sqrt_rest(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return s / n / (1.0 + xp.sqrt(t / n))


def _square(t: Any, s: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u * u


def _square_rest(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return s / n * (1.0 + t / n)


def _log(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return xp.log1p(t) / math.log1p(n)


def _log_rest(t: Any, s: Any, n: Any, xp: Any) -> Any:
    return xp.log1p(s / (1.0 + t)) / math.log1p(n)


# name: (w, w̄, the u at which w = ½ and the sides meet, given n)
_NAMED: dict[str, tuple[Weight, Weight, Callable[[float], float]]] = {
    "linear": (_linear, lambda t, s, n, xp: _linear(s, t, n, xp), lambda n: 0.5),
    "cosine": (_cosine, lambda t, s, n, xp: _cosine(s, t, n, xp), lambda n: 0.5),
    "smooth": (_smooth, lambda t, s, n, xp: _smooth(s, t, n, xp), lambda n: 0.5),
    "mirror-cosine": (_mirror_cosine, lambda t, s, n, xp: _mirror_cosine(s, t, n, xp), lambda n: 0.5),
    "sqrt": (_sqrt, _sqrt_rest, lambda n: 0.25),
    "square": (_square, _square_rest, lambda n: math.sqrt(0.5)),
    "log": (_log, _log_rest, lambda n: 1.0 / (math.sqrt(1.0 + n) + 1.0)),
}
_SYMMETRIC = ("linear", "cosine", "smooth", "mirror-cosine")
NAMES = (*_NAMED, "exponential")


@dataclass(frozen=True, slots=True, repr=False)
class Shape:
    """How a ramp goes from its start to its end: a name, `power(p)`, or `reverse(...)` of either. A value."""

    name: str
    exponent: float | None = None
    mirrored: bool = False

    def __repr__(self) -> str:
        text = repr(self.name) if self.exponent is None else f"power({self.exponent!r})"
        return f"reverse({text})" if self.mirrored else text

    @property
    def nesting(self) -> int:
        """How many brackets its text has inside one another."""
        return (self.exponent is not None) + self.mirrored

    def cases(self, n: float) -> tuple[list[float], list[Side]]:
        """The seams, in ticks, of a ramp of n ticks, and the formula (a, b, t, xp) of each stretch between them."""
        if self.name == "exponential":
            return [n * 0.5], [_geometric_start(n), _geometric_end(n)]
        seams, sides = self._weights(n)
        if self.mirrored:
            flipped = [(not ends, _swapped(weight)) for ends, weight in reversed(sides)]
            seams, sides = [1.0 - u for u in reversed(seams)], flipped
        return [u * n for u in seams], [_side(ends, weight, n) for ends, weight in sides]

    def _weights(self, n: float) -> tuple[list[float], list[tuple[bool, Weight]]]:
        """Seams in u, and for each stretch whether it counts from the end, and its weight."""
        if self.exponent is None:
            weight, rest, seam = _NAMED[self.name]
            return [seam(float(n))], [(False, weight), (True, rest)]
        p = self.exponent
        seam, rise = 0.5 ** (1.0 / p), _power(p)
        near_end: Weight = lambda t, s, n, xp: -xp.expm1(p * xp.log1p(-(s / n)))  # noqa: E731
        if p >= 1.0:
            return [seam], [(False, rise), (True, near_end)]
        return [seam, 0.5], [(False, rise), (True, lambda *args: 1.0 - rise(*args)), (True, near_end)]


def shape_of(value: "Shape | str") -> Shape:
    """The shape called `value`; refuses an unknown name with the nearest known one."""
    if isinstance(value, Shape):
        return value
    name = "sqrt" if value == "1-sqrt" else value
    if isinstance(name, str) and name in NAMES:
        return Shape(name)
    if isinstance(name, str) and "(" in name:
        from preheat.core.codec import read

        if isinstance(shape := read(name), Shape):
            return shape
    known = [*NAMES, "power(2)", "reverse('sqrt')"]
    raise PreheatError(f"unknown shape {shown(value)}{nearest(str(value), known)}")


def power(exponent: float) -> Shape:
    """The shape uᵖ, u the fraction of the ramp that has passed; p in [0.01, 100], no unit.

    >>> from preheat import ramp
    >>> ramp(0, 1, 4, shape=power(3))(2)
    0.125

    Raises PreheatError for an exponent out of range. A polynomial decay (1 − u)ᵖ is `reverse(power(p))`.
    """
    p = positive(exponent, "the exponent of power(p)")
    if not 0.01 <= p <= 100:
        raise PreheatError(f"the exponent of power(p) must lie in [0.01, 100], not {shown(exponent)}")
    return Shape("power", p)


def reverse(shape: Shape | str) -> Shape:
    """The shape run backwards: its weights with u and v = 1 − u exchanged, so that the fast end becomes the slow one.

    >>> from preheat import ramp
    >>> ramp(1, 0, 4, shape=reverse(power(2)))(2)
    0.25
    >>> reverse(reverse("sqrt"))
    'sqrt'

    Raises PreheatError for "exponential", whose steepness belongs to its ends: exchange those instead.
    """
    given = shape_of(shape)
    if given.name == "exponential":
        raise PreheatError("'exponential' has no reverse: its steepness follows from its ends; use another shape")
    if given.name in _SYMMETRIC:
        return given
    return Shape(given.name, given.exponent, not given.mirrored)


def _power(p: float) -> Weight:
    if p >= 1.0:
        return lambda t, s, n, xp: (t / n) ** p

    def weight(t: Any, s: Any, n: Any, xp: Any) -> Any:
        """uᵖ whose derivative at 0, infinite for p < 1, is taken as 0: times 0 it would make NaN."""
        u = t / n
        above = u > 0
        return xp.where(above, xp.where(above, u, 1.0) ** p, 0.0)

    return weight


def _swapped(weight: Weight) -> Weight:
    return lambda t, s, n, xp: weight(s, t, n, xp)


def _side(ends: bool, weight: Weight, n: float) -> Side:
    if ends:
        return lambda a, b, t, xp: b + (a - b) * weight(t, n - t, n, xp)
    return lambda a, b, t, xp: a + (b - a) * weight(t, n - t, n, xp)


def _geometric_start(n: float) -> Side:
    return lambda a, b, t, xp: a * (b / a) ** (t / n)


def _geometric_end(n: float) -> Side:
    return lambda a, b, t, xp: b * (a / b) ** ((n - t) / n)
