"""What test_accelerate.py runs by torchrun: `accelerate_two.py <folder>`.

Trains the same model several times on every process, once for each way to attach a scheduler, stopped in the middle and
gone on with from the accelerator's own checkpoint. Each process writes what it saw to `<folder>/<rank>.json`.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import preheat as ph
import preheat.accelerate
from preheat.torch import Scheduler

warnings.filterwarnings("error", category=ph.PreheatWarning)
PLAN = ph.Plan({"lr": ph.warmup("50%", start=0.1) >> ph.decay(), "head/lr": ph.warmup(2, start=0.5) >> ph.hold()})
ACCUMULATED, EPOCHS, ROWS, BATCH = 2, 2, 40, 4  # 5 micro-batches an epoch and process, so 3 updates: the last is of one
UPDATES = 6


def built(way: str) -> tuple[Accelerator, Any, Any, Any, Any]:
    """An accelerator with everything in it, and the scheduler attached in one of the ways."""
    apart = DataLoaderConfiguration(split_batches=way == "split")
    accelerator = Accelerator(
        cpu=True,
        gradient_accumulation_steps=ACCUMULATED,
        step_scheduler_with_optimizer=way != "unlinked",
        dataloader_config=apart,
    )
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(images[:ROWS]).float() / 16, torch.tensor(labels[:ROWS]))
    loader = DataLoader(rows, batch_size=BATCH * (accelerator.num_processes if way == "split" else 1))
    body, head = nn.Linear(64, 8), nn.Linear(8, 10)
    groups = [{"params": body.parameters(), "name": "body"}, {"params": head.parameters(), "name": "head", "lr": 0.03}]
    raw = torch.optim.AdamW(groups, lr=0.01)
    run = ph.Run(total=UPDATES)
    if way == "before":  # the scheduler is built first, as most scripts do
        scheduler = Scheduler(raw, PLAN, run=run)
        model, optimizer, loader, scheduler = accelerator.prepare(nn.Sequential(body, head), raw, loader, scheduler)
        return accelerator, model, optimizer, loader, scheduler
    model, optimizer, loader = accelerator.prepare(nn.Sequential(body, head), raw, loader)
    rules = [ph.Plateau("loss", factor=0.5, patience=2)] if way.startswith("rules") else []
    if way in ("adapter", "rules"):
        scheduler = preheat.accelerate.prepare(accelerator, optimizer, PLAN, run=run, rules=rules)
    elif way == "torch":
        scheduler = accelerator.prepare(LambdaLR(raw, lambda update: 1 - update / UPDATES))
    else:
        scheduler = Scheduler(optimizer, PLAN, run=run, rules=rules)
        if way != "bare":
            scheduler = accelerator.prepare(scheduler)
        else:
            accelerator.register_for_checkpointing(scheduler)
    return accelerator, model, optimizer, loader, scheduler


def train(parts: tuple[Any, ...], rates: list[list[float]], until: int, told: dict[str, Any] | None = None) -> None:
    """Train from where `rates` ends up to an update, noting the rates with which the optimizer is stepped."""
    accelerator, model, optimizer, loader, scheduler = parts
    inner = optimizer.optimizer

    def note(*_: Any) -> None:
        rates.append([float(group["lr"]) for group in inner.param_groups])

    handle = inner.register_step_pre_hook(note)
    try:
        for _ in range(len(rates) // (UPDATES // EPOCHS), EPOCHS):
            for images, labels in loader:
                with accelerator.accumulate(model):
                    accelerator.backward(nn.functional.cross_entropy(model(images), labels))
                    optimizer.step()
                    scheduler.step(**told) if told and accelerator.sync_gradients else scheduler.step()
                    optimizer.zero_grad()
            if len(rates) >= until:
                return
    finally:
        handle.remove()


def stopped_and_resumed(way: str, folder: Path) -> dict[str, Any]:
    rates: list[list[float]] = []
    told = {"metrics": {"loss": 1.0}} if way.startswith("rules") else None
    parts = built(way)
    train(parts, rates, UPDATES // 2, told)
    parts[0].save_state(str(folder / way))
    parts[0].wait_for_everyone()
    parts[0].free_memory()
    parts = built(way)
    parts[0].load_state(str(folder / way))
    train(parts, rates, UPDATES, told)
    inner = getattr(parts[-1], "scheduler", parts[-1])
    audit = inner.audit() if isinstance(inner, Scheduler) else None
    seen = {
        "rates": rates,
        "last_epoch": inner.last_epoch,
        "findings": [] if audit is None else [*audit.findings],
        "processes": parts[0].num_processes,
    }
    parts[0].free_memory()
    return seen


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    ways = ("adapter", "bare", "before", "after", "unlinked", "split", "rules", "rules prepared", "torch")
    seen = {way: stopped_and_resumed(way, folder) for way in ways}
    rank = torch.distributed.get_rank()
    (folder / f"{rank}.json").write_text(json.dumps(seen), encoding="utf-8")
    torch.distributed.destroy_process_group()
