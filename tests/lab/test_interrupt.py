"""Ctrl-C and a killed driver, on a real driver in a process group of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_runs import experiment_of

import preheat
from preheat.lab.driver import run_experiment

PATHS = [str(Path(__file__).parent), str(Path(preheat.__file__).parents[1])]
DRIVER = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from fake_runs import experiment_of
from preheat.lab.driver import run_experiment
if __name__ == "__main__":
    try:
        run_experiment(experiment_of(**{options!r}), Path({out!r}), jobs=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""
OPTIONS = {"seeds": (0, 1, 2), "steps": 100, "pause": 0.006}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")


@pytest.fixture
def driver(tmp_path):
    """A comparison on its way, with one run finished at least."""
    (tmp_path / "marks").mkdir()
    options = {**OPTIONS, "marks": str(tmp_path / "marks")}
    out = tmp_path / "out"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(paths=PATHS, options=options, out=str(out)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    until(lambda: finished(out) and partial(out))
    yield process, out, options
    if process.poll() is None:
        process.kill()
    process.communicate()


def finished(out):
    return sorted(path.name for path in (out / "runs").glob("*.jsonl"))


def partial(out):
    return list((out / "runs").glob("*.part"))


def until(true, seconds=30):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_ends_cleanly_keeps_what_is_finished_and_the_same_again_runs_the_rest(driver, tmp_path, monkeypatch):
    process, out, options = driver
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=20)
    kept = finished(out)
    assert process.returncode == 130
    assert f"Stopped. {len(kept)} of 6 runs are finished and kept; the same command goes on with the rest." in text
    assert "Traceback" not in text
    assert 1 <= len(kept) < 6
    assert partial(out) == []
    for mark in (tmp_path / "marks").iterdir():
        mark.unlink()
    monkeypatch.setattr(
        "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
    )
    summary = run_experiment(experiment_of(**options), out, engine="inline")
    assert len(list((tmp_path / "marks").iterdir())) == 6 - len(kept)
    assert [arm.missing for arm in summary.studies[0].arms] == [0, 0]


def test_workers_do_not_outlive_a_driver_that_is_killed(driver):
    process, out, _ = driver
    process.kill()
    until(lambda: not partial(out), seconds=10)
    assert 1 <= len(finished(out)) < 6


WORKER = """
import os, signal, sys
sys.path[:0] = {paths!r}
from multiprocessing import Pipe
from pathlib import Path
from fake_runs import experiment_of
from preheat.lab.records.record import Writer
from preheat.lab.running.worker import Job, main, pickled
closed = Writer.__exit__
def asked_again(self, *error):
    os.kill(os.getpid(), signal.SIGTERM)
    closed(self, *error)
Writer.__exit__ = asked_again
trial = next(iter(experiment_of(**{options!r}).trials()))
driver, worker = Pipe(duplex=False)
main(pickled(Job(trial, Path({path!r}), 1)), Path({path!r}), worker, {{}}, os.getppid())
"""


def test_a_worker_that_is_asked_twice_to_end_leaves_nothing(tmp_path):
    (tmp_path / "marks").mkdir()
    options = {**OPTIONS, "steps": 100_000, "marks": str(tmp_path / "marks")}
    text = WORKER.format(paths=PATHS, options=options, path=str(tmp_path / "run.jsonl"))
    process = subprocess.Popen([sys.executable, "-c", text])
    until(lambda: list(tmp_path.glob("*.part")))
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["marks"]
