"""Two collections of schedulers as a test of what can be said: each is restated, or named with the reason why it is not."""

import math
from typing import Any

import pytest

import preheat as ph
from preheat import compat, decay, hold, invsqrt, ramp, warmup

TOTAL, WARM = 60, 9

# -- pytorch_optimizer ----------------------------------------------------------------------------------------------------

FROM_TORCH = {
    "constant": "ConstantLR",
    "step": "StepLR",
    "multi_step": "MultiStepLR",
    "cyclic": "CyclicLR",
    "one_cycle": "OneCycleLR",
    "cosine_annealing": "CosineAnnealingLR",
    "cosine_annealing_with_warm_restart": "CosineAnnealingWarmRestarts",
}
NOT_SAID = {
    "multiplicative": "MultiplicativeLR multiplies by what a function of the caller's says, and a function is no data",
    "deberta_v3_large_lr_scheduler": "it gives each layer of one model a rate, and no schedule",
}


def test_every_scheduler_of_pytorch_optimizer_is_restated_or_named() -> None:
    own = pytest.importorskip("pytorch_optimizer").lr_scheduler
    restated = {"linear", "cosine", "poly", "proportion", "rex", "chebyshev", "warmup_stable_decay"}
    restated |= {"cosine_annealing_with_warmup"}
    names = set(own.get_supported_lr_schedulers())
    assert names == restated | set(FROM_TORCH) | set(NOT_SAID) - {"deberta_v3_large_lr_scheduler"}
    peer = compat.peer("pytorch_optimizer")
    for name in restated:
        assert peer[name]
    for name, torchs in FROM_TORCH.items():
        assert own.load_lr_scheduler(name).__name__ == torchs
        assert own.load_lr_scheduler(name).__module__.startswith("torch.")


# -- pytorch-scheduler ----------------------------------------------------------------------------------------------------


def _hyperbolic(upper: int, low: float) -> Any:
    """√(((n − x)/u)·(2 − (n + x)/u)) is two square roots of lines."""
    n = TOTAL - WARM
    root, far = ph.reverse(ph.power(0.5)), 2 * upper - n
    first = math.sqrt(n / upper * (2 - n / upper))
    curve = decay(n, shape=root) * decay(far, shape=root).truncated(n)
    return ramp(low, 1.0, WARM) >> (curve.scaled((1 - low) * first) + hold(1 - (1 - low) * first))


SAID: dict[str, tuple[dict[str, Any], Any]] = {
    "ChebyshevScheduler": ({"min_lr": 0.1}, decay(TOTAL, to=0.1, shape="cosine").shifted(-0.5).truncated(TOTAL - 1)),
    "CosineWithWarmupScheduler": ({"warmup_steps": WARM}, warmup(WARM) >> decay(TOTAL - WARM, shape="cosine")),
    "FlatCosineScheduler": ({"flat_fraction": 0.7}, hold(1, 42) >> decay(18, shape="cosine")),
    "HyperbolicLRScheduler": ({"upper_bound": 80, "min_lr": 0.01, "warmup_steps": WARM}, _hyperbolic(80, 0.01)),
    "KDecayScheduler": ({"k": 1.7}, decay(TOTAL, shape=ph.compose("cosine", ph.power(1.7)))),
    "LinearDecayScheduler": ({"warmup_steps": WARM, "min_lr": 0.1}, warmup(WARM) >> decay(TOTAL - WARM, to=0.1)),
    "PolynomialScheduler": (
        {"warmup_steps": WARM, "power": 2.0},
        warmup(WARM) >> decay(TOTAL - WARM, shape=ph.reverse(ph.power(2))),
    ),
    "PowerDecayScheduler": ({"warmup_steps": WARM, "alpha": 0.7}, warmup(WARM) >> invsqrt(WARM, power=0.7)),
    "RexScheduler": ({}, decay(TOTAL, shape="rex")),
    "SlantedTriangularScheduler": (
        {"cut_frac": 0.2, "ratio": 32.0},
        ramp(1 / 32, 1.0, 12) >> ramp(1.0, 1 / 32, TOTAL - 12),
    ),
    "TrapezoidalScheduler": ({"warmup_steps": WARM, "decay_steps": 20}, warmup(WARM) >> hold(1, 31) >> decay(20)),
    "WSDScheduler": (
        {"warmup_steps": WARM, "stable_steps": 30, "decay_type": "sqrt"},
        warmup(WARM) >> hold(1, 30) >> decay(21, shape="1-sqrt"),
    ),
    "WarmupHoldCosineScheduler": (
        {"warmup_steps": WARM, "hold_steps": 20},
        warmup(WARM) >> hold(1, 20) >> decay(31, shape="cosine"),
    ),
    "InverseSqrtScheduler": ({"warmup_steps": WARM}, warmup(WARM) >> invsqrt(WARM)),
    "IdentityScheduler": ({}, hold(1)),
    "CosineAnnealingWarmupRestarts": (
        {"first_cycle_steps": 20, "warmup_steps": 5, "max_lr": 1.0, "min_lr": 0.1},
        (ramp(0.1, 1.0, 5) >> decay(15, to=0.1, shape="cosine")).repeated(),
    ),
}
NO_COMPOSITION = {
    "ExpHyperbolicLRScheduler": "a power whose exponent is itself a curve",
    "TanhDecayScheduler": "the language has no tanh, and no sum or product of its words is one",
}
WITHOUT_TOTAL = ("InverseSqrtScheduler", "IdentityScheduler", "CosineAnnealingWarmupRestarts")


@pytest.mark.parametrize("name", SAID)
def test_a_scheduler_of_pytorch_scheduler_is_a_composition(name: str) -> None:
    own = pytest.importorskip("pytorch_scheduler")
    rates = pytest.importorskip("benchmarks.parity.torch_loop").rates
    arguments, schedule = SAID[name]
    given = arguments if name in WITHOUT_TOTAL else arguments | {"total_steps": TOTAL}
    found = rates(lambda optimizer: getattr(own, name)(optimizer, **given), 1.0, TOTAL)
    assert schedule.table(TOTAL).tolist() == pytest.approx(found, abs=1e-12)


def test_every_scheduler_of_pytorch_scheduler_is_said_or_named() -> None:
    own = pytest.importorskip("pytorch_scheduler")
    assert {cls.__name__ for cls in own.SCHEDULER_LIST} <= set(SAID) | set(NO_COMPOSITION)


def test_what_is_no_composition_is_within_a_table() -> None:
    """A table says any run, at one value an update."""
    own = pytest.importorskip("pytorch_scheduler")
    rates = pytest.importorskip("benchmarks.parity.torch_loop").rates
    found = rates(lambda optimizer: own.TanhDecayScheduler(optimizer, total_steps=TOTAL), 1.0, TOTAL)
    assert ph.table(found).table(TOTAL).tolist() == found
