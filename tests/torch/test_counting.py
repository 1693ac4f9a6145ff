"""What advances the position: applied updates, whoever calls `step()` and however often."""

import copy
import math
import pickle
import warnings
from collections.abc import Callable

import pytest
import small_runs
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.amp import GradScaler
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer

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


def test_without_the_scaler_the_skips_are_seen_all_the_same() -> None:
    _, positions = scaled_run(lambda p: SGD(p, lr=0.1), {2, 3}, False, 5, known=False)
    assert positions == [1, 2, 2, 2, 3]
    _, positions = scaled_run(lambda p: SGD(p, lr=0.1), {0, 1, 3}, False, 5, known=False)
    assert positions == [0, 0, 1, 1, 2], "a gradient waits, so the first calls stand for no update either"


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


@pytest.mark.filterwarnings("ignore:of the calls of step")
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


EVENTS = ["step", "step", "update", "backward", "apply", "zero", "read", "metrics", "resume", "copy"]


@pytest.mark.filterwarnings("ignore:of the calls of step")
@settings(max_examples=200)
@given(st.lists(st.sampled_from(EVENTS), max_size=40), st.sampled_from([None, "updates"]))
def test_counting_follows_a_model_of_it(events: list[str], counts: str | None) -> None:
    """Calls, updates, gradients that wait, distributed states that are read, resumes and copies, in any order."""

    def build() -> tuple[torch.nn.Module, Optimizer, Scheduler]:
        model = torch.nn.Linear(2, 2)
        optimizer = SGD(model.parameters(), lr=1.0)
        return model, optimizer, Scheduler(optimizer, CURVE, counts=counts)

    model, optimizer, scheduler = build()
    position, pending, gradient, training = 0, False, False, counts == "updates"
    for event in events:
        if event in ("backward", "update"):
            model(torch.ones(1, 2)).sum().backward()
            gradient = True
        if event in ("apply", "update"):
            optimizer.step()
            pending = True
        elif event == "zero":
            optimizer.zero_grad()
            gradient = False
        elif event == "read":
            get_optimizer_state_dict(model, optimizer)
        elif event in ("step", "metrics"):
            scheduler.step(metrics={"loss": 1.0} if event == "metrics" else None)
            training = training or pending or gradient
            position += pending or not training
            pending = False
        elif event == "copy":
            model, optimizer, scheduler = copy.deepcopy((model, optimizer, scheduler))
            gradient = False  # torch copies none
        elif event == "resume":
            state = scheduler.state_dict()
            model, optimizer, scheduler = build()
            scheduler.load_state_dict(state)
            position, pending, gradient, training = position + pending, False, False, True
        assert scheduler.position == scheduler.last_epoch == position
        assert scheduler.state_dict()["position"] == position + pending
        assert optimizer.param_groups[0]["lr"] == CURVE(position)


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


def test_several_optimizers_under_one_plan_advance_together(muon_class: type[Optimizer]) -> None:
    muon, adamw = muon_class([parameter(2, 2)], lr=0.02), AdamW([parameter()], lr=0.003, fused=True)
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
    _, other = pickle.loads(pickle.dumps((optimizer, scheduler)))
    other.step()
    assert (other.position, other.audit().applied, other.audit().surplus) == (1, 1, 1)


def test_a_group_that_was_added_does_not_break_a_copy() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    scheduler = Scheduler(optimizer, ph.warmup(10, start=0.5))
    optimizer.add_param_group({"params": [parameter()], "lr": 0.4})
    _, other = pickle.loads(pickle.dumps((optimizer, scheduler)))
    assert other.get_last_lr() == pytest.approx([0.5, 0.2])


def test_a_scheduler_that_goes_away_inside_an_update_disturbs_nothing() -> None:
    """Memory may be collected while torch goes through an optimizer's hooks."""
    optimizer = small_runs.sgd()
    held = [Scheduler(optimizer, ph.decay(10)), Scheduler(optimizer, ph.decay(10))]
    last = Scheduler(optimizer, ph.decay(10), base="initial")
    optimizer.register_step_post_hook(lambda *_: held.clear())
    hooks = optimizer._optimizer_step_post_hooks
    hooks.move_to_end(next(reversed(hooks)), last=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            small_runs.update(optimizer)
            last.step()
    assert (last.position, last.audit().applied) == (3, 3)
    before = len(hooks)
    del last
    assert len(hooks) == before - 3


APART = r"step\(\) was called after each of 2 optimizers"


def two() -> list[Optimizer]:
    return [kind([parameter()], lr=0.1) for kind in (AdamW, SGD)]


def test_a_call_after_each_of_several_optimizers_is_said_once_and_audited() -> None:
    optimizers = two()
    scheduler = Scheduler(optimizers, CURVE)

    def rounds() -> None:
        for optimizer in optimizers * 50:
            update(optimizer)
            scheduler.step()

    with pytest.warns(ph.PreheatWarning, match=APART) as caught:
        rounds()
    assert len([one for one in caught if "after each of 2" in str(one.message)]) == 1
    assert any("after each of 2" in finding for finding in scheduler.audit().findings)
    assert any("after each of 2" in finding for finding in copy.deepcopy(scheduler).audit().findings)


@pytest.mark.parametrize("counts", [None, "calls"])
@pytest.mark.parametrize(
    "rounds",
    [
        [(0, 1)],  # after all of them
        [(0,), (0,), (0,), (0, 1)],  # a critic in every round, the other in every fourth
        [(0,)],  # the other has not begun, or is frozen
        [(0, 0, 0, 1)],  # a critic's rounds
        [(0, 1), (0,), (1,)],  # the scaler has skipped one
    ],
)
def test_what_is_updated_unequally_is_no_call_after_each(rounds: list, counts: str | None) -> None:
    optimizers = two()
    scheduler = Scheduler(optimizers, CURVE, counts=counts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(25):
            for who in rounds:
                update(*(optimizers[i] for i in who))
                scheduler.step()
    assert scheduler.position == 25 * len(rounds)
    assert not any("after each" in finding for finding in scheduler.audit().findings)


def test_a_scheduler_for_each_is_called_after_each() -> None:
    optimizers = two()
    schedulers = [Scheduler(one, CURVE) for one in optimizers]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(25):
            for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
                update(optimizer)
                scheduler.step()
    assert [one.position for one in schedulers] == [25, 25]
