"""Curves as text."""

import io
import math

import pytest

from preheat.plots.terminal import Terminal, braille, number

ASCII = Terminal(60, unicode=False)


def rows(text: str) -> list[str]:
    """The rows above the axis, without what stands left of them."""
    return [line.partition("┤")[2] or line.partition("│")[2] for line in text.splitlines()[:-2]]


def labels(text: str) -> list[float]:
    """The numbers at the vertical axis, from the top."""
    return [float(line.partition("┤")[0]) for line in text.splitlines() if "┤" in line]


def test_a_ramp():
    assert braille([0, 1, 2, 3, 4], width=26, height=4) == "\n".join(
        [
            "4 ┤                  ⣀⡠⠔⠒⠉",
            "  │             ⣀⠤⠔⠊⠉",
            "2 ┤      ⣀⡠⠤⠔⠒⠊⠉",
            "0 ┤ ⣀⠤⠔⠊⠉",
            "  └───────────┴───────────",
            "    0         2   update 4",
        ]
    )


def test_in_ascii():
    assert braille([0, 1, 0], width=30, height=3, terminal=ASCII) == "\n".join(
        [
            "  1 +          ******",
            "0.5 +     *****      ******",
            "  0 + ****                 ***",
            "    +-------------+-----------",
            "      0           1   update 2",
        ]
    )


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e-320, 1e308])
def test_a_constant_lies_on_a_label_of_its_own_axis(value):
    text = braille([value] * 50, width=60, height=6)
    drawn = [bool(row.strip()) for row in rows(text)]
    assert drawn.count(True) == 1
    assert drawn[0] or drawn[-1]
    assert value in labels(text)


@pytest.mark.parametrize(
    "values",
    [
        [-1.0, 2.0],
        [-5e-7, -1e-7],
        [0.1, 0.1 + 1e-9],
        [0.1, math.nextafter(0.1, 1)],
        [-1e308, 1e308],
        [5e-324, 1e-323],
        [1e-300, 1e300],
    ],
)
def test_labels_tell_their_rows_apart_and_lie_within(values):
    found = labels(braille(values, width=60, height=12))
    assert len(found) >= 2
    assert found == sorted(set(found), reverse=True)
    assert min(values) - 1e-12 * abs(min(values)) <= found[-1] or found[-1] == 0
    assert found[0] <= max(0.0, max(values)) * (1 + 1e-12) if max(values) > 0 else found[0] <= 0


def test_what_is_not_finite_leaves_a_gap():
    row = rows(braille([1.0, 1.0, math.nan, math.inf, 1.0, 1.0], width=60, height=3))[0].strip()
    assert " " in row
    assert " " not in rows(braille([1.0] * 6, width=60, height=3))[0].strip()


def test_nothing_to_draw_is_an_empty_frame():
    for values in ([], [math.nan], [0.0]):
        text = braille(values, width=40, height=3, log_y=True)
        assert len(text.split("\n")) == 5
        assert not any(row.strip() for row in rows(text))


def test_a_logarithmic_axis_has_powers_of_ten():
    assert labels(braille([10.0**-k for k in range(7)], log_y=True, height=12)) == [1.0, 0.01, 0.0001, 1e-06]


def test_a_spike_between_thousands_of_values_is_drawn():
    values = [1.0] * 50_000
    values[31_000] = 9.0
    assert rows(braille(values, height=10))[0].strip() or rows(braille(values, height=10))[1].strip()


def test_places_that_are_not_even_are_put_where_they_belong():
    lone = rows(braille([0, 0, 1, 0], at=[0, 899, 900, 1000], width=104, height=4))[0]
    assert 0.85 < lone.index(lone.strip()) / 100 < 0.95


def test_no_line_is_wider_than_asked():
    for width in (20, 40, 79, 200):
        text = braille([0.000123456, 123456.789], at=[0, 123_456_789], width=width)
        assert max(map(len, text.splitlines())) <= width


def test_what_a_stream_can_show(monkeypatch):
    class Stream(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert Terminal.of(Stream()).colour
    assert Terminal.of(Stream()).unicode
    assert not Terminal.of(io.StringIO()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Terminal.of(Stream()).colour
    monkeypatch.setenv("TERM", "linux")
    assert not Terminal.of(Stream()).unicode
    monkeypatch.delenv("TERM")
    Stream.encoding = "cp1252"
    assert not Terminal.of(Stream()).unicode
    monkeypatch.setenv("COLUMNS", "500")
    assert Terminal.of(Stream()).width == 120


def test_colours_are_only_where_they_are_wanted():
    assert "\x1b[33m" in braille([0, 1], terminal=Terminal(80, colour=True))
    assert "\x1b" not in braille([0, 1])


def test_numbers():
    assert [number(n) for n in (0, 999, 12_000, 2.5, 3.0, 10**12)] == [
        "0",
        "999",
        "12,000",
        "2.5",
        "3",
        "1,000,000,000,000",
    ]
