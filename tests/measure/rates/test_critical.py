"""The critical rate: exact on quadratics for every optimizer, hidden by noise or not, and nothing of it is left."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from preheat import PreheatError
from preheat.measure import critical_lr
from preheat.measure.rates.critical import search
from preheat.measure.training import Training

EXACT = 1 + 1 / 32 + 1e-4
OPTIMIZERS = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.1),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.1, weight_decay=0.1),
}


class Quadratic(nn.Module):
    """½ (θ − x)ᵀH(θ − x) + ½ in 6 dimensions of two parameters, in double precision; x is the batch."""

    def __init__(self, seed: int, scale: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
        self.hessian = scale * (root @ root.T + 0.1 * torch.eye(6, dtype=torch.float64))
        start = torch.randn(6, generator=generator, dtype=torch.float64)
        self.first, self.second = nn.Parameter(start[:2].clone()), nn.Parameter(start[2:].clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        away = torch.cat([self.first, self.second]) - x
        return 0.5 * away @ self.hessian @ away + 0.5

    def given(self, kind: str, updates: int):
        """What a measurement is given, some small updates into its training; the second group at a third of the rate."""
        optimizer = OPTIMIZERS[kind]([{"params": [self.first]}, {"params": [self.second], "lr": 0.1 / 3}])
        for group in optimizer.param_groups:
            group["lr"] *= 1e-3
        for _ in range(updates):
            optimizer.zero_grad()
            self(torch.zeros(6, dtype=torch.float64)).backward()
            optimizer.step()
        return self, optimizer, self, [torch.zeros(6, dtype=torch.float64)] * 4

    def critical(self, optimizer: torch.optim.Optimizer) -> float:
        """2 gᵀD/DᵀHD, with D from an update of a copy at rate 1."""
        model, other = copy.deepcopy((self, optimizer))
        for group, ratio in zip(other.param_groups, (1.0, 1 / 3), strict=True):
            group["lr"] = ratio
        other.zero_grad()
        model(torch.zeros(6, dtype=torch.float64)).backward()
        gradient = torch.cat([model.first.grad, model.second.grad])
        before = torch.cat([model.first, model.second]).detach().clone()
        other.step()
        along = before - torch.cat([model.first, model.second]).detach()
        return float(2 * (gradient @ along) / (along @ self.hessian @ along))


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), power=st.floats(-6, 6), updates=st.sampled_from([0, 3]))
def test_it_is_exact_on_quadratics_of_every_size(kind, seed, power, updates):
    problem = Quadratic(seed, 10.0**power)
    given_ = problem.given(kind, updates if power < 2 else 0)  # SGD at a fixed rate is no training beyond
    true = problem.critical(given_[1])
    if true <= 0:
        return
    found = critical_lr(*given_, probes=1)
    assert true / EXACT <= found.rate <= true * EXACT
    assert found.probes[0].forwards <= 16
    warm = critical_lr(*given_, probes=1, guess=true * 2.0 ** math.sin(seed))
    assert true / EXACT <= warm.rate <= true * EXACT
    assert warm.probes[0].forwards <= 8


def test_the_first_update_of_adam_is_the_sign_of_the_gradient():
    """L = ½ Σ hᵢθᵢ², D = sign(θ): η_c = 2 Σ hᵢ|θᵢ| / Σ hᵢ, which no gradient step would give."""
    theta, h = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, 1.0, 10.0])
    model = nn.ParameterList([nn.Parameter(theta.clone())])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=0.0)
    found = critical_lr(model, optimizer, lambda _: 0.5 * (h * model[0] ** 2).sum(), [0], probes=1)
    assert found.rate == pytest.approx(2 * float((h * theta.abs()).sum() / h.sum()), rel=1 / 30)


def test_momentum_is_in_the_direction():
    """One dimension, L = ½θ²: after an update of g₀ at the rate r, D = m·g₀ + g₁ and η_c = 2θ/D."""
    model = nn.ParameterList([nn.Parameter(torch.ones(1))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    (0.5 * model[0].square().sum()).backward()
    optimizer.step()
    found = critical_lr(model, optimizer, lambda _: 0.5 * model[0].square().sum(), [0], probes=1)
    assert found.rate == pytest.approx(2 * 0.9 / (0.9 * 1.0 + 0.9), rel=1 / 30)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_nothing_of_it_is_left(trained, kind):
    one = trained(kind)
    one.model.eval()
    before = one.state()
    found = critical_lr(*one.given)
    assert one.state() == before
    assert found.low < found.rate < found.high
    assert len(found.probes) == 4
    assert max(probe.forwards for probe in found.probes[1:]) <= 10


@pytest.mark.parametrize("calls", [1, 2, 5, 12])
def test_nothing_of_it_is_left_when_the_loss_raises(trained, calls):
    one, left = trained(), [calls]
    before = one.state()

    def loss(batch):
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("out of memory")
        return one.loss(batch)

    with pytest.raises(RuntimeError, match="out of memory"):
        critical_lr(one.model, one.optimizer, loss, one.batches)
    assert one.state() == before


def test_micro_batches_are_one_large_batch(trained):
    one = trained(torch.optim.SGD, updates=0)
    one.model.eval()
    x, y = (torch.cat(parts) for parts in zip(*one.batches[:4], strict=True))
    whole = critical_lr(one.model, one.optimizer, one.loss, [(x, y)], probes=1)
    parts = critical_lr(*one.given, probes=1, micro_batches=4)
    assert parts.rate == pytest.approx(whole.rate, rel=1e-3)
    assert parts.forwards == whole.forwards


def test_dropout_that_decides_is_refused_and_without_it_there_is_an_answer(trained):
    one = trained()
    with pytest.raises(PreheatError, match=r"hidden by noise.*model\.eval\(\)"):
        critical_lr(*one.given)
    one.model.eval()
    assert critical_lr(*one.given).noise == 0.0


def test_a_loss_that_differs_when_it_is_computed_again_is_refused():
    model = nn.ParameterList([nn.Parameter(torch.ones(1))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    numbers = iter(torch.rand(10_000, generator=torch.Generator().manual_seed(0)).tolist())
    with pytest.raises(PreheatError, match="noise"):
        critical_lr(model, optimizer, lambda _: 0.5 * model[0].square().sum() + 5 * next(numbers), [0] * 4)


def test_what_is_left_of_a_slope_on_other_batches_says_how_small_a_batch_is():
    """Means of a normal variable with unit noise, SGD: (1 + 1/(B·|θ|²/d))⁻¹ of the slope is left."""
    shares = {}
    for size in (2, 200):
        torch.manual_seed(3)
        model = nn.ParameterList([nn.Parameter(torch.ones(50))])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        batches = [torch.randn(size, 50) for _ in range(32)]
        found = critical_lr(
            model, optimizer, lambda x, model=model: 0.5 * (model[0] - x).square().sum(1).mean(), batches, probes=32
        )
        assert found.rate == pytest.approx(2.0, rel=1 / 16)
        shares[size] = found.share
        assert ("batches are small" in found.sentence) is (found.share < 0.5)
    assert shares == {2: pytest.approx(2 / 3, abs=0.08), 200: pytest.approx(1.0, abs=0.05)}


def test_a_loss_that_never_rises_has_a_bound_and_one_uphill_is_refused():
    model = nn.ParameterList([nn.Parameter(torch.ones(1))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = critical_lr(model, optimizer, lambda _: model[0].sum(), [0], probes=1)
    assert found.rate is None
    assert found.low == pytest.approx(1e4)
    assert "not below 1e+04" in found.sentence
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, maximize=True)
    with pytest.raises(PreheatError, match="does not lower the loss"):
        critical_lr(model, optimizer, lambda _: model[0].square().sum(), [0], probes=1)


def test_an_update_that_is_tiny_beside_the_weights_is_not_rounded_away():
    """θ = 1000 and g = 1e-5 in float32: θ − g is θ, yet D is known."""
    model = nn.ParameterList([nn.Parameter(torch.full((4,), 1000.0))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    given_ = (model, optimizer, lambda _: 1e-5 * model[0].sum(), [0])
    with Training(*given_).opened() as probe:
        line = probe.line([0])
        torch.testing.assert_close(line.direction[0], torch.full((4,), 1e-5), rtol=1e-3, atol=0.0)
        assert search(line, lambda: probe.loss(0), line.loss).rate is None


def test_it_prints_a_sentence_and_draws_its_curves(trained):
    one = trained()
    one.model.eval()
    found = critical_lr(*one.given)
    assert "Good for" in str(found)
    assert "Not good for" in str(found)
    assert len(found.panel().series) == 4
    assert "<svg" in found._repr_html_()


@pytest.mark.parametrize("wrong", [{"probes": 0}, {"micro_batches": 1.5}, {"guess": -1.0}, {"probes": 9}])
def test_bad_arguments_are_refused(trained, wrong):
    one = trained()
    with pytest.raises(PreheatError):
        critical_lr(*one.given, **wrong)
