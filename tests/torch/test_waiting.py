"""Calls before the first update, updates that are none, and what is saved between an update and its call."""

import copy
import gc
import json
import pickle
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LinearLR, SequentialLR

import preheat as ph
from preheat.torch import Scheduler

CURVE = ph.warmup(10) >> ph.decay(90)


def sgd(lr: float = 0.1, **options: object) -> Optimizer:
    return SGD([nn.Parameter(torch.ones(3))], lr=lr, **options)


def backward(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        sum((p * p).sum() for p in group["params"]).backward()


def update(*optimizers: Optimizer) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
        backward(optimizer)
        optimizer.step()


def rate(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


# -- before the first update ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("micro", [2, 4, 30])
@pytest.mark.parametrize("resumed", [False, True])
def test_micro_batches_before_the_first_update_do_not_advance(micro: int, resumed: bool) -> None:
    """The schedule moves once an update at the start and after a resume, however often step() is called."""
    optimizer = sgd()
    scheduler, first = Scheduler(optimizer, CURVE), 0
    if resumed:
        state, first = {**scheduler.state_dict(), "position": 7, "last_epoch": 7, "_step_count": 8}, 7
        scheduler.load_state_dict(state)
    used = []
    for batch in range(1, 6 * micro + 1):
        backward(optimizer)
        if batch % micro == 0:
            used.append(rate(optimizer))
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
    assert used == pytest.approx([0.1 * CURVE(first + i) for i in range(6)])
    assert scheduler.audit().unseen == 0


def test_after_a_resume_a_call_without_gradients_is_no_update_either() -> None:
    """The discriminator's updates come late: the state says that training is on."""
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE)
    update(optimizer)
    scheduler.step()
    other = sgd()
    restored = Scheduler(other, CURVE)
    restored.load_state_dict(scheduler.state_dict())
    for _ in range(20):
        restored.step()
    assert (restored.position, restored.audit().unseen) == (1, 0)
    update(other)
    restored.step()
    assert restored.position == 2


@pytest.mark.filterwarnings("ignore:of the calls of step")
def test_an_optimizer_that_starts_late_is_waited_for_where_that_is_asked() -> None:
    for counts, position in ((None, 25), ("updates", 5)):
        optimizer = sgd()
        scheduler = Scheduler(optimizer, CURVE, counts=counts)
        for _ in range(20):
            scheduler.step()
        for _ in range(5):
            update(optimizer)
            scheduler.step()
        assert scheduler.position == position
        assert len(scheduler.audit().findings) == (counts is None)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["update", "step", "metrics"]), max_size=30))
def test_every_call_counts_where_that_is_asked(events: list[str]) -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, CURVE, counts="calls")
    for i, event in enumerate(events):
        if event == "update":
            update(optimizer)
        else:
            scheduler.step(**({"metrics": {"loss": 1.0}} if event == "metrics" else {}))
        expected = sum(event != "update" for event in events[: i + 1])
        assert (scheduler.position, rate(optimizer)) == (expected, CURVE(expected))
    assert scheduler.audit().findings == ()


@pytest.mark.parametrize("wrong", ["update", 1, True, "all"])
def test_what_counts_is_one_of_two_words(wrong: object) -> None:
    with pytest.raises(ph.PreheatError, match="unknown counts"):
        Scheduler(sgd(), CURVE, counts=wrong)


def test_fifty_calls_without_an_update_warn_once_and_are_found() -> None:
    optimizer, other = sgd(), sgd()
    scheduler = Scheduler(optimizer, CURVE, counts="updates")
    for _ in range(49):
        update(other)  # the scheduler was given another optimizer
        scheduler.step()
    with pytest.warns(ph.PreheatWarning, match=r"no optimizer step in 50 calls of step\(\).*counts='calls'") as caught:
        scheduler.step()
    assert caught[0].filename == __file__
    for _ in range(100):
        scheduler.step()
    (finding,) = scheduler.audit().findings
    assert finding.startswith("no optimizer step in 150 calls of step()")
    update(optimizer)
    scheduler.step()
    assert (scheduler.position, scheduler.audit().findings) == (1, ())


def test_a_bare_loop_draws_the_curve_without_a_word() -> None:
    optimizer = sgd(1.0)
    scheduler = Scheduler(optimizer, CURVE)
    drawn = []
    for _ in range(200):
        drawn.append(rate(optimizer))
        scheduler.step()
    assert drawn == pytest.approx([CURVE(t) for t in range(200)])
    assert scheduler.audit().findings == ()


# -- updates that are none ------------------------------------------------------------------------------------------


KINDS = {
    "float": lambda p: SGD(p, lr=0.1),
    "tensor": lambda p: SGD(p, lr=torch.tensor(0.1)),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: Adam(p, lr=0.1),
}
PLANS = {
    "from 0": CURVE,
    "from above 0": ph.warmup(10, start=0.5) >> ph.decay(90),
    "no rate": ph.Plan({"weight_decay": ph.absolute(ph.ramp(0.1, 0.01, 100))}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", PLANS)
def test_reading_a_distributed_state_is_no_update(kind: str, plan: str) -> None:
    """torch steps an optimizer at rate 0 to fill its state: plain SGD at every save, whatever the rate is."""
    model = nn.Linear(3, 3)
    optimizer = KINDS[kind](model.parameters())
    scheduler = Scheduler(optimizer, PLANS[plan])
    for i in range(15):
        state = get_optimizer_state_dict(model, optimizer)
        assert scheduler.state_dict()["position"] == i
        scheduler.step()
        assert scheduler.position == i or i == 0
        if i == 0 and scheduler.position == 1:  # nothing had been seen: a call of a bare loop
            scheduler = Scheduler(optimizer, PLANS[plan], counts="updates")
        optimizer.zero_grad()
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        assert scheduler.position == i + 1
    expected = ("stepped 2 times", "'lr' of group 0 follows an earlier Scheduler")  # that built above, in its place
    assert [f for f in scheduler.audit().findings if not f.startswith(expected)] == []
    set_optimizer_state_dict(model, optimizer, state)
    scheduler.step()
    assert scheduler.position == 15


def test_reading_a_distributed_state_of_several_optimizers_is_no_update() -> None:
    models = [nn.Linear(2, 2) for _ in range(3)]
    optimizers = [SGD(model.parameters(), lr=0.1 * (i + 1)) for i, model in enumerate(models)]
    scheduler = Scheduler(optimizers, CURVE, counts="updates")
    for i in range(12):
        for model, optimizer in zip(models, optimizers, strict=True):
            get_optimizer_state_dict(model, optimizer)
            scheduler.step()
            assert scheduler.position == i
        update(*optimizers)
        for optimizer in optimizers:
            optimizer.zero_grad()
        scheduler.step()
        assert scheduler.position == i + 1


@pytest.mark.parametrize("first", [True, False], ids=["decay first", "rate first"])
def test_a_scheduler_of_something_else_counts_updates_at_the_rates_of_another(first: bool) -> None:
    """Two of them on one optimizer: the 0 of a warmup is nothing that this one has written, and no swapped one either."""
    optimizer = sgd(weight_decay=0.1)
    plans = [ph.Plan({"weight_decay": ph.decay(100)}), CURVE]
    made = [Scheduler(optimizer, plan) for plan in (plans if first else plans[::-1])]
    for i in range(12):
        update(optimizer)
        for scheduler in made:
            scheduler.step()
            scheduler.step()
            assert scheduler.position == i + 1


def test_a_first_update_at_rate_0_counts() -> None:
    """A warmup from 0 writes a 0 of its own, which is no swapped one."""
    for rate_of in (float, torch.tensor):
        optimizer = sgd(rate_of(0.1))
        scheduler = Scheduler(optimizer, CURVE, counts="updates")
        update(optimizer)
        scheduler.step()
        assert scheduler.position == 1


@pytest.mark.filterwarnings("ignore:'lr' of group")
def test_a_rate_set_to_0_by_hand_is_written_again() -> None:
    """An update at a rate of 0 that somebody else wrote is one, and the rate does not stay there."""
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.hold() >> ph.decay(90), run=ph.Run(total=100))
    for _ in range(3):
        update(optimizer)
        scheduler.step()
    optimizer.param_groups[0]["lr"] = 0.0
    update(optimizer)
    scheduler.step()
    assert (rate(optimizer), scheduler.position, scheduler.audit().edited) == (0.1, 4, 1)


# -- saved between an update and its call ---------------------------------------------------------------------------

RUNS = {
    "steps": (CURVE, None),
    "tokens": (ph.warmup(1000) >> ph.decay(9000), ph.Run(clock="token", tokens_per_step=100)),
}


@settings(max_examples=40)
@given(st.integers(0, 25), st.sampled_from(sorted(RUNS)), st.booleans())
def test_a_state_saved_between_the_two_calls_goes_on_exactly(done: int, run: str, ruled: bool) -> None:
    schedule, given_run = RUNS[run]
    rules = [ph.HoldUntil("loss", at=1000 if run == "tokens" else 10, patience=2)] if ruled else []

    def build() -> tuple[Optimizer, Scheduler]:
        optimizer = sgd(1.0, momentum=0.9)
        return optimizer, Scheduler(optimizer, schedule, run=given_run, rules=rules)

    def train(optimizer: Optimizer, scheduler: Scheduler, updates: int) -> list[float]:
        used = []
        for _ in range(updates):
            used.append(rate(optimizer))
            update(optimizer)
            scheduler.step(metrics={"loss": 1.0} if ruled else None)
        return used

    optimizer, scheduler = build()
    train(optimizer, scheduler, done)
    update(optimizer)
    before = (scheduler.position, rate(optimizer), scheduler.last_epoch, scheduler.audit())
    state = json.loads(json.dumps(scheduler.state_dict()))
    assert (scheduler.position, rate(optimizer), scheduler.last_epoch, scheduler.audit()) == before
    assert state == scheduler.state_dict()
    assert (state["last_epoch"], state["_step_count"]) == (done + 1, done + 2)
    scheduler.step()
    assert (scheduler.position, scheduler.last_epoch) == (state["position"], done + 1)
    truth = train(optimizer, scheduler, 30)
    other, resumed = build()
    resumed.load_state_dict(state)
    assert train(other, resumed, 30) == truth


def test_what_an_update_is_worth_must_be_known_to_be_saved_with_it() -> None:
    """Epochs take many updates; ticks that come with the call are not known yet; a count of calls counts calls."""
    cases = [
        ({"run": ph.Run(total=10, clock="epoch")}, {}),
        ({"run": ph.Run(total=10_000, clock="token")}, {"advance": 100}),
        ({"run": ph.Run(total=10_000, clock="token", tokens_per_step=50)}, {"advance": 100}),
        ({"counts": "calls"}, {}),
    ]
    for options, call in cases:
        optimizer = sgd()
        scheduler = Scheduler(optimizer, ph.warmup(5), **options)
        update(optimizer)
        scheduler.step(**call)
        position = scheduler.position
        update(optimizer)
        assert scheduler.state_dict()["position"] == position


def test_a_copy_made_between_the_two_calls_counts_the_update() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE)
    update(optimizer)
    for made in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        other, twin = made((optimizer, scheduler))
        twin.step()
        assert (twin.position, rate(other)) == (1, 0.1 * CURVE(1))


def test_a_member_of_sequential_lr_counts_no_update_that_was_another_members() -> None:
    optimizer = Adam([nn.Parameter(torch.ones(3))], lr=0.1)
    member = Scheduler(optimizer, ph.decay(10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's own
        whole = SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=4), member], [4])
        saved = []
        for _ in range(7):
            update(optimizer)
            whole.step()
            saved.append(member.state_dict()["last_epoch"])
    assert saved == [-1, -1, -1, 0, 1, 2, 3]
    assert rate(optimizer) == pytest.approx(0.07)


@pytest.mark.parametrize("milestone", [4, 12])
def test_a_member_that_is_resumed_is_no_run_that_starts_again(milestone: int) -> None:
    def build() -> tuple[Optimizer, SequentialLR, Scheduler]:
        optimizer = Adam([nn.Parameter(torch.ones(3))], lr=0.1)
        member = Scheduler(optimizer, ph.decay(20))
        return (
            optimizer,
            SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=4), member], [milestone]),
            member,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's own
        warnings.simplefilter("error", ph.PreheatWarning)
        optimizer, whole, _ = build()
        for _ in range(8):
            update(optimizer)
            whole.step()
        other, resumed, member = build()
        other.load_state_dict(optimizer.state_dict())
        if milestone == 4:
            resumed.load_state_dict(whole.state_dict())
        for _ in range(8):
            update(other)
            resumed.step()
        first = Scheduler(Adam([nn.Parameter(torch.ones(3))], lr=0.1), CURVE)
        whole = SequentialLR(first.optimizer, [first, Scheduler(first.optimizer, ph.decay(20))], [3])
        for _ in range(9):
            update(first.optimizer)
            whole.step()
    assert member.audit().findings == first.audit().findings == ()


def test_the_hooks_go_with_the_scheduler() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE)
    update(optimizer)
    scheduler.step()
    assert len(optimizer._optimizer_step_post_hooks) == 1
    del scheduler
    gc.collect()
    assert not optimizer._optimizer_step_post_hooks
