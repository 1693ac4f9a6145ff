"""detectron2: WarmupParamScheduler over fvcore's schedulers, by SOLVER's keys too, and the two classes of before.

LRMultiplier multiplies every group's rate, so the values are factors; base_lr= is SOLVER.BASE_LR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from preheat.compat.fvcore import restated
from preheat.compat.parts.curves import cosine_wave, short_ramp, stairs
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, held, ignored, rate_argument, resumed
from preheat.core.checks import counted, finite_number, one_of, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule

PEER = Peer("detectron2", "0.6 (02b5c4e2)", "detectron2/solver/lr_scheduler.py")
SCHEDULERS = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR")  # of SOLVER.LR_SCHEDULER_NAME
_NO_END = ("ConstantParamScheduler", "StepParamScheduler", "StepWithFixedGammaParamScheduler")
_METHODS = ("linear", "constant")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("WarmupParamScheduler", "LRMultiplier")
def warmup_param_scheduler(
    *,
    scheduler: Mapping[str, Any],
    warmup_factor: float,
    warmup_length: float,
    warmup_method: str = "linear",
    rescale_interval: bool = False,
    max_iter: int,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From warmup_factor · s(0) to what the scheduler s has reached at the end of the warmup, which s then goes on from.

    scheduler: of fvcore, as a mapping with its class under "type".   warmup_length: a share of the run.
    rescale_interval: s begins after the warmup instead, so that its peak is reached.
    """
    total = counted(max_iter, "max_iter is a number of updates", least=1)
    share = finite_number(warmup_length, "warmup_length")
    if not 0 <= share <= 1:
        raise PreheatError("warmup_length is a share of the run, from 0 to 1", given=warmup_length)
    whole, _ = restated(scheduler, total, True)
    start = finite_number(warmup_factor, "warmup_factor") * whole(0)
    warmup: dict[str, Any] = {"type": "ConstantParamScheduler", "value": start}
    if one_of(warmup_method, "warmup_method", _METHODS) == "linear":
        if share == 1 and not rescale_interval and scheduler.get("type") in _NO_END:
            raise PreheatError("detectron2 asks the scheduler for its value at the end of the run, where it fails")
        reached = whole(0 if rescale_interval else share * total)
        warmup = {"type": "LinearParamScheduler", "start_value": start, "end_value": reached}
    curve, findings = restated(
        {
            "type": "CompositeParamScheduler",
            "schedulers": [warmup, scheduler],
            "lengths": [share, 1 - share],
            "interval_scaling": ["rescaled" if share else "fixed", "rescaled" if rescale_interval else "fixed"],
        },
        total,
        faithful,
    )
    return factors(curve, base_lr, findings)


@PEER.restates("build_lr_scheduler")
def build_lr_scheduler(
    *,
    lr_scheduler_name: str = "WarmupMultiStepLR",
    max_iter: int = 40000,
    base_lr: float = 1.0,
    base_lr_end: float = 0.0,
    gamma: float = 0.1,
    steps: Sequence[int] = (30000,),
    num_decays: int = 3,
    warmup_factor: float = 1.0 / 1000,
    warmup_iters: int = 1000,
    warmup_method: str = "linear",
    rescale_interval: bool = False,
    faithful: bool = False,
) -> Restated:
    """The keys of SOLVER, in small letters: the scheduler of that name under a warmup.

    A cosine whose interval is not rescaled, which is the default, never reaches its peak.
    """
    name = one_of(lr_scheduler_name, "SOLVER.LR_SCHEDULER_NAME", SCHEDULERS)
    total = counted(max_iter, "max_iter is a number of updates", least=1)
    solver = {"gamma": gamma, "steps": steps, "num_decays": num_decays, "base_lr": base_lr, "base_lr_end": base_lr_end}
    scheduler, findings = _scheduler(name, total, solver)
    warmed = warmup_param_scheduler(
        scheduler=scheduler,
        warmup_factor=warmup_factor,
        warmup_length=min(counted(warmup_iters, "warmup_iters is a number of updates") / total, 1.0),
        warmup_method=warmup_method,
        rescale_interval=rescale_interval,
        max_iter=total,
        base_lr=base_lr,
        faithful=faithful,
    )
    return warmed.having(*findings)


@PEER.restates("WarmupMultiStepLR")
def warmup_multi_step_lr(
    *,
    milestones: Sequence[int],
    gamma: float = 0.1,
    warmup_factor: float = 0.001,
    warmup_iters: int = 1000,
    warmup_method: str = "linear",
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The class of before: f + (1 − f)·t/W up to W, times gamma for each milestone that has passed."""
    edges = [counted(edge, "a milestone is a number of updates") for edge in milestones]
    if edges != sorted(edges):
        raise PreheatError("milestones must rise", given=list(milestones))
    ratio = finite_number(gamma, "gamma")
    curve = stairs([ratio**i for i in range(len(edges) + 1)], edges)
    return factors(_warmed(curve, warmup_factor, warmup_iters, warmup_method), base_lr, resumed(last_epoch))


@PEER.restates("WarmupCosineLR")
def warmup_cosine_lr(
    *,
    max_iters: int,
    warmup_factor: float = 0.001,
    warmup_iters: int = 1000,
    warmup_method: str = "linear",
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The class of before: f + (1 − f)·t/W up to W, times (1 + cos(πt/T))/2, whose peak is over when the warmup ends."""
    total = counted(max_iters, "max_iters is a number of updates", least=1)
    waves = cosine_wave(total, until=None if faithful else total)
    curve, after = held(
        _warmed(waves, warmup_factor, warmup_iters, warmup_method), total, faithful, "it climbs back to the full rate"
    )
    return factors(curve, base_lr, [*resumed(last_epoch), *after])


def _scheduler(name: str, total: int, solver: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """fvcore's scheduler for a name, as a mapping, and what is dropped."""
    gamma, steps, base_lr, base_lr_end = (solver[key] for key in ("gamma", "steps", "base_lr", "base_lr_end"))
    if name == "WarmupMultiStepLR":
        known = [step for step in steps if step <= total]
        findings = ignored("steps", tuple(steps), tuple(known), "detectron2 drops the steps after max_iter")
        values = [finite_number(gamma, "gamma") ** i for i in range(len(known) + 1)]
        kind = {"type": "MultiStepParamScheduler", "values": values, "milestones": known, "num_updates": total}
        return kind, findings
    if name == "WarmupCosineLR":
        end = finite_number(base_lr_end, "base_lr_end") / positive_number(base_lr, "base_lr")
        if not 0 <= end <= 1:
            raise PreheatError(f"base_lr_end={base_lr_end!r} must be from 0 to the optimizer's rate, {base_lr!r}")
        kind = {"type": "CosineParamScheduler", "start_value": 1.0, "end_value": end}
        return kind, rate_argument("base_lr_end", base_lr_end, base_lr)
    kind = {"type": "StepWithFixedGammaParamScheduler", "base_value": 1.0, "gamma": gamma}
    return kind | {"num_decays": solver["num_decays"], "num_updates": total}, []


def _warmed(curve: Schedule, factor: float, iters: int, method: str) -> Schedule:
    """A curve dampened by the warmup; of none it is the curve."""
    start, count = finite_number(factor, "warmup_factor"), counted(iters, "warmup_iters is a number of updates")
    if not count:
        return curve
    if one_of(method, "warmup_method", _METHODS) == "constant":
        return (hold(start, count) >> hold()) * curve
    return (short_ramp(start, 1.0, count) >> hold()) * curve
