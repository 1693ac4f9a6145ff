"""docs/conventions.md: its picture; its tables are held to the generator in tests/parity/test_same_words.py."""

import conventions
import pages


def test_the_figure_is_what_the_script_draws() -> None:
    drawn = conventions.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn, "python docs/figures/conventions.py"
    assert all(f"(figures/{name}.svg)" in pages.read("docs/conventions.md") for name in drawn)


def test_every_sequence_is_in_it() -> None:
    (picture,) = conventions.figures().values()
    for letter in conventions.sequences():
        assert f">{letter}: " in picture
    assert picture.count('class="preheat-chart"') == len(conventions.sequences())
