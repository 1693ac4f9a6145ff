"""Curves as PNG."""

import struct

import pytest

from preheat.plots.mpl import png
from preheat.plots.panel import Curves, Series

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
