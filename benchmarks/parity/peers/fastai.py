"""fastai: the file of its schedules, run alone, under a learner that only counts batches as fastai's does."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from enum import Enum
from importlib.metadata import version
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from fastcore.all import L, delegates, docs, even_mults, mk_class, patch, store_attr

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

PEER, VERSION = "fastai", version("fastai")


class Learner:
    """What the fit functions ask of a learner: groups with hyper-parameters, and a fit that has positions."""

    moms = (0.95, 0.85, 0.95)

    def __init__(self, lr: float, n_iter: int, groups: int = 1) -> None:
        self.lr, self.n_iter, self.groups = lr, n_iter, groups
        self.opt = self
        self.hypers = [{"lr": lr} for _ in range(groups)]
        self.found: dict[str, list[float]] = {}

    def set_hyper(self, name: str, value: Any) -> None:
        if isinstance(value, slice):
            n = self.groups
            value = (
                even_mults(value.start, value.stop, n) if value.start else [value.stop / 10] * (n - 1) + [value.stop]
            )
        for hypers, one in zip(self.hypers, np.broadcast_to(value, (self.groups,)), strict=True):
            hypers[name] = float(one)

    def freeze(self) -> None: ...

    def unfreeze(self) -> None: ...

    def fit(self, n_epoch: int, cbs: Any = None, **more: Any) -> None:
        """fastai adds 1/(n_iter·n_epoch) after each batch, and begins each epoch at epoch/n_epoch."""
        for epoch in range(n_epoch):
            position = epoch / n_epoch
            for _ in range(self.n_iter):
                for name, schedule in cbs[0].scheds.items():
                    self._note(
                        "momentum" if name == "mom" else name, np.broadcast_to(schedule(position), (self.groups,))
                    )
                position += 1.0 / (self.n_iter * n_epoch)

    def _note(self, name: str, values: Any) -> None:
        self.found.setdefault(name, []).append(float(values[-1]))
        for i, value in enumerate(values[:-1]):
            if name == "lr":
                self.found.setdefault(f"{i}/lr", []).append(float(value))


def _basics() -> ModuleType:
    found = ModuleType("fastai.basics")
    names: dict[str, Any] = {"math": math, "functools": functools, "torch": torch, "np": np, "tensor": torch.tensor}
    names |= {
        "L": L,
        "mk_class": mk_class,
        "delegates": delegates,
        "docs": docs,
        "patch": patch,
        "store_attr": store_attr,
        "Enum": Enum,
    }
    names |= {"Callback": object, "Learner": Learner, "Recorder": type("Recorder", (), {}), "Callable": Callable}
    vars(found).update(names)
    return found


Learner.fit_one_cycle = lambda self, n_epoch, lr_max=None, **more: None  # type: ignore[attr-defined]  delegates looks at it
_STUBS = {"fastai": ModuleType("fastai"), "fastai.callback": ModuleType("fastai.callback"), "fastai.basics": _basics()}
MODULE = module_from(
    "fastai", "callback/schedule.py", {**_STUBS, "fastai.callback.tracker": SimpleNamespace(SaveModelCallback=None)}
)


def _positions(schedule: Any, n: int, n_iter: int) -> list[float]:
    learner = Learner(1.0, n_iter)
    learner.fit(n // n_iter, cbs=[SimpleNamespace(scheds={"lr": schedule})])
    return learner.found["lr"]


def _run(name: str) -> Any:
    def run(given: dict[str, Any], n: int) -> list[float]:
        own = dict(given)
        total = own.pop("num_updates")
        return [getattr(MODULE, name)(**own)(t / total) for t in range(n)]

    return run


def _combine(given: dict[str, Any], n: int) -> list[float]:
    scheds = []
    for one in given["scheds"]:
        own = dict(one)
        scheds.append(getattr(MODULE, own.pop("type"))(**own))
    return _positions(MODULE.combine_scheds(list(given["pcts"]), scheds), n, given["n_iter"])


def _two(given: dict[str, Any], n: int) -> list[float]:
    own = {key: given[key] for key in ("pct", "start", "middle", "end")}
    return _positions(MODULE.combined_cos(**own), n, given["n_iter"])


def _fit(name: str) -> Any:
    def run(given: dict[str, Any], n: int) -> dict[str, list[float]]:
        own = dict(given)
        learner = Learner(own.get("base_lr", 1.0), own.pop("n_iter"), own.pop("n_groups", 1))
        if name != "fine_tune":
            own.pop("base_lr", None)
        getattr(Learner, name)(learner, **own)
        return learner.found

    return run


def _ends(r: random.Random) -> dict[str, Any]:
    return {"start": r.uniform(0.01, 1), "end": r.uniform(0.01, 1), "num_updates": r.choice([1, 2, r.randint(1, 60)])}


def _pcts(r: random.Random) -> list[float]:
    first = r.choice([0.25, 0.5, r.random()])
    middle = 1 - first
    return r.choice([[1.0], [first, middle], [0.25, 0.25, 0.5]])


def _scheds(r: random.Random) -> dict[str, Any]:
    pcts, n_iter = _pcts(r), r.randint(1, 9)
    kinds = [r.choice(["SchedLin", "SchedCos", "SchedNo", "SchedExp", "SchedPoly"]) for _ in pcts]
    scheds: list[dict[str, Any]] = [
        {"type": kind, "start": r.uniform(0.1, 1), "end": r.uniform(0.1, 1)} for kind in kinds
    ]
    for one in scheds:
        one |= {"power": r.choice([1.0, 2.0, 0.5])} if one["type"] == "SchedPoly" else {}
    return {"pcts": pcts, "scheds": scheds, "n_iter": n_iter, "num_updates": n_iter * r.randint(1, 6)}


def _cycle(r: random.Random) -> dict[str, Any]:
    found = {
        "n_epoch": r.randint(1, 6),
        "n_iter": r.randint(1, 9),
        "pct_start": r.choice([0.25, r.uniform(0.01, 0.99)]),
    }
    found |= {"div_final": r.choice([1e5, 10.0]), "base_lr": r.choice([1.0, 1e-3])}
    return found | r.choice([{}, {"lr_max": 0.01}]) if found["base_lr"] == 1.0 else found


def _flat(r: random.Random) -> dict[str, Any]:
    found = _cycle(r)
    if "lr_max" in found:
        found["lr"] = found.pop("lr_max")
    return found


def _one(r: random.Random) -> dict[str, Any]:
    return _cycle(r) | {"div": r.choice([25.0, 5.0]), "moms": r.choice([None, [0.9, 0.8, 0.95]])}


def _sgdr(r: random.Random) -> dict[str, Any]:
    cycles, longer = r.choice([(1, 2), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3)])
    first = r.randint(1, 2)
    epochs = first * (longer**cycles - 1) // (longer - 1)
    if sum(first * longer**i / epochs for i in range(cycles)) != 1.0:
        cycles = 1  # where rounding keeps the shares from adding up, fastai fails
    return {"n_cycles": cycles, "cycle_len": first, "cycle_mult": longer, "n_iter": r.randint(1, 7), "base_lr": 0.01}


def _fine(r: random.Random) -> dict[str, Any]:
    found = {"epochs": r.randint(1, 4), "n_iter": r.randint(1, 9), "freeze_epochs": r.randint(1, 2)}
    return found | {
        "base_lr": r.uniform(1e-4, 1e-2),
        "n_groups": r.choice([1, 2, 3]),
        "lr_mult": r.choice([100.0, 10.0]),
    }


def _case(name: str, draw: Any, run: Any, updates: Any, tolerance: float = 2e-6) -> Case:
    return Case(name, draw, run, updates, after=0, tolerance=tolerance)


def _in_run(given: dict[str, Any]) -> int:
    return given["num_updates"]


CASES = [
    *(
        _case(name, _ends, _run(own), _in_run, 1e-12)
        for name, own in (
            ("sched_lin", "SchedLin"),
            ("sched_cos", "SchedCos"),
            ("sched_no", "SchedNo"),
            ("sched_exp", "SchedExp"),
        )
    ),
    _case("sched_poly", lambda r: {**_ends(r), "power": r.uniform(0.3, 4)}, _run("SchedPoly"), _in_run, 1e-12),
    _case("combine_scheds", _scheds, _combine, _in_run),
    _case(
        "combined_cos",
        lambda r: {
            "pct": r.choice([0.25, r.uniform(0.01, 0.99)]),
            "start": r.random(),
            "middle": r.random(),
            "end": r.random(),
            "n_iter": 5,
            "num_updates": 5 * r.randint(1, 9),
        },
        _two,
        _in_run,
    ),
    _case("fit_one_cycle", _one, _fit("fit_one_cycle"), lambda given: given["n_epoch"] * given["n_iter"]),
    _case("fit_flat_cos", _flat, _fit("fit_flat_cos"), lambda given: given["n_epoch"] * given["n_iter"]),
    _case(
        "fit_sgdr",
        _sgdr,
        _fit("fit_sgdr"),
        lambda g: g["cycle_len"] * (g["cycle_mult"] ** g["n_cycles"] - 1) // (g["cycle_mult"] - 1) * g["n_iter"],
    ),
    _case(
        "fine_tune",
        _fine,
        _fit("fine_tune"),
        lambda given: (given["epochs"] + given["freeze_epochs"]) * given["n_iter"],
    ),
]
