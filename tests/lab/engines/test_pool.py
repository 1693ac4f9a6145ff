"""Executors of the standard library, with real processes; and what comes back, looked at on both ends."""

import io
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context

import pytest
from fake_runs import LINEAR, NONE, experiment_of
from remote_runs import alive, by_run, content, jobs_of, trainings, until
from rich.console import Console

from preheat.core.errors import PreheatError
from preheat.lab.driver import run_experiment
from preheat.lab.engines.base import Inline, cores
from preheat.lab.engines.pool import Futures, stop_file
from preheat.lab.engines.registry import as_engine
from preheat.lab.engines.remote import attempt, event_of
from preheat.lab.running.worker import pickled


def pool(workers=2):
    """Spawned processes, one for each run."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=1)


class AtOnce:
    """An executor that carries out here what it is given, the last first, and has no word for how much it can do."""

    def __init__(self, hold=4):
        self.hold, self.held = hold, []

    def submit(self, function, *arguments):
        future = Future()
        self.held.append((future, function, arguments))
        if len(self.held) == self.hold:
            threading.Thread(target=self.work).start()
        return future

    def work(self):
        while self.held:
            future, function, arguments = self.held.pop()
            if future.set_running_or_notify_cancel():
                future.set_result(function(*arguments))


class Counting:
    """Passes on to another executor, and counts how many futures are not done."""

    def __init__(self, executor):
        self.executor, self.futures, self.most = executor, [], 0

    def submit(self, function, *arguments):
        self.futures = [future for future in self.futures if not future.done()]
        self.futures.append(self.executor.submit(function, *arguments))
        self.most = max(self.most, len(self.futures))
        return self.futures[-1]


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """What a run sets in its process is set back, where that process is this one."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def test_a_pool_of_processes_gives_the_same_records_as_inline_and_each_run_a_process_of_its_own(tmp_path):
    with pool() as executor:
        found = by_run(Futures(executor).run(jobs_of(tmp_path / "pool")))
    assert {name: [event.kind for event in events] for name, events in found.items()} == {
        f"fake-study-{arm}-seed{seed}": ["started", "finished"] for arm in ("none", "linear") for seed in (0, 1)
    }
    assert len(set(trainings(tmp_path / "pool"))) == 4
    list(Inline().run(jobs_of(tmp_path / "inline")))
    assert content(tmp_path / "pool") == content(tmp_path / "inline")
    assert sorted(path.suffix for path in (tmp_path / "pool").iterdir()) == ["", *[".jsonl"] * 4]


def test_a_comparison_on_an_executor_says_the_same_as_inline(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
    )
    console = Console(file=io.StringIO())
    with pool() as executor:
        there = run_experiment(experiment_of(), tmp_path / "there", engine=executor, console=console)
    here = run_experiment(experiment_of(), tmp_path / "here", engine="inline", console=console)
    losses = [[arm.losses for arm in summary.studies[0].arms] for summary in (there, here)]
    assert losses[0] == losses[1]
    assert there.verdicts == here.verdicts
    assert (there.failures, here.failures) == ((), ())


def test_any_object_with_submit_is_an_executor_and_runs_are_told_in_the_order_in_which_they_end(tmp_path):
    jobs = jobs_of(tmp_path / "odd")
    events = list(as_engine(AtOnce()).run(jobs))
    assert [event.kind for event in events] == ["started"] * 4 + ["finished"] * 4
    assert [event.job for event in events[4:]] == jobs[::-1]
    list(Inline().run(jobs_of(tmp_path / "inline")))
    assert content(tmp_path / "odd") == content(tmp_path / "inline")


def test_an_error_of_the_training_is_a_failed_run_of_one_line_and_the_others_go_on(tmp_path):
    with pool(1) as executor:
        found = by_run(Futures(executor).run(jobs_of(tmp_path, fault="raise", fault_seed=0)))
    kinds = {name: events[-1].kind for name, events in found.items()}
    assert list(kinds.values()).count("finished") == 3
    message = found["fake-study-none-seed0"][-1].message
    assert message.startswith("RuntimeError: the disk /secret/place is full at seed 0 (fake_trainer.py, line ")
    assert "\n" not in message


def test_a_worker_that_dies_fails_what_is_left_keeps_what_is_finished_and_a_new_executor_goes_on(tmp_path):
    options = {"arms": (LINEAR, NONE), "seeds": (0, 1, 2), "fault": "kill", "fault_seed": 1}
    jobs = jobs_of(tmp_path, **options)
    with pool(1) as executor:
        first = by_run(Futures(executor).run(jobs))
        again = by_run(Futures(executor).run(jobs[4:]))
    kinds = [first[job.trial.name][-1].kind for job in jobs]
    assert kinds == ["finished"] * 3 + ["failed"] * 3
    assert all(len(events) == 2 for events in first.values())
    for events in [first[job.trial.name] for job in jobs[3:]] + list(again.values()):
        assert events[-1].message.startswith("a worker died (out of memory?), and the executor with all that it held")
    kept = content(tmp_path)
    assert sorted(kept) == sorted(job.trial.name for job in jobs[:3])
    with pool(2) as executor:
        rest = by_run(Futures(executor).run(jobs[4:]))
    assert [events[-1].kind for events in rest.values()] == ["finished", "finished"]
    assert len(content(tmp_path)) == 5
    assert {name: content(tmp_path)[name] for name in kept} == kept


def test_closing_ends_what_runs_on_this_machine_and_never_begins_the_rest(tmp_path):
    jobs = jobs_of(tmp_path, seeds=(0, 1, 2), steps=2, pause=600)
    with pool(2) as executor, closing(Futures(executor).run(jobs)) as events:
        assert [next(events).kind, next(events).kind] == ["started", "started"]
        until(lambda: len(trainings(tmp_path)) == 2)
        # leaving the pool waits for its workers: it returns, though a run would have slept for twenty minutes
    assert len(trainings(tmp_path)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["marks"]


DRIVER = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from remote_runs import jobs_of
from preheat.lab.engines.pool import Futures
if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        list(Futures(executor).run(jobs_of(Path({folder!r}), seeds=(0,), steps=2, pause=600)))
"""


@pytest.mark.skipif(os.name != "posix", reason="a killed process has a parent elsewhere only")
def test_a_killed_driver_leaves_no_run_behind(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(paths=sys.path, folder=str(tmp_path)))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, str(script)], env=environment) as driver:
        until(lambda: driver.poll() is not None or ((tmp_path / "marks").exists() and trainings(tmp_path)))
        driver.kill()
    assert len(trainings(tmp_path)) == 1
    until(lambda: not any(map(alive, trainings(tmp_path))))
    assert not list(tmp_path.glob("preheat-*"))


def test_a_run_that_lasts_too_long_is_ended_and_only_that_one(tmp_path):
    slow = jobs_of(tmp_path / "slow", seeds=(0,), steps=2, pause=600)
    quick = jobs_of(tmp_path / "quick", seeds=(1,))
    with pool(1) as executor:
        found = by_run(Futures(executor, limit=1.5).run([slow[0], *quick]))
    kinds = {name: events[-1].kind for name, events in found.items()}
    assert list(kinds.values()) == ["failed", "finished", "finished"]
    assert found[slow[0].trial.name][-1].message == "ended: the run lasted longer than 1.5 s"


def test_at_most_so_many_runs_are_handed_over_as_there_are_workers(tmp_path):
    with ThreadPoolExecutor(4) as threads:
        executor = Counting(threads)
        events = list(Futures(executor, workers=2).run(jobs_of(tmp_path, seeds=(0, 1, 2))))
    assert [event.kind for event in events].count("finished") == 6
    assert executor.most == 2


def test_an_executor_that_was_shut_down_fails_every_run_with_its_own_words(tmp_path):
    executor = pool(1)
    executor.shutdown()
    found = by_run(Futures(executor).run(jobs_of(tmp_path)))
    assert [events[-1].kind for events in found.values()] == ["failed"] * 4
    text = "lost by the executor: RuntimeError: cannot schedule new futures after shutdown"
    assert {events[-1].message for events in found.values()} == {text}


def test_threads_and_what_is_no_executor_are_refused():
    with ThreadPoolExecutor(1) as executor, pytest.raises(PreheatError, match="runs in threads would share one torch"):
        Futures(executor)
    with pytest.raises(PreheatError, match=r"an executor is made beforehand, for example ProcessPoolExecutor\(4"):
        Futures(ProcessPoolExecutor)
    with pytest.raises(PreheatError, match="an executor is made beforehand"):
        Futures("loky")
    for settings, message in [({"workers": 0}, "workers must be"), ({"cpus": 0}, "cpus must"), ({"limit": 0}, "limit")]:
        with pytest.raises(PreheatError, match=message):
            Futures(AtOnce(), **settings)


def test_the_cores_are_shared_among_the_workers_unless_cpus_says_otherwise():
    assert Futures(AtOnce(), workers=1).threads(10) == cores()
    assert Futures(AtOnce(), workers=10**6).threads(10**6) == 1
    assert Futures(AtOnce(), workers=4).threads(1) == cores()
    assert Futures(AtOnce()).threads(10**6) == 1
    assert Futures(AtOnce(), cpus=7).threads(3) == 7


def answer_of(job, **more):
    return attempt(pickled(job), job.environment, **more)


def test_an_answer_counts_only_if_it_is_the_record_of_that_run(tmp_path):
    first, second = jobs_of(tmp_path, seeds=(0,))
    record = answer_of(first)
    for wrong in (answer_of(second), record[: len(record) // 2], b"", b"\xff"):
        event = event_of(first, wrong)
        assert (event.kind, event.message.split(":")[0]) == ("failed", "what came back cannot be used")
        assert not first.path.exists()
    assert event_of(first, record).kind == "finished"
    assert first.path.read_bytes() == record
    absent = replace(first, path=tmp_path / "absent" / first.path.name)
    assert event_of(absent, record).message == "the record could not be written: No such file or directory"


def test_nothing_that_the_training_does_is_raised_where_it_runs(tmp_path):
    def text(**options):
        return answer_of(jobs_of(tmp_path, seeds=(0,), **options)[0])

    assert text(trainer="fake_trainer:absent").splitlines()[0].endswith("has no function 'absent' to train with")
    line, *trace = text(trainer="fake_exits:leaves").splitlines()
    assert line.startswith("the training ended its process by sys.exit(3) (fake_exits.py, line ")
    assert trace[-1] == "SystemExit: 3"
    line, *trace = text(trainer="fake_exits:interrupted", fault="own").splitlines()
    assert line.startswith("the training raised KeyboardInterrupt itself (fake_exits.py, line ")
    assert trace[-1] == "KeyboardInterrupt"
    assert attempt(b"no job", {}).startswith("UnpicklingError: ")
    code = b"cno_such_module\ntrain\n."
    assert attempt(code, {}).startswith("ModuleNotFoundError: No module named 'no_such_module'")
    assert attempt(code, {}).endswith("; that machine has to have it too")


def test_an_interrupt_is_not_swallowed_where_nobody_asked_for_it(tmp_path):
    job = jobs_of(tmp_path, seeds=(0,), trainer="fake_exits:interrupted")[0]
    with pytest.raises(KeyboardInterrupt):
        answer_of(job)
    caught = jobs_of(tmp_path, seeds=(0,), trainer="fake_exits:interrupted", fault="caught")[0]
    with pytest.raises(KeyboardInterrupt):
        answer_of(caught)
    before = signal.getsignal(signal.SIGINT)
    with stop_file() as path:
        assert answer_of(job, stop_file=path) == "interrupted"
    assert not os.path.exists(path)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_limit_needs_a_thread_that_can_be_interrupted(tmp_path):
    job = jobs_of(tmp_path, seeds=(0,))[0]
    with ThreadPoolExecutor(1) as threads:
        refused = threads.submit(attempt, pickled(job), job.environment, 5.0).result()
        assert refused == "this executor runs in threads, where a run cannot be interrupted; leave limit out"
        assert isinstance(threads.submit(attempt, pickled(job), job.environment, None, "absent").result(), bytes)
