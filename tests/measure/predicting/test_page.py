"""docs/predict.md: its Python makes the logs, and its command prints what stands under it."""

import re
import shlex
from pathlib import Path

from preheat.cli import main

PAGE = (Path(__file__).parents[3] / "docs" / "predict.md").read_text(encoding="utf-8")


def test_the_command_prints_what_stands_under_it(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(block, {"__name__": "page"})
    ((line, printed),) = re.findall(r"^    (preheat [^\n]+)\n\n```text\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out == printed
