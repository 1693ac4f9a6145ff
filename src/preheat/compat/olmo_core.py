"""OLMo-core: its schedulers as its trainer drives them: update t, counted from 0, uses step t + 1, or the tokens seen by then.

Every scheduler here takes, beside its own arguments, what the trainer knows: max_steps, or max_tokens and tokens_per_step where
units="tokens". Schedules are in updates either way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from preheat.compat.parts.curves import lasting, onwards, short_hold, short_ramp, switched
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, curve_of, factors, held, ignored, rate_argument, rates
from preheat.core.checks import Number, counted, finite_number, int_if_whole, one_of, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import InvSqrt
from preheat.core.nodes.sequence import sequence

PEER = Peer("olmo_core", "3.0.0", "olmo_core/optim/scheduler.py")
SHAPES = ("linear", "cosine")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


class _Clock(NamedTuple):
    """What the trainer counts: steps, or tokens of which every step has so many."""

    total: Number  # in units
    per_step: Number  # units in an update

    @classmethod
    def of(cls, trainer: Mapping[str, Any], needed: bool = True) -> _Clock:
        """From max_steps, max_tokens, tokens_per_step, units."""
        known = {"units", "max_steps", "max_tokens", "tokens_per_step", "lr_field", "initial_lr_field"}
        if odd := [key for key in trainer if key not in known]:
            raise PreheatError("not an argument of an OLMo-core scheduler", given=odd[0])
        units = one_of(trainer.get("units", "steps"), "units", ("steps", "tokens"))
        total = trainer.get(f"max_{units}")
        if total is None and needed:
            raise PreheatError(f"the schedule counts {units}, and the run's are not said", write=f"write max_{units}=…")
        size = 1 if units == "steps" else trainer.get("tokens_per_step")
        if size is None:
            what = "the schedule counts tokens, and how many an update has is not said"
            raise PreheatError(what, write="write tokens_per_step=…")
        size = counted(size, "tokens_per_step is a number of tokens", least=1)
        return cls(math.inf if total is None else counted(total, f"max_{units} is a number", least=1), size)

    @property
    def updates(self) -> int:
        """In the run: it ends with the update that reaches the total."""
        return math.ceil(self.total / self.per_step)

    def ticks(self, units: Number) -> Number:
        return int_if_whole(units / self.per_step)

    def length(self, name: str, given: Mapping[str, Any], total: Number, share: float | None = None) -> Number:
        """`name`, its deprecated twin `name_steps`, or `name_fraction` of the total, in units: exactly one of them.

        share: what the fraction is where nothing is said.
        """
        value = given.get(name, given.get(f"{name}_steps"))
        fraction = given.get(f"{name}_fraction", share)
        if (value is None) == (fraction is None):
            both = f" ({name}_fraction is {share} unless you write None)" if share is not None else ""
            raise PreheatError(
                f"one of {name} and {name}_fraction is needed, and not both{both}", write=f"write {name}=…"
            )
        if value is not None:
            return counted(value, f"{name} is a number of steps or tokens")
        if not 0 <= finite_number(fraction, f"{name}_fraction") <= 1:
            raise PreheatError(f"{name}_fraction is between 0 and 1", given=fraction)
        return round(total * fraction)


def _restated(curve: Schedule, base_lr: float, findings: Sequence[Finding], given: Mapping[str, Any]) -> Restated:
    """In updates: the first uses what the curve, in the trainer's own count, has at 1."""
    floors = [key for key in ("warmup_min_lr", "decay_min_lr") if given.get(key)]
    told = [one for key in floors for one in rate_argument(key, given[key], base_lr)]
    return factors(curve.shifted(-1), base_lr, [*told, *findings])


def _floor(given: Mapping[str, Any], name: str, base_lr: float, below: float = 1.0) -> float:
    """A rate as a factor; OLMo-core asserts that it is not negative and below where it leads from or to."""
    value = finite_number(given.get(name, 0.0), name) / positive_number(base_lr, "base_lr")
    if not 0 <= value < below:
        raise PreheatError(
            f"{name} must be at least 0 and below the rate {below * base_lr:g}", given=given.get(name, 0.0)
        )
    return value


def _risen(clock: _Clock, warm: Number, start: float, peak: float = 1.0) -> Schedule:
    return short_ramp(start, peak, clock.ticks(warm))


def _said(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given."""
    return {key: value for key, value in arguments.items() if value is not None}


@PEER.restates("ConstantScheduler", "constant")
def constant_scheduler(*, base_lr: float = 1.0, faithful: bool = False, **trainer: Any) -> Restated:
    """The optimizer's own rate."""
    return factors(hold(), base_lr)


@PEER.restates("ConstantWithWarmup")
def constant_with_warmup(
    *,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """From warmup_min_lr to the rate in W, and on. A fraction is of the run."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    clock = _Clock.of(trainer, needed=warmup_fraction is not None)
    warm = clock.length("warmup", given, clock.total)
    return _restated(_risen(clock, warm, _floor(given, "warmup_min_lr", base_lr)) >> hold(), base_lr, [], given)


@PEER.restates()
def linear_with_warmup(
    *,
    alpha_f: float = 0.1,
    t_max: int | None = None,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up in W, then a line to alpha_f at t_max, the run's total unless given; alpha_f from there on."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    clock = _Clock.of(trainer, needed=t_max is None)
    curve = _fallen(clock, given | {"t_max": t_max, "alpha_f": alpha_f}, base_lr, "linear")
    return _restated(curve, base_lr, [], given)


@PEER.restates("CosWithWarmup")
def cos_with_warmup(
    *,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: float = 0.1,
    t_max: int | None = None,
    warmup_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up in W, then half a cosine to alpha_f at t_max, the run's total unless given; alpha_f from there on."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    clock = _Clock.of(trainer, needed=t_max is None)
    curve = _fallen(clock, given | {"t_max": t_max, "alpha_f": alpha_f}, base_lr, "cosine")
    return _restated(curve, base_lr, [], given)


@PEER.restates("HalfCosWithWarmup")
def half_cos_with_warmup(
    *,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: float = 0.1,
    t_max: int | None = None,
    warmup_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up to (1 + alpha_f)/2 in W, then the second half of the half cosine, to alpha_f at t_max: the peak is never taken."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    clock = _Clock.of(trainer, needed=t_max is None)
    curve = _fallen(clock, given | {"t_max": t_max, "alpha_f": alpha_f}, base_lr, "half")
    return _restated(curve, base_lr, [], given)


@PEER.restates("InvSqrtWithWarmup")
def inv_sqrt_with_warmup(
    *,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up in W, then α + (1 − α)·√(W/t): towards alpha_f, not towards 0. Without a warmup it is at alpha_f at once."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    clock, low = _Clock.of(trainer, needed=warmup_fraction is not None), finite_number(alpha_f, "alpha_f")
    warm = clock.length("warmup", given, clock.total)
    start = _floor(given, "warmup_min_lr", base_lr)
    if not warm:
        return _restated(hold(low), base_lr, [], given)
    fall = InvSqrt(clock.ticks(warm), "rest").scaled(1 - low) + hold(low)
    return _restated(_risen(clock, warm, start) >> fall, base_lr, [], given)


@PEER.restates("WSD")
def wsd(
    *,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_steps: int | None = None,
    decay_fraction: float | None = 0.1,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up in W, stable, and in the last D down to decay_min_lr along a line that does not stop there.

    Where tokens_per_step does not divide max_tokens, the last update is past the end, below decay_min_lr, or below 0.
    """
    given = _said(warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction)
    given |= _said(decay=decay, decay_steps=decay_steps, warmup_min_lr=warmup_min_lr, decay_min_lr=decay_min_lr)
    clock = _Clock.of(trainer)
    warm = clock.length("warmup", given, clock.total)
    down = clock.length("decay", given, clock.total, decay_fraction)
    low, rise = _floor(given, "decay_min_lr", base_lr), _risen(clock, warm, _floor(given, "warmup_min_lr", base_lr))
    curve = _with_tail(clock, rise, lambda span: short_hold(1.0, span), (warm, down), (1.0, low, faithful))
    return _restated(*_at_end(clock, curve, faithful, base_lr), given)


@PEER.restates("PowerLR", "power_lr")
def power_lr(
    *,
    b: float = -0.51,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    decay: int | None = None,
    decay_steps: int | None = None,
    decay_fraction: float | None = 0.1,
    decay_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Up in W, then (t/W)ᵇ, and in the last D a line from where that is down to decay_min_lr, which does not stop there."""
    given = _said(warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction)
    given |= _said(decay=decay, decay_steps=decay_steps, warmup_min_lr=warmup_min_lr, decay_min_lr=decay_min_lr)
    clock = _Clock.of(trainer)
    warm = clock.length("warmup", given, clock.total)
    down = clock.length("decay", given, clock.total, decay_fraction)
    if finite_number(b, "b") >= 0:
        raise PreheatError("b must be negative", given=b, write="write b=-0.51")
    left = clock.total - down
    if not warm or left <= 0:
        raise PreheatError(
            "OLMo-core divides by zero in PowerLR without a warmup, or where the decay takes the whole run"
        )
    high = (left / warm) ** b
    low = _floor(given, "decay_min_lr", base_lr, high)
    rise = _risen(clock, warm, _floor(given, "warmup_min_lr", base_lr))
    curve = _with_tail(
        clock, rise, lambda span: InvSqrt(clock.ticks(warm), span, -b), (warm, down), (high, low, faithful)
    )
    return _restated(*_at_end(clock, curve, faithful, base_lr), given)


@PEER.restates("CosWithWarmupAndLinearDecay")
def cos_with_warmup_and_linear_decay(
    *,
    warmup: int | None = None,
    warmup_steps: int | None = None,
    warmup_fraction: float | None = None,
    alpha_f: float = 0.1,
    t_max: int | None = None,
    warmup_min_lr: float = 0.0,
    decay: int | None = None,
    decay_steps: int | None = None,
    decay_fraction: float | None = 0.1,
    decay_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """As cos_with_warmup, cut D before the end of the run, and from there a line to decay_min_lr, which does not stop there."""
    given = _said(
        warmup=warmup, warmup_steps=warmup_steps, warmup_fraction=warmup_fraction, warmup_min_lr=warmup_min_lr
    )
    given |= _said(decay=decay, decay_steps=decay_steps, decay_min_lr=decay_min_lr)
    clock = _Clock.of(trainer)
    down = clock.length("decay", given, clock.total, decay_fraction)
    wave = _fallen(clock, given | {"t_max": t_max, "alpha_f": alpha_f}, base_lr, "cosine")
    start = clock.ticks(clock.total - down)
    high = wave(max(0, start))
    low = _floor(given, "decay_min_lr", base_lr, high)
    tail = _tail(clock, down, high, low, faithful)
    curve = lasting(wave, start) >> tail if start > 0 else tail.shifted(start) if start else tail
    return _restated(*_at_end(clock, curve, faithful, base_lr), given)


@PEER.restates("WSDS")
def wsds(
    *,
    period_lengths: Sequence[int],
    period_lr_multipliers: Sequence[float] | None = None,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Several periods, each stable and then down to decay_min_lr; the first has the warmup. The run's total is not used.

    Fractions are of a period. The update at a period's end is at decay_min_lr, and the next one at the next period's peak.
    """
    given = _said(warmup=warmup, warmup_fraction=warmup_fraction, decay=decay, decay_fraction=decay_fraction)
    given |= _said(warmup_min_lr=warmup_min_lr, decay_min_lr=decay_min_lr)
    clock = _Clock.of(trainer, needed=False)
    lengths = [counted(one, "a period is a number of steps or tokens", least=1) for one in period_lengths]
    peaks = [positive_number(one, "period_lr_multipliers") for one in period_lr_multipliers or [1.0] * len(lengths)]
    if any(one < clock.per_step for one in lengths):
        raise PreheatError("a period is at least one update long", given=min(lengths))
    if not lengths or len(peaks) != len(lengths):
        raise PreheatError("period_lengths is not empty, and period_lr_multipliers, where given, has as many")
    warm = clock.length("warmup", given, lengths[0])
    curve = _risen(clock, warm, _floor(given, "warmup_min_lr", base_lr, peaks[0]), peaks[0])
    for i, (length, peak) in enumerate(zip(lengths, peaks, strict=True)):
        down = clock.length("decay", given, length)
        flat = length - down - (0 if i else warm)
        if flat < 0 or (not down and i + 1 < len(lengths)):
            raise PreheatError(f"period {i} of {length} must hold its warmup and a decay, and only the last needs none")
        low = _floor(given, "decay_min_lr", base_lr, peak)
        period = short_hold(peak, clock.ticks(flat)) >> short_ramp(peak, low, clock.ticks(down))
        if i and not sum(lengths[:i]) % clock.per_step:  # the update at the end belongs to the period before
            end = clock.ticks(sum(lengths[:i]))
            curve = lasting(curve, end) >> hold(curve(end), 1) >> period.shifted(-1)
        else:
            curve = curve >> period
    findings = ignored("max_steps", trainer.get("max_steps"), None, "the periods say how long it is")
    return _restated(curve, base_lr, findings, given)


@PEER.restates("ExponentialScheduler", "exponential")
def exponential_scheduler(
    *, lr_min: float = 1e-9, base_lr: float = 1.0, faithful: bool = False, **trainer: Any
) -> Restated:
    """From lr_min up to the rate in the whole run, geometrically: a range test."""
    clock, low = _Clock.of(trainer), positive_number(lr_min, "lr_min")
    told = rate_argument("lr_min", low if low != 1e-9 else 0, base_lr)
    rise = short_ramp(low / positive_number(base_lr, "base_lr"), 1.0, clock.ticks(clock.total), "exponential")
    return _restated(rise, base_lr, told, {})


@PEER.restates("ComposableScheduler", "composable")
def composable_scheduler(
    *,
    stages: Sequence[Mapping[str, Any]],
    override_decay: Mapping[str, Any] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """Stages one after another, each with duration, shape, start_lr(_fraction), end_lr(_fraction); the total is not used.

    override_decay: start, duration, shape, end_lr(_fraction): from there down, whatever the stages would do.
    """
    clock, at, curve = _Clock.of(trainer, needed=False), 1.0, None
    for stage in stages:
        start = _level(stage, "start_lr", base_lr, at)
        at = _level(stage, "end_lr", base_lr)
        part = short_ramp(start, at, clock.ticks(_duration(stage)), _shape(stage))
        curve = part if curve is None else curve >> part
    if curve is None:
        raise PreheatError("stages is empty")
    if override_decay is not None:
        curve = _overridden(clock, curve, override_decay, base_lr, 0)
    findings = ignored("max_steps", trainer.get("max_steps"), None, "the stages say how long it is")
    return _restated(curve, base_lr, findings, {})


@PEER.restates("SequentialScheduler", "sequential")
def sequential_scheduler(
    *,
    schedulers: Sequence[Mapping[str, Any]],
    schedulers_max: Sequence[int] | None = None,
    schedulers_max_steps: Sequence[int] | None = None,
    override_decay: Mapping[str, Any] | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
    **trainer: Any,
) -> Restated:
    """One scheduler after another, each from the rate at which the one before ends.

    schedulers: for each, its arguments and its name as "type".   schedulers_max: how long each lasts, the last excepted.
    """
    clock, limits = _Clock.of(trainer), list(schedulers_max or schedulers_max_steps or ())
    limits = limits[: len(schedulers) - 1]
    if len(limits) + 1 != len(schedulers):
        raise PreheatError("schedulers_max says how long each scheduler lasts, the last excepted", given=schedulers_max)
    base, parts, findings = positive_number(base_lr, "base_lr"), [], []
    unit, left = f"max_{trainer.get('units', 'steps')}", clock.total
    for given, limit in zip(schedulers, [*limits, None], strict=True):
        share = left if limit is None else counted(limit, "schedulers_max has numbers of steps or tokens", least=1)
        if limit is not None and (limit % clock.per_step or limit >= left):
            raise PreheatError("schedulers_max must fit into the run, in multiples of tokens_per_step", given=limit)
        own = {key: value for key, value in given.items() if key not in ("type", "units")} | trainer | {unit: share}
        part = PEER[str(given.get("type"))](**own, base_lr=base, faithful=faithful)
        curve = curve_of(part)
        findings += part.findings if limit is None else [one for one in part.findings if one.code != "after-the-end"]
        if limit is not None:
            updates = clock.ticks(limit)
            curve, base, left = lasting(curve, updates), curve(updates - 1), left - limit
        parts.append(curve)
    curve = sequence(parts)
    if override_decay is not None:
        curve = _overridden(clock, curve, _as_rates(override_decay, base_lr), 1.0, 1)
    return rates(curve, 1.0, findings) if base_lr != 1.0 else factors(curve, 1.0, findings)


def _as_rates(decay: Mapping[str, Any], base_lr: float) -> dict[str, Any]:
    """The same decay with its end as a rate."""
    return {**decay, "end_lr": _level(decay, "end_lr", base_lr) * base_lr, "end_lr_fraction": None}


def _duration(given: Mapping[str, Any]) -> int:
    return counted(given.get("duration"), "duration is a number of steps or tokens", least=1)


def _shape(given: Mapping[str, Any]) -> str:
    return one_of(given.get("shape", "linear"), "shape", SHAPES)


def _level(given: Mapping[str, Any], name: str, base_lr: float, otherwise: float | None = None) -> float:
    """A rate, or a fraction of the optimizer's, as a factor."""
    rate, fraction = given.get(name), given.get(f"{name}_fraction")
    if rate is None and fraction is None and otherwise is not None:
        return otherwise
    if (rate is None) == (fraction is None):
        raise PreheatError(f"one of {name} and {name}_fraction is needed, and not both", given=dict(given))
    value = finite_number(rate, name) / base_lr if rate is not None else finite_number(fraction, f"{name}_fraction")
    if value < 0:
        raise PreheatError(f"{name} must be at least 0", given=value)
    return value


def _overridden(clock: _Clock, curve: Schedule, decay: Mapping[str, Any], base_lr: float, early: int) -> Schedule:
    """The curve until the decay that overrides it; early: updates that the curve has been moved by."""
    at = clock.ticks(counted(decay.get("start"), "override_decay has a start")) - early
    if at < 0:
        raise PreheatError("override_decay starts after the first update", given=decay["start"])
    to = _level(decay, "end_lr", base_lr)
    return lasting(curve, at) >> short_ramp(curve(at), to, clock.ticks(_duration(decay)), _shape(decay))


def _fallen(clock: _Clock, given: Mapping[str, Any], base_lr: float, kind: str) -> Schedule:
    """Up, then to alpha_f at t_max: along a line, half a cosine, or the second half of one; in the trainer's own count."""
    t_max, alpha_f = given["t_max"], given["alpha_f"]
    total = clock.total if t_max is None else counted(t_max, "t_max is a number of steps or tokens", least=1)
    warm, low = clock.length("warmup", given, total), finite_number(alpha_f, "alpha_f")
    peak = (1 + low) / 2 if kind == "half" else 1.0
    left = clock.ticks(max(0, total - warm))
    rise = _risen(clock, warm, _floor(given, "warmup_min_lr", base_lr, peak) if warm else 0.0, peak)
    if not left:
        return rise >> hold(low)
    if kind == "half":
        return rise >> short_ramp(1.0, low, 2 * left, "cosine").shifted(-left)
    return rise >> short_ramp(1.0, low, left, kind)


def _tail(clock: _Clock, down: Number, high: float, low: float, faithful: bool) -> Schedule:
    """The line of a decay; where updates do not end with the run, or if faithful, one that goes on."""
    if not down:
        raise PreheatError(
            "OLMo-core divides by zero at the last update of a decay of 0", write="write decay=1 at least"
        )
    if faithful or clock.total % clock.per_step:
        return onwards(high, low, clock.ticks(down))
    return short_ramp(high, low, clock.ticks(down))


def _with_tail(
    clock: _Clock,
    rise: Schedule,
    middle: Callable[[Number], Schedule],
    lengths: tuple[Number, Number],
    ends: tuple[float, float, bool],
) -> Schedule:
    """Warmup, the middle in the updates between, decay. The update at the warmup's end is the warmup's, overlapped or not."""
    (warm, down), (high, low, faithful) = lengths, ends
    start, up = clock.ticks(clock.total - down), clock.ticks(warm)
    tail = _tail(clock, down, high, low, faithful)
    if up <= start:
        return rise >> middle(start - up) >> tail
    late = short_hold(1.0, start) >> tail if start > 0 else tail.shifted(start) if start else tail
    return switched(rise, math.floor(up) + 1, late)


def _at_end(clock: _Clock, curve: Schedule, faithful: bool, base_lr: float) -> tuple[Schedule, float, list[Finding]]:
    """The curve held at the last update of the run, as _restated takes it."""
    what, last = "the rate goes below decay_min_lr, and below 0", clock.updates
    findings = []
    if clock.total % clock.per_step:
        whole = f"tokens_per_step={clock.per_step} does not divide max_tokens={clock.total}"
        told = f"{whole}: the last update is past the end of the decay, at {curve(last):.3g} of the rate"
        findings = [Finding("after-the-end", f"update {last - 1}", told, "write a max_tokens that it divides")]
    if faithful:
        return curve, base_lr, findings
    kept, after = held(curve, last, False, what)
    return kept, base_lr, [*findings, *after]
