"""What each update keeps of the final weights, and over how many a schedule averages."""

import numpy as np
import pytest

import preheat as ph
from preheat import PreheatError, Run
from preheat.measure import update_weights


def test_they_are_what_a_recursion_keeps():
    found = update_weights("warmup(10%) >> decay()", Run(total=200), 0.02, 0.5)
    rates = ph.parse("warmup(10%) >> decay()").bind(Run(total=200), peak=0.02).table(200)
    kept = np.zeros(201)
    kept[0] = 1.0  # the first weights; then each update's own part
    for t, rate in enumerate(rates):
        kept *= 1 - 0.5 * rate
        kept[t + 1] += 0.5 * rate
    assert found.first == pytest.approx(kept[0])
    assert found.weights == pytest.approx(kept[1:])
    assert found.first + found.weights.sum() == pytest.approx(1)
    assert found.weights[found.half :].sum() >= (1 - found.first) / 2 > found.weights[found.half + 1 :].sum()


def test_the_window_counts_equal_weights():
    flat = update_weights("absolute(hold(1e-9))", Run(total=100), None, 1.0)
    assert flat.window == pytest.approx(100, rel=1e-6)
    zero, tenth = (update_weights(f"decay(to={to})", Run(total=1000), 0.01, 10) for to in (0, 0.1))
    assert zero.window > tenth.window  # a decay to 0 averages over more of the run
    assert zero.plot().startswith("<svg")
    assert "of the run" in zero.sentence


def test_the_weight_decay_of_a_plan_is_taken():
    plan = ph.Plan({"lr": "decay()", "weight_decay": "absolute(hold(0.5))"})
    found = update_weights(plan, Run(total=100), 0.1)
    assert found.weights == pytest.approx(update_weights("decay()", Run(total=100), 0.1, 0.5).weights)
    with pytest.raises(PreheatError, match="is the weight decay itself"):
        update_weights(plan, Run(total=100), 0.1, 0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("decay(9)", None, None, 0.1), "these are factors"),
        (("decay(9)", None, 0.1), "follows from a weight decay"),
        (("decay(9)", None, 0.1, -1), "weight_decay must be above 0"),
        (("decay(9)", None, 10, 0.1), "is 1 or more"),
    ],
)
def test_what_is_not_known_is_refused(given, words):
    with pytest.raises(PreheatError, match=words):
        update_weights(*given)


@pytest.mark.parametrize("peak", [1e-200, 1e-300])
def test_however_small_the_shares_are(peak):
    expected = update_weights("decay()", Run(total=100), 1e-9, 1e-9).window
    assert update_weights("decay()", Run(total=100), peak, 1.0).window == pytest.approx(expected, rel=1e-6)
    with pytest.raises(PreheatError, match="below what a float holds"):
        update_weights("decay()", Run(total=100), peak, peak)
