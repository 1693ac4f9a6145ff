"""How numbers are written: the sign stays, and what is not 0 does not look like 0."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.numbers import difference_text, fixed, interval_text, rounded_within, signed


def read(text):
    return float(text.replace("−", "-"))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 8))
def test_a_number_keeps_its_sign_and_is_0_only_where_it_is(value, places):
    for text in (fixed(value, places), signed(value, places)):
        assert "-" not in text
        assert math.copysign(1, read(text)) == math.copysign(1, value) or value == 0
        assert (read(text) == 0) == (value == 0)


@given(st.floats(1e-290, 1e290), st.floats(0, 1), st.floats(0, 1))
def test_a_rounded_number_stays_within_its_interval(value, below, above):
    low, high = value * (1 - below), value * (1 + above)
    assert low <= read(rounded_within(value, low, high)) <= high


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ((-1.1e-10, -1e-10, -9e-11), "−1e−10 (−1.1e−10 to −9e−11)"),
        ((-0.1, -0.05, -1e-10), "−0.05000000 (−0.10000000 to −1e−10)"),
        ((-22223.0, -22220.5, -22218.0), "−22220.500 (−22223.000 to −22218.000)"),
        ((-0.1, 1e-17, 0.1), "+0.000 (−0.100 to +0.100)"),
        ((123440.0, 123456.7, 123470.0), "+123457 (+123440 to +123470)"),
        ((0.10484, 0.1049, 0.10496), "+0.1049 (+0.1048 to +0.1050)"),
    ],
)
def test_an_interval_shows_that_it_leaves_out_0_and_how_wide_it_is(ends, shown):
    low, mean, high = ends
    found = Difference(mean, low, high, 3, 3)
    assert f"{difference_text(found)} ({interval_text(found)})" == shown
