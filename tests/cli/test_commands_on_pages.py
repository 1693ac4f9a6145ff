"""Every comparison that a page tells its reader to type is one that the command line takes, with the scripts that it names."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
EXAMPLE = r"\bexamples/\w+\.py\b"


def commands():
    """The lines of `preheat compare` on the pages, those that go on in the next line put together."""
    for page in PAGES:
        text = re.sub(r"\\+\n\s*", " ", page.read_text(encoding="utf-8"))
        for line in re.findall(r"^ {4,}(preheat compare [^\n]+)", text, re.MULTILINE):
            if "…" not in line:
                yield pytest.param(line, id=f"{page.name}: {line[:70]}")


FOUND = list(commands())


@pytest.mark.parametrize("line", FOUND)
def test_a_comparison_on_a_page_can_be_typed(ask, monkeypatch, line):
    seen = []
    monkeypatch.setattr("preheat.cli.compare._run", lambda *given: seen.append(given[0]) or 0)
    answer = ask(*shlex.split(line, comments=True)[1:])
    assert (answer.code, answer.err) == (0, "")
    (experiment,) = seen
    assert len({arm.name for study in experiment.studies for arm in study.arms}) > 1


def checks():
    """The lines of `preheat check` on the pages that can be typed as they stand."""
    for page in PAGES:
        for line in re.findall(r"^ {4,}(preheat check [^\n]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield pytest.param(line, id=f"{page.name}: {line[:70]}")


@pytest.mark.parametrize("line", list(checks()))
def test_a_check_on_a_page_can_be_typed_and_finds_nothing(ask, line):
    answer = ask(*shlex.split(line, comments=True)[1:])
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


def test_the_pages_were_found_and_so_were_their_scripts():
    assert len(FOUND) > 15
    assert len(list(checks())) >= 5
    named = {name for page in PAGES for name in re.findall(EXAMPLE, page.read_text(encoding="utf-8"))}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
