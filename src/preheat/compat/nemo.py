"""NeMo: the policies of `nemo.core.optim.lr_scheduler`, by their names in a config's `optim.sched`.

Most warm up by (t + 1)/(W + 1) up to update W, and fall to min_lr after max_steps. min_lr is a rate, beside base_lr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preheat.compat.parts.curves import short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, held, ignored, rate_argument, rates, resumed
from preheat.core.checks import counted, finite_number, positive_number
from preheat.core.constructors import hold, invsqrt, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("nemo", "3.0.0", "nemo/core/optim/lr_scheduler.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("WarmupPolicy")
def warmup_policy(
    *,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    max_steps: int | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/(W + 1) up to W, then 1, and min_lr after max_steps."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    if max_steps is None:
        return factors(policy.warmed(hold(), policy.warm), base_lr, policy.findings)
    return policy.ended(policy.warmed(hold(), policy.warm), faithful)


@PEER.restates("WarmupHoldPolicy")
def warmup_hold_policy(
    *,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    hold_steps: int | None = None,
    hold_ratio: float | None = None,
    max_steps: int | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/(W + 1) up to W, then 1, whatever is held, and min_lr after max_steps."""
    policy = _Policy((warmup_steps, warmup_ratio), _stated(max_steps), min_lr, base_lr, last_epoch)
    policy.hold(hold_steps, hold_ratio)
    return policy.ended(policy.warmed(hold(), policy.warm), faithful)


@PEER.restates("WarmupHoldAnnealOneMinusSquareRoot")
def warmup_hold_anneal_one_minus_square_root(
    *,
    max_steps: int,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    hold_steps: int | None = None,
    hold_ratio: float | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, held up to W + H, then 1 − √((t − W − H)/(T − W − H)), at least min_lr; from 0 where no hold is said."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.hold(hold_steps, hold_ratio)
    return policy.annealed(lambda n: _at_least(ramp(1.0, 0.0, n, "sqrt"), policy.floor), faithful)


@PEER.restates("WarmupHoldAnnealLinear")
def warmup_hold_anneal_linear(
    *,
    max_steps: int,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    hold_steps: int | None = None,
    hold_ratio: float | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, held up to W + H, then linearly to min_lr at T; counted from 0 where no hold is said."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.hold(hold_steps, hold_ratio)
    return policy.annealed(lambda n: ramp(1.0, policy.floor, n), faithful)


@PEER.restates("WarmupAnnealHoldPolicy")
def warmup_anneal_hold_policy(
    *,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    constant_steps: int | None = None,
    constant_ratio: float | None = None,
    max_steps: int | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then 1, and min_lr in the last constant_steps, after update T − C."""
    policy = _Policy((warmup_steps, warmup_ratio), _stated(max_steps), min_lr, base_lr, last_epoch)
    constant = policy.steps("constant", constant_steps, constant_ratio)
    curve = policy.warmed(hold(), policy.warm)
    if constant:
        last = max(policy.total - constant, policy.warm or -1)
        curve = curve.truncated(last + 1) >> hold(policy.floor) if last >= 0 else hold(policy.floor)
    return policy.ended(curve, faithful)


@PEER.restates("CosineAnnealing")
def cosine_annealing(
    *,
    max_steps: int,
    min_lr: float = 0,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    constant_steps: int | None = None,
    constant_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then a cosine to min_lr at T. With constant_steps: t/W, a cosine to min_lr at T − C, and min_lr from there."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    constant = policy.steps("constant", constant_steps, constant_ratio)
    if policy.floor > 1 or (constant and policy.floor == 1):
        raise PreheatError(f"min_lr must be below the optimizer's rate, base_lr={base_lr!r}", given=min_lr)
    if not constant:
        policy.begin = policy.warm
        return policy.annealed(lambda n: ramp(1.0, policy.floor, n, "cosine"), faithful)
    left = policy.total - constant - policy.warm
    if not left and not policy.warm:
        raise PreheatError("NeMo divides by zero where constant_steps take the whole run", given=constant_steps)
    main = ramp(1.0, policy.floor, left, "cosine") if left > 0 else hold(policy.floor)
    if not policy.warm:
        curve = main
    else:
        up = ramp(0.0, 1.0, policy.warm)
        curve = up >> main if left > 0 else up >> hold(1.0, 1) >> main
    return policy.ended(curve, faithful)


@PEER.restates("SquareAnnealing")
def square_annealing(
    *,
    max_steps: int,
    min_lr: float = 1e-5,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then ((T − t)/(T − W))², at least min_lr."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.begin = policy.warm
    return policy.annealed(lambda n: _at_least(ramp(1.0, 0.0, n, reverse("square")), policy.floor), faithful)


@PEER.restates("SquareRootAnnealing")
def square_root_annealing(
    *,
    max_steps: int,
    min_lr: float = 0,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then √((T − t)/T), at least min_lr: counted from 0, so it falls at once after the warmup."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    return policy.annealed(lambda n: _at_least(ramp(1.0, 0.0, n, reverse("sqrt")), policy.floor), faithful)


@PEER.restates("NoamAnnealing")
def noam_annealing(
    *,
    d_model: int,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    max_steps: int | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """d^−½·min(t^−½, t·W^−1.5), at least min_lr after the warmup; t = 0 is as t = 1. It does not end."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    if policy.floor > 1:
        raise PreheatError(f"min_lr must not be above the optimizer's rate, base_lr={base_lr!r}", given=min_lr)
    scale, warm = positive_number(d_model, "d_model") ** -0.5, max(1, policy.warm)
    peak = scale * warm**-0.5
    first = hold(scale * warm**-1.5, 1)
    up = first >> ramp(scale * warm**-1.5, peak, warm - 1) if warm > 1 else first
    fall = invsqrt(warm).scaled(peak)
    if not policy.floor:
        return factors(up >> fall, base_lr, policy.findings)
    if policy.warm:  # up to update W nothing is clipped
        up, fall = up >> hold(peak, 1), fall.shifted(-1)
        return factors(up >> _at_least(fall, policy.floor), base_lr, policy.findings)
    return factors(_at_least(up >> fall, policy.floor), base_lr, policy.findings)


@PEER.restates("NoamHoldAnnealing")
def noam_hold_annealing(
    *,
    max_steps: int,
    decay_rate: float = 0.5,
    min_lr: float = 0.0,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    hold_steps: int | None = None,
    hold_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, held for H, then (W/(t − H))^decay_rate, at least min_lr."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.hold(hold_steps, hold_ratio)
    if not policy.warm:
        raise PreheatError("noam_hold_annealing needs a warmup", write="write warmup_steps=…")
    rate = finite_number(decay_rate, "decay_rate")
    policy.begin = max(policy.begin, policy.warm)
    main = invsqrt(policy.warm, power=rate) if rate else hold()
    return policy.annealed(lambda n: _at_least(main, policy.floor), faithful)


@PEER.restates("WarmupAnnealing")
def warmup_annealing(
    *,
    max_steps: int,
    min_lr: float = 0.0,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then linearly to min_lr at T."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.begin = policy.warm
    return policy.annealed(lambda n: ramp(1.0, policy.floor, n), faithful)


@PEER.restates("InverseSquareRootAnnealing")
def inverse_square_root_annealing(
    *,
    max_steps: int,
    min_lr: float = 0.0,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then √((W + 1)/(t + 1)); min_lr is not its floor, only what follows max_steps."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.begin = policy.warm
    return policy.annealed(lambda n: invsqrt(policy.warm + 1), faithful)


@PEER.restates("SquareRootConstantPolicy")
def square_root_constant_policy(
    *,
    constant_steps: int | None = None,
    constant_ratio: float | None = None,
    max_steps: int | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The rate 1/√C up to update C, whatever the optimizer's is, then the optimizer's, and min_lr after max_steps."""
    base = positive_number(base_lr, "base_lr")
    constant = _constant(constant_steps, constant_ratio)
    curve = hold(constant**-0.5, constant + 1) >> hold(base)
    ended, findings = _ended(curve, _stated(max_steps), min_lr, constant + 1, faithful)
    return rates(ended, findings=[*resumed(last_epoch), *rate_argument("constant_steps", constant, base), *findings])


@PEER.restates("T5InverseSquareRootAnnealing")
def t5_inverse_square_root_annealing(
    *,
    max_steps: int,
    constant_steps: int | None = None,
    constant_ratio: float | None = None,
    min_lr: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The rate 1/√C up to update C, then 1/√t, whatever the optimizer's is, and min_lr after max_steps."""
    constant = _constant(constant_steps, constant_ratio)
    curve = hold(constant**-0.5, constant) >> invsqrt(constant).scaled(constant**-0.5)
    ended, findings = _ended(curve, max_steps, min_lr, constant + 1, faithful)
    why = "its rates are 1/√t, whatever the optimizer was built with"
    return rates(ended, findings=[*resumed(last_epoch), *ignored("base_lr", base_lr, 1.0, why), *findings])


@PEER.restates("PolynomialDecayAnnealing")
def polynomial_decay_annealing(
    *,
    max_steps: int,
    min_lr: float = 0.0,
    power: float = 1.0,
    cycle: bool = False,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, then min + (1 − min)·(1 − (t − W)/(T − W))ᵖᵒʷᵉʳ."""
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.begin = policy.warm
    policy.findings += ignored("cycle", cycle, False, "the first cycle is as long as the run")
    return policy.annealed(lambda n: ramp(1.0, policy.floor, n, reverse(power_shape(power))), faithful)


@PEER.restates("PolynomialHoldDecayAnnealing")
def polynomial_hold_decay_annealing(
    *,
    max_steps: int,
    min_lr: float = 0.0,
    power: float = 1.0,
    cycle: bool = False,
    warmup_steps: int | None = None,
    warmup_ratio: float | None = None,
    hold_steps: int | None = None,
    hold_ratio: float | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Warmed up, held up to W + H, then min + (1 − min)·(1 − (t − W − H)/(T − W − H))ᵖᵒʷᵉʳ.

    Where no hold is said it counts from 0 but lasts T − W; with cycle it then begins again, each cycle longer by that.
    """
    policy = _Policy((warmup_steps, warmup_ratio), max_steps, min_lr, base_lr, last_epoch)
    policy.hold(hold_steps, hold_ratio)
    shape = reverse(power_shape(power))
    cycles = policy.warm and not policy.begin
    if not (cycle and cycles):
        policy.findings += ignored("cycle", cycle, False, "the first cycle is as long as the run")
        short = policy.warm if cycles else 0
        return policy.annealed(lambda n: short_ramp(1.0, policy.floor, max(1, n - short), shape), faithful)

    def again(n: int) -> Schedule:
        """Cycle k ends with its last update, k·D, and takes t/(k·D) of its way."""
        each = max(1, n - policy.warm)
        curve: Schedule = ramp(1.0, policy.floor, each, shape).truncated(each + 1) >> hold(policy.floor, 1)
        for k in range(2, -(-n // each) + 1):
            curve = (
                curve >> ramp(1.0, policy.floor, k * each, shape).shifted(-(k - 1) * each - 1) >> hold(policy.floor, 1)
            )
        return curve

    return policy.annealed(again, faithful)


class _Policy:
    """What the policies share: the warmup's length, the floor as a share of the base, the end, the findings."""

    def __init__(
        self,
        warmup: tuple[int | None, float | None],
        max_steps: int | None,
        min_lr: float,
        base_lr: float,
        last_epoch: int,
    ) -> None:
        self.max_steps, self.base = max_steps, positive_number(base_lr, "base_lr")
        self.total = 0 if max_steps is None else counted(max_steps, "max_steps is a number of updates")
        self.warm = self.steps("warmup", *warmup)
        self.min_lr = finite_number(min_lr, "min_lr")
        self.floor = self.min_lr / self.base
        self.begin = 0  # of the decay
        self.findings: list[Finding] = [*resumed(last_epoch), *rate_argument("min_lr", self.min_lr, self.base)]

    def steps(self, name: str, steps: int | None, ratio: float | None) -> int:
        """A length that is given in updates or as a share of max_steps, rounded down."""
        if steps is not None and ratio is not None:
            raise PreheatError(f"{name}_steps and {name}_ratio exclude each other", given=(steps, ratio))
        if ratio is None:
            return counted(steps or 0, f"{name}_steps is a number of updates")
        if self.max_steps is None:
            raise PreheatError(f"{name}_ratio needs max_steps", given=ratio)
        return int(finite_number(ratio, f"{name}_ratio") * self.total)

    def hold(self, steps: int | None, ratio: float | None) -> None:
        """The decay begins after warmup and hold; at 0 where no hold is said."""
        length = self.steps("hold", steps, ratio)
        self.begin = 0 if steps is None and ratio is None else self.warm + length

    def warmed(self, main: Schedule, begin: int) -> Schedule:
        """The warmup, then a curve that counts from `begin`, where it is 1, or before the warmup's end."""
        if not self.warm:
            return (hold(1.0, begin) >> main) if begin else main
        up = ramp(1 / (self.warm + 1), 1.0, self.warm)
        if begin < self.warm:
            return up >> hold(1.0, 1) >> main.shifted(begin - self.warm - 1)
        return up >> hold(1.0, begin - self.warm) >> main if begin > self.warm else up >> main

    def annealed(self, decay: Callable[[int], Schedule], faithful: bool) -> Restated:
        """Warmed up, then a decay in the updates that are left, and the end."""
        left = self.total - self.begin
        if left <= 0 and not self.warm and not self.begin:
            raise PreheatError(
                "NeMo divides by zero in a run of no updates", given=self.max_steps, write="write max_steps=…"
            )
        return self.ended(self.warmed(decay(left) if left > 0 else hold(), self.begin), faithful)

    def ended(self, curve: Schedule, faithful: bool) -> Restated:
        """min_lr after max_steps, but for what comes before that: the warmup, and what is held."""
        after = max(self.total, self.warm or -1, self.begin - 1) + 1
        ended, findings = _ended(curve, self.total, self.floor, after, faithful)
        return factors(ended, self.base, [*self.findings, *findings])


def _ended(curve: Schedule, total: int, floor: float, after: int, faithful: bool) -> tuple[Schedule, list[Finding]]:
    """A curve up to the end; faithful: `floor` from update `after` on, or where that is later, from the one after the end."""
    after = max(after, total + 1)
    if curve.length < after and curve.table(after)[-1] == floor:
        return curve, []
    return held(curve.truncated(after) >> hold(floor) if faithful else curve, total, faithful, "it falls to min_lr")


def _at_least(curve: Schedule, floor: float) -> Schedule:
    return curve.clipped(low=floor) if floor > 0 else curve


def _stated(max_steps: int | None) -> int:
    if max_steps is None:
        raise PreheatError("NeMo fails here without max_steps", write="write max_steps=…")
    return max_steps


def _constant(steps: int | None, ratio: float | None) -> int:
    if ratio is not None or steps is None:
        raise PreheatError("NeMo fails here without constant_steps", given=ratio, write="write constant_steps=…")
    return counted(steps, "constant_steps is a number of updates", least=1)
