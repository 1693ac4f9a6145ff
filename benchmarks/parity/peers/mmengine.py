"""mmengine: its schedulers stepped as its hook steps them, those of updates after each, those of epochs after an epoch.

The file of the schedulers is run alone: the package imports more than they need.
"""

from __future__ import annotations

import random
import warnings
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from


class _NoWrapper:
    """What no optimizer is."""


_REGISTRY = SimpleNamespace(register_module=lambda: lambda kind: kind)
MODULE = module_from(
    "mmengine",
    "optim/scheduler/param_scheduler.py",
    {
        "mmengine.logging": SimpleNamespace(print_log=print),
        "mmengine.optim": SimpleNamespace(BaseOptimWrapper=_NoWrapper),
        "mmengine.registry": SimpleNamespace(PARAM_SCHEDULERS=_REGISTRY),
    },
)
PEER, VERSION = "mmengine", version("mmengine")


def built(optimizer: torch.optim.Optimizer, given: dict[str, Any], epoch_length: int | None) -> Any:
    """A scheduler of a `param_scheduler` list."""
    own = dict(given)
    name, length = own.pop("type"), own.pop("epoch_length", epoch_length)
    kind, hyper = (name[:-2], "lr") if name.endswith("LR") else (name[:-8], "momentum")
    cls = getattr(MODULE, f"{kind}ParamScheduler")
    if own.pop("convert_to_iter_based", False):
        return cls.build_iter_from_epoch(optimizer, hyper, epoch_length=length, **own)
    return cls(optimizer, hyper, **own)


def stepped(given: dict[str, Any], n: int) -> dict[str, list[float]]:
    """The rate and the momentum of each update; fewer where a scheduler raises."""
    length = given.get("epoch_length")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=given["base_lr"], momentum=given.get("base_momentum", 0.9))
    found: dict[str, list[float]] = {"lr": [], "momentum": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedulers = [built(optimizer, one, length) for one in given["schedulers"]]
        for t in range(n):
            for key, values in found.items():
                values.append(optimizer.param_groups[0][key])
            optimizer.step()
            try:
                for scheduler in schedulers:
                    if not scheduler.by_epoch or length is None:
                        scheduler.step()
                for scheduler in schedulers:
                    if scheduler.by_epoch and length is not None and (t + 1) % length == 0:
                        scheduler.step()
            except (ValueError, ZeroDivisionError):
                break
    moved = {"momentum" if one["type"].endswith("Momentum") else "lr" for one in given["schedulers"]}
    return {key: values for key, values in found.items() if key in moved}


def _own(kind: str, r: random.Random, length: int, base: float) -> dict[str, Any]:
    """Arguments of a kind for a window of so many steps."""
    floor = r.choice([{}, {"eta_min": base * r.random() * 0.5}, {"eta_min_ratio": r.random() * 0.5}])
    if kind == "Constant":
        return {"factor": r.uniform(0.01, 1)}
    if kind == "Linear":
        return {"start_factor": r.uniform(0.001, 1), "end_factor": r.choice([1.0, 0.0, r.random()])}
    if kind == "Exponential":
        return {"gamma": r.choice([0.9, 0.1, 1.02, r.uniform(0.5, 1)])}
    if kind == "Step":
        return {"step_size": r.randint(1, max(1, length)), "gamma": r.choice([0.1, 0.5, 1.5])}
    if kind == "MultiStep":
        return {"milestones": sorted(r.choices(range(length + 3), k=r.randint(0, 4))), "gamma": r.choice([0.1, 0.5])}
    if kind == "CosineAnnealing":
        return floor | r.choice([{}, {}, {"T_max": r.randint(2, length + 5)}])
    if kind == "Poly":
        return {"power": r.choice([1.0, 0.9, 2.0]), "eta_min": r.choice([0.0, base * r.random() * 0.5])}
    if kind == "CosineRestart":
        count = r.randint(1, 4)
        weights = [r.uniform(0.1, 1) for _ in range(count)]
        return {"periods": [r.randint(1, length) for _ in weights], "restart_weights": weights} | (
            floor or {"eta_min": 0.0}
        )
    total = {"total_steps": r.randint(5, 80)} if r.random() < 0.3 else {}
    found = {"eta_max": base * r.uniform(0.5, 3), "pct_start": r.uniform(0.05, 0.45), "three_phase": r.random() < 0.4}
    return total | found | {"anneal_strategy": r.choice(["cos", "linear"]), "div_factor": r.uniform(2, 30)}


def _window(r: random.Random, longest: int) -> dict[str, Any]:
    begin = r.choice([0, 0, r.randint(0, longest // 2)])
    return {"begin": begin, "end": begin + r.choice([1, 2, 3, r.randint(1, longest), longest])}


def _alone(kind: str, hyper: str = "lr") -> Case:
    name = f"{kind}{'LR' if hyper == 'lr' else 'Momentum'}"

    def draw(r: random.Random) -> dict[str, Any]:
        base = {"base_lr": r.choice([1.0, r.uniform(0.001, 2)])}
        base |= {"base_momentum": r.uniform(0.5, 0.95)} if hyper == "momentum" else {}
        window = _window(r, 24)
        if (
            kind == "OneCycle"
        ):  # of fewer steps all rates are tiny, and what the library rounds is a large share of them
            window["end"] += 3
        given = (
            base | window | _own(kind, r, window["end"] - window["begin"], base.get("base_momentum", base["base_lr"]))
        )
        if r.random() < 0.2 and kind not in ("OneCycle", "Poly", "Linear", "Constant"):
            given.pop("end")
        if r.random() < 0.5:
            given |= {"epoch_length": r.randint(1, 4), "convert_to_iter_based": r.random() < 0.5}
        return given | r.choice([{}, {"by_epoch": True}])

    def run(given: dict[str, Any], n: int) -> Any:
        bases = ("base_lr", "base_momentum", "epoch_length")
        own = {key: value for key, value in given.items() if key not in bases}
        return stepped({"schedulers": [{"type": name, **own}]} | {k: given[k] for k in bases if k in given}, n)

    def updates(given: dict[str, Any]) -> int:
        """Up to where the library would climb again, or raise."""
        length = given.get("epoch_length") or 1
        begin, end = given.get("begin", 0), given.get("end", 10**9)
        open_end = end == 10**9
        last = begin + (given["T_max"] if open_end and "T_max" in given else 40 if open_end else end - begin)
        if given.get("total_steps") and given["total_steps"] < end - begin:
            last = begin + given["total_steps"]
        return max(1, last * length)

    return Case(_snake(name), draw, run, updates)


def _snake(name: str) -> str:
    head = name.removesuffix("LR")
    words = "".join(f"_{a.lower()}" if a.isupper() and i else a.lower() for i, a in enumerate(head))
    return words if head == name else f"{words}_lr"


def _several(r: random.Random) -> dict[str, Any]:
    base, length = r.choice([1.0, 0.02]), r.randint(1, 4)
    kinds = ["Linear", "Constant", "MultiStep", "CosineAnnealing", "Poly", "Exponential", "Step", "CosineRestart"]
    schedulers: list[dict[str, Any]] = []
    for _ in range(r.randint(1, 4)):
        kind, hyper = r.choice(kinds), r.choice(["LR", "LR", "Momentum"])
        window = _window(r, 16)
        given = _own(kind, r, window["end"] - window["begin"], base if hyper == "LR" else 0.9)
        if kind == "Linear":
            given["end_factor"] = r.uniform(0.1, 1)  # a value of 0 stays 0 there, of which nothing can be said
        by_epoch = r.random() < 0.4
        given |= {"by_epoch": by_epoch, "convert_to_iter_based": by_epoch and r.random() < 0.5}
        schedulers.append({"type": f"{kind}{hyper}", **window, **given})
    return {"schedulers": schedulers, "epoch_length": length, "base_lr": base}


CASES = [
    *(
        _alone(kind, hyper)
        for kind in (
            "Constant",
            "Linear",
            "Exponential",
            "Step",
            "MultiStep",
            "CosineAnnealing",
            "CosineRestart",
            "Poly",
            "OneCycle",
        )
        for hyper in (("lr", "momentum") if kind in ("Linear", "CosineAnnealing") else ("lr",))
    ),
    Case("param_scheduler", _several, stepped, lambda given: 24 * given["epoch_length"]),
]
