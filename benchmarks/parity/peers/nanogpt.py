"""nanoGPT: `get_lr` out of its script, from a clone, the folder nanoGPT, that is on the path."""

from __future__ import annotations

import math
import random
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import definitions_from

PEER, VERSION = "nanogpt", "3adf61e1"
definitions_from("nanoGPT", "train.py", ["get_lr"], {})  # an ImportError says that it is not there
DEFAULTS = {"learning_rate": 6e-4, "warmup_iters": 2000, "lr_decay_iters": 600_000, "min_lr": 6e-5}


def run(arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of iterations 0 … n − 1; fewer where it fails."""
    if not arguments.get("decay_lr", True):
        return [arguments["learning_rate"]] * n
    given = {key: arguments.get(key, value) for key, value in DEFAULTS.items()}
    get_lr = definitions_from("nanoGPT", "train.py", ["get_lr"], {"math": math, **given})["get_lr"]
    found = []
    for it in range(n):
        try:
            found.append(get_lr(it))
        except ZeroDivisionError:
            break
    return found


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([0, 1, 5, r.randint(3, 300)])
    warm = r.choice([0, 1, r.randint(0, total), total, total + 2])
    end = r.choice([total, total + r.randint(0, 50), max(0, total // 2)])
    peak = r.uniform(1e-5, 1)
    given = {
        "learning_rate": peak,
        "max_iters": total,
        "warmup_iters": warm,
        "min_lr": peak * r.choice([0, 0.1, r.random()]),
    }
    return given | {
        "lr_decay_iters": end + (end == warm),
        "base_lr": r.choice([1.0, 0.5]),
        "decay_lr": r.random() < 0.9,
    }


CASES = [Case("get_lr", _draw, run, lambda given: given["max_iters"] + 1)]
