"""The scheduler on one optimizer: what it writes, when it advances, and what it refuses."""

import copy
import math
import pickle

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import ChainedScheduler, LinearLR, LRScheduler, SequentialLR

import preheat as ph
from preheat.torch import Scheduler


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(3))


def sgd(lr: object = 0.1, **kwargs: object) -> SGD:
    return SGD([parameter()], lr=lr, **kwargs)


def two_groups(kind: type = SGD, **kwargs: object) -> torch.optim.Optimizer:
    groups = [
        {"params": [parameter()], "lr": 0.1, "name": "body"},
        {"params": [parameter()], "lr": 0.01, "name": "head"},
    ]
    return kind(groups, lr=1.0, **kwargs)


def train(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()


def rates(scheduler: Scheduler, updates: int) -> list[float]:
    seen = []
    for _ in range(updates):
        seen.append(scheduler.optimizer.param_groups[0]["lr"])
        train(scheduler.optimizer)
        scheduler.step()
    return [float(rate) for rate in seen]


def test_the_example_that_everyone_copies_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    """From 0.01 to 0.1 linearly over 1000 steps, then constant: the printed rates prove it."""
    optimizer = sgd(lr=0.1)
    schedule = ph.ramp(0.01, 0.1, 1000) >> ph.hold(0.1)
    scheduler = Scheduler(optimizer, ph.absolute(schedule), run=ph.Run(total=2000))
    for step in range(2000):
        if step in (0, 500, 1000, 1999):
            print(step, scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert capsys.readouterr().out == "0 0.01\n500 0.055\n1000 0.1\n1999 0.1\n"


def test_the_exponential_one_passes_the_geometric_mean() -> None:
    scheduler = Scheduler(sgd(), ph.absolute(ph.ramp(0.01, 0.1, 1000, shape="exponential") >> ph.hold(0.1)))
    seen = rates(scheduler, 1002)
    assert (seen[0], seen[1000], seen[1001]) == (0.01, 0.1, 0.1)
    assert math.isclose(seen[500], math.sqrt(0.01 * 0.1), rel_tol=1e-15)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
def test_factors_multiply_each_groups_own_rate(kind: type) -> None:
    optimizer = two_groups(kind)
    scheduler = Scheduler(optimizer, ph.warmup("10%") >> ph.decay(), run=ph.Run(total=100))
    for step in range(120):
        factor = step / 10 if step < 10 else max(0.0, 1 - (step - 10) / 90)
        assert scheduler.get_last_lr() == pytest.approx([0.1 * factor, 0.01 * factor], rel=1e-14)
        assert [group["lr"] for group in optimizer.param_groups] == scheduler.get_last_lr()
        train(optimizer)
        scheduler.step()


def test_peak_sets_the_largest_group_and_keeps_the_ratios() -> None:
    scheduler = Scheduler(two_groups(), ph.warmup(2, start=0.5) >> ph.hold(1.0, 5), peak=3.0)
    assert scheduler.get_last_lr() == pytest.approx([1.5, 0.15])
    assert scheduler.base_lrs == pytest.approx([3.0, 0.3])


def test_lr_scale_is_honoured() -> None:
    """timm's layer-wise decay, which torch's own schedulers lose in silence."""
    groups = [{"params": [parameter()], "lr_scale": 0.25}, {"params": [parameter()], "lr_scale": 1.0}]
    scheduler = Scheduler(SGD(groups, lr=0.1), ph.warmup(2, start=0.5))
    assert scheduler.get_last_lr() == pytest.approx([0.0125, 0.05])


def test_a_plan_drives_several_hyper_parameters_and_one_group_may_differ() -> None:
    optimizer = two_groups(AdamW, weight_decay=0.1)
    plan = ph.Plan(
        {
            "lr": ph.warmup(4),
            "head/lr": ph.warmup(4).scaled(10),
            "weight_decay": ph.absolute(ph.ramp(0.0, 0.2, 4)),
            "betas[0]": ph.absolute(ph.ramp(0.8, 0.9, 4)),
            "1/eps": ph.absolute(ph.hold(1e-6)),
        }
    )
    scheduler = Scheduler(optimizer, plan, run=ph.Run(total=8))
    for _ in range(2):
        train(optimizer)
        scheduler.step()
    body, head = optimizer.param_groups
    assert (body["lr"], head["lr"]) == pytest.approx((0.05, 0.05))
    assert (body["weight_decay"], head["weight_decay"]) == pytest.approx((0.1, 0.1))
    assert body["betas"] == pytest.approx((0.85, 0.999))
    assert (body["eps"], head["eps"]) == (1e-8, 1e-6)
    assert scheduler.values() == pytest.approx(
        {
            "body/lr": 0.05,
            "body/weight_decay": 0.1,
            "body/betas[0]": 0.85,
            "head/lr": 0.05,
            "head/weight_decay": 0.1,
            "head/betas[0]": 0.85,
            "head/eps": 1e-6,
        }
    )


def test_tensor_rates_are_updated_in_place_and_not_shared() -> None:
    """One tensor given to the optimizer is one object in all groups; the groups must still differ."""
    optimizer = SGD(
        [{"params": [parameter()]}, {"params": [parameter()], "lr": torch.tensor(0.2)}], lr=torch.tensor(0.1)
    )
    scheduler = Scheduler(optimizer, ph.warmup(4))
    held = [group["lr"] for group in optimizer.param_groups]
    for step in range(6):
        assert [rate.item() for rate in held] == pytest.approx([0.1 * min(step / 4, 1), 0.2 * min(step / 4, 1)])
        train(optimizer)
        scheduler.step()
    assert all(group["lr"] is rate for group, rate in zip(optimizer.param_groups, held, strict=True))


def test_one_shared_tensor_rate_becomes_one_a_group() -> None:
    optimizer = SGD([{"params": [parameter()]}, {"params": [parameter()]}], lr=torch.tensor(0.1))
    plan = ph.Plan({"lr": ph.hold(1.0), "1/lr": ph.hold().scaled(0.1)})
    Scheduler(optimizer, plan)
    assert [group["lr"].item() for group in optimizer.param_groups] == pytest.approx([0.1, 0.01])


def test_a_float32_rate_is_rounded_once() -> None:
    """Recursive schedulers freeze or drift in float32; a value computed in float64 cannot."""
    optimizer = sgd(lr=torch.tensor(0.1))
    cosine = ph.decay(10_000_000, shape="cosine")
    scheduler = Scheduler(optimizer, cosine)
    for _ in range(1000):
        scheduler.step()
    assert optimizer.param_groups[0]["lr"].item() == torch.tensor(0.1).double().mul(cosine(1000)).float().item()


def test_it_is_an_lr_scheduler_and_not_a_callable() -> None:
    scheduler = Scheduler(sgd(), ph.warmup(4))
    assert isinstance(scheduler, LRScheduler)
    assert not callable(scheduler)
    assert not hasattr(scheduler, "total_steps")
    assert not hasattr(scheduler, "__len__")
    assert (scheduler.last_epoch, scheduler._step_count, scheduler.base_lrs) == (0, 1, [0.1])


def test_attaching_puts_no_wrapper_round_optimizer_step() -> None:
    optimizer = sgd()
    before = optimizer.step.__func__
    Scheduler(optimizer, ph.warmup(4))
    assert optimizer.step.__func__ is before


def test_a_bare_loop_of_steps_draws_the_curve() -> None:
    scheduler = Scheduler(sgd(lr=1.0), ph.warmup(4))
    drawn = []
    for _ in range(6):
        drawn += scheduler.get_last_lr()
        scheduler.step()
    assert drawn == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_only_applied_updates_count_once_one_has_been_seen() -> None:
    """Four scheduler steps an update, as with accumulation or several processes, advance by one."""
    optimizer = sgd(lr=1.0)
    scheduler = Scheduler(optimizer, ph.warmup(10))
    for update in range(5):
        train(optimizer)
        for _ in range(4):
            scheduler.step()
        assert scheduler.position == update + 1
    assert scheduler.audit().surplus == 15


def test_inside_sequential_lr_the_base_is_the_rate_before_any_scheduler() -> None:
    optimizer = sgd(lr=0.1)
    linear = LinearLR(optimizer, 0.1, total_iters=3)
    ours = Scheduler(optimizer, ph.decay(4))
    scheduler = SequentialLR(optimizer, [linear, ours], [3])
    seen = []
    for _ in range(8):
        seen.append(optimizer.param_groups[0]["lr"])
        train(optimizer)
        scheduler.step()
    assert seen == pytest.approx([0.01, 0.04, 0.07, 0.1, 0.075, 0.05, 0.025, 0.0])


def test_first_inside_sequential_lr() -> None:
    optimizer = sgd(lr=0.1)
    ours = Scheduler(optimizer, ph.warmup(3, start=0.1))
    scheduler = SequentialLR(optimizer, [ours, LinearLR(optimizer, 1.0, 0.5, total_iters=2)], [3])
    seen = []
    for _ in range(6):
        seen.append(optimizer.param_groups[0]["lr"])
        train(optimizer)
        scheduler.step()
    assert seen == pytest.approx([0.01, 0.04, 0.07, 0.1, 0.075, 0.05])


def test_inside_chained_scheduler() -> None:
    optimizer = sgd(lr=0.1)
    scheduler = ChainedScheduler([Scheduler(optimizer, ph.warmup(4))], optimizer=optimizer)
    for _ in range(2):
        train(optimizer)
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.05])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_goes_on_by_itself(copied: object) -> None:
    optimizer = two_groups()
    scheduler = Scheduler(optimizer, ph.warmup(8))
    rates(scheduler, 3)
    other_optimizer, other = copied((optimizer, scheduler))
    assert other.optimizer is other_optimizer
    assert other.get_last_lr() == scheduler.get_last_lr()
    rates(other, 2)
    assert (other.position, scheduler.position) == (5, 3)
    assert other_optimizer.param_groups[1]["lr"] == pytest.approx(0.01 * 5 / 8)


def test_a_group_added_later_follows_with_its_own_rate() -> None:
    optimizer = sgd(lr=0.1)
    scheduler = Scheduler(optimizer, ph.warmup(4))
    rates(scheduler, 2)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.4})
    rates(scheduler, 1)
    assert scheduler.get_last_lr() == pytest.approx([0.075, 0.3])


def test_the_scheduler_does_not_keep_the_optimizer_alive() -> None:
    import gc
    import weakref

    optimizer = sgd()
    reference = weakref.ref(optimizer)
    Scheduler(optimizer, ph.warmup(4))
    assert not optimizer._optimizer_step_post_hooks, "a dropped scheduler leaves its hook behind"
    del optimizer
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize(
    ("clock", "worth", "ticks"),
    [("step", {}, 1), ("token", {"tokens_per_step": 1000}, 1000), ("sample", {"samples_per_step": 32}, 32)],
)
def test_the_position_counts_ticks_of_the_clock(clock: str, worth: dict, ticks: int) -> None:
    run = ph.Run(total="10 steps", clock=clock, **worth)
    scheduler = Scheduler(sgd(lr=1.0), ph.warmup("50%"), run=run)
    assert rates(scheduler, 6) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert (scheduler.position, scheduler.last_epoch) == (6 * ticks, 6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Scheduler(object(), ph.hold()), "takes a torch optimizer"),
        (lambda: Scheduler([], ph.hold()), "one optimizer or several"),
        (lambda: Scheduler(sgd(), 0.1), "a schedule is needed, and 0.1 is a number"),
        (lambda: Scheduler(sgd(), ph.warmup("5%")), "share of the run's total"),
        (lambda: Scheduler(sgd(), ph.warmup(100), run=ph.Run(total=10)), "the run has 10"),
        (lambda: Scheduler(sgd(), ph.warmup(1), run=1000), r"run=Run\(total=10_000\)"),
        (lambda: Scheduler(sgd(), ph.warmup(1), peak=0), "above 0"),
        (lambda: Scheduler(sgd(), ph.absolute(ph.warmup(1)), peak=1.0), "no such line"),
        (lambda: Scheduler(sgd(), ph.warmup(1), on_change="adapt"), "did you mean 'adopt'"),
        (lambda: Scheduler(sgd(), ph.Plan({"weight_decy": ph.hold()})), "did you mean 'weight_decay'"),
        (lambda: Scheduler(two_groups(), ph.Plan({"haed/lr": ph.hold()})), "did you mean 'head'"),
        (lambda: Scheduler(sgd(), ph.warmup(1)).step(3), "takes no epoch"),
    ],
)
def test_refusals_teach(call: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        call()


def test_a_refused_construction_changes_nothing() -> None:
    optimizer = two_groups()
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ph.PreheatError):
        Scheduler(optimizer, ph.Plan({"lr": ph.warmup(4), "momentun": ph.hold()}))
    assert [dict(group) for group in optimizer.param_groups] == before
    assert not optimizer._optimizer_step_post_hooks
