"""DeepSpeed: its file of schedulers alone, as its engine steps them, after every update."""

from __future__ import annotations

import random
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import torch

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from
from benchmarks.parity.torch_loop import rates

try:
    PEER, VERSION = "deepspeed", version("deepspeed")
except PackageNotFoundError as error:
    raise ImportError("deepspeed is not installed") from error
SILENT = SimpleNamespace(logger=MagicMock())
lr_schedules = module_from("deepspeed", "runtime/lr_schedules.py", {"deepspeed": SILENT, "deepspeed.utils": SILENT})


def ran(name: str, given: dict[str, Any], base: float, n: int) -> list[float]:
    """The rates that a scheduler of this name and parameters writes."""
    return rates(lambda optimizer: getattr(lr_schedules, name)(optimizer, **given), base, n)


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> Any:
        given = dict(arguments)
        base = given.pop("base_lr", 1.0)
        return _cycled(given, n) if name == "OneCycle" else ran(name, given, base, n)

    return run


def _cycled(given: dict[str, Any], n: int) -> dict[str, list[float]]:
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0)
    scheduler, found = lr_schedules.OneCycle(optimizer, **given), {"lr": [], "betas[0]": [], "betas[1]": []}
    group = optimizer.param_groups[0]
    for _ in range(n):
        found["lr"].append(group["lr"])
        found["betas[0]"].append(group["betas"][0])
        found["betas[1]"].append(group["betas"][1])
        optimizer.step()
        scheduler.step()
    return found if given.get("cycle_momentum", True) else {"lr": found["lr"]}


def _warmup(r: random.Random) -> dict[str, Any]:
    given: dict[str, Any] = {"warmup_num_steps": r.choice([1, 2, 3, r.randint(1, 200)])}
    if r.random() < 0.7:
        given["warmup_type"] = r.choice(["linear", "linear", "log", "Linear"])
    return given


def _rates(r: random.Random, given: dict[str, Any]) -> dict[str, Any]:
    given |= {"base_lr": r.choice([1.0, r.uniform(1e-5, 2)]), "warmup_max_lr": r.choice([None, r.uniform(1e-5, 2)])}
    if r.random() < 0.5:
        given["warmup_min_lr"] = r.uniform(0, 0.2)
    return given


def _decay(r: random.Random) -> dict[str, Any]:
    given = _rates(r, _warmup(r))
    return given | {"total_num_steps": _total(r, given)}


def _cosine(r: random.Random) -> dict[str, Any]:
    given = _warmup(r) | {"base_lr": r.choice([1.0, r.uniform(1e-5, 2)])}
    given |= {"warmup_min_ratio": r.choice([0.0, 1.0, r.random()])}
    return given | {"total_num_steps": _total(r, given), "cos_min_ratio": r.choice([0.0, r.random(), -0.1])}


def _total(r: random.Random, given: dict[str, Any]) -> int:
    warm = given["warmup_num_steps"]
    return r.choice([1, 2, warm, warm + 1, max(1, warm - 2), r.randint(1, 400)])


def _cycle(r: random.Random) -> dict[str, Any]:
    first = r.choice([1, 3, r.randint(1, 90), r.uniform(0.5, 20)])
    given: dict[str, Any] = {"cycle_min_lr": r.uniform(1e-4, 0.1), "cycle_max_lr": r.uniform(0.1, 1)}
    given["cycle_first_step_size"] = first
    if r.random() < 0.6:
        given["cycle_second_step_size"] = r.choice([0, 1, r.randint(1, 90)])
    if isinstance(first, int) and r.random() < 0.5:
        given |= {"cycle_first_stair_count": r.choice([1, 2, 5, r.randint(1, 30)])}
        given |= {"cycle_second_stair_count": r.choice([0, 3, r.randint(1, 30)])} if r.random() < 0.5 else {}
    if r.random() < 0.6:
        given |= {"decay_step_size": r.choice([1, r.randint(1, 50)]), "decay_lr_rate": r.choice([0.0, r.random()])}
        given |= {"decay_mom_rate": r.choice([0.0, 0.01 * r.random()])}
    if r.random() < 0.3:
        given["cycle_momentum"] = False
    return given


def _range(r: random.Random) -> dict[str, Any]:
    given = {
        "lr_range_test_min_lr": r.uniform(1e-5, 0.1),
        "lr_range_test_step_size": r.choice([1, 2, r.randint(1, 99)]),
    }
    given |= {"lr_range_test_step_rate": r.choice([1.0, r.uniform(0, 5)])}
    return given | {"lr_range_test_staircase": r.random() < 0.5}


CASES = [
    Case("warmup_lr", lambda r: _rates(r, _warmup(r)), _run("WarmupLR"), lambda given: given["warmup_num_steps"] + 10),
    Case("warmup_decay_lr", _decay, _run("WarmupDecayLR"), lambda given: given["total_num_steps"]),
    Case("warmup_cosine_lr", _cosine, _run("WarmupCosineLR"), lambda given: given["total_num_steps"]),
    Case("one_cycle", _cycle, _run("OneCycle"), lambda given: 4 * int(given["cycle_first_step_size"]) + 50),
    Case("lr_range_test", _range, _run("LRRangeTest"), lambda given: 3 * given["lr_range_test_step_size"] + 5),
]
