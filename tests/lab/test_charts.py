import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preheat.lab.curves import ArmCurves, loss_range, mean_curve, sampled, smoothed
from preheat.plots.charts import Interval, Series, decades, interval_chart, line_chart, round_values

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {"title": "t", "x_label": "x", "y_label": "y"}


def drawn(*series, **more):
    """The chart as a tree, and the numbers in its paths."""
    tree = ElementTree.fromstring(line_chart(series, **{**LABELS, **more}))
    return tree, [path.get("d") for path in tree.iter(f"{SVG}path")]


def texts(tree):
    return [element.text for element in tree.iter(f"{SVG}text")]


def test_a_chart_is_well_formed_whatever_the_names_hold():
    tree, _ = drawn(Series('<a href="x">&\'', [0, 1], [0, 1]), Series("b", [0, 1], [1, 0], 1), title="<t>&\"'")
    assert '<a href="x">&\'' in texts(tree)
    assert tree.get("aria-label") == "<t>&\"'"


def test_a_legend_names_what_is_not_faint():
    one, two, three = (Series(name, [0, 1], [0, 1], k, faint=k == 2) for k, name in enumerate("abc"))
    tree, _ = drawn(one, two, three)
    assert {"a", "b"} <= set(texts(tree))
    assert "c" not in texts(tree)


def test_values_that_are_not_finite_leave_a_gap_and_a_cross_marks_the_end():
    _, paths = drawn(Series("a", [0, 1, 2, 3, 4], [1, 2, math.nan, 3, math.inf], cut=True))
    assert sum(path.count("M") == 2 and path.count("L") == 1 for path in paths if path) == 1
    assert any("l8 8m0 -8l-8 8" in path for path in paths)
    assert not re.search("nan|inf", " ".join(paths))


def test_a_logarithmic_axis_leaves_out_what_is_not_positive():
    tree, paths = drawn(Series("a", [0, 1, 2, 3], [0.0, 1e-3, 1.0, -1.0]), log_y=True)
    assert {"0.001", "0.01", "0.1", "1"} <= set(texts(tree))
    assert any(path.count("L") == 1 for path in paths)


@pytest.mark.parametrize(
    "ys", [[], [1.0], [2.0, 2.0], [math.nan, math.nan], [1e300, -1e300], [1e-300, 1e-299], [0.0, 0.0]]
)
@pytest.mark.parametrize("log", [False, True])
def test_every_input_has_a_chart(ys, log):
    _, paths = drawn(Series("a", list(range(len(ys))), ys), log_y=log)
    assert not re.search("nan|inf", " ".join(paths))


finite = st.floats(-1e12, 1e12, allow_subnormal=False)


@settings(deadline=None)
@given(finite, st.floats(1e-6, 1e12), st.integers(2, 8))
def test_ticks_are_within_the_axis_evenly_spaced_and_neither_few_nor_many(low, length, count):
    high = low + length
    if high - low < 1e-9 * abs(low):
        return
    ticks = round_values(low, high, count)
    slack = 1e-6 * (high - low)
    assert 1 <= len(ticks) <= count + 1
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert ticks == sorted(set(ticks))


@settings(deadline=None)
@given(st.integers(-200, 200), st.integers(0, 60), st.integers(2, 6))
def test_logarithmic_ticks_are_within_the_axis(first, length, count):
    low, high = 0.9 * 10.0**first, 1.3 * 10.0 ** (first + length)
    ticks = decades(low, high, count)
    assert 1 <= len(ticks) <= 3 * count + 3
    assert all(low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) for tick in ticks)


def test_intervals_have_a_row_each_with_a_dot_per_value():
    rows = [Interval("a", -0.3, -0.4, -0.2, [-0.31, -0.29], 1), Interval("b", 0.1, None, None, [0.1], 2)]
    tree = ElementTree.fromstring(interval_chart(rows, title="t", x_label="x"))
    assert len(list(tree.iter(f"{SVG}circle"))) == 3
    assert sum(path.get("class", "").startswith("bar") for path in tree.iter(f"{SVG}path")) == 1


def test_smoothing_is_a_mean_of_what_is_finite_and_a_gap_where_nothing_is():
    assert smoothed([0, 1, 2], [1.0, 2.0, 6.0], [0, 1, 2, 3], 0)[:3] == [1.0, 2.0, 6.0]
    assert smoothed([0, 1, 2], [1.0, 2.0, 6.0], [0, 1, 2], 1) == [1.5, 3.0, 4.0]
    row = smoothed([0, 1, 2], [1.0, math.nan, math.inf], [0, 1, 2, 3, 4], 1)
    assert row[0] == 1.0
    assert all(map(math.isnan, row[1:]))
    assert smoothed([0, 2], [1.0, 3.0], [0, 1, 2], 1) == [1.0, 2.0, 3.0]


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_a_curve_has_its_first_and_last_update_and_few_points(steps):
    updates = sampled(steps)
    assert (updates[0], updates[-1]) == (0, steps - 1)
    assert updates == sorted(set(updates))
    assert len(updates) <= 160


def test_the_mean_over_seeds_ends_where_a_seed_ends():
    means = mean_curve([[1.0, 2.0, math.nan], [3.0, 4.0, 5.0]])
    assert means[:2] == [2.0, 3.0]
    assert math.isnan(means[2])


def test_one_spike_does_not_spoil_the_axis():
    losses = [3.0 - 0.01 * k for k in range(100)]
    losses[50] = 1e9
    low, high = loss_range([ArmCurves("a", list(range(100)), [losses], losses, [], [], [False])], chance=3.2)
    assert low < 2.01
    assert 3.2 <= high < 4


@pytest.mark.parametrize("losses", [[1e30], [50.0, 60.0], [3.0, 1e308, 1e308, 3.0], [0.0], [2.0, 2.0]])
@pytest.mark.parametrize("chance", [None, 3.2])
def test_losses_have_an_axis_however_they_blow_up(losses, chance):
    arm = ArmCurves("a", list(range(len(losses))), [losses], losses, [], [], [False])
    low, high = loss_range([arm], chance)
    assert low < high
    assert math.isfinite(high - low)


def test_smoothing_after_a_spike_is_not_spoiled_by_it():
    assert smoothed([0, 1, 2, 3, 4], [3.0, 1e30, 3.0, 2.0, 2.5], [0, 2, 3, 4], 1)[2:] == [2.5, 2.25]
    assert smoothed([0, 1, 2], [1e308, 1e308, 1e308], [1], 1) == pytest.approx([1e308])
