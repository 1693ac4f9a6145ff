"""Paddle: the file of its schedulers, run alone."""

from __future__ import annotations

import random
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

_NOTHING = SimpleNamespace(
    core=SimpleNamespace(eager=SimpleNamespace(Tensor=())),
    Tensor=(),
    Variable=(),
    LayerHelper=None,
    check_type=None,
    default_main_program=None,
    in_dygraph_mode=None,
)
_IMPORTED = ("paddle", "paddle.base", "paddle.base.data_feeder", "paddle.base.framework", "paddle.base.layer_helper")
MODULE = module_from("paddle", "optimizer/lr.py", dict.fromkeys(_IMPORTED, _NOTHING))
PEER, VERSION = "paddle", version("paddlepaddle")


def made(name: str, given: dict[str, Any]) -> Any:
    """The scheduler; that inside a LinearWarmup is a mapping with its class under "type"."""
    own = dict(given)
    if isinstance(own.get("learning_rate"), dict):
        inner = dict(own["learning_rate"])
        own["learning_rate"] = made(inner.pop("type"), inner)
    return getattr(MODULE, name)(**own)


def rates(name: str, given: dict[str, Any], n: int) -> list[float]:
    """What it gives, up to where it raises."""
    scheduler, found = made(name, given), []
    for _ in range(n):
        found.append(scheduler())
        try:
            scheduler.step()
        except (ValueError, ZeroDivisionError):
            break
    return found


def _case(name: str, own: str, draw: Any, updates: Any = lambda given: 28) -> Case:
    return Case(name, draw, lambda given, n: rates(own, given, n), updates)


def _lr(r: random.Random) -> float:
    return r.choice([1.0, 0.1, r.uniform(1e-4, 1)])


def _inner(r: random.Random) -> Any:
    lr = _lr(r)
    return r.choice(
        [
            lr,
            {"type": "CosineAnnealingDecay", "learning_rate": lr, "T_max": r.randint(80, 200)},
            {"type": "CosineAnnealingWarmRestarts", "learning_rate": lr, "T_0": r.randint(3, 20), "T_mult": 2},
            {"type": "PolynomialDecay", "learning_rate": lr, "decay_steps": r.randint(1, 90)},
            {"type": "LinearLR", "learning_rate": lr, "total_steps": r.randint(1, 90)},
        ]
    )


def _warmup(r: random.Random) -> dict[str, Any]:
    start = r.choice([0.0, r.uniform(0, 0.1)])
    ends = {"start_lr": start, "end_lr": start + r.uniform(0.01, 1)}
    return {"learning_rate": _inner(r), "warmup_steps": r.choice([1, 2, r.randint(1, 40)]), **ends}


def _one_cycle(r: random.Random) -> dict[str, Any]:
    peak = r.uniform(0.01, 1)
    found = {"max_learning_rate": peak, "total_steps": r.choice([2, 3, r.randint(2, 100)])}
    found |= {"phase_pct": r.uniform(0.01, 0.49), "end_learning_rate": peak * r.uniform(0.001, 0.1)}
    return found | {"three_phase": r.random() < 0.4, "anneal_strategy": r.choice(["cos", "linear"])}


def _cyclic(r: random.Random) -> dict[str, Any]:
    low = r.uniform(0.001, 0.1)
    found = {"base_learning_rate": low, "max_learning_rate": low + r.random(), "step_size_up": r.randint(1, 40)}
    found |= {"step_size_down": r.choice([None, r.randint(1, 40)])}
    return found | {"mode": r.choice(["triangular", "triangular2", "exp_range"]), "exp_gamma": r.uniform(0.9, 1)}


def _pieces(r: random.Random) -> dict[str, Any]:
    count = r.randint(1, 5)
    values = [r.random() for _ in range(count + r.choice([1, 1, 2]))]
    return {"boundaries": [r.randint(0, 100) for _ in range(count)], "values": values}


CASES = [
    _case(
        "noam_decay",
        "NoamDecay",
        lambda r: {
            "d_model": r.choice([512, 64]),
            "warmup_steps": r.choice([1, r.randint(1, 100)]),
            "learning_rate": _lr(r),
        },
    ),
    _case("piecewise_decay", "PiecewiseDecay", _pieces),
    _case("natural_exp_decay", "NaturalExpDecay", lambda r: {"learning_rate": _lr(r), "gamma": r.uniform(0.001, 2)}),
    _case("inverse_time_decay", "InverseTimeDecay", lambda r: {"learning_rate": _lr(r), "gamma": r.uniform(0, 2)}),
    _case(
        "polynomial_decay",
        "PolynomialDecay",
        lambda r: {
            "learning_rate": _lr(r),
            "decay_steps": r.choice([1, 2, r.randint(1, 60)]),
            "power": r.choice([1.0, 2.0, r.uniform(0.5, 3)]),
            "cycle": r.random() < 0.5,
            "end_lr": r.choice([1e-4, 0.0]),
        },
    ),
    _case("linear_warmup", "LinearWarmup", _warmup, lambda given: 60),
    _case(
        "exponential_decay", "ExponentialDecay", lambda r: {"learning_rate": _lr(r), "gamma": r.uniform(0.01, 0.999)}
    ),
    _case(
        "multi_step_decay",
        "MultiStepDecay",
        lambda r: {"learning_rate": _lr(r), "milestones": sorted(r.sample(range(100), 3)), "gamma": r.uniform(0, 0.9)},
    ),
    _case(
        "step_decay",
        "StepDecay",
        lambda r: {"learning_rate": _lr(r), "step_size": r.randint(1, 50), "gamma": r.uniform(0.05, 0.9)},
    ),
    _case(
        "cosine_annealing_decay",
        "CosineAnnealingDecay",
        lambda r: {
            "learning_rate": _lr(r),
            "T_max": r.choice([1, 2, r.randint(1, 90)]),
            "eta_min": r.choice([0.0, 1e-5]),
        },
        lambda given: given["T_max"] + 1,
    ),
    _case(
        "cosine_annealing_warm_restarts",
        "CosineAnnealingWarmRestarts",
        lambda r: {"learning_rate": _lr(r), "T_0": r.randint(1, 30), "T_mult": r.randint(1, 3), "eta_min": 1e-5},
    ),
    _case("one_cycle_lr", "OneCycleLR", _one_cycle, lambda given: given["total_steps"]),
    _case("cyclic_lr", "CyclicLR", _cyclic),
    _case(
        "linear_lr",
        "LinearLR",
        lambda r: {
            "learning_rate": _lr(r),
            "total_steps": r.choice([1, 2, r.randint(1, 90)]),
            "start_factor": r.uniform(0.01, 1),
            "end_factor": r.choice([0.0, 1.0, r.random()]),
        },
    ),
]
