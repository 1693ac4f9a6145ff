"""Keras's own serialised schedules and optimizers, read: the same rates."""

import json

import pytest

from preheat import PreheatError, compat
from preheat.compat.configs import Config, Given, read_config

COSINE = {
    "initial_learning_rate": 0.01,
    "decay_steps": 90,
    "alpha": 0.1,
    "name": "CosineDecay",
    "warmup_target": 0.2,
    "warmup_steps": 10,
}


def read(data: object, **given: object) -> compat.Reading:
    return read_config(Config("keras.json", json.dumps(data)), Given(**given))


@pytest.mark.parametrize("name", ["CosineDecay", "ExponentialDecay", "PiecewiseConstantDecay", "CosineDecayRestarts"])
def test_a_schedule_as_keras_serialises_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    arguments = {
        "CosineDecay": COSINE,
        "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 9, "decay_rate": 0.9, "staircase": True},
        "PiecewiseConstantDecay": {"boundaries": [5, 20], "values": [1.0, 0.1, 0.01]},
        "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 8},
    }[name]
    schedule = getattr(keras.optimizers.schedules, name)(**arguments)
    optimizer = keras.optimizers.Adam(schedule, gradient_accumulation_steps=4)
    whole = keras.optimizers.serialize(optimizer)
    rates = [float(schedule(t)) for t in range(60)]
    for data in (keras.saving.serialize_keras_object(schedule), whole, whole["config"], {"optimizer_config": whole}):
        reading = read(data, total=60)
        assert reading.target.table(60).tolist() == pytest.approx(rates, abs=2e-6 * max(rates))
        assert reading.library == "keras"
    assert ("not-carried", "gradient_accumulation_steps") in {(one.code, one.place) for one in reading.findings}


def test_a_registered_name_and_a_constant_rate() -> None:
    data = {"class_name": "keras>CosineDecay", "config": COSINE, "registered_name": "keras>CosineDecay"}
    assert read(data).target == compat.restate("keras", "CosineDecay", **COSINE).target
    assert (
        read(
            {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.003, "clipnorm": None}}
        ).target(7)
        == 0.003
    )


def test_a_schedule_that_keras_does_not_have_is_refused() -> None:
    data = {"module": "keras.optimizers.schedules", "class_name": "CosineDecoy", "config": {}}
    with pytest.raises(PreheatError, match="CosineDecoy"):
        read(data)
    with pytest.raises(PreheatError, match="no argument 'decay'"):
        read({"module": "keras.optimizers.schedules", "class_name": "CosineDecay", "config": {"decay": 1}})
