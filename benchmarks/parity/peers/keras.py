"""Keras, on PyTorch: every schedule called update by update."""

from __future__ import annotations

import os
import random
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from benchmarks.parity.case import Case

PEER, VERSION = "keras", keras.__version__
TOLERANCE = 2e-6  # it computes in single precision


def _run(name: str) -> Any:
    def run(arguments: dict[str, Any], n: int) -> list[float]:
        schedule = getattr(keras.optimizers.schedules, name)(**arguments)
        return [float(schedule(update)) for update in range(n)]

    return run


def _case(name: str, own: str, draw: Any) -> Case:
    return Case(name, draw, _run(own), lambda given: 60, tolerance=TOLERANCE)


def _initial(r: random.Random) -> dict[str, Any]:
    return {"initial_learning_rate": r.choice([r.uniform(1e-4, 1), 1.0, 0.1, 0, 1, 3])}


def _length(r: random.Random) -> int:
    return r.choice([1, 2, r.randint(1, 50), 100])


def _rated(r: random.Random) -> dict[str, Any]:
    given = {"decay_steps": _length(r), "decay_rate": r.choice([0.5, 0.96, 1.0, 0.0, r.uniform(0.1, 1)])}
    return _initial(r) | given | {"staircase": r.random() < 0.5}


def _piecewise(r: random.Random) -> dict[str, Any]:
    boundaries = sorted(r.choice([0, r.randint(0, 60)]) for _ in range(r.randint(1, 4)))
    return {"boundaries": boundaries, "values": [r.uniform(0, 1) for _ in range(len(boundaries) + 1)]}


def _polynomial(r: random.Random) -> dict[str, Any]:
    given = {"decay_steps": _length(r), "cycle": r.random() < 0.5, "power": r.choice([1.0, 2.0, r.uniform(0.3, 3)])}
    return _initial(r) | given | ({"end_learning_rate": r.choice([0.0, r.uniform(0, 0.5)])} if r.random() < 0.7 else {})


def _cosine(r: random.Random) -> dict[str, Any]:
    given = _initial(r) | {"decay_steps": _length(r), "alpha": r.choice([0.0, r.uniform(0, 1)])}
    if r.random() < 0.3:
        return given | {"warmup_steps": r.randint(0, 9)}
    return given | {
        "warmup_target": r.choice([r.uniform(0, 2), 1.0, 2]),
        "warmup_steps": r.choice([0, 1, r.randint(0, 70)]),
    }


def _restarts(r: random.Random) -> dict[str, Any]:
    given = _initial(r) | {
        "first_decay_steps": _length(r),
        "t_mul": r.choice([1.0, 2.0, 4.0]),
        "m_mul": r.uniform(0.3, 1),
    }
    return given | {"alpha": r.choice([0.0, r.uniform(0, 1)])}


CASES = [
    _case("exponential_decay", "ExponentialDecay", _rated),
    _case("piecewise_constant_decay", "PiecewiseConstantDecay", _piecewise),
    _case("polynomial_decay", "PolynomialDecay", _polynomial),
    _case("inverse_time_decay", "InverseTimeDecay", _rated),
    _case("cosine_decay", "CosineDecay", _cosine),
    _case("cosine_decay_restarts", "CosineDecayRestarts", _restarts),
]
