"""big_vision: `create_learning_rate_schedule`, from a clone that is on the path: its own imports are heavy."""

from __future__ import annotations

import random
from typing import Any

import jax.numpy as jnp

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import definitions_from

PEER, VERSION = "big_vision", "11eea574"
_NAMES = ["steps", "create_learning_rate_schedule"]
create = definitions_from("big_vision", "utils.py", _NAMES, {"jnp": jnp})["create_learning_rate_schedule"]


def run(arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    base = given.pop("base_lr")
    schedule = create(**given)
    return [float(schedule(t)) * base for t in range(n)]


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([2, 5, r.randint(3, 60)])
    given: dict[str, Any] = {"total_steps": total, "batch_size": r.choice([32, 512]), "data_size": 10_000}
    given |= {"base": r.uniform(1e-4, 1), "scale_with_batchsize": r.random() < 0.3, "base_lr": r.choice([1.0, 0.5])}
    given |= r.choice([{}, {"warmup_steps": r.randint(0, total - 1)}, {"warmup_percent": r.uniform(0, 0.4)}])
    given |= r.choice(
        [{}, {"cooldown_steps": r.randint(0, total + 2)}, {"cooldown_examples": r.randint(0, 32 * total)}]
    )
    kind = r.choice(["linear", "polynomial", "cosine", "rsqrt", "stair"])
    own: dict[str, dict[str, Any]] = {
        "linear": {"end": r.uniform(0, 1e-4)},
        "polynomial": {"power": r.choice([1, 2, 0.5])},
        "rsqrt": r.choice([{"timescale": r.randint(5, 100), "shift": r.randint(0, 50)}, {"timescale_examples": 4096}]),
        "stair": {"steps": sorted(r.sample(range(1, 70), 3)), "mults": [r.random() for _ in range(3)]},
    }
    return given | {"decay_type": kind} | own.get(kind, {})


CASES = [Case("create_learning_rate_schedule", _draw, run, lambda given: given["total_steps"], tolerance=2e-6)]
