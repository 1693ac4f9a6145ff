"""What users of other schedulers suffer, and what they get here: resuming, and another length or rate on resuming.

One test a symptom; the docstring lists the threads that reported it, with the abbreviations of test_symptoms.py.
"""

import copy
import io

import pytest
import torch
from small_runs import drawn, rate, rates, sgd
from torch.optim import Optimizer
from torch.optim import lr_scheduler as peers

import preheat as ph
from preheat.torch import Scheduler

RUN = ph.Run(total=100)
SCHEDULE = ph.warmup(10, start=0.01) >> ph.decay(shape="cosine")


def checkpoint(updates: int, schedule: object = SCHEDULE, **options: object) -> tuple[dict, dict, list[float]]:
    """Both states after some updates, as a file gives them back, and the rates that were to follow."""
    optimizer = sgd()
    scheduler = Scheduler(optimizer, schedule, run=RUN, **options)
    rates(optimizer, scheduler, updates)
    buffer = io.BytesIO()
    torch.save((optimizer.state_dict(), scheduler.state_dict()), buffer)
    buffer.seek(0)
    return *torch.load(buffer, weights_only=True), rates(optimizer, scheduler, 20)


def sequential(optimizer: Optimizer, **options: object) -> peers.SequentialLR:
    parts = [peers.LinearLR(optimizer, 1e-3, total_iters=10), peers.CosineAnnealingLR(optimizer, 90)]
    return peers.SequentialLR(optimizer, parts, [10], **options)


# -- B: resuming -----------------------------------------------------------------------------------------------------


def test_the_natural_order_of_resuming() -> None:
    """pt#65342, #78003, #129079; tf#34053, #27749, #27710; torchtune#2730; PEERS §5.1: load the optimizer, build the
    scheduler, load it. The rate stays 1,000× low for good, while get_last_lr() says otherwise."""
    optimizer = sgd()
    scheduler = sequential(optimizer)
    rates(optimizer, scheduler, 50)
    states, truth = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict())), rate(optimizer)
    fresh = sgd()
    fresh.load_state_dict(states[0])
    sequential(fresh).load_state_dict(states[1])
    assert rate(fresh) < truth / 100
    *states, follows = checkpoint(50)
    fresh = sgd()
    fresh.load_state_dict(states[0])
    ours = Scheduler(fresh, SCHEDULE, run=RUN)
    ours.load_state_dict(states[1])
    assert rates(fresh, ours, 20) == pytest.approx(follows, rel=1e-14)


def test_loading_only_the_scheduler_sets_the_rate() -> None:
    """pt#29697, #52911, #156846; slime PR#1775; verl#7953; PEERS §5.2: at ×0.001 for good."""
    optimizer = sgd()
    scheduler = sequential(optimizer)
    rates(optimizer, scheduler, 50)
    fresh = sgd()
    sequential(fresh).load_state_dict(scheduler.state_dict())
    assert rate(fresh) == pytest.approx(1e-4)
    _, state, follows = checkpoint(50)
    fresh = sgd()
    ours = Scheduler(fresh, SCHEDULE, run=RUN)
    ours.load_state_dict(state)
    assert rate(fresh) == ours.get_last_lr()[0] == follows[0]


def test_a_position_is_reached_without_replaying_or_repeating_the_warmup() -> None:
    """pt#60265, #162591, PR#171515; tf#23099, #25865; PEERS §5.3: last_epoch=49 restarts at .1, or is one off."""
    for updates in (9, 10, 11, 49):
        *states, follows = checkpoint(updates)
        fresh = sgd()
        ours = Scheduler(fresh, SCHEDULE, run=RUN)
        fresh.load_state_dict(states[0])
        ours.load_state_dict(states[1])
        assert (ours.last_epoch, ours.position) == (updates, updates)
        assert rates(fresh, ours, 20) == pytest.approx(follows, rel=1e-15)


def test_loading_twice_is_loading_once() -> None:
    """miles PR#1627; slime PR#1775: the scheduler is resumed twice, and steps twice."""
    *states, follows = checkpoint(30)
    fresh = sgd()
    ours = Scheduler(fresh, SCHEDULE, run=RUN)
    for _ in range(2):
        ours.load_state_dict(states[1])
        fresh.load_state_dict(states[0])
        ours.load_state_dict(states[1])
    assert rates(fresh, ours, 20) == pytest.approx(follows, rel=1e-15)


def test_nothing_hangs_on_initial_lr() -> None:
    """pt#140900, #126948; modalities#315; speculators#1048; nanotron PR#256: DCP drops it, KeyError, or the decayed rate
    is taken for the initial one."""
    *states, follows = checkpoint(50)
    del states[0]["param_groups"][0]["initial_lr"]
    fresh = sgd()
    fresh.load_state_dict(states[0])
    ours = Scheduler(fresh, SCHEDULE, run=RUN)
    ours.load_state_dict(states[1])
    assert rates(fresh, ours, 20) == pytest.approx(follows, rel=1e-14)


def test_a_stale_initial_lr_is_not_believed() -> None:
    """PEERS §5.5: a rate set by hand is undone by the next scheduler, which believes what an earlier one left."""
    optimizer = sgd(0.1)
    peers.LambdaLR(optimizer, lambda t: 1.0)
    optimizer.param_groups[0]["lr"] = 0.001
    twin = copy.deepcopy(optimizer)
    peers.LambdaLR(twin, lambda t: 1.0)
    assert rate(twin) == 0.1
    ours = Scheduler(copy.deepcopy(optimizer), ph.hold())
    with pytest.raises(ph.PreheatError, match=r"base='initial' .* base='present'"):
        ours.optimizer.step()
    assert Scheduler(optimizer, ph.hold(), base="present").get_last_lr() == [0.001]


def test_a_new_target_rate_is_taken_on_resuming() -> None:
    """tf#9099; Megatron-LM#963, #1138, #1533, PR#1284, PR#5213; PEERS §5.4: ignored by all six tried."""
    *states, follows = checkpoint(50)
    for order in ("build first", "optimizer first"):
        fresh = sgd()
        if order == "optimizer first":
            fresh.load_state_dict(states[0])
        ours = Scheduler(fresh, SCHEDULE, run=RUN, peak=0.02, on_change="adopt")
        if order == "build first":
            fresh.load_state_dict(states[0])
        ours.load_state_dict(states[1])
        assert rates(fresh, ours, 20) == pytest.approx([value / 5 for value in follows])


# -- C: another length -----------------------------------------------------------------------------------------------


def test_a_new_total_is_refused_with_both_values_or_adopted() -> None:
    """tf#18070, SimpleTuner#1172, insightface PR#2143, vortex#70, sd-scripts#1653, composer#1384, prime-rl#1095, #985,
    dalle-mini#138, pith-train#55, WeatherGenerator#1199, speculators PR#1104; PEERS §5.4: not honoured, or half."""
    _, state, _ = checkpoint(60)
    longer = ph.Run(total=200)
    with pytest.raises(ph.StateError, match=r"first update to differ is 60, where 'lr' was 0\.41\d+ and is 0\.83\d+"):
        Scheduler(sgd(), SCHEDULE, run=longer).load_state_dict(state)
    fresh = sgd()
    ours = Scheduler(fresh, SCHEDULE, run=longer, on_change="adopt")
    ours.load_state_dict(state)
    bound = SCHEDULE.bind(longer)
    assert rates(fresh, ours, 140) == pytest.approx([0.1 * bound(t) for t in range(60, 200)], rel=1e-14)
    kept = Scheduler(sgd(), SCHEDULE, run=longer, on_change="keep")
    kept.load_state_dict(state)
    assert kept.get_last_lr() == [0.1 * SCHEDULE.bind(RUN)(60)]


def test_a_shorter_total_ends_at_its_floor() -> None:
    """torchtitan#2326, PR#2340: the debug run of the same schedule went negative."""
    _, state, _ = checkpoint(60)
    fresh = sgd()
    ours = Scheduler(fresh, SCHEDULE, run=ph.Run(total=50), on_change="adopt")
    ours.load_state_dict(state)
    assert rates(fresh, ours, 5) == [0.0] * 5


def test_a_cooldown_branches_off_any_checkpoint() -> None:
    """epfml/schedules-and-scaling#3: how to run cooldowns from a checkpoint."""
    constant = ph.warmup(10) >> ph.hold()
    _, state, _ = checkpoint(40, constant)
    fresh = sgd()
    ours = Scheduler(fresh, constant, run=RUN)
    ours.load_state_dict(state)
    ours.cooldown(10, "sqrt")
    assert rates(fresh, ours, 12) == pytest.approx([0.1 * (1 - min(1.0, t / 10) ** 0.5) for t in range(12)])


def test_every_schedule_takes_a_floor() -> None:
    """tf#26209: two types of about twelve have a minimum rate."""
    for schedule in (ph.cosine(20), ph.linear(20), ph.wsd(20, decay_steps=5), ph.restarts(5), ph.step_decay(5)):
        assert min(drawn(schedule.clipped(low=0.05), 40)) >= 0.05
