"""Changing a run that is under way: its end, a cooldown, a new warmup, a decay branched off; and its groups."""

import json
import pickle

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim import SGD, AdamW, Optimizer

import preheat as ph
from preheat.torch import Scheduler

STABLE = ph.warmup(10) >> ph.hold() >> ph.decay(100, shape="sqrt")


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(3))


def build(schedule: object = STABLE, **options: object) -> tuple[Optimizer, Scheduler]:
    optimizer = AdamW([{"params": [parameter()], "lr": lr} for lr in (0.3, 0.07)])
    return optimizer, Scheduler(optimizer, schedule, **options)


def train(optimizer: Optimizer, scheduler: Scheduler, updates: int) -> list[float]:
    """The factor of every update, which is the same in all groups."""
    seen = []
    for _ in range(updates):
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        assert rates == pytest.approx(scheduler.get_last_lr(), rel=1e-15)
        seen.append(rates[0] / 0.3)
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = torch.ones_like(p)
        optimizer.step()
        scheduler.step()
    return seen


def resumed(states: tuple[dict, dict], schedule: object = STABLE, **options: object) -> tuple[Optimizer, Scheduler]:
    optimizer, scheduler = build(schedule, **options)
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(json.loads(json.dumps(states[1])))
    return optimizer, scheduler


def saved(optimizer: Optimizer, scheduler: Scheduler) -> tuple[dict, dict]:
    return pickle.loads(pickle.dumps((optimizer.state_dict(), scheduler.state_dict())))


# -- an end that is not known --------------------------------------------------------------------------------------


def test_a_stable_phase_stays_open_until_the_end_is_said() -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 500)
    scheduler.finish_in(150)
    seen = train(optimizer, scheduler, 160)
    assert seen[:50] == [1.0] * 50
    assert seen[50:150] == pytest.approx([1 - (i / 100) ** 0.5 for i in range(100)])
    assert seen[150:] == [0.0] * 10
    assert scheduler.run.total == 650


@pytest.mark.parametrize("at", [0, 5, 40, 320, 360])
def test_resuming_before_and_after_the_end_is_said_needs_no_policy(at: int) -> None:
    """With the arguments of the first start, whenever it is: said at 300, in 120 updates."""

    def run(optimizer: Optimizer, scheduler: Scheduler, start: int, end: int) -> list[float]:
        seen = []
        for moment in range(start, end):
            if moment == 300:
                scheduler.finish_in(120)
            seen += train(optimizer, scheduler, 1)
        return seen

    whole = run(*build(), 0, 430)
    optimizer, scheduler = build()
    first = run(optimizer, scheduler, 0, at)
    assert first + run(*resumed(saved(optimizer, scheduler)), at, 430) == pytest.approx(whole, rel=1e-14)


def test_the_end_may_be_said_again_until_the_decay_begins() -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 50)
    scheduler.finish_in(1000)
    scheduler.finish_in("150 steps")
    train(optimizer, scheduler, 51)
    before = scheduler.state_dict()
    for change in (lambda: scheduler.finish_in(500), lambda: scheduler.extend(5000)):
        with pytest.raises(
            ph.PreheatError, match="comes too late, the run is at 101: the first update to differ is 101"
        ):
            change()
    assert scheduler.state_dict() == before
    assert train(optimizer, scheduler, 100)[-1] == 0.0


@pytest.mark.parametrize("span", [0, 1, 99])
def test_too_late_an_end_is_refused_and_nothing_changes(span: int) -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 200)
    with pytest.raises(ph.PreheatError, match="comes too late, the run is at 200"):
        scheduler.finish_in(span)
    assert scheduler.run.total is None
    assert train(optimizer, scheduler, 300) == [1.0] * 300
    scheduler.finish_in(100)
    assert train(optimizer, scheduler, 101)[-1] == 0.0


def test_an_end_that_the_warmup_does_not_fit_into_is_refused() -> None:
    _, scheduler = build()
    with pytest.raises(ph.BindError, match="need 110 steps and the run has 50"):
        scheduler.finish_in(50)


def test_a_late_end_is_noticed_on_a_clock_of_many_ticks() -> None:
    """Two trillion tokens in: comparing every one of them would take for ever, comparing only the first sees nothing."""
    run = ph.Run(clock="token", tokens_per_step=4_000_000)
    schedule = ph.warmup("1B tokens") >> ph.hold() >> ph.decay("20B tokens")
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, schedule, run=run)
    state = scheduler.state_dict() | {"position": 2_000_000_000_000, "last_epoch": 500_000}
    scheduler.load_state_dict(state)
    with pytest.raises(ph.PreheatError, match="comes too late"):
        scheduler.finish_in("10B tokens")
    scheduler.finish_in("25B tokens")
    assert scheduler.run.total == 2_025_000_000_000


def test_a_change_far_ahead_is_noticed_on_a_clock_of_many_ticks() -> None:
    run = ph.Run(total="2T tokens", clock="token")
    optimizer = SGD([parameter()], lr=1.0)
    state = Scheduler(optimizer, ph.warmup("1B tokens") >> ph.hold() >> ph.decay("300B tokens"), run=run).state_dict()
    other = Scheduler(optimizer, ph.warmup("1B tokens") >> ph.hold() >> ph.decay("200B tokens"), run=run)
    with pytest.raises(ph.StateError, match="first update to differ"):
        other.load_state_dict(state)


def test_an_end_on_wall_time() -> None:
    schedule = ph.warmup("5 min") >> ph.hold() >> ph.decay("10 min")
    _, scheduler = build(schedule, run=ph.Run(clock="second"))
    scheduler.step(advance=1000.5)
    scheduler.finish_in("20 min")
    assert scheduler.run.total == 2201
    scheduler.step(advance=1200.5)
    assert scheduler.get_last_lr() == [0.0, 0.0]


# -- another end ----------------------------------------------------------------------------------------------------


def test_extending_lays_the_given_plan_out_anew() -> None:
    optimizer, scheduler = build(ph.warmup(10) >> ph.hold() >> ph.decay("20%"), run=ph.Run(total=100))
    train(optimizer, scheduler, 60)
    scheduler.extend(200)
    assert train(optimizer, scheduler, 141)[99:] == pytest.approx([1.0] + [1 - i / 40 for i in range(41)])
    states = saved(optimizer, scheduler)
    schedule = ph.warmup(10) >> ph.hold() >> ph.decay("20%")
    assert resumed(states, schedule, run=ph.Run(total=200))[1].position == 201


def test_extending_where_nothing_can_grow_is_refused() -> None:
    _, scheduler = build(ph.warmup(10) >> ph.decay(90), run=ph.Run(total=100))
    with pytest.raises(ph.BindError, match="is 'rest' or '%', so nothing can grow"):
        scheduler.extend(200)
    with pytest.raises(ph.BindError, match="so nothing can grow"):
        scheduler.finish_in(200)
    assert scheduler.run.total == 100


def test_extending_by_less_than_a_rounding_is_no_refusal() -> None:
    _, scheduler = build(ph.warmup("5%") >> ph.hold(1.0, 10), run=ph.Run(total=100))
    scheduler.extend(109)
    assert scheduler.plan["lr"].length == 15


# -- a cooldown, a new warmup ---------------------------------------------------------------------------------------


def test_a_cooldown_starts_from_the_value_in_force() -> None:
    optimizer, scheduler = build(ph.warmup(10) >> ph.hold(0.5))
    train(optimizer, scheduler, 30)
    scheduler.cooldown(20, to=0.1)
    seen = train(optimizer, scheduler, 25)
    assert seen == pytest.approx([0.5 - 0.02 * i for i in range(20)] + [0.1] * 5)
    assert scheduler.plan["lr"] == (ph.warmup(10) >> ph.hold(0.5)).cooldown_from(30, 20, to=0.1)


def test_a_cooldown_over_the_rest_of_the_run() -> None:
    optimizer, scheduler = build(ph.hold(), run=ph.Run(total=100))
    train(optimizer, scheduler, 60)
    scheduler.cooldown("rest", "cosine")
    assert train(optimizer, scheduler, 41)[20::20] == pytest.approx([0.5, 0.0])
    _, endless = build()
    with pytest.raises(ph.PreheatError, match="'rest' has no length where no end is to come"):
        endless.cooldown("rest")


def test_a_cooldown_over_an_absolute_line_and_others_in_peace() -> None:
    optimizer = SGD([parameter()], lr=1.0, momentum=0.9)
    plan = ph.Plan({"lr": ph.absolute(ph.hold(0.3)), "momentum": ph.absolute(ph.hold(0.5))})
    scheduler = Scheduler(optimizer, plan)
    scheduler.cooldown(10, to=0.1)
    for _ in range(5):
        scheduler.step()
    assert scheduler.values() == pytest.approx({"lr": 0.2, "momentum": 0.5})
    alone = Scheduler(SGD([parameter()], lr=1.0, momentum=0.9), ph.Plan({"momentum": ph.absolute(ph.hold(0.5))}))
    for change in (lambda: alone.cooldown(5), lambda: alone.rewarm(5)):
        with pytest.raises(ph.PreheatError, match="no line for 'lr', only for momentum"):
            change()


def test_warming_up_again() -> None:
    optimizer, scheduler = build(ph.hold())
    train(optimizer, scheduler, 30)
    scheduler.rewarm(10, start=0.2)
    assert train(optimizer, scheduler, 15) == pytest.approx([0.2 + 0.08 * i for i in range(10)] + [1.0] * 5)
    train(optimizer, scheduler, 5)
    scheduler.rewarm("4 steps")
    assert train(optimizer, scheduler, 5) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("change", ["cooldown", "rewarm"])
def test_a_changed_run_is_resumed_with_keep_and_otherwise_refused(change: str) -> None:
    optimizer, scheduler = build(ph.hold())
    train(optimizer, scheduler, 30)
    getattr(scheduler, change)(20)
    train(optimizer, scheduler, 5)
    states = saved(optimizer, scheduler)
    truth = train(optimizer, scheduler, 30)
    with pytest.raises(ph.StateError, match="on_change='adopt' for the new plan, 'keep' for the saved one"):
        resumed(states, ph.hold())
    assert train(*resumed(states, ph.hold(), on_change="keep"), 30) == pytest.approx(truth, rel=1e-14)


@pytest.mark.parametrize("at", [10, 57, 300])
def test_a_decay_is_branched_off_any_checkpoint_of_a_constant_run(at: int) -> None:
    optimizer, scheduler = build(ph.warmup(10) >> ph.hold())
    train(optimizer, scheduler, at)
    states = saved(optimizer, scheduler)
    branch = (ph.warmup(10) >> ph.hold()).cooldown_from(at, 40, "sqrt")
    expected = pytest.approx([1 - (i / 40) ** 0.5 for i in range(41)])
    assert train(*resumed(states, branch, on_change="adopt"), 41) == expected
    assert train(*resumed(states, branch, on_change="rebase"), 41) == expected
    with pytest.raises(ph.StateError, match=f"first update to differ is {at + 1}"):
        resumed(states, branch)
    optimizer, scheduler = resumed(states, ph.warmup(10) >> ph.hold())
    scheduler.cooldown(40, "sqrt")
    assert train(optimizer, scheduler, 41) == expected


REFUSED = {
    "a group that is gone": lambda o: o.param_groups[1].update(name="other"),
    "an argument": lambda o: None,
}


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize("act", ["cooldown", "rewarm", "extend", "finish_in"])
def test_a_change_of_plan_that_is_refused_changes_nothing(act: str, fault: str) -> None:
    optimizer = AdamW([{"params": [parameter()], "lr": 0.3}, {"params": [parameter()], "lr": 0.07, "name": "head"}])
    scheduler = Scheduler(optimizer, ph.Plan({"lr": STABLE, "head/lr": STABLE.scaled(2)}), run=ph.Run(total=300))
    train_any(optimizer, scheduler, 20)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.5})
    REFUSED[fault](optimizer)
    before, rates = scheduler.state_dict(), [group["lr"] for group in optimizer.param_groups]
    keys = [set(group) for group in optimizer.param_groups]
    with pytest.raises(ph.PreheatError):
        getattr(scheduler, act)(-1 if fault == "an argument" else 400)
    assert (scheduler.state_dict(), scheduler.run) == (before, ph.Run(total=300))
    assert [set(group) for group in optimizer.param_groups] == keys
    assert str([group["lr"] for group in optimizer.param_groups]) == str(rates)


def train_any(optimizer: Optimizer, scheduler: Scheduler, updates: int) -> None:
    for _ in range(updates):
        for group in optimizer.param_groups:
            group["params"][0].grad = torch.ones(3)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("change", [{"lr_scale": 0.5}, {"lr_scale": torch.tensor(0.5)}])
def test_loading_takes_the_groups_as_they_are_now(change: dict) -> None:
    optimizer = AdamW([{"params": [parameter()], "lr": 0.3, "lr_scale": 1.0}])
    scheduler = Scheduler(optimizer, ph.hold())
    train_any(optimizer, scheduler, 2)
    optimizer.param_groups[0].update(change)
    scheduler.load_state_dict(scheduler.state_dict())
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.15)


# -- any order of anything ------------------------------------------------------------------------------------------

ACTS = st.lists(st.sampled_from(["train", "resume", "load", "copy", "ask", "surplus"]), max_size=25)


@pytest.mark.filterwarnings("ignore:the line 'lr' is the rates themselves")
@settings(max_examples=60)
@given(ACTS, st.booleans())
@example(["copy", "train", "load"], True)
def test_any_interleaving_of_steps_saves_and_loads_is_an_uninterrupted_run(acts: list[str], factors: bool) -> None:
    schedule = ph.warmup(4, start=0.25) >> ph.decay(12, to=0.1, shape="cosine")
    schedule = schedule if factors else ph.absolute(schedule)
    truth = build(schedule)
    optimizer, scheduler = build(schedule)
    for act in ["train", *acts]:
        if act == "train":
            for pair in (truth, (optimizer, scheduler)):
                for group in pair[0].param_groups:
                    group["params"][0].grad = torch.ones(3)
                pair[0].step()
                pair[1].step()
        elif act == "resume":
            optimizer, scheduler = resumed(saved(optimizer, scheduler), schedule)
            scheduler._counter.seen = True  # as an update has been
        elif act == "load":
            scheduler.load_state_dict(scheduler.state_dict())
        elif act == "copy":
            optimizer, scheduler = pickle.loads(pickle.dumps((optimizer, scheduler)))
        elif act == "ask":
            scheduler.get_lr(), scheduler.values(), scheduler.audit()
        else:
            scheduler.step()
        assert scheduler.position == truth[1].position
        assert [g["lr"] for g in optimizer.param_groups] == [g["lr"] for g in truth[0].param_groups]
        assert scheduler.get_last_lr() == truth[1].get_last_lr()


@pytest.mark.parametrize("word", ["cooldown", "rewarm", "finish_in"])
def test_a_share_written_as_a_bare_number_is_refused_and_changes_nothing(word: str) -> None:
    optimizer, scheduler = build()
    train(optimizer, scheduler, 30)
    before = scheduler.state_dict()
    with pytest.raises(
        ph.PreheatError, match=f"{word}=0.2 is less than one update; write '20%' for a share of the run"
    ):
        getattr(scheduler, word)(0.2)
    assert scheduler.state_dict() == before
    train(optimizer, scheduler, 1)


def test_nothing_is_left_of_a_run_that_has_ended() -> None:
    optimizer, scheduler = build(ph.hold(), run=ph.Run(total=2))
    train(optimizer, scheduler, 2)
    for change in (scheduler.cooldown, scheduler.rewarm):
        with pytest.raises(ph.PreheatError, match="no length where no end is to come"):
            change("rest")
    assert scheduler.get_last_lr() == [0.3, 0.07]


def test_a_run_that_was_longer_when_it_was_saved_is_told() -> None:
    optimizer, scheduler = build("warmup(10) >> hold()", run=ph.Run(total=100))
    train(optimizer, scheduler, 30)
    scheduler.extend(200)
    _, shorter = build("warmup(10) >> hold()", run=ph.Run(total=100))
    with pytest.warns(ph.PreheatWarning, match="ends at 100 now, and at 200 when this state was saved"):
        shorter.load_state_dict(scheduler.state_dict())
    assert len(shorter.audit().findings) == 1
    _, same = build("warmup(10) >> hold()", run=ph.Run(total=200))
    same.load_state_dict(scheduler.state_dict())
    assert same.audit().findings == ()
