"""The namespaces that a formula may be evaluated in, found from the type of its argument and never imported.

A formula is written once, against the ten functions of FUNCTIONS and the operators. `choose` is the only way to have
cases; `since` and `within` are the only ways to move and to bound a time. Each namespace does them as its arrays need:

    Scalars   Python numbers: bisect, then evaluate one part
    Arrays    numpy, torch: a chain of `where`, each branch's time clamped to its own interval
    Traced    JAX: the same, with integer positions subtracted as integers before they become floats
    Sorted    a numpy array of rising times: each part on its own slice (whole-run tables)
    Recorder  symbols (record.py): the cases become an if-tree
"""

import math
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from preheat.core.errors import PreheatError, shown

FUNCTIONS = ("sin", "sqrt", "exp", "log1p", "expm1", "floor", "where", "minimum", "maximum", "take")
Part = Callable[[int, Any], Any]
INT32 = 2**31


class Scalars:
    """Python ints and floats."""

    scattered: Any
    sin, sqrt, exp, log1p, expm1, floor = math.sin, math.sqrt, math.exp, math.log1p, math.expm1, math.floor
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
    def take(values: Sequence[float], index: float) -> float:
        return values[int(index)]

    @staticmethod
    def since(t: float, start: float) -> float:
        return t - start

    @staticmethod
    def within(t: float, low: float, high: float) -> float:
        return low if t < low else high if t > high else t

    @staticmethod
    def counts(t: float) -> bool:
        """Whether times are integers that must not become floats yet."""
        return False

    @staticmethod
    def choose(t: float, edges: Sequence[float], part: Part) -> float:
        return part(bisect_right(edges, t), t)


Scalars.scattered = Scalars  # repetitions leave single times as they are


class Arrays:
    """Floating-point numpy arrays; the base of the other array namespaces."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.scattered = self
        self.sin, self.exp, self.log1p = module.sin, module.exp, module.log1p
        self.expm1, self.floor, self.sqrt = module.expm1, module.floor, module.sqrt
        self.where, self.minimum, self.maximum = module.where, module.minimum, module.maximum

    def take(self, values: Sequence[float], index: Any) -> Any:
        return self.module.asarray(values)[index.astype(int)]

    def since(self, t: Any, start: float) -> Any:
        return t - start if start else t

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        t = t if low is None else self.module.maximum(t, low)
        return t if high is None or high == math.inf else self.module.minimum(t, high)

    def before(self, t: Any, edge: float) -> Any:
        return t < edge

    def counts(self, t: Any) -> bool:
        return False

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
        return self.module.full_like(t, value) if isinstance(value, int | float) else value


class Torch(Arrays):
    """Floating-point torch tensors."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.sqrt = lambda x: _sqrt(x, module)
        self.minimum = lambda a, b: module.minimum(*_tensors(a, b, module))
        self.maximum = lambda a, b: module.maximum(*_tensors(a, b, module))

    def take(self, values: Sequence[float], index: Any) -> Any:
        table = self.module.tensor(values, dtype=index.dtype, device=index.device)
        return table[index.long()]

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        high = None if high == math.inf else high
        return t if low is None and high is None else t.clamp(low, high)


class Traced(Arrays):
    """JAX arrays and tracers, floating or integral: integers stay integers until a formula divides them."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.sqrt = lambda x: _sqrt(x, module)

    def since(self, t: Any, start: float) -> Any:
        if not self.counts(t):
            return t - start
        below = self._whole(start, t, math.floor)
        return t - below if start == below else (t - below) - (start - below)

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        t = self._branch(t, low, high)
        return t if high is None or isinstance(high, int) or not self.counts(t) else super().within(t, low, high)

    def _branch(self, t: Any, low: float | None, high: float | None) -> Any:
        if not self.counts(t):
            return super().within(t, low, high)
        t = t if low is None else self.module.maximum(t, self._whole(low, t, math.floor))
        return t if high is None or high == math.inf else self.module.minimum(t, self._whole(high, t, math.ceil))

    def before(self, t: Any, edge: float) -> Any:
        return t < (self._whole(edge, t, math.ceil) if self.counts(t) else edge)

    def counts(self, t: Any) -> bool:
        return self.module.issubdtype(t.dtype, self.module.integer)

    def spread(self, value: Any, t: Any) -> Any:
        return self.module.full_like(t, value, dtype=float) if isinstance(value, int | float) else value

    def _whole(self, edge: float, t: Any, nearest: Callable[[float], int]) -> int:
        """An edge as the integer that integer times are compared with: floats lose whole ticks above 2²⁴."""
        if t.dtype.itemsize < 8 and edge >= INT32:
            raise PreheatError(
                f"tick {edge} is beyond what 32-bit integers hold (2^31); "
                "call jax.config.update('jax_enable_x64', True), or count in a larger unit"
            )
        return nearest(edge)


class Sorted(Arrays):
    """A numpy array of rising times: each part is evaluated on its own slice only."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.scattered = Arrays(module)

    def choose(self, t: Any, edges: Sequence[float], part: Part) -> Any:
        first, last = bisect_right(edges, t[0]), bisect_right(edges, t[-1])
        if first == last:
            return part(first, t)
        cuts = [0, *self.module.searchsorted(t, edges[first:last]).tolist(), len(t)]
        out = self.module.empty_like(t)
        for i, (low, high) in enumerate(zip(cuts, cuts[1:], strict=False), first):
            if low < high:
                out[low:high] = part(i, t[low:high])
        return out


def _sqrt(x: Any, module: Any) -> Any:
    """√x whose derivative at 0 is 0: the infinite one would make NaN wherever it is multiplied by 0."""
    above = x > 0
    return module.where(above, module.sqrt(module.where(above, x, 1.0)), 0.0)


def _tensors(a: Any, b: Any, module: Any) -> tuple[Any, Any]:
    """Both operands as tensors; a constant takes the dtype and device of the other."""
    like = b if isinstance(a, int | float) else a
    if isinstance(like, int | float):
        return module.tensor(a, dtype=module.float64), module.tensor(b, dtype=module.float64)
    return tuple(module.full_like(like, x) if isinstance(x, int | float) else x for x in (a, b))


def namespace(t: Any) -> tuple[Any, Any]:
    """The namespace for the times `t`, and `t` as that namespace wants it; refuses what is not a time."""
    if isinstance(t, int | float) and not isinstance(t, bool):
        if t != t:
            raise PreheatError("a schedule has no value at NaN")
        return Scalars, t
    numpy, torch, jax = (sys.modules.get(name) for name in ("numpy", "torch", "jax"))
    if torch is not None and isinstance(t, torch.Tensor):
        return Torch(torch), _floating(t, t.is_floating_point(), t.dtype is torch.bool or t.is_complex(), torch)
    if numpy is not None and isinstance(t, numpy.generic) and t.dtype.kind in "iuf":
        return namespace(t.item())
    if numpy is not None and isinstance(t, numpy.ndarray):
        if t.dtype.kind not in "iuf":
            raise PreheatError(f"times must be numbers, not an array of {t.dtype}")
        return Arrays(numpy), t.astype(numpy.float64, copy=False)
    if jax is not None and isinstance(t, jax.Array):
        return _traced(t, jax.numpy)
    raise PreheatError(f"a schedule is called with a time, not with {shown(t)}{_adapter(t)}")


def _floating(t: Any, floating: bool, refused: bool, module: Any) -> Any:
    if refused:
        raise PreheatError(f"times must be numbers, not a tensor of {t.dtype}")
    if not floating:
        return t.to(module.float64)
    return t if t.dtype.itemsize >= 4 else t.to(module.float32)


def _traced(t: Any, jnp: Any) -> tuple[Any, Any]:
    if jnp.issubdtype(t.dtype, jnp.integer):
        default = jnp.int64 if jnp.zeros((), int).dtype.itemsize == 8 else jnp.int32
        if jnp.iinfo(t.dtype).max > jnp.iinfo(default).max:
            t = jnp.minimum(t, jnp.asarray(jnp.iinfo(default).max, t.dtype))
        return Traced(jnp), t.astype(default)
    if not jnp.issubdtype(t.dtype, jnp.floating):
        raise PreheatError(f"times must be numbers, not an array of {t.dtype}")
    return Traced(jnp), t if t.dtype.itemsize >= 4 else t.astype(jnp.float32)


def _adapter(t: Any) -> str:
    """Where an object that is no time should have gone instead."""
    if hasattr(t, "param_groups"):
        return "; write preheat.torch.Scheduler(optimizer, schedule)"
    if isinstance(t, list | tuple | range):
        return "; write schedule(numpy.asarray(times))"
    return "; write schedule(step), with step a number or an array of numbers"
