"""big_vision: `create_learning_rate_schedule`: a decay, times a warmup, times a cooldown; in single precision there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preheat.compat.parts.curves import onwards
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, values
from preheat.core.checks import counted, finite_number, one_of, positive_number
from preheat.core.constructors import hold, invsqrt, ramp, steps, warmup
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("big_vision", "11eea574", "big_vision/utils.py")
KINDS = ("linear", "polynomial", "cosine", "rsqrt", "stair")
UNITS = ("steps", "examples", "epochs", "percent")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates()
def create_learning_rate_schedule(
    *,
    total_steps: int,
    batch_size: int | None = None,
    data_size: int | None = None,
    base: float = 1.0,
    decay_type: str = "stair",
    scale_with_batchsize: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **kw: Any,
) -> Restated:
    """decay(p) · min(1, t/W) · min(1, (T − t)/C), p = (t − W)/(T − W); lengths as warmup_steps, _examples, _epochs or _percent.

    decay_type: linear or polynomial (power, end), cosine, rsqrt (timescale, timescale_examples, shift), stair (steps, mults).
    """
    total = counted(total_steps, "total_steps is a number of updates", least=1)
    sizes = {"batch_size": batch_size, "data_size": data_size}
    warm, cool = (_updates(name, kw, sizes, total) for name in ("warmup", "cooldown"))
    if warm >= total:
        raise PreheatError(f"big_vision refuses a warmup of {warm} in {total} updates")
    peak = finite_number(base, "base")
    if scale_with_batchsize:
        peak *= positive_number(batch_size, "batch_size") / 256.0
    main = _MAIN[one_of(decay_type, "decay_type", KINDS)](warm, total, peak, {**kw, **sizes})
    if odd := [key for key in kw if not _known(key)]:
        raise PreheatError("not an argument of create_learning_rate_schedule", given=odd[0])
    curve = warmup(warm) * main if warm else main
    if not cool:
        return values(curve, base_lr)
    after = [Finding("after-the-end", f"update {total}", "the rate goes below 0; here the last value is kept")]
    down = onwards(1.0, 0.0, cool) if faithful or cool > total else ramp(1.0, 0.0, cool)
    tail = hold(1.0, total - cool) >> down if cool <= total else down.shifted(total - cool)
    return values(curve * tail, base_lr, [] if faithful else after)


def _known(key: str) -> bool:
    lengths = [f"{name}_{unit}" for name in ("warmup", "cooldown") for unit in UNITS]
    return key in {*lengths, "power", "end", "linear_end", "timescale", "timescale_examples", "shift", "steps", "mults"}


def _updates(name: str, kw: dict[str, Any], sizes: dict[str, Any], total: int) -> int:
    """A length in updates; rounded, and 1 at least unless it is 0."""
    said = {unit: kw[f"{name}_{unit}"] for unit in UNITS if kw.get(f"{name}_{unit}") is not None}
    if len(said) > 1:
        raise PreheatError(f"{name} is said twice: {' and '.join(said)}")
    if not said:
        return 0
    unit, value = next(iter(said.items()))
    if unit == "steps":
        return counted(value, f"{name}_steps is a number of updates")
    worth = {"percent": 1 / total}
    if unit != "percent":
        worth["examples"] = positive_number(sizes["batch_size"], "batch_size")
    if unit == "epochs":
        worth["epochs"] = worth["examples"] / positive_number(sizes["data_size"], "data_size")
    updates = value * total if unit == "percent" else value / worth[unit]
    return max(1, round(updates)) if updates else 0


def _level(warm: int, peak: float, then: Schedule) -> Schedule:
    return hold(peak, warm) >> then if warm else then


def _polynomial(warm: int, total: int, peak: float, kw: dict[str, Any]) -> Schedule:
    end = finite_number(kw.get("end", kw.get("linear_end", 0)), "end")
    shape = reverse(power_shape(kw.get("power", 1)))
    return _level(warm, peak, ramp(peak, end, total - warm, shape))


def _cosine(warm: int, total: int, peak: float, kw: dict[str, Any]) -> Schedule:
    return _level(warm, peak, ramp(peak, 0.0, total - warm, "cosine"))


def _rsqrt(warm: int, total: int, peak: float, kw: dict[str, Any]) -> Schedule:
    """peak/√(1 + (t + shift − W)/τ): of a longer τ, and lower from the first update on."""
    tau, shift = kw.get("timescale", 10_000), finite_number(kw.get("shift", 0), "shift")
    if "timescale_examples" in kw:
        tau = kw["timescale_examples"] / positive_number(kw["batch_size"], "batch_size")
    start = peak / (1 + shift / positive_number(tau, "timescale")) ** 0.5
    return _level(warm, start, invsqrt(tau + shift).scaled(start))


def _stair(warm: int, total: int, peak: float, kw: dict[str, Any]) -> Schedule:
    edges: Sequence[int] = kw.get("steps", [])
    values = [1.0, *kw.get("mults", [])]
    if len(edges) + 1 != len(values):
        raise PreheatError("stair has as many mults as steps", given=kw.get("mults"))
    if not edges:
        return hold(peak)
    spans = [after - at for at, after in zip([0, *edges], edges, strict=False)]
    return steps([peak * value for value in values], [*spans, "rest"])


_MAIN = {"linear": _polynomial, "polynomial": _polynomial, "cosine": _cosine, "rsqrt": _rsqrt, "stair": _stair}
