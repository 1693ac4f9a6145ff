"""What users of other schedulers suffer, and what they get here: composing schedules, and updates that did not happen.

One test a symptom; the docstring lists the threads that reported it. (pt: pytorch/pytorch, tf: huggingface/transformers,
PL: Lightning, DS: DeepSpeed.) Where torch itself shows the wrong value, the test shows it too.
"""

import warnings

import pytest
import torch
from small_runs import drawn, rate, rates, sgd, update
from torch.optim import AdamW, Optimizer
from torch.optim import lr_scheduler as peers

import preheat as ph
from preheat.session import Plateau
from preheat.torch import Scheduler

# -- A, H: composing -------------------------------------------------------------------------------------------------


def test_warmup_then_plateau() -> None:
    """pt#68978, #195633; PL#10759; tf#29417; ildoonet#19, #1, #3, #4, #7: refused, or the plateau undoes the warmup."""
    optimizer = sgd()
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        peers.SequentialLR(optimizer, [peers.LinearLR(optimizer), peers.ReduceLROnPlateau(optimizer)], [5])
    optimizer = sgd(1.0)
    rule = Plateau("loss", factor=0.5, patience=1, after=5)
    scheduler = Scheduler(optimizer, ph.warmup(5) >> ph.hold(), rules=[rule])
    seen = []
    for _ in range(12):
        seen.append(rate(optimizer))
        update(optimizer)
        scheduler.step(metrics={"loss": 1.0})
    assert seen == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])
    resumed = Scheduler(sgd(1.0), ph.warmup(5) >> ph.hold(), rules=[rule])
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.get_last_lr() == scheduler.get_last_lr()


def test_the_second_phase_starts_at_its_own_beginning() -> None:
    """pt#67586; timm#1242; S5#11; fairchem PR#1967; PaddleDetection PR#4611: its clock has run during the warmup."""
    seen = drawn(ph.warmup(3, start=0.1) >> ph.decay(7, shape="cosine"), 10)
    expected = [0.1, 0.4, 0.7, 1, 0.950484, 0.811745, 0.61126, 0.38874, 0.188255, 0.049516]
    assert seen == pytest.approx(expected, abs=1e-6)


def test_no_warning_that_the_user_cannot_act_on() -> None:
    """pt#76113, #67958, #116776, #130018, #113222: told off for a call that the library makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = sgd()
        scheduler = Scheduler(optimizer, ph.warmup(2) >> ph.decay(2) >> ph.hold(0.5))
        rates(optimizer, scheduler, 6)
        scheduler.load_state_dict(scheduler.state_dict())


def test_a_phase_of_no_length_is_not_there() -> None:
    """pt#185872: milestones=[0], the ablation without warmup, starts at the warmup's rate."""
    assert drawn(ph.warmup(0) >> ph.decay(10), 12) == drawn(ph.decay(10), 12)
    assert drawn(ph.decay(5) >> ph.warmup(0) >> ph.hold(0.5), 8)[4:6] == pytest.approx([0.2, 0.5])


def test_nesting_changes_nothing() -> None:
    """pt#196243, PR#196242, #132745, #67957; PEERS §5.9: a nested SequentialLR jumps or raises in the middle of the run."""
    a, b, c, d = ph.warmup(3), ph.hold(1.0, 4), ph.decay(5, to=0.2), ph.hold(0.2)
    assert (a >> b) >> (c >> d) == a >> (b >> (c >> d)) == a >> b >> c >> d
    inside = ((a >> b) * ph.hold(0.5, 7)) >> c.scaled(0.5) >> d.scaled(0.5)
    assert drawn(ph.relative(inside), 20) == pytest.approx([0.5 * value for value in drawn(a >> b >> c >> d, 20)])


def test_a_product_is_a_product() -> None:
    """pt#129565, PR#180594; PEERS §5.11: chained schedulers overwrite one another."""
    one, two = ph.warmup(8), ph.decay(6, to=0.01, shape="cosine").repeated(4)
    expected = [0.1 * one(t) * two(t) for t in range(24)]
    assert drawn(one * two, 24, lr=0.1) == pytest.approx(expected, rel=1e-15)
    optimizer = sgd()
    chained = peers.ChainedScheduler(
        [peers.LinearLR(optimizer, 0.1, total_iters=8), peers.CosineAnnealingLR(optimizer, 6, eta_min=0.01)]
    )
    linear, cosine = 0.1 + 0.9 * 4 / 8, 0.01 + 0.09 * 0.25
    assert abs(rates(optimizer, chained, 5)[4] - linear * cosine) > 1e-3


def test_one_cycle_after_a_warmup_keeps_the_rate_of_the_warmup() -> None:
    """PEERS §5.10: OneCycleLR overwrites initial_lr, and the warmup before it ends at .008 instead of .1."""
    seen = drawn(ph.relative(ph.warmup(5, start=0.2) >> ph.one_cycle(10).scaled(2.0)), 16, lr=0.1)
    assert seen[:5] == pytest.approx([0.02, 0.036, 0.052, 0.068, 0.084])
    assert (seen[5], max(seen)) == pytest.approx((0.008, 0.2))
    optimizer = sgd(momentum=0.9)
    parts = [peers.LinearLR(optimizer, 0.2, total_iters=5), peers.OneCycleLR(optimizer, 0.2, 10)]
    assert max(rates(optimizer, peers.SequentialLR(optimizer, parts, [5]), 5)) < 0.01


@pytest.mark.filterwarnings("ignore:'lr' of group")
def test_two_writers_on_one_rate_are_noticed() -> None:
    """PL#4902; PEERS §5.20: who wins depends on the scheduler. Here the plan does, and the audit tells."""
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, ph.decay(10))
    rates(optimizer, scheduler, 2)
    optimizer.param_groups[0]["lr"] = 0.001
    assert rates(optimizer, scheduler, 2) == [0.001, pytest.approx(0.7)]
    assert scheduler.audit().edited
    assert "overwritten" in str(scheduler.audit())


def test_stepping_and_the_closed_form_are_one() -> None:
    """pt#20086, #20527, #20486, #17913, #152081, #40971, #31828, #33229, #36913, #67426, #37916, #125531, #68332, #184517,
    PR#21800, #22798, #23306, #24352: two formulas that differ, one of them deprecated."""
    schedule = ph.warmup(7) >> ph.decay(50, shape="cosine").repeated(3, shrink=0.5) >> ph.hold(0.1)
    stepped = drawn(schedule, 200, lr=0.3)
    scheduler = Scheduler(sgd(0.3), schedule)
    state = scheduler.state_dict()
    for t in (199, 0, 57, 3, 150):
        scheduler.load_state_dict({**state, "position": t, "last_epoch": t, "_step_count": t + 1})
        assert scheduler.get_last_lr() == [stepped[t]] == [0.3 * schedule(t)]


# -- E: updates that did not happen ----------------------------------------------------------------------------------


def scaled_loss(optimizer: Optimizer, scaler: torch.amp.GradScaler, overflows: bool) -> None:
    optimizer.zero_grad()
    loss = optimizer.param_groups[0]["params"][0].sum() * (float("inf") if overflows else 1.0)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.parametrize("known", [True, False], ids=["scaler=", "seen"])
def test_a_skipped_amp_step_is_not_counted_and_warns_of_nothing(known: bool) -> None:
    """pt#44511, #55585, #67590, #27595; PL#5558, #16228, #18828, #21339, PR#9923, PR#16229; tf#11106, PR#11144; NeMo PR#3293;
    RAFT#104; STCN#44: the scheduler goes on, and warns of an order that was right."""
    optimizer, scaler = sgd(1.0), torch.amp.GradScaler("cpu", init_scale=4.0)
    scheduler = Scheduler(optimizer, ph.warmup(10), scaler=scaler if known else None)
    overflowing = [known, False, True, True, False]  # the first can only be told with scaler=
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for overflows in overflowing:
            scaled_loss(optimizer, scaler, overflows)
            scheduler.step()
    applied = overflowing.count(False)
    assert (scheduler.position, scheduler.get_last_lr()) == (applied, [applied / 10])
    audit = scheduler.audit()
    assert audit.skipped + audit.surplus == overflowing.count(True)


def test_accumulation_is_counted_in_updates() -> None:
    """PL#945, #1476, #20436; keras: the warmup is over 16 times too early."""
    optimizer = AdamW([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    scheduler = Scheduler(optimizer, ph.warmup(10))
    for batch in range(16):
        if batch % 4 == 3:
            update(optimizer)
        if batch >= 3:
            scheduler.step()
    assert (scheduler.position, scheduler.get_last_lr()) == (4, [0.4])
