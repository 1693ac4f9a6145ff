"""detectron2, whose warmup is a composite of fvcore's: fvcore's own classes, called as LRMultiplier calls them.

detectron2 stands on no package index; its WarmupParamScheduler only chooses what it hands to CompositeParamScheduler.
"""

from __future__ import annotations

import random
from typing import Any

import fvcore
from fvcore.common.param_scheduler import CompositeParamScheduler, ConstantParamScheduler, LinearParamScheduler

from benchmarks.parity.case import Case
from benchmarks.parity.peers.fvcore import made, values

PEER, VERSION = "detectron2", f"fvcore {fvcore.__version__}"


def warmed(given: dict[str, Any], scheduler: Any) -> Any:
    """The scheduler under the warmup, by fvcore."""
    share, rescaled = given["warmup_length"], given.get("rescale_interval", False)
    start = given["warmup_factor"] * scheduler(0.0)
    if given.get("warmup_method", "linear") == "constant":
        warmup: Any = ConstantParamScheduler(start)
    else:
        warmup = LinearParamScheduler(start, scheduler(0.0) if rescaled else scheduler(share))
    return CompositeParamScheduler(
        [warmup, scheduler], [share, 1 - share], ["rescaled", ["fixed", "rescaled"][rescaled]]
    )


def _run(given: dict[str, Any], n: int) -> list[float]:
    scheduler = warmed(given, made(given["scheduler"]))
    return [value * given["base_lr"] for value in values(scheduler, given["max_iter"], n)]


def solver(given: dict[str, Any], n: int) -> list[float]:
    """The keys of SOLVER, as build_lr_scheduler reads them."""
    total, base = given["max_iter"], given["base_lr"]
    kind: dict[str, Any]
    if given["lr_scheduler_name"] == "WarmupCosineLR":
        kind = {"type": "CosineParamScheduler", "start_value": 1, "end_value": given.get("base_lr_end", 0.0) / base}
    elif given["lr_scheduler_name"] == "WarmupMultiStepLR":
        steps = [step for step in given["steps"] if step <= total]
        powers = [given.get("gamma", 0.1) ** k for k in range(len(steps) + 1)]
        kind = {"type": "MultiStepParamScheduler", "values": powers, "milestones": steps, "num_updates": total}
    else:
        kind = {"type": "StepWithFixedGammaParamScheduler", "base_value": 1.0, "gamma": given.get("gamma", 0.1)}
        kind |= {"num_decays": given.get("num_decays", 3), "num_updates": total}
    share = min(given.get("warmup_iters", 1000) / total, 1.0)
    warmup = {"warmup_length": share, "warmup_factor": 1 / 1000} | given
    return [value * base for value in values(warmed(warmup, made(kind)), total, n)]


def _warmup(r: random.Random) -> dict[str, Any]:
    found = {"warmup_factor": r.choice([0.001, 1.0, r.random()]), "warmup_method": r.choice(["linear", "constant"])}
    return found | {"rescale_interval": r.random() < 0.5, "base_lr": r.choice([1.0, 0.02, r.uniform(1e-3, 1)])}


def _draw(r: random.Random) -> dict[str, Any]:
    total = r.choice([2, 5, r.randint(3, 300)])
    kinds = [
        {"type": "CosineParamScheduler", "start_value": 1.0, "end_value": r.choice([0.0, 0.1])},
        {"type": "MultiStepParamScheduler", "values": [1.0, 0.1, 0.01], "milestones": [60, 80], "num_updates": 90},
        {"type": "LinearParamScheduler", "start_value": 1.0, "end_value": 0.0},
        {"type": "PolynomialDecayParamScheduler", "base_value": 1.0, "power": 2.0},
    ]
    share = r.choice([0.0, 1.0, 1 / total, r.randint(1, total - 1) / total, r.uniform(0.01, 0.9)])
    return {"scheduler": r.choice(kinds), "warmup_length": share, "max_iter": total, **_warmup(r)}


def _solver(r: random.Random) -> dict[str, Any]:
    total = r.randint(8, 300)
    name = r.choice(["WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR"])
    found = {"lr_scheduler_name": name, "max_iter": total, **_warmup(r)}
    found["warmup_iters"] = r.choice([0, 1, r.randint(1, total - 1), total, total + 5])
    if name == "WarmupCosineLR":
        return found | {"base_lr_end": r.choice([0.0, found["base_lr"] * r.random()])}
    if name == "WarmupMultiStepLR":
        steps = sorted(r.sample(range(1, total), r.randint(0, 3)))
        return found | {"gamma": r.uniform(0.1, 0.9), "steps": [*steps, total + 9]}
    found["warmup_iters"] = min(found["warmup_iters"], total - 1)  # a longer one fails there
    return found | {"gamma": r.uniform(0.1, 0.9), "num_decays": r.randint(1, 4)}


CASES = [
    Case("warmup_param_scheduler", _draw, _run, lambda given: given["max_iter"]),
    Case("build_lr_scheduler", _solver, solver, lambda given: given["max_iter"]),
]
