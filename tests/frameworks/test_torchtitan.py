"""torchtitan: the contract of its trainer, restated (it needs a nightly torch and GPUs), and the real one where it imports."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn

import preheat as ph

TEXT = "warmup(4) >> decay(to=0.1)"
BOUND = ph.parse(TEXT).bind(ph.Run(total=20))


def stand_in() -> dict[str, types.ModuleType]:
    """What torchtitan 0.3 has under the names that are imported: a Config with these fields, whose `build` is called with
    keywords, and a container that is stepped, saved, iterated, measured and asked for metrics."""

    class LRSchedulersContainer:
        schedulers: list[Any]

        @dataclass(kw_only=True, slots=True)
        class Config:
            warmup_steps: int = 200
            total_steps: int | None = None
            decay_ratio: float | None = None
            decay_type: str = "linear"
            min_lr_factor: float = 0.0

        def __init__(self, optimizers: Any, lr_lambda: Any) -> None:
            self.schedulers = [torch.optim.lr_scheduler.LambdaLR(one, lr_lambda) for one in optimizers]

        def __iter__(self) -> Iterator[Any]:
            return iter(self.schedulers)

        def __len__(self) -> int:
            return len(self.schedulers)

        def step(self) -> None:
            for scheduler in self.schedulers:
                scheduler.step()

    names = ["torchtitan", "torchtitan.components", "torchtitan.components.optimizer"]
    modules = {name: types.ModuleType(name) for name in [*names, f"{names[-1]}.lr_scheduler"]}
    for name in names:
        modules[name].__path__ = []
    modules[f"{names[-1]}.lr_scheduler"].LRSchedulersContainer = LRSchedulersContainer  # type: ignore[attr-defined]
    return modules


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    try:
        import torchtitan.components.optimizer.lr_scheduler  # noqa: F401
    except ImportError:
        for name, module in stand_in().items():
            monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "preheat.torchtitan", raising=False)
    from preheat.torchtitan import ScheduleContainer

    yield ScheduleContainer
    sys.modules.pop("preheat.torchtitan", None)


class Training:
    """Two optimizers, as torchtitan has one for each part of a pipeline, and what its trainer does with them."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        parts = [nn.Linear(8, 8), nn.Linear(8, 256)]
        groups = [{"params": [parts[1].weight], "lr": 0.2}, {"params": [parts[1].bias], "weight_decay": 0.0}]
        self.embedding, self.parts = nn.Embedding(256, 8), parts
        self.optimizers = [torch.optim.Adam(parts[0].parameters(), lr=0.1), torch.optim.AdamW(groups, lr=0.1)]
        self.used: list[list[float]] = []
        self.optimizers[-1].register_step_post_hook(lambda *_: self.used.append(self.rates()))
        self.text = torch.tensor(list(Path(types.__file__).read_bytes()[:512]))

    def rates(self) -> list[float]:
        return [group["lr"] for one in self.optimizers for group in one.param_groups]

    def train(self, schedulers: Any, updates: int) -> list[list[float]]:
        for i in range(updates):
            text = self.text[16 * i : 16 * i + 17]
            for one in self.optimizers:
                one.zero_grad()
            logits = self.parts[1](self.parts[0](self.embedding(text[:-1])))
            nn.functional.cross_entropy(logits, text[1:]).backward()
            for one in self.optimizers:
                one.step()
            schedulers.step()
        return self.used


def expected(updates: range) -> list[list[float]]:
    return [pytest.approx([0.1 * BOUND(t), 0.2 * BOUND(t), 0.1 * BOUND(t)], rel=1e-12) for t in updates]


def build(container: Any, training: Training, steps: int = 20, **fields: Any) -> Any:
    config = container.Config(**({"schedule": TEXT} | fields))
    return config.build(optimizers=training.optimizers, training_steps=steps)


def test_the_rate_at_every_update_of_every_optimizer(container: Any) -> None:
    training = Training()
    schedulers = build(container, training)
    assert training.train(schedulers, 20) == expected(range(20))
    assert (len(schedulers), len(list(schedulers))) == (1, 1)
    assert schedulers.schedulers[0].audit().findings == ()


def test_the_metrics_have_torchtitan_s_names(container: Any) -> None:
    plan = '{"lr": "hold()", "weight_decay": "absolute(hold(0.01))"}'
    metrics = build(container, Training(), schedule=plan).get_metrics()
    rates = {"lr/Adam": 0.1, "lr/AdamW/0": 0.2, "lr/AdamW/1": 0.1}
    assert {name: metrics[name] for name in rates} == rates
    assert [value for name, value in metrics.items() if name.endswith("weight_decay")] == [0.01]


def test_it_is_resumed_from_a_distributed_checkpoint(container: Any, tmp_path: Path) -> None:
    stopped = Training()
    schedulers = build(container, stopped)
    stopped.train(schedulers, 7)
    dcp.save({"lr_scheduler": schedulers}, checkpoint_id=tmp_path, no_dist=True)
    resumed = Training()
    again = build(container, resumed)
    dcp.load({"lr_scheduler": again}, checkpoint_id=tmp_path, no_dist=True)
    for one, saved in zip(resumed.optimizers, stopped.optimizers, strict=True):
        one.load_state_dict(saved.state_dict())
    assert resumed.train(again, 13) == expected(range(7, 20))


def test_another_number_of_steps_is_a_changed_plan_unless_total_steps_says_it(container: Any) -> None:
    """torchtitan saves `last_epoch` alone, and takes any other schedule in silence."""
    stopped = Training()
    schedulers = build(container, stopped)
    stopped.train(schedulers, 7)
    saved = schedulers.state_dict()
    with pytest.raises(ph.StateError, match="the plan has changed"):
        build(container, Training(), steps=40).load_state_dict(saved)
    build(container, Training(), steps=40, total_steps=20).load_state_dict(saved)
    adopted = build(container, Training(), steps=40, on_change="adopt")
    adopted.load_state_dict(saved)
    assert adopted.schedulers[0].position == 7


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"warmup_steps": 200}, "warmup_steps is torchtitan's own schedule"),
        ({"decay_ratio": 0.1}, "decay_ratio is torchtitan's own schedule"),
        ({"schedule": ""}, "needs a schedule"),
        ({"schedule": "warmup(400M tokens) >> decay()"}, "what one token is worth"),
    ],
)
def test_two_schedules_or_none_are_refused(container: Any, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ph.PreheatError, match=said):
        build(container, Training(), **fields)


def test_lengths_in_tokens_and_a_peak(container: Any) -> None:
    training = Training()
    build(container, training, schedule="warmup(1M tokens) >> decay()", tokens_per_step=250_000, peak=0.4)
    assert training.rates() == [0.0, 0.0, 0.0]
