"""schedule-free: its own optimizers, stepped; the rate that each update used is in the group."""

from __future__ import annotations

import random
from importlib.metadata import version
from typing import Any

import schedulefree
import torch

from benchmarks.parity.case import Case

PEER, VERSION = "schedulefree", version("schedulefree")


def _run(own: Any) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        del given["base_lr"]  # of an optimizer that is another
        weight = torch.nn.Parameter(torch.ones(1))
        optimizer, found = own([weight], **given), []
        optimizer.train()
        for _ in range(n):
            weight.grad = torch.ones(1)
            optimizer.step()
            found.append(optimizer.param_groups[0]["scheduled_lr"])
        return found

    return run


def _draw(r: random.Random) -> dict[str, Any]:
    return {
        "lr": r.uniform(1e-4, 1),
        "warmup_steps": r.choice([0, 1, r.randint(2, 40)]),
        "base_lr": r.choice([1.0, 0.5]),
    }


CASES = [
    Case("adamw_schedule_free", _draw, _run(schedulefree.AdamWScheduleFree), lambda given: 50),
    Case("sgd_schedule_free", _draw, _run(schedulefree.SGDScheduleFree), lambda given: 50),
]
