"""Saving and resuming: any order of constructing and loading gives the right values at once."""

import io
import itertools
import json
import math

import numpy
import pytest
import torch
from torch.optim import SGD, AdamW

import preheat as ph
from preheat.torch import Scheduler

RUN = ph.Run(total=100)
SCHEDULE = ph.warmup(10, start=0.1) >> ph.decay(shape="cosine")


def build(kind: type, tensor: bool) -> torch.optim.Optimizer:
    torch.manual_seed(0)
    rate = (lambda value: torch.tensor(value)) if tensor else float
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate(lr)} for lr in (0.3, 0.07)]
    options = {"momentum": 0.9} if kind is SGD else {"weight_decay": 0.1, "foreach": False}
    return kind(groups, lr=rate(1.0), **options)


def train(optimizer: torch.optim.Optimizer, scheduler: Scheduler, updates: int) -> list[list[float]]:
    seen = []
    for _ in range(updates):
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = p.detach().clone()
        optimizer.step()
        scheduler.step()
    return seen


def saved(kind: type, tensor: bool, updates: int, schedule: object = SCHEDULE) -> tuple[dict, dict, list[list[float]]]:
    """Both states after some updates, through torch.save as in a checkpoint, and the rates that were to follow."""
    optimizer = build(kind, tensor)
    scheduler = Scheduler(optimizer, schedule, run=RUN)
    train(optimizer, scheduler, updates)
    buffer = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, buffer)
    buffer.seek(0)
    states = torch.load(buffer, weights_only=True)
    return states["optimizer"], states["scheduler"], train(optimizer, scheduler, 20)


def resumed(order: str, kind: type, tensor: bool, states: tuple[dict, dict], schedule: object = SCHEDULE) -> tuple:
    optimizer, scheduler = build(kind, tensor), None
    for act in order:
        if act == "b":
            scheduler = Scheduler(optimizer, schedule, run=RUN)
        elif act == "o":
            optimizer.load_state_dict(states[0])
        else:
            scheduler.load_state_dict(states[1])
    return optimizer, scheduler


# b: build the scheduler, o: load the optimizer, s: load the scheduler
ORDERS = [order for order in map("".join, itertools.permutations("bos")) if order.index("b") < order.index("s")]


@pytest.mark.parametrize("updates", [1, 5, 10, 57])
@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize("kind", [SGD, AdamW])
@pytest.mark.parametrize("order", [*ORDERS, "boss", "bsos"])
def test_any_order_of_building_and_loading_is_right_at_once(order: str, kind: type, tensor: bool, updates: int) -> None:
    *states, truth = saved(kind, tensor, updates)
    optimizer, scheduler = resumed(order, kind, tensor, states)
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx(
        truth[0], rel=1e-6 if tensor else 0
    )
    assert scheduler.get_last_lr() == pytest.approx(truth[0], rel=1e-6 if tensor else 1e-15)
    assert train(optimizer, scheduler, 20) == [pytest.approx(row, rel=1e-6 if tensor else 1e-15) for row in truth]


@pytest.mark.parametrize("order", ["bos", "obs", "bso"])
def test_nothing_depends_on_initial_lr_surviving(order: str) -> None:
    """Distributed checkpoints drop it."""
    *states, truth = saved(AdamW, False, 30)
    for group in states[0]["param_groups"]:
        del group["initial_lr"]
    optimizer, scheduler = resumed(order, AdamW, False, states)
    assert train(optimizer, scheduler, 20) == [pytest.approx(row, rel=1e-14) for row in truth]


def test_where_the_base_cannot_be_known_it_is_refused_and_nothing_changes() -> None:
    """Built after the optimizer was loaded, with a state that was saved before anybody knew either."""
    *states, _ = saved(AdamW, False, 100, ph.decay())
    optimizer = build(AdamW, False)
    optimizer.load_state_dict(states[0])
    scheduler = Scheduler(optimizer, ph.decay(), run=RUN)
    unknown = states[1] | {"bases": scheduler.state_dict()["bases"]}
    before = (scheduler.state_dict(), [dict(group) for group in optimizer.param_groups])
    with pytest.raises(ph.StateError, match="build the Scheduler before its optimizer loads a state, or pass base="):
        scheduler.load_state_dict(unknown)
    assert (scheduler.state_dict(), [dict(group) for group in optimizer.param_groups]) == before
    scheduler.load_state_dict(states[1])
    assert scheduler.base_lrs == pytest.approx([0.3, 0.07])


def test_the_state_is_small_plain_and_constant_in_the_number_of_groups() -> None:
    one = Scheduler(SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1), SCHEDULE, run=RUN).state_dict()
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(1000)]
    many = Scheduler(SGD(groups, lr=0.1), SCHEDULE, run=RUN).state_dict()
    assert {**one, "bases": ""} == {**many, "bases": ""}
    assert list(one) == ["format", "last_epoch", "_step_count", "position", "plan", "run", "rules", "bases"]
    assert json.loads(json.dumps(many)) == many
    assert len(json.dumps(many)) <= 1024
    assert all(type(value) in (int, str) for value in many.values())


def test_the_bases_of_many_named_groups_are_a_digest() -> None:
    def many(rate: float) -> Scheduler:
        made = [
            {"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate / (i + 1), "name": f"layer.{i}"}
            for i in range(1000)
        ]
        return Scheduler(SGD(made, lr=0.1), SCHEDULE, run=RUN)

    scheduler = many(0.1)
    scheduler.set_peak(0.05)
    state = scheduler.state_dict()
    assert len(state["bases"]) < 8192
    other = many(0.1)
    other.load_state_dict(state)
    assert other.get_last_lr() == scheduler.get_last_lr()
    with pytest.raises(ph.StateError, match="the groups' own 'lr' were others"):
        many(0.2).load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": -1}, "position"),
        ({"position": 1.5}, "position"),
        ({"position": True}, "position"),
        ({"position": math.nan}, "position"),
        ({"last_epoch": "7"}, "last_epoch"),
        ({"last_epoch": -2}, "last_epoch"),
        ({"_step_count": None}, "_step_count"),
        ({"format": 3}, "use a newer preheat"),
        ({"format": 1}, "resume it with the preheat that saved it"),
        ({"bases": 1}, "bases in the scheduler's state is text"),
        ({"bases": "{}"}, "bases have the keys"),
        ({"bases": '{"defaults": [0.1], "peak": null, "hypers": {"lr": [[null, 0, 0.1, 0.1]]}}'}, "how many groups"),
        ({"bases": '{"defaults": [0.1], "peak": null, "hypers": {"lr": [[null, 1, -0.1, 0.1]]}}'}, "at least 0"),
        (
            {"bases": '{"defaults": [0.1], "peak": null, "hypers": {"lr": [[null, 1, NaN, 0.1]]}}'},
            "a base must be finite",
        ),
        ({"bases": '{"defaults": [0.1], "peak": null, "hypers": {"lr": [[null, 100000000, 0.1, 0.1]]}}'}, "groups"),
        ({"plan": "{}"}, "plan"),
        ({"plan": '{"lr": "__import__(\'os\')"}'}, "unknown word"),
        ({"plan": 3}, "plan"),
        ({"plan": numpy.array(["a", "b"])}, "plan"),
        ({"run": numpy.array(["a", "b"])}, "run"),
        ({"rules": numpy.array(["a", "b"])}, "rules"),
        ({"run": "[]"}, "run"),
        ({"run": '{"clock": "token"}'}, "counts tokens"),
        ({"rules": "{'plateau': 1}"}, "rules"),
        ({"extra": 1}, "no key 'extra'"),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(change: dict, message: str) -> None:
    *states, _ = saved(SGD, False, 5)
    optimizer, scheduler = resumed("bos", SGD, False, states)
    before = (scheduler.state_dict(), scheduler.get_last_lr(), [dict(group) for group in optimizer.param_groups])
    with pytest.raises(ph.StateError, match=message):
        scheduler.load_state_dict({**states[1], **change})
    for key in states[1]:
        with pytest.raises(ph.StateError, match=key):
            scheduler.load_state_dict({name: value for name, value in states[1].items() if name != key})
    after = (scheduler.state_dict(), scheduler.get_last_lr(), [dict(group) for group in optimizer.param_groups])
    assert after == before


def test_a_state_of_another_scheduler_says_so_and_what_to_write_works() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    other = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for _ in range(4):
        optimizer.step()
        other.step()
    scheduler = Scheduler(optimizer, ph.warmup(2) >> ph.decay(), run=ph.Run(total=8), base="initial")
    with pytest.raises(
        ph.StateError, match=r"saved by another scheduler than preheat's: it has .*call go_to\(update\)"
    ):
        scheduler.load_state_dict(other.state_dict())
    scheduler.go_to(4)
    assert scheduler.get_last_lr() == [pytest.approx(0.5 * 4 / 6)]


def _with(policy: str, schedule: ph.Schedule, states: tuple[dict, dict]) -> tuple:
    optimizer = build(SGD, False)
    scheduler = Scheduler(optimizer, schedule, run=RUN, on_change=policy)
    optimizer.load_state_dict(states[0])
    return optimizer, scheduler


def test_a_changed_plan_is_refused_with_the_first_update_that_changes() -> None:
    *states, _ = saved(SGD, False, 40, ph.warmup(10) >> ph.hold(1.0, 50) >> ph.decay(40))
    _, scheduler = _with("refuse", ph.warmup(10) >> ph.hold(1.0, 60) >> ph.decay(30), states)
    with pytest.raises(ph.StateError, match=r"first update to differ is 61, where 'lr' was 0\.975 and is 1\.0"):
        scheduler.load_state_dict(states[1])


def test_a_change_in_the_past_is_no_change() -> None:
    *states, _ = saved(SGD, False, 40, ph.warmup(10) >> ph.hold(1.0, 50) >> ph.decay(40))
    _, scheduler = _with("refuse", ph.warmup(20) >> ph.hold(1.0, 40) >> ph.decay(40), states)
    scheduler.load_state_dict(states[1])
    assert scheduler.position == 40


def test_adopt_keep_and_rebase() -> None:
    *states, truth = saved(SGD, False, 40, ph.hold())
    new = ph.decay()
    optimizer, scheduler = _with("adopt", new, states)
    scheduler.load_state_dict(states[1])
    assert train(optimizer, scheduler, 2)[0] == pytest.approx([0.3 * 0.6, 0.07 * 0.6])
    optimizer, scheduler = _with("keep", new, states)
    scheduler.load_state_dict(states[1])
    assert train(optimizer, scheduler, 20) == truth
    optimizer, scheduler = _with("rebase", new, states)
    scheduler.load_state_dict(states[1])
    seen = train(optimizer, scheduler, 61)
    assert seen[0] == pytest.approx([0.3, 0.07])
    assert seen[30] == pytest.approx([0.15, 0.035])
    assert seen[60] == [0.0, 0.0]


def test_rebase_onto_zero_is_refused() -> None:
    *states, _ = saved(SGD, False, 40, ph.hold())
    _, scheduler = _with("rebase", ph.decay(30), states)
    with pytest.raises(ph.StateError, match="cannot rebase"):
        scheduler.load_state_dict(states[1])


def test_a_run_of_two_halves_trains_to_the_same_weights_bit_for_bit() -> None:
    whole = build(AdamW, False)
    train(whole, Scheduler(whole, SCHEDULE, run=RUN), 60)
    first = build(AdamW, False)
    scheduler = Scheduler(first, SCHEDULE, run=RUN)
    train(first, scheduler, 25)
    second = build(AdamW, False)
    for mine, theirs in zip(second.param_groups, first.param_groups, strict=True):
        mine["params"][0].data.copy_(theirs["params"][0].data)
    second.load_state_dict(first.state_dict())
    resumed = Scheduler(second, SCHEDULE, run=RUN)
    resumed.load_state_dict(scheduler.state_dict())
    train(second, resumed, 35)
    for mine, theirs in zip(second.param_groups, whole.param_groups, strict=True):
        assert torch.equal(mine["params"][0], theirs["params"][0])
