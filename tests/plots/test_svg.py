import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preheat.plots.axis import Axis, decades, round_values
from preheat.plots.panel import Curves, Interval, Intervals, Mark, Series
from preheat.plots.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {"title": "t", "x_label": "x", "y_label": "y"}


def drawn(*series, **more):
    """The chart as a tree, and the numbers in its paths."""
    tree = ElementTree.fromstring(svg(Curves(series=series, **{**LABELS, **more})))
    return tree, [path.get("d") for path in tree.iter(f"{SVG}path")]


def texts(tree):
    return [element.text for element in tree.iter(f"{SVG}text")]


def of_class(tree, name):
    return [element for element in tree.iter() if name in element.get("class", "").split()]


def test_a_chart_is_well_formed_whatever_the_names_hold():
    tree, _ = drawn(Series('<a href="x">&\'', [0, 1], [0, 1]), Series("b", [0, 1], [1, 0], 1), title="<t>&\"'")
    assert '<a href="x">&\'' in texts(tree)
    assert tree.get("aria-label") == "<t>&\"'"


def test_a_legend_names_what_is_not_faint():
    one, two, three = (Series(name, [0, 1], [0, 1], k, faint=k == 2) for k, name in enumerate("abc"))
    tree, _ = drawn(one, two, three)
    assert {"a", "b"} <= set(texts(tree))
    assert "c" not in texts(tree)


def test_names_in_chinese_have_the_room_that_they_need_in_a_legend():
    tree, _ = drawn(Series("第一个进程", [0, 1], [0, 1]), Series("续训之后", [0, 1], [1, 0], 1))
    first, second = (element for element in tree.iter(f"{SVG}text") if element.text in ("第一个进程", "续训之后"))
    assert float(second.get("x")) - 30 >= float(first.get("x")) + 13 * len(first.text)


def test_in_a_page_a_chart_has_no_legend_style_or_address_of_its_own():
    two = [Series("a", [0, 1], [0, 1]), Series("b", [0, 1], [1, 0], 1)]
    text = svg(Curves(series=two, **LABELS), in_page=True)
    assert "http" not in text
    assert "<style>" not in text
    assert texts(ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)))[:2] == [
        "t",
        "y",
    ]


def test_values_that_are_not_finite_leave_a_gap():
    _, paths = drawn(Series("a", [0, 1, 2, 3, 4], [1, 2, math.nan, 3, math.inf]))
    assert sum(path.count("M") == 2 and path.count("L") == 1 for path in paths if path) == 1
    assert not re.search("nan|inf", " ".join(paths))


def test_a_band_has_a_piece_on_each_side_of_a_gap():
    low, high = [0, 1, math.nan, 1, 0], [2, 3, 4, 3, 2]
    tree, _ = drawn(Series("a", range(5), [1, 2, 3, 2, 1], 3, low=low, high=high))
    (band,) = of_class(tree, "band")
    assert band.get("d").count("Z") == 2
    assert "k3" in band.get("class")


def test_marks_differ_by_shape_say_what_they_are_and_stay_on_the_chart():
    marks = [Mark(k, value, kind, 0, f"{kind} at {k}") for k, (value, kind) in enumerate(
        [(1e300, "spike"), (math.nan, "nonfinite"), (-1e300, "at chance"), (math.inf, "spike")]
    )]  # fmt: skip
    tree, _ = drawn(Series("a", range(5), [1, 2, 3, 2, 1]), marks=marks)
    signs = [path for path in tree.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    assert [sign.find(f"{SVG}title").text for sign in signs] == [mark.text for mark in marks]
    places = [re.match(r"M([\d.]+) ([\d.]+)(.*)", sign.get("d")).groups() for sign in signs]
    assert len({shape for _, _, shape in places}) == 3
    assert all(0 < float(y) < 300 and 0 < float(x) < 460 for x, y, _ in places)


def test_a_level_is_named_unless_it_is_not_on_the_axis():
    series = Series("a", [0, 1], [1.0, 2.0])
    assert "chance 1.5" in texts(drawn(series, level=("chance 1.5", 1.5))[0])
    assert "chance 9" in texts(drawn(series, level=("chance 9", 9.0))[0])
    assert "chance 9" not in texts(drawn(series, level=("chance 9", 9.0), y_range=(1.0, 2.0))[0])


def test_a_logarithmic_axis_leaves_out_what_is_not_positive():
    tree, paths = drawn(Series("a", [0, 1, 2, 3], [0.0, 1e-3, 1.0, -1.0]), log_y=True)
    assert {"0.001", "0.01", "0.1", "1"} <= set(texts(tree))
    assert any(path.count("L") == 1 for path in paths)


def test_peaks_lie_evenly_on_a_logarithmic_axis_with_their_own_ticks():
    peaks = [1e-4, 1e-3, 1e-2]
    tree, _ = drawn(Series("a", peaks, [1, 2, 3], dots=True), log_x=True, x_ticks=peaks)
    assert {"0.0001", "0.001", "0.01"} <= set(texts(tree))
    left, middle, right = (float(dot.get("cx")) for dot in tree.iter(f"{SVG}circle"))
    assert middle - left == pytest.approx(right - middle, abs=0.2)


@pytest.mark.parametrize("count", [3, 12, 40])
def test_numbers_under_the_axis_do_not_touch(count):
    ticks = [1e-5 * 1.3**k for k in range(count)]
    tree, _ = drawn(Series("a", ticks, ticks), log_x=True, x_ticks=ticks)
    shown = [element for element in tree.iter(f"{SVG}text") if element.get("y") == "276.0"]
    ends = []
    for element in shown:
        x, width = float(element.get("x")), 13 * 0.56 * len(element.text)
        start = x - width if element.get("text-anchor") == "end" else x - width / 2
        ends.append((start, start + width))
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


@pytest.mark.parametrize(
    "ys", [[], [1.0], [2.0, 2.0], [math.nan, math.nan], [1e300, -1e300], [1e-300, 1e-299], [0.0, 0.0]]
)
@pytest.mark.parametrize("log", [False, True])
def test_every_input_has_a_chart(ys, log):
    _, paths = drawn(Series("a", list(range(len(ys))), ys, low=ys, high=ys, dots=True), log_y=log)
    assert not re.search("nan|inf", " ".join(paths))


values = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(values, values, values), max_size=6), st.booleans(), st.booleans())
def test_whatever_is_measured_the_chart_holds_numbers_only(points, log_x, log_y):
    xs = range(1, len(points) + 1)
    ys, low, high = zip(*points, strict=True) if points else ((), (), ())
    marks = [Mark(x, y, "spike", 0, "m") for x, y in zip(xs, ys, strict=True)]
    series = Series("a", xs, ys, low=low, high=high, dots=True)
    tree = ElementTree.fromstring(svg(Curves(series=[series], **LABELS, log_x=log_x, log_y=log_y, marks=marks)))
    numbers = " ".join(f"{element.get('d', '')} {element.get('cy', '')}" for element in tree.iter())
    assert not re.search("nan|inf", numbers)


def test_an_axis_of_next_to_nothing_has_one_tick():
    assert round_values(0.0, 5e-324, 5) == [0.0]


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


def test_an_axis_puts_its_ends_where_they_belong():
    axis = Axis(1.0, 100.0, 10, 30, log=True)
    assert [axis(value) for value in (1.0, 10.0, 100.0)] == [10, 20, 30]


def test_intervals_have_a_row_each_with_a_dot_per_value():
    rows = [Interval("a", -0.3, -0.4, -0.2, [-0.31, -0.29], 1), Interval("b", 0.1, None, None, [0.1], 2)]
    tree = ElementTree.fromstring(svg(Intervals(rows=rows, title="t", x_label="x")))
    assert len(list(tree.iter(f"{SVG}circle"))) == 3
    assert len(of_class(tree, "bar")) == 1
