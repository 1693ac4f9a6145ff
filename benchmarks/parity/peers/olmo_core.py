"""OLMo-core: its schedulers' file alone, driven as its trainer drives them: the step, and the tokens, are raised before use."""

from __future__ import annotations

import enum
import math
import random
import warnings
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

PEER, VERSION = "olmo_core", version("ai2-olmo-core")


class _StrEnum(enum.StrEnum):
    pass


class _Registrable:
    registered: dict[str, Any] = {}  # noqa: RUF012  by name, as there

    @classmethod
    def register(cls, name: str) -> Any:
        return lambda one: cls.registered.setdefault(name, one)


_olmo = module_from(
    "olmo_core",
    "optim/scheduler.py",
    {
        "olmo_core": SimpleNamespace(__path__=[]),
        "olmo_core.optim": SimpleNamespace(__path__=[]),
        "olmo_core.config": SimpleNamespace(Config=type("Config", (), {}), Registrable=_Registrable, StrEnum=_StrEnum),
        "olmo_core.distributed": SimpleNamespace(__path__=[]),
        "olmo_core.distributed.utils": SimpleNamespace(get_rank=lambda: 0),
        "olmo_core.exceptions": SimpleNamespace(
            OLMoConfigurationError=type("OLMoConfigurationError", (Exception,), {})
        ),
        "olmo_core.optim.config": SimpleNamespace(INITIAL_LR_FIELD="initial_lr", LR_FIELD="lr"),
    },
)
TRAINER = ("base_lr", "max_steps", "max_tokens", "tokens_per_step")


def build(name: str, given: dict[str, Any]) -> Any:
    """A scheduler of theirs; parts are given as mappings."""
    if "stages" in given:
        given["stages"] = [_olmo.ComposableSchedulerStage(**stage) for stage in given["stages"]]
    if "schedulers" in given:
        given["schedulers"] = [
            build(one["type"], {k: v for k, v in one.items() if k != "type"}) for one in given["schedulers"]
        ]
    if given.get("override_decay"):
        given["override_decay"] = _olmo.OverrideDecay(**given["override_decay"])
    return _Registrable.registered[name](**given)


def updates(arguments: dict[str, Any]) -> int:
    """In the run."""
    return (
        math.ceil(arguments["max_tokens"] / arguments["tokens_per_step"])
        if "max_tokens" in arguments
        else arguments["max_steps"]
    )


def run(name: str, arguments: dict[str, Any], n: int) -> list[float]:
    """The rates of the first n updates, through set_lr; fewer where it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = build(name, {key: value for key, value in arguments.items() if key not in TRAINER})
        group, found = {"params": [], "lr": arguments["base_lr"]}, []
        trainer = SimpleNamespace(max_steps=arguments.get("max_steps"), max_tokens=arguments.get("max_tokens"))
        for step in range(1, n + 1):
            trainer.global_step = step
            trainer.global_train_tokens_seen = step * arguments.get("tokens_per_step", 0)
            try:
                found.append(scheduler.set_lr(group, trainer))
            except (ZeroDivisionError, AssertionError):
                break
    return found


def _case(name: str, own: str, draw: Any) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        total, size = r.choice([1, 2, 5, r.randint(3, 300)]), 1
        given: dict[str, Any] = {"base_lr": r.choice([1.0, 3e-4, r.uniform(1e-5, 2)])}
        if r.random() < 0.4:
            size = r.randint(1, 1000)
            total = total * size - (r.randint(0, size - 1) if r.random() < 0.5 else 0)
            given |= {"units": "tokens", "max_tokens": total, "tokens_per_step": size}
        else:
            given |= {"units": "steps", "max_steps": total}
        return given | draw(r, total, given["base_lr"])

    return Case(name, arguments, lambda given, n: run(own, dict(given), n), updates)


def _warm(r: random.Random, total: int, base: float, most: int | None = None) -> dict[str, Any]:
    least = total if most is None else most
    given: dict[str, Any] = {"warmup_min_lr": base * r.uniform(0, 0.4)} if r.random() < 0.5 else {}
    if r.random() < 0.3:
        return given | {"warmup_fraction": r.choice([0.0, 0.1, 0.5, r.random() * least / total])}
    return given | {"warmup": r.choice([0, 1, r.randint(0, least), least])}


def _fallen(r: random.Random, total: int, base: float) -> dict[str, Any]:
    given = _warm(r, total, base) | {"alpha_f": r.choice([0.0, 0.1, 1.0, r.random()])}
    if r.random() < 0.3:
        given["t_max"] = r.randint(max(1, total // 2), 2 * total)
    return given


def _tailed(r: random.Random, total: int, base: float) -> dict[str, Any]:
    given = _warm(r, total, base) | ({"decay_min_lr": base * r.uniform(0, 0.4)} if r.random() < 0.5 else {})
    return given | {"decay": r.randint(1, total), "decay_fraction": None}


def _power(r: random.Random, total: int, base: float) -> dict[str, Any]:
    warm = r.randint(1, total)
    given: dict[str, Any] = {"warmup": warm, "b": r.choice([-0.51, -r.uniform(0.1, 1.5)])}
    given |= {"decay": r.randint(0, total - 1) or 1, "decay_fraction": None}
    return given if given["decay"] < total else given | {"warmup": 1, "decay": 1} | ({"max_steps": 5, "units": "steps"})


def _cosine_tail(r: random.Random, total: int, base: float) -> dict[str, Any]:
    given = _fallen(r, total, base) | {"decay": r.randint(1, total), "decay_fraction": None, "decay_min_lr": 0.0}
    return given | {"alpha_f": r.uniform(0.05, 1), "warmup_min_lr": base * r.uniform(0.01, 0.4)}


def _wsds(r: random.Random, total: int, base: float) -> dict[str, Any]:
    lengths = [
        r.randint(1000, 1000 + total) if r.random() < 0.5 else 1000 * r.randint(1, 4) for _ in range(r.randint(1, 4))
    ]
    down = r.randint(1, min(lengths))
    given: dict[str, Any] = {"period_lengths": lengths, "decay": down, "warmup": r.randint(0, lengths[0] - down)}
    if r.random() < 0.5:
        given["period_lr_multipliers"] = [r.uniform(0.5, 2) for _ in lengths]
    given |= {"units": "tokens", "tokens_per_step": r.choice([50, 500, 1000]), "max_tokens": sum(lengths)}
    return given | ({"decay_min_lr": base * r.uniform(0, 0.4)} if r.random() < 0.5 else {})


def _level(r: random.Random, name: str, base: float) -> dict[str, Any]:
    return {f"{name}_fraction": r.uniform(0, 1.5)} if r.random() < 0.5 else {name: base * r.uniform(0, 1)}


def _composable(r: random.Random, total: int, base: float) -> dict[str, Any]:
    stages = []
    for _ in range(r.randint(1, 4)):
        stage = {"duration": r.randint(1, max(1, total)), "shape": r.choice(["linear", "cosine"])}
        stages.append(stage | _level(r, "end_lr", base) | (_level(r, "start_lr", base) if r.random() < 0.5 else {}))
    over = {"start": r.randint(0, 2 * total), "duration": r.randint(1, total), "shape": r.choice(["linear", "cosine"])}
    return {"stages": stages} | ({"override_decay": over | _level(r, "end_lr", base)} if r.random() < 0.4 else {})


def _sequential(r: random.Random, total: int, base: float) -> dict[str, Any]:
    total = r.randint(20, 300)
    first = r.randint(4, total // 2)
    parts = [{"type": "constant_with_warmup", "warmup": r.randint(1, first)}]
    parts += [{"type": "cos_with_warmup", "warmup": 0, "alpha_f": r.uniform(0.1, 1), "t_max": r.randint(5, 300)}]
    given: dict[str, Any] = {"units": "steps", "max_steps": total, "schedulers": parts, "schedulers_max": [first]}
    if r.random() < 0.4:
        over = {"start": r.randint(1, total), "duration": r.randint(1, total), "shape": "cosine"}
        given["override_decay"] = over | _level(r, "end_lr", base)
    return given


CASES = [
    _case("constant_scheduler", "constant", lambda r, total, base: {}),
    _case("constant_with_warmup", "constant_with_warmup", _warm),
    _case("linear_with_warmup", "linear_with_warmup", _fallen),
    _case("cos_with_warmup", "cos_with_warmup", _fallen),
    _case("half_cos_with_warmup", "half_cos_with_warmup", _fallen),
    _case("inv_sqrt_with_warmup", "inv_sqrt_with_warmup", lambda r, t, b: _warm(r, t, b) | {"alpha_f": r.random()}),
    _case("wsd", "wsd", _tailed),
    _case("power_lr", "power_lr", _power),
    _case("cos_with_warmup_and_linear_decay", "cos_with_warmup_and_linear_decay", _cosine_tail),
    _case("wsds", "wsds", _wsds),
    _case("exponential_scheduler", "exponential", lambda r, total, base: {"lr_min": base * 10 ** r.uniform(-6, -1)}),
    _case("composable_scheduler", "composable", _composable),
    _case("sequential_scheduler", "sequential", _sequential),
]
