"""docs/convert.md: its commands print what it shows, its Python too."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import preheat
from preheat.compat.configs import READERS

SOURCE = str(Path(preheat.__file__).parents[1])
PAGE = (Path(__file__).parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")
FILES = re.findall(r"```json (\S+)\n(.*?)```", PAGE, re.DOTALL)
CONSOLE = re.findall(r"```console ?(\w*)\n(.*?)```", PAGE, re.DOTALL)
SHELL = f'preheat() {{ {sys.executable} -m preheat "$@"; }}\n'


@pytest.mark.parametrize(("reader", "block"), CONSOLE, ids=[block[2:60].splitlines()[0] for _, block in CONSOLE])
def test_a_command_prints_what_is_shown(reader: str, block: str, tmp_path: Path) -> None:
    if reader and reader not in READERS:
        pytest.skip(f"configs of {reader} are not read")
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        line = ["bash", "-c", SHELL + command]
        env = os.environ | {"PYTHONPATH": SOURCE, "COLUMNS": "200"}
        ran = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert ran.stderr + ran.stdout == expected


def test_its_python_prints_what_it_says() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    env = os.environ | {"PYTHONPATH": SOURCE}
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script], env=env, capture_output=True, text=True
    )
    assert (ran.stdout, ran.returncode) == (expected, 0), ran.stderr


def test_every_form_has_a_row() -> None:
    from preheat.core.codegen.export import FORMS

    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(FORMS)
    assert len(CONSOLE) > 3
