"""The namespaces that a formula may be evaluated in.

A formula is written once, against the ten functions of FUNCTIONS and the operators. `choose` is the only way to have
cases; `since`, `within`, `laps`, `begun` and `find` are the only ways to move, bound and divide a time. Each namespace does
them as its arrays need:

    Scalars   Python numbers: bisect, then evaluate one part
    Arrays    numpy, torch: a chain of `where`, each branch's time clamped to its own interval
    Traced    JAX: the same, with integer positions subtracted as integers before they become floats
    Sorted    a numpy array of rising times: each part on its own slice (whole-run tables)
    Recorder  symbols (record.py): the cases become an if-tree
"""

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from preheat.core.errors import PreheatError

FUNCTIONS = ("sin", "sqrt", "power", "log1p", "expm1", "floor", "where", "minimum", "maximum", "take")
Part = Callable[[int, Any], Any]
INT32 = 2**31
NUMBERS = (int, float)  # a tuple: torch's compiler before 2.10 cannot take int | float


class Scalars:
    """Python ints and floats."""

    scattered: Any
    sin, sqrt, power, log1p, expm1, floor = math.sin, math.sqrt, operator.pow, math.log1p, math.expm1, math.floor
    take, laps = operator.getitem, divmod

    @staticmethod
    def where(condition: bool, yes: float, no: float) -> float:
        return yes if condition else no

    @staticmethod
    def minimum(a: float, b: float) -> float:
        return a if a < b else b

    @staticmethod
    def maximum(a: float, b: float) -> float:
        return a if a > b else b

    @staticmethod
    def since(t: float, start: float) -> float:
        return t - start

    @staticmethod
    def begun(t: float, length: float) -> float:
        return t // length * length

    @staticmethod
    def within(t: float, low: float, high: float) -> float:
        return low if t < low else high if t > high else t

    @staticmethod
    def find(t: float, starts: Sequence[float]) -> tuple[int, float]:
        k = bisect_right(starts, t) - 1
        return k, t - starts[k]

    @staticmethod
    def choose(t: float, edges: Sequence[float], part: Part) -> float:
        return part(bisect_right(edges, t), t)


Scalars.scattered = Scalars  # repetitions leave single times as they are


class Arrays:
    """Floating-point numpy arrays; the base of the other array namespaces."""

    scattered: Any

    def __init__(self, module: Any) -> None:
        self.module = module
        self.scattered = self
        self.sin, self.log1p, self.expm1 = module.sin, module.log1p, module.expm1
        self.sqrt, self.floor, self.where = module.sqrt, module.floor, module.where

    def power(self, x: Any, p: Any) -> Any:
        return x**p

    def minimum(self, a: Any, b: Any) -> Any:
        return Scalars.minimum(a, b) if _numbers(a, b) else self.module.minimum(a, b)

    def maximum(self, a: Any, b: Any) -> Any:
        return Scalars.maximum(a, b) if _numbers(a, b) else self.module.maximum(a, b)

    def take(self, values: Sequence[float], index: Any) -> Any:
        return self.module.asarray(values)[index.astype(int)]

    def since(self, t: Any, start: float) -> Any:
        return t - start if start else t

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        t = t if low is None else self.module.maximum(t, low)
        return t if high is None or high == math.inf else self.module.minimum(t, high)

    def laps(self, t: Any, length: float) -> tuple[Any, Any]:
        """How often `length` has passed, and the time since."""
        return t // length, t % length

    def begun(self, t: Any, length: float) -> Any:
        """The last multiple of `length` that is not after t."""
        return t // length * length

    def find(self, t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        """Which of the rising `starts` came last, and the time since."""
        known = self.module.asarray(starts)
        k = self.module.searchsorted(known, t, side="right") - 1
        return k, t - known[k]

    def before(self, t: Any, edge: float) -> Any:
        return t < edge

    def choose(self, t: Any, edges: Sequence[float], part: Part) -> Any:
        value = self.spread(part(0, self._branch(t, None, edges[0] if edges else None)), t)
        for i, edge in enumerate(edges):
            high = edges[i + 1] if i + 1 < len(edges) else None
            value = self.where(self.before(t, edge), value, part(i + 1, self._branch(t, edge, high)))
        return value

    def _branch(self, t: Any, low: float | None, high: float | None) -> Any:
        """The times of one branch, the others moved to its edges so that it never sees them."""
        return self.within(t, low, high)

    def spread(self, value: Any, t: Any) -> Any:
        """A constant result in the shape of the times."""
        return self.module.full_like(t, value) if isinstance(value, NUMBERS) else value

    def answer(self, value: Any, t: Any) -> Any:
        """The values at the times, as they are given back: where a time may be NaN and is, so is the value."""
        return self.spread(value, t)


class Torch(Arrays):
    """Floating-point torch tensors; `whole` if they were integers and so are never NaN."""

    def __init__(self, module: Any, whole: bool = False) -> None:
        super().__init__(module)
        self.whole = whole
        self.sqrt = lambda x: _at_zero(x, module.sqrt, module)

    def power(self, x: Any, p: Any) -> Any:
        if isinstance(x, NUMBERS):
            return self.module.pow(x, p)  # torch.compile loses the brackets of a negative x in x**p
        return x**p if p >= 1 else _at_zero(x, lambda x: self._flat_below_normal(x) ** p, self.module)

    def _flat_below_normal(self, x: Any) -> Any:
        """x, without a slope where it is so small that its power's slope would be infinite."""
        return self.module.where(x < self.module.finfo(x.dtype).tiny, x.detach(), x)

    def minimum(self, a: Any, b: Any) -> Any:
        return Scalars.minimum(a, b) if _numbers(a, b) else self.module.minimum(*self._tensors(a, b))

    def maximum(self, a: Any, b: Any) -> Any:
        return Scalars.maximum(a, b) if _numbers(a, b) else self.module.maximum(*self._tensors(a, b))

    def take(self, values: Sequence[float], index: Any) -> Any:
        return self._known(values, index)[index.nan_to_num(0.0).long()]

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        high = None if high == math.inf else high
        return t if low is None and high is None else t.clamp(low, high)

    def laps(self, t: Any, length: float) -> tuple[Any, Any]:
        return t.detach() // length, t % length

    def begun(self, t: Any, length: float) -> Any:
        return t.detach() // length * length

    def find(self, t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        known = self._known(starts, t)
        k = self.module.searchsorted(known, t.detach().contiguous(), right=True) - 1
        return k.to(t.dtype), t - known[k]

    def _known(self, values: Sequence[float], like: Any) -> Any:
        return self.module.tensor(values, dtype=like.dtype, device=like.device)

    def answer(self, value: Any, t: Any) -> Any:
        value = self.spread(value, t)
        return value if self.whole else self.where(t == t, value, math.nan)

    def _tensors(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Both operands as tensors; a number takes the dtype and device of the other."""
        like = b if isinstance(a, NUMBERS) else a
        return tuple(self.module.full_like(like, x) if isinstance(x, NUMBERS) else x for x in (a, b))  # type: ignore[return-value]


class Traced(Arrays):
    """JAX arrays and tracers, floating or integral: integers stay integers until a formula divides them."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.sqrt = lambda x: _at_zero(x, module.sqrt, module)

    def power(self, x: Any, p: Any) -> Any:
        return x**p if isinstance(x, NUMBERS) or p >= 1 else _at_zero(x, lambda x: x**p, self.module)

    def since(self, t: Any, start: float) -> Any:
        if not self.counts(t):
            return t - start if start else t
        below = self._whole(start, t, math.floor)
        if below < 0:  # what would wrap around stays at the largest integer
            t = self.module.minimum(t, self.module.iinfo(t.dtype).max + below)
        return t - below if start == below else (t - below) - (start - below)

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        t = self._branch(t, low, high)
        return t if high is None or isinstance(high, int) or not self.counts(t) else self._between(t, low, high)

    def laps(self, t: Any, length: float) -> tuple[Any, Any]:
        if self.counts(t):
            self._whole(length, t, math.ceil)
        k, local = super().laps(t, length)
        return k.astype(int), local  # a whole number has no slope: that of shrink**k would be NaN for shrink ≤ 0

    def find(self, t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        if not self.counts(t):
            return super().find(t, [float(start) for start in starts])  # an int may be beyond its integers
        most = self.module.iinfo(t.dtype).max
        below, above = (
            self.module.asarray([min(near(start), most) for start in starts], t.dtype)
            for near in (math.floor, math.ceil)
        )
        k = self.module.searchsorted(above, t, side="right") - 1
        local = t - below[k]
        fractions = [start - math.floor(start) for start in starts]
        return k, local - self.module.asarray(fractions)[k] if any(fractions) else local

    def begun(self, t: Any, length: float) -> Any:
        if self.counts(t):
            self._whole(length, t, math.ceil)
        return super().begun(t, length)

    def _branch(self, t: Any, low: float | None, high: float | None) -> Any:
        if not self.counts(t):
            return self._between(t, low, high)
        t = t if low is None else self.module.maximum(t, self._whole(low, t, math.ceil))
        return t if high is None or high == math.inf else self.module.minimum(t, self._whole(high, t, math.ceil))

    def _between(self, t: Any, low: float | None, high: float | None) -> Any:
        """By comparisons: at a tie the slope of a minimum is only half that of t."""
        t = t if low is None else self.where(t < low, low, t)
        return t if high is None or high == math.inf else self.where(t > high, high, t)

    def before(self, t: Any, edge: float) -> Any:
        return t < (self._whole(edge, t, math.ceil) if self.counts(t) else edge)

    def counts(self, t: Any) -> bool:
        """Whether times are integers that must not become floats yet."""
        return self.module.issubdtype(t.dtype, self.module.integer)

    def spread(self, value: Any, t: Any) -> Any:
        return self.module.full_like(t, value, dtype=float) if isinstance(value, NUMBERS) else value

    def answer(self, value: Any, t: Any) -> Any:
        value = self.spread(value, t)
        return value if self.counts(t) else self.where(t == t, value, math.nan)

    def _whole(self, edge: float, t: Any, nearest: Callable[[float], int]) -> int:
        """An edge as the integer that integer times are compared with: floats lose whole ticks above 2²⁴."""
        if t.dtype.itemsize < 8 and abs(edge) >= INT32:
            raise PreheatError(
                f"tick {edge} is beyond what 32-bit integers hold (2^31)",
                write="call jax.config.update('jax_enable_x64', True), or count in a larger unit",
            )
        return nearest(edge)


class Sorted(Arrays):
    """A numpy array of rising times: each part is evaluated on its own slice only."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.scattered = Arrays(module)

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        inside = (low is None or low <= t[0]) and (high is None or t[-1] <= high)
        return t if inside else super().within(t, low, high)

    def choose(self, t: Any, edges: Sequence[float], part: Part) -> Any:
        first, last = bisect_right(edges, t[0]), bisect_right(edges, t[-1])
        if first == last:
            return part(first, t)
        cuts = [0, *self.module.searchsorted(t, edges[first:last]).tolist(), len(t)]
        out = self.module.empty_like(t)
        for i, (low, high) in enumerate(pairwise(cuts), first):
            if low < high:
                out[low:high] = part(i, t[low:high])
        return out


def _numbers(a: Any, b: Any) -> bool:
    return type(a) in NUMBERS and type(b) in NUMBERS  # not numpy's float64, which is a float too


def _at_zero(x: Any, root: Callable[[Any], Any], module: Any) -> Any:
    """A root of x whose derivative at 0 is 0: the infinite one would make NaN wherever it is multiplied by 0."""
    above = x > 0
    return module.where(above, root(module.where(above, x, 1.0)), 0.0)
