"""Ignite's parameter schedulers, attached where it says: to the start of each iteration, so that update t uses value t.

They set the parameter that `param_name` names: its rates where that is "lr"; of another, or of one group, the schedule stands
in `others` and the rate stays the optimizer's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from preheat.compat.parts.curves import doublings, joined, lasting, multiplied, short_ramp, through
from preheat.compat.parts.members import FACTORS, NESTED, Member
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import (
    Curve,
    Restated,
    around,
    curve_of,
    cut,
    factors,
    is_rates,
    rate_argument,
    rates,
)
from preheat.core.checks import finite_number, whole_number
from preheat.core.constructors import hold, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.plan import RATE
from preheat.core.stated import Absolute

PEER = Peer("ignite", "0.5.5", "ignite/handlers/param_scheduler.py")
FINDING = (*FACTORS, "cosine_annealing_lr")  # those that act on the rate that they find
FARTHEST = 10**8  # updates, up to which cycles of uneven lengths are laid out


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("PiecewiseLinear")
def piecewise_linear(
    *,
    param_name: str = RATE,
    milestones_values: Sequence[tuple[int, float]],
    save_history: bool = False,
    param_group_index: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """In lines through (event, value), the first and the last kept outside."""
    points = [
        (whole_number(event, "a milestone"), finite_number(value, "a value")) for event, value in milestones_values
    ]
    if not points or any(a > b for (a, _), (b, _) in pairwise(points)):
        raise PreheatError("milestones_values are pairs of a milestone and a value, and the milestones rise")
    return _of(param_name, param_group_index, through(points), base_lr)


@PEER.restates("LinearCyclicalScheduler")
def linear_cyclical_scheduler(
    *,
    param_name: str = RATE,
    start_value: float,
    end_value: float,
    cycle_size: int,
    cycle_mult: float = 1.0,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    warmup_duration: int = 0,
    save_history: bool = False,
    param_group_index: int | None = None,
    monotonic: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From start to end and back in each cycle; monotonic: to end only, and then a jump, or warmup_duration updates up."""
    if warmup_duration > 0 and not monotonic:
        raise PreheatError(
            "Ignite's linear cycles have a warmup_duration only with monotonic=True", given=warmup_duration
        )
    cycle = _Cycle(cycle_size, warmup_duration, cycle_mult)
    ends = (start_value, end_value, start_value_mult, end_value_mult)
    curve, findings = cycle.curve(ends, "linear" if monotonic else None)
    return _of(param_name, param_group_index, curve, base_lr, findings)


@PEER.restates("CosineAnnealingScheduler")
def cosine_annealing_scheduler(
    *,
    param_name: str = RATE,
    start_value: float,
    end_value: float,
    cycle_size: int,
    cycle_mult: float = 1.0,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    warmup_duration: int = 0,
    save_history: bool = False,
    param_group_index: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Half a cosine from start to end in each cycle, then a jump, or warmup_duration updates in a line, to the next start."""
    cycle = _Cycle(cycle_size, warmup_duration, cycle_mult)
    curve, findings = cycle.curve((start_value, end_value, start_value_mult, end_value_mult), "cosine")
    return _of(param_name, param_group_index, curve, base_lr, findings)


@PEER.restates("ConcatScheduler")
def concat_scheduler(
    *,
    schedulers: Sequence[Any],
    durations: Sequence[int],
    save_history: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """One scheduler after another, each for its duration, the last for ever; restatements, schedules or their text."""
    if len(schedulers) < 2 or len(schedulers) != len(durations) + 1:
        raise PreheatError(
            f"ConcatScheduler takes two schedulers or more, and a duration for all but the last, not {len(schedulers)} "
            f"and {len(durations)}"
        )
    spans = [whole_number(one, "a duration", 1, "leave out what lasts for no update") for one in durations]
    if bare := [one for one in schedulers if isinstance(one, Member)]:
        write = "write compat.ignite.lr_scheduler(lr_scheduler=…)"
        raise PreheatError(f"ConcatScheduler holds Ignite's schedulers, and {bare[0].name} is torch's", write=write)

    def made(*curves: Schedule) -> Schedule:
        return joined([*(lasting(curve, span) for curve, span in zip(curves, spans, strict=False)), curves[-1]])

    found = [_multiplies(one) for one in schedulers[1:] if isinstance(one, _Wrapped) and one.inner in FINDING]
    return around(schedulers, made, base_lr, found)


@PEER.restates("ParamGroupScheduler")
def param_group_scheduler(
    *,
    schedulers: Sequence[Restated],
    names: Sequence[str] | None = None,
    save_history: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Several schedulers of this module side by side, each with its own parameter or group."""
    alone = [one for one in schedulers if isinstance(one, Restated)]
    if not alone or len(alone) != len(schedulers):
        raise PreheatError("ParamGroupScheduler takes restatements of Ignite's schedulers", given=schedulers)
    rate = next((one.schedule for one in alone if not one.others), hold())
    return Restated(rate, [pair for one in alone for pair in one.others], _found_by(alone))


@PEER.restates("LRScheduler")
def lr_scheduler(
    *,
    lr_scheduler: Any,
    save_history: bool = False,
    use_legacy: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """A scheduler of torch's, one call an iteration, its first get_lr asked once more than torch does.

    use_legacy: the same, attached one event later.
    """
    _check_asked(lr_scheduler)
    found = around([lr_scheduler], partial(_asked_again, lr_scheduler), base_lr)
    name = lr_scheduler.name if isinstance(lr_scheduler, Member) else ""
    return _Wrapped(found.schedule, findings=found.findings, base_lr=found.base_lr, inner=name)


@PEER.restates("create_lr_scheduler_with_warmup")
def create_lr_scheduler_with_warmup(
    *,
    lr_scheduler: Any,
    warmup_start_value: float,
    warmup_duration: int,
    warmup_end_value: float | None = None,
    save_history: bool = False,
    output_simulated_values: list[Any] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """A line from start at update 0 to end at W − 1, then lr_scheduler: if it begins there too, with its second value.

    lr_scheduler: rates, such as the schedulers of this module, or a scheduler of torch's.   warmup_end_value: as in Ignite the
    rate that the optimizer has then: its own, or what the constructor of a scheduler of torch's has set.
    """
    warm = whole_number(warmup_duration, "warmup_duration", 2, "Ignite needs two updates for a warmup")
    _check_asked(lr_scheduler)
    if isinstance(lr_scheduler, _Wrapped):
        write = "give the scheduler of torch's itself, which Ignite wraps"
        raise PreheatError("a warmup over an LRScheduler is not restated", write=write)
    set_by_torch = not is_rates(lr_scheduler) or isinstance(lr_scheduler, Member) or _based(lr_scheduler)
    used = not set_by_torch and warmup_end_value is None
    inner = around([lr_scheduler], lambda curve: curve, 1.0 if used else base_lr)
    curve, findings = curve_of(inner), list(inner.findings)
    if used and base_lr == 1.0:
        what = "without warmup_end_value Ignite warms up to the optimizer's own rate, which is not said"
        raise PreheatError(what, write="give warmup_end_value=, or base_lr=")
    end = base_lr if used else curve(0)
    if warmup_end_value is not None:
        end = finite_number(warmup_end_value, "warmup_end_value")
    up = short_ramp(finite_number(warmup_start_value, "warmup_start_value"), end, warm - 1)
    whole = up >> curve if curve(0) == end else up >> hold(end, 1) >> curve
    if is_rates(inner):
        return Restated(Absolute(whole), findings=findings, base_lr=inner.base_lr)
    findings += rate_argument("warmup_start_value", warmup_start_value, base_lr)
    return factors(whole, 1.0, [*findings, *rate_argument("warmup_end_value", warmup_end_value, base_lr)])


@PEER.restates("ReduceLROnPlateauScheduler")
def reduce_lr_on_plateau_scheduler(
    *, metric_name: str, base_lr: float = 1.0, faithful: bool = False, **scheduler_kwargs: Any
) -> Restated:
    """The optimizer's own rate, and what a metric makes of it."""
    findings = [Finding("metric-driven", metric_name, "the rate falls when it stops improving", "use the rule Plateau")]
    if "min_lr" in scheduler_kwargs and scheduler_kwargs.get("param_group_index") is None:
        what = f"{scheduler_kwargs['min_lr']!r} is not used: without param_group_index Ignite takes 0"
        findings.append(Finding("ignored-argument", "min_lr", what, "Plateau(min_lr=…) is kept"))
    return factors(hold(), base_lr, findings)


class _Cycle(NamedTuple):
    """The lengths of a cycle, and by what those of the next are multiplied; Ignite cuts them to whole numbers."""

    size: int
    warmup: int
    mult: float

    def curve(self, ends: tuple[float, ...], shape: str | None) -> tuple[Schedule, list[Finding]]:
        """Cycle after cycle; ends: start, end and by what they are multiplied; shape: None for a line there and back."""
        size, warmup = whole_number(self.size, "cycle_size", 2), whole_number(self.warmup, "warmup_duration")
        start, end, *mults = (finite_number(one, "a value") for one in ends)
        parts, total = list[Schedule](), 0
        while size > 0 and total < FARTHEST:
            following = int(size * self.mult), int(warmup * self.mult)
            if following == (size, warmup):
                return joined([*parts, _alike(following, (start, end, *mults), shape)]), []
            parts.append(_cycle((size, warmup), (start, end, start * mults[0]), shape))
            total, start, end = total + size + warmup, start * mults[0], end * mults[1]
            size, warmup = following
        if size:
            return joined(parts), cut(joined(parts), "the cycles go on")
        what = f"cycle_mult={self.mult!r} leaves no cycle, and Ignite divides by zero; here the last value is kept"
        return joined(parts), [Finding("after-the-end", f"update {total}", what)]


def _alike(lengths: tuple[int, int], ends: tuple[float, ...], shape: str | None) -> Schedule:
    """Cycles of one length without end: the starts and the ends each fall by their own factor, so they are summed."""
    start, end, lower, higher = ends
    if lower == higher == 1:
        return _cycle(lengths, (start, end, start), shape).repeated()
    starts = _cycle(lengths, (1.0, 0.0, lower), shape).repeated(_times(lower), shrink=lower)
    return starts.scaled(start) + _cycle(lengths, (0.0, 1.0, 0.0), shape).repeated(
        _times(higher), shrink=higher
    ).scaled(end)


def _times(mult: float) -> int | None:
    """How often a factor above 1 is followed: as far as numbers go in single precision."""
    return doublings(1.0, abs(mult)) if abs(mult) > 1 else None


def _cycle(lengths: tuple[int, int], values: tuple[float, float, float], shape: str | None) -> Schedule:
    """From start to end, or there and back, and up to the next start where there is a warmup."""
    (size, warmup), (start, end, following) = lengths, values
    if shape is None:
        return short_ramp(start, end, size / 2) >> short_ramp(end, start, size / 2)
    down = short_ramp(start, end, size, shape)
    return down >> ramp(end, following, warmup) if warmup else down


def _of(
    param_name: str, group: int | None, curve: Schedule, base_lr: float, findings: list[Finding] | None = None
) -> Restated:
    """The rates of all groups, or of another parameter or one group, beside which the rate stays as it is."""
    if param_name == RATE and group is None:
        return rates(curve, base_lr, findings or [])
    key = param_name if group is None else f"{whole_number(group, 'param_group_index')}/{param_name}"
    return Restated(factors(hold(), base_lr).schedule, {key: Absolute(curve)}, findings or [])


def _found_by(given: Sequence[Any]) -> list[Finding]:
    return [found for one in given if isinstance(one, Restated) for found in one.findings]


# -- torch's schedulers, whose get_lr Ignite asks itself --------------------------------------------------------------------


class _Wrapped(Restated):
    """An LRScheduler; inner: which of torch's it holds, where that is known."""

    __slots__ = ("inner",)

    inner: str

    def __init__(
        self,
        schedule: Curve,
        others: Iterable[tuple[str, Curve]] = (),
        findings: Iterable[Finding] = (),
        base_lr: float | None = None,
        inner: str = "",
    ) -> None:
        super().__init__(schedule, others, findings, base_lr)
        self._set(inner=inner)


def _based(given: Any) -> bool:
    return isinstance(given, Restated) and given.base_lr is not None


def _check_asked(given: Any) -> None:
    """Refuse those of torch's whose rate cannot be asked for, or is always the same."""
    if isinstance(given, Member) and given.name == "swalr":
        write = "attach it by a handler that calls its step()"
        raise PreheatError("Ignite cannot run SWALR, whose rate then stands still", write=write)
    if isinstance(given, Member) and given.name in NESTED:
        write = "attach it by a handler that calls its step()"
        raise PreheatError(f"Ignite cannot run torch's {given.name}: it has no get_lr to ask", write=write)


def _asked_again(given: Any, curve: Schedule) -> Schedule:
    """What the first get_lr, which torch asked when it built the scheduler, does a second time."""
    if not isinstance(given, Member):
        return curve  # a LambdaLR, or one of rates: it gives the same again
    if given.name in ("exponential_lr", "cosine_annealing_warm_restarts"):
        return curve.shifted(-1)  # one update early
    if given.name == "cosine_annealing_lr":
        half = given.argument("T_max")
        if half == 1:
            raise PreheatError("Ignite divides by zero with T_max=1", write="write T_max of at least 2")
        height = curve(0) - curve(half)
        first = curve(half) + height * 2 / (1 + math.cos(math.pi / half))
        return hold(first, 1) >> curve.shifted(-1)
    share = 1.0
    if given.name == "linear_lr":
        share = given.argument("start_factor", 1 / 3)
    elif given.name == "constant_lr":
        share = given.argument("factor", 1 / 3)
    elif given.name == "polynomial_lr":
        total = given.argument("total_iters", 5)
        share = (total / (total + 1)) ** given.argument("power", 1.0) if total >= 1 else 1.0
    elif given.name == "multiplicative_lr":
        share = given.argument("lr_lambda")(0)
    elif given.name == "multi_step_lr":
        share = given.argument("gamma", 0.1) ** list(given.argument("milestones")).count(0)
    return multiplied(curve, share) if share != 1.0 else curve


def _multiplies(given: _Wrapped) -> Finding:
    what = f"{given.inner} begins with the rate that the scheduler before it has left, and not with its own"
    return Finding("not-equal", "schedulers", what, "use torch's SequentialLR, or a LambdaLR")
