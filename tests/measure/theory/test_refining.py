"""Refined schedules: linear where all gradients are alike, with a warmup where they are large at first, best by the bound."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import preheat as ph
from preheat import PreheatError, Run
from preheat.measure import bound, refined
from preheat.measure.theory.last_iterate import bound_of


@given(st.integers(1, 200), st.floats(1e-6, 1e6), st.sampled_from(["sgd", "adam"]))
def test_gradients_that_are_all_alike_give_linear_decay(updates, norm, optimizer):
    found = refined([norm] * updates, optimizer=optimizer)
    assert found.schedule == ph.decay(updates)
    assert found.gain == 0


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=60))
def test_it_is_the_formula(norms):
    weights = [g**-2 for g in norms]
    weights.append(weights[-1])
    written = [w * sum(weights[t + 1 :]) for t, w in enumerate(weights[:-1])]
    found = refined(norms, smoothing=0)
    if len(set(norms)) > 1:
        assert found.values == pytest.approx([one / max(written) for one in written], rel=2e-6)
    assert max(found.values) == 1 == max(found.schedule.table(len(norms)))


@given(st.lists(st.floats(0.3, 3.0), min_size=2, max_size=6), st.lists(st.floats(0.05, 1.0), min_size=6, max_size=6))
def test_no_schedule_has_a_lower_bound_for_the_same_gradients(levels, knots):
    """But for what a long run makes as small as one likes: in the time of its weights it is linear decay."""
    norms = np.interp(np.arange(600), np.linspace(0, 600, len(levels)), levels)
    own = refined(norms, smoothing=0).bound.score
    assert own < 2.03
    other = np.interp(np.arange(600), np.linspace(0, 600, 6), knots)
    for values in (other, other * np.linspace(1, 1 / 600, 600)):
        assert own <= bound_of("", values, norms / norms.max()).score * 1.01


@pytest.mark.parametrize(("ratio", "early", "unit"), [(1.5, 20, 1.0), (3.0, 100, 1e-6), (6.0, 50, 1e6)])
def test_where_gradients_are_large_at_first_a_warmup_comes_out(ratio, early, unit):
    norms = np.where(np.arange(500) < early, ratio, 1.0) * unit
    found = refined(norms, smoothing=0)
    assert found.highest == early
    assert found.values[0] == pytest.approx(found.values[early - 1], rel=0.3)
    assert found.values[0] < 1.3 / ratio**2
    simple = bound(found.simple, Run(total=500), norms).score
    assert found.bound.score < simple < found.linear.score
    assert found.gain == pytest.approx(1 - found.bound.score / found.linear.score)
    assert found.gain > 0


def test_gradients_that_are_small_at_first_begin_at_the_peak():
    assert refined(np.linspace(1, 4, 500)).highest == 0


def test_one_wild_gradient_is_smoothed_away():
    norms = np.ones(400)
    norms[37] = 1e4
    assert refined(norms).schedule == ph.decay(400)
    assert refined(norms, smoothing=0).values[37] < 1e-6


def test_a_long_run_is_said_in_ramps():
    norms = np.where(np.arange(20_000) < 2_000, 5.0, 1.0)
    found = refined(norms)
    assert len(repr(found.schedule)) < 60_000
    assert found.schedule.length == 20_000 - 1
    assert found.bound.score < 2.01 < found.linear.score


def test_it_stands_for_its_schedule():
    found = refined(np.linspace(3, 1, 50))
    assert ph.parse(found) == found.schedule
    assert bound(found, Run(total=50)).updates == 50
    assert found.simple in [ph.parse(repr(found.simple))]
    assert found.plot().startswith("<svg")
    assert "try the schedule" in found.sentence


def test_weight_on_a_few_updates_is_said():
    norms = np.ones(1000)
    norms[-100:] = 1e-2
    assert "trusts in little" in refined(norms).sentence
    assert "trusts in little" not in refined(np.linspace(3, 1, 1000)).sentence


def test_adam_divides_by_the_gradient_once():
    norms = np.where(np.arange(500) < 50, 4.0, 1.0)
    sgd, adam = (refined(norms, optimizer=one, smoothing=0).values[0] for one in ("sgd", "adam"))
    assert adam == pytest.approx(math.sqrt(sgd), rel=0.2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (([1.0, 0.0],), "norm of update 1 is no number above 0"),
        (([],), "a row of numbers"),
        (([[1.0]],), "a row of numbers"),
        (([1.0, math.inf],), "norm of update 1"),
    ],
)
def test_norms_that_are_none_are_refused(given, words):
    with pytest.raises(PreheatError, match=words):
        refined(*given)


def test_unknown_settings_are_refused():
    with pytest.raises(PreheatError, match="did you mean 'adam'"):
        refined([1.0], optimizer="adamw")
    with pytest.raises(PreheatError, match="smoothing is a share"):
        refined([1.0], smoothing=5)
