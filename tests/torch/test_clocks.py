"""What a position is measured in: updates, epochs, samples, tokens, seconds."""

import math
import pickle
import time

import pytest
import torch
from torch.optim import SGD, Optimizer

import preheat as ph
from preheat.torch import Scheduler


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(3))


def update(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()


def test_epochs_samples_and_tokens_are_worth_updates() -> None:
    schedule = ph.warmup("1 epoch") >> ph.decay("rest")
    for run in (
        ph.Run(total="3 epochs", steps_per_epoch=5),
        ph.Run(total=15, steps_per_epoch=5),
        ph.Run(total="3 epochs", clock="token", steps_per_epoch=5, tokens_per_step=1000),
        ph.Run(total="3 epochs", clock="sample", steps_per_epoch=5, samples_per_step=32),
    ):
        optimizer, seen = SGD([parameter()], lr=1.0), []
        scheduler = Scheduler(optimizer, schedule, run=run)
        for _ in range(16):
            seen += scheduler.get_last_lr()
            update(optimizer)
            scheduler.step()
        assert seen == pytest.approx([i / 5 for i in range(5)] + [1 - i / 10 for i in range(11)]), run


def test_a_plan_in_epochs_is_stepped_once_per_epoch() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, ph.warmup(2) >> ph.decay(2), run=ph.Run(total="4 epochs", clock="epoch"))
    seen = []
    for _ in range(5):
        seen += scheduler.get_last_lr()
        for _ in range(3):
            update(optimizer)
        scheduler.step()
    assert seen == [0.0, 0.5, 1.0, 0.5, 0.0]


def tokens_scheduler() -> tuple[Optimizer, Scheduler]:
    optimizer = SGD([parameter()], lr=1.0)
    return optimizer, Scheduler(optimizer, ph.warmup("1M tokens"), run=ph.Run(total="2M tokens", clock="token"))


def test_tokens_that_differ_from_update_to_update_are_told() -> None:
    optimizer, scheduler = tokens_scheduler()
    for tokens in (100_000, 0, 250_000):
        update(optimizer)
        scheduler.step(advance=tokens)
    assert (scheduler.position, scheduler.last_epoch) == (350_000, 3)
    assert scheduler.get_last_lr() == [0.35]
    assert scheduler.get_lr() == [0.35]  # asking moves nothing
    assert scheduler.position == 350_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, r"how many tokens have passed is not known; write step\(advance=…\)"),
        ({"advance": -1}, "number of tokens"),
        ({"advance": 0.5}, "number of tokens"),
        ({"advance": True}, "must be a number"),
        ({"advance": math.nan}, "must be finite"),
    ],
)
def test_what_has_passed_must_be_known_and_nothing_changes_otherwise(call: dict, message: str) -> None:
    optimizer, scheduler = tokens_scheduler()
    update(optimizer)
    with pytest.raises(ph.PreheatError, match=message):
        scheduler.step(**call)
    assert (scheduler.position, scheduler.last_epoch) == (0, 0)
    scheduler.step(metrics={"loss": 1.0})
    assert scheduler.position == 0
    scheduler.step(advance=10)
    assert (scheduler.position, scheduler.audit().surplus) == (10, 0)


def test_asking_for_the_rate_does_not_move_a_run_whose_updates_differ() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    run = ph.Run(total=10_000, clock="token", tokens_per_step=1000)
    scheduler = Scheduler(optimizer, ph.warmup(10_000), run=run)
    scheduler.step(advance=500)
    assert (scheduler.get_lr(), scheduler.position) == ([0.05], 500)
    restored = Scheduler(SGD([parameter()], lr=1.0), ph.warmup(10_000), run=run)
    restored.load_state_dict(scheduler.state_dict())
    assert (restored.get_lr(), restored.position) == ([0.05], 500)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def timed() -> tuple[Optimizer, Scheduler]:
    optimizer = SGD([parameter()], lr=1.0)
    schedule = ph.warmup("30 min") >> ph.decay()
    return optimizer, Scheduler(optimizer, schedule, run=ph.Run(total="6 h", clock="second"))


def test_on_wall_time_the_position_is_what_was_measured(clock: Clock) -> None:
    optimizer, scheduler = timed()
    for passed in (450.5, 449.5, 900):
        clock.now += passed
        update(optimizer)
        scheduler.step()
    assert (scheduler.position, scheduler.get_last_lr()) == (1800, [1.0])
    clock.now += 5 * 3600 + 1800
    update(optimizer)
    scheduler.step()
    assert scheduler.get_last_lr() == [0.0]


@pytest.mark.parametrize("how", ["state_dict", "pickle"])
def test_time_between_saving_and_loading_does_not_count(clock: Clock, how: str) -> None:
    optimizer, scheduler = timed()
    clock.now += 600.25
    update(optimizer)
    scheduler.step()
    saved = (scheduler.state_dict(), pickle.dumps((optimizer, scheduler)))
    clock.now += 86_400
    if how == "pickle":
        optimizer, scheduler = pickle.loads(saved[1])
    else:
        optimizer, scheduler = timed()
        clock.now += 50  # building the model
        scheduler.load_state_dict(saved[0])
    assert (scheduler.position, scheduler.get_last_lr()) == (600.25, [600.25 / 1800])
    clock.now += 299.75
    update(optimizer)
    scheduler.step()
    assert (scheduler.position, scheduler.get_last_lr()) == (900, [0.5])


def test_time_that_was_told_is_not_measured_again(clock: Clock) -> None:
    optimizer, scheduler = timed()
    clock.now += 100
    update(optimizer)
    scheduler.step(advance=60.5)
    clock.now += 10
    update(optimizer)
    scheduler.step()
    scheduler.step()
    assert scheduler.position == 70.5


def test_a_framework_that_numbers_updates_itself_says_where_to_go() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = Scheduler(optimizer, ph.ramp(0.0, 1.0, 10))
    for update in (7, 3, 3, 10):
        scheduler.go_to(update)
        assert (scheduler.last_epoch, optimizer.param_groups[0]["lr"]) == (update, update / 10)
    again = Scheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), ph.ramp(0.0, 1.0, 10))
    again.load_state_dict(scheduler.state_dict())
    assert again.position == 10
    for wrong in (-1, 2.5, True):
        with pytest.raises(ph.PreheatError, match="go_to takes the number of an update"):
            scheduler.go_to(wrong)  # type: ignore[arg-type]
    with pytest.raises(ph.PreheatError, match="advance="):
        Scheduler(optimizer, ph.warmup("1M tokens"), run=ph.Run(clock="token"), base="initial").go_to(3)
    with pytest.raises(ph.PreheatError, match="what the rules have seen up to update 3 is not known"):
        Scheduler(optimizer, ph.hold(), base="initial", rules=[ph.Plateau("loss")]).go_to(3)


def test_what_others_wrote_is_written_over_and_said_once() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = Scheduler(optimizer, ph.ramp(0.5, 1.0, 10) >> ph.hold())
    optimizer.param_groups[0]["lr"] = 7.0
    with pytest.warns(ph.PreheatWarning, match="was changed by someone else"):
        scheduler.write()
    assert (optimizer.param_groups[0]["lr"], scheduler.last_epoch) == (0.5, 0)
    scheduler.write()


@pytest.mark.parametrize("kind", [torch.optim.AdamW, SGD])
def test_a_run_under_way_goes_over_from_another_scheduler(kind: type[Optimizer]) -> None:
    curve = ph.warmup(10) >> ph.decay(90)
    before = kind([parameter()], lr=0.1)
    theirs = torch.optim.lr_scheduler.LambdaLR(before, curve)
    for _ in range(40):
        update(before)
        theirs.step()
    optimizer = kind([parameter()], lr=0.1)
    scheduler = Scheduler(optimizer, curve)
    optimizer.load_state_dict(before.state_dict())
    with pytest.raises(ph.StateError, match=r"saved by another scheduler.*call go_to\(update\)"):
        scheduler.load_state_dict(theirs.state_dict())
    scheduler.go_to(40)
    for t in range(40, 60):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * curve(t))
        update(optimizer)
        scheduler.step()
    assert scheduler.audit().findings == ()
