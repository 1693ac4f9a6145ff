"""fairseq: the files of its schedulers alone, driven as its trainer does: step_update(t) gives the rate of update t."""

from __future__ import annotations

import dataclasses
import logging
import random
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

PEER = "fairseq"
VERSION = module_from("fairseq", "version.py").__version__


class _Scheduler:
    def __init__(self, cfg: Any, optimizer: Any) -> None:
        self.cfg, self.optimizer = cfg, optimizer

    def step(self, epoch: int, val_loss: Any = None) -> None:
        pass

    def step_begin_epoch(self, epoch: int) -> None:
        pass


def _registered(name: str, dataclass: Any = None) -> Any:
    def register(cls: Any) -> Any:
        cls.config = dataclass
        return cls

    return register


_BASE = SimpleNamespace(
    __path__=[], FairseqLRScheduler=_Scheduler, LegacyFairseqLRScheduler=_Scheduler, register_lr_scheduler=_registered
)
_STUBS = {
    "fairseq": SimpleNamespace(__path__=[]),
    "fairseq.dataclass": SimpleNamespace(FairseqDataclass=object),
    "fairseq.optim": SimpleNamespace(__path__=[]),
    "fairseq.optim.lr_scheduler": _BASE,
    "omegaconf": SimpleNamespace(II=lambda key: 0),
}
FILES = {
    "fixed": ("fixed_schedule", "FixedLRSchedule"),
    "inverse_sqrt": ("inverse_square_root_schedule", "InverseSquareRootSchedule"),
    "cosine": ("cosine_lr_scheduler", "CosineLRSchedule"),
    "polynomial_decay": ("polynomial_decay_schedule", "PolynomialDecayLRSchedule"),
    "tri_stage": ("tri_stage_lr_scheduler", "TriStageLRSchedule"),
    "triangular": ("triangular_lr_scheduler", "TriangularLRSchedule"),
    "step": ("step_lr_scheduler", "StepLRSchedule"),
    "manual": ("manual_lr_scheduler", "ManualSchedule"),
}
logging.getLogger("stubbed_fairseq_manual_lr_scheduler").disabled = True  # a warning for every update without a rate
CLASSES = {
    name: getattr(module_from("fairseq", f"optim/lr_scheduler/{file}.py", _STUBS), own)
    for name, (file, own) in FILES.items()
}


class _Optimizer:
    lr = 0.0

    def set_lr(self, lr: float) -> None:
        self.lr = lr

    def get_lr(self) -> float:
        return self.lr


def run(name: str, arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1."""
    given = dict(arguments)
    del given["base_lr"]  # which it writes over
    epoch, lr = given.pop("updates_per_epoch", None) or n, given.pop("lr")
    given["lr"] = lr if isinstance(lr, list) else [lr]
    own = CLASSES[name]
    if own.config is None:
        config: Any = SimpleNamespace(**{"epoch2lr": "{}", "update2lr": "{}"} | given)
    else:
        known = {field.name: field.default for field in dataclasses.fields(own.config)}
        config = SimpleNamespace(**known | given)
    optimizer, found = _Optimizer(), []
    scheduler = own(config, optimizer)
    scheduler.step_update(0)
    for t in range(n):
        if t % epoch == 0:
            scheduler.step_begin_epoch(t // epoch + 1)
            scheduler.step_update(t)
        found.append(optimizer.get_lr())
        scheduler.step_update(t + 1)
    return found


def _case(name: str, draw: Any, updates: Any) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        common = {"lr": r.choice([5e-4, r.uniform(1e-5, 1)]), "base_lr": r.choice([1.0, 0.5])}
        return common | draw(r, common["lr"])

    return Case(name, arguments, lambda given, n: run(name, given, n), updates)


def _fixed(r: random.Random, lr: float) -> dict[str, Any]:
    given: dict[str, Any] = {
        "warmup_updates": r.choice([0, 1, r.randint(2, 60)]),
        "updates_per_epoch": r.randint(3, 40),
    }
    if r.random() < 0.5:
        given["lr"] = [r.uniform(1e-5, 1) for _ in range(r.randint(1, 4))]
    return given | ({"force_anneal": r.randint(0, 6), "lr_shrink": r.uniform(0.1, 1)} if r.random() < 0.5 else {})


def _start(r: random.Random, lr: float) -> dict[str, Any]:
    return {"warmup_init_lr": lr * r.random()} if r.random() < 0.5 else {}


def _cosine(r: random.Random, lr: float) -> dict[str, Any]:
    total = r.randint(5, 300)
    given = {
        "max_update": total,
        "warmup_updates": r.choice([0, 1, r.randint(0, total - 1)]),
        "min_lr": lr * r.choice([0, 0.1]),
    }
    given |= _start(r, lr) | {"lr_shrink": r.choice([0.1, 1.0, r.random()])}
    if r.random() < 0.6:
        given |= {
            "lr_period_updates": r.choice([7, max(2, total // 3), r.uniform(2, 100)]),
            "t_mult": r.choice([1.0, 2.0, 1.37]),
        }
    return given


def _polynomial(r: random.Random, lr: float) -> dict[str, Any]:
    total = r.choice([1, 2, r.randint(3, 300)])
    given = {"total_num_update": total, "warmup_updates": r.choice([0, 1, r.randint(0, total), total, total + 2])}
    return given | {
        "end_learning_rate": lr * r.choice([0, 0.1, r.random()]),
        "power": r.choice([1.0, 2.0, r.uniform(0.3, 4)]),
    }


def _stages(r: random.Random, lr: float) -> dict[str, Any]:
    scales = {"init_lr_scale": r.uniform(0, 1), "final_lr_scale": r.uniform(0.01, 1)}
    if r.random() < 0.4:
        return scales | {"phase_ratio": [0.1, 0.4, 0.5], "max_update": r.randint(2, 300)}
    stages = {"warmup_steps": r.randint(0, 50), "hold_steps": r.randint(0, 50), "decay_steps": r.randint(1, 50)}
    return scales | stages


def _triangular(r: random.Random, lr: float) -> dict[str, Any]:
    period = r.choice([2, 7, 20, r.uniform(4, 99)])
    return {
        "max_lr": lr * r.uniform(1.1, 10),
        "lr_period_updates": period,
        "lr_shrink": r.random(),
        "shrink_min": r.random() < 0.5,
    }


def _steps(r: random.Random, lr: float) -> dict[str, Any]:
    given = {"warmup_updates": r.choice([0, 1, r.randint(0, 60)]), "min_lr": lr * r.choice([0, 0.1])} | _start(r, lr)
    return given | {"lr_deacy_period": r.randint(1, 60), "lr_decay": r.random()}


def _manual(r: random.Random, lr: float) -> dict[str, Any]:
    given: dict[str, Any] = {"updates_per_epoch": r.randint(3, 40)}
    if r.random() < 0.7:
        given["epoch2lr"] = str({"1": lr, f"{r.randint(2, 4)}-6": r.random(), "9,11": r.random()})
    if r.random() < 0.7:
        given["update2lr"] = str({str(r.randint(1, 200)): r.random() for _ in range(3)})
    return given


def _always(given: dict[str, Any]) -> int:
    return 60


CASES = [
    _case("fixed", _fixed, _always),
    _case("inverse_sqrt", lambda r, lr: {"warmup_updates": r.choice([1, r.randint(2, 150)])} | _start(r, lr), _always),
    _case("cosine", _cosine, lambda given: given["max_update"]),
    _case("polynomial_decay", _polynomial, lambda given: given["total_num_update"]),
    _case("tri_stage", _stages, _always),
    _case("triangular", _triangular, _always),
    _case("step", _steps, _always),
    _case("manual", _manual, _always),
]
