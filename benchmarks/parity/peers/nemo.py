"""NeMo's policies, their file alone: its package needs much that they do not."""

from __future__ import annotations

import random
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from unittest.mock import MagicMock

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from
from benchmarks.parity.torch_loop import rates

try:
    PEER, VERSION = "nemo", version("nemo-toolkit")
except PackageNotFoundError as error:
    raise ImportError("nemo-toolkit is not installed") from error
AROUND = (
    "nemo",
    "nemo.core.classes.common",
    "nemo.core.config.schedulers",
    "nemo.utils",
    "nemo.utils.model_utils",
    "omegaconf",
)
lr_scheduler = module_from("nemo", "core/optim/lr_scheduler.py", {name: MagicMock() for name in AROUND})


def ran(name: str, given: dict[str, Any], base: float, n: int) -> list[float]:
    """The rates that a policy of this name writes."""
    return rates(lambda optimizer: getattr(lr_scheduler, name)(optimizer, **given), base, n)


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        return ran(name, given, given.pop("base_lr"), n)

    return run


def _part(r: random.Random, name: str, total: int, least: int = 0) -> dict[str, Any]:
    """A length, as updates or as a share; or neither."""
    steps = r.choice([least, 1, r.randint(least, max(least, total)), r.randint(least, max(least, total // 2))])
    return r.choice([{f"{name}_steps": max(least, steps)}, {f"{name}_ratio": r.random()} if not least else {}, {}])


def _case(own: str, name: str, *, more: Any = None, floor: float = 0.9) -> Case:
    def draw(r: random.Random) -> dict[str, Any]:
        total = r.choice([1, 2, 5, r.randint(3, 300)])
        base = r.choice([1.0, 3e-4, r.uniform(1e-5, 2)])
        given = {"max_steps": total, "base_lr": base, **_part(r, "warmup", total)}
        if r.random() < 0.15:
            given = {**given, "warmup_steps": total + r.randint(0, 3)}
            given.pop("warmup_ratio", None)
        given["min_lr"] = r.choice([0.0, base * r.uniform(0, floor)])
        return given | (more(r, total, given) if more else {})

    return Case(name, draw, _run(own), lambda given: given["max_steps"])


def _held(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    return _part(r, "hold", total)


def _constant(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    found = _part(r, "constant", total)
    warm = given.get("warmup_steps") or int(given.get("warmup_ratio", 0) * total)
    constant = found.get("constant_steps") or int(found.get("constant_ratio", 0) * total)
    return {} if not warm and constant == total else found  # where it divides by zero


def _noam(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    return {"d_model": r.choice([1, 512, r.randint(1, 4096)])}


def _noam_held(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    given.pop("warmup_ratio", None)
    more = {"warmup_steps": given.get("warmup_steps") or r.randint(1, total)} | _held(r, total, given)
    return more | ({"decay_rate": r.choice([0.5, 1.0, r.uniform(0.1, 2), 0.0])} if r.random() < 0.7 else {})


def _polynomial(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    return {"power": r.choice([1.0, 2.0, r.uniform(0.3, 4)]), "cycle": r.random() < 0.5}


def _polynomial_held(r: random.Random, total: int, given: dict[str, Any]) -> dict[str, Any]:
    more = _polynomial(r, total, given) | _held(r, total, given)
    warm = given.get("warmup_steps") or int(given.get("warmup_ratio", 0) * total)
    return more | {"cycle": more["cycle"] and total - warm > 5}  # of many cycles each is a part


def _root(name: str, own: str) -> Case:
    def draw(r: random.Random) -> dict[str, Any]:
        total = r.choice([1, 2, r.randint(2, 300)])
        given = {"max_steps": total, "constant_steps": r.choice([1, r.randint(1, total), total + 2])}
        return given | {"min_lr": r.choice([0.0, 0.01]), "base_lr": r.choice([1.0, r.uniform(1e-3, 2)])}

    return Case(name, draw, _run(own), lambda given: given["max_steps"])


CASES = [
    _case("WarmupPolicy", "warmup_policy"),
    _case("WarmupHoldPolicy", "warmup_hold_policy", more=_held),
    _case("WarmupHoldAnnealOneMinusSquareRoot", "warmup_hold_anneal_one_minus_square_root", more=_held),
    _case("WarmupHoldAnnealLinear", "warmup_hold_anneal_linear", more=_held),
    _case("WarmupAnnealHoldPolicy", "warmup_anneal_hold_policy", more=_constant),
    _case("CosineAnnealing", "cosine_annealing", more=_constant),
    _case("SquareAnnealing", "square_annealing"),
    _case("SquareRootAnnealing", "square_root_annealing"),
    _case("NoamAnnealing", "noam_annealing", more=_noam, floor=0.01),
    _case("NoamHoldAnnealing", "noam_hold_annealing", more=_noam_held),
    _case("WarmupAnnealing", "warmup_annealing"),
    _case("InverseSquareRootAnnealing", "inverse_square_root_annealing"),
    _case("PolynomialDecayAnnealing", "polynomial_decay_annealing", more=_polynomial),
    _case("PolynomialHoldDecayAnnealing", "polynomial_hold_decay_annealing", more=_polynomial_held),
    _root("square_root_constant_policy", "SquareRootConstantPolicy"),
    _root("t5_inverse_square_root_annealing", "T5InverseSquareRootAnnealing"),
]
