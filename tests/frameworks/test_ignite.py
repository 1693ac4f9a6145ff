"""Ignite: a bare Scheduler in its LRScheduler handler, right at every update, and resumed from its Checkpoint."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import preheat as ph
from preheat.torch import Scheduler

pytest.importorskip("ignite")
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, LRScheduler

TOTAL = 20
CURVE = ph.warmup(4) >> ph.decay(to=0.1, shape="cosine")
DECAY = ph.absolute(ph.ramp(0.0, 0.1, 10))
PLAN = ph.Plan({"lr": CURVE, "weight_decay": DECAY})
TEXT = torch.tensor(list(Path(warnings.__file__).read_bytes()[: 16 * TOTAL])).reshape(TOTAL, 16)
BATCHES = [(text[:-1], text[1:]) for text in TEXT]


class Training:
    """A byte-level model in two groups, and the rates and decays with which its optimizer is stepped."""

    def __init__(self, plan: Any = PLAN, **options: Any) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Embedding(256, 8), nn.Linear(8, 256))
        groups = [{"params": self.model[0].parameters(), "lr": 0.01}, {"params": self.model[1].parameters()}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.01)
        self.used: list[tuple[float, ...]] = []
        self.optimizer.register_step_post_hook(self.note)
        self.scheduler = Scheduler(self.optimizer, plan, run=ph.Run(total=TOTAL), **options)
        self.engine = Engine(self.update)
        self.losses: list[float] = []

    def note(self, optimizer: Any, *_: Any) -> None:
        first, second = optimizer.param_groups
        self.used.append((first["lr"], second["lr"], second["weight_decay"]))

    def update(self, engine: Engine, batch: Any) -> float:
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def attach(self, **options: Any) -> Training:
        self.handler = LRScheduler(self.scheduler, **options)
        event = Events.ITERATION_COMPLETED if options else Events.ITERATION_STARTED
        self.engine.add_event_handler(event, self.handler)
        return self

    @property
    def parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer, "handler": self.handler, "engine": self.engine}

    def run(self, epochs: int = 1) -> list[tuple[float, ...]]:
        self.engine.run(BATCHES[: TOTAL // 2] if epochs == 2 else BATCHES, max_epochs=epochs)
        return self.used


def expected(updates: range = range(TOTAL)) -> list[tuple[float, ...]]:
    curve = CURVE.bind(ph.Run(total=TOTAL))
    return [pytest.approx((0.01 * curve(t), 0.1 * curve(t), DECAY(t)), rel=1e-12) for t in updates]


@pytest.mark.parametrize("options", [{}, {"use_legacy": True}], ids=["started", "legacy"])
@pytest.mark.filterwarnings("ignore:Please make sure to attach")
def test_every_line_has_its_value_at_every_update(options: dict[str, Any]) -> None:
    training = Training().attach(**options)
    assert training.run(2) == expected()
    assert training.scheduler.audit().findings == ()


@pytest.mark.parametrize(("options", "kept"), [({}, "handler"), ({}, "scheduler"), ({"use_legacy": True}, "handler")])
@pytest.mark.filterwarnings("ignore:Please make sure to attach")
def test_it_is_resumed_from_ignite_s_checkpoint(tmp_path: Path, options: dict[str, Any], kept: str) -> None:
    stopped = Training().attach(**options)
    to_save = stopped.parts | ({"handler": stopped.scheduler} if kept == "scheduler" else {})
    saver = Checkpoint(to_save, DiskSaver(str(tmp_path), require_empty=False), filename_pattern="seven.pt")
    stopped.engine.add_event_handler(Events.ITERATION_COMPLETED(once=7), saver)
    stopped.run()
    resumed = Training().attach(**options)
    to_load = resumed.parts | ({"handler": resumed.scheduler} if kept == "scheduler" else {})
    Checkpoint.load_objects(to_load, torch.load(tmp_path / "seven.pt", weights_only=False))
    resumed.engine.run(BATCHES, max_epochs=1)
    assert resumed.used == stopped.used[7:] == expected(range(7, TOTAL))


def test_a_changed_plan_is_refused() -> None:
    stopped, changed = Training().attach(), Training(ph.Plan({**PLAN, "lr": ph.warmup(8) >> ph.decay()})).attach()
    stopped.run()
    with pytest.raises(ph.StateError, match="the plan has changed"):
        changed.handler.load_state_dict(stopped.handler.state_dict())


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_simulated_values_are_those_of_the_training_and_change_nothing() -> None:
    training = Training()
    before = training.scheduler.state_dict()
    simulated = LRScheduler.simulate_values(TOTAL, training.scheduler)
    assert training.scheduler.state_dict() == before
    assert training.attach().run() == expected()
    assert [tuple(rates) for _, *rates in simulated] == [used[:2] for used in training.used]


def test_attached_at_the_wrong_event_is_warned_of_at_the_first_update() -> None:
    """Ignite takes it: update 1 would repeat the rate of update 0, and every other comes one late."""
    training = Training()
    training.engine.add_event_handler(Events.ITERATION_COMPLETED, LRScheduler(training.scheduler))
    with pytest.warns(ph.PreheatWarning, match=r"Events.ITERATION_STARTED"):
        training.engine.run(BATCHES[:1])
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    used: list[float] = []
    theirs.register_step_post_hook(lambda one, *_: used.append(one.param_groups[0]["lr"]))
    engine = Engine(lambda engine, batch: theirs.step())
    torchs = torch.optim.lr_scheduler.LambdaLR(theirs, CURVE.bind(ph.Run(total=TOTAL)))
    engine.add_event_handler(Events.ITERATION_COMPLETED, LRScheduler(torchs))
    engine.run([0] * 3)
    assert used == [0.0, 0.0, 0.25]  # nothing is said


def test_a_metric_reaches_the_rules_by_a_handler() -> None:
    """Of a hold until the loss stalls and of a plateau, as in a loop that is written by hand."""
    rules = [ph.HoldUntil("loss", at=4, patience=1), ph.Plateau("loss", patience=2)]
    training = Training(rules=rules)

    @training.engine.on(Events.ITERATION_COMPLETED)
    def tell(engine: Engine) -> None:
        training.scheduler.observe({"loss": engine.state.output})

    training.attach().run()
    truth = Training(rules=rules)
    for batch in BATCHES:
        loss = truth.update(truth.engine, batch)
        truth.scheduler.observe({"loss": loss})
        truth.scheduler.step()
    assert training.used == truth.used
    assert training.scheduler.state_dict()["rules"] == truth.scheduler.state_dict()["rules"]
    assert training.used != expected()
