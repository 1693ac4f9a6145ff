"""Real processes: each takes half a second, so every test makes several checks of one experiment."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from fake_runs import LINEAR, NONE, experiment_of, write_record
from remote_runs import jobs_of
from rich.console import Console

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.driver import run_experiment
from preheat.lab.engines.processes import exit_reason
from preheat.lab.engines.registry import engine_named
from preheat.lab.experiment import Arm
from preheat.lab.running.worker import Event, perform


@pytest.fixture
def marks(tmp_path):
    """A folder in which every training leaves a file."""
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture(autouse=True)
def picture(request, monkeypatch):
    """No PNG but where it is asked for: matplotlib takes longer than everything else here."""
    if "real_picture" not in request.fixturenames:
        monkeypatch.setattr(
            "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
        )


@pytest.fixture
def real_picture():
    """Asks for the PNG."""


def run(experiment, out, **more):
    """The summary, and what was printed."""
    page = io.StringIO()
    console = Console(file=page, width=200)
    return run_experiment(experiment, out, console=console, **{"engine": "inline", **more}), page.getvalue()


def count(folder):
    return len(list(folder.iterdir()))


@pytest.mark.parametrize("fault", ["", "raise"])
def test_a_run_in_this_process_leaves_its_threads_as_they_were(tmp_path, fault):
    import torch

    job, seen, usual = next(iter(jobs_of(tmp_path, fault=fault, fault_seed=0))), [], torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(RuntimeError, match="full") if fault else nullcontext():
            perform(job, lambda *_: seen.append(torch.get_num_threads()))
        assert (set(seen), torch.get_num_threads()) == ({job.threads}, 3)
    finally:
        torch.set_num_threads(usual)


def test_a_comparison_in_processes_writes_everything_and_the_same_again_runs_nothing(tmp_path, marks, real_picture):
    experiment = experiment_of(seeds=(0,), marks=str(marks))
    summary, text = run(experiment, tmp_path / "out", engine="processes", jobs=2)
    assert sorted(path.name for path in (tmp_path / "out" / "runs").iterdir()) == [
        "fake-study-linear-seed0.jsonl",
        "fake-study-none-seed0.jsonl",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *(".lock", "figure.png", "figure.svg", "report.html", "report.md", "runs", "summary.json")
    ]
    assert re.search(r"2/2 +(none|linear) +seed 0 +validation loss \d\.\d+", text)
    assert summary.verdicts[0] in text
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    again, text = run(experiment, tmp_path / "out", engine="processes", jobs=2)
    assert "2 of 2 runs were finished before and are kept." in text
    assert count(marks) == 2
    assert again.studies == summary.studies


def test_only_what_is_missing_is_run(tmp_path, marks):
    experiment = experiment_of(seeds=(0, 1), marks=str(marks))
    run(experiment, tmp_path)
    assert count(marks) == 4
    (tmp_path / "runs" / "fake-study-linear-seed1.jsonl").unlink()
    run(experiment, tmp_path)
    assert count(marks) == 5
    more, text = run(experiment_of(seeds=(0, 1, 2), marks=str(marks)), tmp_path)
    assert count(marks) == 7
    assert "4 of 6 runs were finished before" in text
    assert more.studies[0].arms[1].difference.seeds == 3
    _, text = run(experiment_of(seeds=(0,), marks=str(marks)), tmp_path)
    assert count(marks) == 7
    assert "4 other records" in text


def test_the_same_seed_gives_the_same_numbers_in_this_process_and_in_another(tmp_path):
    here, _ = run(experiment_of(seeds=(3,)), tmp_path / "here")
    there, _ = run(experiment_of(seeds=(3,)), tmp_path / "there", engine="processes", jobs=1)
    assert [arm.losses for arm in here.studies[0].arms] == [arm.losses for arm in there.studies[0].arms]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raise", r"RuntimeError: the disk /secret/place is full at seed 0 \(fake_trainer.py, line \d+\)"),
        ("kill", r"ended by SIGKILL \(out of memory\?\)"),
        ("exit", "exit code 3 and no record"),
    ],
)
def test_a_run_that_fails_does_not_stop_the_others_and_is_tried_again(tmp_path, marks, fault, message):
    arms = (NONE, LINEAR)
    experiment = experiment_of(
        arms, seeds=(0, 1) if fault == "kill" else (0,), fault=fault, fault_seed=0, marks=str(marks)
    )
    summary, text = run(experiment, tmp_path / "out", engine="processes", jobs=2)
    assert [failure.run for failure in summary.failures] == ["fake-study-none-seed0"]
    assert re.search(message, summary.failures[0].message)
    assert re.search(message, text)
    names = [path.name for path in (tmp_path / "out" / "runs").iterdir()]
    finished = 3 if fault == "kill" else 1
    assert sum(name.endswith(".jsonl") for name in names) == finished
    assert [name for name in names if name.endswith(".txt")] == ["fake-study-none-seed0.txt"] * (fault == "raise")
    assert all(name.endswith((".jsonl", ".txt")) for name in names)
    for name in ("report.html", "summary.json"):
        written = (tmp_path / "out" / name).read_text()
        assert "fake-study-none-seed0" in written
        assert "/secret/place" not in written
    run(experiment, tmp_path / "out", engine="inline") if fault == "raise" else None
    assert count(marks) == finished + 1 + (fault == "raise")


def test_a_divergence_is_a_result_and_not_a_failure(tmp_path):
    experiment = experiment_of(seeds=(0, 1), fault="nan", fault_seed=1)
    summary, text = run(experiment, tmp_path)
    assert summary.failures == ()
    assert "no finite validation loss  diverged: non-finite loss at step 20" in text
    assert "diverged: none 1 of 2, linear 0 of 2." in summary.verdicts[0]
    last = (tmp_path / "runs" / "fake-study-none-seed1.jsonl").read_text().splitlines()[-2]
    assert json.loads(last)["loss"] == "nan"
    assert json.loads(last)["grad_norm"] == "inf"
    arms = json.loads((tmp_path / "summary.json").read_text())["studies"][0]["arms"]
    assert [(arm["mean"] is None, arm["non_finite"]) for arm in arms] == [(True, 1), (False, 0)]


@pytest.mark.parametrize(
    ("other", "differs"),
    [({"steps": 41}, "steps"), ({"peak": 1.0}, "peak"), ({"arms": (Arm("none", "hold()"),)}, "spec")],
)
def test_a_folder_with_the_runs_of_another_experiment_is_refused_before_anything_runs(tmp_path, marks, other, differs):
    run(experiment_of(marks=str(marks)), tmp_path)
    before = sorted((path.name, path.read_text()) for path in (tmp_path / "runs").iterdir())
    with pytest.raises(PreheatError, match=rf"another comparison: in runs/.*, {differs} is .* write to another folder"):
        run(experiment_of(**{"marks": str(marks), **other}), tmp_path)
    assert sorted((path.name, path.read_text()) for path in (tmp_path / "runs").iterdir()) == before
    assert count(marks) == 4


def test_records_of_other_arms_are_left_alone(tmp_path):
    run(experiment_of((NONE,)), tmp_path)
    summary, text = run(experiment_of((LINEAR,)), tmp_path)
    assert "2 other records" in text
    assert [arm.name for arm in summary.studies[0].arms] == ["linear"]


def test_a_record_that_was_cut_off_is_not_counted(tmp_path, marks):
    experiment = experiment_of((NONE,), seeds=(0,), marks=str(marks))
    path = write_record(next(experiment.trials()), tmp_path / "runs", 2.0)
    whole = path.read_text()
    path.rename(path.with_name(path.name + ".123.part"))  # what a power failure leaves
    run(experiment, tmp_path)
    assert count(marks) == 1
    path.write_text(whole[: len(whole) // 2])
    _, text = run(experiment, tmp_path)
    assert f"{path.name} is not the record of a finished run: line " in text
    assert f"It is now runs/{path.name}.unreadable, and its run is made again." in text
    assert path.with_name(f"{path.name}.unreadable").read_text() == whole[: len(whole) // 2]
    assert count(marks) == 2


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(PreheatError, match="jobs must be a whole number of at least 1"):
        run(experiment_of(), tmp_path, engine="processes", jobs=0)
    with pytest.raises(PreheatError, match="unknown engine 'proceses'; did you mean 'processes'"):
        engine_named("proceses")
    (tmp_path / "file").write_text("")
    with pytest.raises(PreheatError, match="cannot write to"):
        run(experiment_of(), tmp_path / "file")


def test_the_cause_of_a_silent_death_is_told_as_far_as_it_is_known():
    assert exit_reason(-9) == "the process was ended by SIGKILL (out of memory?)"
    assert exit_reason(-11) == "the process was ended by SIGSEGV"
    assert exit_reason(-250) == "the process was ended by signal 250"
    assert "if __name__ == '__main__':" in exit_reason(1)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ("fake_trainer:wrong", "neither returned nor logged 'val_loss'"),
        ("fake_trainer:absent", "has no function 'absent'"),
        ("no_such_module:train", "needs the module 'no_such_module', which is not installed"),
    ],
)
def test_a_trainer_that_cannot_be_used_is_a_failed_run_with_a_sentence(tmp_path, trainer, message):
    experiment = experiment_of((NONE,), seeds=(0,), trainer=trainer)
    summary, _ = run(experiment, tmp_path)
    assert message in summary.failures[0].message


def test_the_driver_loads_nothing_heavy_before_the_runs():
    code = "import preheat.lab.driver, preheat.lab.demo, sys; print(*sys.modules)"
    paths = str(Path(preheat.__file__).parents[1])
    loaded = subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, text=True)
    assert {"torch", "scipy", "matplotlib"}.isdisjoint(loaded.split())


class Forger:
    """An engine that gives one run the record of another, and another one no record at all."""

    def threads(self, runs):
        return 1

    def run(self, jobs):
        first, second, *_ = jobs
        for job in (first, second):
            yield Event(job, "started")
        write_record(second.trial, first.path.parent / "elsewhere", 2.0).rename(first.path)
        yield Event(first, "finished")
        yield Event(second, "finished")


def test_a_run_counts_only_with_a_record_of_its_own_whatever_the_engine_says(tmp_path):
    summary, _ = run(experiment_of(seeds=(0,)), tmp_path, engine=Forger())
    assert summary.records == ({},)
    first, second = (failure.message for failure in summary.failures)
    assert "is the record of another run" in first
    assert "cannot be read" in second
