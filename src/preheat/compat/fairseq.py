"""fairseq: its lr schedulers by the names of --lr-scheduler; they are given rates. lr is that of --lr, one or one an epoch."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from preheat.compat.parts.curves import counted_warmup, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, held, rates
from preheat.core.checks import Number, counted, finite_number, int_if_whole, positive_number
from preheat.core.constructors import hold, invsqrt, ramp, steps
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("fairseq", "0.12.2", "fairseq/optim/lr_scheduler/")
DEFAULT = 0.25  # of --lr


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("FixedLRSchedule")
def fixed(
    *,
    lr: float | Sequence[float] = DEFAULT,
    force_anneal: int | None = None,
    lr_shrink: float = 0.1,
    warmup_updates: int = 0,
    updates_per_epoch: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/W, times a rate for each epoch, the last for all that follow; from epoch force_anneal on, × lr_shrink an epoch.

    updates_per_epoch is needed where the rate depends on the epoch, which is counted from 1.
    """
    warm, every = counted_warmup(counted(warmup_updates, "warmup_updates is a number of updates")), _listed(lr)
    if len(every) == 1 and force_anneal is None:
        return rates((warm >> hold()).scaled(every[0]) if warm.length else hold(every[0]), base_lr)
    epoch = _epoch(updates_per_epoch)
    if force_anneal is None:
        main: Schedule = steps(every, [epoch] * (len(every) - 1) + ["rest"])
    else:
        first, last = counted(force_anneal, "force_anneal is an epoch"), max(1, force_anneal)
        values = [every[min(e, len(every)) - 1] for e in range(1, last)]
        shrunk = every[-1] * finite_number(lr_shrink, "lr_shrink") ** (last + 1 - first)
        annealed = hold(shrunk, epoch).repeated(None, shrink=lr_shrink)
        main = steps(values, [epoch] * len(values)) >> annealed if values else annealed
    return rates((warm >> hold()) * main if warm.length else main, base_lr)


@PEER.restates("InverseSquareRootSchedule")
def inverse_sqrt(
    *,
    lr: float | Sequence[float] = DEFAULT,
    warmup_updates: int = 4000,
    warmup_init_lr: float = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From warmup_init_lr, or 0 where it is negative, to lr in W; then lr·√(W/t)."""
    peak, warm = _one(lr), counted(warmup_updates, "warmup_updates is a number of updates")
    if not warm:
        raise PreheatError("fairseq's inverse_sqrt divides by zero without a warmup", write="write warmup_updates=1")
    start = max(0.0, finite_number(warmup_init_lr, "warmup_init_lr"))
    return rates(ramp(start, peak, warm) >> invsqrt(warm).scaled(peak), base_lr)


@PEER.restates("CosineLRSchedule")
def cosine(
    *,
    lr: float | Sequence[float] = DEFAULT,
    warmup_updates: int = 0,
    warmup_init_lr: float = -1,
    min_lr: float = 0.0,
    t_mult: float = 1.0,
    lr_period_updates: float = -1,
    lr_shrink: float = 0.1,
    max_update: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Up in W from warmup_init_lr, or min_lr; then half cosines, each t_mult times as long and lr_shrink times as high.

    The first is lr_period_updates long, or all that max_update leaves; then the update after the run restarts at lr·lr_shrink.
    """
    peak, low = _one(lr), finite_number(min_lr, "min_lr")
    if peak <= low:
        raise PreheatError(f"lr={peak!r} must be above min_lr={low!r}")
    warm, total = counted(warmup_updates, "warmup_updates is a number"), counted(max_update, "max_update is a number")
    up = _risen(warm, warmup_init_lr, low, peak)
    period, longer = finite_number(lr_period_updates, "lr_period_updates"), positive_number(t_mult, "t_mult")
    period = int_if_whole(period if period > 0 else total - warm)
    if period <= 0:
        raise PreheatError("either max_update, above warmup_updates, or lr_period_updates is needed")
    if longer < 1:
        raise PreheatError(
            "fairseq fails where periods grow shorter and are over", given=t_mult, write="write t_mult=1"
        )
    one = short_ramp(peak, low, period, "cosine")
    curve, findings = (
        up >> one.repeated(None, stretch=longer, shrink=lr_shrink),
        _misplaced(period, longer, total - warm),
    )
    if faithful or not total:
        return rates(curve, base_lr, findings)
    n, end = 1, period
    while warm + end < total:
        end, n = end + period * longer**n, n + 1
    if warm + end == total:
        curve = up >> one.repeated(n, stretch=longer, shrink=lr_shrink)
    curve, after = held(curve, total, False, "it begins the next period, at a higher rate")
    return rates(curve, base_lr, [*findings, *after])


@PEER.restates("PolynomialDecayLRSchedule")
def polynomial_decay(
    *,
    lr: float | Sequence[float] = DEFAULT,
    total_num_update: float,
    warmup_updates: int = 0,
    force_anneal: int | None = None,
    end_learning_rate: float = 0.0,
    power: float = 1.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then end + (lr − end)·(1 − p)ᵖᵒʷᵉʳ, at end_learning_rate from total_num_update on (--max-update)."""
    peak, end = _one(lr), finite_number(end_learning_rate, "end_learning_rate")
    warm = counted(warmup_updates, "warmup_updates is a number of updates")
    total = int_if_whole(positive_number(total_num_update, "total_num_update"))
    if force_anneal is not None:
        what = "force_anneal of polynomial_decay makes the rate of the moment the peak again, every epoch: no formula"
        raise PreheatError(what, given=force_anneal, write="leave it out")
    if warm >= total:  # the update at the warmup's end still is the warmup's
        return rates(ramp(0.0, peak, warm) >> hold(peak, 1) >> hold(end), base_lr)
    main = ramp(peak, end, total - warm, reverse(power_shape(power)))
    return rates(ramp(0.0, peak, warm) >> main if warm else main, base_lr)


@PEER.restates("TriStageLRSchedule")
def tri_stage(
    *,
    lr: float | Sequence[float] = DEFAULT,
    warmup_steps: int = 0,
    hold_steps: int = 0,
    decay_steps: int = 0,
    phase_ratio: Sequence[float] | None = None,
    init_lr_scale: float = 0.01,
    final_lr_scale: float = 0.01,
    max_update: float = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From lr·init_lr_scale up, level, and down to lr·final_lr_scale geometrically; phase_ratio is of max_update."""
    peak, low = _one(lr), positive_number(final_lr_scale, "final_lr_scale")
    up, flat, down = (counted(one, "a stage is a number of updates") for one in (warmup_steps, hold_steps, decay_steps))
    if phase_ratio is not None:
        if sum(phase_ratio) != 1 or len(phase_ratio) != 3:
            raise PreheatError("phase_ratio has three shares that add up to 1 exactly", given=phase_ratio)
        up, flat, down = (int(positive_number(max_update, "max_update") * one) for one in phase_ratio)
    if not down:
        raise PreheatError("fairseq's tri_stage divides by zero without a decay", write="write decay_steps=1 at least")
    start = peak * finite_number(init_lr_scale, "init_lr_scale")
    rise = [ramp(start, peak, up)] if up else []
    level = [hold(peak, flat)] if flat else []
    return rates(_joined([*rise, *level, ramp(peak, peak * low, down, "exponential")]), base_lr)


@PEER.restates("TriangularLRSchedule")
def triangular(
    *,
    max_lr: float,
    lr: float | Sequence[float] = DEFAULT,
    lr_period_updates: float = 5000,
    lr_shrink: float = 0.1,
    shrink_min: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From lr to max_lr and back, again and again; each time max_lr × lr_shrink, and lr too if shrink_min."""
    low, high = _one(lr), finite_number(max_lr, "max_lr")
    if high <= low:
        raise PreheatError(f"max_lr={high!r} must be above lr={low!r}")
    half = int_if_whole(positive_number(lr_period_updates, "lr_period_updates") // 2)
    if not half:
        raise PreheatError("fairseq divides by zero in a period of less than 2 updates", given=lr_period_updates)
    if shrink_min:
        return rates(_triangle(low, high, half).repeated(None, shrink=lr_shrink), base_lr)
    shrunk = _triangle(0.0, high, half).repeated(None, shrink=lr_shrink)
    return rates(shrunk + _triangle(low, 0.0, half).repeated(), base_lr)


@PEER.restates("StepLRSchedule")
def step(
    *,
    lr: float | Sequence[float] = DEFAULT,
    warmup_updates: int = 0,
    warmup_init_lr: float = -1,
    min_lr: float = 0.0,
    lr_deacy_period: int = 25000,
    lr_decay: float = 0.5,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Up in W from warmup_init_lr, or min_lr; then × lr_decay every lr_deacy_period (their spelling), never below min_lr."""
    peak, low = _listed(lr)[0], finite_number(min_lr, "min_lr")
    if not 0 <= low < peak:
        raise PreheatError(f"min_lr={low!r} must be at least 0 and below lr={peak!r}")
    warm, period = counted(warmup_updates, "warmup_updates is a number"), counted(lr_deacy_period, "a period", least=1)
    main = hold(peak, period).repeated(None, shrink=lr_decay)
    return rates(_risen(warm, warmup_init_lr, low, peak) >> (main.clipped(low=low) if low else main), base_lr)


@PEER.restates("ManualSchedule")
def manual(
    *,
    epoch2lr: str | Mapping[Any, float] = "{}",
    update2lr: str | Mapping[Any, float] = "{}",
    lr: float | Sequence[float] = DEFAULT,
    updates_per_epoch: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """A rate from each named update on, and before the first of them from each named epoch on; "3,5-8" names several."""
    by_update, by_epoch = _table(update2lr), _table(epoch2lr)
    first = _listed(lr)[0] if not by_epoch else by_epoch.get(1, _listed(lr)[0])
    first = by_update.get(1, first) if 1 not in by_epoch else first
    epoch = _epoch(updates_per_epoch) if by_epoch else 1
    changes = {0: first} | {(number - 1) * epoch: rate for number, rate in sorted(by_epoch.items()) if number >= 1}
    if by_update:
        begins = max(0, min(by_update))
        changes = {at: rate for at, rate in changes.items() if at < begins} | {
            max(0, k): by_update[k] for k in sorted(by_update)
        }
    edges = sorted(changes)
    spans: list[Any] = [after - at for at, after in pairwise(edges)]
    return rates(steps([changes[at] for at in edges], [*spans, "rest"]) if spans else hold(changes[0]), base_lr)


@PEER.restates("PassThroughScheduleSchedule")
def pass_through(*, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """What the optimizer does by itself; here its own rate."""
    what = "the optimizer's own scheduler decides, and it is not said here"
    return rates(hold(), base_lr, [Finding("not-carried", "lr_scheduler", what, "restate that scheduler")])


def _listed(lr: float | Sequence[float]) -> list[float]:
    values = list(lr) if isinstance(lr, Sequence) else [lr]
    if not values:
        raise PreheatError("lr is empty", write="write lr=5e-4")
    return [finite_number(one, "lr") for one in values]


def _one(lr: float | Sequence[float]) -> float:
    every = _listed(lr)
    if len(every) > 1:
        raise PreheatError("only fixed has a rate for each epoch", given=lr, write="write one lr, or use fixed")
    return every[0]


def _epoch(updates: int | None) -> int:
    if updates is None:
        raise PreheatError("the rate depends on the epoch", write="write updates_per_epoch=…")
    return counted(updates, "updates_per_epoch is a number of updates", least=1)


def _risen(warm: int, start: float, low: float, peak: float) -> Schedule:
    return ramp(low if finite_number(start, "warmup_init_lr") < 0 else start, peak, warm)


def _triangle(low: float, high: float, half: Number) -> Schedule:
    return short_ramp(low, high, half) >> short_ramp(high, low, half)


def _joined(parts: Sequence[Schedule]) -> Schedule:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole >> part
    return whole


def _table(given: str | Mapping[Any, float]) -> dict[int, float]:
    """The numbers named by "3,5" or "5-8", each with its rate; read as a literal."""
    try:
        read = ast.literal_eval(given.replace(" ", "")) if isinstance(given, str) else dict(given)
        found: dict[int, float] = {}
        for names, rate in read.items():
            for name in str(names).split(","):
                low, _, high = name.partition("-")
                found.update(dict.fromkeys(range(int(low), int(high or low) + 1), float(rate)))
        return found
    except (ValueError, SyntaxError, AttributeError, TypeError):
        raise PreheatError(
            "a table of rates is needed", given=given, write="write \"{'1': 1e-4, '5-8': 5e-5}\""
        ) from None


def _misplaced(period: Number, longer: float, updates: int) -> list[Finding]:
    """Updates at which fairseq's rounding, of a logarithm or a quotient, takes the period before or after the right one."""
    wrong, start = [], Fraction(period)
    for i in range(1, 1000):
        near = round(start)
        if near > updates:
            break
        if abs(near - start) < 1e-6 and _period(near, period, longer) != (i if near >= start else i - 1):
            wrong.append(near)
        start += Fraction(period) * Fraction(longer**i)
    if not wrong:
        return []
    what = f"fairseq's rounding takes the wrong period, counted from the end of the warmup, at update {wrong}"
    return [Finding("not-equal", "t_mult", f"{what}: the head of one in place of the foot of another, or the reverse")]


def _period(update: int, period: Number, longer: float) -> int:
    """Which period fairseq takes an update for, in its own arithmetic."""
    if longer == 1:
        return math.floor(update / period)
    return math.floor(math.log(1 - update / period * (1 - longer), longer))
