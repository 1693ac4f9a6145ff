"""torch.optim.lr_scheduler: every scheduler by its own name. What stepping gives counts, not the closed forms beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any

from preheat.compat.parts.curves import cosine_wave, falling_power, powers, short_ramp, triangles
from preheat.compat.parts.members import chain_of, of_call, refuse_lists, sequence_of
from preheat.compat.parts.peer import Function, Peer
from preheat.compat.parts.restated import Restated, cut, factors, held, ignored, rate_argument, rates, resumed
from preheat.core.checks import (
    Number,
    counted,
    finite_number,
    int_if_whole,
    one_of,
    positive_number,
    ticks,
)
from preheat.core.constructors import hold, ramp, steps, table
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import listed
from preheat.core.stated import Absolute

PEER = Peer("torch", "2.13.0", "torch/optim/lr_scheduler.py")
_SHAPES = {"cos": "cosine", "linear": "linear"}


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


def _restates(*own: str) -> Callable[[Function], Function]:
    """Register a function whose restatements remember the call that made them, for schedulers that hold others."""

    def register(function: Function) -> Function:
        @wraps(function)
        def call(**arguments: Any) -> Restated:
            refuse_lists(arguments)
            return of_call(function.__name__, arguments, function(**arguments))

        return PEER.restates(*own)(call)  # type: ignore[return-value, type-var]

    return register


@_restates("LinearLR")
def linear_lr(
    *,
    start_factor: float = 1.0 / 3,
    end_factor: float = 1.0,
    total_iters: Number = 5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """s + (e − s)·t/T up to T, then e; with T = 0 it stays at s, and a fractional T is never reached."""
    start = _share(start_factor, "start_factor", "a warmup cannot begin at 0: write preheat's warmup(…)", above=0.0)
    end = _share(end_factor, "end_factor", "write preheat's ramp(…)")
    total = ticks(total_iters, "total_iters")
    findings = [*resumed(last_epoch), *_stuck("total_iters", total, f"the rate stays at {start:g} of its own")]
    curve = _counted_down(ramp(start, end, total), total) if total >= 1 else hold(start)
    return factors(curve, base_lr, findings)


@_restates("ConstantLR")
def constant_lr(
    *,
    factor: float = 1.0 / 3,
    total_iters: Number = 5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The factor up to T, then 1; with T = 0, or a fraction, the factor for good."""
    share, total = _share(factor, "factor", "write preheat's steps(…)"), ticks(total_iters, "total_iters")
    ends = total >= 1 and isinstance(total, int)
    if ends and not share:
        raise PreheatError(
            f"torch divides by zero at update {total} with factor=0", write="write steps([0, 1], [n, 'rest'])"
        )
    findings = [*resumed(last_epoch), *_stuck("total_iters", total, f"the rate stays at {share:g} of its own")]
    return factors(hold(share, total) >> hold() if ends else hold(share), base_lr, findings)


@_restates("ExponentialLR")
def exponential_lr(*, gamma: float, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """γᵗ; above 1 it grows for ever, and nothing stops it."""
    return factors(powers(_gamma(gamma)), base_lr, [*resumed(last_epoch), *_growing(gamma)])


@_restates("PolynomialLR")
def polynomial_lr(
    *,
    total_iters: Number = 5,
    power: float = 1.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(1 − t/T)ᵖ up to T, then 0; with T = 0 it stays at 1, and a fractional T is never reached."""
    total, exponent = ticks(total_iters, "total_iters"), finite_number(power, "power")
    if total < 1 or exponent == 0:
        return factors(hold(), base_lr, [*resumed(last_epoch), *_stuck("total_iters", total, "the rate never falls")])
    if exponent < 0:
        raise PreheatError(
            "power must be at least 0: torch divides by zero at the end", given=power, write="write power=1.0"
        )
    curve = _counted_down(ramp(1.0, 0.0, total, falling_power(exponent)), total)
    return factors(curve, base_lr, resumed(last_epoch))


@_restates("CosineAnnealingLR")
def cosine_annealing_lr(
    *,
    T_max: Number,  # noqa: N803  torch's name
    eta_min: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """η + (1 − η)(1 + cos(πt/T_max))/2, which climbs again after T_max; eta_min is a rate, as is base_lr."""
    half = int_if_whole(positive_number(T_max, "T_max (torch divides by it)"))
    floor = finite_number(eta_min, "eta_min") / positive_number(base_lr, "base_lr")
    waves = cosine_wave(half, floor, None if faithful else half)
    curve, after = held(waves, half, faithful, "it climbs back to the full rate")
    return factors(curve, base_lr, [*resumed(last_epoch), *rate_argument("eta_min", eta_min, base_lr), *after])


@_restates("CosineAnnealingWarmRestarts")
def cosine_annealing_warm_restarts(
    *,
    T_0: int,  # noqa: N803  torch's names
    T_mult: int = 1,  # noqa: N803
    eta_min: float = 0.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """η + (1 − η)(1 + cos(πu))/2, u from 0 to 1 in T_0 updates, then in T_mult times as many as before, for ever."""
    first = counted(T_0, "T_0 is a number of updates, at least 1", least=1)
    longer = counted(T_mult, "T_mult is a whole number of at least 1", least=1)
    floor = finite_number(eta_min, "eta_min") / positive_number(base_lr, "base_lr")
    curve = ramp(1.0, floor, first, "cosine").repeated(stretch=longer)
    return factors(curve, base_lr, [*resumed(last_epoch), *rate_argument("eta_min", eta_min, base_lr)])


@_restates("StepLR")
def step_lr(
    *, step_size: int, gamma: float = 0.1, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """γᵏ, k the number of times that step_size updates have passed."""
    every = counted(step_size, "step_size must be a number of updates from 1 to 2^53", least=1)
    return factors(powers(_gamma(gamma), every), base_lr, [*resumed(last_epoch), *_growing(gamma, every)])


@_restates("MultiStepLR")
def multi_step_lr(
    *, milestones: Any, gamma: float = 0.1, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """γᵏ, k the number of milestones up to t; those that are no whole number, or negative, are never met."""
    given = [finite_number(one, "a milestone") for one in listed(milestones, "milestones")]
    met = sorted(int(one) for one in given if one >= 0 and one.is_integer())
    factor = _gamma(gamma)
    edges = [0, *sorted({one for one in met if one > 0} if factor != 1 else ())]
    values = [factor ** sum(one <= edge for one in met) for edge in edges]
    curve = steps(values, [*(b - a for a, b in pairwise(edges)), "rest"])
    findings = [
        Finding("ignored-argument", "milestones", f"{one:g} is never met: updates are counted in whole numbers from 0")
        for one in given
        if one < 0 or not one.is_integer()
    ]
    return factors(curve, base_lr, [*resumed(last_epoch), *findings])


@_restates("OneCycleLR")
def one_cycle_lr(
    *,
    max_lr: float,
    total_steps: int | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
    last_epoch: int = -1,
    use_beta1: bool = False,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From max_lr/div_factor to max_lr at pct_start·T − 1, then down to a final_div_factor-th of the start at T − 1.

    Momentum goes the other way. It raises after one update too many. use_beta1: of an optimizer with betas, those are moved.
    """
    total, findings = _one_cycle_total(total_steps, epochs, steps_per_epoch)
    if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
        raise PreheatError("pct_start must be a float from 0 to 1", given=pct_start)
    shape = _SHAPES[one_of(anneal_strategy, "anneal_strategy", _SHAPES)]
    peak = finite_number(max_lr, "max_lr")
    first = peak / positive_number(div_factor, "div_factor")
    last = first / positive_number(final_div_factor, "final_div_factor")
    ends = [pct_start * total - 1, *([2 * pct_start * total - 2] if three_phase else []), total - 1]
    phases = [
        (a, b, end)
        for (a, b), end in zip(pairwise([first, peak, *([first] if three_phase else []), last]), ends, strict=True)
    ]
    curve, after = _annealed(phases, shape, faithful)
    findings += [*resumed(last_epoch), *_not_the_optimizers("OneCycleLR", base_lr), *after]
    if not cycle_momentum:
        return rates(curve, findings=findings)
    low, high = finite_number(base_momentum, "base_momentum"), finite_number(max_momentum, "max_momentum")
    levels = pairwise([high, low, high, high][: len(ends) + 1])
    momentum, _ = _annealed([(a, b, end) for (a, b), end in zip(levels, ends, strict=True)], shape, faithful)
    return Restated(Absolute(curve), {_momentum(use_beta1): Absolute(momentum)}, findings)


@_restates("CyclicLR")
def cyclic_lr(
    *,
    base_lr: float,
    max_lr: float,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
    scale_fn: Callable[[float], float] | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: float = 0.8,
    max_momentum: float = 0.9,
    last_epoch: int = -1,
    use_beta1: bool = False,
    faithful: bool = False,
) -> Restated:
    """From base_lr up to max_lr and down again, for ever; lower by half each time, or by γᵗ. base_lr is torch's own argument.

    use_beta1: of an optimizer with betas, those are moved instead of a momentum.
    """
    if scale_fn is not None:
        write = "write hold(low) + (ramp(0, h, up) >> ramp(h, 0, down)).repeated() * …, with the scale as a schedule"
        raise PreheatError("what scale_fn computes cannot be read", write=write)
    one_of(mode, "mode", ("triangular", "triangular2", "exp_range"))
    up = positive_number(step_size_up, "step_size_up")
    down = up if step_size_down is None else finite_number(step_size_down, "step_size_down")
    if down < 0:
        raise PreheatError("step_size_down must be at least 0", given=step_size_down)
    findings = [*resumed(last_epoch), *ignored("scale_mode", scale_mode, "cycle", "each mode has its own")]
    if mode != "exp_range":
        findings += ignored("gamma", gamma, 1.0, f"{mode} has no gamma", "write mode='exp_range'")
    lengths, growth = (int_if_whole(up), int_if_whole(down)), _gamma(gamma)
    heights = powers(growth) if mode == "exp_range" else hold()
    bottom, top = finite_number(base_lr, "base_lr"), finite_number(max_lr, "max_lr")
    curve = Absolute(triangles(bottom, top, lengths, mode, heights))
    if not cycle_momentum:
        return Restated(curve, findings=findings)
    high, low = finite_number(max_momentum, "max_momentum"), finite_number(base_momentum, "base_momentum")
    return Restated(curve, {_momentum(use_beta1): Absolute(triangles(high, low, lengths, mode, heights))}, findings)


@_restates("SWALR")
def swalr(
    *,
    swa_lr: float,
    anneal_epochs: int = 10,
    anneal_strategy: str = "cos",
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """From the optimizer's rate to swa_lr, both rates, in anneal_epochs steps, then swa_lr; at once where they are 0."""
    shape = _SHAPES[one_of(anneal_strategy, "anneal_strategy", _SHAPES)]
    end = finite_number(swa_lr, "swa_lr") / positive_number(base_lr, "base_lr")
    length = counted(anneal_epochs, "anneal_epochs is a number of steps")
    curve = ramp(1.0, end, length, shape) if length else hold(end)
    return factors(curve, base_lr, [*resumed(last_epoch), *rate_argument("swa_lr", swa_lr, base_lr)])


@_restates("LambdaLR")
def lambda_lr(
    *,
    lr_lambda: Callable[[int], float],
    total: int | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """λ(t), as a table of the first `total` updates, which torch does not ask for and a function does not say."""
    values = [_asked(lr_lambda, t) for t in range(_total(lr_lambda, total, "LambdaLR"))]
    return factors(table(values), base_lr, [*resumed(last_epoch), _sampled(total)])


@_restates("MultiplicativeLR")
def multiplicative_lr(
    *,
    lr_lambda: Callable[[int], float],
    total: int | None = None,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """λ(1)·λ(2)·…·λ(t), as a table of the first `total` updates; λ(0) is never asked."""
    values = [1.0]
    for t in range(1, _total(lr_lambda, total, "MultiplicativeLR")):
        values.append(values[-1] * _asked(lr_lambda, t))
    return factors(table(values), base_lr, [*resumed(last_epoch), _sampled(total)])


@_restates("ReduceLROnPlateau")
def reduce_lr_on_plateau(
    *,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: float = 0,
    eps: float = 1e-8,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The optimizer's own rate, and what a metric makes of it: a rule, no schedule."""
    if finite_number(factor, "factor") >= 1:
        raise PreheatError("factor must be below 1", given=factor)
    write = f"use rules=[Plateau(metric, factor={factor!r}, patience={patience!r})] beside hold()"
    return factors(
        hold(), base_lr, [Finding("metric-driven", "metric", "the rate falls when a metric stops improving", write)]
    )


@_restates("SequentialLR")
def sequential_lr(
    *, schedulers: Any, milestones: Any, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """Each of `schedulers`, restatements of this module, from one milestone to the next, counted anew.

    Where a milestone is not the length of what is before it, the rate jumps. A OneCycleLR among them overwrites the rate that
    all others start from.
    """
    return sequence_of(PEER, schedulers, milestones, base_lr, faithful).having(*resumed(last_epoch))


@_restates("ChainedScheduler")
def chained_scheduler(*, schedulers: Any, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """All of `schedulers` at every step: their product where each multiplies the rate that it finds."""
    return chain_of(PEER, schedulers, base_lr, faithful)


# -- what several of them ask ---------------------------------------------------------------------------------------------


def _share(value: float, name: str, write: str, above: float | None = None) -> float:
    """A factor from 0 to 1, or above `above`: what torch takes."""
    share = finite_number(value, name)
    if not 0 <= share <= 1 or share == above:
        raise PreheatError(
            f"torch takes {name} {'above' if above == 0 else 'from'} 0 {'up ' if above == 0 else ''}to 1",
            given=value,
            write=write,
        )
    return share


def _counted_down(curve: Schedule, total: Number) -> Schedule:
    """A recursion up to the last whole update within its total: a fraction of one more is never made."""
    return curve if isinstance(total, int) else curve.truncated(math.floor(total))


def _stuck(name: str, total: Number, what: str) -> list[Finding]:
    if total >= 1 and isinstance(total, int):
        return []
    what = what if total < 1 else f"the count of updates never meets {total!r}"
    return [
        Finding("stuck", name, f"with {name}={total!r} {what}", "leave the scheduler out, or give it whole updates")
    ]


def _gamma(gamma: float) -> float:
    found = finite_number(gamma, "gamma")
    if found < 0:
        raise PreheatError("a negative gamma would make negative rates", given=gamma)
    return found


def _growing(gamma: float, every: int = 1) -> list[Finding]:
    """A finding for a power that grows: it is held before it overflows."""
    return cut(powers(gamma, every))


def _momentum(use_beta1: bool) -> str:
    return "betas[0]" if use_beta1 else "momentum"


def _not_the_optimizers(name: str, base_lr: float) -> list[Finding]:
    return ignored("base_lr", base_lr, 1.0, f"{name} sets the rates itself, whatever the optimizer was built with")


def _one_cycle_total(total: int | None, epochs: int | None, each: int | None) -> tuple[int, list[Finding]]:
    """The updates of a OneCycleLR, said in one way or the other."""
    if total is not None:
        said = [("epochs", epochs), ("steps_per_epoch", each)]
        findings = [f for key, value in said for f in ignored(key, value, None, "total_steps says it already")]
        return counted(total, "total_steps is a number of updates", least=1), findings
    if epochs is None or each is None:
        raise PreheatError("OneCycleLR needs total_steps, or epochs and steps_per_epoch", write="write total_steps=…")
    count = counted(epochs, "epochs is a whole number", least=1)
    return count * counted(each, "steps_per_epoch is a number of updates", least=1), []


def _annealed(phases: list[tuple[float, float, float]], shape: str, faithful: bool) -> tuple[Schedule, list[Finding]]:
    """Phases from one value to another up to an update, the last at T − 1; a phase that has passed before 0 is cut there."""
    final, begin, curve = int(phases[-1][2]), 0.0, None
    for i, (start, end, until) in enumerate(phases):
        if (begin < final or curve is None) and (until >= 0 or i == len(phases) - 1):
            length = until - begin
            if not length:
                what = f"torch divides by zero: phase {i + 1} of OneCycleLR has no updates"
                raise PreheatError(what, write="give it a larger pct_start or total_steps")
            part = short_ramp(start, end, int_if_whole(length), shape)
            part = part.shifted(int_if_whole(begin)) if begin < 0 else part
            curve = part if curve is None else curve >> part
        begin = until
    if curve.length > final:  # type: ignore[union-attr]
        curve = curve.truncated(final) if final else hold(curve(0))  # type: ignore[union-attr, misc]
    what = "one more update turns back, the next raises; here the last value is kept"
    if not faithful:
        return curve, [Finding("raises-after-the-end", f"update {final + 1}", what)]  # type: ignore[return-value]
    end = Finding(
        "raises-after-the-end", f"update {final + 2}", "torch raises from there on; here the last value is kept"
    )
    return _one_more(curve, phases, shape), [end]  # type: ignore[arg-type]


def _one_more(curve: Schedule, phases: list[tuple[float, float, float]], shape: str) -> Schedule:
    """With the update after the last one, which torch still makes, at a share beyond 1 of the phase that it falls in."""
    last = int(phases[-1][2])
    at = next((i for i, phase in enumerate(phases) if last + 1 <= phase[2]), len(phases) - 1)
    start, end, until = phases[at]
    begin = phases[at - 1][2] if at else 0.0
    if until == begin:
        return curve
    share = (last + 1 - begin) / (until - begin)
    weight = (1 - math.cos(math.pi * share)) / 2 if shape == "cosine" else share
    kept = curve(last)
    return (curve >> hold(kept, last + 1 - curve.length)) >> hold(start + (end - start) * weight)


def _total(lr_lambda: Any, total: int | None, name: str) -> int:
    if not callable(lr_lambda):
        raise PreheatError("lr_lambda must be a function of the update number", given=lr_lambda)
    if total is None:
        raise PreheatError(f"{name} is any function, which says no schedule", write="give total=, to have its values")
    return counted(total, "total is a number of updates", least=1)


def _asked(lr_lambda: Any, t: int) -> float:
    try:
        value = lr_lambda(t)
    except PreheatError:
        raise
    except Exception as error:
        raise PreheatError(f"lr_lambda({t}) fails: {error!r}", write="give total= so large as it is defined") from error
    return finite_number(value, f"lr_lambda({t})")


def _sampled(total: int | None) -> Finding:
    return Finding("not-recognised", "lr_lambda", f"its values at the first {total} updates, whatever computes them")
