"""Run an experiment, keep what is finished, and write what it says.

In the folder: `runs/*.jsonl` (one record per run), `summary.json`, `figure.png` and `report.html`. The same experiment
in the same folder runs only what is missing.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from preheat.core.errors import PreheatError
from preheat.lab.engine import cores, engine_named
from preheat.lab.experiment import Experiment, whole
from preheat.lab.progress import Monitor
from preheat.lab.records import Record, is_of, read_record
from preheat.lab.summary import Failure, Summary, summary_of, to_dict
from preheat.lab.table import print_study
from preheat.lab.worker import Job

if TYPE_CHECKING:
    from preheat.lab.engine import Engine


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    jobs: int | None = None,
    engine: str = "processes",
    console: Console | None = None,
) -> Summary:
    """Run what is missing of `experiment` in the folder `out`, write the results there and show them on `console`.

    jobs: runs at a time, default the number of cores. engine: "processes" or "inline".
    A run that fails does not stop the others; it is in `Summary.failures` and is tried again by the next call.
    Ctrl-C ends the running ones, keeps the finished ones, says so and raises `KeyboardInterrupt`.
    Raises `PreheatError`, before anything is run, if `out` holds runs of another experiment.
    """
    console = console or Console()
    carry_out, out = engine_named(engine), Path(out)
    if jobs is not None:
        whole("jobs", jobs, low=1)
    records = finished(experiment, out)
    missing = planned(experiment, out, records, jobs, engine)
    if records:
        console.print(
            f"{len(records)} of {len(records) + len(missing)} runs were finished before and are kept.", highlight=False
        )
    failures = carried_out(missing, carry_out, jobs or cores(), records, console)
    summary = summary_of(experiment, records, failures)
    write(summary, out)
    tell(summary, out, console)
    return summary


def finished(experiment: Experiment, out: Path) -> dict[str, Record]:
    """The runs of the experiment that `out` already holds, by name. Refuses a folder with runs of another one."""
    found: dict[str, Record] = {}
    for trial in experiment.trials():
        path = out / "runs" / f"{trial.name}.jsonl"
        if not path.exists():
            continue
        record = read_record(path)
        if not is_of(record, trial):
            raise PreheatError(
                f"{out} holds the runs of another comparison: in runs/{path.name}, "
                f"{_odd(record.header, trial.identity)}; write to another folder, or remove that one"
            )
        found[trial.name] = record
    return found


def _odd(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that differs, in words; of settings within settings only the one."""
    name = next(name for name in now if then.get(name, ...) != now[name])
    before, after = then.get(name), now[name]
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return _odd(before, after)
    return f"{name} is {before!r}, and now it is {after!r}"


def planned(experiment: Experiment, out: Path, records: Iterable[str], jobs: int | None, engine: str) -> list[Job]:
    """What is left to run, and with how many threads: that depends on the whole experiment, not on what is left."""
    at_once = 1 if engine == "inline" else min(jobs or cores(), sum(1 for _ in experiment.trials()))
    threads = max(1, cores() // at_once)
    folder, kept = out / "runs", set(records)
    missing = [trial for trial in experiment.trials() if trial.name not in kept]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PreheatError(f"cannot write to {folder}: {error.strerror}") from None
    return [Job(trial, (folder / f"{trial.name}.jsonl").resolve(), threads) for trial in missing]


def carried_out(
    missing: list[Job], engine: "Engine", jobs: int, records: dict[str, Record], console: Console
) -> list[Failure]:
    """Run the jobs, put their records into `records`, and return what failed."""
    failures = []
    total = len(records) + len(missing)
    try:
        with Monitor(console, total, len(records)) as monitor, closing(engine(missing, jobs)) as events:
            monitor.expect(missing)
            for event in events:
                name = event.job.trial.name
                if event.kind == "finished":
                    records[name] = read_record(event.job.path)
                elif event.kind == "failed":
                    failures.append(Failure(name, event.message))
                monitor.show(event, records.get(name))
    except KeyboardInterrupt:
        kept = total - sum(not job.path.exists() for job in missing)  # some may have finished since the last event
        text = f"Stopped. {kept} of {total} runs are finished and kept; the same command goes on with the rest."
        console.print(Text(text, "yellow"), soft_wrap=True)
        raise
    return failures


def write(summary: Summary, out: Path) -> None:
    """The summary, the picture and the page; each appears whole or not at all."""
    from preheat.lab.figure import save_figure
    from preheat.lab.report import report_html

    replace(out / "summary.json", json.dumps(to_dict(summary), indent=1, allow_nan=False) + "\n")
    replace(out / "report.html", report_html(summary))
    save_figure(summary.studies, summary.records, out / "figure.png.part")
    os.replace(out / "figure.png.part", out / "figure.png")


def replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader never finds half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def tell(summary: Summary, out: Path, console: Console) -> None:
    """Tables, verdicts, failures, and where everything is."""
    for study in summary.studies:
        print_study(study, console)
    if summary.failures:
        console.print(Text(f"\nFailed runs: {len(summary.failures)}. The same command tries them again.", "red"))
        for failure in summary.failures:
            console.print(Text(f"  {failure.run}: {failure.message}"), soft_wrap=True)
    others = len(list((out / "runs").glob("*.jsonl"))) - sum(len(group) for group in summary.records)
    if others > 0:
        console.print(f"{others} other records in {out / 'runs'} are not part of this comparison and were left alone.")
    console.print(f"\nReport: {out / 'report.html'}", highlight=False, soft_wrap=True, markup=False)
