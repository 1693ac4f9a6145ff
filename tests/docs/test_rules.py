"""docs/rules.md: everything on it runs, no rule is left out, and its figures are those that the script draws."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

from preheat.session.rules import KINDS  # noqa: E402

PAGE = "docs/rules.md"


def test_every_rule_has_a_row_a_section_and_a_figure() -> None:
    from preheat import session

    rules = [name for name in session.__all__ if issubclass(getattr(session, name), session.Rule) and name != "Rule"]
    assert len(rules) > 4
    for name in rules:
        assert f"| [{name}](rules.md#{name.lower()}) |" in pages.read(PAGE)
        section = pages.read(PAGE).split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"(figures/rule-{name.lower()}.svg)" in section
        assert "*What it cannot know:*" in section


def test_the_figures_are_what_the_script_draws() -> None:
    import rules

    drawn = rules.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preheat.session.rules.KINDS", {**KINDS})  # the page has a rule of its own
    pages.run(PAGE, tmp_path)
