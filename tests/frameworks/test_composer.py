"""Composer, which does not install beside today's torch: what its Trainer does with schedulers, restated.

A torch scheduler is stepped once an epoch, or, with `step_schedulers_every_batch=True`, after every batch; it is saved by the
name of its class, and loaded after the optimizers. Anything else that is callable is a function of the trainer's state."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

import preheat as ph
from preheat.torch import Scheduler

CURVE = ph.warmup(4) >> ph.decay(to=0.1, shape="cosine")
BOUND = CURVE.bind(ph.Run(total=24))

State = type("State", (), {"__module__": "composer.core.state"})


class Trainer:
    """Two epochs of twelve batches of digits."""

    def __init__(self, schedulers: Any, step_schedulers_every_batch: bool = False) -> None:
        self.schedulers, self.every_batch, self.state, self.done = schedulers, step_schedulers_every_batch, State(), 0
        self.optimizer, self.used = schedulers.optimizer, []
        self.optimizer.register_step_post_hook(lambda one, *_: self.used.append(one.param_groups[0]["lr"]))
        found = load_digits()
        self.images, self.digits = torch.tensor(found.data / 16, dtype=torch.float32), torch.tensor(found.target)

    def fit(self, until: int = 24) -> list[float]:
        weight, bias = self.optimizer.param_groups[0]["params"]
        while self.done < until:
            self.done += 1
            lot = slice(32 * self.done, 32 * self.done + 32)
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.images[lot] @ weight + bias, self.digits[lot]).backward()
            self.optimizer.step()
            if self.every_batch or self.done % 12 == 0:
                self.schedulers.step()
        return self.used

    def saved(self) -> dict[str, Any]:
        own = {type(self.schedulers).__qualname__: self.schedulers.state_dict()}
        return {"optimizers": self.optimizer.state_dict(), "schedulers": own, "batch": self.done}

    def load(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizers"])
        self.schedulers.load_state_dict(state["schedulers"][type(self.schedulers).__qualname__])
        self.done = state["batch"]


def compiled(function: Any, optimizer: Any, state: Any) -> Any:
    """What Composer makes of what is no torch scheduler."""
    if isinstance(function, LRScheduler):
        return function
    arguments = (state, 1.0)[: len(inspect.signature(function).parameters)]
    return LambdaLR(optimizer, lambda step: function(*arguments))


def adam() -> Any:
    return torch.optim.Adam([nn.Parameter(torch.zeros(64, 10)), nn.Parameter(torch.zeros(10))], lr=0.1)


def scheduler() -> Scheduler:
    return Scheduler(adam(), CURVE, run=ph.Run(total=24))


def expected(updates: range) -> list[Any]:
    return [pytest.approx(0.1 * BOUND(t), rel=1e-12) for t in updates]


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_stepped_every_batch_the_rate_is_right_at_every_update_and_resumed() -> None:
    stopped = Trainer(scheduler(), step_schedulers_every_batch=True)
    assert stopped.fit(until=15) == expected(range(15))
    resumed = Trainer(scheduler(), step_schedulers_every_batch=True)
    resumed.load(stopped.saved())
    assert resumed.fit() == expected(range(15, 24))


def test_stepped_once_an_epoch_as_composer_does_unasked_it_is_warned_of_in_the_first() -> None:
    with pytest.warns(ph.PreheatWarning, match=r"12 updates were applied without a call of step\(\)"):
        Trainer(scheduler()).fit(until=12)


def test_a_schedule_in_place_of_a_scheduler_is_refused_with_what_to_write() -> None:
    for schedule in (BOUND, ph.absolute(BOUND)):
        with pytest.raises(ph.PreheatError, match=r"write Trainer\(schedulers=.*step_schedulers_every_batch=True"):
            compiled(schedule, adam(), State())
    ours = scheduler()
    assert compiled(ours, ours.optimizer, State()) is ours


def test_a_function_of_the_state_is_a_schedule_too() -> None:
    """What Composer calls stateless: right at every update, but a changed plan is then taken in silence on resuming."""
    state = State()
    state.timestamp = type("Timestamp", (), {"batch": 0})()
    assert compiled(lambda state: BOUND(state.timestamp.batch), adam(), state).get_last_lr() == [0.0]
    state.timestamp.batch = 14
    optimizer = adam()
    compiled(lambda state: BOUND(state.timestamp.batch), optimizer, state)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * BOUND(14))
