"""What a run is to the operating system: what it may start, and that nothing of it is left, however it or the driver ends."""

import functools
import os
import shlex
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import fake_exits
import pytest
from fake_runs import NONE
from fake_trainer import FakeOptions
from leaving_behind import SLEEP
from remote_runs import alive, content, until

import preheat
from preheat.lab.engines.base import Inline
from preheat.lab.engines.processes import Processes, exit_reason
from preheat.lab.experiment import Experiment, Study
from preheat.lab.running.command import TRAINER, LaunchOptions
from preheat.lab.running.groups import Guard
from preheat.lab.running.worker import Job

PATHS = [str(Path(__file__).parent), str(Path(preheat.__file__).parents[1])]
DRIVER = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_lifetimes import experiment_of
from preheat.lab.driver import run_experiment
if __name__ == "__main__":
    run_experiment(experiment_of(Path({folder!r}), {kinds!r}), Path({folder!r}) / "out", **{settings!r})
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")


def experiment_of(folder, kinds):
    """A study of one run for each kind; each leaves the numbers of its processes in a folder with the kind's name."""
    studies = []
    for kind in kinds:
        marks = folder / kind
        marks.mkdir(parents=True, exist_ok=True)
        if kind.startswith("command"):
            options, trainer = LaunchOptions(command=command_of(marks, kind)), TRAINER
        else:
            trainer, _, fault = kind.partition(" ")
            options, trainer = FakeOptions(marks=str(marks), fault=fault), f"leaving_behind:{trainer}"
        studies.append(Study(kind, "fake", options, (NONE,), (0,), None, trainer))
    return Experiment("Lifetimes", tuple(studies))


def command_of(marks, kind):
    """A shell whose background process is silent; one kind kills the process that waits for it."""
    words = shlex.join([sys.executable, "-c", SLEEP, str(marks / "grandchild")])
    ready = f"until [ -s {shlex.quote(str(marks / 'grandchild'))} ]; do sleep 0.05; done"
    then = "kill -9 $PPID" if "kill" in kind else f"touch {shlex.quote(str(marks / 'ready'))}"
    return shlex.join(["sh", "-c", f"echo $$ > {shlex.quote(str(marks / 'shell'))}; {words} & {ready}; {then}; wait"])


def jobs_of(folder, kinds):
    (folder / "runs").mkdir(exist_ok=True)
    trials = experiment_of(folder, kinds).trials()
    return {trial.study.title: Job(trial, folder / "runs" / f"{trial.name}.jsonl", 1) for trial in trials}


def processes(folder):
    """The numbers that processes have left there."""
    return {path.name: int(path.read_text()) for path in folder.iterdir() if path.name != "ready"}


@pytest.fixture
def driven(tmp_path):
    """A driver with its runs on their way, and all the processes; they are killed where a test fails."""
    begun = []

    def start(kinds, **settings):
        script = tmp_path / "driver.py"
        script.write_text(DRIVER.format(paths=PATHS, folder=str(tmp_path), kinds=kinds, settings=settings))
        driver = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        begun.append(driver)
        until(lambda: driver.poll() is not None or all((tmp_path / kind / "ready").exists() for kind in kinds))
        return driver, [one for kind in kinds for one in processes(tmp_path / kind).values()]

    yield start
    for driver in begun:
        if driver.poll() is None:
            driver.kill()
        driver.communicate()
    for path in (one for folder in tmp_path.iterdir() if folder.is_dir() for one in folder.iterdir()):
        if path.is_file() and path.read_text().strip().isdigit() and alive(int(path.read_text())):
            os.kill(int(path.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("number", "code", "kinds", "settings"),
    [
        (signal.SIGKILL, -9, ["silent", "command"], {"jobs": 2, "gpus": 0}),
        (signal.SIGTERM, 143, ["silent", "command"], {"jobs": 2, "gpus": 0}),
        (signal.SIGHUP, 129, ["silent", "command"], {"jobs": 2, "gpus": 0}),
        (signal.SIGKILL, -9, ["command"], {"engine": "inline"}),
    ],
    ids=["killed", "terminated", "hung up on", "killed inline"],
)
def test_a_driver_leaves_nothing_however_it_ends(driven, tmp_path, number, code, kinds, settings):
    driver, begun = driven(kinds, **settings)
    assert len(begun) == sum({"silent": 2, "command": 2}[kind] for kind in kinds)
    assert all(map(alive, begun))
    os.kill(driver.pid, number)
    text, _ = driver.communicate(timeout=60)
    assert driver.returncode == code
    until(lambda: not any(map(alive, begun)), seconds=60)
    if number != signal.SIGKILL:
        assert "Stopped. 0 of 2 runs are finished and kept; the same command goes on with the rest." in text
        assert "Traceback" not in text
        assert not list((tmp_path / "out" / "runs").glob("*.part"))


def test_whatever_a_run_has_started_is_ended_before_the_run_counts(tmp_path):
    ends = {"leaves": 3, "leaves raise": 2, "leaves kill": 2, "leaves hang": 2, "command kill": 2}
    jobs = jobs_of(tmp_path, list(ends))
    found = {}
    with closing(Processes(jobs=3, gpus=0, patience=15.0).run(list(jobs.values()))) as events:
        for event in events:
            if event.kind in ("finished", "failed"):
                kind = event.job.trial.study.title
                found[kind] = event
                begun = processes(tmp_path / kind)
                assert len(begun) == ends[kind]
                assert not any(map(alive, begun.values())), kind
    assert {kind: event.kind for kind, event in found.items()} == {
        kind: "finished" if kind == "leaves" else "failed" for kind in ends
    }
    assert "ended by SIGKILL" in found["leaves kill"].message
    assert "ended by SIGKILL" in found["command kill"].message
    assert "nothing was logged for 15 s" in found["leaves hang"].message


def slow_to_load(tmp_path, seconds, train):
    """A job whose training function cannot be unpacked in less than so many seconds."""
    function = functools.partial(train, more=fake_exits.Slow(seconds))
    study = Study("slow", "slow", None, (NONE,), (0,), None, "slow:train", function=function)
    return Job(next(study.trials()), tmp_path / "runs" / "slow.jsonl", 1)


@pytest.fixture
def ended(tmp_path):
    """The last event of a run in a process of its own."""
    (tmp_path / "runs").mkdir()

    def run(seconds, train, patience):
        with closing(
            Processes(jobs=1, gpus=0, patience=patience).run([slow_to_load(tmp_path, seconds, train)])
        ) as events:
            return list(events)[-1]

    return run


def test_patience_begins_when_the_training_does_and_the_start_has_a_limit_of_its_own(ended, monkeypatch):
    assert ended(5.0, fake_exits.trains, patience=4.0).kind == "finished"
    monkeypatch.setattr("preheat.lab.engines.processes.PATIENCE", 0.5)
    assert "its training had not begun after 0.5 s" in ended(600.0, fake_exits.trains, patience=0.1).message


def test_a_process_that_ends_in_its_training_is_not_told_to_guard_its_script(ended):
    assert (
        ended(0.0, fake_exits.leaves_at_once, patience=60.0).message
        == "the process ended with exit code 1 and no record"
    )
    assert "__main__" in exit_reason(1)


def test_a_training_may_start_processes_and_its_forks_neither_speak_nor_write_for_it(tmp_path):
    jobs = jobs_of(tmp_path, ["starts_processes", "forks"])
    for engine in (Processes(jobs=2, gpus=0), Inline()):
        assert [event.message for event in engine.run(list(jobs.values())) if event.kind == "failed"] == []
        here = content(tmp_path / "runs")
        steps, columns, result = here[jobs["forks"].trial.name]
        assert (steps, result.metrics) == ([0, 1, 2], {"val_loss": 3.0})
        assert [columns[how][1] for how in ("returns", "raises", "exits")] == [1.0] * 3
        assert columns["loss"] == [1.0, 7.0, 3.0], "the forks ended with 0, 1 and, the last one, 7"
        assert here[jobs["starts_processes"].trial.name][1]["val_loss"] == [4.0]
        for job in jobs.values():
            job.path.unlink()


@pytest.mark.parametrize("watchdog", ["lives", "was killed"])
def test_what_is_still_there_when_the_guard_ends_is_ended_by_the_watchdog(watchdog):
    first, second, third = (subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3))
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with Guard() as guard:
        guard.begin(first.pid)
        guard.begin(third.pid)
        if watchdog == "was killed":
            guard._watchdog.kill()
            guard._watchdog.wait()
            guard.renew()
        guard.begin(second.pid)
        guard.end([third.pid])
        assert third.poll() == -signal.SIGTERM
        assert (first.poll(), second.poll()) == (None, None)
    assert (first.wait(60), second.wait(60)) == (-signal.SIGTERM, -signal.SIGTERM)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_watchdog_sees_that_its_driver_is_gone_though_a_fork_holds_the_pipe(tmp_path):
    code = (
        "import os, subprocess, sys, time; from preheat.lab.running.groups import Guard\n"
        "one = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "with Guard() as guard:\n"
        "    guard.begin(one.pid)\n"
        "    fork = os.fork()\n"
        "    if fork == 0: time.sleep(600)\n"
        "    print(one.pid, fork, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={"PYTHONPATH": PATHS[1]})
    with driver:
        one, fork = map(int, driver.stdout.readline().split())
        try:
            until(lambda: not alive(one), seconds=60)
        finally:
            os.kill(fork, signal.SIGKILL)
