"""transformers, through `get_scheduler`."""

from __future__ import annotations

import random
from typing import Any

import transformers
from transformers.optimization import get_scheduler

from benchmarks.parity.case import Case
from benchmarks.parity.torch_loop import rates

PEER, VERSION = "transformers", transformers.__version__
COMMON = ("num_warmup_steps", "num_training_steps")


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        base, common = given.pop("base_lr"), {key: given.pop(key) for key in COMMON if key in given}
        special = {"scheduler_specific_kwargs": given} if given else {}
        return rates(lambda optimizer: get_scheduler(name, optimizer, **common, **special), base, n)

    return run


def _case(name: str, draw: Any = lambda r, given: {}) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        total = r.choice([1, 2, 5, r.randint(3, 300)])
        given = {"num_warmup_steps": r.choice([0, 1, r.randint(0, total), total + 2]), "num_training_steps": total}
        given |= {"base_lr": r.choice([1.0, 3e-4, r.uniform(1e-5, 2)])}
        return given | draw(r, given)

    return Case(name, arguments, _run(name), lambda given: given["num_training_steps"])


def _floor(r: random.Random, given: dict[str, Any]) -> dict[str, Any]:
    share = r.uniform(0, 0.5)
    floor = {"min_lr": share * given["base_lr"]} if r.random() < 0.5 else {"min_lr_rate": share}
    return floor | ({"num_cycles": r.uniform(0.1, 3)} if r.random() < 0.5 else {})


def _polynomial(r: random.Random, given: dict[str, Any]) -> dict[str, Any]:
    fits = {"num_warmup_steps": r.randint(0, given["num_training_steps"] - 1)}
    return fits | {"lr_end": given["base_lr"] * r.uniform(0, 0.5), "power": r.choice([1.0, 2.0, r.uniform(0.3, 4)])}


def _wsd(r: random.Random, given: dict[str, Any]) -> dict[str, Any]:
    total = given["num_training_steps"]
    types = ["linear", "cosine", "1-sqrt"]
    found = {"num_decay_steps": r.randint(0, total), "warmup_type": r.choice(types), "decay_type": r.choice(types)}
    found |= {"num_warmup_steps": r.randint(0, total)}
    if r.random() < 0.5:
        found["min_lr_ratio"] = r.uniform(0, 0.5)
    return found


CASES = [
    _case("linear"),
    _case("cosine", lambda r, given: {"num_cycles": r.uniform(0.1, 3)} if r.random() < 0.5 else {}),
    _case("cosine_with_restarts", lambda r, given: {"num_cycles": r.choice([1, 2, 5])}),
    _case("polynomial", _polynomial),
    _case("constant"),
    _case("constant_with_warmup"),
    _case("inverse_sqrt", lambda r, given: {"timescale": r.randint(1, 400)} if r.random() < 0.5 else {}),
    _case("cosine_with_min_lr", _floor),
    _case("cosine_warmup_with_min_lr", lambda r, given: _floor(r, given) | {"warmup_lr_rate": r.uniform(0, 1)}),
    _case("warmup_stable_decay", _wsd),
]
