"""docs/conventions.md: its picture; its tables are held to the generator in tests/parity/test_same_words.py."""

import conventions
import pages
import pytest

CHINESE = "docs/zh/conventions.md"


def test_the_figure_is_what_the_script_draws() -> None:
    drawn = conventions.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn, "python docs/figures/conventions.py"
    for page, shown in (
        ("docs/conventions.md", "(figures/conventions.svg)"),
        (CHINESE, "(../figures/conventions.zh.svg)"),
    ):
        assert shown in pages.read(page)


@pytest.mark.parametrize(("name", "after"), [("conventions", ": "), ("conventions.zh", "：")])
def test_every_sequence_is_in_it(name: str, after: str) -> None:
    picture = conventions.figures()[name]
    for letter in conventions.sequences():
        assert f">{letter}{after}" in picture
    assert picture.count('class="preheat-chart"') == len(conventions.sequences())
