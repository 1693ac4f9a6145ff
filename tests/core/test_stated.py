"""Rates and factors told apart: what is stated of a schedule, and what may be done with it."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from strategies import any_tree, runs, written

import preheat as ph
from preheat import PreheatError, absolute, relative
from preheat.core.stated import Absolute, Relative

FACTORS = ph.warmup(10) >> ph.decay(90)
RATES = absolute(ph.ramp(0.01, 0.1, 10))
RUN = ph.Run(total=100)


@given(written)
def test_what_is_stated_survives_text_json_and_pickle(s: ph.Schedule) -> None:
    for value in (absolute(s), relative(s), ph.Plan({"lr": s, "head/lr": absolute(s), "x": relative(s)})):
        text = value.to_text() if isinstance(value, ph.Plan) else repr(value)
        for again in (
            ph.parse(text),
            ph.parse(value),
            ph.from_dict(json.loads(json.dumps(ph.to_dict(value)))),
            ph.parse(json.dumps(ph.to_dict(value))),
            pickle.loads(pickle.dumps(value)),
        ):
            assert type(again) is type(value)
            assert again == value
            assert hash(again) == hash(value)
            assert repr(again) == repr(value)


@given(any_tree)
def test_rates_are_evaluated_as_their_schedule(s: ph.Schedule) -> None:
    try:
        s.bind()
    except ph.BindError:
        return
    for value in (absolute(s), relative(s)):
        assert value(3) == s(3)
        assert value.function(3) == s.function(3)
        assert value.length == s.length
        assert np.array_equal(value.table(20), s.table(20))
        assert value.bind().schedule == s.bind()
        assert type(value.bind()) is type(value)


def test_relative_is_the_same_value_and_absolute_is_not():
    assert relative(FACTORS) == FACTORS
    assert relative(FACTORS) == FACTORS
    assert hash(relative(FACTORS)) == hash(FACTORS)
    assert {FACTORS: 1}[relative(FACTORS)] == 1
    assert ph.Plan(relative(FACTORS)) == ph.Plan(FACTORS)
    assert hash(ph.Plan(relative(FACTORS))) == hash(ph.Plan(FACTORS))
    assert absolute(FACTORS) != FACTORS
    assert absolute(FACTORS) != relative(FACTORS)
    assert "relative" in ph.Plan(relative(FACTORS)).to_text()
    assert "relative" in ph.Plan(relative(FACTORS)).bind(RUN).to_text()


TRANSFORMED = [
    lambda s: s.scaled(2),
    lambda s: s.clipped(0.05, high=0.08),
    lambda s: s.repeated(3, shrink=0.5),
    lambda s: s.shifted(4),
    lambda s: s.truncated(5),
    lambda s: s.cooldown_from(4, 6, "cosine", to=0.01),
    lambda s: s.rewarmed(3, 2, start=0.5),
    lambda s: s.bind(RUN),
]


@pytest.mark.parametrize("change", TRANSFORMED)
def test_transformations_keep_what_is_stated(change):
    inside = RATES.schedule
    assert change(RATES) == absolute(change(inside))
    assert type(change(relative(inside))) is Relative
    assert repr(change(relative(inside))) == f"relative({change(inside)!r})"


def test_every_transformation_of_schedules_is_one_of_rates():
    own = {name for name, value in vars(ph.Schedule).items() if callable(value) and not name.startswith("_")}
    assert own - {"function", "computed"} <= set(dir(Absolute))


def test_rates_are_joined_with_rates_and_multiplied_with_factors():
    other = absolute(ph.hold(0.1, 5))
    assert RATES >> other == absolute(RATES.schedule >> other.schedule)
    assert absolute(RATES.schedule * FACTORS) == RATES * FACTORS
    assert absolute(FACTORS * RATES.schedule) == FACTORS * RATES
    assert ph.lower(RATES, other) == absolute(ph.lower(RATES.schedule, other.schedule))
    assert ph.upper(RATES, other) == absolute(ph.upper(RATES.schedule, other.schedule))
    assert ph.untuned_linear() * ph.cosine(peak_lr=0.1) == absolute(
        ph.untuned_linear() * ph.cosine(peak_lr=0.1).schedule
    )


def test_stated_factors_are_joined_with_factors():
    assert repr(relative(FACTORS) * FACTORS) == f"relative({FACTORS * FACTORS!r})"
    assert repr(FACTORS >> relative(ph.hold(2))) == f"relative({FACTORS >> ph.hold(2)!r})"
    assert isinstance(relative(FACTORS) * RATES, Absolute)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda: FACTORS >> RATES,
        lambda: RATES >> FACTORS,
        lambda: RATES >> relative(FACTORS),
        lambda: ph.lower(RATES, FACTORS),
        lambda: ph.parse("ramp(0.01, 0.1, 10) >> absolute(hold(0.1))"),
        lambda: ph.parse("upper(absolute(hold(0.1)), decay())"),
    ],
)
def test_factors_and_rates_are_not_mixed(mixed):
    with pytest.raises(
        PreheatError, match=r"factors or rates, not both.*absolute\(.*if all values are rates, or .*factors"
    ):
        mixed()


def test_the_refusal_spells_both_ways():
    with pytest.raises(PreheatError) as refusal:
        ph.warmup(5) >> absolute(ph.hold(0.1))
    assert "absolute(ramp(0.0, 1.0, 5)) >> absolute(hold(0.1, 'rest'))" in refusal.value.write
    assert "a >> b" in refusal.value.write


def test_two_rates_have_no_product():
    with pytest.raises(PreheatError, match="no rate, for both are rates"):
        RATES * RATES


def test_said_twice_is_said_once_and_the_opposite_is_refused():
    assert absolute(RATES) is RATES
    assert relative(relative(FACTORS)) == relative(FACTORS)
    assert absolute(ph.cosine(100, peak_lr=3e-4)) == ph.cosine(100, peak_lr=3e-4)
    assert ph.parse("absolute(cosine(100, peak_lr=3e-4))") == ph.cosine(100, peak_lr=3e-4)
    for opposite in (lambda: absolute(relative(FACTORS)), lambda: relative(RATES)):
        with pytest.raises(PreheatError, match="write one of them"):
            opposite()


@pytest.mark.parametrize("say", [absolute, relative])
def test_text_and_data_can_be_stated_too(say):
    for source in ("warmup(10) >> decay(90)", ph.to_dict(FACTORS), json.dumps(ph.to_dict(FACTORS))):
        assert say(source) == say(FACTORS)


def test_a_peak_makes_rates_of_factors():
    bound = ph.cosine(warmup_ratio=0.1).bind(RUN, peak=3e-4)
    assert isinstance(bound, Absolute)
    assert bound.table(101).max() == 3e-4
    assert bound(5) == 0.5 * 3e-4
    assert FACTORS.bind(peak=0.5)(10) == 0.5
    assert relative(ph.ramp(10, 1, 90)).bind(peak=0.1)(0) == 1.0
    assert FACTORS.scaled(0.5).bind(peak=0.1)(10) == 0.05


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        (lambda: RATES.bind(RUN, peak=0.1), "is rates already, and peak= makes rates of factors"),
        (lambda: ph.ramp(0.01, 0.1, 9).bind(RUN, peak=0.1), r"the factors reach up to 0.1, not 1.*would reach 0.01"),
        (lambda: FACTORS.bind(RUN, peak=0), "peak must be above 0"),
        (lambda: FACTORS.bind(0.1), "bind takes a Run, not 0.1"),
        (lambda: ph.warmup("5%").bind(peak=0.1), "has no length until the run is known"),
    ],
)
def test_a_peak_that_makes_no_sense_is_refused(bind, words):
    with pytest.raises(PreheatError, match=words):
        bind()


@given(written, runs())
def test_bound_without_a_run_is_bound(s: ph.Schedule, run: ph.Run) -> None:
    try:
        bound = s.bind()
    except ph.BindError:
        return
    assert bound.bind() == bound
    assert bound(7) == s(7)


@pytest.mark.parametrize(
    "recipe",
    [
        "constant(peak_lr=0.1)",
        "linear(peak_lr=0.1)",
        "cosine(100, peak_lr=3e-4)",
        "polynomial(peak_lr=0.1)",
        "exponential_decay(peak_lr=0.1)",
        "wsd(peak_lr=0.1)",
        "inverse_sqrt(4, peak_lr=0.1)",
        "step_decay(10, warmup_steps=3, peak_lr=0.1)",
        "multistep([3, 6], peak_lr=0.1)",
        "one_cycle(peak_lr=0.1)",
        "restarts(10, peak_lr=0.1)",
        "noam(512)",
    ],
)
def test_recipes_that_know_their_peak_give_rates(recipe):
    assert isinstance(ph.parse(recipe), Absolute)
    assert isinstance(ph.parse(f"{recipe}.scaled(2)"), Absolute)
    if "peak_lr" in recipe:
        assert isinstance(ph.parse(recipe.replace("peak_lr=0.1", "").replace("peak_lr=3e-4", "")), ph.Schedule)


def test_rates_drive_an_update_under_jit_as_optax_makes_it():
    """What optax.scale_by_schedule does with a callable: it is traced with an int32 count, and cast to the gradient's type."""
    rate = ph.cosine(warmup_ratio=0.1, min_lr_ratio=0.1).bind(RUN, peak=3e-4)

    @jax.jit
    def update(count, gradient):
        return -jnp.asarray(rate(count), dtype=gradient.dtype) * gradient, count + 1

    count, found = jnp.zeros([], jnp.int32), []
    for _ in range(100):
        step, count = update(count, jnp.ones([], jnp.float32))
        found.append(-float(step))
    np.testing.assert_allclose(found, rate.table(100), rtol=6e-7)
    scanned = jax.lax.scan(lambda at, _: (at + 1, rate(at)), jnp.zeros([], jnp.int32), length=100)[1]
    np.testing.assert_allclose(scanned, rate.table(100), rtol=6e-7)
