"""ultralytics: its trainer's own loop, over a model that is one number, recorded batch by batch."""

from __future__ import annotations

import random
from importlib.metadata import version
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

PEER, VERSION = "ultralytics", version("ultralytics")


class _Loader(list):  # type: ignore[type-arg]
    """Batches."""

    dataset, num_workers = (), 0


class _Bar:
    """A progress bar that shows nothing."""

    def __init__(self, items: Any, total: int) -> None:
        self.items = items

    def __iter__(self) -> Any:
        return iter(self.items)

    def set_description(self, text: str) -> None: ...


def _one_cycle() -> Any:
    """The package's own function of a cosine, out of a file that imports what is not here."""
    parts = ("utils", "utils.checks", "utils.patches", "utils.cpu")
    stubs = {f"ultralytics.{one}": MagicMock() for one in parts} | {"ultralytics": MagicMock(__version__=VERSION)}
    return module_from("ultralytics", "utils/torch_utils.py", stubs).one_cycle


def _module() -> ModuleType:
    package = MagicMock(__version__=VERSION)
    utils = MagicMock(RANK=-1, LOCAL_RANK=-1, TQDM=_Bar)
    parts = (
        "cfg",
        "data.utils",
        "nn.distill_model",
        "nn.tasks",
        "optim",
        "utils.autobatch",
        "utils.checks",
        "utils.dist",
    )
    stubs = {f"ultralytics.{one}": MagicMock() for one in (*parts, "utils.files", "utils.patches", "utils.plotting")}
    stubs |= {"ultralytics": package, "ultralytics.utils": utils}
    stubs["ultralytics.utils.torch_utils"] = MagicMock(one_cycle=_one_cycle(), unwrap_model=lambda model: model)
    return module_from("ultralytics", "engine/trainer.py", stubs)


MODULE = _module()
DEFAULTS = {
    "epochs": 100,
    "lr0": 0.01,
    "lrf": 0.01,
    "momentum": 0.937,
    "warmup_epochs": 3.0,
    "warmup_momentum": 0.8,
    "warmup_bias_lr": 0.1,
    "cos_lr": False,
    "optimizer": "SGD",
}


def trained(given: dict[str, Any], n: int) -> dict[str, list[float]]:
    """What the trainer has written when the first n batches have been computed."""
    args = MagicMock(
        **{**DEFAULTS, **given}, time=None, close_mosaic=0, amp=False, compile=False, plots=False, val=False, save=False
    )
    weight, bias = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [{"params": [bias], "param_group": "bias"}, {"params": [weight], "param_group": "weight"}]
    if args.optimizer == "SGD":
        optimizer: Any = torch.optim.SGD(groups, lr=args.lr0, momentum=args.momentum)
    else:
        optimizer = torch.optim.AdamW(groups, lr=args.lr0, betas=(args.momentum, 0.999))
    found: dict[str, list[float]] = {"lr": [], "bias/lr": [], "momentum": []}

    def noted(event: str) -> None:
        if event == "on_train_batch_end":
            found["bias/lr"].append(optimizer.param_groups[0]["lr"])
            found["lr"].append(optimizer.param_groups[1]["lr"])
            found["momentum"].append(optimizer.param_groups[1].get("momentum", 0.0))

    trainer = MagicMock(
        args=args, epochs=args.epochs, optimizer=optimizer, accumulate=1, world_size=1, start_epoch=0, stop=False
    )
    trainer.train_loader = _Loader([{"img": torch.zeros(1, 1)}] * given["nb"])
    trainer.configure_mock(run_callbacks=noted, loss_names=("loss",), amp=False, device=torch.device("cpu"))
    trainer.configure_mock(
        preprocess_batch=lambda batch: batch, validate=lambda: ({}, 0.0), save_metrics=lambda metrics: None
    )
    trainer.configure_mock(label_loss_items=lambda loss=None, prefix="": {}, _get_memory=lambda *a: 0.0)
    trainer.configure_mock(
        _handle_nan_recovery=lambda epoch: False, stopper=MagicMock(return_value=False, possible_stop=False), metrics={}
    )
    trainer.model = MagicMock(return_value=(weight.sum() * 0, {}))
    base = MODULE.BaseTrainer
    trainer._get_warmup_iterations = lambda nb: base._get_warmup_iterations(trainer, nb)
    base._setup_scheduler(trainer)
    trainer.scheduler.last_epoch = -1
    base._do_train(trainer)
    moved = ["lr", "bias/lr"] if base._get_warmup_iterations(trainer, given["nb"]) else ["lr"]
    moved += ["momentum"] if args.optimizer == "SGD" and len(moved) > 1 else []
    return {key: found[key][:n] for key in moved}


def _draw(r: random.Random) -> dict[str, Any]:
    found = {
        "epochs": r.choice([1, 2, r.randint(1, 12)]),
        "nb": r.choice([1, 2, r.randint(1, 12)]),
        "cos_lr": r.random() < 0.5,
    }
    found |= {
        "warmup_epochs": r.choice([0.0, 3.0, 0.5, r.uniform(0, 14)]),
        "lr0": r.uniform(1e-3, 0.1),
        "lrf": r.choice([0.01, 0.2, 1.0]),
    }
    return found | {"optimizer": r.choice(["SGD", "AdamW"]), "warmup_bias_lr": r.choice([0.0, 0.1])}


CASES = [Case("trainer", _draw, trained, lambda given: given["epochs"] * given["nb"], after=0)]
