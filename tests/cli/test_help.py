"""Help is worth reading: it fits a terminal, holds examples that can be pasted, and the examples run."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

import preheat
from preheat.lab.tasks import TASKS
from preheat.measure.monitoring.history import FORMAT, VERSION, Writer

PAGES = [
    (),
    ("show",),
    ("table",),
    ("presets",),
    ("explain",),
    ("studio",),
    ("diff",),
    ("check",),
    ("export",),
    ("convert",),
    ("bound",),
    ("compare",),
    ("watch",),
    ("compare", "bytes"),
    ("compare", "digits"),
    ("compare", "demo"),
    ("find",),
    ("find", "digits"),
    ("advise",),
    ("advise", "digits"),
    ("advise", "bytes"),
    ("predict",),
]

# what preheat watch is shown: a run that has ended
MONITORED = (
    {"type": "header", "format": FORMAT, "version": VERSION, "model": "Net", "layers": 1, "head": None},
    {"type": "event", "update": 7, "kind": "rate 0", "what": "every rate is 0", "write": "end the run", "value": 0.0},
    {"type": "end", "update": 8, "reason": "closed"},
)


def logs_of_two_runs(folder: Path) -> None:
    """The files that the examples of `preheat predict` name."""
    for name, text in {"wsd": "hold() >> decay(20%)", "cosine": "decay(shape=cosine)"}.items():
        rates = preheat.parse(text).bind(preheat.Run(total=500)).table(500)
        rows = [f"{step},{rate},{1 + (1 + sum(rates[:step])) ** -0.5}\n" for step, rate in enumerate(rates)]
        (folder / f"{name}.csv").write_text("step,lr,loss\n" + "".join(rows))


def examples(page: str) -> list[list[str]]:
    """The lines of a help page that can be pasted."""
    joined = re.sub(r" \\\n\s*", " ", page)
    return [shlex.split(line)[1:] for line in re.findall(r"^    (preheat .+)$", joined, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_every_page_has_examples_and_fits_80_columns(ask, page):
    answer = ask(*page, "--help")
    assert answer.code == 0
    assert examples(answer.out), "a page without an example"
    assert all(len(line) <= 80 for line in answer.out.splitlines())


def test_a_page_is_as_wide_as_the_terminal_is_now(ask, monkeypatch):
    for width in (300, 80, 50):
        monkeypatch.setenv("COLUMNS", str(width))
        assert max(map(len, ask("compare", "--help").out.splitlines())) == width


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_the_examples_run(ask, page, tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    logs_of_two_runs(tmp_path)
    monkeypatch.setattr("preheat.cli.compare._run", lambda *given: asked.append(given) or 0)
    monkeypatch.setattr("preheat.studio.server.run", lambda *given, **how: asked.append(given))
    monkeypatch.setattr("preheat.cli.find._answer", lambda *given: asked.append(given) or 0)
    monkeypatch.setattr("preheat.cli.advise._advised", lambda *given: asked.append(given) or 0)
    Writer(tmp_path / "runs" / "monitor.jsonl").write(*MONITORED)
    for tokens in examples(ask(*page, "--help").out):
        answer = ask(*tokens[: tokens.index(">")] if ">" in tokens else tokens)
        assert answer.code == 0 or (answer.code == 1 and tokens[0] == "diff"), tokens
        assert answer.err == "", tokens
        assert answer.out or asked


def test_the_first_page_says_what_there_is(ask):
    out = ask("--help").out
    for name in ("show", "table", "presets", "compare", "export", "convert"):
        assert re.search(rf"│ {name} +\w", out), f"{name} is not listed with its first line"
    assert ask().out == out


def test_a_page_explains_every_word_of_the_language(ask):
    out = ask("show", "--help").out
    for word in (
        "ramp",
        "hold",
        "warmup",
        "decay",
        "steps",
        "invsqrt",
        "saturating",
        "rectified",
        "table",
        "lower",
        "upper",
    ):
        assert f"{word}(" in out


def test_every_option_of_a_task_is_explained(ask):
    for task, options in TASKS.items():
        out = ask("compare", task, "--help").out
        for field in fields(options):
            assert re.search(rf"│ --{field.name.replace('_', '-')} \w+ +\w", out), f"{task} --{field.name}"


def test_the_version(ask):
    assert ask("--version").out == f"{preheat.__version__}\n"
