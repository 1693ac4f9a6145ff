"""timm.scheduler, asked for every update; the package around it is not imported."""

from __future__ import annotations

import importlib.metadata
import random
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.parity.case import Case, some
from benchmarks.parity.timm_alone import scheduler as timm
from preheat.compat import peer

PEER, VERSION = "timm", importlib.metadata.version("timm")
Arguments = dict[str, Any]


def rates(make: Callable[[torch.optim.Optimizer], Any], base_lr: float, n: int) -> list[float]:
    """The rate of t = 0 … n − 1, as timm writes it into an optimizer; fewer where it raises."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base_lr)
    scheduler, found = make(optimizer), []
    for t in range(n):
        if t and scheduler is not None:
            try:
                scheduler.step(t) if scheduler.t_in_epochs else scheduler.step_update(t)
            except ValueError:
                break
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def _run(name: str) -> Callable[[Arguments, int], list[float]]:
    def run(arguments: Arguments, n: int) -> list[float]:
        given = dict(arguments)
        base = given.pop("base_lr")
        if name == "create_scheduler_v2":
            return rates(lambda o: timm.create_scheduler_v2(o, **given)[0], base, n)
        return rates(lambda o: getattr(timm, name)(o, **given), base, n)

    return run


def _count(r: random.Random) -> int:
    return r.choice([1, 2, 3, 10, r.randint(2, 60)])


def _warmup(r: random.Random) -> Arguments:
    length = r.choice([0, 0, 1, 2.5, _count(r)])
    return {
        "warmup_t": length,
        "warmup_lr_init": r.choice([0.0, 1e-5, r.random()]),
        "base_lr": r.choice([1.0, 0.1, r.uniform(1e-4, 2)]),
    }


def _cycles(r: random.Random) -> Arguments:
    mul = r.choice([1.0, 1.0, 2.0, r.uniform(0.5, 2)])
    found = {"t_initial": _count(r), "lr_min": r.choice([0.0, 1e-6, r.uniform(0, 0.1)]), "cycle_mul": mul}
    found |= {"cycle_limit": r.choice([0, 1, 1, 2, 3]), "cycle_decay": r.choice([1.0, 0.1, r.uniform(0.2, 1)])}
    return found | {"warmup_prefix": r.random() < 0.5} | _warmup(r)


def _stairs(r: random.Random) -> Arguments:
    return {"decay_rate": r.choice([1.0, 0.1, 0.0, r.uniform(0.2, 1.1)]), "warmup_prefix": r.random() < 0.5} | _warmup(
        r
    )


def _milestones(r: random.Random) -> list[float]:
    return sorted(r.choice([0, 1, 1.5, r.randint(0, 90)]) for _ in range(r.randint(0, 4)))


def _wsd(r: random.Random) -> Arguments:
    total = _count(r)
    found = {"t_initial": total, "decay_t": r.choice([total, r.randint(1, total), r.uniform(0.5, total)])}
    if found["decay_t"] > total:
        found["decay_t"] = total
    found |= {"stable_fn": r.choice(["constant", "rsqrt", "power"]), "stable_timescale": r.randint(1, 50)}
    found |= {"decay_fn": r.choice(["linear", "1-sqrt", "cosine", "power", "exp"]), "decay_ratio": r.uniform(0.01, 0.9)}
    found |= {"decay_power": r.uniform(0.3, 3), "lr_min": r.choice([0.0, 1e-6, r.uniform(0, 0.5)])}
    return found | _warmup(r)


def _created(r: random.Random) -> Arguments:
    sched = r.choice(["cosine", "tanh", "poly", "step", "constant", "multistep", "wsd", "rsqrt"])
    epochs, warm = r.randint(2, 12), r.randint(1, 5)
    found = {"sched": sched, "num_epochs": epochs, "warmup_epochs": warm if epochs > warm else 1, "warmup_lr": 1e-5}
    found |= {"warmup_prefix": r.random() < 0.5, "min_lr": r.choice([0.0, 1e-4]), "decay_milestones": [2, 5, 9]}
    if r.random() < 0.7:
        found |= {"step_on_epochs": False, "updates_per_epoch": r.randint(1, 7)}
    if sched in ("wsd", "rsqrt"):
        found["decay_epochs"] = 0.5
    elif sched == "step":
        found["decay_epochs"] = 3
    return found | {"cycle_limit": r.choice([1, 2]), "base_lr": r.uniform(0.01, 1)}


def _case(name: str, draw: Callable[[random.Random], Arguments], run: Any, updates: Callable[[Arguments], int]) -> Case:
    return Case(peer(PEER)[name].__name__, draw, run, updates)


CASES = [
    _case(
        "CosineLRScheduler",
        lambda r: _cycles(r) | {"k_decay": r.choice([1.0, r.uniform(0.4, 3)])},
        _run("CosineLRScheduler"),
        some,
    ),
    _case(
        "TanhLRScheduler",
        lambda r: _cycles(r) | {"lb": r.uniform(-8, -1), "ub": r.uniform(0, 4)},
        _run("TanhLRScheduler"),
        some,
    ),
    _case(
        "PolyLRScheduler",
        lambda r: _cycles(r) | {"power": r.uniform(0.3, 3), "k_decay": r.choice([1.0, r.uniform(0.4, 3)])},
        _run("PolyLRScheduler"),
        some,
    ),
    _case(
        "StepLRScheduler",
        lambda r: _stairs(r) | {"decay_t": r.choice([2.4, _count(r)])},
        _run("StepLRScheduler"),
        some,
    ),
    _case(
        "MultiStepLRScheduler",
        lambda r: _stairs(r) | {"decay_t": _milestones(r)},
        _run("MultiStepLRScheduler"),
        some,
    ),
    _case("WSDLRScheduler", _wsd, _run("WSDLRScheduler"), some),
    _case("create_scheduler_v2", _created, _run("create_scheduler_v2"), some),
]
