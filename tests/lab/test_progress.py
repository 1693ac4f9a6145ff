import io
import math
import re
from dataclasses import replace

import pytest
from fake_runs import experiment_of, write_record
from rich.console import Console

from preheat.lab.records.record import read_record
from preheat.lab.running.progress import Monitor, duration
from preheat.lab.running.worker import Event, Job


@pytest.fixture
def jobs(tmp_path):
    return [Job(trial, tmp_path / f"{trial.name}.jsonl", 1) for trial in experiment_of(seeds=(0,)).trials()]


def test_a_terminal_shows_step_loss_rate_and_time_left_of_every_run(jobs):
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=120, color_system=None)
    with Monitor(console, 2) as monitor:
        monitor.expect(jobs)
        for job in jobs:
            monitor.show(Event(job, "started"))
            monitor.show(Event(job, "step", step=9, loss=2.5, rate=3e-4))
        monitor.live.refresh()
    text = page.getvalue()
    assert "all runs" in text
    for arm in ("none", "linear"):
        assert f"{arm}  seed 0 " in text
    assert "10/40" in text
    assert "loss 2.5" in text
    assert "rate 3.00e-04" in text
    assert "-:--:--" in text


def test_a_narrow_terminal_keeps_the_numbers_on_one_line(jobs):
    page = io.StringIO()
    with Monitor(Console(file=page, force_terminal=True, width=60, color_system=None), 2) as monitor:
        monitor.expect(jobs)
        monitor.show(Event(jobs[0], "started"))
        monitor.show(Event(jobs[0], "step", step=9, loss=2.5, rate=3e-4))
        monitor.live.refresh()
    assert re.search(r"none  seed 0 .* 10/40 loss 2.5 +rate 3.00e-04 -:--:--", page.getvalue())


def test_elsewhere_a_plain_line_tells_of_every_finished_run(jobs, tmp_path):
    page = io.StringIO()
    record = read_record(write_record(jobs[0].trial, tmp_path, 2.5, diverged=True))
    with Monitor(Console(file=page, width=200), 3, kept=1) as monitor:
        monitor.expect(jobs)
        for job in jobs:
            monitor.show(Event(job, "started"))
            monitor.show(Event(job, "step", step=9, loss=math.nan, rate=3e-4))
        monitor.show(Event(jobs[0], "finished"), record)
        monitor.show(Event(jobs[1], "failed", message="[red]gone[/red]"))
    assert page.getvalue().splitlines() == [
        "2/3  none  seed 0    validation loss 2.5000  diverged:   1.5 s",
        "2/3  linear  seed 0  failed: [red]gone[/red]",
    ]


def test_of_several_studies_every_line_names_its_own(jobs):
    other = replace(jobs[0], trial=replace(jobs[0].trial, study=replace(jobs[0].trial.study, title="another")))
    page = io.StringIO()
    with Monitor(Console(file=page, width=200), 2) as monitor:
        monitor.expect([jobs[0], other])
        for job in (jobs[0], other):
            monitor.show(Event(job, "started"))
            monitor.show(Event(job, "failed", message="gone"))
    assert [line.split()[1:3] for line in page.getvalue().splitlines()] == [["fake", "study"], ["another", "none"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s"), (3725, "1 h 02 min"), (None, "–")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
