"""Optimizers of a few numbers, and the rates that their updates used."""

import torch
from torch.optim import SGD, Optimizer

import preheat as ph
from preheat.torch import Scheduler


def sgd(lr: float = 0.1, groups: int = 1, **options: object) -> SGD:
    made = [{"params": [torch.nn.Parameter(torch.ones(2))]} for _ in range(groups)]
    return SGD(made, lr=lr, **{"momentum": 0.9, **options})


def update(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def rate(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def rates(optimizer: Optimizer, scheduler: object, updates: int) -> list[float]:
    """The rate that each of so many updates used."""
    seen = []
    for _ in range(updates):
        seen.append(rate(optimizer))
        update(optimizer)
        scheduler.step()
    return seen


def drawn(schedule: ph.Schedule, updates: int, lr: float = 1.0, **options: object) -> list[float]:
    optimizer = sgd(lr)
    return rates(optimizer, Scheduler(optimizer, schedule, **options), updates)
