"""torchtitan: its scheduler's file alone, with what it imports of torchtitan stubbed."""

from __future__ import annotations

import random
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from
from benchmarks.parity.torch_loop import rates

PEER, VERSION = "torchtitan", version("torchtitan")


class _Configurable:
    class Config:
        pass


_OPTIMIZERS = SimpleNamespace(OptimizersContainer=list)
Container = module_from(
    "torchtitan",
    "components/optimizer/lr_scheduler.py",
    {
        "torchtitan": SimpleNamespace(__path__=[]),
        "torchtitan.components": SimpleNamespace(__path__=[]),
        "torchtitan.components.optimizer": SimpleNamespace(__path__=[]),
        "torchtitan.components.optimizer.optimizer": _OPTIMIZERS,
        "torchtitan.config": SimpleNamespace(Configurable=_Configurable),
        "torchtitan.tools.logging": SimpleNamespace(logger=SimpleNamespace(warning=lambda text: None)),
    },
).LRSchedulersContainer


def run(arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    base, steps = given.pop("base_lr"), given.pop("training_steps")
    config = Container.Config(**given)
    return rates(lambda optimizer: config.build(optimizers=[optimizer], training_steps=steps), base, n)


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([1, 2, 5, r.randint(3, 300)])
    given: dict[str, Any] = {"training_steps": total, "base_lr": r.choice([1.0, 3e-4, r.uniform(1e-5, 2)])}
    given["warmup_steps"] = r.choice([0, 1, r.randint(0, total), total, total + 2])
    given["decay_type"] = r.choice(["linear", "sqrt", "cosine"])
    if r.random() < 0.6:
        given["decay_ratio"] = r.choice([0.01, 0.2, 1.0, 1.5, r.random()])
    if r.random() < 0.5:
        given["min_lr_factor"] = r.uniform(0, 0.5)
    if r.random() < 0.3:
        given["total_steps"] = r.choice([total, total + r.randint(1, 100), max(1, total // 2)])
    whole = given.get("total_steps", total)
    down = round(whole * given.get("decay_ratio", 1))
    if min(down, whole - min(given["warmup_steps"], whole)) == 0 and whole < total:
        given["total_steps"] = total  # it fails inside the run otherwise
    return given


CASES = [Case("lr_schedulers_container", _draw, run, lambda given: given["training_steps"])]
