"""Run an experiment, keep what is finished, and write what it says.

In the folder: `runs/*.jsonl` (one record per run), `summary.json`, `report.html`, `report.md`, `figure.png` and `figure.svg`.
The same experiment in the same folder runs only what is missing.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Engine
from preheat.lab.engines.registry import as_engine
from preheat.lab.experiment import Experiment, Trial
from preheat.lab.progress import Monitor
from preheat.lab.records import Record, is_of, read_record, write_file
from preheat.lab.report.next_step import next_steps
from preheat.lab.report.table import print_study
from preheat.lab.statistics.race import next_trials
from preheat.lab.summary import Failure, Summary, summary_of, to_dict
from preheat.lab.trials import Trials
from preheat.lab.worker import Event, Job


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    engine: Any = "processes",
    race: bool = False,
    console: Console | None = None,
    **settings: Any,
) -> Summary:
    """Run what is missing of `experiment` in the folder `out`, write the results there and show them on `console`.

    engine: "processes", "inline", "ray", "slurm", an engine, or any `concurrent.futures.Executor`; settings: what the
    named engine takes, such as jobs=2. race: after each round of seeds only the better half of the arms goes on.
    A run that fails does not stop the others; it is in `Summary.failures` and is tried again by the next call.
    Ctrl-C ends the running ones, keeps the finished ones, says so and raises `KeyboardInterrupt`.
    Raises `PreheatError`, before anything is run, if `out` holds runs of another experiment, or another process is at
    work in it.
    """
    console, out = console or Console(), Path(out)
    engine = as_engine(engine, **settings)
    with _locked(out):
        records = _finished(experiment, out)
        if records:
            _print_kept(experiment, records, console)
        failures: list[Failure] = []
        for trials in _rounds(experiment, records, failures, race):
            jobs = _jobs(experiment, out, trials, engine)
            failures += _run_jobs(jobs, engine, records, console)
        summary = summary_of(experiment, records, failures, race=race, looked=_earlier_looks(out))
        _write(summary, out)
    _print_summary(summary, out, console)
    return summary


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """The folder, made where it is not there, for this process alone; unfinished files of a killed one are removed."""
    from filelock import FileLock, Timeout

    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
        with FileLock(out / ".lock", timeout=0):
            for left in (*out.glob("*.part"), *out.glob(".part-*"), *(out / "runs").glob("*.part")):
                left.unlink(missing_ok=True)
            yield
    except Timeout:
        raise PreheatError(f"another comparison is at work in {out}; wait for it, or write to another folder") from None
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise PreheatError(f"cannot write to {out / 'runs'}: {error.strerror}") from None


def _rounds(
    experiment: Experiment, records: Mapping[str, Record], failures: list[Failure], race: bool
) -> Iterator[list[Trial]]:
    """What to run next: everything that is missing, or in a race a round at a time, until nothing is left to decide."""
    if not race:
        yield [trial for trial in experiment.trials() if trial.name not in records]
        return
    while True:
        failed = {failure.run for failure in failures}
        studies = [Trials.named(study, records, failed) for study in experiment.studies]
        wanted = [trial for trials in studies for trial in next_trials(trials)]
        if not wanted:
            return
        yield wanted


def _finished(experiment: Experiment, out: Path) -> dict[str, Record]:
    """The runs of the experiment that `out` already holds, by name. Refuses a folder with runs of another one."""
    found: dict[str, Record] = {}
    for trial in experiment.trials():
        if not (path := _path(out, trial)).exists():
            continue
        record = read_record(path)
        if not is_of(record, trial):
            raise PreheatError(
                f"{out} holds the runs of another comparison: in runs/{path.name}, "
                f"{_difference(record.header, trial.identity)}; write to another folder, or remove that one"
            )
        found[trial.name] = record
    return found


def _path(out: Path, trial: Trial) -> Path:
    return out / "runs" / f"{trial.name}.jsonl"


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that differs, in words; of settings within settings only the one."""
    name = next(name for name in now if then.get(name, ...) != now[name])
    before, after = then.get(name), now[name]
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return _difference(before, after)
    return f"{name} is {before!r}, and now it is {after!r}"


def _print_kept(experiment: Experiment, records: Mapping[str, Record], console: Console) -> None:
    """How many runs there are already, and whether the training function has changed since."""
    trials = {trial.name: trial for trial in experiment.trials()}
    console.print(f"{len(records)} of {len(trials)} runs were finished before and are kept.", highlight=False)
    code = {name: record.header.get("code", "") for name, record in records.items()}
    old = sum(found != trials[name].study.code for name, found in code.items())
    if old:
        text = f"{old} of them were made by another version of the training code; a new folder would start afresh."
        console.print(Text(text, "yellow"), soft_wrap=True)


def _jobs(experiment: Experiment, out: Path, trials: Iterable[Trial], engine: Engine) -> list[Job]:
    """The jobs, and with how many threads: that depends on the whole experiment, not on what is left of it."""
    threads = engine.threads(sum(1 for _ in experiment.trials()))
    return [Job(trial, _path(out, trial).resolve(), threads) for trial in trials]


def _run_jobs(missing: list[Job], engine: Engine, records: dict[str, Record], console: Console) -> list[Failure]:
    """Run the jobs, put their records into `records`, and return what failed."""
    failures = []
    total = len(records) + len(missing)
    try:
        with Monitor(console, total, len(records)) as monitor, closing(engine.run(missing)) as events:
            monitor.expect(missing)
            for event in events:
                name = event.job.trial.name
                if event.kind == "finished":
                    event = _checked(event, records)
                if event.kind == "failed":
                    failures.append(Failure(name, event.message))
                monitor.show(event, records.get(name))
    except KeyboardInterrupt:
        kept = total - sum(not job.path.exists() for job in missing)  # some may have finished since the last event
        text = f"Stopped. {kept} of {total} runs are finished and kept; the same command goes on with the rest."
        console.print(Text(text, "yellow"), soft_wrap=True)
        raise
    return failures


def _checked(event: Event, records: dict[str, Record]) -> Event:
    """Put the record of a finished run into `records`; where it is not that run's, whatever the engine, the run failed."""
    trial = event.job.trial
    try:
        record = read_record(event.job.path)
    except PreheatError as error:
        return Event(event.job, "failed", message=str(error))
    if not is_of(record, trial):
        return Event(event.job, "failed", message=f"{event.job.path.name} is the record of another run")
    records[trial.name] = record
    return event


def _earlier_looks(out: Path) -> list[int]:
    """With how many seeds the results in this folder were looked at; nothing where that cannot be read."""
    try:
        found = json.loads((out / "summary.json").read_text(encoding="utf-8"))["looked"]
        return [seeds for seeds in found if type(seeds) is int]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write(summary: Summary, out: Path) -> None:
    """The summary, the picture and the page; each appears whole or not at all."""
    from preheat.lab.report.figure import save_figure
    from preheat.lab.report.html import report_html
    from preheat.lab.report.markdown import report_markdown

    try:
        write_file(out / "summary.json", json.dumps(to_dict(summary), indent=1, allow_nan=False).encode() + b"\n")
        write_file(out / "report.html", report_html(summary).encode())
        write_file(out / "report.md", report_markdown(summary).encode())
        parts = {out / f".part-{name}": out / name for name in ("figure.png", "figure.svg")}
        save_figure(summary.studies, summary.records, *parts)
        for part, whole in parts.items():
            os.replace(part, whole)
    except OSError as error:
        raise PreheatError(
            f"the runs are kept, but the report could not be written ({error.strerror}); the same command tries again"
        ) from None


def _print_summary(summary: Summary, out: Path, console: Console) -> None:
    """Tables and verdicts, failures, and last what matters: the sentence, where the report is, what to run next."""
    for study in summary.studies:
        print_study(study, console)
    if summary.failures:
        console.print(Text(f"\nFailed runs: {len(summary.failures)}. The same command tries them again.", "red"))
        for failure in summary.failures:
            console.print(Text(f"  {failure.run}: {failure.message}"), soft_wrap=True)
    others = len(list((out / "runs").glob("*.jsonl"))) - sum(len(group) for group in summary.records)
    if others > 0:
        console.print(f"{others} other records in {out / 'runs'} are not part of this comparison and were left alone.")
    console.print()
    for study, said in zip(summary.studies, summary.headlines, strict=True):
        name = f"{study.study.title}: " if len(summary.studies) > 1 else ""
        console.print(Text(name + said, "bold"), soft_wrap=True)
    console.print(f"Report: {out / 'report.html'}", highlight=False, soft_wrap=True, markup=False)
    for step in next_steps(summary)[:1]:
        console.print(Text(step.why, "dim"), soft_wrap=True)
        console.print(Text(step.typed), soft_wrap=True)
