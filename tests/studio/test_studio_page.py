"""What docs/studio.md shows is what there is: its commands, its Python, the forms of a copy."""

import json
import re
import shlex
from pathlib import Path

import pytest

import preheat as ph
from preheat.cli import main
from preheat.lab.records.record import Result, Writer
from preheat.studio.copying import forms
from preheat.studio.parts import MOST
from preheat.studio.service import answer

PAGE = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (preheat studio [^\n]+)", PAGE, re.MULTILINE)
HEAD = {
    "format": 3,
    "kind": "run",
    "study": "s",
    "arm": "a",
    "seed": 0,
    "spec": "decay()",
    "options": {},
    "task": "t",
    "trainer": "",
    "versions": {},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the page's commands name."""
    import torch

    from preheat.torch import Scheduler

    monkeypatch.chdir(tmp_path)
    arguments = {"learning_rate": 1e-4, "lr_scheduler_type": "cosine", "warmup_steps": 10, "max_steps": 100}
    Path("training_args.json").write_text(json.dumps(arguments))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.2)
    state = Scheduler(optimizer, "warmup(10) >> decay()", run=ph.Run(total=100)).state_dict()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": state}, "last.pt")
    folder = tmp_path / "runs" / "warmup" / "runs"
    folder.mkdir(parents=True)
    with Writer(folder / "a.jsonl", HEAD) as writer:
        writer.step(0, {"loss": 1.0, "lr": 0.1})
        writer.end(Result(metrics={"val_loss": 1.0}, steps=10), 0.1)


def test_every_command_of_the_page_opens(files: None, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    started = []
    monkeypatch.setattr("preheat.studio.server.run", lambda start, port, browser: started.append(start))
    assert len(COMMANDS) >= 7
    for line in COMMANDS:
        assert main(shlex.split(line, comments=True)[1:]) == 0, (line, capsys.readouterr().err)
    assert len(started) + line.count("--export") == len(COMMANDS)
    assert [run["arm"] for start in started for run in start["opened"]["runs"]] == ["a"]
    assert Path("page.html").is_file()


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    block, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)  # the other is a cell: tests/studio/test_widget.py
    exec(block, {})
    assert "Llama 2" in Path("page.html").read_text(encoding="utf-8")


def test_the_page_has_every_form_of_a_copy_in_their_order() -> None:
    table = PAGE.partition("## Copy")[2].partition("##")[0]
    shown = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[1:]
    assert ", ".join(shown) == ", ".join(form["label"] for form in forms())


def curve_of(text: str) -> dict:
    document = {"schedules": [{"text": text}], "run": {"total": "10_000"}, "peak": "3e-4"}
    return answer("draw", {"document": document, "points": 10})["curves"][0]


def test_what_the_page_says_has_no_handle_has_none_and_what_it_says_is_written_out_has_some() -> None:
    none = re.findall(r"`([^`]+)`", re.search(r"A schedule such as(.+?)has none", PAGE, re.DOTALL)[1])
    recipes = re.findall(r"`([^`]+)`", re.search(r"A recipe such as(.+?)is written out", PAGE, re.DOTALL)[1])
    assert (len(none), len(recipes)) == (3, 2)
    for text in none:
        assert curve_of(text)["handles"] == []
        assert curve_of(text)["fixed"]
    for text in recipes:
        assert curve_of(text)["handles"]
    assert f"up to {MOST} of them" in PAGE
