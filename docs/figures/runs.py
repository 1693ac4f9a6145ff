"""What the figures of resuming and of rules share: a small real run, and where pictures go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from preheat import Run
from preheat.plots.panel import Series
from preheat.torch import Scheduler

TOTAL = 1000  # updates of every run that is drawn


def built(schedule: str, lr: float = 0.1, **options: Any) -> tuple[torch.optim.Optimizer, Scheduler]:
    """An optimizer of one weight, and what it follows."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    return optimizer, Scheduler(optimizer, schedule, run=Run(total=TOTAL), **options)


def followed(
    optimizer: torch.optim.Optimizer,
    scheduler: Scheduler,
    until: int,
    metric: Callable[[int], float] | None = None,
) -> tuple[list[int], list[float]]:
    """Train up to a position: the updates, and the rate that each really used. metric: the loss at an update."""
    updates, rates = [], []
    while scheduler.position < until:
        updates.append(update := scheduler.last_epoch)
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step(metrics=None if metric is None else {"loss": metric(update)})
    return updates, rates


def series(name: str, run: tuple[list[int], list[float]], style: int, every: int = 4) -> Series:
    """A run as a curve, thinned to what can be seen; its first and last points stay."""
    kept = sorted({*range(0, len(run[0]), every), len(run[0]) - 1})
    return Series(name, [run[0][i] for i in kept], [run[1][i] for i in kept], style)


def save(figures: Mapping[str, str]) -> None:
    """Write the pictures beside this file."""
    for name, text in figures.items():
        (Path(__file__).parent / f"{name}.svg").write_text(text + "\n", encoding="utf-8")
