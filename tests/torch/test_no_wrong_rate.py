"""Situations in which training went on at a rate that nobody meant: the right value by hand, or the words of the refusal.

`warmup(10) >> decay(90)` on a rate of 0.1 gives 0.1 · 80/90 at update 20, and 0.1 · 50/90 at 50.
"""

import copy
import math
import warnings
from collections.abc import Iterator

import pytest
import torch
from small_runs import rate, rates, sgd, update
from torch.optim import SGD, Adagrad, AdamW, Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, ConstantLR, LinearLR, SequentialLR

import preheat as ph
from preheat import PreheatError
from preheat.torch import Scheduler

S = ph.warmup(10) >> ph.decay(90)
ORDERS = ["b o s", "b s o", "o b s"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What looks wrong is said by warnings, which have their own tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(2))


def saved_at(updates: int, schedule: object = S, lr: float = 0.1, **options: object) -> tuple[dict, dict]:
    """The states of an optimizer and its scheduler after so many updates."""
    optimizer = sgd(lr, momentum=0.0)
    scheduler = Scheduler(optimizer, schedule, **options)
    rates(optimizer, scheduler, updates)
    return copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()


def resumed(
    order: str, saved: tuple[dict, dict], optimizer: Optimizer, schedule: object = S, **options: object
) -> Scheduler:
    """A scheduler built and loaded in an order: b builds it, o loads the optimizer, s the scheduler."""
    scheduler = None
    for what in order.split():
        if what == "b":
            scheduler = Scheduler(optimizer, schedule, **options)
        elif what == "o":
            optimizer.load_state_dict(copy.deepcopy(saved[0]))
        else:
            scheduler.load_state_dict(saved[1])
    return scheduler


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-12)


# -- what a factor multiplies


@pytest.mark.parametrize("kind", ["alive", "gone"])
def test_a_notebook_cell_that_is_run_twice_starts_again_from_what_the_group_was_given(kind: str) -> None:
    optimizer, alive = sgd(0.1), []
    for _ in range(2):
        scheduler = Scheduler(optimizer, S)
        alive += [scheduler] if kind == "alive" else []
        assert rates(optimizer, scheduler, 10) == near([0.01 * t for t in range(10)])
    assert rate(optimizer) == near(0.1)
    assert scheduler.audit().findings


def test_stages_on_one_optimizer_keep_their_peak() -> None:
    """Each stage ends in the middle of its decay; the peak shrank with each."""
    optimizer = sgd(0.1)
    for _ in range(4):
        assert max(rates(optimizer, Scheduler(optimizer, S), 50)) == near(0.1)


@pytest.mark.parametrize("updates", [50, 100, 130])
@pytest.mark.parametrize("kind", [SGD, AdamW, Adagrad])
def test_a_new_schedule_on_a_loaded_optimizer_does_not_guess(kind: type[Optimizer], updates: int) -> None:
    optimizer = kind([weight()], lr=0.1)
    rates(optimizer, Scheduler(optimizer, S), updates)
    loaded = kind([weight()], lr=0.1)
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    before, stood = loaded.param_groups[0]["params"][0].clone(), rate(loaded)
    scheduler = Scheduler(loaded, S)
    with pytest.raises(PreheatError, match=r"base=(.|\n)*peak="):
        update(loaded)
    assert torch.equal(loaded.param_groups[0]["params"][0], before)
    assert rate(loaded) == stood
    assert scheduler.position == 0


@pytest.mark.parametrize(
    ("how", "peak"), [({"base": "initial"}, 0.1), ({"peak": 0.3}, 0.3), ({"base": "present"}, 0.1 * 50 / 90)]
)
def test_what_a_loaded_rate_is_can_be_said(how: dict, peak: float) -> None:
    optimizer = sgd(0.1, momentum=0.0)
    optimizer.load_state_dict(saved_at(50)[0])
    assert rates(optimizer, Scheduler(optimizer, S, **how), 11) == near([peak * t / 10 for t in range(11)])


def test_a_rate_set_by_hand_before_a_second_scheduler_is_not_taken_over() -> None:
    optimizer = sgd(0.1)
    rates(optimizer, Scheduler(optimizer, S), 20)
    optimizer.param_groups[0]["lr"] = 0.2
    scheduler = Scheduler(optimizer, S)
    with pytest.raises(PreheatError, match="base="):
        update(optimizer)
    del scheduler
    optimizer.param_groups[0]["lr"] = 0.2
    assert max(rates(optimizer, Scheduler(optimizer, S, base="present"), 20)) == near(0.2)


def test_a_rate_of_zero_is_not_multiplied() -> None:
    def trained() -> None:
        optimizer = sgd(0.0)
        rates(optimizer, Scheduler(optimizer, S), 1)

    with pytest.raises(PreheatError, match="0"):
        trained()


def member(optimizer: Optimizer) -> SequentialLR:
    """0.05 and 0.1 of LinearLR's, and from update 3 on 0.05, 0.06, … 0.1 of ours."""
    first = LinearLR(optimizer, 0.5, total_iters=1)
    return SequentialLR(optimizer, [first, Scheduler(optimizer, ph.ramp(0.5, 1.0, 5))], [3])


MEMBER = [0.05, 0.1, 0.1, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.1]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("updates", [1, 2, 3, 4, 6])
def test_a_member_of_sequential_lr_resumes_in_any_order(order: str, updates: int) -> None:
    optimizer = sgd(0.1, momentum=0.0)
    sequence = member(optimizer)
    assert rates(optimizer, sequence, updates) == near(MEMBER[:updates])
    saved = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(sequence.state_dict())
    loaded = sgd(0.1, momentum=0.0)
    again = None
    for what in order.split():
        if what == "b":
            again = member(loaded)
        elif what == "o":
            loaded.load_state_dict(copy.deepcopy(saved[0]))
        else:
            again.load_state_dict(copy.deepcopy(saved[1]))
    ours = 0 if order != "o b s" else max(0, 3 - updates)  # built last, torch's own starts again
    assert rates(loaded, again, 10 - updates)[ours:] == near(MEMBER[updates:][ours:])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("updates", [2, 7])
def test_a_member_of_chained_scheduler_resumes_in_any_order(order: str, updates: int) -> None:
    """ConstantLR divides by two for four updates; ours, stepped last, is what counts."""

    def chained(optimizer: Optimizer) -> ChainedScheduler:
        return ChainedScheduler([ConstantLR(optimizer, 1.0, 4), Scheduler(optimizer, S)], optimizer)

    right = [0.01 * t for t in range(12)]
    right[11] = 0.1 * 89 / 90
    optimizer = sgd(0.1, momentum=0.0)
    chain = chained(optimizer)
    assert rates(optimizer, chain, updates) == near(right[:updates])
    saved = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(chain.state_dict())
    loaded = sgd(0.1, momentum=0.0)
    again = None
    for what in order.split():
        if what == "b":
            again = chained(loaded)
        elif what == "o":
            loaded.load_state_dict(copy.deepcopy(saved[0]))
        else:
            again.load_state_dict(copy.deepcopy(saved[1]))
    assert rates(loaded, again, 12 - updates) == near(right[updates:])


def test_a_rate_that_was_scaled_and_still_has_its_lr_scale_is_found() -> None:
    scales = [1.0, 0.75, 0.5]
    groups = [{"params": [weight()], "lr": 0.1 * scale, "lr_scale": scale} for scale in scales]
    scheduler = Scheduler(SGD(groups, lr=0.1), ph.hold())
    assert any("lr_scale" in finding for finding in scheduler.audit().findings)
    alone = [{"params": [weight()], "lr_scale": scale} for scale in scales]
    scheduler = Scheduler(SGD(alone, lr=0.1), ph.hold())
    assert scheduler.get_last_lr() == near([0.1, 0.075, 0.05])
    assert not scheduler.audit().findings


def test_a_group_added_at_todays_rate_is_found_and_follows_the_schedule() -> None:
    optimizer = sgd(0.1)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 55)
    optimizer.add_param_group({"params": [weight()], "lr": rate(optimizer)})
    update(optimizer)
    scheduler.step()
    assert scheduler.get_last_lr() == near([0.1 * 44 / 90, 0.05 * 44 / 90])  # added at 0.1 · 45/90
    assert scheduler.audit().findings


def test_an_absolute_weight_decay_leaves_the_groups_without_it_alone() -> None:
    groups = [{"params": [weight()], "weight_decay": 0.1}, {"params": [weight()], "weight_decay": 0.0, "name": "norms"}]
    optimizer = AdamW(copy.deepcopy(groups), lr=0.1)
    Scheduler(optimizer, ph.Plan({"weight_decay": ph.absolute(ph.ramp(0.2, 0.1, 10))}))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0]
    named = AdamW(copy.deepcopy(groups), lr=0.1)
    Scheduler(named, ph.Plan({"norms/weight_decay": ph.absolute(ph.hold(0.05, 10))}))
    assert [group["weight_decay"] for group in named.param_groups] == [0.1, 0.05]


@pytest.mark.parametrize("order", ORDERS)
def test_the_peak_of_a_running_scheduler_changes_and_is_saved(order: str) -> None:
    groups = [{"params": [weight()]}, {"params": [weight()], "lr": 0.025}]
    optimizer = SGD(copy.deepcopy(groups), lr=0.1)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 19)
    scheduler.set_peak(0.2)
    assert scheduler.get_last_lr() == near([0.2 * 81 / 90, 0.05 * 81 / 90])
    rates(optimizer, scheduler, 1)
    saved = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    loaded = SGD(copy.deepcopy(groups), lr=0.1)
    again = resumed(order, saved, loaded)
    assert again.get_last_lr() == near([0.2 * 80 / 90, 0.05 * 80 / 90])
    assert [group["lr"] for group in loaded.param_groups] == again.get_last_lr()


def test_a_second_scheduler_does_not_multiply_the_weight_decay_again() -> None:
    optimizer = AdamW([{"params": [weight()]}, {"params": [weight()], "weight_decay": 0.0}], lr=0.1, weight_decay=0.04)
    plan = ph.Plan({"lr": S, "weight_decay": ph.ramp(0.5, 1.0, 10)})
    for _ in range(3):
        scheduler = Scheduler(optimizer, plan)
        assert [group["weight_decay"] for group in optimizer.param_groups] == near([0.02, 0.0])
    rates(optimizer, scheduler, 5)
    assert [group["weight_decay"] for group in optimizer.param_groups] == near([0.03, 0.0])


@pytest.mark.parametrize("order", ORDERS)
def test_weight_decay_in_every_order(order: str) -> None:
    """Of factors and of values, with a group that has none."""

    def made() -> Optimizer:
        return AdamW([{"params": [weight()]}, {"params": [weight()], "weight_decay": 0.0}], lr=0.1, weight_decay=0.04)

    for line in (ph.ramp(1.0, 0.5, 40), ph.absolute(ph.ramp(0.04, 0.02, 40))):
        plan, optimizer, loaded = ph.Plan({"lr": S, "weight_decay": line}), made(), made()
        scheduler = Scheduler(optimizer, plan)
        rates(optimizer, scheduler, 20)
        again = resumed(order, (copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()), loaded, plan)
        assert [group["weight_decay"] for group in loaded.param_groups] == near([0.03, 0.0])
        rates(loaded, again, 10)
        assert [group["weight_decay"] for group in loaded.param_groups] == near([0.025, 0.0])


@pytest.mark.parametrize("order", ORDERS)
def test_groups_of_one_name_and_of_none(order: str) -> None:
    def made() -> Optimizer:
        return SGD(
            [{"params": [weight()], **named} for named in ({"name": "a"}, {"name": "a"}, {}, {"lr": 0.02})], lr=0.1
        )

    optimizer, loaded = made(), made()
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 20)
    again = resumed(order, (copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()), loaded)
    rates(loaded, again, 1)
    assert [group["lr"] for group in loaded.param_groups] == near([lr * 79 / 90 for lr in (0.1, 0.1, 0.1, 0.02)])


def test_a_peak_is_not_shared_between_what_was_loaded_and_what_was_not() -> None:
    """Rates 0.1 and 0.2 at a peak of 0.3: 0.15 and 0.3. Loaded, the first stands at 0.15, the second still at 0.2."""

    def two() -> list[Optimizer]:
        return [SGD([weight()], lr=0.1), SGD([weight()], lr=0.2)]

    trained, loaded = two(), two()
    scheduler = Scheduler(trained, ph.hold(), peak=0.3)
    assert scheduler.get_last_lr() == near([0.15, 0.3])
    loaded[0].load_state_dict(copy.deepcopy(trained[0].state_dict()))

    def go_on() -> None:
        again = Scheduler(loaded, ph.hold(), peak=0.3)
        update(loaded[0])
        again.step()

    try:
        go_on()
    except PreheatError:
        return
    assert [rate(one) for one in loaded] == near([0.15, 0.3])


@pytest.mark.parametrize("policy", ["refuse", "adopt", "keep", "rebase"])
def test_no_raw_rate_under_a_peak_that_is_not_known(policy: str) -> None:
    """One optimizer was loaded, the other is fresh: 0.1 must become 0.15 (saved) or 0.3 (of the new peak) or be refused."""

    def two() -> list[Optimizer]:
        return [SGD([weight()], lr=0.1), SGD([weight()], lr=0.2)]

    trained, loaded = two(), two()
    scheduler = Scheduler(trained, ph.hold(), peak=0.3)
    loaded[1].load_state_dict(copy.deepcopy(trained[1].state_dict()))

    def go_on() -> Scheduler:
        again = Scheduler(loaded, ph.hold(), peak=0.6, on_change=policy)
        again.load_state_dict(scheduler.state_dict())
        for one in loaded:
            update(one)
        return again

    try:
        go_on()
    except PreheatError:
        return
    assert [rate(one) for one in loaded] in ([near(0.15), near(0.3)], [near(0.3), near(0.6)])


def test_a_peak_that_the_saved_rates_do_not_have_is_refused() -> None:
    trained, loaded = [SGD([weight()], lr=lr) for lr in (0.1, 0.03)], [SGD([weight()], lr=lr) for lr in (0.1, 0.03)]
    scheduler = Scheduler(trained, ph.hold())
    loaded[1].load_state_dict(copy.deepcopy(trained[1].state_dict()))

    def go_on() -> None:
        again = Scheduler(loaded, ph.hold(), peak=0.3)
        again.load_state_dict(scheduler.state_dict())
        update(loaded[0])

    with pytest.raises(PreheatError):
        go_on()


@pytest.mark.parametrize("policy", ["adopt", "keep", "rebase"])
def test_the_same_state_again_and_again(policy: str) -> None:
    saved, optimizer = saved_at(20), sgd(0.4, momentum=0.0)
    scheduler = Scheduler(optimizer, S, on_change=policy)
    for _ in range(3):
        scheduler.load_state_dict(saved[1])
        assert rate(optimizer) == near((0.4 if policy == "adopt" else 0.1) * 80 / 90)
        optimizer.load_state_dict(copy.deepcopy(saved[0]))
        assert rates(optimizer, scheduler, 2)[0] == near((0.4 if policy == "adopt" else 0.1) * 80 / 90)


def test_joining_after_the_peak_was_changed() -> None:
    """0.2 · 80/90 is in force at update 20; the plan that goes on is half as high there."""
    saved, optimizer = saved_at(20, lr=0.2), sgd(0.2, momentum=0.0)
    plan = ph.warmup(10) >> ph.decay(10, to=4 / 9) >> ph.ramp(4 / 9, 0.0, 80)
    scheduler = Scheduler(optimizer, plan, on_change="rebase")
    scheduler.set_peak(0.5)
    for _ in range(2):
        scheduler.load_state_dict(saved[1])
        used = rates(optimizer, scheduler, 41)
        assert (used[0], used[40]) == (near(0.2 * 80 / 90), near(0.2 * 40 / 90))


def test_a_tensor_that_the_caller_gave_stays_his() -> None:
    mine = torch.tensor(0.1, dtype=torch.float64)
    optimizer = SGD([weight()], lr=mine)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 20)
    assert optimizer.param_groups[0]["lr"] is mine
    assert mine.item() == near(0.1 * 80 / 90)
    saved = copy.deepcopy(optimizer.state_dict())
    rates(optimizer, scheduler, 30)
    assert mine.item() == near(0.1 * 50 / 90)
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] is mine
    assert mine.item() == near(0.1 * 50 / 90)


def test_one_tensor_for_two_groups_of_two_rates() -> None:
    mine = torch.tensor(0.1, dtype=torch.float64)
    plan = ph.Plan({"lr": S, "1/lr": S.scaled(10)})
    optimizer = SGD([{"params": [weight()]}, {"params": [weight()]}], lr=mine)
    scheduler = Scheduler(optimizer, plan)
    rates(optimizer, scheduler, 20)
    assert [float(group["lr"]) for group in optimizer.param_groups] == near([0.1 * 80 / 90, 80 / 90])


# -- resuming


def test_adopting_factors_after_rates() -> None:
    saved = saved_at(50, ph.absolute(ph.ramp(0.1, 0.02, 100)))
    for order in ["b o s", "b s o"]:
        optimizer = sgd(0.1, momentum=0.0)
        resumed(order, saved, optimizer, ph.ramp(1, 0.2, 100), on_change="adopt")
        assert rate(optimizer) == near(0.06)
    optimizer = sgd(0.1, momentum=0.0)
    with pytest.raises(PreheatError, match="peak="):
        resumed("o b s", saved, optimizer, ph.ramp(1, 0.2, 100), on_change="adopt")
    optimizer = sgd(0.1, momentum=0.0)
    resumed("o b s", saved, optimizer, ph.ramp(1, 0.2, 100), on_change="adopt", peak=0.1)
    assert rate(optimizer) == near(0.06)


@pytest.mark.parametrize("order", ["b o s", "b s o"])
def test_joining_rates_to_factors_and_back(order: str) -> None:
    """0.06 is in force at update 50; the new plan is 0.5 there, and 0.1 at 90."""
    saved = saved_at(50, ph.absolute(ph.ramp(0.1, 0.02, 100)))
    optimizer = sgd(0.1, momentum=0.0)
    scheduler = resumed(order, saved, optimizer, ph.ramp(1, 0, 100), on_change="rebase")
    used = rates(optimizer, scheduler, 41)
    assert (used[0], used[40]) == (near(0.06), near(0.012))
    saved = saved_at(50, ph.ramp(1, 0.2, 100))
    optimizer = sgd(0.1, momentum=0.0)
    scheduler = resumed(order, saved, optimizer, ph.absolute(ph.ramp(0.5, 0, 100)), on_change="rebase")
    used = rates(optimizer, scheduler, 41)
    assert (used[0], used[40]) == (near(0.06), near(0.012))


@pytest.mark.parametrize("order", ["s o", "o s", "s", "o s o", "s o s"])
def test_rolled_back_again_and_again(order: str) -> None:
    optimizer = sgd(0.1, momentum=0.0)
    scheduler = Scheduler(optimizer, S)
    saved = {}
    for at in (20, 50):
        rates(optimizer, scheduler, at - scheduler.position)
        saved[at] = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    rates(optimizer, scheduler, 7)
    for at in (50, 20, 50, 20):
        for what in order.split():
            if what == "s":
                scheduler.load_state_dict(saved[at][1])
            else:
                optimizer.load_state_dict(copy.deepcopy(saved[at][0]))
        assert rates(optimizer, scheduler, 3) == near([0.1 * (100 - t) / 90 for t in range(at, at + 3)])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("policy", "right"), [("refuse", None), ("adopt", 0.2), ("keep", 0.1), ("rebase", 0.1)])
def test_the_scripts_rate_is_another(order: str, policy: str, right: float | None) -> None:
    saved, optimizer = saved_at(20), sgd(0.2, momentum=0.0)
    if policy == "rebase" and order == "o b s":
        pytest.skip("refused, or joined")
    if right is None or (policy == "adopt" and order == "o b s"):
        with pytest.raises(PreheatError, match=r"0\.1(.|\n)*0\.2|0\.2(.|\n)*0\.1"):
            resumed(order, saved, optimizer, on_change=policy)
    else:
        scheduler = resumed(order, saved, optimizer, on_change=policy)
        assert rates(optimizer, scheduler, 2) == near([right * 80 / 90, right * 79 / 90])


@pytest.mark.parametrize("kind", [SGD, AdamW, Adagrad])
@pytest.mark.parametrize("order", ["0 s 1", "s 0 1", "0 1 s", "1 s 0", "0 s", "s"])
def test_two_optimizers_loaded_around_the_scheduler(order: str, kind: type[Optimizer]) -> None:
    def two() -> list[Optimizer]:
        return [kind([weight()], lr=0.1), kind([weight()], lr=0.02)]

    trained = two()
    scheduler = Scheduler(trained, S)
    for _ in range(100):
        for one in trained:
            update(one)
        scheduler.step()
        if scheduler.position == 20:
            saved = [copy.deepcopy(one.state_dict()) for one in trained], scheduler.state_dict()
    for early, optimizers in [(True, two()), (False, trained)]:
        again = Scheduler(optimizers, S) if early else scheduler
        for what in order.split():
            if what == "s":
                again.load_state_dict(saved[1])
            else:
                optimizers[int(what)].load_state_dict(copy.deepcopy(saved[0][int(what)]))
        for t in range(20, 25):
            assert [rate(one) for one in optimizers] == near([0.1 * (100 - t) / 90, 0.02 * (100 - t) / 90])
            for one in optimizers:
                update(one)
            again.step()


@pytest.mark.parametrize("order", ORDERS)
def test_a_peak_with_lr_scale_and_a_line_of_its_own(order: str) -> None:
    """Rates 0.1 and 0.04 · 0.5: at a peak of 0.3 they are 0.3 and 0.06; the third is ten times its share, 0.03."""

    def made() -> Optimizer:
        named = [{"name": "a"}, {"name": "b", "lr": 0.04, "lr_scale": 0.5}, {"name": "c", "lr": 0.01}]
        return SGD([{"params": [weight()], **group} for group in named], lr=0.1)

    plan = ph.Plan({"lr": S, "c/lr": S.scaled(10)})
    optimizer = made()
    scheduler = Scheduler(optimizer, plan, peak=0.3)
    rates(optimizer, scheduler, 20)
    right = [0.3 * 80 / 90, 0.06 * 80 / 90, 0.3 * 80 / 90]
    assert scheduler.get_last_lr() == near(right)
    loaded = made()
    again = resumed(order, (copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()), loaded, plan, peak=0.3)
    assert again.get_last_lr() == near(right)


@pytest.mark.parametrize("order", ORDERS)
def test_an_optimizer_that_holds_state_when_built(order: str) -> None:
    optimizer = Adagrad([weight()], lr=0.1)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 20)
    loaded = Adagrad([weight()], lr=0.1)
    again = resumed(order, (copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()), loaded)
    assert rates(loaded, again, 2) == near([0.1 * 80 / 90, 0.1 * 79 / 90])


def test_plans_are_compared_by_their_values() -> None:
    optimizer = sgd(0.1)
    scheduler = Scheduler(optimizer, ph.hold() >> ph.decay(20))
    rates(optimizer, scheduler, 10)
    scheduler.finish_in(50)  # at 60: held up to 40
    used = rates(optimizer, scheduler, 51)
    assert [used[t - 10] for t in (39, 40, 50, 60)] == near([0.1, 0.1, 0.05, 0.0])
    saved, other = saved_at(10, ph.hold()), sgd(0.1, momentum=0.0)
    assert rates(other, resumed("b o s", saved, other, ph.warmup(5) >> ph.hold()), 3) == near([0.1] * 3)


@pytest.mark.parametrize("order", ["b o s", "b s o"])
def test_an_adopted_plan_holds_from_the_first_update_on(order: str) -> None:
    optimizer = sgd(0.1, momentum=0.0)
    scheduler = resumed(order, saved_at(50), optimizer, ph.warmup(10) >> ph.decay(140), on_change="adopt")
    assert rates(optimizer, scheduler, 2) == near([0.1 * 100 / 140, 0.1 * 99 / 140])


def test_an_update_between_building_and_loading_is_refused_and_then_all_is_right() -> None:
    saved, optimizer = saved_at(50), sgd(0.1, momentum=0.0)
    optimizer.load_state_dict(copy.deepcopy(saved[0]))
    scheduler = Scheduler(optimizer, S)
    with pytest.raises(PreheatError):
        update(optimizer)
    scheduler.load_state_dict(saved[1])
    assert rates(optimizer, scheduler, 2) == near([0.1 * 50 / 90, 0.1 * 49 / 90])


def test_a_scheduler_that_another_one_has_replaced_refuses_nothing() -> None:
    """It may live in a list, in a notebook's history, in the traceback of what it refused."""
    saved, optimizer = saved_at(50), sgd(0.1, momentum=0.0)
    optimizer.load_state_dict(copy.deepcopy(saved[0]))
    replaced = Scheduler(optimizer, S)
    scheduler = Scheduler(optimizer, S)
    scheduler.load_state_dict(saved[1])
    optimizer.load_state_dict(copy.deepcopy(saved[0]))
    assert rates(optimizer, scheduler, 2) == near([0.1 * 50 / 90, 0.1 * 49 / 90])
    assert replaced.position == 0


def test_a_scheduler_that_another_one_has_replaced_writes_no_added_group() -> None:
    optimizer = sgd(0.1)
    replaced = Scheduler(optimizer, S)
    rates(optimizer, replaced, 55)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 5)
    optimizer.add_param_group({"params": [weight()], "lr": 0.02})
    rates(optimizer, scheduler, 5)
    assert [group["lr"] for group in optimizer.param_groups] == near([0.1, 0.02])


def test_an_update_between_building_and_loading_on_a_known_base() -> None:
    saved, optimizer = saved_at(50), sgd(0.1, momentum=0.0)
    scheduler = Scheduler(optimizer, S)
    optimizer.load_state_dict(copy.deepcopy(saved[0]))
    assert rates(optimizer, scheduler, 1) == near([0.0])
    scheduler.load_state_dict(saved[1])
    assert rates(optimizer, scheduler, 2) == near([0.1 * 50 / 90, 0.1 * 49 / 90])


def looked_at(scheduler: Scheduler) -> object:
    groups = [group for one in scheduler.optimizers for group in one.param_groups]
    kept = [
        {key: float(value) for key, value in group.items() if key in ("lr", "momentum", "initial_lr")}
        for group in groups
    ]
    return scheduler.position, scheduler.last_epoch, scheduler.state_dict(), scheduler.values(), kept


@pytest.mark.parametrize("case", ["float checkpoint", "no tensor", "other plan", "other rate", "damaged"])
def test_a_refused_load_changes_nothing(case: str) -> None:
    tensors = case in ("float checkpoint", "no tensor")
    optimizer = sgd(torch.tensor(0.1) if tensors else 0.2 if case == "other rate" else 0.1)
    plan = ph.warmup(10) >> ph.decay(190) if case == "other plan" else S
    policy = "keep" if case == "no tensor" else "refuse"
    scheduler = Scheduler(optimizer, plan, on_device=tensors, on_change=policy)
    rates(optimizer, scheduler, 5)
    state = saved_at(
        20, ph.Plan({"lr": S, "momentum": ph.absolute(ph.ramp(0.5, 0.9, 9))}) if case == "no tensor" else S
    )
    before = looked_at(scheduler)
    if case == "float checkpoint":
        optimizer.load_state_dict(copy.deepcopy(sgd(0.1).state_dict()))
    try:
        scheduler.load_state_dict(state[1] | ({"position": "20"} if case == "damaged" else {}))
    except PreheatError:
        assert looked_at(scheduler)[:3] == before[:3]
    else:
        assert case == "float checkpoint"  # the caller's tensors were put back: nothing is wrong then
        assert scheduler.position == 20


@pytest.mark.parametrize("asked", [False, True])
def test_asking_changes_nothing_for_an_added_group(asked: bool) -> None:
    optimizer = sgd(0.1)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 5)
    used: list[float] = []
    optimizer.register_step_post_hook(lambda o, *_: used.append(float(o.param_groups[1]["lr"])))
    optimizer.add_param_group({"params": [weight()], "lr": 0.02})
    if asked:
        scheduler.get_last_lr()
    rates(optimizer, scheduler, 3)
    assert used == near([0.01, 0.012, 0.014])


def test_a_group_that_is_taken_away_leaves_the_others_theirs() -> None:
    optimizer = sgd(0.1, groups=3)
    for group, lr in zip(optimizer.param_groups, (0.1, 0.2, 0.4), strict=True):
        group["lr"] = lr
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 55)
    del optimizer.param_groups[1]
    rates(optimizer, scheduler, 2)
    assert [group["lr"] for group in optimizer.param_groups] == near([0.1 * 43 / 90, 0.4 * 43 / 90])


@pytest.mark.parametrize("place", [0, 1])
def test_a_group_that_is_replaced_is_scheduled(place: int) -> None:
    optimizer = sgd(0.1, groups=3)
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 55)
    kept = dict(optimizer.param_groups[place], params=[weight()], lr=0.2)
    kept.pop("initial_lr", None)
    optimizer.param_groups[place] = kept
    state = scheduler.state_dict()
    assert state["position"] == 55
    rates(optimizer, scheduler, 1)
    right = [0.1 * 44 / 90] * 3
    right[place] = 0.2 * 44 / 90
    assert [group["lr"] for group in optimizer.param_groups] == near(right)


def test_groups_in_another_order_keep_their_own_rates() -> None:
    optimizer = sgd(0.1, groups=2)
    optimizer.param_groups[1]["lr"] = 0.4
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 55)
    optimizer.param_groups.reverse()
    scheduler.state_dict()
    rates(optimizer, scheduler, 1)
    assert [group["lr"] for group in optimizer.param_groups] == near([0.4 * 44 / 90, 0.1 * 44 / 90])


def test_keeping_a_plan_keeps_its_run() -> None:
    optimizer = sgd(0.1, momentum=0.0)
    scheduler = Scheduler(optimizer, ph.warmup(10) >> ph.hold(), run=ph.Run(total=100))
    rates(optimizer, scheduler, 20)
    scheduler.extend(200)
    loaded = sgd(0.1, momentum=0.0)
    again = Scheduler(loaded, ph.warmup(10) >> ph.hold(), run=ph.Run(total=100), on_change="keep")
    again.load_state_dict(scheduler.state_dict())
    again.cooldown("10%")
    used = rates(loaded, again, 21)
    assert (used[0], used[10], used[20]) == (near(0.1), near(0.05), near(0.0))


def test_extending_drops_no_cooldown_in_silence() -> None:
    optimizer = sgd(0.1)
    scheduler = Scheduler(optimizer, ph.warmup(10) >> ph.hold(), run=ph.Run(total=100))
    rates(optimizer, scheduler, 20)
    scheduler.cooldown(10)
    try:
        scheduler.extend(200)
    except PreheatError:
        assert scheduler.run.total == 30
    used = rates(optimizer, scheduler, 11)
    assert (used[0], used[5], used[10]) == (near(0.1), near(0.05), near(0.0))


def test_a_change_of_one_update_is_refused_however_far_away() -> None:
    long = ph.hold(1.0, 20_000_003) >> ph.hold(0.5, 1) >> ph.hold(1.0, 1000)
    state = saved_at(2, ph.hold(1.0, 20_001_004))[1]
    with pytest.raises(PreheatError, match="20000003"):
        Scheduler(sgd(0.1, momentum=0.0), long).load_state_dict(state)


# -- numbers that broke something


def test_a_fractional_warmup_before_an_open_end() -> None:
    optimizer = sgd(0.1)
    used = rates(optimizer, Scheduler(optimizer, ph.warmup(61.7) >> ph.hold()), 70)
    assert [used[t] for t in (61, 62, 69)] == near([0.1 * 61 / 61.7, 0.1, 0.1])


def test_a_metric_that_no_float_can_hold_is_refused() -> None:
    scheduler = Scheduler(sgd(0.1), S, rules=[ph.Plateau("loss")])
    with pytest.raises(PreheatError, match="loss"):
        scheduler.step(metrics={"loss": 10**400})
    assert scheduler.position == 0


def test_an_lr_scale_of_zero_with_a_peak_is_refused() -> None:
    optimizer = SGD([{"params": [weight()], "lr_scale": 0.0}], lr=0.1)
    with pytest.raises(PreheatError, match="peak"):
        Scheduler(optimizer, S, peak=0.3)


def test_groups_without_a_rate_are_refused() -> None:
    optimizer = sgd(0.1)
    del optimizer.param_groups[0]["lr"]
    with pytest.raises(PreheatError, match="'lr'"):
        Scheduler(optimizer, S)


def test_a_quantity_of_groups_without_a_rate() -> None:
    optimizer = sgd(0.1)
    del optimizer.param_groups[0]["lr"]
    scheduler = Scheduler(optimizer, ph.Plan({"momentum": ph.absolute(ph.ramp(0.5, 0.9, 10))}))
    assert scheduler.values() == {"momentum": 0.5}


def test_rest_in_the_middle_inside_a_transformation_on_an_open_run() -> None:
    optimizer = sgd(0.1)
    plan = ph.Plan({"lr": ph.hold(), "0/lr": (ph.warmup(10) >> ph.hold() >> ph.decay(20)).scaled(2)})
    used = rates(optimizer, Scheduler(optimizer, plan), 40)
    assert (used[5], used[39]) == (near(0.1), near(0.2))


def test_warming_up_again_on_an_open_inverse_square_root() -> None:
    optimizer = sgd(1.0, momentum=0.0)
    scheduler = Scheduler(optimizer, ph.warmup(100) >> ph.invsqrt(100))
    for _ in range(1000):
        scheduler.step()
    scheduler.rewarm(100)
    values = []
    for _ in range(9000):
        values.append(rate(optimizer))
        scheduler.step()
    assert values[0] == 0.0
    assert values[100] == near(math.sqrt(100 / 1100))
    assert values[8999] == near(math.sqrt(100 / 9999))


def test_more_names_than_a_state_has_room_for() -> None:
    """400 groups, each named and with its own rate: right in every order, or refused where nothing knows them."""

    def made() -> Optimizer:
        groups = [
            {"params": [weight()], "name": f"a rather long name of layer {i}", "lr": 0.001 * (i + 1)}
            for i in range(400)
        ]
        return SGD(groups, lr=0.1)

    optimizer = made()
    scheduler = Scheduler(optimizer, S)
    rates(optimizer, scheduler, 20)
    saved = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    assert len(saved[1].get("bases", "")) < 10_000
    for order in ORDERS:
        loaded = made()
        try:
            again = resumed(order, saved, loaded)
            update(loaded)
        except PreheatError:
            assert order == "o b s"
        else:
            again.step()
            assert [group["lr"] for group in loaded.param_groups] == near(
                [0.001 * (i + 1) * 79 / 90 for i in range(400)]
            )
    other = made()
    other.param_groups[123]["lr"] *= 1.5
    with pytest.raises(PreheatError):
        resumed("b s", saved, other)


@pytest.mark.parametrize("policy", ["refuse", "adopt", "rebase", "keep"])
def test_a_peak_that_the_script_gives_no_more_is_noticed_in_every_order(policy: str) -> None:
    states = saved_at(20, peak=0.4)
    optimizer = sgd()
    optimizer.load_state_dict(states[0])
    scheduler = Scheduler(optimizer, S, on_change=policy)
    if policy == "keep":
        scheduler.load_state_dict(states[1])
        assert scheduler.base_lrs == [0.4]
        return
    with pytest.raises(ph.StateError, match=r"built with peak=0\.4 then, and without it now.*peak="):
        scheduler.load_state_dict(states[1])


def test_base_lrs_are_set_as_a_whole_or_not_at_all() -> None:
    scheduler = Scheduler(sgd(), S)
    with pytest.raises(ph.PreheatError, match=r"base_lrs is a copy.*set_peak"):
        scheduler.base_lrs[0] = 0.5
    for wrong in (None, 0.1, [0.1, 0.2], [0.0], "a"):
        with pytest.raises(ph.PreheatError):
            scheduler.base_lrs = wrong
    scheduler.base_lrs = [0.5]
    assert scheduler.base_lrs == [0.5]


@pytest.mark.parametrize("schedule", ["decay(to=-1)", "absolute(ramp(0.1, -0.1, 10))", "relative(decay(9, to=-0.1))"])
def test_a_rate_below_zero_is_refused(schedule: str) -> None:
    with pytest.raises(ph.PreheatError, match="none below 0"):
        Scheduler(sgd(), schedule, run=ph.Run(total=100))
    Scheduler(sgd(), ph.Plan({"log_temperature": ph.absolute(ph.ramp(0.5, -0.5, 10))}))  # one's own may be anything


DECAYED = ph.Plan({"lr": S, "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, 60) >> ph.hold(0.1))})


def decayed(schedule: object, **options: object) -> tuple[Optimizer, Scheduler]:
    optimizer = AdamW([{"params": [weight()], "name": name} for name in "ab"], lr=0.1, weight_decay=0.1)
    return optimizer, Scheduler(optimizer, schedule, **options)


@pytest.mark.parametrize("order", ["os", "so"])
@pytest.mark.parametrize("policy", ["keep", "adopt"])
def test_what_is_scheduled_no_more_gets_its_own_value_back(policy: str, order: str) -> None:
    """The script added a line, and the saved plan is kept; or it dropped one, and the new plan is adopted."""
    had, has = (S, DECAYED) if policy == "keep" else (DECAYED, S)
    optimizer, scheduler = decayed(had)
    rates(optimizer, scheduler, 20)
    states = {"o": optimizer.state_dict(), "s": scheduler.state_dict()}
    optimizer, scheduler = decayed(has, on_change=policy)
    for one in order:
        {"o": optimizer, "s": scheduler}[one].load_state_dict(copy.deepcopy(states[one]))
    rates(optimizer, scheduler, 1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1]


@pytest.mark.parametrize("order", ["os", "so"])
def test_a_group_whose_line_is_new_keeps_its_rate_under_the_saved_plan(order: str) -> None:
    optimizer, scheduler = decayed(ph.Plan({"a/lr": S}))
    rates(optimizer, scheduler, 20)
    states = {"o": optimizer.state_dict(), "s": scheduler.state_dict()}
    optimizer, scheduler = decayed(ph.Plan({"a/lr": S, "b/lr": S}), on_change="keep")
    for one in order:
        {"o": optimizer, "s": scheduler}[one].load_state_dict(copy.deepcopy(states[one]))
    rates(optimizer, scheduler, 1)
    assert [group["lr"] for group in optimizer.param_groups] == [near(0.1 * (1 - 11 / 90)), 0.1]


def test_a_state_of_groups_in_another_order_is_refused_by_their_names() -> None:
    optimizer, _ = decayed(S)
    state = optimizer.state_dict()
    state["param_groups"].reverse()
    with pytest.raises(ph.StateError, match="group 0 is called 'a', and in the optimizer's state 'b'"):
        optimizer.load_state_dict(state)


def test_the_base_in_force_is_what_is_compared_after_a_plan_was_kept() -> None:
    states = saved_at(20)
    optimizer = sgd(0.2)
    optimizer.load_state_dict(copy.deepcopy(states[0]))
    scheduler = Scheduler(optimizer, S, on_change="keep")
    scheduler.load_state_dict(states[1])
    assert scheduler.base_lrs == [0.1]
    states = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    with pytest.raises(ph.StateError, match=r"built with lr=0\.1 then, and with lr=0\.2 now"):
        resumed("o b s", states, sgd(0.2))
    assert resumed("o b s", states, sgd(0.1)).base_lrs == [0.1]


@pytest.mark.filterwarnings("error")
def test_what_a_dropped_line_drove_is_known_from_the_state_too() -> None:
    """The optimizer was loaded before anybody looked at what the script gave it; one group has no decay of its own."""

    def made() -> Optimizer:
        groups = [{"params": [weight()], "name": "a"}, {"params": [weight()], "name": "b", "weight_decay": 0.0}]
        return AdamW(groups, lr=0.1, weight_decay=0.05)

    optimizer = made()
    scheduler = Scheduler(optimizer, DECAYED)
    rates(optimizer, scheduler, 20)
    states = optimizer.state_dict(), scheduler.state_dict()
    optimizer = made()
    scheduler = resumed("o b s", states, optimizer, S, on_change="adopt")
    rates(optimizer, scheduler, 1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]


def test_lines_that_cannot_be_joined_are_refused_with_what_to_write() -> None:
    optimizer, scheduler = decayed(S)
    rates(optimizer, scheduler, 20)
    _, other = decayed(DECAYED, on_change="rebase")
    with pytest.raises(
        ph.StateError, match=r"the lines were lr and are lr, weight_decay; pass on_change='adopt' or 'keep'"
    ):
        other.load_state_dict(scheduler.state_dict())


def test_a_second_scheduler_without_the_peak_of_the_first_is_refused() -> None:
    optimizer = sgd(0.1)
    rates(optimizer, Scheduler(optimizer, S, peak=0.4), 20)
    second = Scheduler(optimizer, S)
    with pytest.raises(ph.PreheatError, match="peak="):
        rates(optimizer, second, 1)
    assert Scheduler(optimizer, S, peak=0.4).base_lrs == [0.4]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("momentum", "absolute(hold(1.2))"),
        ("momentum", "relative(hold(1.2))"),
        ("momentum", "absolute(ramp(0.5, 1.0, 10))"),
        ("momentum", "absolute(ramp(0.5, -0.1, 10))"),
        ("weight_decay", "absolute(hold(-1))"),
        ("weight_decay", "relative(ramp(1, -1, 10))"),
    ],
)
def test_a_value_that_a_hyper_parameter_cannot_have_is_refused(line: str, target: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9, weight_decay=0.01)
    with pytest.raises(ph.PreheatError, match=r"none below 0|must stay below 1"):
        Scheduler(optimizer, {"lr": "hold()", line: target})
    assert {key: optimizer.param_groups[0][key] for key in ("momentum", "weight_decay")} == {
        "momentum": 0.9,
        "weight_decay": 0.01,
    }
    Scheduler(optimizer, {"lr": "hold()", "momentum": "absolute(ramp(0.85, 0.95, 10))"})


@pytest.mark.parametrize("line", ["betas[0]", "betas[1]", "eps"])
def test_so_are_those_of_adam(line: str) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ph.PreheatError, match="none below 0"):
        Scheduler(optimizer, {"lr": "hold()", line: "absolute(hold(-1))"})
    if line != "eps":
        with pytest.raises(ph.PreheatError, match="must stay below 1"):
            Scheduler(optimizer, {"lr": "hold()", line: "absolute(hold(1.5))"})
