"""torch.optim.lr_scheduler, stepped on an optimizer that trains nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from benchmarks.parity.case import Case, some
from benchmarks.parity.torch_loop import rates
from preheat.compat import peer

PEER, VERSION = "torch", torch.__version__.partition("+")[0]
Arguments = dict[str, Any]
Draw = Callable[[random.Random], Arguments]


def _class(name: str) -> Any:
    return SWALR if name == "SWALR" else getattr(lr_scheduler, name)


def _run(name: str) -> Callable[[Arguments, int], Any]:
    def run(arguments: Arguments, n: int) -> Any:
        given = dict(arguments)
        if "schedulers" in given:
            return rates(lambda o: _composed(name, o, given), given["base_lr"], n)
        base = 0.5 if name == "CyclicLR" else given.pop("base_lr", 1.0)
        moves = given.get("cycle_momentum", False)
        more = {"momentum": 0.9} if moves else {}
        return rates(lambda o: _class(name)(o, **given), base, n, *(["momentum"] if moves else []), **more)

    return run


def _composed(name: str, optimizer: torch.optim.Optimizer, given: Arguments) -> Any:
    members = [_class(own)(optimizer, **arguments) for own, arguments in given["schedulers"]]
    if name == "SequentialLR":
        return lr_scheduler.SequentialLR(optimizer, members, list(given["milestones"]))
    return lr_scheduler.ChainedScheduler(members, optimizer)


def _base(r: random.Random) -> float:
    return r.choice([1.0, 3e-4, 0.1, r.uniform(1e-5, 2)])


def _count(r: random.Random) -> int:
    return r.choice([1, 2, 3, 5, r.randint(2, 90)])


def _case(name: str, draw: Draw, updates: Callable[[Arguments], int] = some, **more: Any) -> Case:
    return Case(peer(PEER)[name].__name__, lambda r: {"base_lr": _base(r)} | draw(r), _run(name), updates, **more)


def _linear(r: random.Random) -> Arguments:
    total = r.choice([0, 0.5, 1, 2.5, _count(r)])
    return {
        "start_factor": r.choice([1.0, 1e-3, r.uniform(0.01, 1)]),
        "end_factor": r.choice([1.0, 0.0, r.random()]),
        "total_iters": total,
    }


def _constant(r: random.Random) -> Arguments:
    return {"factor": r.choice([1.0, r.uniform(0.01, 1)]), "total_iters": r.choice([0, 1, 2.5, _count(r)])}


def _polynomial(r: random.Random) -> Arguments:
    return {"total_iters": r.choice([0, 1, 2.5, _count(r)]), "power": r.choice([0, 1, 1.0, 2.0, r.uniform(0.3, 4)])}


def _floor(r: random.Random) -> float:
    return r.choice([0.0, 1e-6, r.uniform(0, 0.5)])


def _cosine(r: random.Random) -> Arguments:
    return {"T_max": r.choice([1, 2, 2.5, 0.5, _count(r)]), "eta_min": _floor(r)}


def _restarts(r: random.Random) -> Arguments:
    return {"T_0": _count(r), "T_mult": r.choice([1, 1, 2, 3]), "eta_min": _floor(r)}


def _step(r: random.Random) -> Arguments:
    return {"step_size": _count(r), "gamma": r.choice([0.1, 0.0, 1.0, r.uniform(0.1, 1.05)])}


def _multi(r: random.Random) -> Arguments:
    milestones = [r.randint(0, 90) for _ in range(r.randint(0, 5))] + r.choice([[], [0], [-1], [2.5], [7, 7]])
    return {"milestones": milestones, "gamma": r.choice([0.1, 1.0, r.uniform(0.1, 1.5)])}


def _one_cycle(r: random.Random) -> Arguments:
    total, epochs = r.choice([1, 2, 3, 10, _count(r), r.randint(20, 90)]), r.choice([None, None, 2])
    share = r.choice([0.0, 0.3, 0.5, 1.0, r.random()])
    if share * total * (epochs or 1) == 1:
        share = 0.77  # a phase without updates: torch divides by zero
    length = {"epochs": epochs, "steps_per_epoch": total} if epochs else {"total_steps": total}
    given = {
        "max_lr": _base(r),
        "pct_start": share,
        "anneal_strategy": r.choice(["cos", "linear"]),
        "three_phase": r.random() < 0.4,
    }
    given |= {"cycle_momentum": r.random() < 0.5, "div_factor": r.choice([25.0, r.uniform(1, 50)])}
    last = (
        2.0 if total == 1 else r.choice([1e4, r.uniform(1, 100)])
    )  # of an only value far below the peak no digits are left
    return given | length | {"final_div_factor": last, "base_lr": 1.0}


def _one_cycle_updates(given: Arguments) -> int:
    return given.get("total_steps") or given["epochs"] * given["steps_per_epoch"]


def _cyclic(r: random.Random) -> Arguments:
    given = {"base_lr": r.uniform(0, 0.1), "max_lr": r.uniform(0.1, 1), "step_size_up": _count(r)}
    given |= {
        "step_size_down": r.choice([None, 0, _count(r)]),
        "mode": r.choice(["triangular", "triangular2", "exp_range"]),
    }
    return given | {"gamma": r.choice([1.0, 0.99, r.uniform(0.9, 1.001)]), "cycle_momentum": r.random() < 0.5}


def _swa(r: random.Random) -> Arguments:
    return {
        "swa_lr": r.uniform(0, 0.5),
        "anneal_epochs": r.choice([0, 1, 2, _count(r)]),
        "anneal_strategy": r.choice(["cos", "linear"]),
    }


def _plain(draw: Draw, r: random.Random) -> Arguments:
    found = draw(r) | {"cycle_momentum": False}
    return {
        key: value
        for key, value in found.items()
        if key != "base_lr" and (key != "cycle_momentum" or "max_lr" in found)
    }


def _sequential(r: random.Random) -> Arguments:
    """Two to four members, the milestones wherever they fall."""
    drawn = [r.choice(list(MEMBERS)) for _ in range(r.randint(1, 4))]
    members = [[name, _plain(MEMBERS[name], r)] for name in drawn]
    milestones = sorted(r.choice([0, 1, r.randint(0, 60), r.randint(5, 40)]) for _ in members[1:])
    for i, (name, given) in enumerate(members):
        if name in ("LinearLR", "PolynomialLR") and i:
            given["total_iters"] = given["total_iters"] or 1  # of 0 torch divides by zero where it begins
        if name == "OneCycleLR":
            given["total_steps"] = r.randint(150, 200)
            given.pop("epochs", None), given.pop("steps_per_epoch", None)
            given["pct_start"] = 0.3
    return {"schedulers": members, "milestones": milestones}


def _sequential_updates(given: Arguments) -> int:
    """Up to the end of the last member, where that is a cosine that climbs after it."""
    (name, last), start = given["schedulers"][-1], max([0, *given["milestones"]])
    return start + math.ceil(last["T_max"]) if name == "CosineAnnealingLR" else max(some(given), start + 10)


def _chained(r: random.Random) -> Arguments:
    drawn = r.sample(list(FACTORS), r.randint(1, 3))
    members = [[name, _plain(MEMBERS[name], r)] for name in drawn]
    for name, given in members:
        if name == "StepLR":
            given["gamma"] = given["gamma"] or 0.5  # a factor of 0 that goes on is refused
    if r.random() < 0.5:
        members.insert(r.randint(0, len(members)), ["CosineAnnealingLR", {"T_max": 45}])
    if r.random() < 0.2:
        members.append(["CosineAnnealingWarmRestarts", _restarts(r)])
    return {"schedulers": members}


MEMBERS: dict[str, Draw] = {
    "LinearLR": _linear,
    "ConstantLR": _constant,
    "ExponentialLR": lambda r: {"gamma": r.uniform(0.9, 1.0)},
    "PolynomialLR": _polynomial,
    "StepLR": _step,
    "MultiStepLR": _multi,
    "CosineAnnealingLR": _cosine,
    "CosineAnnealingWarmRestarts": _restarts,
    "OneCycleLR": _one_cycle,
    "SWALR": _swa,
}
FACTORS = list(MEMBERS)[:6]
CASES = [
    _case("LinearLR", _linear),
    _case("ConstantLR", _constant),
    _case("ExponentialLR", lambda r: {"gamma": r.choice([0.0, 1.0, 0.95, r.uniform(0.5, 1.05)])}),
    _case("PolynomialLR", _polynomial),
    _case("CosineAnnealingLR", _cosine, lambda given: math.ceil(given["T_max"])),
    _case("CosineAnnealingWarmRestarts", _restarts),
    _case("StepLR", _step),
    _case("MultiStepLR", _multi),
    _case("OneCycleLR", _one_cycle, _one_cycle_updates),
    _case("CyclicLR", _cyclic),
    _case("SWALR", _swa),
    _case("SequentialLR", _sequential, _sequential_updates),
    _case("ChainedScheduler", _chained, lambda given: 45),
]
