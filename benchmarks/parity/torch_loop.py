"""A training loop without training: what a PyTorch scheduler writes into its optimizer, update by update."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch


def rates(make: Callable[[torch.optim.Optimizer], Any], base_lr: float, n: int, *keys: str, **more: Any) -> Any:
    """The rate that updates 0 … n − 1 use, as the scheduler that `make` builds has it; fewer where it raises.

    keys: further keys of the optimizer's groups, such as "momentum"; then values by key.   more: for SGD.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base_lr, **more)
    found: dict[str, list[float]] = {key: [] for key in ("lr", *keys)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        for _ in range(n):
            for key, values in found.items():
                values.append(float(optimizer.param_groups[0][key]))
            optimizer.step()
            try:
                scheduler.step()
            except (ValueError, ZeroDivisionError, AssertionError):
                break
    return found if keys else found["lr"]
