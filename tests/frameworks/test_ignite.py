"""Ignite: a bare Scheduler in its LRScheduler handler, right at every update, and resumed from its Checkpoint."""

from __future__ import annotations

import copy
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
from ignite.handlers import (
    Checkpoint,
    ConcatScheduler,
    DiskSaver,
    FastaiLRFinder,
    LinearCyclicalScheduler,
    LRScheduler,
    create_lr_scheduler_with_warmup,
)

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


def test_attached_after_the_update_it_is_right_too_where_torch_s_come_one_late() -> None:
    training = Training()
    training.engine.add_event_handler(Events.ITERATION_COMPLETED, LRScheduler(training.scheduler))
    assert training.run() == expected()
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    used: list[float] = []
    theirs.register_step_post_hook(lambda one, *_: used.append(one.param_groups[0]["lr"]))
    engine = Engine(lambda engine, batch: theirs.step())
    torchs = torch.optim.lr_scheduler.LambdaLR(theirs, CURVE.bind(ph.Run(total=TOTAL)))
    engine.add_event_handler(Events.ITERATION_COMPLETED, LRScheduler(torchs))
    engine.run([0] * 3)
    assert used == [0.0, 0.0, 0.25]  # nothing is said


# -- questions are not updates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("kept", ["handler", "scheduler"])
@pytest.mark.parametrize("at", [1, 5])
def test_saved_when_an_iteration_starts_the_update_that_follows_has_its_own_rate(
    before: bool, kept: str, at: int
) -> None:
    """Ignite has counted the update that is still to come, where its handler ran before the checkpoint was made."""
    stopped, box = Training(), {}

    def save(engine: Engine) -> None:
        parts = stopped.parts | ({"handler": stopped.scheduler} if kept == "scheduler" else {})
        box.update({name: copy.deepcopy(part.state_dict()) for name, part in parts.items()})

    if before:
        stopped.engine.add_event_handler(Events.ITERATION_STARTED(once=at), save)
    stopped.attach()
    if not before:
        stopped.engine.add_event_handler(Events.ITERATION_STARTED(once=at), save)
    stopped.run()
    resumed = Training().attach()
    parts = resumed.parts | ({"handler": resumed.scheduler} if kept == "scheduler" else {})
    del box["engine"]  # which has counted the iteration too
    for name, state in box.items():
        parts[name].load_state_dict(state)
    resumed.engine.run(BATCHES[at - 1 :], max_epochs=1)
    assert resumed.used == expected(range(at - 1, TOTAL))


class Accumulating(Training):
    """An update for every second iteration."""

    def update(self, engine: Engine, batch: Any) -> float:
        is_first = engine.state.iteration % 2 == 1
        if is_first:
            self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        (loss / 2).backward()
        if not is_first:
            self.optimizer.step()
        return loss.item()


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_with_accumulated_gradients_an_iteration_without_an_update_is_none(every: int) -> None:
    training = Accumulating()
    event = Events.ITERATION_STARTED(every=2) if every == 2 else Events.ITERATION_STARTED
    training.engine.add_event_handler(event, LRScheduler(training.scheduler))
    training.engine.run(BATCHES, max_epochs=2)
    assert training.used == expected()
    assert training.scheduler.audit().applied == TOTAL - 1  # the last is counted when the next rate is asked for
    assert training.scheduler.state_dict()["last_epoch"] == TOTAL


def test_beside_a_call_of_step_each_update_counts_once() -> None:
    training = Training().attach()
    training.engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: training.scheduler.step())
    assert training.run() == expected()


def test_attached_twice_it_warns_and_only_the_first_update_is_another() -> None:
    training = Training().attach().attach()
    with pytest.warns(
        ph.PreheatWarning, match=r"2 rates were asked for before the first update.*attach the handler once"
    ):
        training.run()
    assert training.used[1:] == expected(range(1, TOTAL))


@pytest.mark.parametrize("batches", [5, 10])
def test_asked_once_an_epoch_a_plan_in_updates_warns_in_the_second(batches: int) -> None:
    training = Training()
    training.engine.add_event_handler(Events.EPOCH_STARTED, LRScheduler(training.scheduler))
    match = rf"{batches} updates were applied between two questions.*Events.ITERATION_STARTED.*Run\(clock='epoch'\)"
    with pytest.warns(ph.PreheatWarning, match=match):
        training.engine.run(BATCHES[:batches], max_epochs=2)


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_a_clock_of_epochs_is_asked_once_an_epoch() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = Scheduler(optimizer, "warmup(2) >> decay()", run=ph.Run(total=4, clock="epoch"))
    used: list[float] = []
    engine = Engine(lambda engine, batch: (optimizer.step(), used.append(optimizer.param_groups[0]["lr"])))
    engine.add_event_handler(Events.EPOCH_STARTED, LRScheduler(scheduler))
    engine.run([0] * 3, max_epochs=4)
    assert used == [rate for rate in (0.0, 0.5, 1.0, 0.5) for _ in range(3)]


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_a_range_finder_first_and_the_handler_after_it_begin_at_the_first_value() -> None:
    training, finder = Training(), FastaiLRFinder()
    to_save = {"model": training.model, "optimizer": training.optimizer}
    options = {"output_transform": lambda loss: loss, "num_iter": 8, "start_lr": 1e-3, "end_lr": 1.0}
    with finder.attach(training.engine, to_save=to_save, **options) as found:
        found.run(BATCHES)
    training.used.clear()
    assert training.attach().run() == expected()


def test_a_range_finder_under_an_attached_handler_is_overruled_with_a_warning() -> None:
    training, finder = Training().attach(), FastaiLRFinder()
    to_save = {"model": training.model, "optimizer": training.optimizer}
    options = {"output_transform": lambda loss: loss, "num_iter": 8, "start_lr": 1e-3, "end_lr": 1.0}
    with (
        pytest.warns(ph.PreheatWarning, match="was changed by someone else"),
        finder.attach(training.engine, to_save=to_save, **options) as found,
    ):
        found.run(BATCHES)


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_after_another_of_ignite_s_schedulers_it_begins_when_its_turn_comes() -> None:
    training = Training()
    linear = LinearCyclicalScheduler(training.optimizer, "lr", 0.1, 1.0, 8)
    both = ConcatScheduler([linear, LRScheduler(training.scheduler)], durations=[4])
    training.engine.add_event_handler(Events.ITERATION_STARTED, both)
    training.run()
    curve = CURVE.bind(ph.Run(total=TOTAL))
    assert [used[1] for used in training.used[4:]] == pytest.approx([0.1 * curve(t) for t in range(TOTAL - 4)])


@pytest.mark.filterwarnings("error::preheat.PreheatWarning")
def test_ignite_s_own_warmup_before_it() -> None:
    training = Training("decay()")
    warm = {"warmup_start_value": 0.0, "warmup_end_value": 1.0, "warmup_duration": 4}
    handler = create_lr_scheduler_with_warmup(training.scheduler, **warm)
    training.engine.add_event_handler(Events.ITERATION_STARTED, handler)
    training.run()
    assert [used[1] for used in training.used[4:]] == pytest.approx(
        [0.1 * (1 - t / TOTAL) for t in range(1, TOTAL - 3)]
    )


def test_further_runs_past_the_end_warn() -> None:
    training = Training("warmup(4) >> decay()").attach()
    training.run()
    with pytest.warns(ph.PreheatWarning, match="of 20: rate 0 since update 20"):
        training.engine.run(BATCHES, max_epochs=4)


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
