"""Schedulers as written, saved and living: runs that are longer than they are, what they move beside, and bases."""

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as live

from preheat import PreheatError
from preheat.compat import read

WRITTEN = {
    "CosineAnnealingLR": lambda o: live.CosineAnnealingLR(o, T_max=10, eta_min=0.01),
    "PolynomialLR": lambda o: live.PolynomialLR(o, total_iters=10),
    "LinearLR": lambda o: live.LinearLR(o, 0.1, total_iters=10),
}


def optimizer(groups: int = 1) -> Any:
    return torch.optim.SGD(
        [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=0.1, momentum=0.9
    )


def stepped(scheduler: Any, n: int) -> list[float]:
    found = []
    for _ in range(n):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_a_run_longer_than_its_scheduler_is_as_in_torch(name: str) -> None:
    made, rates = WRITTEN[name](optimizer()), stepped(WRITTEN[name](optimizer()), 45)
    text = {"CosineAnnealingLR": "T_max=10, eta_min=0.01", "PolynomialLR": "total_iters=10"}.get(
        name, "0.1, total_iters=10"
    )
    for found in (
        read(f"torch.{name}(o, {text})", total=45, base_lr=0.1),
        read(made.state_dict(), total=45),
        read(made, total=45),
    ):
        assert found.table(45) == pytest.approx(rates, abs=1e-12)


def test_what_fails_inside_the_run_is_refused() -> None:
    with pytest.raises(PreheatError, match="the run has 20 updates"):
        read("OneCycleLR(o, max_lr=0.1, total_steps=10)", total=20)


@pytest.mark.parametrize(
    "text", ["optax.linear_schedule(0.0, 1e-3, 10)", "keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.9)"]
)
def test_the_base_of_rates_is_not_used_and_told(text: str) -> None:
    alone, based = read(text, total=100), read(text, total=100, base_lr=0.1)
    assert based.table(100).tolist() == alone.table(100).tolist()
    assert "base_lr" in {one.place for one in based.findings}


def test_other_groups_and_momentum_are_told() -> None:
    groups = live.LambdaLR(optimizer(2), [lambda t: 1.0, lambda t: 1 / (1 + t)])
    assert {one.place for one in read(groups, total=10).findings} == {"param_groups"}
    assert {one.place for one in read(live.OneCycleLR(optimizer(), 0.1, 10), total=10).findings} == {"momentum"}
    assert read(live.StepLR(optimizer(2), 3), total=10).findings == ()


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ({}, "give the path of a config"),
        ("LambdaLR(o, lambda s: 1 / (1 + s))", "give the scheduler itself"),
        ({"lr_lambdas": [None], "base_lrs": [0.1]}, "give the scheduler itself"),
        ("StepLR(o, " + "-" * 50_000 + "1)", "nested too deeply"),
    ],
)
def test_what_cannot_be_read_says_what_can(source: Any, match: str) -> None:
    with pytest.raises(PreheatError, match=match):
        read(source, total=10)


MEMBERS = [
    "LinearLR(optimizer, 0.1, total_iters=5)",
    "ExponentialLR(optimizer, 0.9)",
    "MultiStepLR(optimizer, [2, 4])",
    "ConstantLR(optimizer, 0.5, total_iters=3)",
    "CyclicLR(optimizer, base_lr=0.01, max_lr=0.1, step_size_up=5)",
    "OneCycleLR(optimizer, max_lr=0.2, total_steps=40)",
]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(MEMBERS), min_size=2, max_size=3), st.integers(1, 9), st.sampled_from([0.05, 0.1, 2.0]))
def test_a_sequence_of_rates_and_factors_is_torchs_at_any_base(members: list[str], length: int, base: float) -> None:
    assume(sum("OneCycle" in one or "Cyclic" in one for one in members) <= 1)  # both move the momentum
    text = f"SequentialLR(optimizer, [{', '.join(members)}], milestones={[length * i for i in range(1, len(members))]})"
    on = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)
    scheduler = eval(text, {**vars(live), "optimizer": on})
    found = read(text, base_lr=base, total=30)
    assert [found(t) for t in range(30)] == pytest.approx(stepped(scheduler, 30), rel=1e-9)


def test_a_chain_that_was_stepped_is_refused_and_one_with_a_cosine_is_cut_at_its_run() -> None:
    def chain(length: int) -> Any:
        one = optimizer()
        return live.ChainedScheduler([live.LinearLR(one, 0.1, total_iters=5), live.CosineAnnealingLR(one, length)])

    moved = chain(35)
    stepped_once = stepped(moved.__class__(moved._schedulers), 1)
    assert stepped_once == pytest.approx([0.01])
    with pytest.raises(PreheatError, match="stands at update 1"):
        read(moved, total=40)
    found = read(chain(35), total=40)
    assert [found(t) for t in range(40)] == pytest.approx(stepped(chain(35), 40), abs=1e-12)
    text = "ChainedScheduler([LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, 20)])"
    longer = read(text, base_lr=0.1, total=100)
    assert [longer(t) for t in range(61)] == pytest.approx(stepped(chain(20), 61), abs=1e-12)
    assert [(one.code, one.place) for one in longer.findings] == [("no-end", "update 60")]
