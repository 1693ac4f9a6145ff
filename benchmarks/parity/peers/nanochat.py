"""nanochat: the three functions of its training script, from a clone, the folder nanochat, that is on the path."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import definitions_from

PEER, VERSION = "nanochat", "00255c19"
NAMES = {"lr": "get_lr_multiplier", "muon/momentum": "get_muon_momentum", "muon/weight_decay": "get_weight_decay"}
definitions_from("nanochat", "scripts/base_train.py", [*NAMES.values()], {})  # an ImportError says that it is not there


def run(arguments: dict[str, Any], n: int) -> dict[str, list[float]]:
    """The values of updates 0 … n − 1; fewer where it fails."""
    given = dict(arguments)
    around = {"math": math, "num_iterations": given.pop("num_iterations")}
    around |= {"weight_decay_scaled": given.pop("weight_decay"), "args": SimpleNamespace(**given)}
    script = definitions_from("nanochat", "scripts/base_train.py", [*NAMES.values()], around)
    found: dict[str, list[float]] = {key: [] for key in NAMES}
    for key, name in NAMES.items():
        for it in range(n):
            try:
                found[key].append(script[name](it) * (given["base_lr"] if key == "lr" else 1.0))
            except ZeroDivisionError:
                break
    return found


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([1, 2, 5, r.randint(3, 60), r.randint(300, 1500)])
    return {
        "num_iterations": total,
        "warmup_steps": r.choice([0, 1, r.randint(0, total), total, total + 2]),
        "warmdown_ratio": r.choice([0.0, 0.01, 0.2, 0.65, 1.0, r.random()]),
        "final_lr_frac": r.choice([0.0, 0.05, r.random()]),
        "weight_decay": r.uniform(0.01, 1),
        "base_lr": r.choice([1.0, 3e-4, r.uniform(1e-5, 2)]),
    }


CASES = [Case("base_train", _draw, run, lambda given: given["num_iterations"])]
