"""fvcore: each ParamScheduler called with where = t/T."""

from __future__ import annotations

import random
from typing import Any

import fvcore
from fvcore.common import param_scheduler

from benchmarks.parity.case import Case

PEER, VERSION = "fvcore", fvcore.__version__


def made(given: dict[str, Any]) -> Any:
    """The scheduler of a mapping with its class under "type"; those of a composite inside."""
    arguments = dict(given)
    kind = arguments.pop("type")
    if "schedulers" in arguments:
        arguments["schedulers"] = [made(one) for one in arguments["schedulers"]]
        arguments["lengths"] = list(arguments["lengths"])
    return getattr(param_scheduler, kind)(**arguments)


def values(scheduler: Any, total: int, n: int) -> list[float]:
    """What it gives, up to where it fails."""
    found: list[float] = []
    for t in range(n):
        try:
            value = scheduler(t / total)
        except (RuntimeError, IndexError, ZeroDivisionError):
            break
        if isinstance(value, complex):
            break
        found.append(value)
    return found


def _case(name: str, kind: str, draw: Any) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        total = r.choice([1, 2, 10, r.randint(3, 300)])
        return {**draw(r, total), "max_iter": total, "base_lr": r.choice([1.0, r.uniform(1e-4, 2)])}

    def run(given: dict[str, Any], n: int) -> list[float]:
        own = dict(given)
        total, base = own.pop("max_iter"), own.pop("base_lr")
        return [value * base for value in values(made({"type": kind, **own}), total, n)]

    return Case(name, arguments, run, lambda given: given["max_iter"])


def _ends(r: random.Random, total: int) -> dict[str, Any]:
    return {"start_value": r.uniform(0.01, 1), "end_value": r.choice([0.0, r.uniform(0, 2)])}


def _multi(r: random.Random, total: int) -> dict[str, Any]:
    n = r.randint(1, 5)
    scale = r.choice([total, 90, 1000]) + n
    values = [r.uniform(0.01, 1) for _ in range(n)]
    if r.random() < 0.3:
        return {"values": values, "num_updates": n * r.randint(2, 20) + 1}
    return {"values": values, "num_updates": scale, "milestones": sorted(r.sample(range(1, scale), n - 1))}


def _part(r: random.Random) -> dict[str, Any]:
    kind = r.choice(["Constant", "Cosine", "Linear", "Exponential", "PolynomialDecay", "Step", "MultiStep"])
    given: dict[str, Any] = {"type": f"{kind}ParamScheduler"}
    if kind == "Constant":
        return given | {"value": r.uniform(0, 1)}
    if kind in ("Cosine", "Linear"):
        return given | _ends(r, 0)
    if kind == "Exponential":
        return given | {"start_value": r.uniform(0.1, 1), "decay": r.uniform(0.01, 1.5)}
    if kind == "PolynomialDecay":
        return given | {"base_value": r.uniform(0.1, 1), "power": r.choice([1.0, 2.0])}
    if kind == "Step":
        return given | {"values": [1.0, 0.5, 0.1], "num_updates": 3}
    return given | {"values": [1.0, 0.3, 0.2], "milestones": [3, 8], "num_updates": 10}


def _composite(r: random.Random, total: int) -> dict[str, Any]:
    n = r.randint(1, 4)
    cuts = sorted(r.choice([r.randint(0, total) / total, r.random()]) for _ in range(n - 1))
    lengths = [b - a for a, b in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
    scaling = [r.choice(["fixed", "rescaled"]) if length > 1e-3 else "fixed" for length in lengths]
    return {"schedulers": [_part(r) for _ in range(n)], "lengths": lengths, "interval_scaling": scaling}


CASES = [
    _case("constant_param_scheduler", "ConstantParamScheduler", lambda r, t: {"value": r.uniform(0, 1)}),
    _case("cosine_param_scheduler", "CosineParamScheduler", _ends),
    _case("linear_param_scheduler", "LinearParamScheduler", _ends),
    _case(
        "exponential_param_scheduler",
        "ExponentialParamScheduler",
        lambda r, t: {"start_value": r.uniform(0.1, 2), "decay": r.choice([1.0, 1e-4, r.uniform(0.01, 3)])},
    ),
    _case(
        "polynomial_decay_param_scheduler",
        "PolynomialDecayParamScheduler",
        lambda r, t: {"base_value": r.uniform(0.1, 2), "power": r.choice([1.0, 2.0, 3.0, r.uniform(0.3, 4)])},
    ),
    _case(
        "step_param_scheduler",
        "StepParamScheduler",
        lambda r, t: {"values": [r.uniform(0, 1) for _ in range(r.randint(1, 7))], "num_updates": t},
    ),
    _case(
        "step_with_fixed_gamma_param_scheduler",
        "StepWithFixedGammaParamScheduler",
        lambda r, t: {
            "base_value": r.uniform(0.1, 2),
            "num_decays": r.randint(1, 6),
            "gamma": r.uniform(0.1, 0.9),
            "num_updates": t,
        },
    ),
    _case("multi_step_param_scheduler", "MultiStepParamScheduler", _multi),
    _case("composite_param_scheduler", "CompositeParamScheduler", _composite),
]
