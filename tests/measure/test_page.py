"""docs/measure.md: its Python runs and prints what stands under it, to what another machine may round differently."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from preheat import measure

PAGE = (Path(__file__).parents[2] / "docs" / "measure.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_its_python_prints_what_stands_under_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict = {"__name__": "page"}
    for code, printed in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, scope)
        words, shown = (" ".join(NUMBER.sub("#", text).split()) for text in (out.getvalue(), printed))
        assert words == shown
        numbers, figures = ([float(one) for one in NUMBER.findall(text)] for text in (out.getvalue(), printed))
        assert numbers == pytest.approx(figures, rel=0.15, abs=0.1)


def test_every_block_was_found_and_every_section_has_one_with_what_it_prints():
    assert len(BLOCKS) == PAGE.count("```python") == 1 + len(SECTIONS)
    assert [bool(printed) for _, printed in BLOCKS] == [False] + [True] * len(SECTIONS)
    assert all(text.count("```python") == 1 for text in SECTIONS.values())


def test_every_instrument_that_the_table_names_is_there_and_has_a_section():
    named = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\)", PAGE, re.MULTILINE)
    assert {name for name, _ in named} == SECTIONS.keys() - {"gi_adam_"}
    for name, anchor in named:
        assert callable(getattr(measure, name))
        assert anchor == name.lower()  # as GitHub makes them of headings
        assert "\n**Not good for.** " in SECTIONS[name]
