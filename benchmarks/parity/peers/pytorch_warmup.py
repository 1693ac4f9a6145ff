"""pytorch_warmup, over whatever factor a LambdaLR is given."""

from __future__ import annotations

import random
import warnings
from importlib.metadata import version
from typing import Any

import pytorch_warmup
import torch

from benchmarks.parity.case import Case
from preheat import parse

PEER, VERSION = "pytorch_warmup", version("pytorch_warmup")


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> Any:
        given = dict(arguments)
        base, inner = given.pop("base_lr"), parse(given.pop("lr_scheduler", "hold(1)"))
        periods, betas = given.get("warmup_period", 1), given.pop("betas", (0.9, 0.999))
        groups = len(periods) if isinstance(periods, list) else 1
        parameters = [{"params": [torch.zeros(1)]} for _ in range(groups)]
        optimizer = torch.optim.Adam(parameters, lr=base, betas=tuple(betas))
        found: list[list[float]] = [[] for _ in range(groups)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, inner)
            warmup = getattr(pytorch_warmup, name)(optimizer, **given)
            for _ in range(n):
                for group, rates in zip(optimizer.param_groups, found, strict=True):
                    rates.append(float(group["lr"]))
                optimizer.step()
                with warmup.dampening():
                    scheduler.step()
        return {f"{place}/lr" if place else "lr": rates for place, rates in enumerate(found)}

    return run


def _case(name: str, own: str, draw: Any) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        given = {"base_lr": r.choice([1.0, 1e-3, r.uniform(1e-5, 2)])}
        inner = ["decay(40, shape=cosine)", "warmup(9) >> decay(20)", "invsqrt(7)", "hold(1, 30) >> hold(0.1)"]
        return draw(r) | given | ({"lr_scheduler": r.choice(inner)} if r.random() < 0.6 else {})

    return Case(name, arguments, _run(own), lambda given: 50)


def _period(r: random.Random) -> dict[str, Any]:
    one = r.choice([1, 2, r.randint(1, 60)])
    return {"warmup_period": r.choice([one, one, [one], [one, 3, 1]])}


def _betas(r: random.Random) -> dict[str, Any]:
    return {"betas": [0.9, r.choice([0.999, 0.99, 0.95, r.uniform(0.62, 0.9999), 0.9])]} if r.random() < 0.8 else {}


CASES = [
    _case("linear_warmup", "LinearWarmup", _period),
    _case("exponential_warmup", "ExponentialWarmup", _period),
    _case("untuned_linear_warmup", "UntunedLinearWarmup", _betas),
    _case("untuned_exponential_warmup", "UntunedExponentialWarmup", _betas),
    _case("radam_warmup", "RAdamWarmup", _betas)._replace(tolerance=1e-9),  # it subtracts what is nearly equal
]
