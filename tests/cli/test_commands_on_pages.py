"""Every comparison and check that a page tells its reader to type is carried out. That each command can be read at all:
tests/docs/test_examples.py."""

import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import pages


def commands(of: str) -> list:
    """The lines of one command on the pages, but for those that are run there with what they print, and with placeholders."""
    found = {}
    for page in pages.PAGES:
        shown = {block.command for block in pages.blocks(page) if block.kind == "text"}
        for line in pages.commands(page):
            if line.startswith(f"preheat {of} ") and line not in shown and "…" not in line and "CKPT" not in line:
                found[line] = pytest.param(line, id=f"{page}: {line[:70]}")
    return list(found.values())


@pytest.mark.parametrize("line", commands("compare"))
def test_a_comparison_on_a_page_can_be_typed(ask, monkeypatch, line):
    seen = []
    monkeypatch.setattr("preheat.cli.compare._run", lambda *given: seen.append(given[0]) or 0)
    answer = ask(*shlex.split(line, comments=True)[1:])
    assert (answer.code, answer.err) == (0, "")
    (experiment,) = seen
    assert len({arm.name for study in experiment.studies for arm in study.arms}) > 1


@pytest.mark.parametrize("line", commands("check"))
def test_a_check_on_a_page_can_be_typed_and_finds_nothing(ask, line):
    answer = ask(*shlex.split(line, comments=True)[1:])
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


def test_the_pages_were_found():
    assert len(commands("compare")) > 10
    assert len(commands("check")) >= 5
