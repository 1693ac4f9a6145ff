"""axolotl: the file of its schedulers alone."""

from __future__ import annotations

import random
import re
from importlib.metadata import version
from typing import Any

from transformers import get_cosine_schedule_with_warmup

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from
from benchmarks.parity.torch_loop import rates

PEER = "axolotl"
_axolotl = module_from("axolotl", "utils/schedulers.py")
VERSION = version("axolotl")


def run(own: str, arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    base, inner = given.pop("base_lr"), given.pop("inner_schedule", None)

    def make(optimizer: Any) -> Any:
        if inner:
            warm, left = map(int, re.findall(r"\d+", inner))
            given["inner_schedule"] = get_cosine_schedule_with_warmup(optimizer, warm, warm + left)
        return getattr(_axolotl, own)(optimizer, **given)

    return rates(make, base, n)


def _common(r: random.Random) -> dict[str, Any]:
    total = r.choice([1, 2, 5, r.randint(3, 300)])
    given = {"num_warmup_steps": r.choice([0, 1, r.randint(0, total), total, total + 2]), "num_training_steps": total}
    return given | {"base_lr": r.choice([1.0, 3e-4, r.uniform(1e-5, 2)])}


def _rex(r: random.Random) -> dict[str, Any]:
    total, base = r.choice([0, 1, 2, 5, r.randint(3, 300)]), r.choice([1.0, r.uniform(1e-5, 2)])
    given = {"total_steps": total, "num_warmup_steps": r.choice([0, r.randint(0, total), total]), "base_lr": base}
    peak = base * r.choice([1, 1, 1.5])
    return given | {"max_lr": peak, "min_lr": peak * r.choice([0.0, 0.1, r.random()])}


def _log(r: random.Random) -> dict[str, Any]:
    low = r.uniform(1e-6, 1e-2)
    return {
        "num_steps": r.choice([2, 3, r.randint(4, 200)]),
        "min_lr": low,
        "max_lr": low * r.uniform(1, 1e3),
        "base_lr": 1.0,
    }


def _constant(r: random.Random) -> dict[str, Any]:
    more = {"num_cycles": r.uniform(0.1, 3)} if r.random() < 0.5 else {}
    return _common(r) | {"constant_lr_ratio": r.choice([0.1, 0.8, 1.0, r.random()]), "min_lr_ratio": r.random()} | more


def _jagged(r: random.Random) -> dict[str, Any]:
    every = r.randint(4, 60)
    given = {
        "jagged_restart_steps": every,
        "jagged_restart_warmup_steps": r.randint(0, every),
        "base_lr": r.choice([1.0, 0.3]),
    }
    given |= {
        "jagged_restart_anneal_steps": r.choice([1, r.randint(1, every)]),
        "min_lr_scale": r.choice([0.001, r.random()]),
    }
    return given | {"inner_schedule": f"warmup({r.randint(1, 100)}) >> decay({r.randint(2, 200)}, shape=cosine)"}


def _inner(given: dict[str, Any]) -> int:
    return sum(map(int, re.findall(r"\d+", given["inner_schedule"]))) - 1


def _case(name: str, own: str, draw: Any, updates: Any) -> Case:
    return Case(name, draw, lambda given, n: run(own, given, n), updates)


def _total(given: dict[str, Any]) -> int:
    return given.get("num_training_steps", given.get("num_steps", given.get("total_steps", 0)))


QUADRATIC, FLOOR = "get_cosine_schedule_with_quadratic_warmup", "get_cosine_schedule_with_min_lr"
CONSTANT = "get_cosine_schedule_with_warmup_decay_constant"
CASES = [
    _case("rex_lr", "RexLR", _rex, _total),
    _case("interpolating_log_scheduler", "InterpolatingLogScheduler", _log, _total),
    _case(QUADRATIC, QUADRATIC, lambda r: _common(r) | r.choice([{}, {"num_cycles": r.uniform(0.1, 3)}]), _total),
    _case(FLOOR, FLOOR, lambda r: _common(r) | {"min_lr_ratio": r.random()}, _total),
    _case(CONSTANT, CONSTANT, _constant, _total),
    _case("jagged_lr_restart_scheduler", "JaggedLRRestartScheduler", _jagged, _inner)._replace(after=0),
]
