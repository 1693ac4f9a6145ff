"""levanter: its OptimizerConfig out of trainer.py, whose other imports are heavy, on the optax that is installed."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Optional

import jax.numpy as jnp
import optax

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import definitions_from

PEER, VERSION = "levanter", version("levanter")
_NAMES = ["OptimizerConfig", "_inv_sqrt_decay_schedule", "_convert_ratio_or_steps"]
_AROUND = {"dataclass": dataclass, "optax": optax, "jnp": jnp, "warnings": warnings, "Optional": Optional}
Config = definitions_from("levanter", "trainer.py", _NAMES, {**_AROUND, "GradientTransformation": Any})[
    "OptimizerConfig"
]


def run(arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    del given["base_lr"]  # the optimizer is given the schedule
    total = given.pop("num_train_steps")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedule = Config(**given).lr_scheduler(total)
    values = schedule(jnp.arange(n))
    return [float(one) for one in jnp.broadcast_to(jnp.asarray(values), (n,))]


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([2, 5, r.randint(3, 300), 30_000])
    kind = r.choice(["constant", "cosine", "linear", "inv_sqrt"])
    given = {
        "num_train_steps": total,
        "learning_rate": r.uniform(1e-5, 1),
        "lr_schedule": kind,
        "base_lr": r.choice([1.0, 0.5]),
    }
    given |= {
        "min_lr_ratio": r.choice([0.0, 0.1, r.random()]),
        "warmup": r.choice([0.0, 0.01, r.uniform(0, 0.5), 1, total // 2]),
    }
    given |= {"cooldown": r.choice([0.0, r.uniform(0, 0.4)])}
    if r.random() < 0.2:
        given["warmup_ratio"] = r.uniform(0, 0.5)
    return given


CASES = [Case("optimizer_config", _draw, run, lambda given: given["num_train_steps"], tolerance=2e-6)]
