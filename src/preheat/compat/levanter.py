"""levanter: the schedule of its OptimizerConfig; warmup and cooldown are shares of the run below 1, else updates."""

from __future__ import annotations

from typing import Any

from preheat.compat.parts.curves import lasting
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored, rates
from preheat.core.checks import counted, finite_number, one_of
from preheat.core.constructors import hold, invsqrt, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule

PEER = Peer("levanter", "1.1", "levanter/trainer.py")
TIMESCALE = 10_000  # of inv_sqrt, not to be set there


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("OptimizerConfig", "lr_scheduler")
def optimizer_config(
    *,
    num_train_steps: int,
    learning_rate: float = 6e-4,
    min_lr_ratio: float = 0.1,
    warmup_ratio: float | None = None,
    warmup: float = 0.01,
    cooldown: float = 0.0,
    lr_schedule: str = "cosine",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Up from 0 in W, then constant, cosine, linear or inv_sqrt, and a line to learning_rate·min_lr_ratio in the last C.

    The linear one counts the warmup twice and is at its floor W updates early. inv_sqrt is level up to update 10,000 whatever
    the warmup. Computed in single precision there.
    """
    total = counted(num_train_steps, "num_train_steps is a number of updates", least=1)
    peak, ratio = finite_number(learning_rate, "learning_rate"), finite_number(min_lr_ratio, "min_lr_ratio")
    warm = _length(warmup, total) if warmup_ratio is None else int(finite_number(warmup_ratio, "warmup_ratio") * total)
    cool, findings = _length(cooldown, total), []
    if warmup_ratio is not None:
        findings = ignored("warmup", warmup, 0.01, "warmup_ratio, which is deprecated, goes before it")
    if warm + cool > total:
        raise PreheatError(f"a warmup of {warm} and a cooldown of {cool} do not fit into {total} updates")
    left = total - warm - cool
    if lr_schedule == "linear" and warm:
        what = f"levanter's linear takes the warmup off twice: it is at its floor {warm} updates before its end"
        findings.append(Finding("not-carried", "lr_schedule", what, "write lr_schedule='cosine' to have none of it"))
    main = _main(lr_schedule, warm, left, peak, peak * ratio)
    curve = ramp(0.0, peak, warm) >> main if warm else main
    if cool:
        curve = lasting(curve, total - cool) >> ramp(main(left), peak * ratio, cool)
    return rates(curve, base_lr, findings)


def _main(kind: str, warm: int, left: int, peak: float, low: float) -> Schedule:
    """What follows the warmup, counted from its end."""
    one_of(kind, "lr_schedule", ("constant", "cosine", "linear", "inv_sqrt"))
    if kind == "constant":
        return hold(peak)
    if kind == "cosine":
        if not left:
            raise PreheatError("levanter fails where warmup and cooldown leave nothing for the cosine")
        return ramp(peak, low, left, "cosine")
    if kind == "linear":
        return ramp(peak, low, left - warm) if left > warm else hold(peak)
    early = TIMESCALE - warm
    fall = invsqrt(TIMESCALE).scaled(peak)
    return (hold(peak, early) >> fall if early > 0 else fall.shifted(early) if early else fall).clipped(low=low)


def _length(share: float, total: int) -> int:
    """Updates, of a share below 1."""
    value = finite_number(share, "a length")
    if value < 0:
        raise PreheatError("a length is not negative", given=share)
    return int(value * total) if value < 1 else int(value)
