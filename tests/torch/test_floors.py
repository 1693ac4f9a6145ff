"""Plateau with floors and for one group: torch's ReduceLROnPlateau, group by group, over a schedule as over a constant."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

import preheat as ph
from preheat.session import Plateau, Rewarm
from preheat.torch import Scheduler

RATES = (0.3, 0.01, 1e-4)


def optimizer(*, tensors: bool = False) -> SGD:
    groups = [
        {
            "params": [torch.nn.Parameter(torch.zeros(1))],
            "lr": torch.tensor(rate, dtype=torch.float64) if tensors else rate,
        }
        for rate in RATES
    ]
    return SGD([groups[0], groups[1] | {"name": "head"}, groups[2]], lr=0.1)


def rates(one: SGD) -> list[float]:
    return [float(group["lr"]) for group in one.param_groups]


FLOORS = st.one_of(
    st.sampled_from([0.0, 1e-3, 1e-6, 1.0]), st.lists(st.sampled_from([0.0, 1e-3, 0.02, 1e-4]), min_size=3, max_size=3)
)


@given(st.lists(st.floats(-2, 2), max_size=40), FLOORS, st.sampled_from([0.1, 0.5]), st.booleans())
def test_floors_are_those_of_torch(losses: list[float], floors: object, factor: float, tensors: bool) -> None:
    here, there = optimizer(tensors=tensors), optimizer()
    rule = Plateau("loss", factor=factor, patience=1, min_lr=floors)
    scheduler = Scheduler(here, ph.hold(), rules=[rule])
    truth = ReduceLROnPlateau(there, factor=factor, patience=1, min_lr=floors, eps=0.0)
    for loss in losses:
        scheduler.step(metrics={"loss": loss})
        truth.step(loss)
        assert rates(here) == pytest.approx(rates(there), rel=1e-14)
        assert scheduler.get_last_lr() == rates(here)
        assert list(scheduler.values().values()) == rates(here)


def stalled(scheduler: Scheduler, times: int) -> None:
    for _ in range(times):
        scheduler.step(metrics={"loss": 1.0})


def test_a_floor_never_raises_what_the_schedule_says() -> None:
    here = optimizer()
    scheduler = Scheduler(
        here, ph.warmup(10) >> ph.hold(1.0, 10) >> ph.decay(10), rules=[Plateau("loss", patience=0, min_lr=1e-3)]
    )
    seen = []
    for t in range(31):
        seen.append(rates(here))
        scheduler.step(metrics={"loss": 0.0 if t < 5 else math.nan})
    plan = (ph.warmup(10) >> ph.hold(1.0, 10) >> ph.decay(10)).bind(ph.Run())
    for t, now in enumerate(seen):
        gain = 0.1 ** max(0, t - 1)
        assert now == pytest.approx([max(rate * plan(t) * gain, min(1e-3, rate * plan(t))) for rate in RATES])


def test_a_floor_by_the_names_of_groups() -> None:
    here = optimizer()
    scheduler = Scheduler(here, ph.hold(), rules=[Plateau("loss", patience=0, min_lr={"head": 1e-3, "0": 0.2})])
    stalled(scheduler, 6)
    assert rates(here) == pytest.approx([0.2, 1e-3, 1e-4 * 1e-5])


def test_one_group_stalls_and_the_others_are_only_scheduled() -> None:
    here, plan = optimizer(), ph.Plan({"lr": ph.decay(100), "head/lr": ph.decay(100)})
    rules = [Plateau("loss", patience=0, group="head"), Rewarm("loss", group="head", span=10)]
    scheduler = Scheduler(here, plan, rules=rules)
    stalled(scheduler, 3)
    assert rates(here) == pytest.approx([0.3 * 0.97, 0.01 * 0.97 * 0.01, 1e-4 * 0.97])
    state = scheduler.state_dict()
    again = optimizer()
    resumed = Scheduler(again, plan, rules=rules)
    resumed.load_state_dict(state)
    assert rates(again) == rates(here)


@pytest.mark.parametrize(
    ("plan", "rule", "message"),
    [
        (ph.hold(), Plateau("loss", min_lr=[1e-3]), "lists one rate for each of 3 groups, not"),
        (
            ph.hold(),
            Plateau("loss", min_lr={"haed": 1e-3}),
            "min_lr of Plateau names no group 'haed'; did you mean 'head'",
        ),
        (
            ph.hold(),
            Plateau("loss", group="head"),
            r"has no line 'head/lr', only lr; write Plan\(\{'lr': s, 'head/lr': s\}\)",
        ),
    ],
)
def test_floors_and_groups_that_are_not_those_of_the_optimizer_are_refused(
    plan: object, rule: Plateau, message: str
) -> None:
    here = optimizer()
    with pytest.raises(ph.PreheatError, match=message):
        Scheduler(here, plan, rules=[rule])
    assert rates(here) == list(RATES)


def equal(groups: int) -> SGD:
    """Groups without names, all at one rate: what they were given is known however many there are."""
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=0.1)


def test_saved_floors_of_other_groups_are_refused_and_nothing_changes() -> None:
    state = Scheduler(equal(3), ph.hold(), rules=[Plateau("loss", min_lr=[1e-3, 0, 0])]).state_dict()
    here = equal(1)
    other = Scheduler(here, ph.hold(), on_change="keep")
    before = other.state_dict()
    with pytest.raises(ph.PreheatError, match="lists one rate for each of 1 groups"):
        other.load_state_dict(state)
    assert (other.state_dict(), here.param_groups[0]["lr"]) == (before, 0.1)


def test_a_group_that_has_no_place_in_a_list_of_floors_is_not_added() -> None:
    here = optimizer()
    scheduler = Scheduler(here, ph.hold(), rules=[Plateau("loss", patience=0, min_lr=[1e-3, 0, 0])])
    new = {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}
    refusal = r"one rate for each of 4 groups, not \[0.001, 0.0, 0.0\]; write one rate, or a mapping"
    with pytest.raises(ph.PreheatError, match=refusal):
        here.add_param_group(new)
    assert rates(here) == list(RATES)
    stalled(scheduler, 4)
    assert rates(here) == pytest.approx([1e-3, 0.01 * 1e-3, 1e-4 * 1e-3])
    here.param_groups.append({**here.param_groups[0], "params": new["params"]})  # past add_param_group
    before = scheduler.position, rates(here)
    for ask in (scheduler.get_last_lr, scheduler.state_dict, lambda: stalled(scheduler, 1)):
        with pytest.raises(ph.PreheatError, match=refusal):
            ask()
    assert rates(here) == before[1]


def test_a_group_may_be_added_where_floors_have_names() -> None:
    here = optimizer()
    scheduler = Scheduler(here, ph.hold(), rules=[Plateau("loss", patience=0, min_lr={"head": 1e-3})])
    here.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
    stalled(scheduler, 3)
    assert rates(here) == pytest.approx([0.3 * 0.01, 1e-3, 1e-4 * 0.01, 0.1 * 0.01])
