"""Slurm by submitit: its own executors for one machine, and its Slurm executor with commands that start processes."""

import os
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import fake_slurm
import pytest
from fake_runs import LINEAR, NONE
from remote_runs import alive, by_run, content, jobs_of, trainings, until

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Inline
from preheat.lab.engines.registry import engine_named
from preheat.lab.engines.slurm import Slurm, error_text

pytestmark = pytest.mark.skipif(find_spec("submitit") is None or os.name != "posix", reason="submitit is not installed")
KINDS = ["started", "finished"]


@pytest.fixture(autouse=True)
def paths(monkeypatch):
    """Where the processes of submitit find the fakes; and no wait for files that other machines have yet to show."""
    folders = [str(Path(__file__).parents[1]), str(Path(preheat.__file__).parents[1])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The memory of a Slurm of one machine."""
    (tmp_path / "fake").mkdir()
    commands, memory = fake_slurm.install(tmp_path / "fake")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return memory


@pytest.mark.parametrize("cluster", ["slurm", "local", "debug"])
def test_every_executor_of_submitit_gives_the_same_records_as_inline(tmp_path, state, cluster):
    found = by_run(Slurm(cluster=cluster, poll=0.05).run(jobs_of(tmp_path / "out" / "runs")))
    assert [[event.kind for event in events] for events in found.values()] == [KINDS] * 4
    list(Inline().run(jobs_of(tmp_path / "inline")))
    assert content(tmp_path / "out" / "runs") == content(tmp_path / "inline")
    assert len(content(tmp_path / "inline")) == 4
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["runs"]


def test_all_runs_are_one_array_that_asks_for_what_a_run_takes(tmp_path, state):
    engine = Slurm(tmp_path / "jobs", cpus=2, gpus=1, jobs=3, minutes=30, poll=0.05, mem_gb=4, slurm_partition="long")
    assert engine.threads(100) == 2
    list(engine.run(jobs_of(tmp_path / "runs")))
    (script,) = state.glob("*.sh")
    lines = {line.removeprefix("#SBATCH --") for line in script.read_text().splitlines()}
    wanted = ["array=0-3%3", "cpus-per-task=2", "gpus-per-node=1", "time=30", "mem=4GB", "partition=long"]
    assert lines.issuperset(wanted)


@pytest.mark.parametrize("cluster", ["slurm", "local"])
def test_an_error_and_a_death_are_failed_runs_whose_output_stays(tmp_path, state, cluster):
    for fault, begins in (
        ("raise", "RuntimeError: the disk /secret/place is full at seed 0 (fake_trainer.py, line "),
        ("kill", "the job gave nothing back: Slurm says F"),
    ):
        folder = tmp_path / fault / "runs"
        arms = (NONE, LINEAR) if fault == "raise" else (NONE,)
        found = by_run(Slurm(cluster=cluster, poll=0.05).run(jobs_of(folder, arms=arms, fault=fault, fault_seed=0)))
        started, failed = found.pop("fake-study-none-seed0")
        assert (started.kind, failed.kind) == ("started", "failed")
        assert failed.message.startswith(begins)
        more = "; see runs/fake-study-none-seed0.txt" if fault == "raise" else ""
        assert failed.message.endswith(f"_0_log.err){more}")
        assert [[event.kind for event in events] for events in found.values()] == [KINDS] * len(found)
        assert len(content(folder)) == len(found)
        assert [path.suffix for path in (tmp_path / fault / "slurm").glob("*log*")] in (
            [".out", ".err"],
            [".err", ".out"],
        )


@pytest.mark.parametrize("cluster", ["slurm", "local"])
def test_closing_cancels_the_jobs(tmp_path, state, cluster):
    folder = tmp_path / "out" / "runs"
    with closing(Slurm(cluster=cluster, poll=0.05).run(jobs_of(folder, steps=2, pause=600))) as events:
        assert next(events).kind == "started"
        until(lambda: len(trainings(folder)) == 4)
    until(lambda: not any(map(alive, trainings(folder))))
    assert not content(folder)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["runs"]
    assert len(list(state.glob("*.cancelled"))) == (4 if cluster == "slurm" else 0)


def test_what_went_wrong_around_the_training_is_told_by_the_last_line_of_its_traceback():
    from submitit.core.utils import FailedJobError, UncompletedJobError

    task = SimpleNamespace(state="NODE_FAIL", paths=SimpleNamespace(stderr=Path("/secret/7_0_log.err")))
    trace = (
        "Traceback (most recent call last):\n  File \"/secret/x.py\"\nModuleNotFoundError: No module named 'preheat'"
    )
    error = FailedJobError(f"Job failed with trace:\n{'-' * 22}\n{trace}\n\n{'-' * 22}\nYou can check /secret/log")
    assert error_text(error, task) == "ModuleNotFoundError: No module named 'preheat'"
    assert error_text(UncompletedJobError("Job 7 with path /secret/7.pkl"), task) == "Slurm says NODE_FAIL"
    assert error_text(EOFError("cut off"), task) == "cut off"


def test_closing_the_debug_executor_runs_nothing_more(tmp_path):
    with closing(Slurm(cluster="debug", poll=0.05).run(jobs_of(tmp_path / "runs"))) as events:
        assert [next(events).kind, next(events).kind] == KINDS
    assert len(trainings(tmp_path / "runs")) == 1


def test_what_slurm_and_submitit_refuse_is_a_sentence(tmp_path, state, monkeypatch):
    jobs = jobs_of(tmp_path / "runs", seeds=(0,))
    for settings, message in (
        ({"slurm_partition": "closed"}, "Slurm did not take the jobs: .*invalid partition"),
        ({"slurm_colour": "red"}, "submitit does not take these settings: .*'colour'"),
        ({"cluster": "pbs"}, "submitit does not take these settings: .*pbs"),
        ({"mem_gb": "much"}, "submitit does not take these settings: .*mem_gb"),
    ):
        with pytest.raises(PreheatError, match=message) as caught:
            list(Slurm(tmp_path / "jobs", **settings).run(jobs))
        assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PreheatError, match='Slurm did not take the jobs: Could not detect "srun"'):
        list(Slurm(tmp_path / "jobs").run(jobs))
    assert list(Slurm().run([])) == []


@pytest.mark.parametrize("name", ["cpus", "jobs", "minutes", "poll", "gpus"])
def test_amounts_are_refused_before_anything_is_submitted(name):
    with pytest.raises(PreheatError, match=rf"{name} must be"):
        engine_named("slurm", **{name: -1})
