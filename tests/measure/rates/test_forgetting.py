"""What an update for a new task costs an old one: closed forms on quadratics, at the old minimum and away from it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from preheat import PreheatError
from preheat.measure import relative_critical_lr

H = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)


def tuned(start: torch.Tensor):
    """Weights, and plain gradient descent on ½|θ − x|² for a new x; the old task is ½ Σ hᵢθᵢ²."""
    model = nn.ParameterList([nn.Parameter(start.clone())])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def new(x):
        return 0.5 * (model[0] - x).square().sum()

    def old(more):
        return 0.5 * (H * model[0].square()).sum() + more

    return model, optimizer, new, old


@given(
    start=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    goal=st.lists(st.floats(1.5, 3), min_size=3, max_size=3),
    power=st.floats(-4, 1),
)
@settings(max_examples=15)
def test_it_is_exact_on_quadratics(start, goal, power):
    start, goal = (torch.tensor(one, dtype=torch.float64) for one in (start, goal))
    budget = 10.0**power
    model, optimizer, new, old = tuned(start)
    found = relative_critical_lr(
        model, optimizer, new, [goal], kept_loss=old, kept_batches=[1.0], budget=budget, probes=1, kept=1
    )
    along = start - goal
    slope, bend = float((H * start * along).sum()), float((H * along**2).sum())
    true = (slope + math.sqrt(slope**2 + 2 * bend * budget)) / bend
    assert found.rate == pytest.approx(true, rel=1 / 30)
    assert found.uphill == (slope <= 0)
    for one in found.forgotten:
        assert one.rise == pytest.approx(-slope * one.rate + 0.5 * bend * one.rate**2, rel=1e-6, abs=1e-9)


def test_at_the_minimum_of_the_old_task_the_budget_decides():
    """s = 0: η = √(2·budget/DᵀHD), four times the budget for twice the rate."""
    model, optimizer, new, old = tuned(torch.zeros(3, dtype=torch.float64))
    goal = torch.ones(3, dtype=torch.float64)
    found = [
        relative_critical_lr(
            model, optimizer, new, [goal], kept_loss=old, kept_batches=[1.0], budget=budget, probes=1, kept=1
        )
        for budget in (0.01, 0.04)
    ]
    assert found[0].rate == pytest.approx(math.sqrt(2 * 0.01 / 5.25), rel=1 / 30)
    assert found[1].rate == pytest.approx(2 * found[0].rate, rel=1 / 15)
    assert found[0].uphill == 1


def test_without_a_budget_it_is_the_standard_error_of_the_old_loss():
    model, optimizer, new, old = tuned(torch.zeros(3, dtype=torch.float64))
    goals = [torch.ones(3, dtype=torch.float64) * (1 + 0.1 * place) for place in range(4)]
    found = relative_critical_lr(model, optimizer, new, goals, kept_loss=old, kept_batches=[1.0, 1.1, 1.2, 1.3])
    error = math.sqrt(0.05 / 3) / 2
    assert found.budget == pytest.approx(error)
    assert found.measured
    assert found.low < found.rate < found.high
    assert "standard error" in found.sentence
    with pytest.raises(PreheatError, match="give budget="):
        relative_critical_lr(model, optimizer, new, goals, kept_loss=old, kept_batches=[1.0] * 4)


def test_an_old_task_that_is_not_touched_has_a_bound():
    model = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = relative_critical_lr(
        model,
        optimizer,
        lambda _: model[0].square().sum(),
        [0] * 4,
        kept_loss=lambda _: model[1].square().sum(),
        kept_batches=[0] * 4,
        budget=0.1,
    )
    assert found.rate is None
    assert "No update up to the rate" in found.sentence


def test_a_budget_below_rounding_is_refused():
    model, optimizer, new, old = tuned(torch.zeros(3, dtype=torch.float64))
    goals = [torch.ones(3, dtype=torch.float64)] * 4
    with pytest.raises(PreheatError, match=r"3 times its noise.*larger budget"):
        relative_critical_lr(model, optimizer, new, goals, kept_loss=old, kept_batches=[1.0] * 4, budget=1e-15)


@pytest.mark.parametrize("calls", [0, 3, 9, 20])
def test_nothing_of_it_is_left(trained, calls):
    one, left = trained(), [calls]
    before = one.state()

    def kept_loss(batch):
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("out of memory")
        return one.loss(batch)

    if calls:
        with pytest.raises(RuntimeError, match="out of memory"):
            relative_critical_lr(*one.given, kept_loss=kept_loss, kept_batches=one.batches[::-1], budget=0.1)
    else:
        found = relative_critical_lr(*one.given, kept_loss=kept_loss, kept_batches=one.batches[::-1], budget=0.1)
        assert "<svg" in found._repr_html_()
        assert [len(row.each) for row in found.forgotten] == [4] * 7
    assert one.state() == before
