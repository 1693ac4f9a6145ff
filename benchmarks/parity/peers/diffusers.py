"""diffusers: the file of its schedules, run alone, through its own `get_scheduler`."""

from __future__ import annotations

import random
from importlib.metadata import version
from typing import Any
from unittest.mock import MagicMock

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from
from benchmarks.parity.torch_loop import rates

MODULE = module_from("diffusers", "optimization.py", {"diffusers": MagicMock(), "diffusers.utils": MagicMock()})
PEER, VERSION = "diffusers", version("diffusers")


def _run(given: dict[str, Any], n: int) -> list[float]:
    own = dict(given)
    base = own.pop("base_lr")
    return rates(lambda optimizer: MODULE.get_scheduler(optimizer=optimizer, **own), base, n)


def _linear(given: dict[str, Any], n: int) -> list[float]:
    own = dict(given)
    base = own.pop("base_lr")
    return rates(lambda optimizer: MODULE.get_linear_schedule_with_warmup(optimizer, **own), base, n)


def _steps(r: random.Random) -> dict[str, Any]:
    total = r.choice([1, 2, r.randint(2, 55)])
    return {
        "num_training_steps": total,
        "num_warmup_steps": r.choice([0, 1, r.randint(0, total)]),
        "base_lr": r.choice([1.0, 1e-4]),
    }


def _draw(r: random.Random) -> dict[str, Any]:
    name = r.choice(["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"])
    given = _steps(r)
    if name == "polynomial":
        given["num_warmup_steps"] = r.randint(0, given["num_training_steps"] - 1)
    return {"name": name, **given, "num_cycles": r.randint(1, 3), "power": r.choice([1.0, 2.0])}


def _rules(r: random.Random) -> dict[str, Any]:
    edges = [r.randint(0, 40) for _ in range(r.randint(0, 4))]
    rules = ",".join([*(f"{r.random():.3f}:{edge}" for edge in edges), f"{r.random():.3f}"])
    return {"name": "piecewise_constant", "step_rules": rules, "base_lr": r.choice([1.0, 1e-4])}


CASES = [
    Case("get_scheduler", _draw, _run, lambda given: given["num_training_steps"]),
    Case("get_scheduler", _rules, _run, lambda given: 50),
    Case(
        "linear",
        lambda r: {**_steps(r), "f_min": r.random() / 2, "f_max": r.uniform(0.5, 1)},
        _linear,
        lambda given: given["num_training_steps"],
    ),
]
