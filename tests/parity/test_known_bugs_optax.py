"""What optax's schedules do that one should know, shown on the running library beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")


def ours(name: str, **arguments: object) -> compat.Restated:
    return compat.restate("optax", name, **arguments)


def places(restated: compat.Restated) -> set[tuple[str, str]]:
    return {(found.code, found.place) for found in restated.findings}


def test_a_warmup_of_no_updates_stays_at_its_start_for_ever() -> None:
    arguments = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0}
    restated = ours("warmup_constant_schedule", **arguments)
    assert float(optax.warmup_constant_schedule(**arguments)(10_000)) == 0.0 == restated(10_000)
    assert ("ignored-argument", "peak_value") in places(restated)
    same = {"init_value": 0.0, "end_value": 0.1, "transition_steps": 0}
    assert float(optax.linear_schedule(**same)(500)) == 0.0 == ours("linear_schedule", **same)(500)


def test_decay_steps_include_the_warmup() -> None:
    arguments = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 10, "decay_steps": 10}
    with pytest.raises(ValueError, match="positive decay_steps"):
        optax.warmup_cosine_decay_schedule(**arguments)
    with pytest.raises(PreheatError, match="includes the warmup"):
        ours("warmup_cosine_decay_schedule", **arguments)
    longer = arguments | {"decay_steps": 30}
    assert ours("warmup_cosine_decay_schedule", **longer).length == 30
    assert float(optax.warmup_cosine_decay_schedule(**longer)(30)) == 0.0


@pytest.mark.parametrize("name", ["exponential_decay", "piecewise_interpolate_schedule"])
def test_what_begins_at_0_is_multiplied_and_stays_there(name: str) -> None:
    given = {"init_value": 0.0} | (
        {"transition_steps": 5, "decay_rate": 2.0}
        if name == "exponential_decay"
        else {"interpolate_type": "linear", "boundaries_and_scales": {5: 10.0}}
    )
    own = getattr(optax, name)(**given)
    assert float(own(jax.numpy.int32(40))) == 0.0 == ours(name, **given)(40)


def test_a_floor_under_a_peak_of_0_is_not_used() -> None:
    arguments = {"init_value": 1.0, "peak_value": 0.0, "warmup_steps": 2, "decay_steps": 9, "end_value": 0.5}
    restated = ours("warmup_cosine_decay_schedule", **arguments)
    assert float(optax.warmup_cosine_decay_schedule(**arguments)(9)) == 0.0 == restated(9)
    assert ("ignored-argument", "end_value") in places(restated)


def test_a_compiled_staircase_steps_one_update_late() -> None:
    arguments = {"init_value": 1.0, "transition_steps": 41, "decay_rate": 0.5, "staircase": True}
    own, restated = optax.exponential_decay(**arguments), ours("exponential_decay", **arguments)
    assert float(own(41)) == 0.5 == restated(41)
    late = [t for t in range(1, 400) if float(jax.jit(own)(t)) != pytest.approx(restated(t))]
    if late:  # XLA may divide, or multiply by the rounded inverse
        assert late[:3] == [41, 82, 164]
    assert ("not-equal", "staircase") in places(restated)
    assert "41, 82, 164" in restated.findings[0].what
    assert not ours("exponential_decay", **arguments | {"transition_steps": 64}).findings


def test_a_onecycle_that_is_too_short_never_reaches_its_peak() -> None:
    arguments = {"transition_steps": 1, "peak_value": 1.0}
    own = optax.linear_onecycle_schedule(**arguments)
    assert float(own(0)) == pytest.approx(ours("linear_onecycle_schedule", **arguments)(0)) == pytest.approx(1 / 625)


@pytest.mark.parametrize(("name", "most"), [("cosine_decay_schedule", 2e-7), ("polynomial_schedule", 2e-7)])
def test_it_is_the_precision_that_differs_not_the_formula(name: str, most: float) -> None:
    arguments = {
        "cosine_decay_schedule": {"init_value": 0.3, "decay_steps": 97, "alpha": 0.1, "exponent": 1.3},
        "polynomial_schedule": {"init_value": 0.3, "end_value": 0.01, "power": 1.7, "transition_steps": 97},
    }[name]
    restated = ours(name, **arguments).table(110)
    single = [float(getattr(optax, name)(**arguments)(t)) for t in range(0, 110, 7)]
    assert single == pytest.approx(restated[::7].tolist(), abs=most)
    with jax.enable_x64(True):
        double = [float(getattr(optax, name)(**arguments)(t)) for t in range(0, 110, 7)]
    assert double == pytest.approx(restated[::7].tolist(), abs=1e-13)
