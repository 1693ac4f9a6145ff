"""kohya's sd-scripts, which stands on no package index: transformers', called with what it hands over."""

from __future__ import annotations

import random
from typing import Any

import transformers
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, SchedulerType

from benchmarks.parity.case import Case
from benchmarks.parity.torch_loop import rates

PEER, VERSION = "kohya", f"transformers {transformers.__version__}"


def _run(given: dict[str, Any], n: int) -> list[float]:
    name, total = SchedulerType(given["lr_scheduler"]), given["max_train_steps"]
    steps = {
        key: int(given[key] * total) if isinstance(given[key], float) else given[key]
        for key in ("lr_warmup_steps", "lr_decay_steps")
    }
    warm, down, cycles = steps["lr_warmup_steps"], steps["lr_decay_steps"], given["lr_scheduler_num_cycles"]
    run = {"num_warmup_steps": warm, "num_training_steps": total}
    own = {
        SchedulerType.CONSTANT: {},
        SchedulerType.CONSTANT_WITH_WARMUP: {"num_warmup_steps": warm},
        SchedulerType.INVERSE_SQRT: {"num_warmup_steps": warm, "timescale": given["lr_scheduler_timescale"]},
        SchedulerType.COSINE_WITH_RESTARTS: run | {"num_cycles": cycles},
        SchedulerType.POLYNOMIAL: run | {"power": given["lr_scheduler_power"]},
        SchedulerType.COSINE_WITH_MIN_LR: run
        | {"num_cycles": cycles / 2, "min_lr_rate": given["lr_scheduler_min_lr_ratio"]},
        SchedulerType.WARMUP_STABLE_DECAY: {
            "num_warmup_steps": warm,
            "num_decay_steps": down,
            "num_stable_steps": total - warm - down,
            "num_cycles": cycles / 2,
            "min_lr_ratio": given["lr_scheduler_min_lr_ratio"],
        },
    }.get(name, run)
    return rates(lambda optimizer: TYPE_TO_SCHEDULER_FUNCTION[name](optimizer, **own), given["base_lr"], n)


def _draw(r: random.Random) -> dict[str, Any]:
    names = [
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
    ]
    name, total = r.choice([*names, "cosine_with_min_lr", "warmup_stable_decay"]), r.randint(5, 50)
    warm = 0 if name == "constant" else r.choice([0, 1, r.randint(0, total // 2), r.random() / 2])
    return {
        "lr_scheduler": name,
        "max_train_steps": total,
        "lr_warmup_steps": warm,
        "lr_decay_steps": r.choice([r.randint(0, total // 2), r.random() / 2]),
        "lr_scheduler_num_cycles": r.randint(1, 3),
        "lr_scheduler_power": r.choice([1.0, 2.0]),
        "lr_scheduler_timescale": r.randint(1, 50),
        "lr_scheduler_min_lr_ratio": r.uniform(0, 0.5),
        "base_lr": r.choice([1.0, 1e-4]),
    }


CASES = [Case("get_scheduler_fix", _draw, _run, lambda given: given["max_train_steps"])]
