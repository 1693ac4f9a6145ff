"""The plugin for axolotl, on transformers' own Trainer and a stand-in for what axolotl puts around it: how it loads plugins,
what it calls of them and when, and what it writes into a configuration by itself (axolotl/integrations/base.py, cli/config.py,
train.py, core/builders/base.py and core/trainers/mixins/scheduler.py). The package itself is not installed here.
"""

from __future__ import annotations

import importlib
import pydoc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytest.importorskip("pydantic")

sys.path.insert(0, str(Path(__file__).parent))

from tiny_lm import Pieces, Recorder, model
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import SchedulerType

import preheat as ph
from preheat.torch import Scheduler

SCHEDULE = "warmup(25%) >> decay(shape=cosine)"
PLUGIN = "preheat.axolotl.PreheatPlugin"


class Config(dict):
    """A configuration that answers None for what it does not have."""

    def __getattr__(self, key: str) -> Any:
        return self.get(key)


class BasePlugin:
    """What every plugin inherits: a hook that does nothing gives None."""

    def register(self, cfg: Any) -> None: ...

    def get_input_args(self) -> str | None: ...

    def create_lr_scheduler(self, cfg: Any, trainer: Any, optimizer: Any, num_training_steps: int) -> Any: ...

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None: ...


class AxolotlTrainer(Trainer):
    """The trainer that asks the plugins for its scheduler; the optimizer is None where transformers gives none."""

    plugin: Any = None
    cfg: Any = None

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None:
            made = self.plugin.create_lr_scheduler(
                self.cfg, trainer=self, optimizer=optimizer, num_training_steps=num_training_steps
            )
            self.lr_scheduler = made or super().create_scheduler(num_training_steps, optimizer=optimizer)
        return self.lr_scheduler


@pytest.fixture(autouse=True)
def axolotl(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules = {name: ModuleType(name) for name in ("axolotl", "axolotl.integrations", "axolotl.integrations.base")}
    modules["axolotl.integrations.base"].BasePlugin = BasePlugin  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules.pop("preheat.axolotl", None)  # of a collection of doctests, which found no axolotl
    yield
    sys.modules.pop("preheat.axolotl", None)


def validated(cfg: Config, plugin: Any) -> Config:
    """What axolotl makes of a configuration: keys of its own and of the plugin's, its defaults, None left out."""
    known = set(pydoc.locate(plugin.get_input_args()).model_fields)  # type: ignore[union-attr]
    pydoc.locate(plugin.get_input_args())(**cfg)  # type: ignore[operator]
    defaults = {"lr_scheduler": SchedulerType.COSINE}
    own = {"learning_rate", "warmup_steps", "warmup_ratio", "lr_scheduler", "cosine_min_lr_ratio", "plugins"}
    return Config(defaults | {key: value for key, value in cfg.items() if key in known | own and value is not None})


def built(folder: Path, cfg: Config, recorder: Recorder, tell: bool = True, **more: Any) -> AxolotlTrainer:
    """A trainer as axolotl builds it: the plugin registered, the configuration validated, the trainer made."""
    module, name = PLUGIN.rsplit(".", 1)
    plugin = getattr(importlib.import_module(module), name)()
    plugin.register(cfg)
    cfg = validated(cfg, plugin)
    usual = {"max_steps": 8, "per_device_train_batch_size": 4, "logging_steps": 1, "report_to": [], "use_cpu": True}
    usual |= {"lr_scheduler_type": cfg.lr_scheduler, "warmup_steps": cfg.warmup_steps or 2, "lr_scheduler_kwargs": {}}
    usual |= {"save_strategy": "no", "disable_tqdm": True, "learning_rate": 1e-3}
    args = TrainingArguments(output_dir=str(folder), **(usual | more))
    data = {"train_dataset": Pieces(40), "eval_dataset": Pieces(4)}
    trainer = AxolotlTrainer(model=model(), args=args, callbacks=[recorder], **data)
    trainer.plugin, trainer.cfg = plugin, cfg
    if tell:
        plugin.post_trainer_create(cfg, trainer)
    return trainer


@pytest.mark.parametrize("tell", [True, False], ids=["told of the trainer", "asked for the scheduler only"])
def test_the_trainer_follows_what_the_configuration_says(tell: bool, tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = built(tmp_path, Config(preheat_schedule=SCHEDULE), recorder, tell)
    trainer.train()
    rate = ph.parse(SCHEDULE).bind(ph.Run(total=8), peak=1e-3)
    assert recorder.first == pytest.approx([rate(t) for t in range(8)], rel=1e-12)
    assert isinstance(trainer.lr_scheduler, Scheduler)
    assert [one["lr/0"] for one in trainer.state.log_history if "lr/0" in one] == recorder.first


def test_rules_hear_the_evaluation_and_a_run_is_resumed(tmp_path: Path) -> None:
    rules = [Config(kind="Plateau", metric="eval_loss", factor=0.5, patience=0, threshold=0.5)]
    cfg = Config(preheat_schedule={"lr": "hold()"}, preheat_rules=rules)
    whole, rest = Recorder(), Recorder()
    more = {"eval_strategy": "steps", "eval_steps": 2, "save_steps": 4}
    built(tmp_path, cfg, whole, save_strategy="steps", **more).train()
    assert whole.first == [1e-3, 1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4]
    built(tmp_path, cfg, rest, **more).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert rest.first == whole.first[4:]
    changed = built(tmp_path, Config(preheat_schedule=SCHEDULE, preheat_rules=rules), Recorder(), **more)
    with pytest.raises(ph.StateError, match="the plan has changed"):
        changed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    adopted = Config(preheat_schedule=SCHEDULE, preheat_rules=rules, preheat_on_change="adopt")
    built(tmp_path, adopted, rest, **more).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert rest.first[4] == 1e-3 * ph.parse(SCHEDULE).bind(ph.Run(total=8))(4) / 2


REFUSED = {
    "none": ({}, "has no schedule to follow; write preheat_schedule: warmup"),
    "warmup": ({"preheat_schedule": SCHEDULE, "warmup_ratio": 0.1}, "says warmup_ratio: 0.1, a second schedule"),
    "scheduler": (
        {"preheat_schedule": SCHEDULE, "lr_scheduler": "cosine"},
        "says lr_scheduler: cosine, a second schedule",
    ),
    "a slip of the pen": ({"preheat_schedule": SCHEDULE, "preheat_rule": []}, "did you mean 'preheat_rules'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_configuration_that_cannot_be_meant_is_refused_before_anything_is_loaded(name: str) -> None:
    plugin = importlib.import_module("preheat.axolotl").PreheatPlugin()
    cfg, words = REFUSED[name]
    with pytest.raises(ph.PreheatError, match=words):
        plugin.register(Config(cfg))


def test_a_scheduler_that_axolotl_did_not_fill_in_is_refused_later_too(tmp_path: Path) -> None:
    """Where the plugin is only told of the validated configuration."""
    plugin = importlib.import_module("preheat.axolotl").PreheatPlugin()
    with pytest.raises(ph.PreheatError, match="says lr_scheduler: rex, a second schedule"):
        plugin.post_trainer_create(Config(preheat_schedule=SCHEDULE, lr_scheduler="rex"), None)
