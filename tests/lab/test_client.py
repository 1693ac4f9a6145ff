"""The two calls in people's scripts: what they read, what they write, and that they never end a training."""

import json
import math
import os
import subprocess
import sys
import threading
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import preheat
from preheat.core.errors import ParseError, PreheatError
from preheat.core.text.language import parse, to_text
from preheat.lab.client import opened

SCHEDULE = preheat.warmup("5%") >> preheat.decay(shape="cosine")
PLAN = preheat.Plan({"lr": SCHEDULE, "weight_decay": preheat.absolute(preheat.ramp(0.1, 0.2, 10)), "head/lr": SCHEDULE})


@pytest.fixture
def log_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics"
    monkeypatch.setenv("PREHEAT_LOG", str(path))
    monkeypatch.delenv("RANK", raising=False)
    yield path
    opened.cache_clear()


@pytest.mark.parametrize("value", [SCHEDULE, preheat.absolute(SCHEDULE), PLAN], ids=["factors", "rates", "plan"])
def test_what_was_spelled_is_read_back(value, monkeypatch):
    assert parse(to_text(value)) == value
    monkeypatch.setenv("PREHEAT_SCHEDULE", to_text(value))
    assert preheat.from_env() == value
    assert preheat.from_env(default=preheat.hold()) == value


def test_without_a_comparison_the_default_is_followed(monkeypatch):
    monkeypatch.delenv("PREHEAT_SCHEDULE", raising=False)
    assert preheat.from_env(default=PLAN) is PLAN
    assert preheat.from_env(default="warmup(5)") == preheat.warmup(5)
    with pytest.raises(PreheatError, match="PREHEAT_SCHEDULE is not set; start the script with"):
        preheat.from_env()


@pytest.mark.parametrize("text", ["", "7", "'linear'", "{", '{"lr": 3}', "__import__('os')", "[" * 5000])
def test_what_is_no_schedule_is_refused(text, monkeypatch):
    monkeypatch.setenv("PREHEAT_SCHEDULE", text)
    with pytest.raises(PreheatError):
        preheat.from_env()
    assert issubclass(ParseError, PreheatError)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.dictionaries(st.text(min_size=1), st.floats()), st.booleans())))
def test_what_was_logged_is_json_that_says_the_same(rows):
    from preheat.lab.client import row
    from preheat.lab.records.record import read_line, read_step

    for step, metrics, _ in rows:
        metrics.pop("step", None)
        at, values = read_step(read_line(json.dumps(row(step, metrics), allow_nan=False).encode()))
        assert at == step
        assert repr(values) == repr(metrics)


def test_numbers_of_every_kind_are_taken(log_file):
    preheat.log(0, loss=torch.tensor(2.5, requires_grad=True), lr=np.float32(0.5), n=np.int64(3), x=math.inf)
    preheat.log(np.int64(1), loss=2)
    assert [json.loads(line) for line in log_file.read_text().splitlines()] == [
        {"step": 0, "loss": 2.5, "lr": 0.5, "n": 3.0, "x": "inf"},
        {"step": 1, "loss": 2.0},
    ]


@pytest.mark.parametrize("value", ["low", None, True, [1, 2], torch.ones(3)])
def test_what_is_no_number_is_refused(log_file, value):
    with pytest.raises(PreheatError, match="the metric 'loss' "):
        preheat.log(0, loss=value)
    with pytest.raises(PreheatError, match="step is the number of an update"):
        preheat.log(value, loss=1.0)
    assert not log_file.exists()


def test_steps_that_cannot_be_counted_and_names_that_cannot_be_written_are_refused(log_file):
    with pytest.raises(PreheatError, match=r"step is the number of an update, 0, 1, 2 … up to 2\^53, not 1000000"):
        preheat.log(10**30, loss=1.0)
    with pytest.raises(PreheatError, match="the name of a metric is text"):
        preheat.log(0, **{"\ud800": 1.0})
    assert not log_file.exists()


def test_threads_and_forked_processes_write_whole_lines(log_file):
    def work(number):
        for step in range(200):
            preheat.log(step, loss=number + step / 1000, padding=1 / 3)

    preheat.log(0, loss=9.0)
    children = (
        [get_context("fork").Process(target=work, args=(number,)) for number in range(2)] if hasattr(os, "fork") else []
    )
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2, 8)]
    for one in (*children, *threads):
        one.start()
    for one in (*children, *threads):
        one.join()
    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    assert len(lines) == 1 + 200 * (len(children) + len(threads))
    assert {line["padding"] for line in lines[1:]} == {1 / 3}


@pytest.mark.parametrize(
    ("left", "kept"), [('{"step": 1, "lo', []), ('{"step": 1, "loss": 2}', [1]), ("", []), ("\n", [])]
)
def test_half_a_line_that_a_killed_process_left_does_not_spoil_the_next(log_file, left, kept):
    log_file.write_text('{"step": 0}\n' + left)
    preheat.log(2, loss=1.0)
    steps = [json.loads(line)["step"] for line in log_file.read_text().splitlines() if line]
    assert steps == [0, *kept, 2]


def test_other_ranks_and_other_runs_write_nothing(log_file, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    preheat.log(0, loss=1.0)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("PREHEAT_LOG")
    preheat.log(0, loss=1.0)
    assert not log_file.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_warns_and_does_not_end_the_training(monkeypatch):
    monkeypatch.setenv("PREHEAT_LOG", "/dev/full")
    with pytest.warns(RuntimeWarning, match=r"could not write update 3: No space left"):
        preheat.log(3, loss=1.0)
    os.close(opened("/dev/full"))
    opened.cache_clear()


def test_a_script_that_only_logs_loads_the_standard_library_only():
    code = (
        "import preheat, sys; preheat.log(0, loss=1.0); preheat.from_env(default=preheat.hold()); print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert {"rich", "cyclopts", "numpy", "torch", "scipy", "filelock"}.isdisjoint(loaded)
