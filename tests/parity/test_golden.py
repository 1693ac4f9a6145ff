"""What the peers compute, restated as compositions: golden vectors, and a live comparison where a peer is installed.

Peak 1, warmup 3, total 10, from 0.1 where the peer lets you, to 0: the value that updates 0, 1, 2, … use. The vectors
were taken by running these versions of the peers; where a formula closes them, so do the compositions, to 1e-6.
"""

import math

import numpy as np
import pytest

import preheat as ph
from preheat import decay, hold, invsqrt, ramp, rectified, saturating, warmup

COSINE = "0.950484 0.811745 0.61126 0.38874 0.188255 0.049516"
LINEAR = "0.857143 0.714286 0.571429 0.428571 0.285714 0.142857"

# a name for all of them: the same ten values in six libraries
standard = ramp(0.1, 1, 3) >> decay(7, shape="cosine")
zero_based = warmup(3) >> decay(7, shape="cosine")
one_based = ramp(1 / 3, 1, 2)  # the warmup of 3 whose first update already moves
ds_log = hold(0, 1) >> ramp(0, 1, 2, "log")  # its first two updates run at the start

GOLDEN = [  # peer, version, schedule, composition, values from update 0; what follows | is past the total
    ("torch", "2.15.0", "SequentialLR(LinearLR, CosineAnnealingLR)", standard, f"0.1 0.4 0.7 1 {COSINE} | 0"),
    (
        "torch",
        "2.15.0",
        "ChainedScheduler(LinearLR, CosineAnnealingLR)",
        ramp(0.1, 1, 3) * decay(10, shape="cosine"),
        "0.1 0.390211 0.633156 0.793893 0.654508 0.5 0.345492 0.206107 0.095492 0.024472 | 0",
    ),
    (
        "torch",
        "2.15.0",
        "OneCycleLR(pct_start=0.3)",
        ramp(0.04, 1, 2, "cosine") >> ramp(1, 4e-6, 7, "cosine"),
        "0.04 0.52 1 0.950485 0.811746 0.611262 0.388742 0.188258 0.049519 4e-06",
    ),
    ("transformers", "5.23.0", "linear", warmup(3) >> decay(7), f"0 0.333333 0.666667 1 {LINEAR} | 0 0 0"),
    ("transformers", "5.23.0", "cosine", zero_based, f"0 0.333333 0.666667 1 {COSINE} | 0"),
    (
        "transformers",
        "5.23.0",
        "cosine_with_restarts(num_cycles=2)",
        warmup(3) >> decay(3.5, shape="cosine").repeated(2),
        "0 0.333333 0.666667 1 0.811745 0.38874 0.049516 0.950484 0.61126 0.188255 | 0 0 0",
    ),
    (
        "transformers",
        "5.23.0",
        "polynomial(power=2)",
        warmup(3) >> decay(7, shape=ph.reverse(ph.power(2))),
        "0 0.333333 0.666667 1 0.734694 0.510204 0.326531 0.183673 0.081633 0.020408 | 0",
    ),
    ("transformers", "5.23.0", "constant_with_warmup", warmup(3) >> hold(), "0 0.333333 0.666667 1 1 1 1 1 1 1 | 1"),
    (
        "transformers",
        "5.23.0",
        "inverse_sqrt",
        warmup(3) >> invsqrt(3),
        "0 0.333333 0.666667 1 0.866025 0.774597 0.707107 0.654654 0.612372 0.57735 | 0.547723",
    ),
    (
        "transformers",
        "5.23.0",
        "cosine_with_min_lr(min_lr_rate=0.1)",
        warmup(3) >> decay(7, 0.1, "cosine"),
        "0 0.333333 0.666667 1 0.955436 0.83057 0.650134 0.449866 0.26943 0.144564 | 0.1",
    ),
    (
        "transformers",
        "5.23.0",
        "cosine_warmup_with_min_lr(min_lr_rate=0.1)",
        one_based >> decay(7, 0.1, "cosine"),
        "0.333333 0.666667 1 0.955436 0.83057 0.650134 0.449866 0.26943 0.144564 0.1",
    ),
    (
        "transformers",
        "5.23.0",
        "warmup_stable_decay(num_decay_steps=4)",
        warmup(3) >> hold(1, 3) >> decay(4, shape="cosine"),
        "0 0.333333 0.666667 1 1 1 1 0.853553 0.5 0.146447 | 0",
    ),
    (
        "transformers",
        "5.23.0",
        "warmup_stable_decay(4, min_lr_ratio=0.1, '1-sqrt')",
        ramp(0.1, 1, 3) >> hold(1, 3) >> decay(4, 0.1, "1-sqrt"),
        "0.1 0.4 0.7 1 1 1 1 0.55 0.363604 0.220577 | 0.1",
    ),
    (
        "timm",
        "1.0.31",
        "CosineLRScheduler(warmup_prefix=False)",
        ramp(0.1, 1, 3) >> decay(10, shape="cosine").shifted(-3),
        "0.1 0.4 0.7 0.793893 0.654508 0.5 0.345492 0.206107 0.095492 0.024472 | 0",
    ),
    ("timm", "1.0.31", "CosineLRScheduler(warmup_prefix=True)", standard, f"0.1 0.4 0.7 1 {COSINE} | 0 0 0"),
    ("timm", "1.0.31", "PolyLRScheduler(power=1)", ramp(0.1, 1, 3) >> decay(7), f"0.1 0.4 0.7 1 {LINEAR} | 0"),
    *(
        ("timm", "1.0.31", f"WSDLRScheduler({shape})", ramp(0.1, 1, 3) >> hold(1, 3) >> decay(4, shape=shape), values)
        for shape, values in {
            "linear": "0.1 0.4 0.7 1 1 1 1 0.75 0.5 0.25 | 0",
            "1-sqrt": "0.1 0.4 0.7 1 1 1 1 0.5 0.292893 0.133975 | 0",
            "cosine": "0.1 0.4 0.7 1 1 1 1 0.853553 0.5 0.146447 | 0",
        }.items()
    ),
    (
        "timm",
        "1.0.31",
        "WSDLRScheduler(exp)",
        ramp(0.1, 1, 3) >> hold(1, 3) >> (ramp(1, 0.1, 4, "exponential") + hold(-0.1)).scaled(1 / 0.9),
        "0.1 0.4 0.7 1 1 1 1 0.513713 0.240253 0.086475 | 0",
    ),
    ("optax", "0.2.8", "warmup_cosine_decay_schedule", standard, f"0.1 0.4 0.7 1 {COSINE} | 0 0 0"),
    (
        "optax",
        "0.2.8",
        "warmup_exponential_decay_schedule(transition 2, rate 0.5)",
        ramp(0.1, 1, 3) >> ramp(1, 2.0**-20, 40, "exponential"),
        "0.1 0.4 0.7 1 0.707107 0.5 0.353553 0.25 0.176777 0.125 | 0.088388",
    ),
    (
        "optax",
        "0.2.8",
        "cosine_onecycle_schedule",
        ramp(0.04, 1, 3, "cosine") >> ramp(1, 4e-6, 7, "cosine"),
        "0.04 0.28 0.76 1 0.950485 0.811746 0.611262 0.388742 0.188258 0.049519 | 4e-06",
    ),
    (
        "optax",
        "0.2.8",
        "linear_onecycle_schedule",
        ramp(0.04, 1, 3) >> ramp(1, 0.04, 5) >> ramp(0.04, 4e-6, 2),
        "0.04 0.36 0.68 1 0.808 0.616 0.424 0.232 0.04 0.020002 | 4e-06",
    ),
    ("pytorch_warmup", "0.2.0", "LinearWarmup(3)", one_based >> hold(), "0.333333 0.666667 1 1 1"),
    (
        "pytorch_warmup",
        "0.2.0",
        "ExponentialWarmup(3)",
        saturating(3).shifted(-1),
        "0.283469 0.486583 0.632121 0.736403 0.811124 0.864665 0.903028",
    ),
    (
        "pytorch_warmup",
        "0.2.0",
        "RAdamWarmup",
        rectified(0.999),
        "0.017312 0.025821 0.032739 0.038738 0.044105 0.048998",
    ),
    (
        "ignite",
        "0.5.5",
        "create_lr_scheduler_with_warmup + CosineAnnealingScheduler(14)",
        ramp(0.1, 1, 2) >> decay(14, shape="cosine"),
        "0.1 0.55 1 0.987464 0.950484 0.890916",
    ),
    (
        "detectron2",
        "02b5c4e2",
        "WarmupParamScheduler(cosine, rescale_interval=False)",
        ramp(0.1, 0.7938926261462366, 3) >> decay(10, shape="cosine").shifted(-3),
        "0.1 0.331298 0.562595 0.793893 0.654508 0.5 0.345492 0.206107 0.095492 0.024472",
    ),
    ("detectron2", "02b5c4e2", "WarmupParamScheduler(rescale_interval=True)", standard, f"0.1 0.4 0.7 1 {COSINE}"),
    (
        "mmengine",
        "0.10.7",
        "LinearLR(0, 3) + CosineAnnealingLR(3, 10)",
        ramp(0.1, 1, 2) >> hold(1, 1) >> decay(7, shape="cosine").truncated(6),
        f"0.1 0.55 1 1 {COSINE} | 0.049516",
    ),
    ("keras", "3.15.1", "CosineDecay(warmup_target=1)", standard, "0.1 0.4 0.7 1 0.950484 0.811745 0.61126 0.388739"),
    ("deepspeed", "edaa7221", "WarmupLR(log)", ds_log >> hold(), "0 0 0.63093 1 1 1"),
    ("deepspeed", "edaa7221", "WarmupLR(linear)", hold(0, 1) >> warmup(3), "0 0 0.333333 0.666667 1 1"),
    (
        "deepspeed",
        "edaa7221",
        "WarmupDecayLR(10, log)",
        ds_log >> hold(1, 1) >> decay(7),
        "0 0 0.63093 1 1 0.857143 0.714286 0.571429 0.428571 0.285714 | 0.142857 0",
    ),
    (
        "deepspeed",
        "edaa7221",
        "WarmupCosineLR(warmup_min_ratio=0.1, cos_min_ratio=0, log)",
        hold(0, 1) >> ramp(0.1, 1, 2, "log") >> decay(7, shape="cosine"),
        f"0 0.1 0.667837 1 {COSINE} | 0",
    ),
    (
        "deepspeed",
        "edaa7221",
        "WarmupCosineLR(linear)",
        hold(0, 1) >> ramp(0.1, 1, 3) >> decay(7, shape="cosine").shifted(-1),
        "0 0.1 0.4 0.7 0.950484 0.811745",
    ),
    ("megatron", "d98e8a64", "cosine", standard, f"0.1 0.4 0.7 1 {COSINE} | 0 0 0"),
    ("megatron", "d98e8a64", "linear", ramp(0.1, 1, 3) >> decay(7), f"0.1 0.4 0.7 1 {LINEAR} | 0"),
    (
        "megatron",
        "d98e8a64",
        "inverse-square-root",
        ramp(0.1, 1, 3) >> invsqrt(3),
        "0.1 0.4 0.7 1 0.866025 0.774597 0.707107 0.654654 0.612372 0.57735 | 0.547723",
    ),
    (
        "megatron",
        "d98e8a64",
        "WSD(4, exponential)",
        ramp(0.1, 1, 3) >> hold(1, 3) >> ramp(2, 1, 4, "exponential") + hold(-1),
        "0.1 0.4 0.7 1 1 1 1 0.681793 0.414214 0.189207 | 0",
    ),
    (
        "megatron",
        "d98e8a64",
        "WSD(4, minus_sqrt)",
        ramp(0.1, 1, 3) >> hold(1, 3) >> decay(4, shape="1-sqrt"),
        "0.1 0.4 0.7 1 1 1 1 0.5 0.292893 0.133975 | 0",
    ),
    (
        "torchtitan",
        "b5bcd76c",
        "linear",
        one_based >> hold(1, 1) >> decay(7),
        f"0.333333 0.666667 1 1 {LINEAR} | 0",
    ),
    (
        "torchtitan",
        "b5bcd76c",
        "WSD(decay_ratio=0.4, sqrt)",
        one_based >> hold(1, 4) >> decay(4, shape="1-sqrt"),
        "0.333333 0.666667 1 1 1 1 1 0.5 0.292893 0.133975 | 0",
    ),
    ("nanoGPT", "3adf61e1", "get_lr", ramp(0.25, 1, 3) >> decay(7, shape="cosine"), f"0.25 0.5 0.75 1 {COSINE} | 0"),
    (
        "nanochat",
        "92d63d4",
        "warmdown 4",
        one_based >> hold(1, 4) >> decay(4),
        "0.333333 0.666667 1 1 1 1 1 0.75 0.5 0.25",
    ),
]
# Not a composition: timm's Tanh.


@pytest.mark.parametrize(
    ("peer", "version", "name", "s", "values"), GOLDEN, ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_composition_is_what_the_peer_computes(
    peer: str, version: str, name: str, s: ph.Schedule, values: str
) -> None:
    golden = [float(value) for value in values.replace("|", "").split()]
    np.testing.assert_allclose(s.table(len(golden)), golden, rtol=0, atol=1e-6)
    np.testing.assert_allclose([s.function(t) for t in range(len(golden))], golden, rtol=0, atol=1e-6)
    assert ph.parse(repr(s)) == s


def _torch_rates(make, n: int) -> list[float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler, rates = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def _sequential(lr, optimizer):
    parts = [lr.LinearLR(optimizer, 0.01, total_iters=100), lr.CosineAnnealingLR(optimizer, 900)]
    return lr.SequentialLR(optimizer, parts, [100])


TORCH = [
    (_sequential, ramp(0.01, 1, 100) >> decay(900, shape="cosine")),
    (lambda lr, o: lr.LinearLR(o, 0.25, total_iters=400), ramp(0.25, 1, 400)),
    (lambda lr, o: lr.ExponentialLR(o, 0.99), ramp(1, 0.99**1000, 1000, "exponential")),
    (lambda lr, o: lr.PolynomialLR(o, 1000, power=3), decay(1000, shape=ph.reverse(ph.power(3)))),
    (lambda lr, o: lr.MultiStepLR(o, [300, 700], 0.1), ph.steps([1, 0.1, 0.01], [300, 400, "rest"])),
    (lambda lr, o: lr.StepLR(o, 300, 0.5), hold(1, 300).repeated(4, shrink=0.5)),
    (lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 100, 2), decay(100, shape="cosine").repeated(4, stretch=2)),
    (
        lambda lr, o: lr.OneCycleLR(o, 1.0, 1000),
        ramp(0.04, 1, 299, "cosine") >> ramp(1, 0.04 / 1e4, 700, "cosine"),
    ),
]


@pytest.mark.parametrize(("make", "s"), TORCH, ids=lambda x: repr(x)[:60] if isinstance(x, ph.Schedule) else "")
@pytest.mark.filterwarnings("ignore")
def test_torch_agrees_at_every_one_of_a_thousand_steps(make, s: ph.Schedule) -> None:
    n = 999
    np.testing.assert_allclose(_torch_rates(make, n), s.table(n), rtol=1e-9, atol=1e-12)


def test_the_same_ten_values_come_from_six_libraries() -> None:
    peers = {peer for peer, _, _, s, _ in GOLDEN if s == standard}
    assert peers >= {"torch", "timm", "optax", "detectron2", "keras", "megatron"}
    assert math.isclose(standard(9), 0.049516, abs_tol=1e-6)
