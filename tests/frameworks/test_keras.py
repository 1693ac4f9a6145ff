"""Keras 3 on each of its backends: what `keras_run.py` found there, against the schedule's own values."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import preheat as ph

SCRIPT = Path(__file__).with_name("keras_run.py")
BACKENDS = [name for name in ("jax", "torch", "tensorflow") if find_spec(name) is not None]
NEAR = 6e-7  # relative: what float32 leaves of a value that is known to float64
UPDATES, PEAK = 24, 3e-3
RUN = ph.Run(total=UPDATES)
WARMUP = ph.warmup("25%") >> ph.decay(to=0.1, shape="cosine")
RATES = WARMUP.bind(RUN, peak=PEAK).table(40)
EVERY = (  # each way in which a namespace divides time; the same in keras_run.py
    "(warmup(4) >> hold(1.0, 3) >> decay(9, shape='sqrt')).repeated(3, stretch=1.5, shrink=0.5)",
    "steps([1.0, 0.5, 0.25], [5, 7, 9]) * decay(40, shape=power(1.7))",
    "decay(40, shape='log').stepwise(3).clipped(0.2, 0.9) + invsqrt(7).scaled(0.1)",
    "upper(ramp(0.01, 1.0, 12, shape='exponential'), table([0.0, 0.5, 0.1, 0.7])).shifted(2)",
    "saturating(9) * rectified(0.99)",
)

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="needs keras")
_found: dict[str, Any] = {}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def found(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What one process with that backend found; it loads what the processes before it have saved."""
    if backend not in _found:
        folder = tmp_path_factory.getbasetemp() / "keras"
        folder.mkdir(exist_ok=True)
        quiet = {
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, str(SCRIPT), str(folder), json.dumps(EVERY)]
        ran = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-3000:]
        _found[backend] = json.loads(ran.stdout.split("found ")[-1])
    return _found[backend]


def near(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=NEAR, atol=1e-12)


def test_every_update_moves_the_weights_by_the_schedules_own_rate(found: Any) -> None:
    near(found["unit"], RATES[: UPDATES + 4])
    near(found["numbers"], RATES[:UPDATES])
    near(found["variable"], RATES[7])


def test_every_kind_of_schedule_is_computed_in_the_graph(found: Any) -> None:
    for text, values in zip(EVERY, found["every"], strict=True):
        near(values, ph.parse(text).bind().table(60))


def test_a_model_that_is_loaded_goes_on_as_if_it_had_not_been_stopped(found: Any) -> None:
    assert found["iterations"] == 12
    assert found["resumed"] == found["whole"]
    assert found["apart"] == 0
    assert found["whole"][0] < 0.6 * found["losses"][0]
    config = found["config"]["config"]
    assert (ph.parse(config["schedule"]), ph.Run(**config["run"])) == (WARMUP, RUN)
    assert (config["peak"], config["accumulation"]) == (0.02, 1)


def test_a_model_of_another_backend_goes_on_where_it_was(found: Any, backend: str) -> None:
    """Once preheat.keras has been imported; before, Keras refuses to load it."""
    for iterations, rate in found["others"].values():
        assert iterations == 12
        near(rate, 0.02 / PEAK * RATES[12])
        assert found["unknown"].startswith("TypeError")
        assert "preheat>Schedule" in found["unknown"]


def test_accumulated_batches_are_one_update_once_it_is_said(found: Any) -> None:
    near(found["accumulated"][3::4], RATES[:10])
    assert not np.any(np.delete(found["accumulated"], np.s_[3::4]))


def test_accumulation_that_is_not_said_is_refused_before_the_first_update(found: Any) -> None:
    assert "the optimizer updates every 4 batches" in found["forgotten"]
    assert "accumulation is 4, not 1; write Schedule(…, accumulation=4)" in found["forgotten"]
    assert "the optimizer updates every batch" in found["needless"]


def test_the_schedules_of_keras_count_batches_as_updates(found: Any) -> None:
    """Ten updates from 1 to 0: its second is made at the rate of the eighth, and from the third on there is none."""
    np.testing.assert_allclose(found["own"][3::4], [0.7, 0.3] + [0.0] * 8, atol=1e-6)


def test_positions_beyond_what_float32_counts_are_told_apart(found: Any) -> None:
    near(found["late"], [*np.linspace(0.1, 0.2, 11), 0.2])
    assert len(set(found["late_own"])) < 10


def test_the_cosine_of_keras_leaves_the_warmup_out_of_its_length(found: Any) -> None:
    assert found["own_cosine"][0] > 0.3
    assert found["own_cosine"][1] < 1e-6


def test_another_schedule_goes_on_at_the_position_of_the_optimizer(found: Any) -> None:
    near(found["replaced"], 0.25)


def test_a_schedule_that_is_set_after_training_is_followed_once_the_model_is_compiled_anew(found: Any) -> None:
    assert found["compiled_anew"] == 0


def test_rates_are_float64_where_keras_computes_in_it(found: Any, backend: str) -> None:
    if backend != "jax":  # which has no float64 unless it is told
        assert found["double"] == RATES[7]


def test_a_bare_schedule_is_no_rate_that_keras_could_train_with(found: Any) -> None:
    """Keras calls it without the step."""
    assert "nothing was raised" not in found["bare"]


def test_what_would_overwrite_the_rate_is_refused_by_keras(found: Any) -> None:
    assert "not settable" in found["plateau"]


def test_what_cannot_be_meant_is_refused(found: Any) -> None:
    wanted = {
        "factors": "Keras needs rates, and these are factors",
        "peak": "is rates already",
        "clock": "a Keras optimizer counts updates",
        "lengths": "has no length until the run is known",
        "below": "none below 0",
        "accumulation": "accumulation must be a whole number of at least 1",
        "run": "run= takes a Run, not 'x'",
        "run_keys": "run in the config of a schedule is what describes a Run",
        "config": "the config of a schedule has the keys schedule, run, peak, accumulation",
        "lines": "one schedule is needed here, not a plan's lines by name",
    }
    assert set(found["refused"]) == set(wanted)
    for case, message in wanted.items():
        assert message in found["refused"][case]
