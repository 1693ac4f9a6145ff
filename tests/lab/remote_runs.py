"""What the tests of engines share: jobs that leave marks, what their records say, and waiting without a clock."""

import subprocess
import time
from pathlib import Path

from fake_runs import experiment_of

from preheat.lab.records.record import read_record
from preheat.lab.running.worker import Job


def jobs_of(folder, **options):
    """The jobs of a small experiment, with records in `folder`; trainings leave marks in a folder there."""
    (folder / "marks").mkdir(parents=True, exist_ok=True)
    experiment = experiment_of(**{"marks": str(folder / "marks"), **options})
    return [Job(trial, folder / f"{trial.name}.jsonl", 1) for trial in experiment.trials()]


def by_run(events):
    """What happened to each job, by its name."""
    found = {}
    for event in events:
        found.setdefault(event.job.trial.name, []).append(event)
    return found


def content(folder):
    """What the records say, without what differs from run to run: the time that it took."""
    records = {path.stem: read_record(path) for path in Path(folder).glob("*.jsonl")}
    return {name: (record.steps, record.columns, record.result) for name, record in records.items()}


def trainings(folder):
    """The processes that began to train, one entry for each time."""
    return [int(path.name.split("-")[-1]) for path in (Path(folder) / "marks").iterdir()]


def until(true, seconds=120):
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def of_process(process, what):
    """What `ps` knows of a process; empty where it is gone."""
    command = ["ps", "-o", f"{what}=", "-p", str(process)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def alive(process):
    """Whether a process is there and not merely waiting to be counted."""
    state = of_process(process, "stat")
    return bool(state) and not state.startswith("Z")
