"""What may be a time, and which namespace it belongs to: found from its type, nothing is imported."""

import math
import sys
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.namespaces import NUMBERS, Arrays, Scalars, Torch, Traced

MISSING: Any = object()  # stands for a time that was not given
_FAR = 2.0**1000  # stands for every number beyond it, on which arithmetic would overflow


def namespace(t: Any) -> tuple[Any, Any]:
    """The namespace for the times `t`, and `t` as that namespace wants it; refuses what is not a time."""
    kind = type(t)
    if (kind is int or kind is float) and -_FAR <= t <= _FAR:  # most often, and quickly
        return Scalars, t
    if isinstance(t, NUMBERS) and kind is not bool:
        return Scalars, _number(t)
    numpy, torch, jax = (sys.modules.get(name) for name in ("numpy", "torch", "jax"))
    if torch is not None and isinstance(t, torch.Tensor):
        return Torch(torch, not t.is_floating_point()), _floating(t, torch)
    if numpy is not None and isinstance(t, numpy.generic) and t.dtype.kind in "iuf":
        return Scalars, _number(float(t) if t.dtype.kind == "f" else int(t))
    if numpy is not None and isinstance(t, numpy.ndarray):
        return Arrays(numpy), _counted(t, numpy)
    if jax is not None and isinstance(t, jax.Array):
        return _traced(t, jax.numpy)
    given = "without one" if t is MISSING else f"not with {shown(t)}"
    raise PreheatError(f"a schedule is called with a time, {given}", write=_adapter(t))


def _number(t: float) -> float:
    """A plain int or float, small enough for arithmetic."""
    if t != t:
        raise PreheatError("a schedule has no value at NaN")
    t = t if -_FAR <= t <= _FAR else math.copysign(_FAR, t) if isinstance(t, float) else _FAR if t > 0 else -_FAR
    return t if type(t) in (int, float) else float(t) if isinstance(t, float) else int(t)


def _counted(t: Any, numpy: Any) -> Any:
    if t.dtype.kind not in "iuf":
        raise PreheatError(f"times must be numbers, not an array of {t.dtype}")
    t = numpy.asarray(t, dtype=numpy.float64)
    if numpy.isnan(t).any():
        raise PreheatError("a schedule has no value at NaN")
    return t


def _floating(t: Any, torch: Any) -> Any:
    if t.dtype is torch.bool or t.is_complex():
        raise PreheatError(f"times must be numbers, not a tensor of {t.dtype}")
    if not t.is_floating_point():
        return t.to(torch.float64)
    return t if t.dtype.itemsize >= 4 else t.to(torch.float32)


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
    """What should have been handed over in place of the schedule, told from what it was called with."""
    if t is MISSING:  # as Keras calls a learning rate that is callable
        return "write schedule(step); for a Keras optimizer preheat.keras.Schedule(schedule, run=…, peak=…)"
    if hasattr(t, "param_groups"):  # as DeepSpeed calls a scheduler that is callable
        return "write preheat.torch.Scheduler(optimizer, schedule)"
    if type(t).__module__.split(".")[0] == "composer":
        return "write Trainer(schedulers=preheat.torch.Scheduler(optimizer, schedule, run=…), step_schedulers_every_batch=True)"
    if isinstance(t, list | tuple | range):
        return "write schedule(numpy.asarray(times))"
    return "write schedule(step), with step a number or an array of numbers"
