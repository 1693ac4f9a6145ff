"""The meter finds in training what the micro-batches and the ranks hold, and changes nothing of it."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
import torch.distributed as dist
from torch import nn

from preheat import PreheatError
from preheat.measure import NoiseMeter
from preheat.measure.noise.two_batch import TwoBatch

HERE = Path(__file__).parent


def accumulated(meter, weight, micro, scale=1.0):
    """One update whose micro-batches have these gradients."""
    weight.grad = None
    for so_far in torch.as_tensor(micro).cumsum(0) * scale / len(micro):
        weight.grad = so_far
        meter.micro_batch(3)
    meter.update()


@pytest.mark.parametrize("n", [2, 5])
def test_norms_of_sums_tell_both_without_bias(n):
    """tr Σ and |G|² within 4 standard errors, these below 8 %."""
    rng = numpy.random.default_rng(5)
    mean, spread = rng.standard_normal(20) * 0.3, rng.random(20)
    weight = nn.Parameter(torch.zeros(20, dtype=torch.float64))
    meter, seen = NoiseMeter(nn.ParameterList([weight]), decay=1.0), []
    for _ in range(600):
        accumulated(meter, weight, mean + spread / math.sqrt(3) * rng.standard_normal((n, 20)))
        meter._fold()
        seen.append((meter.found.trace, meter.found.squared_gradient))
    each = numpy.diff(numpy.array(seen) * numpy.arange(1, 601)[:, None], axis=0, prepend=0.0)
    error = each.std(axis=0) / math.sqrt(600)
    truth = numpy.array([(spread**2).sum(), (mean**2).sum()])
    assert (abs(each.mean(axis=0) - truth) < 4 * error).all()
    assert (4 * error < 0.3 * truth).all()


def test_micro_batches_of_unequal_sizes():
    """Sums of squares of known gradients, by hand: |2P₁|² = 4, |2P₂|² = 16 from 2 and 6 examples."""
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    meter, expected = NoiseMeter(nn.ParameterList([weight])), TwoBatch(0.98)
    for gradient, size in (([2.0, 0.0], 2), ([2.0, 0.0], 6)):
        (weight * torch.tensor(gradient) / 2).sum().backward()
        meter.micro_batch(size)
    meter.update()
    meter.interval()
    expected.add((4 + (16 - 4) / 3) / 2, 4.0, 2 / (1 / 2 + 1 / 6 / 3), 4 / (1 / 2 + 1 / 6))
    assert (meter.found.trace, meter.found.squared_gradient) == pytest.approx(
        (expected.trace, expected.squared_gradient), rel=1e-6, abs=1e-9
    )


def test_a_loss_scale_does_not_matter_and_what_is_not_finite_is_skipped():
    rng = numpy.random.default_rng(2)
    weight = nn.Parameter(torch.zeros(20, dtype=torch.float64))
    meters = [NoiseMeter(torch.optim.SGD([weight], lr=0.1)) for _ in range(2)]
    for _ in range(40):
        micro = 0.5 + rng.standard_normal((4, 20))
        for meter, scale in zip(meters, (1.0, 1024.0), strict=True):
            accumulated(meter, weight, micro, scale)
    accumulated(meters[1], weight, numpy.full((4, 20), numpy.inf))
    accumulated(meters[1], weight, numpy.ones((1, 20)))
    assert meters[0].value == pytest.approx(meters[1].value, rel=1e-6)
    low, high = meters[0].interval()
    assert low < 60 / 0.25 / 20 < high, "the true one"
    assert "40 updates (2 more told nothing)" in str(meters[1])


def test_without_signal_it_is_not_known():
    weight, rng = nn.Parameter(torch.zeros(20, dtype=torch.float64)), numpy.random.default_rng(0)
    meter = NoiseMeter(nn.ParameterList([weight]))
    assert meter.value is None
    for _ in range(30):
        accumulated(meter, weight, rng.standard_normal((4, 20)))
    assert meter.value is None
    assert "not known" in str(meter)


def test_where_nothing_is_known_it_asks_whether_gradients_are_cleared():
    weight, rng = nn.Parameter(torch.zeros(20)), numpy.random.default_rng(0)
    meter = NoiseMeter(nn.ParameterList([weight]))
    weight.grad = torch.zeros(20)
    for place in range(120):
        weight.grad += torch.as_tensor(0.3 + rng.standard_normal(20), dtype=torch.float32) / 4
        meter.micro_batch(3)
        if place % 4 == 3:
            meter.update()
    assert str(meter).endswith("keep training, with gradients cleared before each update's first")


def test_what_cannot_be_metered_is_refused():
    with pytest.raises(PreheatError, match="module or of an optimizer"):
        NoiseMeter(3)
    with pytest.raises(
        PreheatError, match="hook is of a DistributedDataParallel, not 'Linear'; leave hook= and state= out"
    ):
        NoiseMeter(nn.Linear(1, 1), hook=print)
    with pytest.raises(PreheatError, match="decay"):
        NoiseMeter(nn.Linear(1, 1), decay=0.0)
    with pytest.raises(PreheatError, match="after backward"):
        NoiseMeter(nn.Linear(1, 1)).micro_batch(3)
    with pytest.raises(PreheatError, match="number of examples"):
        NoiseMeter(nn.Linear(1, 1)).micro_batch(0)


@pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="torch without gloo")
def test_two_ranks_find_what_their_gradients_say(tmp_path: Path) -> None:
    """Over gloo: the two-batch estimate of gradients computed beside DDP, on both ranks; weights as without a meter."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    command = [sys.executable, HERE / "workers" / "meter_ranks.py", tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    reports = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for report in reports:
        assert report["found"] == pytest.approx(report["expected"], rel=1e-4, abs=1e-6 * report["expected"][0])
        assert report["same"]
        assert "of 20 updates" in report["text"]
        assert "no_sync()" in report["twice"]
        assert "give the DistributedDataParallel" in report["plain"]
    assert reports[0]["found"] == reports[1]["found"]
