"""Schedulers as written, saved and living: runs that are longer than they are, what they move beside, and bases."""

from typing import Any

import pytest
import torch
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
