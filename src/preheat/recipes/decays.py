"""From a peak down to a floor, once, after a warmup: what most runs use."""

from __future__ import annotations

from preheat.core import shapes
from preheat.core.constructors import hold, ramp
from preheat.core.node import Schedule
from preheat.core.shapes import Shape, reverse
from preheat.core.spans import Span, SpanLike
from preheat.core.stated import Absolute
from preheat.recipes import arguments
from preheat.recipes.arguments import filled, rates, warmed
from preheat.recipes.registry import recipe


@recipe
def constant(
    total_steps: int | None = None,
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then the peak until the end.

        s(t) = start + (peak − start) · t/W   for t < W,   then peak

    total_steps: the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, ends at the peak.

    Choose it to average the weights instead of decaying (EMA), or to branch decays off later.
    Prefer wsd() when the end of the run is known.

    >>> constant(warmup_steps=4, peak_lr=1e-3).table(6).tolist()
    [0.0, 0.00025, 0.0005, 0.00075, 0.001, 0.001]

    Raises PreheatError for two ways of giving one thing, a value out of range, a warmup longer than total_steps.
    Goyal et al. 2017, arXiv:1706.02677 (gradual warmup).
    """
    rate = rates(peak_lr, start_lr=start_lr, start_ratio=start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    return filled(warmed(warm, rate, hold(rate.peak)), total_steps, warm)


@recipe
def linear(
    total_steps: int | None = None,
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then linear decay to the end of the run.

        s(t) = peak + (min − peak) · (t − W)/(T − W)   for t ≥ W

    total_steps: T, the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    min_lr: the last rate, 0 to peak_lr; or min_lr_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, reaches min at t = T, one update after the last.

    Choose it when the length of the run is fixed: decayed to zero it beat cosine to 10 % in long language-model runs.
    Prefer wsd() when the run may be extended.

    >>> linear(6, warmup_steps=2).table(7).tolist()
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]

    Raises PreheatError for two ways of giving one thing, a value out of range, a warmup longer than total_steps.
    Bergsma et al. 2025, arXiv:2502.15938 (linear to zero); Defazio et al. 2023, arXiv:2310.07831.
    """
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    return filled(warmed(warm, rate, ramp(rate.peak, rate.floor, "rest")), total_steps, warm)


@recipe
def cosine(
    total_steps: int | None = None,
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then half a cosine down to the end of the run, where it stays.

        s(t) = min + (peak − min) · (1 + cos(π · (t − W)/(T − W)))/2   for t ≥ W

    total_steps: T, the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    min_lr: the last rate, 0 to peak_lr; or min_lr_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, reaches min at t = T, one update after the last. It does not rebound.

    Choose it to reproduce a published run: most of the large ones used it, with min_lr_ratio=0.1.
    Prefer linear() for a new run of fixed length, wsd() for one that may be extended.

    >>> cosine(10_000, warmup_ratio=0.05, peak_lr=3e-4, min_lr_ratio=0.1)
    absolute(ramp(0.0, 0.0003, 500) >> ramp(0.0003, 3e-05, 9500, shape='cosine'))

    Raises PreheatError for two ways of giving one thing, a value out of range, a warmup longer than total_steps.
    Loshchilov & Hutter 2016, arXiv:1608.03983 (one cycle of it).
    """
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    return filled(warmed(warm, rate, ramp(rate.peak, rate.floor, "rest", "cosine")), total_steps, warm)


@recipe
def polynomial(
    total_steps: int | None = None,
    *,
    power: float = 2.0,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then a power of the time left.

        s(t) = min + (peak − min) · (1 − (t − W)/(T − W))ᵖ   for t ≥ W

    total_steps: T, the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    power: p, no unit, in [0.01, 100]; 1 is linear().
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    min_lr: the last rate, 0 to peak_lr; or min_lr_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, reaches min at t = T, one update after the last.

    Choose it to reproduce a run that did: segmentation (p = 0.9), BERT and RoBERTa (p = 1).
    Prefer linear() for a new run.

    >>> polynomial(6, warmup_steps=2).table(7).tolist()
    [0.0, 0.5, 1.0, 0.5625, 0.25, 0.0625, 0.0]

    Raises PreheatError for a power out of range, two ways of giving one thing, a warmup longer than total_steps.
    Chen et al. 2016, arXiv:1606.00915 ("poly", p = 0.9).
    """
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    main = ramp(rate.peak, rate.floor, "rest", reverse(shapes.power(power)))
    return filled(warmed(warm, rate, main), total_steps, warm)


@recipe
def exponential_decay(
    total_steps: int | None = None,
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then the same relative drop at every update, to the end of the run.

        s(t) = peak · (min/peak)^((t − W)/(T − W))   for t ≥ W

    total_steps: T, the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    min_lr: the last rate, > 0, to peak_lr; or min_lr_ratio: the same as a share of the peak. Default: 1 %.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, reaches min at t = T. Each update multiplies by (min/peak)^(1/(T − W)).

    Choose it when the rates worth visiting span orders of magnitude. Prefer linear() or wsd() otherwise: most of the
    run passes at small rates. A decay by a factor f every n updates that never ends (Keras, optax, torch) is
    ramp(1, f, n, shape="exponential").repeated(shrink=f).

    >>> [round(exponential_decay(8, min_lr_ratio=0.0625)(t), 6) for t in (0, 2, 4, 6, 8)]
    [1.0, 0.5, 0.25, 0.125, 0.0625]

    Raises PreheatError for a min of 0, two ways of giving one thing, a warmup longer than total_steps.
    Hu et al. 2024, arXiv:2404.06395 (the decay of MiniCPM is exponential).
    """
    min_lr_ratio = 0.01 if min_lr is None and min_lr_ratio is None else min_lr_ratio
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    return filled(warmed(warm, rate, ramp(rate.peak, rate.floor, "rest", "exponential")), total_steps, warm)


@recipe
def wsd(
    total_steps: int | None = None,
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    decay_steps: SpanLike | None = None,
    decay_ratio: float | None = None,
    shape: Shape | str = "sqrt",
    peak_lr: float | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Warmup, stable, decay: linear warmup, the peak, then a short decay (cooldown, warmdown) at the end.

        s(t) = peak                                   for W ≤ t < T − D
        s(t) = peak + (min − peak) · w((t − T + D)/D)   after that;   shape "sqrt": w(u) = √u

    total_steps: T, the whole run in updates, warmup included, ≥ 1; without it, the Run that the schedule is bound to.
    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: none.
    decay_steps: D, in updates or with a unit; or decay_ratio: D as a share of the run, 0 to 1. Default: 20 %.
    shape: of the decay, as in ramp; "sqrt" falls as 1 − √u, the field's "1-sqrt".
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    min_lr: the last rate, 0 to peak_lr; or min_lr_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, reaches min at t = T, one update after the last.

    Choose it when the run may be extended, or when several lengths are to share one long run.
    Prefer linear() when the length is final; a longer decay (40 %) comes close to it.

    >>> wsd(1000, warmup_steps=100, peak_lr=1e-3)
    absolute(ramp(0.0, 0.001, 100) >> hold(0.001, 700) >> ramp(0.001, 0.0, 200, shape='sqrt'))

    Raises PreheatError for two ways of giving one thing, a value out of range, phases longer than total_steps.
    Hu et al. 2024, arXiv:2404.06395 (MiniCPM); Hägele et al. 2024, arXiv:2405.18392 (20 % of 1 − √u).
    """
    rate = rates(peak_lr, min_lr, min_lr_ratio, start_lr, start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio)
    cool = arguments.length("decay", decay_steps, decay_ratio) or Span("20%")
    main = hold(rate.peak) >> ramp(rate.peak, rate.floor, cool, shape)
    return filled(warmed(warm, rate, main), total_steps, warm, cool)
