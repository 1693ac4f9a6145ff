"""Ray Train and Tune: the scheduler's state in the reported checkpoint, and population based training, which changes the peak.

Ray's own Checkpoint, in one process: what a cluster adds is who calls the function.
"""

import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.train", exc_type=ImportError)
import torch
from ray.train import Checkpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

import preheat as ph
from preheat.torch import Scheduler

SCHEDULE, UPDATES = ph.warmup("25%", start=0.1) >> ph.decay(shape="cosine"), 12
RUN = ph.Run(total=UPDATES)
BOUND = SCHEDULE.bind(RUN)


class Trial:
    """What a function that Ray calls builds, from a checkpoint where there is one."""

    def __init__(self, make: Any, checkpoint: Checkpoint | None = None) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(64, 10)
        groups = [
            {"params": [self.model.weight], "name": "weight"},
            {"params": [self.model.bias], "name": "bias", "lr": 0.1},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.01)
        self.scheduler = make(self.optimizer)
        if checkpoint is not None:
            with checkpoint.as_directory() as folder:
                saved = torch.load(Path(folder, "parts.pt"), weights_only=True)
            for name in saved:
                getattr(self, name).load_state_dict(saved[name])

    def train(self, updates: int) -> list[list[float]]:
        """The rates with which the optimizer is stepped."""
        images, labels = load_digits(return_X_y=True)
        used: list[list[float]] = []
        note = self.optimizer.register_step_pre_hook(
            lambda one, *_: used.append([float(group["lr"]) for group in one.param_groups])
        )
        for _ in range(updates):
            self.optimizer.zero_grad()
            out = self.model(torch.tensor(images[:8]).float() / 16)
            nn.functional.cross_entropy(out, torch.tensor(labels[:8])).backward()
            self.optimizer.step()
            self.scheduler.step()
        note.remove()
        return used

    def reported(self, folder: Path) -> Checkpoint:
        """The checkpoint of a report, as another worker gets it."""
        folder.mkdir(exist_ok=True)
        parts = ("model", "optimizer", "scheduler")
        torch.save({name: getattr(self, name).state_dict() for name in parts}, folder / "parts.pt")
        return pickle.loads(pickle.dumps(Checkpoint.from_directory(str(folder))))


def ours(optimizer: Any, **options: Any) -> Scheduler:
    return Scheduler(optimizer, SCHEDULE, run=RUN, **options)


def _falling(update: int) -> float:
    return 1 - update / UPDATES


def expected(first: int, last: int, peak: float = 0.1) -> list[Any]:
    return [pytest.approx([peak / 10 * BOUND(t), peak * BOUND(t)], rel=1e-12) for t in range(first, last)]


def test_a_lost_worker_goes_on_from_what_was_reported(tmp_path: Path) -> None:
    trial = Trial(ours)
    used = trial.train(4)
    checkpoint = trial.reported(tmp_path / "a")
    trial.train(3)  # lost with the worker
    again = Trial(ours, checkpoint)
    assert used + again.train(UPDATES - 4) == expected(0, UPDATES)
    assert again.scheduler.audit().findings == ()


def test_a_perturbed_trial_has_its_new_peak_from_then_on(tmp_path: Path) -> None:
    """Explore twice: each takes over the checkpoint of the one before, and sets another peak."""
    used, checkpoint = [], None
    for part, peak in enumerate((0.1, 0.2, 0.05)):
        trial = Trial(ours, checkpoint)
        trial.scheduler.set_peak(peak)
        used += trial.train(4)
        checkpoint = trial.reported(tmp_path / str(part))
    assert used == expected(0, 4) + expected(4, 8, 0.2) + expected(8, 12, 0.05)
    assert any("the peak was set to 0.05 at update 8" in finding for finding in trial.scheduler.audit().findings)
    kept = Trial(ours, checkpoint)  # the peak is in the checkpoint
    assert kept.scheduler.get_last_lr() == trial.scheduler.get_last_lr()


def test_a_rate_written_into_the_groups_is_lost_under_lambda_lr_and_said_under_ours(tmp_path: Path) -> None:
    """What the page says of both."""

    def perturbed(make: Any) -> Trial:
        trial = Trial(make)
        trial.train(4)
        trial = Trial(make, trial.reported(tmp_path / "b"))
        for group in trial.optimizer.param_groups:
            group["lr"] = 0.5
        return trial

    used = perturbed(lambda optimizer: LambdaLR(optimizer, _falling)).train(2)
    assert used == [[0.5, 0.5], pytest.approx([0.01 * _falling(5), 0.1 * _falling(5)])]
    trial = perturbed(ours)
    with pytest.warns(ph.PreheatWarning, match="changed by"):
        trial.train(2)


def test_another_rate_in_the_script_is_refused_unless_it_is_said(tmp_path: Path) -> None:
    trial = Trial(ours)
    trial.train(4)
    checkpoint = trial.reported(tmp_path / "c")
    with pytest.raises(ph.StateError, match="changed since this state was saved"):
        Trial(lambda optimizer: ours(optimizer, peak=0.2), checkpoint)
    adopted = Trial(lambda optimizer: ours(optimizer, peak=0.2, on_change="adopt"), checkpoint)
    assert adopted.train(4) == expected(4, 8, 0.2)


def test_set_peak_is_refused_under_a_plan_of_rates() -> None:
    trial = Trial(lambda optimizer: Scheduler(optimizer, ph.absolute(ph.ramp(0.0, 0.1, 4) >> ph.hold(0.1))))
    with pytest.raises(ph.PreheatError, match="the rates of this plan are its own"):
        trial.scheduler.set_peak(0.2)
