"""One definition of a spike: rules, records and monitors give the same answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preheat import Rewarm, Run
from preheat.lab.records.series import WINDOW, spikes
from preheat.session.spikes import Spikes

VALUES = st.lists(
    st.one_of(st.floats(1.0, 2.0), st.sampled_from([9.0, 50.0, math.inf, -math.inf])), min_size=30, max_size=120
)


@given(VALUES, st.integers(1, 40))
def test_spikes_are_those_at_which_rewarm_warms_up_again(values, quiet):
    rule, seen = Rewarm("loss", span=quiet).bind(Run()), Spikes(quiet)
    state = rule.start()
    for step, value in enumerate(values):
        state = rule.observe(state, value, step)
        assert seen.is_one(step, value) == (state["since"] == step)
        assert seen.mean == state["mean"]


@given(VALUES)
def test_a_record_has_the_same_spikes(values):
    seen = Spikes(max(1, len(values) // WINDOW))
    found = [(step, value) for step, value in enumerate(values) if seen.is_one(step, value)]
    assert spikes(range(len(values)), values) == found


@pytest.mark.parametrize(("last", "is_one"), [(2.2, False), (9.0, True), (math.inf, True), (-9.0, False)])
def test_a_spike_stands_far_above_what_was_seen(last, is_one):
    seen = Spikes(quiet=10)
    assert not any(seen.is_one(step, 2.0 + 0.1 * (step % 2)) for step in range(40))
    assert seen.is_one(40, last) is is_one
