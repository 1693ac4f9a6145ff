"""Panels drawn by matplotlib."""

import math
import struct

import pytest

from preheat.plots.mpl import draw, new_figure, png
from preheat.plots.panel import SCALE, Curves, FinalValues, HeatCell, HeatMap, Mark, Series

pytest.importorskip("matplotlib")


def size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("title", ["warmup(5)", "$x_1$ <& " + "long " * 200, ""])
def test_a_curve_becomes_a_picture_of_known_size_whatever_its_title(title, log):
    curves = [Series("a", [0, 1, 2], [0.1, 1.0, 0.5]), Series("_b$", [0, 1], [1.0, 2.0], style=9)]
    assert size(png(Curves(series=curves, title=title, x_label="update", y_label="value", log_y=log))) == (1200, 660)


def test_it_does_not_touch_the_figures_of_the_user():
    from matplotlib import pyplot

    png(Curves(series=[Series("a", [0, 1], [0.1, 1.0])], title=""))
    assert not pyplot.get_fignums()


def drawn(panel):
    axis = new_figure("plots").add_subplot()
    draw(axis, panel)
    return axis


def test_limits_marks_and_words_are_those_of_the_panel():
    marks = [
        Mark(1, 1e300, "spike", 0, "m"),
        Mark(2, math.nan, "nonfinite", 0, "n"),
        Mark(0, -9.0, "at chance", 0, "o"),
    ]
    curve = Series("a", [0, 1, 2], [1.0, math.inf, 2.0], low=[0.5, 1.0, 1.5], high=[2.0, 2.0, 4.0])
    panel = Curves(title="", x_label="update", note="a band", series=[curve], marks=marks, level=("chance 3", 3.0))
    axis = drawn(panel)
    low, high = axis.get_ylim()
    assert (low, high) == panel.y_limits
    signs = [line for line in axis.lines if line.get_marker() in ("^", "x", "o")]
    assert [line.get_marker() for line in signs] == ["^", "x", "o"]
    assert all(low < line.get_ydata()[0] < high for line in signs)
    assert axis.get_xlabel() == "update\n(a band)"
    assert [text.get_text() for text in axis.texts] == ["chance 3"]


def test_a_heat_map_has_a_coloured_or_a_hatched_cell_for_each_value():
    from matplotlib.colors import to_hex

    cells = [HeatCell("1.0", 0, best=True), HeatCell("9.0", len(SCALE) - 1, edge=True), HeatCell("–", None)]
    axis = drawn(HeatMap(title="", columns=["1", "2", "3"], rows=[("a", cells)], ends=("1", "9")))
    faces = [patch for patch in axis.patches if patch.get_fill()]
    assert [to_hex(face.get_facecolor()) for face in faces] == [SCALE[0], SCALE[-1], "#ffffff"]
    assert [bool(face.get_hatch()) for face in faces] == [False, False, True]
    assert [text.get_text() for text in axis.texts] == ["1.0", "9.0", "–"]


def test_final_values_have_a_row_a_name_and_a_line_a_seed():
    axis = drawn(FinalValues(title="", rows=[("_a$", [1.0, 2.0]), ("b", [1.5, math.nan])]))
    assert len(axis.lines) == 2
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ˍa\\$", "b"]
