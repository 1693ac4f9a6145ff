"""pytorch_optimizer's own schedulers, stepped after the optimizer."""

from __future__ import annotations

import random
from importlib.metadata import version
from typing import Any

import torch
from pytorch_optimizer import lr_scheduler as own

from benchmarks.parity.case import Case
from benchmarks.parity.torch_loop import rates
from preheat import parse

PEER, VERSION = "pytorch_optimizer", version("pytorch_optimizer")


def _case(name: str, kind: str, draw: Any, updates: Any) -> Case:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        base = given.pop("base_lr", 1.0)
        return rates(lambda optimizer: own.load_lr_scheduler(kind)(optimizer, **given), base, n)

    return Case(name, draw, run, updates)


def _warmed(r: random.Random) -> dict[str, Any]:
    total = r.choice([1, 2, r.randint(1, 100)])
    given = {"t_max": total, "max_lr": r.uniform(0.01, 1), "warmup_steps": r.choice([0, r.randint(0, total - 1)])}
    return given | ({"min_lr": r.uniform(0, 0.5), "init_lr": r.uniform(0, 0.1)} if r.random() < 0.6 else {})


def _restarts(r: random.Random) -> dict[str, Any]:
    warm = r.choice([0, 0, 1, r.randint(1, 20)])
    given = {
        "warmup_steps": warm,
        "first_cycle_steps": warm + r.choice([1, r.randint(1, 40)]),
        "max_lr": r.uniform(0.1, 1),
    }
    given |= {"cycle_mult": r.choice([1.0, 2.0, 1.5, 0.7, 1.1])} if r.random() < 0.6 else {}
    return given | ({"gamma": r.choice([1.0, 0.5, 1.1]), "min_lr": r.uniform(0, 0.1)} if r.random() < 0.6 else {})


def _based(r: random.Random) -> dict[str, Any]:
    return {"base_lr": r.choice([1.0, 3e-4])}


def _wsd(r: random.Random) -> dict[str, Any]:
    given = {f"num_{part}_steps": r.choice([0, 1, r.randint(0, 40)]) for part in ("warmup", "stable", "decay")}
    given |= {
        "cooldown_type": r.choice(["cosine", "1-sqrt", "1-square", "linear"]),
        "min_lr_ratio": r.choice([0.0, 0.2]),
    }
    return given | _based(r) | ({"num_cycles": r.uniform(0.2, 2)} if r.random() < 0.4 else {})


def _proportional(arguments: dict[str, Any], n: int) -> dict[str, list[float]]:
    given = dict(arguments)
    base, text = given.pop("base_lr"), given.pop("lr_scheduler")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base)
    inner = torch.optim.lr_scheduler.LambdaLR(optimizer, parse(text))
    beside = own.ProportionScheduler(inner, **given)
    found: dict[str, list[float]] = {"lr": [], "rho": []}
    for _ in range(n):
        found["lr"].append(float(optimizer.param_groups[0]["lr"]))
        found["rho"].append(float(beside.get_lr()))
        optimizer.step()
        inner.step()
        beside.step()
    return found


def _proportion(r: random.Random) -> dict[str, Any]:
    given = {"lr_scheduler": r.choice(["warmup(7) >> decay(60)", "invsqrt(5)"]), "max_lr": r.choice([0.0, 0.5, 1.0])}
    return (
        given | _based(r) | {"min_lr": r.choice([0.0, 0.1]), "max_value": r.uniform(0, 2), "min_value": r.uniform(0, 1)}
    )


CASES = [
    _case("linear", "linear", _warmed, lambda given: given["t_max"]),
    _case("cosine", "cosine", _warmed, lambda given: given["t_max"]),
    _case("poly", "poly", lambda r: _warmed(r) | {"poly_order": r.uniform(0.2, 3)}, lambda given: given["t_max"]),
    _case(
        "rex",
        "rex",
        lambda r: {"total_steps": r.choice([1, 2, r.randint(1, 90)]), "min_lr": r.choice([0.0, 0.1])},
        lambda given: given["total_steps"],
    ),
    _case("cosine_annealing_warmup_restarts", "cosine_annealing_with_warmup", _restarts, lambda given: 100),
    _case(
        "chebyshev",
        "chebyshev",
        lambda r: {"num_epochs": r.choice([1, 2, 3, 4, 5, r.randint(1, 100)])} | _based(r),
        lambda given: given["num_epochs"],
    ),
    _case(
        "warmup_stable_decay",
        "warmup_stable_decay",
        _wsd,
        lambda given: max(1, sum(given[f"num_{part}_steps"] for part in ("warmup", "stable", "decay"))),
    ),
    Case("proportion", _proportion, _proportional, lambda given: 80),
]
