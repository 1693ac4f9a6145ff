"""Paddle: paddle.optimizer.lr, whose schedulers hold the rate itself: learning_rate= is the peak."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from preheat.compat.parts.curves import cosine_wave, exponential, lasting, one_cycle, short_ramp, stairs, triangles
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, curve_of, held, ignored, rates, resumed
from preheat.core.checks import counted, finite_number, one_of, positive_number
from preheat.core.constructors import hold, invsqrt, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("paddle", "3.3.1", "paddle/optimizer/lr.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("NoamDecay")
def noam_decay(
    *,
    d_model: int,
    warmup_steps: int,
    learning_rate: float = 1.0,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate · d_model^−½ · min(t^−½, t·W^−1.5), 0 at update 0."""
    warm = counted(warmup_steps, "warmup_steps is a number of updates, by which Paddle divides", least=1)
    peak = _rate(learning_rate) / math.sqrt(positive_number(d_model, "d_model")) / math.sqrt(warm)
    return rates(ramp(0.0, peak, warm) >> invsqrt(warm).scaled(peak), base_lr, resumed(last_epoch))


@PEER.restates("PiecewiseDecay")
def piecewise_decay(
    *,
    boundaries: Sequence[int],
    values: Sequence[float],
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """values[i] before boundaries[i], the last value after them all."""
    if not len(boundaries) or len(values) <= len(boundaries):
        raise PreheatError(f"{len(boundaries)} boundaries need one value more, and one boundary at least", given=values)
    edges = [finite_number(edge, "a boundary") for edge in boundaries]
    used = [finite_number(value, "a value") for value in (*values[: len(edges)], values[-1])]
    between = list(values[len(edges) : -1])
    findings = ignored("values", between, [], "Paddle takes the last value after the last boundary")
    curve = stairs(used, [max(0, math.ceil(edge)) for edge in edges])
    return rates(curve, base_lr, [*resumed(last_epoch), *findings])


@PEER.restates("NaturalExpDecay")
def natural_exp_decay(
    *,
    learning_rate: float,
    gamma: float,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate · e^(−gamma·t)."""
    fall = math.exp(-positive_number(gamma, "gamma"))
    curve = exponential(_rate(learning_rate), fall, 1)
    return rates(curve, base_lr, resumed(last_epoch))


@PEER.restates("ExponentialDecay")
def exponential_decay(
    *,
    learning_rate: float,
    gamma: float,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate · gammaᵗ, gamma between 0 and 1."""
    if not 0 < finite_number(gamma, "gamma") < 1:
        raise PreheatError("gamma lies between 0 and 1 in Paddle", given=gamma)
    curve = exponential(_rate(learning_rate), gamma, 1)
    return rates(curve, base_lr, resumed(last_epoch))


@PEER.restates("InverseTimeDecay")
def inverse_time_decay(
    *,
    learning_rate: float,
    gamma: float,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate/(1 + gamma·t)."""
    rate, slope = _rate(learning_rate), finite_number(gamma, "gamma")
    if slope < 0:
        raise PreheatError("a gamma below 0 leads through infinity", given=gamma, write="write a gamma above 0")
    curve = invsqrt(1 / slope, power=1).scaled(rate) if slope else hold(rate)
    return rates(curve, base_lr, resumed(last_epoch))


@PEER.restates("PolynomialDecay")
def polynomial_decay(
    *,
    learning_rate: float,
    decay_steps: int,
    end_lr: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """end_lr + (learning_rate − end_lr)·(1 − t/D)ᵖᵒʷᵉʳ up to D = decay_steps.

    cycle: D becomes the next multiple of decay_steps instead, so that the k-th cycle begins at about 1/k of the height.
    """
    rate, end, exponent = _rate(learning_rate), finite_number(end_lr, "end_lr"), positive_number(power, "power")
    steps = counted(decay_steps, "decay_steps is a number of updates", least=1)
    shape = reverse(power_shape(exponent))
    findings = resumed(last_epoch)
    if not cycle:
        return rates(ramp(rate, end, steps, shape), base_lr, findings)
    falls = lasting(short_ramp(1.0, 0.0, steps, shape).shifted(-1), steps).repeated()  # update k·D ends a cycle
    lower = invsqrt(steps, power=exponent).stepwise(steps)  # (1/k)ᵖᵒʷᵉʳ
    cycles = (hold(1.0, 1) >> falls) * (hold(1.0, 1) >> lower)
    return rates(cycles.scaled(rate - end) + hold(end), base_lr, findings)


@PEER.restates("LinearWarmup")
def linear_warmup(
    *,
    learning_rate: Any,
    warmup_steps: int,
    start_lr: float,
    end_lr: float,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """start_lr + (end_lr − start_lr)·t/W up to W, then learning_rate: a number, or a scheduler, which begins at W.

    learning_rate: as a restatement of this module, a schedule, or a mapping with its class under "type".
    """
    start, end = finite_number(start_lr, "start_lr"), finite_number(end_lr, "end_lr")
    if end <= start:
        raise PreheatError(f"end_lr={end_lr!r} must be above start_lr={start_lr!r}")
    warm = counted(warmup_steps, "warmup_steps is a number of updates, by which Paddle divides", least=1)
    findings = resumed(last_epoch)
    if isinstance(learning_rate, Mapping):
        given = dict(learning_rate)
        findings = [*findings, *_misread(given)]
        learning_rate = PEER[given.pop("type", "")](**given, faithful=faithful)
    if isinstance(learning_rate, Restated):
        findings = [*findings, *learning_rate.findings]
    is_number = isinstance(learning_rate, int | float)
    main = hold(finite_number(learning_rate, "learning_rate")) if is_number else curve_of(learning_rate)
    return rates(ramp(start, end, warm) >> main, base_lr, findings)


@PEER.restates("MultiStepDecay")
def multi_step_decay(
    *,
    learning_rate: float,
    milestones: Sequence[int],
    gamma: float = 0.1,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate times gamma for each milestone that has passed."""
    edges = [counted(edge, "a milestone is a number of updates") for edge in milestones]
    if any(b <= a for a, b in itertools.pairwise(edges)):
        raise PreheatError("milestones must rise", given=list(milestones))
    ratio, rate = _ratio(gamma), _rate(learning_rate)
    curve = stairs([rate * ratio**i for i in range(len(edges) + 1)], edges)
    return rates(curve, base_lr, resumed(last_epoch))


@PEER.restates("StepDecay")
def step_decay(
    *,
    learning_rate: float,
    step_size: int,
    gamma: float = 0.1,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate times gamma every step_size updates."""
    size, ratio = counted(step_size, "step_size is a number of updates", least=1), _ratio(gamma)
    rate = _rate(learning_rate)
    curve = hold(rate, size).repeated(shrink=ratio) if ratio else stairs([rate, 0.0], [size])
    return rates(curve, base_lr, resumed(last_epoch))


@PEER.restates("LambdaDecay")
def lambda_decay(*, learning_rate: float, lr_lambda: Any, last_epoch: int = -1, **more: Any) -> Restated:
    """A function of the user's, which no schedule can be made of."""
    raise _function("LambdaDecay")


@PEER.restates("MultiplicativeDecay")
def multiplicative_decay(*, learning_rate: float, lr_lambda: Any, last_epoch: int = -1, **more: Any) -> Restated:
    """A function of the user's, which no schedule can be made of."""
    raise _function("MultiplicativeDecay")


@PEER.restates("ReduceOnPlateau")
def reduce_on_plateau(
    *,
    learning_rate: float,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: float = 0.0,
    epsilon: float = 1e-8,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The learning rate as it is, and what a metric makes of it."""
    what = "the rate falls when a metric stops improving"
    finding = Finding("metric-driven", "metrics", what, "use the rule Plateau")
    return rates(hold(_rate(learning_rate)), base_lr, [finding])


@PEER.restates("CosineAnnealingDecay")
def cosine_annealing_decay(
    *,
    learning_rate: float,
    T_max: int,  # noqa: N803  its own name
    eta_min: float = 0.0,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """eta_min + (learning_rate − eta_min)·(1 + cos(πt/T_max))/2, which climbs again after T_max."""
    half = counted(T_max, "T_max is a number of updates", least=1)
    waves = cosine_wave(half, finite_number(eta_min, "eta_min"), None if faithful else half, _rate(learning_rate))
    curve, after = held(waves, half, faithful, "it climbs back to the full rate")
    return rates(curve, base_lr, [*resumed(last_epoch), *after])


@PEER.restates("CosineAnnealingWarmRestarts")
def cosine_annealing_warm_restarts(
    *,
    learning_rate: float,
    T_0: int,  # noqa: N803  its own name
    T_mult: int = 1,  # noqa: N803  its own name
    eta_min: float = 0.0,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Half a cosine in T_0 updates, again and again, each T_mult times as long as the one before."""
    first = counted(T_0, "T_0 is a number of updates", least=1)
    longer = counted(T_mult, "T_mult is a whole number of at least 1", least=1)
    cycle = short_ramp(_rate(learning_rate), finite_number(eta_min, "eta_min"), first, "cosine")
    return rates(cycle.repeated(stretch=float(longer)), base_lr, resumed(last_epoch))


@PEER.restates("OneCycleLR")
def one_cycle_lr(
    *,
    max_learning_rate: float,
    total_steps: int,
    divide_factor: float = 25.0,
    end_learning_rate: float = 0.0001,
    phase_pct: float = 0.3,
    anneal_strategy: str = "cos",
    three_phase: bool = False,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """max/divide_factor up to max, down to end_learning_rate at total_steps − 1; a step beyond goes up, the next fails."""
    total = counted(total_steps, "total_steps is a number of updates", least=1)
    share, peak = finite_number(phase_pct, "phase_pct"), _rate(max_learning_rate)
    if not 0 <= share <= 1 or (three_phase and share >= 0.5):
        raise PreheatError("phase_pct lies between 0 and 1, below 0.5 with three phases", given=phase_pct)
    shape = {"cos": "cosine", "linear": "linear"}[one_of(anneal_strategy, "anneal_strategy", ("cos", "linear"))]
    ends = peak / finite_number(divide_factor, "divide_factor"), peak, _rate(end_learning_rate)
    curve = one_cycle(ends, total, share, shape, phases=3 if three_phase else 2, beyond=faithful)
    what = "one step goes beyond the end, and the next raises ValueError; here the last value is kept"
    if faithful:
        what = "it raises ValueError from there on; here the last value is kept"
    after = Finding("raises-after-the-end", f"update {total + 1 if faithful else total}", what)
    return rates(curve, base_lr, [*resumed(last_epoch), after])


@PEER.restates("CyclicLR")
def cyclic_lr(
    *,
    base_learning_rate: float,
    max_learning_rate: float,
    step_size_up: int,
    step_size_down: int | None = None,
    mode: str = "triangular",
    exp_gamma: float = 1.0,
    scale_fn: Any = None,
    scale_mode: str = "cycle",
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Triangles between two rates, as high, half as high each, or their height times exp_gammaᵗ."""
    if scale_fn is not None:
        raise _function("CyclicLR's scale_fn")
    kind = one_of(mode, "mode", ("triangular", "triangular2", "exp_range"))
    up = counted(step_size_up, "step_size_up is a number of updates", least=1)
    down = up if step_size_down is None else counted(step_size_down, "step_size_down is a number of updates", least=1)
    low, high, gamma = _rate(base_learning_rate), _rate(max_learning_rate), positive_number(exp_gamma, "exp_gamma")
    findings = ignored("scale_mode", scale_mode, "cycle", "it belongs to a scale_fn, and the mode has its own")
    findings += [] if kind == "exp_range" else ignored("exp_gamma", exp_gamma, 1.0, f"mode {kind!r} has none")
    return rates(
        triangles(low, high, (up, down), kind, exponential(1.0, gamma, 1)), base_lr, [*resumed(last_epoch), *findings]
    )


@PEER.restates("LinearLR")
def linear_lr(
    *,
    learning_rate: float,
    total_steps: int,
    start_factor: float = 1.0 / 3,
    end_factor: float = 1.0,
    last_epoch: int = -1,
    verbose: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """learning_rate times start_factor to end_factor in total_steps."""
    rate, total = _rate(learning_rate), counted(total_steps, "total_steps is a number of updates", least=1)
    start, end = finite_number(start_factor, "start_factor"), finite_number(end_factor, "end_factor")
    if not 0 < start <= 1 or not 0 <= end <= 1:
        raise PreheatError(
            "start_factor lies above 0 and up to 1, end_factor from 0 to 1", given=(start_factor, end_factor)
        )
    return rates(short_ramp(rate * start, rate * end, total), base_lr, resumed(last_epoch))


def _misread(inner: Mapping[str, Any]) -> list[Finding]:
    """Restarts inside a warmup: which cycle it is they ask a logarithm, which is rounded down."""
    longer, first = inner.get("T_mult", 1), inner.get("T_0", 1)
    if longer == 1 or inner.get("type") != "CosineAnnealingWarmRestarts":
        return []
    for n in range(1, 31):
        restart = first * (longer**n - 1) // (longer - 1)
        if int(math.log(restart / first * (longer - 1) + 1, longer)) < n:
            what = f"inside LinearWarmup restart {n}, {restart} updates after the warmup, comes one update late: 1 of the peak"
            return [Finding("not-equal", "T_mult", what)]
    return []


def _rate(value: float) -> float:
    rate = finite_number(value, "a learning rate")
    if rate < 0:
        raise PreheatError("a learning rate is at least 0", given=value)
    return rate


def _ratio(gamma: float) -> float:
    ratio = finite_number(gamma, "gamma")
    if not 0 <= ratio < 1:
        raise PreheatError("gamma lies from 0 to below 1", given=gamma)
    return ratio


def _function(name: str) -> PreheatError:
    what = f"{name} is a function of your own, and no schedule can be read off it"
    return PreheatError(what, write="write what it computes as a schedule")
