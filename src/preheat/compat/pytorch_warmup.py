"""pytorch_warmup: a factor that dampens whatever another scheduler sets, update by update."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, around, ignored
from preheat.core.checks import finite_number, whole_number
from preheat.core.constructors import hold, ramp, rectified, saturating
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule

PEER = Peer("pytorch_warmup", "0.2.0", "pytorch_warmup/base.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("LinearWarmup")
def linear_warmup(
    *,
    warmup_period: int | Sequence[int],
    last_step: int = -1,
    lr_scheduler: Any = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """min(1, (t + 1)/W), times lr_scheduler: a restatement, a schedule or its text; of several periods, one for each group."""
    return _dampened(_linear, _periods(warmup_period), last_step, lr_scheduler, base_lr)


@PEER.restates("ExponentialWarmup")
def exponential_warmup(
    *,
    warmup_period: int | Sequence[int],
    last_step: int = -1,
    lr_scheduler: Any = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """1 − exp(−(t + 1)/τ), times lr_scheduler: a restatement, a schedule or its text; of several τ, one for each group."""
    return _dampened(_exponential, _periods(warmup_period), last_step, lr_scheduler, base_lr)


@PEER.restates("UntunedLinearWarmup")
def untuned_linear_warmup(
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    last_step: int = -1,
    lr_scheduler: Any = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """LinearWarmup in ⌊2/(1 − β₂)⌋ updates, in floats: 1999 for 0.999. betas: those of the optimizer, which it reads."""
    return _dampened(_linear, [int(2.0 / (1.0 - _beta2(betas)))], last_step, lr_scheduler, base_lr)


@PEER.restates("UntunedExponentialWarmup")
def untuned_exponential_warmup(
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    last_step: int = -1,
    lr_scheduler: Any = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """ExponentialWarmup with τ = ⌊1/(1 − β₂)⌋, in floats: 999 for 0.999. betas: those of the optimizer, which it reads."""
    return _dampened(_exponential, [int(1.0 / (1.0 - _beta2(betas)))], last_step, lr_scheduler, base_lr)


@PEER.restates("RAdamWarmup")
def radam_warmup(
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    last_step: int = -1,
    lr_scheduler: Any = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """RAdam's rectification from its first defined update on. betas: those of the optimizer, which it reads."""
    return _dampened(rectified, [_beta2(betas)], last_step, lr_scheduler, base_lr)


def _linear(period: int) -> Schedule:
    return ramp(1 / period, 1.0, period - 1) >> hold() if period > 1 else hold()


def _exponential(period: int) -> Schedule:
    return saturating(period).shifted(-1)


def _dampened(
    curve: Callable[[Any], Schedule], given: list[Any], last_step: int, lr_scheduler: Any, base_lr: float
) -> Restated:
    """The inner scheduler times the factor of the first group, and those of further groups by their place."""
    findings = ignored("last_step", last_step, -1, "a schedule has no position; resume with the Scheduler's state")
    inner = [] if lr_scheduler is None else [lr_scheduler]
    whole = [around(inner, partial(_times, curve(one)), base_lr, findings) for one in given]
    lines = {f"{place}/lr": one.schedule for place, one in enumerate(whole) if place}
    return Restated(whole[0].schedule, lines, whole[0].findings, whole[0].base_lr)


def _times(factor: Schedule, inner: Schedule | None = None) -> Schedule:
    return factor if inner is None else inner * factor


def _periods(given: int | Sequence[int]) -> list[int]:
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    write = "leave the warmup out for none"
    found = [whole_number(one, "warmup_period", 1, write) for one in listed]
    if not found:
        raise PreheatError("warmup_period lists one period for each group", given=given)
    return found


def _beta2(betas: Sequence[float]) -> float:
    try:
        beta2 = finite_number(betas[1], "the second of betas")
    except (TypeError, IndexError):
        raise PreheatError(
            "betas are the two of the optimizer", given=betas, write="write betas=(0.9, 0.999)"
        ) from None
    if not 0 <= beta2 < 1 or math.isclose(beta2, 1.0, abs_tol=1e-15):
        raise PreheatError("the second of betas lies from 0 to below 1", given=beta2)
    return beta2
