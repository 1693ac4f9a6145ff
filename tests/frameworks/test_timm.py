"""timm's training loop, restated from its train.py (timm needs a torchvision): what it calls, with which numbers, in which
order, and what it saves. Checked against timm 1.0.31's own scheduler files where timm is installed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import preheat as ph
from preheat.timm import Scheduler

EPOCHS, PER_EPOCH = 4, 5
PLAN = "warmup(1 epoch) >> decay(to=0.1, shape=cosine)"
BOUND = ph.parse(PLAN).bind(ph.Run(total=20, steps_per_epoch=5))


class Training:
    """Digits and a model with layer decay as timm's `param_groups_layer_decay` writes it: `lr_scale`, no rates."""

    def __init__(self, lr: float = 0.1) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
        groups = [
            {"params": list(self.model[0].parameters()), "lr_scale": 0.5},
            {"params": list(self.model[2].parameters()), "lr_scale": 1.0},
        ]
        self.optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.9)
        self.used: list[tuple[float, ...]] = []
        self.optimizer.register_step_post_hook(
            lambda one, *_: self.used.append(tuple(group["lr"] for group in one.param_groups))
        )
        found = load_digits()
        self.images, self.digits = torch.tensor(found.data / 16, dtype=torch.float32), torch.tensor(found.target)

    def loop(
        self,
        make: Callable[[Any], Any],
        *,
        resume: dict[str, Any] | None = None,
        until: int = EPOCHS,
        on_updates: bool = True,
        evaluated: Callable[[int], float | None] = lambda epoch: 0.5,
        per_epoch: int = PER_EPOCH,
    ) -> Any:
        """train.py: the optimizer is loaded before the scheduler is made, and told the epoch where it resumes."""
        first = 0
        if resume is not None:
            self.model.load_state_dict(resume["model"])
            self.optimizer.load_state_dict(resume["optimizer"])
            first = resume["epoch"] + 1
        scheduler = make(self.optimizer)
        if first > 0:
            scheduler.step_update(first * PER_EPOCH) if on_updates else scheduler.step(first)
        for epoch in range(first, until):
            num_updates = epoch * PER_EPOCH
            for batch in range(per_epoch):
                lot = slice(32 * batch, 32 * batch + 32)
                loss = nn.functional.cross_entropy(self.model(self.images[lot]), self.digits[lot])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                num_updates += 1
                scheduler.step_update(num_updates=num_updates, metric=loss.item())
            scheduler.step(epoch + 1, evaluated(epoch))
        return scheduler

    def checkpoint(self, epoch: int) -> dict[str, Any]:
        """What timm's CheckpointSaver keeps: nothing of a scheduler."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": epoch}
        return copy.deepcopy(state)


def make(optimizer: Any, **options: Any) -> Scheduler:
    return Scheduler(optimizer, PLAN, **({"epochs": EPOCHS, "updates_per_epoch": PER_EPOCH} | options))


def expected(updates: range, peak: float = 0.1) -> list[Any]:
    return [pytest.approx((0.5 * peak * BOUND(t), peak * BOUND(t)), rel=1e-12) for t in updates]


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
@pytest.mark.parametrize("on_updates", [True, False])
def test_the_rate_at_every_update_and_layer_decay(on_updates: bool) -> None:
    training = Training()
    scheduler = training.loop(make, on_updates=on_updates)
    assert training.used == expected(range(20))
    assert scheduler.scheduler.audit().findings == ()


@pytest.mark.parametrize("on_updates", [True, False])
def test_it_is_resumed_in_timm_s_way_with_the_rate_that_the_script_says(on_updates: bool) -> None:
    stopped = Training()
    stopped.loop(lambda one: make(one, peak=0.1), until=2)
    resumed = Training()
    resumed.loop(lambda one: make(one, peak=0.1), resume=stopped.checkpoint(1), on_updates=on_updates)
    assert resumed.used == expected(range(10, 20))
    changed = Training(lr=0.2)
    changed.loop(lambda one: make(one, peak=0.2), resume=stopped.checkpoint(1), on_updates=on_updates)
    assert changed.used == expected(range(10, 20), peak=0.2)


def test_resumed_without_a_peak_the_first_update_is_refused() -> None:
    """What stands in the groups then is the rate of the moment when it was saved."""
    stopped = Training()
    stopped.loop(make, until=2)
    with pytest.raises(ph.PreheatError, match=r"the optimizer was moved before.*base=.initial"):
        Training().loop(make, resume=stopped.checkpoint(1))


def test_a_rate_for_a_whole_epoch_as_timm_has_it_without_sched_on_updates() -> None:
    training, plan = Training(), ph.warmup(2, start=0.1) >> ph.decay(2)
    training.loop(lambda one: Scheduler(one, plan, run=ph.Run(total=4, clock="epoch")), on_updates=False)
    assert [used[1] for used in training.used] == [pytest.approx(0.1 * plan(t // 5)) for t in range(20)]


def test_metrics_reach_the_rules_and_are_resumed_from_a_state_of_one_s_own() -> None:
    rules = [ph.Plateau("metric", factor=0.5, patience=0, mode="max")]

    def with_rules(one: Any) -> Scheduler:
        return Scheduler(one, "hold()", epochs=4, updates_per_epoch=5, rules=rules, peak=0.1)

    training = Training()
    training.loop(with_rules)
    assert [used[1] for used in training.used] == [pytest.approx(0.1 * 0.5 ** max(0, t // 5 - 1)) for t in range(20)]
    stopped, resumed = Training(), Training()
    saved = stopped.loop(with_rules, until=2).state_dict()

    def loaded(one: Any) -> Scheduler:
        scheduler = with_rules(one)
        scheduler.load_state_dict(pickle.loads(pickle.dumps(saved)))
        return scheduler

    resumed.loop(loaded, resume=stopped.checkpoint(1))
    assert resumed.used == training.used[10:]
    with pytest.raises(ph.PreheatError, match="what the rules have seen up to update 10 is not known"):
        Training().loop(with_rules, resume=stopped.checkpoint(1))


def test_a_metric_that_the_loop_never_brings_is_refused() -> None:
    with pytest.raises(ph.PreheatError, match=r"timm's loop brings no 'val_loss'.*write 'metric' for"):
        make(Training().optimizer, rules=[ph.Plateau("val_loss")])


def test_a_wrong_number_of_updates_in_an_epoch_is_warned_of() -> None:
    with pytest.warns(
        ph.PreheatWarning, match="from update 4 to update 5: an epoch has other than the updates_per_epoch"
    ):
        Training().loop(make, per_epoch=4, until=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"updates_per_epoch": None}, "epochs= needs updates_per_epoch="),
        ({"run": ph.Run(total=20)}, "run= says what epochs="),
        ({"epochs": 0}, "epochs is a number of epochs"),
    ],
)
def test_half_of_the_length_or_twice_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ph.PreheatError, match=said):
        make(Training().optimizer, **options)


def test_it_pickles_with_its_optimizer() -> None:
    scheduler = make(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
    scheduler.step_update(3)
    assert pickle.loads(pickle.dumps(scheduler)).state_dict() == scheduler.state_dict()


def test_torch_s_own_schedulers_lose_the_layer_decay() -> None:
    """They know no `lr_scale`, which is all that timm's groups of a layer decay differ in."""
    optimizer = Training().optimizer
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]
    Scheduler(optimizer, "hold()", base="present")
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1]


def test_it_agrees_with_timm_s_own_scheduler() -> None:
    cosine = pytest.importorskip("timm.scheduler.cosine_lr", exc_type=ImportError)
    one, other = Training(), Training()
    settings = {"t_initial": 15, "lr_min": 0.01, "warmup_t": 5, "warmup_lr_init": 0.0, "warmup_prefix": True}
    one.loop(lambda own: cosine.CosineLRScheduler(own, **settings, t_in_epochs=False))
    other.loop(make)
    assert other.used == [pytest.approx(used) for used in one.used]


def test_a_number_from_before_the_update_warns() -> None:
    """Every rate would come one late: the first two updates would have that of update 0."""
    training = Training()
    scheduler = Scheduler(training.optimizer, PLAN, epochs=EPOCHS, updates_per_epoch=PER_EPOCH, peak=0.1)
    training.optimizer.step()
    with pytest.warns(ph.PreheatWarning, match=r"step_update\(0\) came after update 0.*num_updates \+= 1"):
        scheduler.step_update(num_updates=0)
