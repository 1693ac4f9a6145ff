"""Ignite's schedulers, called as an engine calls them when an iteration starts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import ignite
import torch
from ignite.handlers import param_scheduler as own

from benchmarks.parity.case import Case
from preheat import parse

PEER, VERSION = "ignite", ignite.__version__


def called(make: Callable[[torch.optim.Optimizer], Any], n: int, base_lr: float = 0.5) -> list[float]:
    """The rate of updates 0 … n − 1; fewer where the scheduler divides by zero."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base_lr)
    scheduler, found = make(optimizer), list[float]()
    for _ in range(n):
        try:
            scheduler(None)
        except ZeroDivisionError:
            break
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        if "milestones_values" in given:
            given["milestones_values"] = [tuple(pair) for pair in given["milestones_values"]]
        return called(lambda optimizer: getattr(own, name)(optimizer, "lr", **given), n)

    return run


def _case(name: str, cls: str, draw: Any, updates: Any = lambda given: 60) -> Case:
    return Case(name, draw, _run(cls), updates)


def _milestones(r: random.Random) -> dict[str, Any]:
    events = sorted(r.choice([0, 1, r.randint(0, 50)]) for _ in range(r.randint(1, 5)))
    return {"milestones_values": [[event, r.uniform(0, 1)] for event in events]}


def _cycles(r: random.Random) -> dict[str, Any]:
    given = {"start_value": r.uniform(0, 1), "end_value": r.choice([0.0, r.uniform(0, 1)])}
    given |= {"cycle_size": r.choice([2, 3, r.randint(2, 25)])}
    given |= {"cycle_mult": r.choice([1.0, 2, 1.5, 1.1, 0.8])} if r.random() < 0.5 else {}
    return given | (
        {"start_value_mult": r.uniform(0.5, 1.1), "end_value_mult": r.uniform(0.5, 1.1)} if r.random() < 0.5 else {}
    )


def _ends(given: dict[str, Any]) -> int:
    """Updates before a cycle has no length."""
    size, warmup, total = given["cycle_size"], given.get("warmup_duration", 0), 0
    while size > 0 and total < 60:
        total += size + warmup
        size, warmup = int(size * given.get("cycle_mult", 1)), int(warmup * given.get("cycle_mult", 1))
    return min(total, 60)


def _linear(r: random.Random) -> dict[str, Any]:
    monotonic = r.random() < 0.5
    warmup = {"warmup_duration": r.choice([0, 1, r.randint(0, 20)])} if monotonic else {}
    return _cycles(r) | {"monotonic": monotonic} | warmup


TEXTS = ["decay(30, shape=cosine)", "invsqrt(9)", "hold(0.3)", "warmup(5) >> decay(70)"]


def _concat(arguments: dict[str, Any], n: int) -> list[float]:
    texts, durations = arguments["schedulers"], arguments["durations"]

    def make(optimizer: torch.optim.Optimizer) -> Any:
        parts = [own.LRScheduler(torch.optim.lr_scheduler.LambdaLR(optimizer, parse(text))) for text in texts]
        return own.ConcatScheduler(parts, durations=durations)

    return called(make, n, 1.0)


def _durations(r: random.Random) -> dict[str, Any]:
    durations = [r.choice([1, r.randint(1, 30)]) for _ in range(r.randint(1, 3))]
    return {"schedulers": [r.choice(TEXTS) for _ in range(len(durations) + 1)], "durations": durations}


def _warmed(arguments: dict[str, Any], n: int) -> list[float]:
    given = dict(arguments)
    base, text = given.pop("base_lr"), given.pop("lr_scheduler")

    def make(optimizer: torch.optim.Optimizer) -> Any:
        if not text.startswith("absolute"):
            inner = torch.optim.lr_scheduler.LambdaLR(optimizer, parse(text))
        else:  # the one of rates is Ignite's own
            inner = own.CosineAnnealingScheduler(optimizer, "lr", 0.8, 0.1, cycle_size=40)
        return own.create_lr_scheduler_with_warmup(inner, **given)

    return called(make, n, base)


def _warmup(r: random.Random) -> dict[str, Any]:
    given = {"lr_scheduler": r.choice([*TEXTS, "absolute(ramp(0.8, 0.1, 40, shape=cosine).repeated())"])}
    given |= {
        "base_lr": r.choice([0.8, 0.3]),
        "warmup_start_value": r.choice([0.0, 0.05]),
        "warmup_duration": r.randint(2, 20),
    }
    return given | ({"warmup_end_value": r.choice([0.8, r.uniform(0, 1)])} if r.random() < 0.7 else {})


CASES = [
    _case("piecewise_linear", "PiecewiseLinear", _milestones),
    _case("linear_cyclical_scheduler", "LinearCyclicalScheduler", _linear, _ends),
    _case(
        "cosine_annealing_scheduler",
        "CosineAnnealingScheduler",
        lambda r: _cycles(r) | {"warmup_duration": r.choice([0, r.randint(0, 20)])},
        _ends,
    ),
    Case("concat_scheduler", _durations, _concat, lambda given: 60),
    Case("create_lr_scheduler_with_warmup", _warmup, _warmed, lambda given: 60),
]
