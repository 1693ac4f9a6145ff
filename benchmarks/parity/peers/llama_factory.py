"""LLaMA-Factory: what `create_custom_scheduler` makes of the arguments, handed to transformers as its trainer does."""

from __future__ import annotations

import random
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Optional

from transformers import get_scheduler

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import definitions_from
from benchmarks.parity.torch_loop import rates

PEER = "llama_factory"
_NAME = "create_custom_scheduler"
create = definitions_from("llamafactory", "train/trainer_utils.py", [_NAME], {"Optional": Optional})[_NAME]
VERSION = version("llamafactory")


def run(kind: str, arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    base, warm, total = (given.pop(key) for key in ("base_lr", "num_warmup_steps", "num_training_steps"))
    args = SimpleNamespace(lr_scheduler_type=kind, lr_scheduler_kwargs=given, get_warmup_steps=lambda total: warm)
    create(args, total)

    def make(optimizer: Any) -> Any:
        special = {"scheduler_specific_kwargs": args.lr_scheduler_kwargs}
        return get_scheduler(kind, optimizer, num_warmup_steps=warm, num_training_steps=total, **special)

    return rates(make, base, n)


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([2, 5, r.randint(3, 300)])
    given = {"num_training_steps": total, "num_warmup_steps": r.randint(0, total), "base_lr": r.choice([1.0, 3e-4])}
    if r.random() < 0.3:
        given["num_decay_steps"] = r.randint(1, total)
    return given | ({"min_lr_ratio": r.uniform(0, 0.5)} if r.random() < 0.5 else {})


KIND = "warmup_stable_decay"
CASES = [Case(KIND, _draw, lambda given, n: run(KIND, given, n), lambda given: given["num_training_steps"])]
