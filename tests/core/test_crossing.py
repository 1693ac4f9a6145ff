"""The search for the rate at which a loss rises: exact, few looks from anywhere, and never a guess for an answer."""

import math
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preheat import PreheatError
from preheat.core.crossing import WITHIN, Crossing, crossing

SCALES = st.floats(-6, 6).map(lambda power: 10.0**power)


def power_law(exponent: float, scale: float, unit: float) -> tuple[Callable[[float], float], float, float]:
    """A loss 1 − x + x^m in units, x = rate/scale, which is back at its first value at x = 1; its value and slope at 0."""

    def loss(rate: float) -> float:
        x = rate / scale
        return unit * (1 - 0.1 * x + 0.1 * x**exponent) if exponent * math.log(max(x, 1.0)) < 600 else math.inf

    return loss, unit, 0.1 * unit / scale


def right(found: Crossing, scale: float) -> bool:
    return found.low <= scale * (1 + 1e-9) and scale * (1 - 1e-9) <= found.high <= found.low * WITHIN * (1 + 1e-9)


@given(SCALES, SCALES, st.floats(-1, 1), st.sampled_from([1.5, 2, 3, 4, 6]))
@example(1.0, 1.0, 1.0, 2)
def test_a_warm_guess_needs_at_most_eight_looks(scale, unit, off, exponent):
    loss, at_zero, slope = power_law(exponent, scale, unit)
    found = crossing(loss, at_zero, slope, guess=scale * 2**off)
    assert right(found, scale), found
    assert found.forwards <= 8


@given(SCALES, SCALES, st.floats(-6, 6), st.sampled_from([1.5, 2, 3, 4, 6]))
def test_any_guess_needs_at_most_sixteen_looks(scale, unit, off, exponent):
    loss, at_zero, slope = power_law(exponent, scale, unit)
    found = crossing(loss, at_zero, slope, guess=scale * 10**off)
    assert right(found, scale), found
    assert found.forwards <= 16


@given(SCALES, SCALES, st.sampled_from([1.5, 2, 3, 4, 6]))
def test_no_guess_needs_at_most_ten_looks(scale, unit, exponent):
    loss, at_zero, slope = power_law(exponent, scale, unit)
    found = crossing(loss, at_zero, slope)
    assert right(found, scale), found
    assert found.forwards <= 10


@given(SCALES, st.floats(-6, 6))
def test_losses_that_are_not_finite_count_as_above(scale, off):
    found = crossing(lambda rate: 2 - rate / scale if rate < scale else math.nan, 2.0, 1 / scale, guess=scale * 10**off)
    assert right(found, scale), found
    assert found.forwards <= 18


@given(SCALES, st.sampled_from([-2.0, -0.3, -1e-9, 0.0, 1e-9, 0.01, 2.0]), st.floats(0.01, 10))
def test_a_rise_is_found_whichever_way_the_slope_is(scale, slope, rise):
    """η with −s·η + η² = rise in units of the scale: (s + √(s² + 4·rise))/2."""
    found = crossing(
        lambda rate: 3 - slope * rate / scale + (rate / scale) ** 2 if rate < 1e150 * scale else math.inf,
        3.0,
        slope / scale,
        rise=rise,
    )
    assert right(found, scale * (slope + math.sqrt(slope**2 + 4 * rise)) / 2), found
    assert found.forwards <= 16


def test_a_rise_before_the_answer_is_seen_at_half_of_it():
    """It falls, rises and falls again: 2 is where it rises for the second time."""
    found = crossing(lambda x: 1 - math.sin(4 * x) if x < 1.5 else x - 1.9 + 0.9, 1.0, 4.0, guess=1.9)
    assert right(found, math.pi / 4), found


@pytest.mark.parametrize(
    ("loss", "slope", "more", "why"),
    [
        (lambda rate: 1 - rate, 1.0, {"largest": 50.0}, "does not rise up to the rate 50"),
        (lambda rate: 1.0, 1.0, {}, "does not rise up to"),
        (lambda rate: 1 + rate, 1.0, {}, "less than 3 times its noise"),
        (lambda rate: math.inf, 1.0, {}, "rises at every rate down to"),
        (lambda rate: 1 - rate + rate**2, -1.0, {}, "does not lower the loss"),
        (lambda rate: 1 - rate + rate**2, 0.0, {}, "does not lower the loss"),
        (lambda rate: 1 - rate + rate**2, 1.0, {"noise": 0.1}, "less than 3 times its noise"),
    ],
)
def test_what_is_not_known_is_said(loss, slope, more, why):
    found = crossing(loss, 1.0, slope, **more)
    assert found.rate is None
    assert why in found.why


def test_noise_below_a_third_of_what_decides_is_no_hindrance():
    assert right(crossing(lambda rate: 1 - rate + rate**2, 1.0, 1.0, noise=0.08), 1.0)


def test_a_plateau_of_rounding_does_not_stop_the_search():
    """As weights of low precision do: a move that is too small does nothing."""
    found = crossing(lambda rate: 1.0 if rate < 0.3 else 1 - rate + rate**2, 1.0, 1.0, guess=1e-5)
    assert right(found, 1.0), found


@pytest.mark.parametrize("numbers", [(math.nan, 1.0), (1.0, math.inf)])
def test_a_beginning_that_is_not_finite_is_refused(numbers):
    with pytest.raises(PreheatError, match="must be finite"):
        crossing(lambda rate: rate, *numbers)
