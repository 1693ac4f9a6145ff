"""From one batch size to another: what a rate, and Adam's constants, become when an update sees k times as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError, nearest, shown
from preheat.recipes.arguments import exact

RULES = ("linear", "sqrt")


def scaled_peak(base_lr: float, base_batch: float, batch: float, rule: str = "linear") -> float:
    """The peak rate for another batch size, from one that is known to work.

        lr = base_lr · k      rule "linear"        k = batch / base_batch
        lr = base_lr · √k     rule "sqrt"

    base_lr: the rate found at base_batch, > 0.   base_batch, batch: what one update sees, > 0, both in one unit
    (samples or tokens), over all processes: batch per process · processes · accumulated batches.

    Choose "linear" for SGD, with a warmup: so it was tried on ImageNet, up to 8,192 images.
    Choose "sqrt" where the noise of the gradient is to keep its size in the update (variance ∝ lr²/batch), and for Adam,
    whose other constants scale too: scaled_adam(). Both end at some batch size, where more samples stop helping.

    >>> scaled_peak(0.1, 256, 8192)
    3.2
    >>> scaled_peak(1e-3, 256, 1024, rule="sqrt")
    0.002

    Raises PreheatError for an unknown rule, or a rate or batch that is not a number above 0.
    Goyal et al. 2017, arXiv:1706.02677 (linear); Krizhevsky 2014, arXiv:1404.5997, and Hoffer et al. 2017,
    arXiv:1705.08741 (sqrt); McCandlish et al. 2018, arXiv:1812.06162 (where both end).
    """
    if rule not in RULES:
        raise PreheatError(f"unknown rule {shown(rule)}{nearest(str(rule), RULES)}")
    positive_number(base_lr, "base_lr")
    k = _ratio(base_batch, batch)
    return _scaled(base_lr, k, rule, "the scaled rate")


@dataclass(frozen=True, slots=True)
class AdamScaling:
    """Adam's rate and constants for one batch size; `dataclasses.asdict` makes them the arguments of AdamW.

    lr, betas, eps: as AdamW takes them.
    """

    lr: float
    betas: tuple[float, float]
    eps: float


def scaled_adam(
    lr: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    *,
    base_batch: float,
    batch: float,
) -> AdamScaling:
    """Adam's rate, betas and eps for another batch size, from those that are known to work.

        lr ← √k · lr      1 − β ← k · (1 − β)      eps ← eps / √k          k = batch / base_batch

    lr, betas, eps: those found at base_batch; lr > 0, both betas in [0, 1), eps ≥ 0.   base_batch, batch: what one update
    sees, > 0, both in one unit (samples or tokens), over all processes.

    Then k updates at base_batch and one at batch follow the same stochastic differential equation: valid where the noise
    of the gradient outweighs its mean, lr is small, and k · (1 − β) is far below 1 (a tenth, say) for both betas. It says
    nothing about weight decay. A length of warmup counted in updates becomes 1/k as long; counted in samples, it stays.

    >>> scaled_adam(1e-3, (0.9, 0.999), 1e-8, base_batch=256, batch=1024)
    AdamScaling(lr=0.002, betas=(0.6, 0.996), eps=5e-09)

    Raises PreheatError where k · (1 − β) would be 1 or more, or a value is out of range.
    Malladi et al. 2022, arXiv:2205.10287.
    """
    positive_number(lr, "lr")
    k = _ratio(base_batch, batch)
    given = exact(eps, "eps")
    if given < 0:
        raise PreheatError(f"eps cannot be below 0: {shown(eps)}")
    if isinstance(betas, str) or not isinstance(betas, Sequence) or len(betas) != 2:
        raise PreheatError("betas are a pair", given=betas, write="write betas=(0.9, 0.999)")
    scaled = tuple(_scaled_beta(f"betas[{i}]", beta, k) for i, beta in enumerate(betas))
    rate = _scaled(lr, k, "sqrt", "the scaled rate")
    return AdamScaling(rate, scaled, _scaled(eps, 1 / k, "sqrt", "the scaled eps") if given else 0.0)  # type: ignore[arg-type]


def _ratio(base_batch: float, batch: float) -> Fraction:
    """k, exactly; refused where no float is near it."""
    positive_number(base_batch, "base_batch")
    positive_number(batch, "batch")
    k = exact(batch, "batch") / exact(base_batch, "base_batch")
    if not Fraction(1, 2**1000) < k < 2**1000:
        raise PreheatError(
            f"batch={shown(batch)} is no multiple of base_batch={shown(base_batch)} that makes sense",
            write="give both in samples: the batch of now, and the one that the rate was tuned for",
        )
    return k


def _scaled(value: float, k: Fraction, rule: str, what: str) -> float:
    """value · k or value · √k, rounded once where it can be; refused where no float holds it."""
    root = Fraction(math.isqrt(k.numerator), math.isqrt(k.denominator))
    if rule == "linear" or root * root == k:
        result = exact(value, what) * (k if rule == "linear" else root)
    else:
        result = exact(value, what) * exact(math.sqrt(k), what)
    if not 2**-1022 <= result < 2**1023:
        raise PreheatError(f"{what} is out of range: {shown(value)} is scaled by {float(k):g} ({rule})")
    return float(result)


def _scaled_beta(name: str, beta: float, k: Fraction) -> float:
    left = 1 - exact(beta, name)
    if not 0 < left <= 1:
        raise PreheatError(f"{name} must lie in [0, 1)", given=beta, write="Adam's defaults are 0.9 and 0.999")
    if k > 1 and k * left >= 1:
        raise PreheatError(
            f"{name}={beta!r} has no counterpart at {float(k):g} times the batch: 1 − β would be {float(k * left):g}, "
            "and must stay below 1",
            write=f"write a batch of less than {float(1 / left):g} times the base",
        )
    return float(1 - k * left)
