"""The noise scale is the exact one, its interval holds what it says, and where the gradient drowns it says so."""

import itertools
import math

import numpy
import pytest
import torch
from torch import nn

from preheat import PreheatError
from preheat.measure import noise_scale
from preheat.measure.noise.scale import size_of
from preheat.measure.noise.two_batch import TwoBatch


def gaussian(rng, mean, spread, sizes, draws):
    """What a TwoBatch finds on gradients of known mean and covariance diag(spread²)."""
    found = TwoBatch()
    n, b = sizes
    for _ in range(draws):
        micro = mean + spread / math.sqrt(b) * rng.standard_normal((n, len(mean)))
        found.add(float((micro**2).sum(1).mean()), float((micro.mean(0) ** 2).sum()), b, n * b)
    return found


@pytest.mark.parametrize("sizes", [(2, 1), (4, 8), (16, 3)])
def test_numerator_and_denominator_have_no_bias(sizes):
    rng = numpy.random.default_rng(7)
    mean, spread = rng.standard_normal(20) * 0.3, rng.random(20) * 2
    found = [gaussian(rng, mean, spread, sizes, 4) for _ in range(1500)]
    for name, truth in (("trace", (spread**2).sum()), ("squared_gradient", (mean**2).sum())):
        seen = numpy.array([getattr(one, name) for one in found])
        error = seen.std() / math.sqrt(len(seen))
        assert abs(seen.mean() - truth) < 4 * error < 0.3 * truth, name


def test_the_interval_covers_what_it_says():
    """Written down before it was run: 95 % intervals of 30 draws hold the truth in 92 to 98 of 100, here of 600 trials."""
    rng = numpy.random.default_rng(3)
    mean, spread = numpy.full(20, 0.2), numpy.linspace(0.5, 1.5, 20)
    truth = (spread**2).sum() / (mean**2).sum()
    inside = [
        low <= truth <= high for low, high in (gaussian(rng, mean, spread, (4, 8), 30).interval() for _ in range(600))
    ]
    assert 0.92 <= numpy.mean(inside) <= 0.98


def test_a_gradient_that_drowns_is_not_known_but_bounded():
    found = gaussian(numpy.random.default_rng(1), numpy.zeros(20), numpy.ones(20), (4, 8), 30)
    low, high = found.interval()
    assert found.value is None
    assert 0 < low < high == math.inf


def test_draws_without_replacement_have_the_known_bias_and_no_other():
    """Over all ways to draw: tr Σ is that of the sample with N − 1, and |G|² is less by tr Σ / N."""
    gradients = numpy.random.default_rng(0).standard_normal((6, 3))
    trace = gradients.var(axis=0, ddof=1).sum()
    squared = (gradients.mean(0) ** 2).sum()
    seen = []
    for order in itertools.permutations(range(6), 4):
        micro = gradients[list(order)].reshape(2, 2, 3).mean(1)
        seen.append(TwoBatch().add((micro**2).sum(1).mean(), (micro.mean(0) ** 2).sum(), 2, 4))
    assert numpy.mean(seen, axis=0) == pytest.approx((trace, squared - trace / 6), rel=1e-12)


def test_what_is_old_is_forgotten():
    found = TwoBatch(decay=0.5)
    for level in (100.0, *[1.0] * 40):
        found.add(2 * level, 1.5 * level, 1, 2)
    assert (found.trace, found.squared_gradient) == pytest.approx((1.0, 1.0), rel=1e-9)
    assert found._weight**2 / found._squares == pytest.approx((1 + 0.5) / (1 - 0.5))


def digits():
    """A small net on 1,347 digits, some updates into its training, and its exact tr Σ and |G|²."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    order = numpy.random.default_rng(0).permutation(1797)[:1347]
    x, y = torch.tensor(data.data[order] / 16, dtype=torch.float32), torch.tensor(data.target[order])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)

    def loss(batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    for part in torch.arange(1280).split(128):
        optimizer.zero_grad()
        loss((x[part], y[part])).backward()
        optimizer.step()

    def of_one(weights, image, label):
        return nn.functional.cross_entropy(torch.func.functional_call(model, weights, (image[None],)), label[None])

    weights = {name: one.detach() for name, one in model.named_parameters()}
    each = torch.func.vmap(torch.func.grad(of_one), (None, 0, 0))(weights, x, y)
    each = torch.cat([one.flatten(1) for one in each.values()], 1).double()
    return model, optimizer, loss, (x, y), each.var(0, correction=0).sum().item(), each.mean(0).square().sum().item()


def test_on_digits_it_is_the_exact_one():
    """Within 10 % after 200 draws, drawn with replacement from the very images of the exact one; seed 0 was chosen before."""
    model, optimizer, loss, (x, y), trace, squared = digits()
    generator = torch.Generator().manual_seed(0)

    def batches():
        while True:
            chosen = torch.randint(1347, (16,), generator=generator)
            yield x[chosen], y[chosen]

    before = [one.detach().clone() for one in model.parameters()]
    found = noise_scale(model, optimizer, loss, batches(), micro_batches=8, draws=200)
    assert found.value == pytest.approx(trace / squared, rel=0.1)
    assert found.low < trace / squared < found.high
    assert found.trace == pytest.approx(trace, rel=0.1)
    assert found.squared_gradient == pytest.approx(squared, rel=0.1)
    assert all(torch.equal(one, was) for one, was in zip(model.parameters(), before, strict=True))
    assert found.sizes == (16, 128)


def test_batches_of_unequal_sizes_count_as_what_they_are():
    """Linear loss: the gradients are the examples, so both norms are known."""
    weight = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.1)
    rng = torch.Generator().manual_seed(0)
    batches = [torch.randn(size, 3, generator=rng, dtype=torch.float32) + 1 for size in [5, 2] * 4]
    found = noise_scale(weight, optimizer, lambda batch: weight(batch).mean(), batches, micro_batches=2)
    expected = TwoBatch()
    for a, b in zip(batches[::2], batches[1::2], strict=True):
        small = (a.mean(0).square().sum() + b.mean(0).square().sum()) / 2
        expected.add(small.item(), torch.cat([a, b]).mean(0).square().sum().item(), 2 / (1 / 5 + 1 / 2), 7)
    assert found.trace == pytest.approx(expected.trace, rel=1e-4)
    assert found.squared_gradient == pytest.approx(expected.squared_gradient, rel=1e-4)
    assert len(found.draws) == 4


@pytest.mark.parametrize("scaled", [False, True])
def test_nothing_is_left_and_scaling_changes_nothing(trained, scaled):
    one = trained()
    before, scaler = one.state(), torch.amp.GradScaler("cpu", init_scale=1024.0) if scaled else None
    found = noise_scale(*one.given, micro_batches=2, scaler=scaler)
    plain = noise_scale(*one.given, micro_batches=2)
    assert one.state() == before
    assert found.trace == pytest.approx(plain.trace, rel=1e-3)
    assert "noise scale" in str(found)
    assert "Not good for" in str(found)
    assert found.plot().startswith("<svg")


def test_dropout_is_noise(trained):
    """The same examples in every micro-batch, dropout alone differs: its noise is seen."""
    one = trained()
    one.batches = [one.batches[0]] * 8
    assert noise_scale(*one.given, micro_batches=2).trace > 0
    one.model.eval()
    quiet = noise_scale(*one.given, micro_batches=2)
    assert quiet.trace == pytest.approx(0, abs=1e-4 * quiet.squared_gradient)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"micro_batches": 1}, "at least 2"),
        ({"draws": 3}, "at least 4"),
        ({"micro_batches": 3}, "give 2"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_be_measured_is_refused(trained, options, words):
    one = trained()
    before = one.state()
    with pytest.raises(PreheatError, match=words):
        noise_scale(*one.given, **options)
    assert one.state() == before


def test_uneven_batches_are_said_to_be_uneven(trained):
    one = trained()
    batches = [(x[:n], y[:n]) for (x, y), n in zip(one.batches, [2, 14] * 4, strict=True)]
    found = noise_scale(one.model, one.optimizer, one.loss, batches, micro_batches=2, draws=4)
    assert "4 draws of 16 examples in micro-batches of 8 (2 to 14; the numbers are means)" in found.sentence
    even = noise_scale(*one.given, micro_batches=2, draws=4)
    assert "4 draws of 32 examples in micro-batches of 16." in even.sentence


def test_the_size_of_a_batch_is_that_of_its_first_tensor():
    x = torch.zeros(3, 2)
    assert [size_of(one) for one in (x, (x, 1), {"a": [x]}, ["name", x])] == [3, 3, 3, 3]
    assert size_of("anything", 5) == 5
    for unknown in ("text", [], torch.tensor(1.0), torch.zeros(0, 2)):
        with pytest.raises(PreheatError, match="batch_size="):
            size_of(unknown)


@pytest.mark.parametrize("given", [(1.0, 2.0, 4, 4), (1.0, 2.0, 0, 4), (math.nan, 1.0, 1, 2), (1.0, 1.0, 3, 2)])
def test_norms_that_say_nothing_are_refused(given):
    with pytest.raises(PreheatError):
        TwoBatch().add(*given)
