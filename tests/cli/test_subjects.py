"""What is measured, named at a prompt: tasks as `compare` trains them, functions in files of one's own, and what is refused."""

import json
import signal
import sys

import pytest
import torch

from preheat import PreheatError, hold
from preheat.cli.subjects import module_subject, task_subject, told
from preheat.lab.running.signals import Signals
from preheat.lab.tasks import DigitsOptions
from preheat.lab.tasks.training import train

GOOD = """
import torch
import beside

def build({parameters}):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = lambda x: model(x).square().mean()
    return {returned}

four = None
"""
TUPLE = "model, optimizer, loss, [torch.ones(3, 2)]"
MAPPING = "dict(model=model, optimizer=optimizer, loss=loss, batches=[torch.ones(3, 2)])"

BROKEN = """import torch
def build(seed):
    model = torch.nn.Linear(2, 1)
    loss = lambda x: {line}
    return model, torch.optim.SGD(model.parameters(), lr=0.1), loss, [torch.ones(3, 2)] * 40
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])

    def write(parameters: str = "seed", returned: str = TUPLE, name: str = "build") -> str:
        (tmp_path / "beside.py").write_text("")
        file = tmp_path / "mine.py"
        file.write_text(GOOD.format(parameters=parameters, returned=returned))
        return f"{file}:{name}"

    return write


def test_a_task_is_made_as_compare_trains_it():
    options = DigitsOptions(depth=1, width=8, batch=32)
    losses = []
    train(options, hold(), 3, lambda step, loss, **_: losses.append(loss), steps=2)
    model, optimizer, loss, batches = task_subject("digits", options).made(3).four
    for expected in losses:
        found = loss(next(batches))
        assert found.item() == expected
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
    assert {p.data_ptr() for p in optimizer.param_groups[0]["params"]} == {p.data_ptr() for p in model.parameters()}


@pytest.mark.parametrize("parameters", ["seed", "*, seed=1", "", "size=3", "*args, **kwargs"])
@pytest.mark.parametrize("returned", [TUPLE, MAPPING, f"[{TUPLE}]"])
def test_a_function_makes_the_training_and_the_seed_fixes_it(written, parameters, returned):
    subject = module_subject(written(parameters, returned))
    first, again, other = (subject.made(seed).model.weight.detach() for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert subject.name == "mine.py:build"


def test_the_seed_is_the_one_that_was_asked_for(written):
    subject = module_subject(written("seed", "model, optimizer, loss, [seed]"))
    assert subject.made(7).batches == [7]


@pytest.mark.parametrize(
    ("parameters", "returned", "words"),
    [
        ("seed, data", TUPLE, "wants data, and is called with seed= only; give them default values"),
        ("seed", "model", "gives one Linear; return model, optimizer, loss, batches"),
        ("seed", "model, optimizer", "gives 2 things; return model"),
        ("seed", "dict(net=model, optimizer=optimizer)", "a mapping of other names: 'net, optimizer'; return model"),
        ("seed", "optimizer, model, loss, []", "gives: model is a torch.nn.Module"),
        ("seed", "model, optimizer, 3.0, []", "gives: loss is a function of a batch.*; write loss=lambda"),
    ],
)
def test_what_gives_no_training_is_refused(written, parameters, returned, words):
    subject = module_subject(written(parameters, returned))
    with pytest.raises(PreheatError, match=words):
        subject.made(0)


def test_a_model_that_is_made_once_is_refused(written):
    subject = module_subject(written("seed, kept=[]", "kept.append((model, optimizer, loss, [])) or kept[0]"))
    subject.made(0)
    with pytest.raises(PreheatError, match="gives the same model again; make the model inside the function"):
        subject.made(1)


@pytest.mark.parametrize("text", ["mine.py", "mine:build", "mine.py:", ":build", "mine.py:a b", ""])
def test_what_is_no_file_with_a_function_is_refused(text):
    with pytest.raises(PreheatError, match=r"--module is a file and a function in it.*write --module train.py:build"):
        module_subject(text)


def test_files_and_functions_that_are_not_there_are_refused(written):
    with pytest.raises(PreheatError, match=r"there is no file 'nowhere.py'"):
        module_subject("nowhere.py:build")
    for name, words in (("biuld", "did you mean 'build'"), ("four", "has no function 'four'")):
        subject = module_subject(written(name=name))
        with pytest.raises(PreheatError, match=words):
            subject.made(0)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nowhere_at_all\n", "raised ModuleNotFoundError: No module named 'nowhere_at_all' (mine.py, line 1)"),
        ("x = 1\ndef build(:\n", "raised SyntaxError: invalid syntax (mine.py, line 2)"),
        ("x = 1\0\n", "raised "),
        ("import sys\nsys.exit()\n", "ended the program by sys.exit (mine.py, line 2); let it return instead"),
        ("def build(seed):\n    return {}['key']\n", "raised KeyError: 'key' (mine.py, line 2)"),
        ("def build(seed):\n    return open('/no/file')\n", "raised FileNotFoundError: [Errno 2]"),
        (BROKEN.format(line="{}['key']"), "raised KeyError: 'key' (mine.py, line 4)"),
        (BROKEN.format(line="model(x[:, :1]).mean()"), "raised RuntimeError: mat1 and mat2 shapes"),
    ],
)
@pytest.mark.parametrize("command", [("find",), ("advise", "--steps", "100")])
def test_what_a_file_raises_is_one_line_with_its_place(ask, tmp_path, monkeypatch, command, source, words):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (tmp_path / "mine.py").write_text(source)
    answer = ask(*command, "--module", f"{tmp_path / 'mine.py'}:build")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"mine.py:build {words}" in answer.err


def test_sweeps_of_a_function_that_fixes_its_seed_are_said_to_be_the_same(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    line = "model(x).square().mean() + 1"
    fixed = BROKEN.format(line=line).replace("build(seed):", "build():\n    torch.manual_seed(0)")
    (tmp_path / "mine.py").write_text(fixed)
    answer = ask("find", "--module", f"{tmp_path / 'mine.py'}:build", "--updates", "40", "--low", "1e-3", "--json")
    found = json.loads(answer.out)
    assert found["sentence"].startswith("3 sweeps that are the same, 40 updates")
    assert "make each model from a seed of its own, as in build(seed)" in found["sentence"]


def test_an_error_of_ours_keeps_its_trace(tmp_path):
    def broken() -> None:
        with told(f"{tmp_path / 'mine.py'}:build"):
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        broken()


def test_a_signal_that_ends_the_program_while_a_file_runs_is_not_the_files(tmp_path):
    (tmp_path / "stopped.py").write_text(
        "import os, signal\n\ndef build():\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    with Signals(signal.SIGTERM), pytest.raises(SystemExit) as stopped:
        module_subject(f"{tmp_path / 'stopped.py'}:build").made(0)
    assert stopped.value.code == 128 + signal.SIGTERM
