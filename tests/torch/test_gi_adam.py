"""The first updates of GI-Adam, its state as torch would make it, and that a Scheduler takes it for no update."""

import io
import math
import warnings

import pytest
import torch
from torch import nn

from preheat import PreheatError, Run, warmup
from preheat.torch import Scheduler, gi_adam_

KINDS = [
    (torch.optim.Adam, {}),
    (torch.optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (torch.optim.Adam, {"maximize": True, "weight_decay": 0.1}),
    (torch.optim.AdamW, {"weight_decay": 0.0}),
    (torch.optim.AdamW, {"amsgrad": True, "weight_decay": 0.0, "foreach": True}),
    (torch.optim.AdamW, {"fused": True, "weight_decay": 0.0}),
    (torch.optim.AdamW, {"lr": torch.tensor(0.01), "foreach": False, "weight_decay": 0.0}),
]


def built(kind, beta2=0.999, **settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)).double()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.03, "betas": (0.8, beta2)}]
    return model, kind(groups, **{"lr": 0.01, "betas": (0.9, beta2), "eps": 1e-12, **settings})


def gradients(model, seed=0):
    torch.manual_seed(seed + 10)
    model.zero_grad()
    (model(torch.randn(32, 5).double()) - torch.randn(32, 2)).square().mean().backward()


def moved(model, optimizer):
    """The norm of an update in each group."""
    before = [[one.detach().clone() for one in group["params"]] for group in optimizer.param_groups]
    optimizer.step()
    return [
        math.sqrt(
            sum(float((one.detach() - was).square().sum()) for one, was in zip(group["params"], kept, strict=True))
        )
        for group, kept in zip(optimizer.param_groups, before, strict=True)
    ]


@pytest.mark.parametrize("beta2", [0.95, 0.99, 0.999])
@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_the_first_update_is_the_root_of_one_minus_beta2_of_plain_adams(kind, settings, beta2):
    norms = []
    for initialised in (False, True):
        model, optimizer = built(kind, beta2, **settings)
        gradients(model)
        if initialised:
            gi_adam_(optimizer)
        norms.append(moved(model, optimizer))
    for plain, other in zip(*norms, strict=True):
        assert other / plain == pytest.approx(math.sqrt(1 - beta2), rel=1e-3)


def test_it_is_the_factor_of_a_warmup_where_the_gradient_stays():
    """Update t is √(1 − β₂ᵗ) of plain Adam's."""
    norms = []
    for initialised in (False, True):
        weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        optimizer = torch.optim.Adam([weight], betas=(0.9, 0.99))
        weight.grad = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
        if initialised:
            gi_adam_(optimizer)
        norms.append([moved(None, optimizer)[0] for _ in range(300)])
    for t, (plain, other) in enumerate(zip(*norms, strict=True), 1):
        assert other / plain == pytest.approx(math.sqrt(1 - 0.99**t), rel=1e-6)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_its_state_is_as_torch_makes_it(kind, settings):
    (model, optimizer), (twin, plain) = (built(kind, **settings) for _ in range(2))
    gradients(model)
    gradients(twin)
    gi_adam_(optimizer)
    plain.step()
    for ours, theirs in zip(optimizer.state.values(), plain.state.values(), strict=True):
        assert {k: (v.dtype, v.shape, v.device, v.stride()) for k, v in ours.items()} == {
            k: (v.dtype, v.shape, v.device, v.stride()) for k, v in theirs.items()
        }
        assert ours["step"] == 0
        assert not ours["exp_avg"].any()
        beta2 = optimizer.param_groups[0]["betas"][1]
        torch.testing.assert_close(ours["exp_avg_sq"] * (1 - beta2), theirs["exp_avg_sq"])


def trained(model, optimizer, scheduler, seeds):
    for seed in seeds:
        gradients(model, seed)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("saved_at", [0, 3])
@pytest.mark.parametrize("settings", [{}, {"fused": True, "amsgrad": True}])
def test_a_scheduler_takes_it_for_no_update_and_it_resumes(saved_at, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, optimizer = built(torch.optim.AdamW, **settings)
        gradients(model)
        gi_adam_(optimizer)
        scheduler = Scheduler(optimizer, warmup(4), run=Run(total=8))
        trained(model, optimizer, scheduler, range(saved_at))
        file = io.BytesIO()
        torch.save([one.state_dict() for one in (model, optimizer, scheduler)], file)
        trained(model, optimizer, scheduler, range(saved_at, 6))
        assert scheduler.position == 6
        assert not scheduler.audit().findings

        file.seek(0)
        again, other = built(torch.optim.AdamW, **settings)
        follows = Scheduler(other, warmup(4), run=Run(total=8))
        for one, state in zip((again, other, follows), torch.load(file, weights_only=True), strict=True):
            one.load_state_dict(state)
        trained(again, other, follows, range(saved_at, 6))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert [group["lr"] for group in other.param_groups] == [group["lr"] for group in optimizer.param_groups]


def test_gradients_may_be_given_and_missing_ones_begin_plainly():
    first, second = (nn.Parameter(torch.zeros(2)) for _ in range(2))
    optimizer = torch.optim.Adam([first, second])
    gi_adam_(optimizer, [None, torch.tensor([1.0, 2.0])])
    gi_adam_(optimizer, [None, torch.tensor([3.0, 4.0])])
    assert optimizer.state[second]["exp_avg_sq"].tolist() == [9.0, 16.0]
    first.grad = second.grad = torch.ones(2)
    optimizer.step()
    assert first.detach() == pytest.approx(-0.001 * torch.ones(2), rel=1e-4)


def test_what_cannot_be_initialised_is_refused_and_unchanged():
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(PreheatError, match="Adam or AdamW"):
        gi_adam_(torch.optim.SGD([weight], lr=0.1))
    with pytest.raises(PreheatError, match="Adam or AdamW"):
        gi_adam_(3)
    optimizer = torch.optim.Adam([weight, nn.Parameter(torch.ones(3))])
    for given, words in (
        (None, "no parameter has a gradient"),
        ([torch.ones(2)], "2 gradients are needed"),
        ([torch.ones(2), torch.ones(2)], "the shape"),
        ([torch.ones(2), torch.full((3,), math.nan)], "not finite"),
        ([torch.ones(2), torch.full((3,), 1e20)], "the square of a gradient is beyond what float32 holds"),
        ([torch.ones(2).to_sparse(), None], "dense"),
    ):
        with pytest.raises(PreheatError, match=words):
            gi_adam_(optimizer, given)
        assert not optimizer.state
    weight.grad = torch.ones(2)
    optimizer.step()
    with pytest.raises(PreheatError, match="has applied 1 update, and"):
        gi_adam_(optimizer)
