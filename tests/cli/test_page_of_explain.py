"""docs/explain.md: the commands that it shows print what stands under them, and its Python runs."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (preheat [^\n]+)\n\n```text\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("line", "printed"), COMMANDS)
def test_a_command_prints_what_stands_under_it(ask, line, printed):
    answer = ask(*shlex.split(line)[1:])
    assert answer.err == ""
    assert answer.out == printed


@pytest.mark.parametrize(("code", "printed"), BLOCKS)
def test_its_python_prints_what_stands_under_it(code, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {"__name__": "page"})
    assert out.getvalue() == printed


def test_both_commands_and_python_were_found():
    assert {line.split()[1] for line, _ in COMMANDS} == {"explain", "diff"}
    assert len(BLOCKS) == 1
    assert PAGE.count("```text") == len(COMMANDS) + len(BLOCKS)
