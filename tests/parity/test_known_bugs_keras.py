"""What Keras's schedules do that one should know, shown on the running library beside what preheat gives."""

import os

import pytest

from preheat import compat

os.environ.setdefault("KERAS_BACKEND", "torch")
schedules = pytest.importorskip("keras").optimizers.schedules


def ours(name: str, **arguments: object) -> compat.Restated:
    return compat.restate("keras", name, **arguments)


def found(restated: compat.Restated) -> set[tuple[str, str]]:
    return {(one.code, one.place) for one in restated.findings}


def test_a_whole_number_as_the_initial_rate_makes_the_whole_run_0() -> None:
    arguments = {"initial_learning_rate": 0, "decay_steps": 100, "warmup_target": 0.1, "warmup_steps": 10}
    own, restated = schedules.CosineDecay(**arguments), ours("CosineDecay", **arguments)
    assert [float(own(t)) for t in (0, 5, 10, 60)] == [0.0] * 4 == [restated(t) for t in (0, 5, 10, 60)]
    assert ("not-carried", "initial_learning_rate") in found(restated)
    assert ours("CosineDecay", **arguments | {"initial_learning_rate": 0.0})(10) == 0.1


def test_exponential_decay_from_1_is_0_after_one_update() -> None:
    arguments = {"initial_learning_rate": 1, "decay_steps": 10, "decay_rate": 0.9}
    own = schedules.ExponentialDecay(**arguments)
    assert (
        [float(own(t)) for t in range(3)] == [1.0, 0.0, 0.0] == ours("ExponentialDecay", **arguments).table(3).tolist()
    )


def test_a_cosine_from_a_whole_number_takes_3_for_pi() -> None:
    arguments = {"initial_learning_rate": 1, "decay_steps": 10}
    end = float(schedules.CosineDecay(**arguments)(10))
    assert end == pytest.approx(0.005, abs=1e-5)
    assert ours("CosineDecay", **arguments)(10) == pytest.approx(end, abs=1e-6)


def test_a_warmup_without_a_target_is_ignored() -> None:
    arguments = {"initial_learning_rate": 0.1, "decay_steps": 100, "warmup_steps": 10}
    restated = ours("CosineDecay", **arguments)
    assert float(schedules.CosineDecay(**arguments)(0)) == pytest.approx(0.1) == restated(0)
    assert ("ignored-argument", "warmup_steps") in found(restated)


def test_a_boundary_belongs_to_the_value_before_it() -> None:
    arguments = {"boundaries": [3], "values": [1.0, 0.1]}
    own = schedules.PiecewiseConstantDecay(**arguments)
    assert [float(own(t)) for t in (3, 4)] == pytest.approx([1.0, 0.1])
    assert [ours("PiecewiseConstantDecay", **arguments)(t) for t in (3, 4)] == [1.0, 0.1]


def test_decay_steps_do_not_include_the_warmup() -> None:
    restated = ours("CosineDecay", initial_learning_rate=0.0, decay_steps=7, warmup_target=1.0, warmup_steps=3)
    assert restated.length == 10


def test_a_restart_may_come_one_update_late() -> None:
    """It is found by logarithms in single precision: at update 25 = 10 + 15 the rate is still at the floor."""
    arguments = {"initial_learning_rate": 1.0, "first_decay_steps": 10, "t_mul": 1.5}
    own, restated = schedules.CosineDecayRestarts(**arguments), ours("CosineDecayRestarts", **arguments)
    assert float(own(25)) in (pytest.approx(0.0, abs=1e-6), pytest.approx(1.0))  # as the platform rounds logarithms
    assert [float(own(t)) for t in (24, 26)] == pytest.approx([restated(24), restated(26)], abs=2e-6)
    assert restated(25) == 1.0
    assert ("not-equal", "t_mul") in found(restated)
