"""What advances the position: applied updates, whoever calls `step()` and however often."""

import math
import pickle
import time
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.amp import GradScaler
from torch.optim import LBFGS, SGD, Adam, AdamW, Muon, Optimizer

import preheat as ph
from preheat.torch import Scheduler

CURVE = ph.warmup(10) >> ph.decay(90)


def parameter(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(shape or (3,)))


def backward(optimizer: Optimizer, scale: Callable = lambda loss: loss, infinite: bool = False) -> None:
    optimizer.zero_grad()
    scale(sum((p * p).sum() for group in optimizer.param_groups for p in group["params"])).backward()
    if infinite:
        optimizer.param_groups[0]["params"][0].grad.fill_(math.inf)


def update(*optimizers: Optimizer) -> None:
    for optimizer in optimizers:
        backward(optimizer)
        optimizer.step()


# -- GradScaler -----------------------------------------------------------------------------------------------------


def scaled_run(kind: Callable, skips: set[int], early: bool, length: int, known: bool = True) -> tuple:
    """Updates under a GradScaler of which some overflow; `early`: step() comes before scaler.update()."""
    optimizer, scaler = kind([parameter()]), GradScaler("cpu", init_scale=64.0, growth_interval=3)
    scheduler = Scheduler(optimizer, CURVE, scaler=scaler if known else None)
    positions = []
    for i in range(length):
        backward(optimizer, scaler.scale, infinite=i in skips)
        scaler.step(optimizer)
        if early:
            scheduler.step()
        scaler.update()
        if not early:
            scheduler.step()
        positions.append(scheduler.position)
    return scheduler, positions


SKIPS = [set(), {0}, {0, 1, 2}, {4}, {3, 4}, {0, 3, 4, 7, 9}, set(range(10))]


@pytest.mark.parametrize("skips", SKIPS, ids=lambda skips: ",".join(map(str, skips)) or "none")
@pytest.mark.parametrize("early", [False, True], ids=["after-update", "before-update"])
@pytest.mark.parametrize(
    "kind",
    [lambda p: SGD(p, lr=0.1), lambda p: Adam(p, lr=0.1), lambda p: Adam(p, lr=0.1, fused=True)],
    ids=["sgd", "adam", "fused"],
)
def test_updates_that_the_scaler_skips_do_not_count(kind: Callable, early: bool, skips: set[int]) -> None:
    """pytorch#67590, #55585: also before the first applied update, and inside a fused optimizer."""
    scheduler, positions = scaled_run(kind, skips, early, 10)
    assert positions == [sum(j not in skips for j in range(i + 1)) for i in range(10)]
    audit = scheduler.audit()
    assert (audit.applied, audit.skipped, audit.surplus) == (10 - len(skips), len(skips), 0)
    assert audit.findings == ()


def test_without_the_scaler_the_skips_after_the_first_update_are_seen_all_the_same() -> None:
    _, positions = scaled_run(lambda p: SGD(p, lr=0.1), {2, 3}, False, 5, known=False)
    assert positions == [1, 2, 2, 2, 3]


def test_what_a_fused_optimizer_skips_unseen_is_named() -> None:
    scheduler, positions = scaled_run(lambda p: Adam(p, lr=0.1, fused=True), {2, 3}, False, 6, known=False)
    assert positions[-1] == 6
    (finding,) = scheduler.audit().findings
    assert finding == "2 updates were skipped inside the fused optimizer and counted; pass scaler="


def test_a_scaler_that_is_loaded_with_a_lower_scale_has_skipped_nothing() -> None:
    optimizer, scaler = SGD([parameter()], lr=0.1), GradScaler("cpu", init_scale=1024.0)
    scheduler = Scheduler(optimizer, CURVE, scaler=scaler)
    scaler.load_state_dict({**scaler.state_dict(), "scale": 8.0})
    for _ in range(3):
        backward(optimizer, scaler.scale)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    assert (scheduler.position, scheduler.audit().skipped) == (3, 0)


def test_a_disabled_scaler_changes_nothing() -> None:
    optimizer, scaler = SGD([parameter()], lr=0.1), GradScaler("cpu", enabled=False)
    scheduler = Scheduler(optimizer, CURVE, scaler=scaler)
    for _ in range(3):
        backward(optimizer, scaler.scale)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        scheduler.step()
    assert scheduler.position == 3


def test_an_unused_scaler_leaves_the_bare_loop_its_curve() -> None:
    scheduler = Scheduler(SGD([parameter()], lr=1.0), CURVE, scaler=GradScaler("cpu"))
    drawn = []
    for _ in range(4):
        drawn += scheduler.get_last_lr()
        scheduler.step()
    assert drawn == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("fused", [False, True])
def test_of_two_optimizers_one_that_applies_an_update_is_enough(fused: bool) -> None:
    first, second = (Adam([parameter()], lr=0.1, fused=fused) for _ in range(2))
    scaler = GradScaler("cpu", init_scale=64.0)
    scheduler = Scheduler([first, second], CURVE, scaler=scaler)
    for infinite in ((True, True), (True, False), (False, True), (True, True), (False, False)):
        for optimizer, bad in zip((first, second), infinite, strict=True):
            backward(optimizer, scaler.scale, infinite=bad)
            scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    assert (scheduler.position, scheduler.audit().skipped) == (3, 2)


def test_what_is_no_scaler_is_refused() -> None:
    optimizer = SGD([parameter()], lr=0.1)
    with pytest.raises(ph.PreheatError, match=r"scaler= takes the torch\.amp\.GradScaler"):
        Scheduler(optimizer, CURVE, scaler=65536.0)
    assert not optimizer._optimizer_step_post_hooks


# -- who calls, and how often ---------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["update", "step"]), max_size=40))
def test_after_the_first_update_a_call_counts_if_an_update_came_before_it(events: list[str]) -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler, expected, seen, waiting = Scheduler(optimizer, CURVE), 0, False, False
    for event in events:
        if event == "update":
            update(optimizer)
            waiting = True
        else:
            expected += waiting or not seen
            seen, waiting = seen or waiting, False
            scheduler.step()
        assert scheduler.position == scheduler.last_epoch == expected
        assert optimizer.param_groups[0]["lr"] == CURVE(expected)


@pytest.mark.parametrize("per_micro_batch", [False, True])
def test_accumulation_counts_updates_whoever_steps(per_micro_batch: bool) -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, CURVE)
    update(optimizer)
    scheduler.step()
    for micro in range(1, 17):
        if micro % 4 == 0:
            update(optimizer)
        if per_micro_batch or micro % 4 == 0:
            scheduler.step()
    assert scheduler.position == 5
    assert scheduler.audit().surplus == (12 if per_micro_batch else 0)


def test_several_optimizers_under_one_plan_advance_together() -> None:
    muon, adamw = Muon([parameter(2, 2)], lr=0.02), AdamW([parameter()], lr=0.003, fused=True)
    scheduler = Scheduler([muon, adamw], CURVE)
    for step in range(20):
        assert scheduler.get_last_lr() == pytest.approx([0.02 * CURVE(step), 0.003 * CURVE(step)])
        assert [o.param_groups[0]["lr"] for o in (muon, adamw)] == scheduler.get_last_lr()
        update(muon, adamw)
        scheduler.step()
    assert (scheduler.position, scheduler.audit().findings) == (20, ())


def test_a_closure_that_is_evaluated_many_times_is_one_update() -> None:
    weight = parameter()
    optimizer = LBFGS([weight], lr=0.5, max_iter=7)
    scheduler = Scheduler(optimizer, CURVE)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = ((weight - 3) ** 4).sum()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
        scheduler.step()
    assert (scheduler.position, scheduler.audit().surplus) == (5, 0)
    assert optimizer.param_groups[0]["lr"] == 0.5 * CURVE(5)


def test_a_call_that_only_brings_metrics_is_not_surplus() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, CURVE)
    for _ in range(3):
        update(optimizer)
        scheduler.step()
        scheduler.step(metrics={"val_loss": 1.0})
    assert (scheduler.position, scheduler.audit().surplus) == (3, 0)


def test_a_copy_remembers_what_was_counted() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, CURVE)
    update(optimizer)
    scheduler.step()
    _, copy = pickle.loads(pickle.dumps((optimizer, scheduler)))
    copy.step()
    assert (copy.position, copy.audit().applied, copy.audit().surplus) == (1, 1, 1)


def test_a_group_that_was_added_does_not_break_a_copy() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, ph.warmup(10, start=0.5))
    optimizer.add_param_group({"params": [parameter()], "lr": 0.4})
    _, copy = pickle.loads(pickle.dumps((optimizer, scheduler)))
    assert copy.get_last_lr() == pytest.approx([0.5, 0.2])


# -- clocks ---------------------------------------------------------------------------------------------------------


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
