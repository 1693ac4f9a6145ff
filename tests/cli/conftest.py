"""A command line that runs in this process, and one that runs as users run it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

import preheat
from preheat.cli import main

SOURCE = str(Path(preheat.__file__).parents[1])


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


def _heeds_ctrl_c() -> None:
    """A shell makes its background jobs deaf to Ctrl-C, the tests that it runs there among them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """`ask("show", spec, …)`: the answer on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*tokens: str) -> Answer:
        code = main(tokens)
        return Answer(code, *capsys.readouterr())

    return run


def environment(**more: str) -> dict[str, str]:
    """The variables of a process that finds this preheat."""
    return {**os.environ, "PYTHONPATH": SOURCE, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", **more}


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`command("show", spec, …)`: the same in a process of its own."""

    def run(*tokens: str, **variables: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "preheat", *tokens]
        return subprocess.run(line, capture_output=True, text=True, encoding="utf-8", env=environment(**variables))

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """`start("table", spec, …)`: a process that is still running."""

    def run(*tokens: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        line, pipe = [sys.executable, "-m", "preheat", *tokens], subprocess.PIPE
        options = {"text": True, "encoding": "utf-8", "env": environment(), "preexec_fn": _heeds_ctrl_c}
        return subprocess.Popen(line, stdout=stdout, stderr=pipe, **options)

    return run
