"""What Ignite's schedulers do that one should know, shown on the running library beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

torch = pytest.importorskip("torch")
own = pytest.importorskip("ignite.handlers.param_scheduler")


def optimizer(groups: int = 1, lr: float = 0.1) -> object:
    return torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(groups)], lr=lr)


def called(scheduler: object, sgd: object, n: int) -> list[list[float]]:
    found = []
    for _ in range(n):
        scheduler(None)
        found.append([group["lr"] for group in sgd.param_groups])
    return found


def ours(name: str, **arguments: object) -> compat.Restated:
    return compat.restate("ignite", name, **arguments)


def test_a_warmup_of_less_than_two_updates_is_refused_by_both() -> None:
    inner = own.CosineAnnealingScheduler(optimizer(), "lr", 0.1, 0.0, 10)
    with pytest.raises(ValueError, match="at least 2"):
        own.create_lr_scheduler_with_warmup(inner, 0.0, 1)
    with pytest.raises(PreheatError, match="two updates"):
        ours("create_lr_scheduler_with_warmup", lr_scheduler="hold(1)", warmup_start_value=0.0, warmup_duration=1)


def test_the_peak_is_the_last_update_of_the_warmup_and_the_first_value_of_the_decay() -> None:
    sgd = optimizer(lr=1.0)
    inner = own.CosineAnnealingScheduler(sgd, "lr", 1.0, 0.0, 14)
    given = called(own.create_lr_scheduler_with_warmup(inner, 0.1, 3), sgd, 6)
    restated = ours(
        "create_lr_scheduler_with_warmup",
        lr_scheduler=ours("CosineAnnealingScheduler", start_value=1.0, end_value=0.0, cycle_size=14),
        warmup_start_value=0.1,
        warmup_duration=3,
        warmup_end_value=1.0,
    )
    assert restated.table(6).tolist() == pytest.approx([rates[0] for rates in given])
    assert restated(2) == 1.0 > restated(3)


def test_the_recursive_schedulers_of_torch_are_off() -> None:
    sgd = optimizer(lr=1.0)
    inner = torch.optim.lr_scheduler.LinearLR(sgd, 0.1, total_iters=4)
    given = called(own.LRScheduler(inner), sgd, 8)
    assert given[-1][0] < 0.2  # torch's own is at 1
    restated = ours("LRScheduler", lr_scheduler=compat.torch.linear_lr(start_factor=0.1, total_iters=4))
    assert restated.table(8).tolist() == pytest.approx([rates[0] for rates in given])
    assert not restated.findings


def test_a_scheduler_that_computes_its_rate_anew_is_equal() -> None:
    sgd = optimizer(lr=1.0)
    given = called(own.LRScheduler(torch.optim.lr_scheduler.LambdaLR(sgd, lambda t: 0.9**t)), sgd, 5)
    assert [rates[0] for rates in given] == pytest.approx([0.9**t for t in range(5)])


def test_a_least_rate_on_a_plateau_is_taken_as_0_without_a_group() -> None:
    scheduler = own.ReduceLROnPlateauScheduler(optimizer(), "loss", min_lr=0.5)
    assert scheduler.scheduler.min_lrs == [0]
    restated = ours("ReduceLROnPlateauScheduler", metric_name="loss", min_lr=0.5)
    assert {found.code for found in restated.findings} == {"metric-driven", "ignored-argument"}


def test_cycles_that_shrink_to_nothing_divide_by_zero() -> None:
    sgd = optimizer()
    scheduler = own.CosineAnnealingScheduler(sgd, "lr", 0.1, 0.0, 2, cycle_mult=0.4)
    with pytest.raises(ZeroDivisionError):
        called(scheduler, sgd, 4)
    restated = ours("CosineAnnealingScheduler", start_value=0.1, end_value=0.0, cycle_size=2, cycle_mult=0.4)
    assert [(found.code, found.place) for found in restated.findings] == [("after-the-end", "update 2")]


def test_another_parameter_or_one_group_leaves_the_rate_alone() -> None:
    momentum = ours("PiecewiseLinear", param_name="momentum", milestones_values=[(0, 0.8), (10, 0.9)])
    assert (momentum(5), momentum.plan["momentum"](5)) == (1.0, pytest.approx(0.85))
    group = ours("PiecewiseLinear", milestones_values=[(0, 0.1)], param_group_index=1)
    both = ours("ParamGroupScheduler", schedulers=[momentum, group])
    assert sorted(both.plan) == ["1/lr", "lr", "momentum"]
