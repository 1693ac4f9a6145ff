"""What is asked of Keras on one backend: run as a program with KERAS_BACKEND set, it prints what it found as JSON.

Keras has one backend in a process, so that each needs a process of its own. The arguments are a folder, where what another
backend has left is loaded first, and schedules to compute.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

import preheat as ph

FOLDER, BACKEND = Path(sys.argv[1]), keras.backend.backend()
UPDATES, PEAK = 24, 3e-3
WARMUP = ph.warmup("25%") >> ph.decay(to=0.1, shape="cosine")
EVERY = json.loads(sys.argv[2])


def unit(**options: Any) -> Any:
    """One weight whose gradient is 1, so that under SGD each update is the rate itself."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(**options), loss=lambda y, found: ops.mean(found))
    return model


def applied(model: Any, batches: int) -> list[float]:
    """How far each batch moved the weight."""
    one, found = np.ones((1, 1), "float32"), []
    for _ in range(batches):
        model.layers[0].kernel.assign(np.zeros((1, 1), "float32"))
        model.train_on_batch(one, one)
        found.append(-float(ops.convert_to_numpy(model.layers[0].kernel)[0, 0]))
    return found


def digits_model(rate: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate), loss=loss)
    return model


def fit(model: Any, epochs: int) -> list[float]:
    images, labels = load_digits(return_X_y=True)
    history = model.fit(images[:768] / 16, labels[:768], batch_size=64, epochs=epochs, shuffle=False, verbose=0)
    return history.history["loss"]


def refused(make: Any) -> str:
    try:
        make()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def rate_at(optimizer: Any, position: int) -> float:
    optimizer.iterations.assign(position)
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def main() -> None:
    others = sorted(FOLDER.glob("*.keras"))
    unknown = refused(lambda: keras.saving.load_model(others[0])) if others else ""
    from preheat.keras import Schedule

    run, found = ph.Run(total=UPDATES), dict[str, Any]()
    found["unknown"] = unknown
    found["others"] = {path.stem: loaded(path) for path in others}

    found["unit"] = applied(unit(learning_rate=Schedule(WARMUP, run, peak=PEAK)), UPDATES + 4)
    plain = Schedule(WARMUP, run, peak=PEAK)
    found["numbers"] = [float(plain(step)) for step in range(UPDATES)]
    found["variable"] = float(plain(keras.Variable(7, dtype="int32", trainable=False)))

    found["every"] = []
    for schedule in EVERY:
        rate = Schedule(ph.absolute(ph.parse(schedule)))
        in_graph = [float(ops.convert_to_numpy(rate(ops.convert_to_tensor(step, "int32")))) for step in range(60)]
        found["every"].append(in_graph)

    # a run that is stopped after an epoch, saved, loaded and gone on with; beside it the same run without a stop
    model = digits_model(Schedule(WARMUP, run, peak=0.02))
    found["losses"] = fit(model, 1)
    model.save(FOLDER / f"{BACKEND}.keras")
    again = keras.saving.load_model(FOLDER / f"{BACKEND}.keras")
    found["config"] = again.optimizer.get_config()["learning_rate"]
    found["iterations"] = int(again.optimizer.iterations)
    found["resumed"], found["whole"] = fit(again, 1), fit(model, 1)
    found["apart"] = max(
        float(np.abs(a - b).max()) for a, b in zip(again.get_weights(), model.get_weights(), strict=True)
    )

    # gradients that are accumulated
    four = {"learning_rate": Schedule(WARMUP, run, peak=PEAK, accumulation=4), "gradient_accumulation_steps": 4}
    found["accumulated"] = applied(unit(**four), 40)
    own = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    found["own"] = applied(unit(learning_rate=own, gradient_accumulation_steps=4), 40)
    forgotten = unit(learning_rate=Schedule(WARMUP, run, peak=PEAK), gradient_accumulation_steps=4)
    found["forgotten"] = refused(lambda: applied(forgotten, 4))
    needless = unit(learning_rate=Schedule(WARMUP, run, peak=PEAK, accumulation=4))
    found["needless"] = refused(lambda: applied(needless, 1))

    # positions that float32 does not hold
    start = 2**24
    late = ph.absolute(ph.hold(0.1, start) >> ph.ramp(0.1, 0.2, 10) >> ph.hold(0.2))
    ours = keras.optimizers.SGD(Schedule(late))
    theirs = keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(1.0, 2**24 + 10, 0.0))
    found["late"] = [rate_at(ours, start + step) for step in range(12)]
    found["late_own"] = [rate_at(theirs, start + step) for step in range(10)]

    cosine = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)
    found["own_cosine"] = [float(cosine(step)) for step in (10, 14)]
    again = keras.saving.load_model(FOLDER / f"{BACKEND}.keras")
    again.optimizer.learning_rate = Schedule(ph.decay(24), peak=0.5)
    found["replaced"] = float(ops.convert_to_numpy(again.optimizer.learning_rate))

    # a schedule that is set once the model has trained: weights that stay are rates of 0
    trained = digits_model(Schedule(ph.hold(), run, peak=0.02))
    fit(trained, 1)
    trained.optimizer.learning_rate = Schedule("absolute(hold(0.0))")
    trained.compile(trained.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = trained.get_weights()
    fit(trained, 1)
    found["compiled_anew"] = max(float(np.abs(a - b).max()) for a, b in zip(before, trained.get_weights(), strict=True))

    bare = keras.optimizers.SGD(ph.absolute(WARMUP).bind(run))
    found["bare"] = refused(lambda: float(bare.learning_rate))
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=100.0)
    found["plateau"] = refused(
        lambda: model.fit(np.zeros((2, 64)), np.zeros(2), epochs=3, verbose=0, callbacks=[plateau])
    )
    keras.config.set_floatx("float64")
    found["double"] = float(ops.convert_to_numpy(plain(ops.convert_to_tensor(7, "int32"))))
    found["refused"] = {
        "factors": refused(lambda: Schedule(WARMUP, run)),
        "peak": refused(lambda: Schedule(ph.absolute(WARMUP), run, peak=PEAK)),
        "clock": refused(lambda: Schedule(WARMUP, ph.Run(total=4, clock="epoch"), peak=PEAK)),
        "lengths": refused(lambda: Schedule(WARMUP, peak=PEAK)),
        "below": refused(lambda: Schedule("absolute(ramp(0.1, -0.1, 10))")),
        "accumulation": refused(lambda: Schedule(WARMUP, run, peak=PEAK, accumulation=0)),
        "run": refused(lambda: Schedule.from_config({"schedule": "decay(5)", "run": "x", "peak": 1.0})),
        "run_keys": refused(lambda: Schedule.from_config({"schedule": "decay(5)", "run": {"totl": 5}, "peak": 1.0})),
        "config": refused(lambda: Schedule.from_config({"schedul": "decay(5)"})),
        "lines": refused(lambda: Schedule(ph.Plan({"lr": WARMUP, "weight_decay": WARMUP}), run, peak=PEAK)),
    }
    print("found", json.dumps(found))


def loaded(path: Path) -> list[float]:
    """Where the run of another backend was, and the rate there."""
    optimizer = keras.saving.load_model(path).optimizer
    return [int(optimizer.iterations), float(ops.convert_to_numpy(optimizer.learning_rate))]


if __name__ == "__main__":
    main()
