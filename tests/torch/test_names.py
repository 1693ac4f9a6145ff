"""Groups that got or lost their names between two scripts: the same groups by their places, whichever is loaded first."""

from collections.abc import Sequence
from copy import deepcopy
from itertools import zip_longest
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat import StateError
from preheat.torch import Scheduler

RUN = ph.Run(total=100)
PLAN = "warmup(10) >> decay()"
AT, FACTOR = 20, 80 / 90

Script = Sequence[tuple[float, float, str | None]]  # of every group its rate, its weight decay and its name

rates, decays = st.sampled_from([0.1, 0.03]), st.sampled_from([0.1, 0.5])
likely = st.integers(0, 3).map(bool)


def built(script: Script, with_decay: bool, **options: str) -> tuple[torch.optim.Optimizer, Scheduler]:
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate, "weight_decay": decay}
        | ({} if name is None else {"name": name})
        for rate, decay, name in script
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
    plan = {"lr": PLAN} | ({"weight_decay": PLAN} if with_decay else {})
    return optimizer, Scheduler(optimizer, plan, run=RUN, **options)


def loaded(pair: tuple[Any, Any], states: Sequence[tuple[int, dict[str, Any]]]) -> None:
    for which, state in states:
        pair[which].load_state_dict(state)


@st.composite
def two_scripts(draw: st.DrawFn) -> tuple[Script, Script]:
    """A script, and one of the same groups in which names were given or taken away, and rates may have changed."""
    count = draw(st.integers(1, 3))
    one = [(draw(rates), draw(decays), draw(st.sampled_from([None, "abc"[i]]))) for i in range(count)]
    other = [
        (
            rate if draw(likely) else draw(rates),
            decay if draw(likely) else draw(decays),
            draw(st.sampled_from([None, "abc"[i]])),
        )
        for i, (rate, decay, _) in enumerate(one)
    ]
    return one, other


@settings(max_examples=200)
@given(two_scripts(), st.booleans(), st.booleans(), st.sampled_from(["refuse", "adopt", "keep", "rebase"]))
def test_a_name_given_or_taken_away_hides_no_change(
    scripts: tuple[Script, Script], optimizer_first: bool, with_decay: bool, policy: str
) -> None:
    one, other = scripts
    optimizer, scheduler = built(one, with_decay)
    for _ in range(AT):
        optimizer.step()
        scheduler.step()
    states = [(0, deepcopy(optimizer.state_dict())), (1, scheduler.state_dict())]
    pair = built(other, with_decay, on_change=policy)
    ratios = [{new[k] / old[k] for old, new in zip(one, other, strict=True)} for k in (0, 1)]
    changed = [any(old[k] != new[k] for old, new in zip(one, other, strict=True)) for k in (0, 1)]
    matters = changed[0] or (with_decay and changed[1])
    several = len(ratios[0]) > 1 or (with_decay and len(ratios[1]) > 1)
    load = states if optimizer_first else states[::-1]
    if matters and (policy == "refuse" or (policy == "rebase" and several)):
        with pytest.raises(StateError, match=r"changed since|different constants"):
            loaded(pair, load)
        return
    loaded(pair, load)
    meant = other if policy == "adopt" else one
    found = pair[0].param_groups
    assert [group["lr"] for group in found] == pytest.approx([rate * FACTOR for rate, _, _ in meant])
    if with_decay:
        assert [group["weight_decay"] for group in found] == pytest.approx([decay * FACTOR for _, decay, _ in meant])
    names = [mine or saved for (*_, mine), (*_, saved) in zip_longest(other, one)]
    assert [group.get("name") for group in found] in (names, [name for *_, name in other])


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_line_for_a_group_is_found_after_a_state_without_names(optimizer_first: bool) -> None:
    optimizer, scheduler = built([(0.1, 0.0, None), (0.03, 0.0, None)], False)
    for _ in range(AT):
        optimizer.step()
        scheduler.step()
    states = [optimizer.state_dict(), scheduler.state_dict()]
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1, "name": name} for name in ("body", "head")]
    new = torch.optim.SGD(groups, momentum=0.9)
    own = Scheduler(new, {"lr": PLAN, "head/lr": "hold()"}, run=RUN, on_change="adopt")
    pairs = [(new, states[0]), (own, states[1])]
    for target, state in pairs if optimizer_first else pairs[::-1]:
        target.load_state_dict(state)
    assert own.get_last_lr() == pytest.approx([0.1 * FACTOR, 0.1])
    assert [group["name"] for group in new.param_groups] == ["body", "head"]
    assert own.position == AT


several = st.lists(st.sampled_from([0.1, 0.03, 0.5]), min_size=1, max_size=3)


@settings(max_examples=200)
@given(several, several)
def test_a_refusal_offers_what_works_and_nothing_else(before: list[float], after: list[float]) -> None:
    _, scheduler = built([(rate, 0.0, None) for rate in before], False)
    scheduler.step()
    state, script = scheduler.state_dict(), [(rate, 0.0, None) for rate in after]
    try:
        built(script, False)[1].load_state_dict(state)
    except StateError as error:
        offered = str(error)
    else:
        return
    for policy in ("adopt", "keep", "rebase"):
        own = built(script, False, on_change=policy)[1]
        if f"'{policy}'" in offered:
            own.load_state_dict(state)
            assert own.position == 1
        else:
            with pytest.raises(StateError):
                own.load_state_dict(state)


def test_a_decay_that_was_switched_off_is_off_whichever_is_loaded_first() -> None:
    script = [(0.1, 0.5, "a"), (0.1, 0.1, "b")]
    optimizer, scheduler = built([(0.1, 0.0, "a"), (0.1, 0.1, "b")], True)
    optimizer.step()
    scheduler.step()
    states = [(0, optimizer.state_dict()), (1, scheduler.state_dict())]
    for order in (states, states[::-1]):
        pair = built(script, True, on_change="keep")
        loaded(pair, deepcopy(order))
        assert [group["weight_decay"] for group in pair[0].param_groups] == [0, pytest.approx(0.01)]
    with pytest.raises(StateError, match="'weight_decay' was switched on or off in a group"):
        built(script, True, on_change="rebase")[1].load_state_dict(states[1][1])


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_decay_that_only_the_script_schedules_is_the_loaded_one_under_keep(optimizer_first: bool) -> None:
    optimizer, scheduler = built([(0.1, 0.1, "a")], False)
    optimizer.step()
    scheduler.step()
    states = [(0, optimizer.state_dict()), (1, scheduler.state_dict())]
    pair = built([(0.1, 0.5, "a")], True, on_change="keep")
    loaded(pair, states if optimizer_first else states[::-1])
    assert pair[0].param_groups[0]["weight_decay"] == 0.1
