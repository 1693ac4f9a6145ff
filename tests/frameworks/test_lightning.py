"""Lightning and Fabric: real trainings, the rate at every update, stopped and resumed by Lightning's own checkpoints."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import preheat as ph
from preheat.torch import Scheduler

lightning = pytest.importorskip("lightning.pytorch")
from lightning.fabric import Fabric  # noqa: E402
from lightning.pytorch.callbacks import (  # noqa: E402
    BackboneFinetuning,
    BaseFinetuning,
    GradientAccumulationScheduler,
    LearningRateFinder,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger  # noqa: E402
from lightning.pytorch.plugins import MixedPrecision  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from preheat.lightning import ScheduleCallback, config  # noqa: E402

PLAN = ph.warmup(4) >> ph.decay(to=0.1, shape="cosine")
TEXT = "warmup(4) >> decay(to=0.1, shape=cosine)"


def digits(batches: int = 10, size: int = 16) -> DataLoader:
    """So many batches of handwritten digits."""
    found = load_digits()
    images = torch.tensor(found.data[: batches * size], dtype=torch.float32) / 16
    return DataLoader(TensorDataset(images, torch.tensor(found.target[: batches * size])), batch_size=size)


class Digits(lightning.LightningModule):
    """A linear model in two groups; it notes the rates with which its optimizer is stepped."""

    def __init__(self, optimizer: str = "SGD", scheduler: Any = None) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 16), nn.Linear(16, 10)
        self.kind, self.scheduler = optimizer, scheduler
        self.used: list[list[float]] = []
        self.infinite: set[int] = set()

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        images, digits = batch
        loss = nn.functional.cross_entropy(self.head(self.body(images).relu()), digits)
        self.log("loss", loss)
        return loss * float("inf") if index in self.infinite else loss

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self.head(self.body(batch[0]).relu()), batch[1]))

    def watched(self, optimizer: Any) -> Any:
        optimizer.register_step_post_hook(
            lambda one, *_: self.used.append([float(group["lr"]) for group in one.param_groups])
        )
        return optimizer

    def configure_optimizers(self) -> Any:
        groups = [
            {"params": self.body.parameters(), "name": "body", "lr": 0.01},
            {"params": self.head.parameters(), "name": "head", "lr": 0.1},
        ]
        optimizer = self.watched(getattr(torch.optim, self.kind)(groups, lr=0.1))
        return optimizer if self.scheduler is None else self.scheduler(self, optimizer)


def trainer(tmp_path: Path, *callbacks: Any, **options: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    saving = any(isinstance(one, ModelCheckpoint) for one in callbacks)
    given = {"max_epochs": 2, "accelerator": "cpu", "default_root_dir": tmp_path, "enable_checkpointing": saving}
    return lightning.Trainer(**(quiet | given | options), callbacks=list(callbacks))


def expected(total: int, updates: range | None = None, bases: tuple[float, ...] = (0.01, 0.1)) -> list[list[float]]:
    bound = PLAN.bind(ph.Run(total=total))
    return [[pytest.approx(base * bound(t), rel=1e-12) for base in bases] for t in updates or range(total)]


# -- the rate at every update ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accumulated", "per_epoch"), [(1, 10), (3, 4)])
def test_update_t_uses_the_value_at_t_whatever_is_accumulated(tmp_path: Path, accumulated: int, per_epoch: int) -> None:
    module, callback = Digits(), ScheduleCallback(TEXT)
    trainer(tmp_path, callback, accumulate_grad_batches=accumulated).fit(module, digits())
    assert module.used == expected(2 * per_epoch)
    assert callback.scheduler.run == ph.Run(total=2 * per_epoch, steps_per_epoch=per_epoch)
    assert callback.scheduler.audit().findings == ()


def test_every_hyper_parameter_of_every_group_and_lengths_in_epochs(tmp_path: Path) -> None:
    plan = {
        "lr": "warmup(1 epoch) >> decay()",
        "head/lr": "hold()",
        "weight_decay": "absolute(ramp(0.0, 0.1, 1 epoch))",
    }
    module, decays = Digits("AdamW"), []
    own = module.watched
    module.watched = lambda optimizer: _noting_decay(own(optimizer), decays)  # type: ignore[method-assign]
    trainer(tmp_path, ScheduleCallback(plan)).fit(module, digits())
    bound = (ph.warmup(10) >> ph.decay(10)).bind()
    assert module.used == [[pytest.approx(0.01 * bound(t)), 0.1] for t in range(20)]
    assert decays == [pytest.approx(0.1 * min(t, 10) / 10) for t in range(20)]


def _noting_decay(optimizer: Any, decays: list[float]) -> Any:
    optimizer.register_step_post_hook(lambda one, *_: decays.append(one.param_groups[0]["weight_decay"]))
    return optimizer


def test_lightning_s_monitor_logs_each_group_by_its_name(tmp_path: Path) -> None:
    logger, module = CSVLogger(tmp_path), Digits()
    monitor = LearningRateMonitor("step")
    trainer(tmp_path, ScheduleCallback(TEXT), monitor, logger=logger, log_every_n_steps=1).fit(module, digits())
    assert [
        list(both) for both in zip(monitor.lrs["lr-SGD/body"], monitor.lrs["lr-SGD/head"], strict=True)
    ] == module.used


class Two(Digits):
    """Manual optimisation of two optimizers: the second only with every batch, the first `often` times in each."""

    def __init__(self, often: int = 1) -> None:
        super().__init__()
        self.automatic_optimization, self.often = False, often
        self.order: list[tuple[str, float]] = []

    def training_step(self, batch: Any, index: int) -> None:
        images, digits = batch
        first, second = self.optimizers()
        for optimizer, times in ((first, self.often), (second, 1)):
            for _ in range(times):
                optimizer.zero_grad()
                self.manual_backward(nn.functional.cross_entropy(self.head(self.body(images).relu()), digits))
                optimizer.step()

    def configure_optimizers(self) -> Any:
        first, second = (
            torch.optim.SGD(self.body.parameters(), lr=0.01),
            torch.optim.Adam(self.head.parameters(), lr=0.1),
        )
        for name, one in (("first", first), ("second", second)):
            one.register_step_post_hook(lambda own, *_, name=name: self.order.append((name, own.param_groups[0]["lr"])))
        return first, second


def test_two_optimizers_by_hand_follow_one_plan(tmp_path: Path) -> None:
    module, callback = Two(), ScheduleCallback(TEXT)
    trainer(tmp_path, callback).fit(module, digits())
    rates = expected(20)
    assert [rate for name, rate in module.order if name == "first"] == [one[0] for one in rates]
    assert [rate for name, rate in module.order if name == "second"] == [one[1] for one in rates]


def test_one_that_is_stepped_often_in_a_batch_counts_each_time(tmp_path: Path) -> None:
    module, callback = Two(often=3), ScheduleCallback(TEXT, run=ph.Run(total=60))
    trainer(tmp_path, callback).fit(module, digits())
    assert [rate for name, rate in module.order if name == "first"] == [one[0] for one in expected(60)]
    assert callback.scheduler.last_epoch == 60


def test_a_length_that_lightning_cannot_know_by_hand_is_warned_of_in_the_first_epoch(tmp_path: Path) -> None:
    with pytest.warns(ph.PreheatWarning, match=r"30 updates in the 10 batches of the first epoch.*run=Run\(total=…\)"):
        trainer(tmp_path, ScheduleCallback(TEXT), max_epochs=1).fit(Two(often=3), digits())


def test_updates_that_the_scaler_skips_are_not_counted_and_lightning_s_own_scheduler_counts_them(
    tmp_path: Path,
) -> None:
    def run(module: Digits, *callbacks: Any) -> None:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=1000)
        module.infinite = {0, 5}
        trainer(tmp_path, *callbacks, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)]).fit(module, digits())

    module, callback = Digits(), ScheduleCallback(TEXT)
    run(module, callback)
    assert module.used == expected(20, range(16))  # the hook runs for applied updates only
    assert (callback.scheduler.audit().skipped, callback.scheduler.last_epoch) == (4, 16)
    theirs = Digits(scheduler=lambda module, one: {"optimizer": one, "lr_scheduler": _lambda(one, "step")})
    run(theirs)
    assert theirs.trainer.lr_scheduler_configs[0].scheduler.last_epoch == 20


def _lambda(optimizer: Any, interval: str) -> dict[str, Any]:
    return {
        "scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, PLAN.bind(ph.Run(total=20))),
        "interval": interval,
    }


# -- resumed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path, optimizer: str) -> None:
    whole = Digits(optimizer)
    lightning.seed_everything(0)
    saving = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    trainer(tmp_path, ScheduleCallback(TEXT), saving).fit(whole, digits())
    resumed = Digits(optimizer)
    callback = ScheduleCallback(TEXT)
    trainer(tmp_path, callback).fit(resumed, digits(), ckpt_path=tmp_path / "step=7.ckpt")
    assert resumed.used == expected(20, range(7, 20)) == whole.used[7:]
    assert callback.scheduler.last_epoch == 20


def test_a_changed_plan_is_refused_and_can_be_adopted(tmp_path: Path) -> None:
    callback = ScheduleCallback(TEXT)
    stopped = trainer(tmp_path, callback, max_epochs=1)
    stopped.fit(Digits(), digits())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(ph.StateError, match="the plan has changed since this state was saved"):
        trainer(tmp_path, ScheduleCallback(TEXT)).fit(Digits(), digits(), ckpt_path=tmp_path / "last.ckpt")
    module = Digits()
    longer = trainer(tmp_path, ScheduleCallback(TEXT, on_change="adopt"))
    longer.fit(module, digits(), ckpt_path=tmp_path / "last.ckpt")
    assert module.used == expected(20, range(10, 20))


def test_a_checkpoint_without_a_schedule_is_warned_of(tmp_path: Path) -> None:
    stopped = trainer(tmp_path, max_epochs=1)
    stopped.fit(Digits(), digits())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    with pytest.warns(ph.PreheatWarning, match=r"goes on at update 10 .* write .shifted\(-10\)"):
        trainer(tmp_path, ScheduleCallback(TEXT)).fit(Digits(), digits(), ckpt_path=tmp_path / "last.ckpt")


def test_a_second_fit_of_one_trainer_goes_on_and_a_tested_checkpoint_changes_nothing(tmp_path: Path) -> None:
    module, callback = Digits(), ScheduleCallback(TEXT, run=ph.Run(total=20))
    one = trainer(tmp_path, callback, max_epochs=1, max_steps=5)
    one.fit(module, digits())
    one.save_checkpoint(tmp_path / "five.ckpt")
    one.fit_loop.epoch_loop.max_steps = 10
    one.fit(module, digits())
    one.validate(module, digits(), ckpt_path=tmp_path / "five.ckpt", verbose=False)
    one.fit_loop.epoch_loop.max_steps, one.fit_loop.max_epochs = 15, 2
    one.fit(module, digits())
    assert module.used == expected(20, range(15))


# -- metrics --------------------------------------------------------------------------------------------------------


def test_each_measurement_reaches_the_rules_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    observe = Scheduler.observe
    monkeypatch.setattr(
        Scheduler, "observe", lambda self, new: (told.extend((k, float(v)) for k, v in new.items()), observe(self, new))
    )
    rules = [ph.Plateau("loss", patience=100), ph.Plateau("val_loss", patience=100)]
    trainer(tmp_path, ScheduleCallback(TEXT, rules=rules)).fit(Digits(), digits(), digits(3))
    assert [name for name, _ in told] == ([*["loss"] * 10, "val_loss"]) * 2
    assert len({value for _, value in told}) == 22


@pytest.mark.parametrize("way", ["callback", "config"])
def test_a_plateau_lowers_the_rate(tmp_path: Path, way: str) -> None:
    """Of a model that learns nothing, validated once an epoch: the second and the third validation are no better."""
    rules = [ph.Plateau("val_loss", factor=0.5, patience=1)]
    module = Digits(
        scheduler=lambda module, one: config(module, one, "hold()", rules=rules) if way == "config" else one
    )
    callbacks = [] if way == "config" else [ScheduleCallback("hold()", rules=rules)]
    still = nn.functional.cross_entropy(torch.zeros(1, 10), torch.tensor([0]))
    module.validation_step = lambda batch, batch_idx: module.log("val_loss", still)  # type: ignore[method-assign]
    trainer(tmp_path, *callbacks, max_epochs=4).fit(module, digits(2), digits(1))
    assert (module.used[0][1], module.used[-1][1]) == (0.1, 0.05)


def test_a_metric_that_nobody_logs_is_named_at_the_end(tmp_path: Path) -> None:
    with pytest.warns(ph.PreheatWarning, match=r"rule 'val/loss' never met its metric.*'loss', 'val_loss'"):
        trainer(tmp_path, ScheduleCallback(TEXT, rules=[ph.Plateau("val/loss")])).fit(Digits(), digits(), digits(2))


# -- the length of the run ------------------------------------------------------------------------------------------


class Endless(IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        return iter(digits(3).dataset)


def test_a_run_without_an_end_takes_a_schedule_without_one(tmp_path: Path) -> None:
    module = Digits()
    trainer(tmp_path, ScheduleCallback("warmup(4) >> hold()")).fit(module, DataLoader(Endless(), batch_size=16))
    assert [used[1] for used in module.used] == [pytest.approx(0.1 * min(t, 4) / 4) for t in range(6)]


@pytest.mark.parametrize(
    ("options", "data"),
    [({"max_epochs": -1}, "digits"), ({"max_epochs": 2}, "stream"), ({"max_epochs": 2}, "accumulation")],
)
def test_a_length_that_is_needed_and_not_known_is_refused(tmp_path: Path, options: dict[str, Any], data: str) -> None:
    loader = DataLoader(Endless(), batch_size=16) if data == "stream" else digits()
    callbacks = [GradientAccumulationScheduler({0: 1, 1: 2})] if data == "accumulation" else []
    with pytest.raises(ph.BindError, match=r"Lightning does not know.*Run\(total=…"):
        trainer(tmp_path, ScheduleCallback(TEXT), *callbacks, **options).fit(Digits(), loader)


def test_max_steps_is_the_length_of_a_stream(tmp_path: Path) -> None:
    module = Digits()
    trainer(tmp_path, ScheduleCallback(TEXT), max_epochs=-1, max_steps=9).fit(
        module, DataLoader(Endless(), batch_size=16)
    )
    assert module.used == expected(9)


# -- other hands on the rates ---------------------------------------------------------------------------------------


def test_a_scheduler_of_the_module_beside_the_callback_is_refused(tmp_path: Path) -> None:
    module = Digits(scheduler=lambda module, one: {"optimizer": one, "lr_scheduler": _lambda(one, "step")})
    with pytest.raises(ph.PreheatError, match="configure_optimizers returns a LambdaLR too"):
        trainer(tmp_path, ScheduleCallback(TEXT)).fit(module, digits())


def test_a_module_without_an_optimizer_is_refused(tmp_path: Path) -> None:
    module = Digits()
    module.configure_optimizers = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ph.PreheatError, match="has returned no optimizer"):
        trainer(tmp_path, ScheduleCallback(TEXT)).fit(module, digits())


def test_a_clock_of_epochs_is_refused() -> None:
    with pytest.raises(ph.PreheatError, match=r"leave clock= out: lengths such as '2 epochs'"):
        ScheduleCallback(TEXT, run=ph.Run(total=3, clock="epoch"))


def _bare(module: Any, optimizer: Any, scheduler: Any = None) -> Any:
    """What LightningCLI makes of a scheduler, and what Lightning steps once an epoch."""
    return [optimizer], [scheduler or Scheduler(optimizer, PLAN, run=ph.Run(total=40))]


def test_the_bare_return_which_lightning_steps_once_an_epoch_is_warned_of_in_the_first_one(tmp_path: Path) -> None:
    theirs = Digits(scheduler=lambda module, one: _bare(module, one, _lambda(one, "step")["scheduler"]))
    trainer(tmp_path).fit(theirs, digits(20))
    assert theirs.trainer.lr_scheduler_configs[0].scheduler.last_epoch == 2  # of 40 updates, and nothing was said
    with pytest.warns(ph.PreheatWarning, match=r"20 updates were applied without a call of step\(\)"):
        trainer(tmp_path, max_epochs=1).fit(Digits(scheduler=_bare), digits(20))


class Headed(Digits):
    """Its head alone is trained at first."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = self.body

    def configure_optimizers(self) -> Any:
        return self.watched(torch.optim.SGD(self.head.parameters(), lr=0.1, momentum=0.9))


class Unfreeze(BaseFinetuning):
    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, lr=0.01)


@pytest.mark.parametrize("first", [True, False])
def test_a_group_that_is_added_later_follows_from_its_first_update_on_and_is_resumed(
    tmp_path: Path, first: bool
) -> None:
    def callbacks() -> list[Any]:
        both = [Unfreeze(), ScheduleCallback(TEXT)]
        return both if first else both[::-1]

    def wanted(updates: range) -> list[list[float]]:
        return [list(one) for one in expected(20, updates, (0.1, 0.01))]

    module = Headed()
    saving = ModelCheckpoint(tmp_path, every_n_train_steps=5, save_top_k=-1, filename="{step}")
    trainer(tmp_path, *callbacks(), saving).fit(module, digits())
    assert module.used[:10] == [one[:1] for one in wanted(range(10))]
    assert module.used[10:] == wanted(range(10, 20))
    resumed = Headed()
    trainer(tmp_path, *callbacks()).fit(resumed, digits(), ckpt_path=tmp_path / "step=15.ckpt")
    assert resumed.used == wanted(range(15, 20))


def test_backbone_finetuning_is_overruled_and_needs_the_backbone_s_own_rate(tmp_path: Path) -> None:
    with pytest.raises(ph.PreheatError, match=r"BackboneFinetuning\(backbone_initial_lr=…\)"):
        trainer(tmp_path, BackboneFinetuning(1), ScheduleCallback(TEXT)).fit(Headed(), digits())
    module = Headed()
    finetuning = BackboneFinetuning(1, backbone_initial_lr=0.01)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ph.PreheatWarning)
        trainer(tmp_path, finetuning, ScheduleCallback(TEXT), max_epochs=3).fit(module, digits())
    assert any("was changed by someone else" in str(one.message) for one in said)
    assert module.used[10:] == expected(30, range(10, 30), (0.1, 0.01))


# -- the length of the run was another, or the calls were ------------------------------------------------------------


class ByHand(Digits):
    """Manual optimisation of what `config` returned; it steps the scheduler, or does not."""

    def __init__(self, steps: bool) -> None:
        super().__init__(scheduler=lambda module, one: config(module, one, TEXT))
        self.automatic_optimization, self.steps = False, steps

    def training_step(self, batch: Any, index: int) -> None:
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(nn.functional.cross_entropy(self.head(self.body(batch[0]).relu()), batch[1]))
        optimizer.step()
        if self.steps:
            self.lr_schedulers().step()


def test_config_in_manual_optimisation_is_stepped_by_the_module_or_warned_of(tmp_path: Path) -> None:
    module = ByHand(steps=True)
    trainer(tmp_path).fit(module, digits())
    assert module.used == expected(20)
    with pytest.warns(ph.PreheatWarning, match=r"10 updates were applied.*call self.lr_schedulers\(\).step\(\)"):
        trainer(tmp_path).fit(ByHand(steps=False), digits())


@pytest.mark.parametrize("changed", [{"frequency": 2}, {"interval": "epoch"}])
def test_config_with_another_interval_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    def scheduler(module: Any, one: Any) -> Any:
        made = config(module, one, TEXT)
        made["lr_scheduler"].update(changed)
        return made

    with pytest.raises(ph.PreheatError, match="interval 'step' and frequency 1"):
        trainer(tmp_path).fit(Digits(scheduler=scheduler), digits())


def test_max_steps_of_several_optimizers_counts_the_steps_of_each_and_is_no_length(tmp_path: Path) -> None:
    options = {"max_epochs": -1, "max_steps": 20}
    with pytest.raises(ph.BindError, match=r"max_steps counts the steps of each of the 2 optimizers.*run=Run\(total=…"):
        trainer(tmp_path, ScheduleCallback(TEXT), **options).fit(Two(), digits())
    module = Two()
    trainer(tmp_path, ScheduleCallback(TEXT, run=ph.Run(total=10)), **options).fit(module, digits())
    assert [rate for name, rate in module.order if name == "first"] == [one[0] for one in expected(10)]


class Longer(Digits):
    def train_dataloader(self) -> DataLoader:
        return digits(10 if self.current_epoch == 0 else 15)


@pytest.mark.parametrize("way", ["callback", "config"])
def test_epochs_that_grow_are_warned_of_in_the_first_update_past_the_end(tmp_path: Path, way: str) -> None:
    module = Longer(scheduler=(lambda module, one: config(module, one, TEXT)) if way == "config" else None)
    callbacks = [ScheduleCallback(TEXT)] if way == "callback" else []
    one = trainer(tmp_path, *callbacks, reload_dataloaders_every_n_epochs=1)
    with pytest.warns(ph.PreheatWarning, match="training goes on past update 20"):
        one.fit(module)
    assert len(module.used) == 25


def test_a_run_that_ends_early_is_warned_of_at_its_end_and_one_that_was_stopped_is_not(tmp_path: Path) -> None:
    loader = DataLoader(Endless(), batch_size=16)  # 3 batches
    with pytest.warns(ph.PreheatWarning, match=r"training ended at 6, and the schedule was made for a run of 20"):
        trainer(tmp_path, ScheduleCallback(TEXT), limit_train_batches=10).fit(Digits(), loader)
    module = Digits()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ph.PreheatWarning)
        fixed = "warmup(4) >> hold()"  # which is the same, however long the run
        trainer(tmp_path, ScheduleCallback(fixed), limit_train_batches=10).fit(module, loader)
        stopped = trainer(tmp_path, ScheduleCallback(TEXT))
        stopping = lightning.Callback()
        stopping.on_train_batch_end = lambda one, *_: setattr(one, "should_stop", one.global_step >= 5)  # type: ignore[method-assign]
        stopped.callbacks.append(stopping)
        stopped.fit(Digits(), digits())


@pytest.mark.parametrize("way", ["callback", "config"])
def test_what_lightning_s_finder_has_found_is_the_peak(tmp_path: Path, way: str) -> None:
    lightning.seed_everything(0)
    module = Digits(scheduler=(lambda module, one: config(module, one, TEXT)) if way == "config" else None)
    module.lr = 0.1
    finder = LearningRateFinder(num_training_steps=60, early_stop_threshold=None, attr_name="lr")
    callbacks = [ScheduleCallback(TEXT)] if way == "callback" else []
    trainer(tmp_path, finder, *callbacks).fit(module, digits())
    found = finder.optimal_lr.suggestion()
    assert found not in (None, 0.1)
    heads = [used[1] for used in module.used[-20:]]
    assert heads == [one[1] for one in expected(20, bases=(found, found))]


def test_a_fast_run_for_development_cuts_the_schedule(tmp_path: Path) -> None:
    module = Digits()
    trainer(tmp_path, ScheduleCallback("warmup(500) >> decay()"), fast_dev_run=2).fit(module, digits())
    assert [used[1] for used in module.used] == pytest.approx([0.0, 0.1 / 500])


def test_a_checkpoint_of_another_scheduler_is_refused_by_name(tmp_path: Path) -> None:
    stopped = trainer(tmp_path, max_epochs=1)
    stopped.fit(Digits(scheduler=lambda module, one: {"optimizer": one, "lr_scheduler": _linear(one)}), digits())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    module = Digits(scheduler=lambda module, one: config(module, one, TEXT))
    with pytest.raises(
        ph.StateError, match=r"saved by another scheduler than preheat's: it has .start_factor.*go_to\(update\)"
    ):
        trainer(tmp_path).fit(module, digits(), ckpt_path=tmp_path / "last.ckpt")


def _linear(optimizer: Any) -> dict[str, Any]:
    return {"scheduler": torch.optim.lr_scheduler.LinearLR(optimizer), "interval": "step"}


def test_config_refuses_a_list_and_says_what_to_write(tmp_path: Path) -> None:
    module = Digits(scheduler=lambda module, one: config(module, [one], TEXT))
    with pytest.raises(ph.PreheatError, match=r"config takes one optimizer.*one config\(…\) for each"):
        trainer(tmp_path).fit(module, digits())


# -- configure_optimizers, the command line, Fabric -----------------------------------------------------------------


def test_config_steps_at_every_update_and_is_resumed(tmp_path: Path) -> None:
    def module() -> Digits:
        return Digits(scheduler=lambda module, one: config(module, one, TEXT, name="rate"))

    whole, monitor = module(), LearningRateMonitor()
    saving = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    logging = {"logger": CSVLogger(tmp_path), "log_every_n_steps": 1}
    trainer(tmp_path, saving, monitor, accumulate_grad_batches=3, **logging).fit(whole, digits())
    assert whole.used == expected(8)
    assert set(monitor.lrs) == {"rate/body", "rate/head"}
    resumed = module()
    trainer(tmp_path, accumulate_grad_batches=3).fit(resumed, digits(), ckpt_path=tmp_path / "step=6.ckpt")
    assert resumed.used == expected(8, range(6, 8))


def test_a_schedule_comes_from_the_yaml_of_lightning_s_command_line(tmp_path: Path) -> None:
    cli = pytest.importorskip("lightning.pytorch.cli")
    given = tmp_path / "config.yaml"
    given.write_text(
        f"""
trainer:
  max_epochs: 2
  accelerator: cpu
  logger: false
  enable_checkpointing: false
  enable_progress_bar: false
  enable_model_summary: false
  callbacks:
    - class_path: preheat.lightning.ScheduleCallback
      init_args:
        schedule: {TEXT}
        run: {{total: 30}}
        peak: 0.5
        rules:
          - {{kind: Plateau, metric: loss, patience: 100}}
""",
        encoding="utf-8",
    )

    class Data(lightning.LightningDataModule):
        def train_dataloader(self) -> DataLoader:
            return digits()

    args = ["fit", "--config", str(given)]
    one = cli.LightningCLI(Digits, Data, args=args, save_config_callback=None)
    assert one.model.used == expected(30, range(20), (0.05, 0.5))
    assert one.trainer.callbacks[0].scheduler.session.rules == (ph.Plateau("loss", patience=100),)


def test_a_plan_of_several_lines_comes_from_yaml_too(tmp_path: Path) -> None:
    cli = pytest.importorskip("lightning.pytorch.cli")
    parser = cli.LightningArgumentParser()
    parser.add_class_arguments(ScheduleCallback, "callback")
    given = tmp_path / "config.yaml"
    given.write_text("callback:\n  schedule:\n    lr: warmup(4) >> decay()\n    head/lr: hold()\n", encoding="utf-8")
    parser.add_argument("--config", action="config")
    made = parser.instantiate_classes(parser.parse_args(["--config", str(given)])).callback
    assert pickle.loads(pickle.dumps(made))._plan == ph.Plan({"lr": "warmup(4) >> decay()", "head/lr": "hold()"})


def test_a_callback_that_was_used_pickles_with_its_scheduler(tmp_path: Path) -> None:
    callback = ScheduleCallback(TEXT)
    trainer(tmp_path, callback, max_epochs=1).fit(Digits(), digits())
    assert pickle.loads(pickle.dumps(callback)).state_dict() == callback.state_dict()


def test_a_scheduler_on_fabric_s_optimizer_is_right_and_resumed_from_its_checkpoint(tmp_path: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)

    def begun() -> dict[str, Any]:
        module = Digits("Adam")
        model, optimizer = fabric.setup(module, module.configure_optimizers())
        model.mark_forward_method("loss_of")
        return {"model": model, "optimizer": optimizer, "scheduler": Scheduler(optimizer, PLAN, run=ph.Run(total=20))}

    def train(state: dict[str, Any], updates: int) -> list[list[float]]:
        for images, target in list(digits(updates)):
            state["optimizer"].zero_grad()
            fabric.backward(nn.functional.cross_entropy(state["model"].loss_of(images), target))
            state["optimizer"].step()
            state["scheduler"].step()
        return state["model"].module.used

    Digits.loss_of = lambda self, images: self.head(self.body(images).relu())  # type: ignore[attr-defined]
    before, after = begun(), begun()
    assert train(before, 8) == expected(20, range(8))
    fabric.save(tmp_path / "state.ckpt", before)
    fabric.load(tmp_path / "state.ckpt", after)
    assert train(after, 12) == expected(20, range(8, 20))
    assert after["scheduler"].audit().findings == ()


def test_the_same_code_under_its_other_name(tmp_path: Path) -> None:
    """`pytorch_lightning` has classes of its own, and takes no callback of the other; in a process that knows it alone."""
    pytest.importorskip("pytorch_lightning")
    code = f"""
import sys
import pytorch_lightning as pl
import torch
from preheat.lightning import ScheduleCallback

class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        return self.layer(batch).square().mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

callback = ScheduleCallback({TEXT!r})
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
pl.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], default_root_dir={str(tmp_path)!r}, **quiet).fit(
    Module(), torch.utils.data.DataLoader(torch.randn(12, 4)))
print(callback.scheduler.last_epoch, isinstance(callback, pl.Callback), "lightning.pytorch" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert said.stdout.split() == ["12", "True", "False"], said.stderr[-2000:]
