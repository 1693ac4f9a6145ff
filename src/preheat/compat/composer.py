"""Composer: the schedulers of `composer.optim.scheduler`, and llm-foundry's own; times as there: "10ba", "2ep", "0.5dur".

Each takes what the Trainer knows too: max_duration, dataloader_len (batches in an epoch), scale_schedule_ratio, and for times
in samples or tokens batch_size (samples in a batch) and tokens_per_batch. Times are rounded down to whole units, as there.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, NamedTuple

from preheat.compat.parts.curves import short_hold, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, held
from preheat.core.checks import Number, finite_number, int_if_whole, positive_number
from preheat.core.constructors import hold, steps
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import InvSqrt
from preheat.core.shapes import Shape, reverse
from preheat.core.shapes import power as power_shape

TRAINER = ("max_duration", "dataloader_len", "scale_schedule_ratio", "batch_size", "tokens_per_batch")
"""What the Trainer knows, which every scheduler is given."""
PEER = Peer("composer", "0.32.1", "composer/optim/scheduler.py", beside=TRAINER)
_TIME = re.compile(r"(.+)(iter|ep|ba|sp|tok|dur|sec)", re.IGNORECASE)
MOST_RESTARTS = 200  # that are written out one by one
LITTLE = 100  # updates after the end that are said of what grows without bound


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("ConstantScheduler")
def constant_scheduler(
    *, alpha: float = 1.0, t_max: str = "1dur", base_lr: float = 1.0, faithful: bool = False, **training: Any
) -> Restated:
    """alpha up to t_max, and 1 after it."""
    trainer = _Trainer(training)
    end, level = trainer.updates(t_max, trainer.ratio), finite_number(alpha, "alpha")
    curve: Schedule = short_hold(level, end) >> hold()
    findings = []
    if math.ceil(end) >= trainer.total and level != 1:
        curve, findings = held(curve, max(0, trainer.total - 1), faithful, f"it jumps from {level:g} to 1")
    return factors(curve, base_lr, findings)


@PEER.restates("StepScheduler")
def step_scheduler(
    *, step_size: str, gamma: float = 0.1, base_lr: float = 1.0, faithful: bool = False, **training: Any
) -> Restated:
    """gamma^⌊t/step_size⌋, without end."""
    trainer = _Trainer(training)
    size = trainer.positive(step_size, "step_size")
    stairs, findings = trainer.again(short_hold(1.0, size), finite_number(gamma, "gamma"), faithful)
    if not isinstance(size, int):  # half of the least distance early, so that nothing hangs on rounding
        stairs = stairs.shifted(-0.5 / trainer.worth(trainer.converted(step_size).unit))
    return factors(stairs, base_lr, findings)


@PEER.restates("MultiStepScheduler")
def multi_step_scheduler(
    *, milestones: list[str], gamma: float = 0.1, base_lr: float = 1.0, faithful: bool = False, **training: Any
) -> Restated:
    """gamma^(how many of the milestones have been reached)."""
    return factors(_multi_step(_Trainer(training), milestones, gamma), base_lr)


@PEER.restates("MultiStepWithWarmupScheduler")
def multi_step_with_warmup_scheduler(
    *,
    t_warmup: str,
    milestones: list[str],
    gamma: float = 0.1,
    scale_warmup: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """t/W below W, then gamma^(how many of the milestones have been reached), counted from 0."""
    trainer = _Trainer(training)
    first = math.ceil(trainer.updates(t_warmup))
    main = _multi_step(trainer, milestones, gamma)
    if not first:
        return factors(main, base_lr)
    return factors(trainer.warmup(t_warmup, 1.0, scale_warmup).truncated(first) >> main.shifted(-first), base_lr)


@PEER.restates("LinearScheduler")
def linear_scheduler(
    *,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """From alpha_i to alpha_f at t_max."""
    return factors(short_ramp(alpha_i, alpha_f, _Trainer(training).positive(t_max, "t_max")), base_lr)


@PEER.restates("LinearWithWarmupScheduler", "linear_decay_with_warmup")
def linear_with_warmup_scheduler(
    *,
    t_warmup: str,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """alpha_i·t/W below W, then from alpha_i to alpha_f at t_max."""
    return factors(_Trainer(training).warmed(t_warmup, t_max, (alpha_i, alpha_f), scale_warmup), base_lr)


@PEER.restates("ConstantWithWarmupScheduler", "constant_with_warmup")
def constant_with_warmup_scheduler(
    *,
    t_warmup: str,
    alpha: float = 1.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """alpha·t/W below W, then alpha, after t_max too."""
    return factors(_Trainer(training).warmed(t_warmup, t_max, (alpha, alpha), scale_warmup), base_lr)


@PEER.restates("ExponentialScheduler")
def exponential_scheduler(
    *, gamma: float, decay_period: str = "1ep", base_lr: float = 1.0, faithful: bool = False, **training: Any
) -> Restated:
    """gamma^(t/decay_period), without end."""
    trainer, rate = _Trainer(training), positive_number(gamma, "gamma")
    period = trainer.positive(decay_period, "decay_period")
    curve, findings = trainer.again(short_ramp(1.0, rate, period, "exponential"), rate, faithful)
    return factors(curve, base_lr, findings)


@PEER.restates("CosineAnnealingScheduler")
def cosine_annealing_scheduler(
    *, t_max: str = "1dur", alpha_f: float = 0.0, base_lr: float = 1.0, faithful: bool = False, **training: Any
) -> Restated:
    """A cosine from 1 to alpha_f at t_max."""
    return factors(short_ramp(1.0, alpha_f, _Trainer(training).positive(t_max, "t_max"), "cosine"), base_lr)


@PEER.restates("CosineAnnealingWithWarmupScheduler", "cosine_with_warmup")
def cosine_annealing_with_warmup_scheduler(
    *,
    t_warmup: str,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    scale_warmup: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """t/W below W, then a cosine from 1 to alpha_f at t_max."""
    return factors(_Trainer(training).warmed(t_warmup, t_max, (1.0, alpha_f), scale_warmup, "cosine"), base_lr)


@PEER.restates("CosineAnnealingWarmRestartsScheduler")
def cosine_annealing_warm_restarts_scheduler(
    *,
    t_0: str,
    t_mult: float = 1.0,
    alpha_f: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """A cosine from 1 to alpha_f in t_0, and again, each time in ⌊t_mult·(the last)⌋."""
    trainer, times = _Trainer(training), positive_number(t_mult, "t_mult")
    size = trainer.positive(t_0, "t_0")
    wave = short_ramp(1.0, alpha_f, size, "cosine")
    if times == 1 or (times.is_integer() and isinstance(size, int)):
        return factors(wave.repeated(stretch=times), base_lr)
    time = trainer.converted(t_0, trainer.ratio)
    worth, length, end, curve = trainer.worth(time.unit), time.value, time.value, wave
    for _ in range(MOST_RESTARTS):
        if end >= (trainer.total + 1) * worth:
            break
        length = int(times * length)
        if not length:
            raise PreheatError(
                "Composer fails where a cycle is shorter than one unit: t_mult makes them ever shorter", given=t_mult
            )
        end += length
        curve = curve >> short_ramp(1.0, alpha_f, int_if_whole(Fraction(length) / worth), "cosine")
    else:
        raise PreheatError(
            f"more than {MOST_RESTARTS} cycles of lengths that are rounded", given=t_mult, write="write t_mult=2"
        )
    cut, findings = held(curve, trainer.total, faithful, "it begins another cycle")
    return factors(cut, base_lr, findings)


@PEER.restates("PolynomialScheduler")
def polynomial_scheduler(
    *,
    power: float,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """alpha_f + (1 − alpha_f)·(1 − t/t_max)ᵖᵒʷᵉʳ."""
    span = _Trainer(training).positive(t_max, "t_max")
    return factors(short_ramp(1.0, alpha_f, span, reverse(power_shape(power))), base_lr)


@PEER.restates("PolynomialWithWarmupScheduler")
def polynomial_with_warmup_scheduler(
    *,
    t_warmup: str,
    power: float = 2.0,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    scale_warmup: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """t/W below W, then alpha_f + (1 − alpha_f)·(1 − (t − W)/(t_max − W))ᵖᵒʷᵉʳ."""
    shape = reverse(power_shape(power))
    return factors(_Trainer(training).warmed(t_warmup, t_max, (1.0, alpha_f), scale_warmup, shape), base_lr)


@PEER.restates("InverseSquareRootWithWarmupScheduler", "inv_sqrt_with_warmup")
def inverse_square_root_with_warmup_scheduler(
    *,
    t_warmup: str,
    t_scale: str,
    t_cooldown: str,
    t_max: str = "1dur",
    alpha_f_decay: float = 0.0,
    alpha_f_cooldown: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
    **training: Any,
) -> Restated:
    """llm-foundry's: t/W, then f + (1 − f)·√(S/(S + t − W)), and linearly to alpha_f_cooldown in the last t_cooldown."""
    trainer = _Trainer(training)
    far, floor = finite_number(alpha_f_decay, "alpha_f_decay"), finite_number(alpha_f_cooldown, "alpha_f_cooldown")
    if far < floor:
        raise PreheatError(f"alpha_f_decay must be at least alpha_f_cooldown ({floor:g})", given=far)
    for time, name in ((t_warmup, "t_warmup"), (t_scale, "t_scale"), (t_cooldown, "t_cooldown")):
        if _parsed(time).unit != trainer.duration.unit:
            raise PreheatError(f"{name} must be in the unit of max_duration, {trainer.duration.unit}", given=time)
    warm, scale = trainer.updates(t_warmup), trainer.positive(t_scale, "t_scale")
    cool, end = trainer.updates(t_cooldown, trainer.ratio), trainer.updates(t_max, trainer.ratio)
    span = max(0, end - cool - warm)
    fall: Schedule = InvSqrt(scale, span).scaled(1 - far)
    fall = fall + short_hold(far, span) if far else fall
    reached = far + (1 - far) * (scale / (scale + span)) ** 0.5
    last = short_ramp(reached, floor, cool) if cool else hold(reached)
    curve = fall >> last if span else last
    return factors(trainer.warmup(t_warmup, 1.0, False) >> curve if warm else curve, base_lr)


def updates(**training: Any) -> int:
    """How many updates, which are batches, max_duration has. Raises PreheatError where that cannot be known."""
    return _Trainer(training).total


class _Time(NamedTuple):
    value: float
    unit: str


class _Trainer:
    """What the Trainer knows: how long it trains, and what a unit is worth."""

    def __init__(self, training: dict[str, Any]) -> None:
        if strange := [name for name in training if name not in TRAINER]:
            raise PreheatError(f"compat.composer has no argument {shown(strange[0])}{nearest(strange[0], TRAINER)}")
        if training.get("max_duration") is None:
            raise PreheatError(
                "Composer's schedulers need max_duration, the Trainer's", write='write max_duration="10ep"'
            )
        self.ratio = positive_number(training.get("scale_schedule_ratio", 1.0), "scale_schedule_ratio")
        self._training = training
        time = _parsed(training["max_duration"])
        self.duration = _Time(int(time.value * self.ratio), time.unit)
        if time.unit == "dur" or self.duration.value < 1:
            raise PreheatError(
                "max_duration must last", given=training["max_duration"], write='write max_duration="10ep"'
            )
        whole = self.duration.value * (self._len if time.unit == "ep" else 1)
        self.end = Fraction(whole) / self.worth("ba" if time.unit == "ep" else time.unit)
        self.total = math.ceil(self.end)

    @property
    def _len(self) -> int:
        return self._known("dataloader_len", "an epoch")

    def _known(self, name: str, unit: str) -> int:
        if self._training.get(name) is None:
            raise PreheatError(f"to know what {unit} is, Composer's schedulers need {name}", write=f"write {name}=…")
        return int(positive_number(self._training[name], name))

    def worth(self, unit: str) -> int:
        """What a batch is in a unit."""
        if unit == "ba":
            return 1
        return self._known(*{"sp": ("batch_size", "a sample"), "tok": ("tokens_per_batch", "a token")}[unit])

    def converted(self, text: str, ratio: float = 1.0) -> _Time:
        """A time as Composer converts it: epochs to batches, shares to the unit of max_duration; rounded down."""
        time = _parsed(text)
        if time.unit == "dur":
            if self.duration.unit == "ep":
                return _Time(int(time.value * self._len * self.duration.value), "ba")
            return _Time(int(time.value * self.duration.value), self.duration.unit)
        if time.unit == "ep":
            time = _Time(time.value * self._len, "ba")
        return _Time(int(time.value * ratio), time.unit)

    def updates(self, text: str, ratio: float = 1.0) -> Number:
        """A time in updates, which are batches."""
        time = self.converted(text, ratio)
        return int_if_whole(Fraction(time.value) / self.worth(time.unit))

    def positive(self, text: str, name: str) -> Number:
        """The same, stretched by scale_schedule_ratio, of at least one unit: Composer divides by it."""
        length = self.updates(text, self.ratio)
        if length <= 0:
            raise PreheatError(f"{name} must be at least one unit once it is rounded down", given=text)
        return length

    def warmup(self, t_warmup: str, top: float, scale_warmup: bool) -> Schedule:
        """From 0 to `top`; of a warmup that is stretched the length stays, and it is cut, or keeps its end."""
        length = self.updates(t_warmup)
        span = self.updates(t_warmup, self.ratio) if scale_warmup else length
        if length and not span:
            raise PreheatError(
                "Composer divides by zero: scale_schedule_ratio leaves nothing of t_warmup", given=t_warmup
            )
        if span < length:
            return short_ramp(0.0, top, span) >> short_hold(top, length - span)
        return short_ramp(0.0, top, span).truncated(length) if span > length else short_ramp(0.0, top, span)

    def warmed(
        self, t_warmup: str, t_max: str, ends: tuple[float, float], scale_warmup: bool, shape: Shape | str = "linear"
    ) -> Schedule:
        """The warmup up to the first of two ends, then from the first to the second at t_max."""
        units = self.converted(t_warmup).unit, self.converted(t_max, self.ratio).unit
        if units[0] != units[1]:
            raise PreheatError(f"t_warmup and t_max must be in one unit, not {units[0]} and {units[1]}", given=t_warmup)
        end, warm = self.updates(t_max, self.ratio), self.updates(t_warmup)
        if end < float(self.end) and self._comparable(units[1]):
            what = f"t_max, {t_max}, ends before max_duration, {self._training['max_duration']}: Composer raises ValueError"
            raise PreheatError(what, write='write a t_max of at least max_duration, such as "1dur"')
        first, last = finite_number(ends[0], "alpha"), finite_number(ends[1], "alpha_f")
        main = short_ramp(first, last, end - warm, shape) if end > warm and first != last else hold(first)
        if not warm:
            return main
        up = self.warmup(t_warmup, first, scale_warmup)
        begin = math.ceil(warm)  # the first update that is not of the warmup
        if begin == warm or not scale_warmup:
            return up >> main
        return up >> short_hold(first, begin - warm) >> main.shifted(warm - begin)

    def again(self, curve: Schedule, factor: float, faithful: bool) -> tuple[Schedule, list[Finding]]:
        """Repeated without end, each time a factor of the last; of what grows, what the run needs and a little more."""
        if factor <= 1:
            return curve.repeated(shrink=factor), []
        times = math.ceil((self.total + LITTLE) / curve.length)
        return held(curve.repeated(times, shrink=factor), self.total, faithful, "it grows without bound")

    def _comparable(self, unit: str) -> bool:
        return unit == self.duration.unit or (unit, self.duration.unit) == ("ba", "ep")


def _parsed(text: Any) -> _Time:
    """A time string, by Composer's rules: whole numbers, but shares of the whole."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        value = math.nan
    unit = match[2].lower() if match else ""
    if not math.isfinite(value) or unit in ("sec", "iter"):
        raise PreheatError("a time is a number and ba, ep, sp, tok or dur", given=text, write='write "100ba"')
    if unit != "dur" and not value.is_integer():
        raise PreheatError(f"a time in {unit} must be whole", given=text)
    return _Time(value if unit == "dur" else int(value), unit)


def _multi_step(trainer: _Trainer, milestones: list[str], gamma: float) -> Schedule:
    reached = sorted(math.ceil(trainer.updates(one, trainer.ratio)) for one in milestones)
    if not reached:
        return hold()
    rate = finite_number(gamma, "gamma")
    values = [rate**k for k in range(len(reached) + 1)]
    spans = [b - a for a, b in zip([0, *reached], reached, strict=False)]
    return steps(values, [*spans, "rest"])
