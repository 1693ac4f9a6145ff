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
from typing import Any, NamedTuple

from preheat.core.checks import MAX_NESTING, int_if_whole, positive_number
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.namespaces import Scalars
from preheat.core.text.parser import Language, Reader
from preheat.core.value import Value

Rise = Callable[[Any, Any, Any], Any]
Fall = Callable[[Any, Any, Any, Any], Any]
Side = Callable[[Any, Any], Any]
Weight = Callable[[Any, Any, Any], Any]
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


def _rex(t: Any, n: Any, xp: Any) -> Any:
    u = t / n
    return u / (2.0 - u)


def _rex_fall(s: Any, t: Any, n: Any, xp: Any) -> Any:
    v = s / n
    return 2.0 * v / (1.0 + v)


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
    "rex": (_rex, _rex_fall, lambda n: 2.0 / 3.0),
    "log": (_log, _log_fall, lambda n: 1.0 / (math.sqrt(1.0 + n) + 1.0)),
}
_SYMMETRIC = ("linear", "cosine", "smooth", "mirror-cosine")
NAMES = (*_NAMED, "exponential")
WRITTEN = (*NAMES, "1-sqrt")  # what is read as a name
_EXAMPLES = (*NAMES, "power(2)", "reverse('sqrt')", "compose('cosine', power(2))")


class Shape(Value):
    """How a ramp goes from its start to its end: a name, `power(p)`, `reverse(...)` or `compose(...)` of them. A value.

    name: that of a shape, such as "cosine".   exponent: p of a power, else None.   mirrored: whether it is reversed.
    inner: the shape that a composed one is applied to.
    """

    __slots__ = ("exponent", "inner", "mirrored", "name")

    name: str
    exponent: float | None
    mirrored: bool
    inner: "Shape | None"  # the shape of the weights that this one is applied to; None: of the ramp's own time

    def __init__(
        self, name: str, exponent: float | None = None, mirrored: bool = False, inner: "Shape | None" = None
    ) -> None:
        if name not in (*NAMES, "power"):
            raise PreheatError(f"unknown shape {shown(name)}{nearest(str(name), _EXAMPLES)}")
        if (name == "power") != (exponent is not None):
            raise PreheatError(
                f"an exponent is that of a power, and {name} has {shown(exponent)}", write="write power(2)"
            )
        self._set(name=name, exponent=exponent, mirrored=mirrored, inner=inner)

    def __repr__(self) -> str:
        text = repr(self.name) if self.exponent is None else f"power({self.exponent!r})"
        text = f"reverse({text})" if self.mirrored else text
        return text if self.inner is None else f"compose({text}, {self.inner!r})"

    @property
    def nesting(self) -> int:
        """How many brackets its text has inside one another."""
        own = (self.exponent is not None) + self.mirrored
        return own if self.inner is None else 1 + max(own, self.inner.nesting)

    def cases(self, a: float, b: float, n: float) -> tuple[list[float], list[Side]]:
        """The seams, in ticks, of a ramp from a to b in n ticks, and the formula (t, xp) of each stretch between them."""
        if n < _INSTANT:
            return [n], [lambda t, xp: a, lambda t, xp: b]
        if self.name == "exponential":
            return _geometric(a, b, n)
        first, last = _line(a, b - a), _line(b, a - b)
        stretches = self.stretches(n)
        return [high for high, _, _ in stretches[:-1]], [_side(*stretch, first, last) for stretch in stretches]

    def pieces(self, a: float, b: float) -> int:
        """How many formulas such a ramp is at most made of, within a factor of two."""
        if self.name == "exponential":
            return 2 * math.ceil(abs(math.log(b) - math.log(a)) / _STEEPEST) + 1
        return 1 if self.inner is None else 1 + self.inner.pieces(a, b)

    def stretches(self, n: float) -> "list[Stretch]":
        """The stretches of a ramp of n ticks: up to which tick, whether it tells w or w̄, and which weight (t, xp) that is."""
        rise, fall, seam = _NAMED[self.name] if self.exponent is None else _power(self.exponent, _inside(self, n))
        m, u = _inside(self, n), seam(float(_inside(self, n)))
        rises, falls = _weights(rise, fall, m, self.mirrored)
        u = min(1.0 - u if self.mirrored else u, _LAST_SEAM)
        if self.inner is None:
            return [
                Stretch(int_if_whole(u * n), True, lambda t, xp: rises(t, n - t, xp)),
                Stretch(n, False, lambda t, xp: falls(t, n - t, xp)),
            ]
        return _composed(self.inner.stretches(n), (rises, falls, u), m, n)


class Stretch(NamedTuple):
    """A part of a ramp: the tick that it reaches to, and the weight that it is computed from there."""

    high: float
    is_rise: bool  # whether the weight is w, and not w̄ = 1 − w
    weight: Side


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
    if "(" in name and isinstance(shape := Reader(name, Language(WORDS, names=WRITTEN)).result(), Shape):
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
    turned = given.mirrored if given.name in _SYMMETRIC else not given.mirrored
    return Shape(given.name, given.exponent, turned, None if given.inner is None else reverse(given.inner))


def compose(outer: Shape | str, inner: Shape | str) -> Shape:
    """The shape `outer` along the shape `inner`: outer's weights at (w, w̄) of inner, so that no digits are lost.

        w(u) = outer.w(inner.w(u))

    compose(power(p), "cosine") is a power of a cosine, fractional too, with any floor; compose("cosine", power(k)) is
    timm's k-decay. It is associative, and "linear" changes nothing on either side.

    >>> from preheat import ramp
    >>> ramp(1, 0, 4, shape=compose("cosine", power(2)))(2)
    0.8535533905932737
    >>> reverse(compose(power(2), "sqrt"))
    compose(reverse(power(2.0)), reverse('sqrt'))

    Relative error ≤ 2e-15 for names; a power(p) multiplies the error of what it is applied to by up to p.

    Raises PreheatError for an unknown shape, for "exponential", whose weights belong to its ends, and for what nests more
    than 32 deep.
    """
    first, then = shape_of(outer), shape_of(inner)
    if "exponential" in (first.name, then.name):
        what = "'exponential' cannot be composed: its steepness follows from the ends of the ramp"
        raise PreheatError(what, write="use another shape")
    if first == LINEAR or then == LINEAR:
        return then if first == LINEAR else first
    inside = then if first.inner is None else compose(first.inner, then)
    if inside == LINEAR:
        return Shape(first.name, first.exponent, first.mirrored)
    found = Shape(first.name, first.exponent, first.mirrored, inside)
    if found.nesting > MAX_NESTING:
        raise PreheatError(f"shapes nest at most {MAX_NESTING} deep")
    return found


WORDS: dict[str, Callable[..., Shape]] = {  # what a shape's text may call
    "compose": compose,
    "power": power,
    "reverse": reverse,
}


def _power(p: float, n: float) -> tuple[Rise, Fall, Callable[[float], float]]:
    """uᵖ. A power multiplies the error of its base by p, so t is divided by a power of two, which is exact."""
    scale = 2.0 ** (math.frexp(n)[1] - 1)
    full = (n / scale) ** p
    return (
        lambda t, n, xp: xp.power(t / scale, p) / full,
        lambda s, t, n, xp: -xp.expm1(-p * xp.log1p(s / t)),
        lambda n: 0.5 ** (1.0 / p),
    )


def _inside(shape: Shape, n: float) -> float:
    """The length that the formula of a shape divides by: 1 where it is applied to weights, but "log" needs ticks."""
    return n if shape.inner is None or shape.name == "log" else 1.0


def _weights(rise: Rise, fall: Fall, n: float, mirrored: bool) -> tuple[Weight, Weight]:
    """w and w̄ as functions of (t, s, xp), s = n − t; run backwards they are w̄ and w with t and s exchanged."""
    if mirrored:
        return lambda t, s, xp: fall(t, s, n, xp), lambda t, s, xp: rise(s, n, xp)
    return lambda t, s, xp: rise(t, n, xp), lambda t, s, xp: fall(s, t, n, xp)


def _side(high: float, is_rise: bool, weight: Side, first: Callable[[Any], Any], last: Callable[[Any], Any]) -> Side:
    line = first if is_rise else last
    return lambda t, xp: line(weight(t, xp))


def _composed(inner: list[Stretch], outer: tuple[Weight, Weight, float], m: float, n: float) -> list[Stretch]:
    """The stretches of a shape along another: those of the inner one, the one in which the outer seam lies cut there."""
    rises, falls, seam = outer
    found, low = list[Stretch](), 0.0
    for high, is_rise, weight in inner:
        cut = _reached(weight, is_rise, seam, (low, high))
        for until, outer_rise in ((cut, True), (high, False)):
            if until > low:
                limit = until if until == high else min(int_if_whole(until), _LAST_SEAM * n)
                found.append(Stretch(limit, outer_rise, _along(rises if outer_rise else falls, weight, is_rise, m)))
                low = until
    return found


def _along(outer: Weight, weight: Side, is_rise: bool, m: float) -> Side:
    """The outer weight at the inner ones: of these one is computed, and the other, at least a half, is 1 less it."""

    def along(t: Any, xp: Any) -> Any:
        one = weight(t, xp)
        w, rest = (one, 1.0 - one) if is_rise else (1.0 - one, one)
        return outer(w, rest, xp) if m == 1 else outer(w * m, rest * m, xp)

    return along


def _reached(weight: Side, is_rise: bool, seam: float, between: tuple[float, float]) -> float:
    """The tick at which w reaches the seam; the nearer end if it does so outside."""
    low, high = between
    for _ in range(64):
        middle = (low + high) * 0.5
        value = weight(middle, Scalars)
        low, high = (middle, high) if (value if is_rise else 1.0 - value) < seam else (low, middle)
    return between[0] if low == between[0] else between[1] if high == between[1] else high


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
    values = [a, *_between(a, b, edges[1:-1], n), b]
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


def _between(a: float, b: float, times: list[float], n: float) -> list[float]:
    """a·(b/a)^(t/n) at each time, correctly rounded."""
    if not times:
        return []
    with localcontext(prec=50):
        first, last = Decimal(a).ln(), Decimal(b).ln()
        return [float((first + (last - first) * Decimal(t) / Decimal(n)).exp()) for t in times]
