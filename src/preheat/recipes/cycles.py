"""Staircases and cycles."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import accumulate, repeat

from preheat.core.checks import finite_number
from preheat.core.constructors import hold, ramp, steps
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.shapes import Shape
from preheat.core.spans import SpanLike, lasting
from preheat.core.stated import Absolute
from preheat.recipes import arguments
from preheat.recipes.arguments import dampened, exact, filled, rates, warmed
from preheat.recipes.registry import recipe


@recipe
def step_decay(
    every: SpanLike,
    *,
    factor: float = 0.1,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """The peak times a factor once more after every period, under a linear warmup.

        s(t) = peak · factor^⌊t/n⌋ · min(1, r + (1 − r) · t/W),   r = start/peak

    every: n, the period, in updates or with a unit such as "30 epochs", counted from update 0.
    factor: what each period multiplies by, no unit, in (0, 1].
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, never ends: it falls towards 0.

    Choose it to reproduce a run that used torch's StepLR. Prefer cosine() or linear() for a new run, and
    multistep() when the drops are not evenly spaced.

    >>> step_decay(3, factor=0.5, warmup_steps=2).table(8).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]

    Raises PreheatError for a factor out of range, a period of 0 or "rest", two ways of giving one thing.
    He et al. 2015, arXiv:1512.03385 (÷ 10 when the error stops falling).
    """
    rate = rates(peak_lr, start_lr=start_lr, start_ratio=start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    return dampened(warm, rate, _repeated(hold(rate.peak, every), None, 1.0, _factor(factor)))


@recipe
def multistep(
    milestones: Sequence[SpanLike],
    *,
    factor: float = 0.1,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """The peak times a factor once more at every milestone, under a linear warmup.

        s(t) = peak · factorᵏ · min(1, r + (1 − r) · t/W),   k = how many milestones are ≤ t,   r = start/peak

    milestones: rising, above 0, all in one unit: updates, "30 epochs", "80%"; counted from update 0.
    factor: what each milestone multiplies by, no unit, in (0, 1].
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, ends at peak · factor^(number of milestones).

    Choose it for ResNets and detectors, whose published runs use it. Prefer wsd() for a new run that shall hold a
    high rate for long.

    >>> multistep(["30 epochs", "60 epochs", "80 epochs"])
    hold(1.0, '30 epochs') >> hold(0.1, '30 epochs') >> hold(0.01, '20 epochs') >> hold(0.001, 'rest')

    Raises PreheatError for milestones that do not rise or mix units, a factor out of range, two ways of giving one
    thing. Goyal et al. 2017, arXiv:1706.02677 (÷ 10 at 30, 60 and 80 of 90 epochs, 5 of warmup).
    """
    rate = rates(peak_lr, start_lr=start_lr, start_ratio=start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    spans = arguments.gaps(milestones)
    return dampened(warm, rate, steps(_powers(rate.peak, _factor(factor), len(spans)), [*spans, "rest"]))


@recipe
def one_cycle(
    total_steps: int | None = None,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 10_000.0,
    shape: Shape | str = "cosine",
    peak_lr: float | None = None,
) -> Schedule | Absolute:
    """One cycle: up from a fraction of the peak, then down far below where it began.

        s(t) = start + (peak − start) · w(t/U)             for t < U = pct_start · T,   start = peak/div_factor
        s(t) = peak + (min − peak) · w((t − U)/(T − U))      after that,   min = start/final_div_factor

    total_steps: T, the whole run in updates, ≥ 1; without it, the Run that the schedule is bound to.
    pct_start: the share of the run that rises, 0 to 1 (fastai: 0.25).   shape: of both legs, as in ramp.
    div_factor: peak/start, ≥ 1.   final_div_factor: start/min, ≥ 1, as in torch (fastai divides the peak: 1e5).
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    Starts at peak/div_factor, peaks at t = U, reaches min at t = T. torch's OneCycleLR of T updates is
    ramp(1/25, 1, pct_start · T − 1, "cosine") >> ramp(1, 4e-6, (1 − pct_start) · T, "cosine").

    Choose it for short runs at a high rate. Prefer wsd() or linear() when the run is long.

    >>> [round(one_cycle(10)(t), 6) for t in (0, 3, 10)]
    [0.04, 1.0, 4e-06]

    Raises PreheatError for a share outside [0, 1], a divisor below 1, total_steps that are no count.
    Smith & Topin 2017, arXiv:1708.07120 (super-convergence).
    """
    rate, up = rates(peak_lr), arguments.share("pct_start", pct_start)
    start = exact(rate.peak, "peak") / _divisor("div_factor", div_factor)
    end = float(start / _divisor("final_div_factor", final_div_factor))
    return filled(
        rate.stated(ramp(float(start), rate.peak, up, shape) >> ramp(rate.peak, end, "rest", shape)), total_steps
    )


@recipe
def restarts(
    cycle_steps: SpanLike,
    *,
    cycles: int | None = None,
    stretch: float = 1.0,
    shrink: float = 1.0,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Cosine decay with warm restarts (SGDR) after a linear warmup.

        s(t) = shrinkᵏ · (min + (peak − min) · (1 + cos(π · t′/(n · stretchᵏ)))/2),   t′ = time since cycle k began

    cycle_steps: n, the first cycle, in updates or with a unit; "rest" shares the run among `cycles`.
    cycles: how many, ≥ 1, then the last value stays; None never ends.
    stretch: each cycle's length over the one before (torch's T_mult), > 0; ≥ 1 if it never ends.
    shrink: each cycle's peak over the one before, no unit, in (0, 1].
    warmup_steps: in updates or with a unit; or warmup_ratio: a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the first peak, > 0; without it the values are factors of the optimizer's own rate.
    min_lr: where each cycle ends, 0 to peak_lr; or min_lr_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, jumps back to the peak at each restart, so that min itself is never used. A cycle given in a unit or
    by "rest" need not be a whole number of updates: it keeps the fraction, as in transformers' cosine_with_restarts, so
    that the last one ends with the run.

    Choose it to collect a model at the end of every cycle (snapshot ensembles). Prefer cosine() for one model.

    >>> restarts(2, stretch=2).table(7).round(6).tolist()
    [1.0, 0.5, 1.0, 0.853553, 0.5, 0.146447, 1.0]

    Raises PreheatError for two ways of giving one thing, a value out of range, shrink together with a min above 0.
    Loshchilov & Hutter 2016, arXiv:1608.03983.
    """
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    _restartable(cycle_steps, cycles, shrink, rate.floor)
    cycle = ramp(rate.peak, rate.floor, cycle_steps, "cosine")
    return warmed(warm, rate, _repeated(cycle, cycles, stretch, shrink))


def _repeated(part: Schedule, times: int | None, stretch: float, shrink: float) -> Schedule:
    """Repetitions that keep the fraction of a tick: whole ones would leave updates over at the end, at no rate meant."""
    bare = part.span.is_bare  # type: ignore[attr-defined]
    return part.repeated(times, stretch, shrink, ticks="whole" if bare else "exact")


def _powers(first: float, factor: float, count: int) -> list[float]:
    """first · factorᵏ for k = 0 … count, of the decimals that both print as; exact fractions would grow with k."""
    with localcontext(prec=50):
        drops = repeat(Decimal(repr(factor)), count)
        return [float(value) for value in accumulate(drops, operator.mul, initial=Decimal(repr(first)))]


def _factor(value: float, name: str = "factor") -> float:
    factor = finite_number(value, name)
    if not 0 < factor <= 1:
        raise PreheatError(f"{name} must lie in (0, 1]", given=value, write=f"write {name}=0.5 to halve")
    return factor


def _divisor(name: str, value: float) -> Fraction:
    divisor = exact(value, name)
    if divisor < 1:
        usual = f"torch's default is {25 if name == 'div_factor' else 10_000}"
        raise PreheatError(f"{name} divides, so it must be 1 or more", given=value, write=usual)
    return divisor


def _restartable(cycle_steps: SpanLike, cycles: int | None, shrink: float, floor: float) -> None:
    lasting("cycle_steps", cycle_steps)
    if cycles is None and arguments.spanned(cycle_steps).is_rest:
        raise PreheatError("restarts('rest') shares the run among its cycles", write="say how many, such as cycles=4")
    if _factor(shrink, "shrink") != 1 and floor:
        raise PreheatError(
            f"shrink={shrink!r} lowers the whole cycle, its min of {floor:g} too",
            write=f"leave the min out, or write restarts(…).clipped(low={floor:g})",
        )
