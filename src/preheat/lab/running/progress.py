"""What is seen while runs are on their way: in a terminal a live line per run, else a plain line per finished one."""

import math
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from preheat.lab.experiment import Metric
from preheat.lab.naming import printable
from preheat.lab.records.record import Record
from preheat.lab.running.worker import Event, Job
from preheat.lab.statistics.numbers import fixed

WIDE = 100
"""Columns from which on there is room for bars."""


class Monitor:
    """Shows events on `console`. `kept` runs of `total` had been finished before."""

    def __init__(self, console: Console, total: int, kept: int = 0) -> None:
        self.console = console
        self.total, self.done = total, kept
        self.width, self.titled = 1, True
        self.live = _live_display(console)
        self.lines: dict[Job, TaskID] = {}
        self.seen: dict[Job, float] = {}
        self.overall = self.live.add_task("all runs", total=0, note="", done="")

    def expect(self, jobs: list[Job]) -> None:
        """The runs that are to come: they set the length of the bar for all."""
        self.live.update(self.overall, total=len(jobs), note=self._count())
        self.titled = len({job.trial.study.title for job in jobs}) > 1  # else it would be the same on every line
        self.width = max((len(self._label(job)) for job in jobs), default=1)

    def show(self, event: Event, record: Record | None = None) -> None:
        """Take note of an event; `record` comes with a finished run."""
        match event.kind:
            case "started":
                self._started(event.job)
            case "step":
                self._advance(event.job, (event.step + 1) / (event.job.trial.study.steps or math.inf))
                note = f"loss {event.loss:<6.4g} rate {event.rate:.2e}"
                of = event.job.trial.study.steps
                done = f"{event.step + 1}/{of}" if of else str(event.step + 1)
                self.live.update(self.lines[event.job], completed=event.step + 1, note=note, done=done)
            case _:
                self._ended(event, record)

    def _started(self, job: Job) -> None:
        name = f"{job.trial.arm.name}  seed {job.trial.seed}{f'  {job.trial.study.title}' * self.titled}"
        self.lines[job] = self.live.add_task(name, total=job.trial.study.steps, note="starting", done="")
        self.seen[job] = 0

    def _ended(self, event: Event, record: Record | None) -> None:
        self._advance(event.job, 1.0)
        self.live.remove_task(self.lines.pop(event.job))
        self.done += event.kind == "finished"
        self.live.update(self.overall, note=self._count())
        style = "red" if event.kind == "failed" else "yellow" if record and record.result.diverged else "none"
        text = f"failed: {event.message}" if record is None else _outcome(record, event.job.trial.study.metrics[0])
        line = printable(f"{self._count()}  {self._label(event.job).ljust(self.width)}  {text}")
        self.console.print(Text(line, style), soft_wrap=True)

    def _advance(self, job: Job, share: float) -> None:
        self.live.advance(self.overall, share - self.seen[job])
        self.seen[job] = share

    def _label(self, job: Job) -> str:
        """Arm and seed, and before them the study where there are several."""
        return f"{f'{job.trial.study.title}  ' * self.titled}{job.trial.arm.name}  seed {job.trial.seed}"

    def _count(self) -> str:
        return f"{self.done:>{len(str(self.total))}}/{self.total}"

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.live.stop()


def _live_display(console: Console) -> Progress:
    """One line per task: name, bar, step, note, time left. Nothing is drawn where there is no terminal.

    The name gives way where the terminal is narrow, the bar is left out there: the numbers are what is looked at.
    """
    name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False, table_column=name),
        TextColumn("{task.fields[done]}", justify="right", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    ]
    if console.width >= WIDE:
        columns.insert(1, BarColumn(bar_width=20))
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True, expand=True)


def _outcome(record: Record, metric: Metric) -> str:
    """How a run ended: its loss or why there is none, and how long it took."""
    result = record.result
    value = record.finals.get(metric.name)
    loss = f"no finite {metric.title}" if value is None else f"{metric.title} {fixed(value, 4)}"
    reason = f"  diverged: {printable(result.reason)}" if result.diverged else ""
    return f"{loss}{reason}  {duration(record.seconds)}"


def duration(seconds: float | None) -> str:
    """`4.1 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {whole % 60:02} s"
