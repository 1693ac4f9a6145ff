"""Accelerate: one tick for every real update, whatever the accelerator does around it, saved and loaded with its state."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate")
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import preheat as ph
from preheat.accelerate import prepare
from preheat.torch import Scheduler

HERE = Path(__file__).parent
PLAN = ph.Plan(
    {
        "lr": ph.warmup("50%", start=0.1) >> ph.decay(shape="cosine"),
        "head/lr": ph.warmup(2, start=0.5) >> ph.hold(),
        "weight_decay": ph.absolute(ph.ramp(0.1, 0.0, "100%")),
    }
)
EPOCHS, BATCHES, ACCUMULATED = 4, 5, 2
UPDATES = EPOCHS * 3  # the last update of an epoch is of one micro-batch
RUN = ph.Run(total=UPDATES)
BOUND = PLAN.bind(RUN)


def _reset() -> None:
    """Forget what Accelerate keeps in the process, as a new one would."""
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    yield
    _reset()


class Parts:
    """A training under Accelerate, and what every update used."""

    def __init__(self, *, fp16: bool = False, folder: Path | None = None) -> None:
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATED, project_dir=folder)
        if fp16:  # Accelerate has a scaler on GPUs only; torch has one for CPUs too
            self.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        torch.manual_seed(0)
        images, labels = load_digits(return_X_y=True)
        rows = TensorDataset(torch.tensor(images[:20]).float() / 16, torch.tensor(labels[:20]))
        body, head = nn.Linear(64, 8), nn.Linear(8, 10)
        groups = [
            {"params": body.parameters(), "name": "body"},
            {"params": head.parameters(), "name": "head", "lr": 0.03},
        ]
        self.raw = torch.optim.AdamW(groups, lr=0.01)
        self.prepared = self.accelerator.prepare(nn.Sequential(body, head), self.raw, DataLoader(rows, batch_size=4))
        self.model, self.optimizer, self.loader = self.prepared
        self.used: list[list[float]] = []
        self.raw.register_step_pre_hook(self._note)

    def _note(self, *_: Any) -> None:
        self.used.append([float(group[key]) for group in self.raw.param_groups for key in ("lr", "weight_decay")])

    def train(self, scheduler: Any, epochs: int = EPOCHS, spoiled: set[int] | None = None) -> None:
        """Whole epochs; the gradients of the attempts that are spoiled overflow."""
        attempt = 0
        for _ in range(epochs):
            for images, labels in self.loader:
                with self.accelerator.accumulate(self.model):
                    self.accelerator.backward(nn.functional.cross_entropy(self.model(images), labels))
                    if self.accelerator.sync_gradients:
                        if attempt in (spoiled or ()):
                            next(self.model.parameters()).grad.fill_(torch.inf)
                        attempt += 1
                    self.optimizer.step()
                    scheduler.step()
                    self.optimizer.zero_grad()


def expected(first: int = 0, last: int = UPDATES) -> list[Any]:
    """What the plan says that updates use."""
    lr, head, decay = (BOUND[key] for key in ("lr", "head/lr", "weight_decay"))
    return [pytest.approx([0.01 * lr(t), decay(t), 0.03 * head(t), decay(t)], rel=1e-12) for t in range(first, last)]


@pytest.mark.parametrize("way", ["adapter", "bare", "built before", "prepared"])
def test_every_update_uses_the_plan(way: str) -> None:
    parts = Parts()
    if way == "adapter":
        scheduler = prepare(parts.accelerator, parts.optimizer, PLAN, run=RUN)
    else:
        scheduler = Scheduler(parts.raw if way == "built before" else parts.optimizer, PLAN, run=RUN)
        scheduler = parts.accelerator.prepare(scheduler) if way == "prepared" else scheduler
    parts.train(scheduler)
    assert parts.used == expected()
    assert getattr(scheduler, "scheduler", scheduler).audit().findings == ()


@pytest.mark.parametrize("spoiled", [{0}, {0, 1, 4}, {3}], ids=str)
def test_updates_that_the_scaler_skips_do_not_count(spoiled: set[int]) -> None:
    parts = Parts(fp16=True)
    scheduler = prepare(parts.accelerator, parts.optimizer, PLAN, run=RUN)
    parts.train(scheduler, spoiled=spoiled)
    assert parts.used == expected(last=UPDATES - len(spoiled))
    assert (scheduler.position, scheduler.audit().skipped) == (UPDATES - len(spoiled), len(spoiled))


@pytest.mark.parametrize("way", ["adapter", "prepared", "both"])
def test_save_state_and_load_state_resume(way: str, tmp_path: Path) -> None:
    used = []
    for half in range(2):
        parts = Parts()
        if way == "prepared":
            scheduler = Scheduler(parts.raw, PLAN, run=RUN)
        else:
            scheduler = prepare(parts.accelerator, parts.optimizer, PLAN, run=RUN)
        stepped = scheduler if way == "adapter" else parts.accelerator.prepare(scheduler)
        if half:
            parts.accelerator.load_state(str(tmp_path))
        parts.train(stepped, EPOCHS // 2)
        parts.accelerator.save_state(str(tmp_path))
        used += parts.used
        _reset()
    assert used == expected()
    files = [*tmp_path.glob("scheduler*.bin"), *tmp_path.glob("custom_checkpoint_0.pkl")]
    assert files
    assert all(torch.load(file, weights_only=True)["last_epoch"] == UPDATES for file in files)


def test_a_changed_plan_or_rate_is_refused_when_the_state_is_loaded(tmp_path: Path) -> None:
    parts = Parts()
    parts.train(prepare(parts.accelerator, parts.optimizer, PLAN, run=RUN), 1)
    parts.accelerator.save_state(str(tmp_path))
    for changed in ({"schedule": ph.warmup(4) >> ph.decay()}, {"run": ph.Run(total=99)}, {"peak": 0.1}):
        _reset()
        parts = Parts()
        prepare(parts.accelerator, parts.optimizer, **({"schedule": PLAN, "run": RUN} | changed))
        with pytest.raises(ph.StateError, match="changed since this state was saved"):
            parts.accelerator.load_state(str(tmp_path))
    _reset()
    parts = Parts()
    scheduler = prepare(parts.accelerator, parts.optimizer, PLAN, run=ph.Run(total=99), on_change="keep")
    parts.accelerator.load_state(str(tmp_path))
    parts.train(scheduler, 1)
    assert parts.used == expected(3, 6)


def test_one_plan_for_two_optimizers_rules_and_text() -> None:
    accelerator = Accelerator(cpu=True)
    models = nn.Linear(3, 3), nn.Linear(3, 3)
    optimizers = [accelerator.prepare(torch.optim.SGD(model.parameters(), lr=0.1)) for model in models]
    rules = [ph.Plateau("loss", factor=0.5, patience=1)]
    scheduler = prepare(accelerator, optimizers, "warmup(2, start=0.5) >> hold()", rules=rules, peak=0.2)
    rates = []
    for _ in range(6):
        for model, optimizer in zip(models, optimizers, strict=True):
            accelerator.backward(model(torch.ones(1, 3)).sum())
            optimizer.step()
            optimizer.zero_grad()
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in optimizers])
        scheduler.step(metrics={"loss": 1.0})
    assert rates == [pytest.approx([rate, rate]) for rate in (0.1, 0.15, 0.2, 0.1, 0.1, 0.05)]
    copied = pickle.loads(pickle.dumps(scheduler))
    assert copied.state_dict() == scheduler.state_dict()


@pytest.mark.parametrize("together", [True, False])
def test_of_two_optimizers_each_call_after_an_update_counts(together: bool) -> None:
    """What the page says of a GAN's loop: one scheduler is called once a round, or each optimizer has its own."""
    accelerator = Accelerator(cpu=True)
    models = nn.Linear(3, 3), nn.Linear(3, 3)
    optimizers = [accelerator.prepare(torch.optim.SGD(model.parameters(), lr=0.1)) for model in models]
    given = [optimizers] if together else optimizers
    schedulers = [prepare(accelerator, one, "warmup(4) >> hold()", run=ph.Run(total=8)) for one in given]
    for _ in range(2):
        for i, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            accelerator.backward(model(torch.ones(1, 3)).sum())
            optimizer.step()
            optimizer.zero_grad()
            schedulers[0 if together else i].step()
    assert [one.last_epoch for one in schedulers] == ([4] if together else [2, 2])


def test_misuse_is_refused_with_what_to_write() -> None:
    accelerator = Accelerator(cpu=True)
    optimizer = torch.optim.SGD(nn.Linear(3, 3).parameters(), lr=0.1)
    prepared = accelerator.prepare(optimizer)
    with pytest.raises(ph.PreheatError, match=r"takes the Accelerator first, not .*prepare\(accelerator, optimizer"):
        prepare(prepared, accelerator, PLAN, run=RUN)  # type: ignore[arg-type]
    for wrong in (optimizer, nn.Linear(3, 3), None):
        with pytest.raises(
            ph.PreheatError, match=r"that this accelerator has prepared.* = accelerator\.prepare\(model"
        ):
            prepare(accelerator, wrong, PLAN, run=RUN)  # type: ignore[arg-type]
    with pytest.raises(ph.PreheatError, match="absolute"):
        prepare(accelerator, prepared, ph.ramp(0.0, 3e-4, 10), run=RUN)
    assert accelerator._custom_objects == []


def test_who_forgets_to_save_the_scheduler_is_told_when_training_goes_on(tmp_path: Path) -> None:
    """A bare Scheduler that was neither prepared nor registered; LambdaLR begins anew in silence."""
    for half in range(2):
        parts = Parts()
        scheduler = Scheduler(parts.optimizer, PLAN, run=RUN)
        if not half:
            parts.train(scheduler, 1)
            parts.accelerator.save_state(str(tmp_path))
            _reset()
    parts.accelerator.load_state(str(tmp_path))
    with pytest.warns(ph.PreheatWarning, match="it starts again in the middle of a run; load the scheduler's state"):
        parts.train(scheduler, 1)


WAYS = ("adapter", "bare", "before", "after", "unlinked", "split")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both processes saw, which torchrun started once for all of these tests."""
    folder = tmp_path_factory.mktemp("two")
    script = HERE / "workers" / "accelerate_two.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, folder]
    quiet = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_count_an_update_once_and_resume(two: list[dict[str, Any]], way: str) -> None:
    """Six updates, stopped after three and resumed by load_state, whichever way the scheduler was attached."""
    lr, head = (ph.warmup("50%", start=0.1) >> ph.decay()).bind(ph.Run(total=6)), ph.warmup(2, start=0.5) >> ph.hold()
    for seen in two:
        assert (seen[way]["processes"], seen[way]["last_epoch"]) == (2, 6)
        assert seen[way]["rates"] == [pytest.approx([0.01 * lr(t), 0.03 * head(t)], rel=1e-12) for t in range(6)]


def test_a_metric_is_told_once_at_two_processes(two: list[dict[str, Any]]) -> None:
    for seen in two:
        assert seen["rules"]["rates"] == seen["rules prepared"]["rates"] != seen["adapter"]["rates"]


def test_lambda_lr_is_stepped_once_for_every_process(two: list[dict[str, Any]]) -> None:
    """What the page says of it: 12 steps for 6 updates, so that a decay is over in the middle."""
    for seen in two:
        assert seen["torch"]["last_epoch"] == 12
        assert [rates[0] > 1e-9 for rates in seen["torch"]["rates"]] == [True] * 3 + [False] * 3


def test_lambda_lr_is_resumed_under_a_changed_plan_in_silence(tmp_path: Path) -> None:
    """What the page says of it; ours is refused, above."""
    factors: list[Any] = [Factor(12), Factor(24)]
    rates = []
    for half, factor in enumerate(factors):
        parts = Parts()
        scheduler = parts.accelerator.prepare(LambdaLR(parts.raw, factor.at))
        if half:
            parts.accelerator.load_state(str(tmp_path))
        parts.train(scheduler, 1)
        parts.accelerator.save_state(str(tmp_path))
        rates += [used[0] for used in parts.used]
        _reset()
    assert rates == pytest.approx([0.01 * (1 - t / 12) for t in range(4)] + [0.01 * (1 - t / 24) for t in (4, 5)])


class Factor:
    """A linear decay."""

    def __init__(self, total: int) -> None:
        self.total = total

    def at(self, update: int) -> float:
        return 1 - update / self.total
