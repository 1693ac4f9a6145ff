"""docs/theory.md: its command prints what stands under it, and its Python runs, block after block."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from preheat.cli import main

PAGE = (Path(__file__).parents[3] / "docs" / "theory.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (preheat [^\n]+)\n\n```text\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("line", "printed"), COMMANDS)
def test_a_command_prints_what_stands_under_it(line, printed, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out == printed


def test_its_python_prints_what_stands_under_it():
    scope = {"__name__": "page"}
    for code, printed in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, scope)
        assert out.getvalue() == printed


def test_all_blocks_were_found():
    assert (len(COMMANDS), len(BLOCKS)) == (1, 5)
    assert PAGE.count("```text") == len(COMMANDS) + len(BLOCKS)
    assert PAGE.count("```python") == len(BLOCKS)
