"""The shapes of a ramp, each two-sided so that neither end loses digits.

With u = t/n and v = (n − t)/n a ramp from a to b is `a + (b − a)·w` before the seam, where w = ½, and `b + (a − b)·w̄`
after it, w̄ = 1 − w written without cancellation. So both ends are exact, a ramp from a to a is constant, and values of
one sign keep a relative error below 2e-15. A rise is w, a function of (t, n, xp); a fall is w̄, one of (s, t, n, xp)
with s = n − t. Run backwards, a shape has its fall first and its rise last, t and s exchanged.
"""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

from preheat.core.checks import int_if_whole, positive_number
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.text.parser import Language, Reader
from preheat.core.value import Value

Rise = Callable[[Any, Any, Any], Any]
Fall = Callable[[Any, Any, Any, Any], Any]
Side = Callable[[Any, Any], Any]
_HALF_PI = math.pi / 2
_LAST_SEAM = 1.0 - 2.0**-20  # later ones would, in float32, fall together with the end
_INSTANT = 1e-30  # a ramp of fewer ticks is a jump at its end: its times have no digits to divide
_STEEPEST = 8.0  # ln(end/start) of one exponential stretch: (end/start)**u multiplies the error of u by half of it


def _linear(t: Any, n: Any, xp: Any) -> Any:
    return t / n


def _cosine(t: Any, n: Any, xp: Any) -> Any:
    wave = xp.sin(_HALF_PI * (t / n))
    return wave * wave


def _mirror_cosine(t: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u + (u - _cosine(t, n, xp))


def _smooth(t: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u * u * (3.0 - 2.0 * u)


def _square(t: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u * u


def _square_fall(s: Any, t: Any, n: Any, xp: Any) -> Any:
    v = s / n
    return v * (2.0 - v)


def _sqrt(t: Any, n: Any, xp: Any) -> Any:
    return xp.sqrt(t / n)


def _sqrt_fall(s: Any, t: Any, n: Any, xp: Any) -> Any:
    return s / n / (1.0 + xp.sqrt(t / n))


def _log(t: Any, n: Any, xp: Any) -> Any:
    return xp.log1p(t) / math.log1p(n)


def _log_fall(s: Any, t: Any, n: Any, xp: Any) -> Any:
    return xp.log1p(s / (1.0 + t)) / math.log1p(n)


def _mirrored(rise: Rise) -> Fall:
    return lambda s, t, n, xp: rise(s, n, xp)


# name: (w, w̄, the u at which w = ½ and the sides meet, given n)
_NAMED: dict[str, tuple[Rise, Fall, Callable[[float], float]]] = {
    "linear": (_linear, _mirrored(_linear), lambda n: 0.5),
    "cosine": (_cosine, _mirrored(_cosine), lambda n: 0.5),
    "smooth": (_smooth, _mirrored(_smooth), lambda n: 0.5),
    "mirror-cosine": (_mirror_cosine, _mirrored(_mirror_cosine), lambda n: 0.5),
    "sqrt": (_sqrt, _sqrt_fall, lambda n: 0.25),
    "square": (_square, _square_fall, lambda n: math.sqrt(0.5)),
    "log": (_log, _log_fall, lambda n: 1.0 / (math.sqrt(1.0 + n) + 1.0)),
}
_SYMMETRIC = ("linear", "cosine", "smooth", "mirror-cosine")
NAMES = (*_NAMED, "exponential")
_EXAMPLES = (*NAMES, "power(2)", "reverse('sqrt')")


class Shape(Value):
    """How a ramp goes from its start to its end: a name, `power(p)`, or `reverse(...)` of either. A value."""

    __slots__ = ("exponent", "mirrored", "name")

    name: str
    exponent: float | None
    mirrored: bool

    def __init__(self, name: str, exponent: float | None = None, mirrored: bool = False) -> None:
        self._set(name=name, exponent=exponent, mirrored=mirrored)

    def __repr__(self) -> str:
        text = repr(self.name) if self.exponent is None else f"power({self.exponent!r})"
        return f"reverse({text})" if self.mirrored else text

    @property
    def nesting(self) -> int:
        """How many brackets its text has inside one another."""
        return (self.exponent is not None) + self.mirrored

    def cases(self, a: float, b: float, n: float) -> tuple[list[float], list[Side]]:
        """The seams, in ticks, of a ramp from a to b in n ticks, and the formula (t, xp) of each stretch between them."""
        if n < _INSTANT:
            return [n], [lambda t, xp: a, lambda t, xp: b]
        if self.name == "exponential":
            return _geometric(a, b, n)
        rise, fall, seam = _NAMED[self.name] if self.exponent is None else _power(self.exponent, n)
        first, last, u = _line(a, b - a), _line(b, a - b), seam(float(n))
        sides: list[Side]
        if self.mirrored:
            u = min(1.0 - u, _LAST_SEAM)
            sides = [lambda t, xp: first(fall(t, n - t, n, xp)), lambda t, xp: last(rise(n - t, n, xp))]
        else:
            sides = [lambda t, xp: first(rise(t, n, xp)), lambda t, xp: last(fall(n - t, t, n, xp))]
        return [int_if_whole(u * n)], sides


LINEAR = Shape("linear")


def shape_of(value: "Shape | str") -> Shape:
    """The shape called `value`; refuses an unknown name with the nearest known one."""
    if isinstance(value, Shape):
        return value
    if not isinstance(value, str):
        raise PreheatError("a shape is a name such as 'cosine', power(p) or reverse(shape)", given=value)
    name = "sqrt" if value == "1-sqrt" else value
    if name in NAMES:
        return Shape(name)
    if "(" in name and isinstance(shape := Reader(name, Language(WORDS)).result(), Shape):
        return shape
    raise PreheatError(f"unknown shape {shown(value)}{nearest(name, _EXAMPLES)}")


def power(exponent: float) -> Shape:
    """The shape uᵖ, u the fraction of the ramp that has passed; p in [0.01, 100], no unit.

    >>> from preheat import ramp
    >>> ramp(0, 1, 4, shape=power(3))(2)
    0.125

    Relative error ≤ 2e-15 at whole ticks; between them, run backwards, up to p · 1.1e-16.

    Raises PreheatError for an exponent out of range. A polynomial decay (1 − u)ᵖ is `reverse(power(p))`.
    """
    p = positive_number(exponent, "the exponent of power(p)")
    if not 0.01 <= p <= 100:
        raise PreheatError("the exponent of power(p) must lie in [0.01, 100]", given=exponent)
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
        what = "'exponential' has no reverse: its steepness follows from its ends"
        raise PreheatError(what, write="use another shape")
    if given.name in _SYMMETRIC:
        return given
    return Shape(given.name, given.exponent, not given.mirrored)


WORDS: dict[str, Callable[..., Shape]] = {"power": power, "reverse": reverse}  # what a shape's text may call


def _power(p: float, n: float) -> tuple[Rise, Fall, Callable[[float], float]]:
    """uᵖ. A power multiplies the error of its base by p, so t is divided by a power of two, which is exact."""
    scale = 2.0 ** (math.frexp(n)[1] - 1)
    full = (n / scale) ** p
    return (
        lambda t, n, xp: xp.power(t / scale, p) / full,
        lambda s, t, n, xp: -xp.expm1(-p * xp.log1p(s / t)),
        lambda n: 0.5 ** (1.0 / p),
    )


def _line(start: float, rise: float) -> Callable[[Any], Any]:
    """The function start + rise · w, without what changes nothing in it."""
    if start == 0 and rise >= 0:
        return (lambda w: w) if rise == 1 else (lambda w: rise * w)
    if rise == -1:
        return lambda w: start - w
    return lambda w: start + rise * w


def _geometric(a: float, b: float, n: float) -> tuple[list[float], list[Side]]:
    """Stretches a·(b/a)**u, each two-sided, between correctly rounded values: one unless the ends are far apart."""
    count = max(1, math.ceil(abs(math.log(b) - math.log(a)) / _STEEPEST))
    if count > n and isinstance(n, int):
        count = n * math.ceil(count / n)  # so that every whole tick is an edge
    edges = [*(int_if_whole(n * i // count if n > count else n * i / count) for i in range(count)), n]
    values = [a, *(_between(a, b, edge, n) for edge in edges[1:-1]), b]
    seams: list[float] = []
    sides: list[Side] = []
    for (low, high), (start, end) in zip(pairwise(edges), pairwise(values), strict=True):
        seams += [int_if_whole((low + high) * 0.5), high]
        sides += [_stretch(low, high - low, start, end / start), _stretch(high, low - high, end, start / end)]
    return seams[:-1], sides


def _stretch(origin: float, width: float, value: float, ratio: float) -> Side:
    """`value` at `origin`, and `ratio` times it a `width` away (before it if negative)."""
    if width > 0:
        return lambda t, xp: value * ratio ** (xp.since(t, origin) / width)
    return lambda t, xp: value * ratio ** ((origin - t) / -width)


def _between(a: float, b: float, t: float, n: float) -> float:
    """a·(b/a)^(t/n), correctly rounded."""
    with localcontext(prec=50):
        first, last = Decimal(a).ln(), Decimal(b).ln()
        return float((first + (last - first) * Decimal(t) / Decimal(n)).exp())
