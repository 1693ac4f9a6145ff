"""Run an experiment, keep what is finished, and write what it says.

In the folder: `runs/*.jsonl` (one record per run), `summary.json`, `report.html`, `report.md`, `figure.png` and `figure.svg`.
The same experiment in the same folder runs only what is missing.
"""

import json
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from preheat.core.errors import ParseError, PreheatError
from preheat.lab.engines.base import Engine
from preheat.lab.engines.registry import as_engine
from preheat.lab.experiment import Experiment, Trial
from preheat.lab.identity.differences import difference
from preheat.lab.identity.secrets import environment_values, without
from preheat.lab.naming import printable
from preheat.lab.records.attempts import was_attempted
from preheat.lab.records.files import clear_way, moved_aside, opened, removed
from preheat.lab.records.record import LARGEST, Record, is_of, late_beginning, read_record, write_file
from preheat.lab.report.next_step import next_steps
from preheat.lab.report.table import print_study
from preheat.lab.running.beginning import Beginning, tail
from preheat.lab.running.groups import GRACE, is_ending
from preheat.lab.running.progress import Monitor
from preheat.lab.running.signals import STOPPING, Signals
from preheat.lab.running.worker import Event, Job
from preheat.lab.statistics.looks import Report, claimed, read_reports
from preheat.lab.statistics.race import next_trials
from preheat.lab.summary import Failure, Summary, summary_of, to_dict
from preheat.lab.trials import Trials

LEFT = 2 * GRACE
"""Seconds that the watchdog of a killed comparison may take; until then it has locked the folder."""
WRITTEN = ("summary.json", "report.html", "report.md", "figure.png", "figure.svg")
"""The files that a comparison writes beside its runs."""


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
    A run that fails does not stop the others; it is in `Summary.failures` and is tried again by the next call. Only where
    the first run of every arm of a study fails within seconds (`beginning`), and none has trained, the rest is not tried.
    Ctrl-C ends the running ones, keeps the finished ones, says so and raises `KeyboardInterrupt`. So do SIGTERM and SIGHUP,
    where the caller does not handle or ignore them, and raise `SystemExit(128 + number)`.
    Raises `PreheatError`, before anything is run, if `out` holds runs of another experiment, or another process is at
    work in it.
    """
    console, out = console or Console(), Path(out)
    engine = as_engine(engine, **settings)
    with _locked(out):
        records = _finished(experiment, out, console)
        _print_kept(experiment, records, console)
        tried, beginning = records.keys() | _tried(experiment, out), Beginning(experiment, records)
        earlier, failures = _earlier_reports(experiment, records, out), list[Failure]()
        for trials in _rounds(experiment, records, failures, race):
            jobs = _jobs(experiment, out, trials, engine)
            failures += _run_jobs(jobs, engine, records, console, beginning)
            if beginning.hopeless:
                break
        if beginning.hopeless:
            _print_given_up(beginning, experiment, failures, console)
        _print_late({name: record for name, record in records.items() if name not in tried}, console)
        summary = summary_of(experiment, records, failures, race=race, earlier=earlier)
        _write(summary, out)
    _print_summary(summary, out, console)
    return summary


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """The folder, made where it is not there, for this process alone; unfinished files of a killed one are removed."""
    from filelock import FileLock, Timeout

    lock = FileLock(out / ".lock", timeout=0)
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
        clear_way(out / ".lock", *(out / name for name in WRITTEN))
        lock.acquire(timeout=LEFT if is_ending(str(out / ".lock")) else 0)
    except Timeout:
        raise PreheatError(f"another comparison is at work in {out}; wait for it, or write to another folder") from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "it has no locks"
        if file := next((one for one in (out / "runs", out, *out.parents) if one.is_file()), None):
            reason = f"{file} is a file, and should be a folder"
        what = f"cannot write to {out / 'runs'}: {reason}"
        raise PreheatError(what, write="write to another folder") from None
    try:
        for left in (*out.glob("*.part"), *out.glob(".part-*"), *(out / "runs").glob("*.part")):
            removed(left)
        yield
    finally:
        lock.release()


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


def _finished(experiment: Experiment, out: Path, console: Console) -> dict[str, Record]:
    """The runs of the experiment that `out` already holds, by name. Refuses a folder with runs of another one.

    A file that is no record of a finished run, because it is damaged, say, is moved aside and told; its run is made again.
    """
    found: dict[str, Record] = {}
    for trial in experiment.trials():
        if not os.path.lexists(path := _path(out, trial)):
            continue
        try:
            record = read_record(path)
        except ParseError as error:
            _move_aside(path, error, console)
            continue
        if not is_of(record, trial):
            raise PreheatError(
                f"{out} holds the runs of another comparison: in runs/{path.name}, "
                f"{difference(record.header, trial.identity)}; write to another folder, or remove that one"
            )
        if (first := trial.study.metrics[0].name) not in record.finals:
            raise PreheatError(
                f"{first!r} is to decide, but runs/{path.name} neither returned nor logged it when it was made",
                write="name one of "
                + ", ".join(record.finals)
                + ", or write to another folder, where all runs are made anew",
            )
        found[trial.name] = record
    return found


def _move_aside(path: Path, error: ParseError, console: Console) -> None:
    """Give a file that is no record another name, and say so."""
    try:
        other = moved_aside(path)
    except OSError as refusal:
        raise PreheatError(
            f"{error.reason}; it cannot be moved aside either: {refusal.strerror}", write="move it away"
        ) from None
    text = f"{error.reason}. It is now runs/{other.name}, and its run is made again."
    console.print(Text(printable(text), "yellow"), soft_wrap=True)


def _tried(experiment: Experiment, out: Path) -> set[str]:
    """The runs of commands that were started before, and all that are no commands."""
    trials = experiment.trials()
    return {one.name for one in trials if was_attempted(_path(out, one)) or not hasattr(one.options, "hidden")}


def _print_late(records: Mapping[str, Record], console: Console) -> None:
    """Which of the runs that had no earlier attempt begin in the middle, as if they had gone on with another's work."""
    late = {name: begin for name, record in records.items() if (begin := late_beginning(record))}
    for name, begin in list(late.items())[:1]:
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        text = f"runs/{name}{more} begins at update {begin}: did the script go on from a checkpoint of another run?"
        console.print(Text(text, "yellow"), soft_wrap=True)


def _path(out: Path, trial: Trial) -> Path:
    return out / "runs" / f"{trial.name}.jsonl"


def _print_kept(experiment: Experiment, records: Mapping[str, Record], console: Console) -> None:
    """How many runs there are already, if any, and whether the training code has changed since."""
    if not records:
        return
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


def _run_jobs(
    missing: list[Job], engine: Engine, records: dict[str, Record], console: Console, beginning: Beginning
) -> list[Failure]:
    """Run the jobs until `beginning` says that it is of no use, put their records into `records`, and return what failed."""
    total = len(records) + len(missing)
    with Signals(*STOPPING) as signals:
        try:
            with Monitor(console, total, len(records)) as monitor:
                return _followed(missing, engine, records, monitor, beginning)
        except (KeyboardInterrupt, SystemExit, OSError) as error:
            if isinstance(error, OSError) and not signals.came:
                raise
            kept = total - sum(not job.path.exists() for job in missing)  # some may have finished since the last event
            text = f"Stopped. {kept} of {total} runs are finished and kept; the same command goes on with the rest."
            with suppress(OSError):  # where the terminal was closed
                console.print(Text(text, "yellow"), soft_wrap=True)
            if isinstance(error, OSError):  # a terminal that is gone cannot be written to
                raise (KeyboardInterrupt if signals.came == signal.SIGINT else SystemExit(128 + signals.came)) from None
            raise


def _followed(
    missing: list[Job], engine: Engine, records: dict[str, Record], monitor: Monitor, beginning: Beginning
) -> list[Failure]:
    """What failed of the jobs."""
    failures = []
    with closing(engine.run(missing)) as events:
        monitor.expect(missing)
        for event in events:
            name = event.job.trial.name
            if event.kind == "finished":
                event = _checked(event, records)
            if event.kind == "failed":
                event = replace(event, message=printable(event.message))
                failures.append(Failure(name, event.message))
            monitor.show(event, records.get(name))
            beginning.see(event)
            if beginning.hopeless:
                break
    return failures


def _print_given_up(beginning: Beginning, experiment: Experiment, failures: list[Failure], console: Console) -> None:
    """That the rest was not tried, and the end of what the first failed run has left."""
    untried = sum(1 for _ in experiment.trials()) - len(failures)
    text = f"The first run of every arm failed at once, so {untried} more were not tried."
    console.print(Text(text, "red"), soft_wrap=True)
    if beginning.first and (lines := tail(beginning.first.job.path)):
        trial = beginning.first.job.trial
        hidden = (
            trial.options.hidden(os.environ) if hasattr(trial.options, "hidden") else environment_values(os.environ)
        )
        console.print(Text(f"The last lines of {trial.name}:\n"), soft_wrap=True)
        console.print(Text(f"{without(lines, hidden)}\n", "dim"), soft_wrap=True)


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


def _earlier_reports(experiment: Experiment, records: Mapping[str, Record], out: Path) -> dict[str, Sequence[Report]]:
    """What was reported from this folder, by study. Where the summary cannot be read although there is a report, that was
    made from the runs that are there: from no more, and at least once. `records` are those."""
    try:
        with opened(out / "summary.json", LARGEST) as file:
            reports = json.loads(file.read())["reports"]
        return {stem: read_reports(found) for stem, found in reports.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        if not any((out / name).exists() for name in ("summary.json", "report.html", "report.md")):
            return {}
        return {study.stem: claimed(Trials.named(study, records)).reports for study in experiment.studies}


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
            f"the runs are kept, but the report could not be written ({error.strerror or error}); the same command tries again"
        ) from None


def _print_summary(summary: Summary, out: Path, console: Console) -> None:
    """Tables and verdicts, failures, and last what matters: the sentence, where the report is, what to run next."""
    for study in summary.studies:
        print_study(study, console)
    if summary.failures:
        console.print(Text(f"\nFailed runs: {len(summary.failures)}. The same command tries them again.", "red"))
        for failure in summary.failures:
            console.print(Text(printable(f"  {failure.run}: {failure.message}")), soft_wrap=True)
    others = len(list((out / "runs").glob("*.jsonl"))) - sum(len(group) for group in summary.records)
    if others > 0:
        folder = printable(str(out / "runs"))
        text = f"{others} other records in {folder} are not part of this comparison and were left alone."
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    console.print()
    for study, said in zip(summary.studies, summary.headlines, strict=True):
        name = f"{study.study.title}: " if len(summary.studies) > 1 else ""
        console.print(Text(name + said, "bold"), soft_wrap=True)
    page = printable(str(out / "report.html"))
    console.print(f"Report: {page}", highlight=False, soft_wrap=True, markup=False)
    for step in next_steps(summary)[:1]:
        console.print(Text(step.reason, "dim"), soft_wrap=True)
        if step.typed:
            console.print(Text(step.typed), soft_wrap=True)
