"""Schedules that need no total: the inverse square root, and the warmups that follow from Adam's β₂."""

from __future__ import annotations

from preheat.core.checks import positive_number
from preheat.core.constructors import hold, invsqrt, rectified, saturating, warmup
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.spans import Span, SpanLike
from preheat.core.stated import Absolute
from preheat.recipes import arguments
from preheat.recipes.arguments import rates, warmed
from preheat.recipes.registry import recipe


@recipe
def noam(d_model: float, warmup_steps: float = 4000) -> Absolute:
    """Linear warmup, then inverse-square-root decay, at the rates of the first Transformer.

        s(t) = (d · W)^-½ · min(t/W, √(W/t))

    d_model: d, the width of the model, no unit, > 0.   warmup_steps: W, in updates, ≥ 1.
    Starts at 0, peaks at (d · W)^-½ when t = W, never ends. The values are rates, whatever the optimizer was given.

    Choose it to reproduce the Transformer of 2017. Prefer inverse_sqrt() with a peak_lr of your own, and wsd() when
    the length of the run is known.

    >>> [round(noam(512)(t), 6) for t in (0, 4000, 16000)]
    [0.0, 0.000699, 0.000349]

    Raises PreheatError for a d_model not above 0, warmup_steps below 1 or with a unit: the peak depends on them.
    Vaswani et al. 2017, arXiv:1706.03762.
    """
    warm = arguments.updates("warmup_steps", warmup_steps)
    peak = (positive_number(d_model, "d_model") * warm) ** -0.5
    return Absolute((warmup(warm) >> invsqrt(warm)).scaled(peak))


@recipe
def inverse_sqrt(
    warmup_steps: SpanLike | None = None,
    *,
    warmup_ratio: float | None = None,
    timescale: SpanLike | None = None,
    peak_lr: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Schedule | Absolute:
    """Linear warmup, then inverse-square-root decay from the peak, for as long as the run goes on.

        s(t) = start + (peak − start) · t/W   for t < W,   then   peak · √(τ/(τ + t − W))

    warmup_steps: W, in updates or with a unit; or warmup_ratio: W as a share of the run, 0 to 1. Default: 10,000.
    timescale: τ, in updates or with a unit, above 0; default: W, so that the decay is peak · √(W/t).
    peak_lr: the rate at the peak, > 0: the values are rates. Without it they are factors of the optimizer's own rate.
    start_lr: the first rate, 0 to peak_lr; or start_ratio: the same as a share of the peak, 0 to 1. Default: 0.
    Starts at start, peaks at t = W, halves by t = W + 3τ, never ends.

    Choose it when the length of the run is not known. Prefer wsd(), whose decay can start at any time, when the
    final loss matters.

    >>> inverse_sqrt(4, peak_lr=0.1).table(17)[[0, 2, 4, 16]].tolist()
    [0.0, 0.05, 0.1, 0.05]

    Raises PreheatError for a timescale of 0, a value out of range, two ways of giving one thing.
    Vaswani et al. 2017, arXiv:1706.03762; Raffel et al. 2019, arXiv:1910.10683 (T5).
    """
    rate = rates(peak_lr, start_lr=start_lr, start_ratio=start_ratio)
    warm = arguments.length("warmup", warmup_steps, warmup_ratio) or Span(10_000)
    curve = invsqrt(_timescale(warm if timescale is None else arguments.spanned(timescale)))
    return warmed(warm, rate, curve if peak_lr is None else curve.scaled(rate.peak))


@recipe
def untuned_linear(beta2: float = 0.999) -> Schedule:
    """The linear warmup that follows from Adam's β₂ alone, then 1.

        s(t) = min(1, (t + 1)/W),   W = 2/(1 − β₂)

    beta2: Adam's second-moment decay, no unit, in [0, 1): 0.999 gives W = 2000 updates, 0.95 gives 40.
    Starts at 1/W, as the paper counts updates from 1; is 1 from t = W − 1 on, never ends.

    Choose it as a factor on any decay, untuned_linear() * cosine(), when nothing is known of the run and β₂ ≥ 0.99.
    Prefer a warmup of your own at β₂ = 0.95: W = 40 settles Adam's averages, not the curvature of a large model.
    A run shorter than W refuses it: give such a run a warmup of its own.

    >>> untuned_linear(0.999)
    ramp(0.0005, 1.0, 1999) >> hold(1.0, 'rest')

    Raises PreheatError for a beta2 out of range.
    Ma & Yarats 2019, arXiv:1910.04209.
    """
    period = arguments.time_constant(beta2, 2)
    return warmup(period - 1, start=1 / period) >> hold()


@recipe
def untuned_exponential(beta2: float = 0.999) -> Schedule:
    """The exponential warmup that follows from Adam's β₂ alone.

        s(t) = 1 − exp(−(t + 1)/τ),   τ = 1/(1 − β₂)

    beta2: Adam's second-moment decay, no unit, in [0, 1): 0.999 gives τ = 1000 updates, 0.95 gives 20.
    Starts at 1 − exp(−1/τ), as the paper counts updates from 1; is 0.632 after τ updates and 0.95 after 3τ, never ends.

    Choose it as a factor on any decay, untuned_exponential() * cosine(), where untuned_linear() would do but a kink
    should not be. Prefer untuned_linear() for a warmup that is over at a known update.

    >>> untuned_exponential(0.999)
    saturating(1000, 'rest').shifted(-1)

    Raises PreheatError for a beta2 out of range.
    Ma & Yarats 2019, arXiv:1910.04209.
    """
    return saturating(arguments.time_constant(beta2, 1)).shifted(-1)


@recipe
def radam(beta2: float = 0.999) -> Schedule:
    """RAdam's rectification as a warmup for plain Adam.

        s(t) = √( (ρₖ−4)(ρₖ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₖ) ),   ρ∞ = 2/(1−β₂) − 1,   ρₖ = ρ∞ − 2kβ₂ᵏ/(1−β₂ᵏ)

    beta2: Adam's second-moment decay, no unit, in (0.6, 1). k = t + the first k with ρₖ > 4, which is 5 at 0.999: the
    paper counts updates from 1, and its first four have no factor. The warmup begins with the first that has one.
    Starts at 0.0173 (β₂ = 0.999), is 0.647 at t = 1000, comes ever closer to 1, never ends.

    Choose it as a factor on any decay, radam() * cosine(), to have RAdam's step sizes without its optimizer.
    Prefer untuned_linear(), which does as well in practice and is over at a known update. Not for RAdam
    itself: it would count twice.

    >>> [round(radam()(t), 6) for t in (0, 1, 2)]
    [0.017312, 0.025821, 0.032739]

    Raises PreheatError for a beta2 out of range.
    Liu et al. 2019, arXiv:1908.03265.
    """
    return rectified(beta2)


def _timescale(tau: Span) -> Span:
    if tau.value == 0:
        raise PreheatError("a decay by √(τ/(τ + t)) needs τ above 0", write="without a warmup write timescale=10_000")
    return tau
