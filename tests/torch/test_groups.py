"""Groups that come, go, are replaced or renamed while a run goes on: right, or an error that says what to do."""

import json

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

import preheat as ph
from preheat.torch import Scheduler

CURVE = ph.warmup(10, start=0.1) >> ph.decay(90)


def parameter(size: int = 3) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(size))


def build(kind: type = Adam, tensor: bool = False, count: int = 2, plan: object = CURVE) -> tuple[Optimizer, Scheduler]:
    rate = torch.tensor if tensor else float
    groups = [{"params": [parameter()], "lr": rate(0.1 * (i + 1)), "name": f"g{i}"} for i in range(count)]
    optimizer = kind(groups, foreach=False) if kind is not SGD else SGD(groups)
    return optimizer, Scheduler(optimizer, plan)


def train(optimizer: Optimizer, scheduler: Scheduler, updates: int) -> None:
    for _ in range(updates):
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = torch.ones_like(p)
        optimizer.step()
        scheduler.step()


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
def test_an_unfrozen_group_follows_with_its_own_rate(tensor: bool) -> None:
    optimizer, scheduler = build(tensor=tensor)
    train(optimizer, scheduler, 4)
    optimizer.add_param_group({"params": [parameter()], "lr": torch.tensor(0.9) if tensor else 0.9, "name": "late"})
    train(optimizer, scheduler, 2)
    factor = CURVE(6)
    assert rates(optimizer) == pytest.approx([0.1 * factor, 0.2 * factor, 0.9 * factor])
    assert scheduler.values() == pytest.approx({"g0/lr": 0.1 * factor, "g1/lr": 0.2 * factor, "late/lr": 0.9 * factor})
    assert scheduler.base_lrs == pytest.approx([0.1, 0.2, 0.9])


@pytest.mark.parametrize("ask", ["get_last_lr", "values", "get_lr"])
def test_asking_brings_an_added_group_into_line_before_its_first_update(ask: str) -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 4)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.9, "name": "late"})
    assert len(getattr(scheduler, ask)()) == 3
    assert rates(optimizer)[2] == pytest.approx(0.9 * CURVE(4))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_group_that_is_removed_is_left_alone(number: int) -> None:
    optimizer, scheduler = build(count=3)
    train(optimizer, scheduler, 4)
    gone = optimizer.param_groups.pop(number)
    then = gone["lr"]
    train(optimizer, scheduler, 2)
    assert gone["lr"] == then
    kept = [0.1 * (i + 1) * CURVE(6) for i in range(3) if i != number]
    assert rates(optimizer) == pytest.approx(kept)
    assert scheduler.get_last_lr() == pytest.approx(kept)


def test_a_removed_group_that_the_plan_names_is_an_error_that_says_what_to_do() -> None:
    optimizer, scheduler = build(plan=ph.Plan({"lr": CURVE, "g1/lr": CURVE.scaled(2.0)}))
    train(optimizer, scheduler, 2)
    optimizer.param_groups.pop(1)
    with pytest.raises(ph.PreheatError, match=r"line 'g1/lr' names no group.* needs a new Scheduler"):
        train(optimizer, scheduler, 1)


def test_a_group_that_is_replaced_in_its_place_is_followed() -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 4)
    optimizer.param_groups[1] = {**optimizer.param_groups[1], "params": [parameter(5)], "lr": 0.5}
    train(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(5), 0.5 * CURVE(5)])


def test_one_removed_and_another_added_is_not_taken_for_the_same() -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 4)
    optimizer.param_groups.pop(0)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.9})
    train(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.2 * CURVE(5), 0.9 * CURVE(5)])


def test_a_list_that_is_replaced_by_another_of_the_same_groups() -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 4)
    optimizer.param_groups = [dict(group) for group in optimizer.param_groups]
    train(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(5), 0.2 * CURVE(5)])
    optimizer.param_groups = optimizer.param_groups[:1]
    train(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(6)])


def test_a_renamed_group_goes_on_until_its_name_is_needed() -> None:
    plan = ph.Plan({"lr": CURVE, "g1/lr": CURVE.scaled(2.0)})
    optimizer, scheduler = build(plan=plan)
    train(optimizer, scheduler, 2)
    optimizer.param_groups[1]["name"] = "head"
    train(optimizer, scheduler, 2)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(4), 0.4 * CURVE(4)])
    with pytest.raises(ph.PreheatError, match=r"line 'g1/lr' names no group.*; a group is named by its 'name' key"):
        optimizer.add_param_group({"params": [parameter()], "lr": 0.5, "name": "late"})
    train(optimizer, scheduler, 1)  # it was not added, and the others go on
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(5), 0.4 * CURVE(5)])
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [parameter()], "name": "late"})
    with pytest.raises(ph.PreheatError, match=r"line 'g1/lr' names no group.*; a group is named by its 'name' key"):
        train(optimizer, scheduler, 1)


@pytest.mark.filterwarnings("ignore:the schedule is at update 30 and the optimizer has applied none before")
@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_state_fits_any_number_of_groups(count: int) -> None:
    """Groups are split and merged when a run is resharded."""
    optimizer, scheduler = build()
    train(optimizer, scheduler, 30)
    state = json.loads(json.dumps(scheduler.state_dict()))
    other, resumed = build(count=count)
    resumed.load_state_dict(state)
    train(other, resumed, 3)
    assert rates(other) == pytest.approx([0.1 * (i + 1) * CURVE(33) for i in range(count)])


@pytest.mark.filterwarnings("ignore:the optimizer has applied 3 updates before and the schedule begins at 0")
@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("late", [False, True], ids=["known", "added"])
def test_going_back_to_an_earlier_state_of_the_same_run(kind: type, late: bool) -> None:
    """Also if the optimizer had been trained before any scheduler was attached, and without its initial_lr."""
    optimizer = kind([{"params": [parameter()], "lr": 0.1}])
    for _ in range(3):
        optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
        optimizer.step()
    scheduler = Scheduler(optimizer, CURVE, base="present")
    train(optimizer, scheduler, 5)
    state = scheduler.state_dict()
    for group in optimizer.param_groups:
        del group["initial_lr"]
    train(optimizer, scheduler, 20)
    if late:
        optimizer.add_param_group({"params": [parameter()], "lr": 0.7})
        train(optimizer, scheduler, 2)
    scheduler.load_state_dict(state)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(5), 0.7 * CURVE(5)][: 1 + late], rel=1e-15)


def test_resuming_where_the_rates_happen_to_be_those_of_the_start() -> None:
    """The loaded rate equals the one just written, and the factor is 0."""
    optimizer, scheduler = build(plan=ph.warmup(10))
    states = optimizer.state_dict(), scheduler.state_dict()
    for group in states[0]["param_groups"]:
        del group["initial_lr"]
    optimizer, scheduler = build(plan=ph.warmup(10))
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(states[1])
    train(optimizer, scheduler, 5)
    assert rates(optimizer) == pytest.approx([0.05, 0.1])


def test_groups_of_one_name_are_told_apart() -> None:
    groups = [{"params": [parameter()], "lr": 0.1 * i, "name": "block"} for i in (1, 2)]
    groups += [{"params": [parameter()], "lr": 0.5, "name": "0"}]
    scheduler = Scheduler(
        SGD(groups), ph.Plan({"lr": ph.hold(1.0), "block/lr": ph.hold().scaled(0.5), "0/lr": ph.hold().scaled(0.1)})
    )
    assert scheduler.values() == pytest.approx({"block[0]/lr": 0.05, "block[1]/lr": 0.1, "0/lr": 0.05})


def test_a_line_for_a_group_that_has_no_such_value_is_refused(muon_class: type[Optimizer]) -> None:
    muon = muon_class([torch.nn.Parameter(torch.ones(4, 4))])
    adamw = AdamW([parameter()])
    with pytest.raises(ph.PreheatError, match=r"the group '0' does not have 'betas\[0\]'"):
        Scheduler([muon, adamw], ph.Plan({"lr": CURVE, "0/betas[0]": CURVE}))
    Scheduler([muon, adamw], ph.Plan({"lr": CURVE, "betas[0]": CURVE, "momentum": CURVE}))


@pytest.mark.parametrize("how", ["set_peak", "base_lrs"])
def test_a_peak_that_is_set_just_after_the_groups_changed_is_set(how: str) -> None:
    """A group was put into the list, not added, and no step has been taken since."""
    optimizer, scheduler = build()
    train(optimizer, scheduler, 4)
    optimizer.param_groups.append({**optimizer.param_groups[1], "params": [parameter()], "lr": 0.4, "name": "late"})
    if how == "set_peak":
        scheduler.set_peak(0.8)
    else:
        scheduler.base_lrs = [0.2, 0.4, 0.8]
    assert scheduler.base_lrs == pytest.approx([0.2, 0.4, 0.8])
    assert rates(optimizer) == pytest.approx([0.2 * CURVE(4), 0.4 * CURVE(4), 0.8 * CURVE(4)])


@pytest.mark.parametrize("places", [[0], [1], [0, 1]])
def test_a_group_whose_place_a_copy_took_goes_on(places: list[int]) -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 30)
    for place in places:
        optimizer.param_groups[place] = dict(optimizer.param_groups[place])
    scheduler.audit()  # where it cannot be told from the one that was there, it is seen when somebody asks
    train(optimizer, scheduler, 10)
    assert rates(optimizer) == pytest.approx([0.1 * CURVE(40), 0.2 * CURVE(40)])
    assert scheduler.audit().findings == ()
