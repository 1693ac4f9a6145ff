"""optax: every schedule called with all updates at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.parity.case import Case
from preheat import parse

PEER, VERSION = "optax", optax.__version__
TOLERANCE = 2e-6  # it computes in single precision


def values(schedule: Callable[[Any], Any], n: int, compiled: bool = True) -> list[float]:
    """The values of updates 0 … n − 1; a staircase is not compiled, and asked for one at a time, or it steps late."""
    if not compiled:
        return [float(schedule(update)) for update in range(n)]
    return jnp.broadcast_to(jax.vmap(schedule)(jnp.arange(n)), (n,)).tolist()


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        given = dict(arguments)
        given.pop("base_lr", None)  # the optimizer is given the schedule
        if "schedules" in given:
            given["schedules"] = [parse(one) for one in given["schedules"]]
        return values(getattr(optax.schedules, name)(**given), n, not given.get("staircase"))

    return run


def _case(name: str, draw: Any) -> Case:
    return Case(name, draw, _run(name), _updates, tolerance=TOLERANCE)


def _updates(given: dict[str, Any]) -> int:
    """A short run where everything in it is short."""
    return 28 if _longest(given) <= 25 else 120


def _longest(value: Any) -> float:
    if isinstance(value, dict):
        return max((_longest(one) for one in [*value, *value.values()]), default=0)
    if isinstance(value, list):
        return max(map(_longest, value), default=0)
    return int(value) if isinstance(value, str) and value.isdigit() else value if isinstance(value, int | float) else 0


def _length(r: random.Random) -> int:
    return r.choice([1, 2, r.randint(1, 20), r.randint(1, 90), 150])


def _linear(r: random.Random) -> dict[str, Any]:
    given = {"init_value": r.choice([0.0, r.uniform(0, 1)]), "end_value": r.choice([0.0, r.uniform(0, 1)])}
    given |= {"transition_steps": r.choice([0, -1, _length(r), _length(r)])}
    return given | ({"transition_begin": r.choice([-3, 1, r.randint(0, 50)])} if r.random() < 0.5 else {})


def _exponential(r: random.Random) -> dict[str, Any]:
    given = {"init_value": r.choice([0.0, -0.1, r.uniform(0.01, 1)]), "transition_steps": r.choice([0, _length(r), 5])}
    given |= {"decay_rate": r.choice([0.0, 1.0, 0.5, 0.9, 1.0 + r.randint(1, 4) / 64, r.uniform(0.3, 1)])}
    given |= {"transition_begin": r.choice([0, -2, r.randint(0, 20)]), "staircase": r.random() < 0.5}
    return given | ({"end_value": r.choice([r.uniform(0, 1.5), 0.0])} if r.random() < 0.5 else {})


def _cosine(r: random.Random) -> dict[str, Any]:
    given = {"init_value": r.uniform(0.01, 2), "decay_steps": r.choice([_length(r), r.uniform(0.5, 90)])}
    given |= {"alpha": r.choice([0.0, 1.0, r.uniform(0, 1.2)])} if r.random() < 0.7 else {}
    return given | ({"exponent": r.choice([0.0, 0.5, 2.0, r.uniform(0.2, 4)])} if r.random() < 0.5 else {})


def _scales(r: random.Random) -> dict[str, Any]:
    most = r.choice([20, 100])
    scales = {str(r.randint(0, most)): r.choice([0.0, 0.1, r.uniform(0, 3)]) for _ in range(r.randint(0, 4))}
    return {"init_value": r.uniform(0.01, 1), "boundaries_and_scales": scales}


def _with_whole_keys(case: Case) -> Case:
    """JSON has texts for its keys, and optax wants numbers."""

    def run(arguments: dict[str, Any], n: int) -> Any:
        given = arguments["boundaries_and_scales"]
        return case.run(arguments | {"boundaries_and_scales": {int(key): scale for key, scale in given.items()}}, n)

    return case._replace(run=run)


def _onecycle(r: random.Random) -> dict[str, Any]:
    given: dict[str, Any] = {
        "transition_steps": r.choice([1, 2, 3, r.randint(1, 25), r.randint(1, 110)]),
        "peak_value": r.uniform(0.01, 2),
    }
    given |= {"pct_start": r.choice([0.0, r.uniform(0, 0.6)])} if r.random() < 0.5 else {}
    return given | ({"div_factor": r.uniform(1, 30), "final_div_factor": r.uniform(1, 20)} if r.random() < 0.5 else {})


def _warmup(r: random.Random) -> dict[str, Any]:
    ends = {"init_value": r.choice([0.0, r.uniform(0, 1)]), "peak_value": r.choice([1.0, r.uniform(0.01, 1)])}
    return ends | {"warmup_steps": r.choice([0, 1, r.randint(0, 9), r.randint(0, 60)])}


def _warmup_cosine(r: random.Random) -> dict[str, Any]:
    given = _warmup(r)
    given |= {"decay_steps": given["warmup_steps"] + r.choice([1, 2, r.randint(1, 15), r.randint(1, 60)])}
    given |= {"end_value": r.uniform(0, 0.5)} if r.random() < 0.5 else {}
    return given | ({"exponent": r.choice([0.5, 2.0, r.uniform(0.2, 4)])} if r.random() < 0.5 else {})


def _warmup_exponential(r: random.Random) -> dict[str, Any]:
    return _exponential(r) | _warmup(r) | {"peak_value": r.uniform(0.01, 1)}


def _join(r: random.Random) -> dict[str, Any]:
    texts = [
        "warmup(7)",
        "decay(20, shape=cosine)",
        "hold(0.3)",
        "ramp(0.2, 1, 3)",
        "invsqrt(9)",
        "decay(5).repeated()",
    ]
    boundaries = sorted(r.choice([0, 1, r.randint(0, 20), r.randint(0, 100)]) for _ in range(r.randint(0, 3)))
    return {"schedules": [r.choice(texts) for _ in range(len(boundaries) + 1)], "boundaries": boundaries}


CASES = [
    _case("constant_schedule", lambda r: {"value": r.uniform(0, 1)}),
    _case("linear_schedule", _linear),
    _case("polynomial_schedule", lambda r: _linear(r) | {"power": r.choice([0.0, 1.0, 2, r.uniform(0.2, 4)])}),
    _case("exponential_decay", _exponential),
    _case("cosine_decay_schedule", _cosine),
    _with_whole_keys(_case("piecewise_constant_schedule", _scales)),
    _with_whole_keys(
        _case(
            "piecewise_interpolate_schedule",
            lambda r: _scales(r) | {"interpolate_type": r.choice(["linear", "cosine"])},
        )
    ),
    _case("linear_onecycle_schedule", lambda r: _onecycle(r) | {"pct_final": r.uniform(0.6, 1)}),
    _case("cosine_onecycle_schedule", _onecycle),
    _case("warmup_constant_schedule", _warmup),
    _case("warmup_cosine_decay_schedule", _warmup_cosine),
    _case("warmup_exponential_decay_schedule", _warmup_exponential),
    _case(
        "sgdr_schedule",
        lambda r: (
            {"cosine_kwargs": [_warmup_cosine(r) for _ in range(r.randint(1, 4))]} | {"base_lr": r.uniform(0.1, 2)}
        ),
    ),
    _case("join_schedules", _join),
]
