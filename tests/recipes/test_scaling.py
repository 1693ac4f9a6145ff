"""Scaling rules: exact on the decimals that one writes, their own inverses, and refused where they mean nothing."""

from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.recipes import AdamScaling

batches = st.integers(1, 2**24)
rates = st.floats(1e-6, 10.0)


@pytest.mark.parametrize(
    ("base", "batch", "rule", "peak"),
    [
        (256, 8192, "linear", 3.2),  # Goyal et al. 2017, their largest
        (256, 256, "linear", 0.1),
        (256, 64, "linear", 0.025),
        (256, 768, "linear", 0.3),
        (256, 1024, "sqrt", 0.2),
        (4, 9, "sqrt", 0.15),
        (1, 2, "sqrt", 0.1414213562373095),
    ],
)
def test_the_rules_are_exact_on_what_is_written(base: int, batch: int, rule: str, peak: float) -> None:
    assert ph.scaled_peak(0.1, base, batch, rule) == peak


@settings(max_examples=100)
@given(rates, batches, batches, st.sampled_from(["linear", "sqrt"]))
def test_there_and_back_is_where_it_began(lr: float, a: int, b: int, rule: str) -> None:
    there = ph.scaled_peak(lr, a, b, rule)
    assert ph.scaled_peak(there, b, a, rule) == pytest.approx(lr, rel=1e-14)
    assert ph.scaled_peak(lr, a, a, rule) == lr
    assert (there > lr) == (b > a) or there == lr


@settings(max_examples=100)
@given(rates, batches, batches, batches)
def test_two_scalings_are_one(lr: float, a: int, b: int, c: int) -> None:
    """Tokens or samples, in one go or in two: k is all that counts."""
    for rule in ("linear", "sqrt"):
        twice = ph.scaled_peak(ph.scaled_peak(lr, a, b, rule), b, c, rule)
        assert twice == pytest.approx(ph.scaled_peak(lr, a, c, rule), rel=1e-14)


def test_adam_scales_all_it_has() -> None:
    assert ph.scaled_adam(1e-3, base_batch=256, batch=1024) == AdamScaling(2e-3, (0.6, 0.996), 5e-9)
    assert ph.scaled_adam(2e-3, (0.6, 0.996), 5e-9, base_batch=1024, batch=256) == AdamScaling(1e-3, (0.9, 0.999), 1e-8)
    assert ph.scaled_adam(1e-3, (0.0, 0.5), 0.0, base_batch=8, batch=8) == AdamScaling(1e-3, (0.0, 0.5), 0.0)


def test_adam_takes_them_as_they_are() -> None:
    found = ph.scaled_adam(1e-3, [0.9, 0.95], base_batch=32, batch=64)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], **asdict(found))
    assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (found.lr, (0.8, 0.9))


@settings(max_examples=100)
@given(st.floats(0.001, 0.999), st.integers(2, 1000))
def test_the_time_that_a_beta_remembers_stays_the_same_in_samples(beta: float, k: int) -> None:
    if k * (1 - beta) < 0.99:
        scaled = ph.scaled_adam(1e-3, (beta, beta), base_batch=1, batch=k).betas[0]
        assert k / (1 - scaled) == pytest.approx(1 / (1 - beta), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ph.scaled_peak(0.1, 256, 512, "linaer"), "unknown rule 'linaer'; did you mean 'linear'"),
        (lambda: ph.scaled_peak(0.0, 256, 512), "base_lr must be above 0"),
        (lambda: ph.scaled_peak(0.1, 256, -1), "batch must be above 0"),
        (lambda: ph.scaled_peak(0.1, 256, True), "batch must be a number, not True"),
        (lambda: ph.scaled_peak(0.1, float("nan"), 1), "base_batch must be finite"),
        (lambda: ph.scaled_peak(0.1, 1e300, 1e-300, "sqrt"), "no multiple"),
        (lambda: ph.scaled_peak(1e300, 1, 1e100), "out of range"),
        (lambda: ph.scaled_adam(1e-3, base_batch=1, batch=10), r"write a batch of less than 10 times the base"),
        (lambda: ph.scaled_adam(1e-3, (0.5, 1.0), base_batch=1, batch=1), r"betas\[1\] must lie in \[0, 1\)"),
        (lambda: ph.scaled_adam(1e-3, 0.9, base_batch=1, batch=2), "betas are a pair"),
        (lambda: ph.scaled_adam(1e-3, eps=-1e-8, base_batch=1, batch=2), "eps cannot be below 0"),
        (lambda: ph.scaled_adam(-1e-3, base_batch=1, batch=2), "lr must be above 0"),
    ],
)
def test_what_means_nothing_is_refused(call: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        call()
