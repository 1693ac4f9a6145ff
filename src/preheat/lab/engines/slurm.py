"""Slurm as an engine, by submitit.

submitit is imported only when runs begin. It passes jobs and records through files, in a folder that all nodes see.
"""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preheat.core.checks import whole_number
from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Events
from preheat.lab.engines.remote import attempt, check_amount, event_of, first_line, require
from preheat.lab.running.worker import Event, Job, pickled

POLL = 1.0
"""Seconds between two looks for what has come."""

PATIENCE = 5.0
"""Seconds in which cancelled jobs end."""

ARRAY = 1000
"""Jobs in one array: Slurm as it is delivered takes no more."""

RULE = "-" * 22
"""Stands around a traceback in what submitit says."""


class Slurm:
    """Each run a Slurm job, all of them one array; submitted by submitit.

    folder: where submitit keeps the files that it passes on, seen by all nodes; default: `slurm` beside the runs. The
    output of runs that failed stays there.
    cpus, gpus: what a run takes. jobs: runs at a time; default: what Slurm allows. minutes: after which Slurm ends a
    run; a day by default, some partitions take less.
    settings: submitit's: mem_gb=32, slurm_partition="gpu", slurm_account=…, slurm_setup=["module load cuda"].
    poll: seconds between two looks. cluster: "local" and "debug" are submitit's, for trying out: processes of this
    machine, all at once, or this process.

    A run that Slurm preempts, or whose node is lost, is queued again by Slurm where the cluster is set up for it.
    Ctrl-C cancels the jobs; a driver that is killed leaves them in the queue: scancel --name preheat.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        cpus: int = 1,
        gpus: int = 0,
        jobs: int | None = None,
        minutes: int = 24 * 60,
        poll: float = POLL,
        cluster: str = "slurm",
        **settings: Any,
    ) -> None:
        require("submitit", "slurm")
        for name, value, low in (("cpus", cpus, 1), ("gpus", gpus, 0), ("jobs", jobs or 1, 1), ("minutes", minutes, 1)):
            whole_number(value, name, low)
        check_amount(poll, "poll")
        self.folder, self.cpus, self.cluster, self.poll = folder, cpus, cluster, poll
        self.settings = {"name": "preheat", "timeout_min": minutes, "cpus_per_task": cpus, **settings}
        if gpus:
            self.settings.setdefault("gpus_per_node", gpus)
        if jobs and cluster == "slurm":
            self.settings.setdefault("slurm_array_parallelism", jobs)

    def threads(self, runs: int) -> int:
        """As many as a run has CPUs."""
        return self.cpus

    def run(self, jobs: Sequence[Job]) -> Events:
        """All are queued; Slurm says when each begins."""
        if not jobs:
            return
        folder = Path(self.folder or jobs[0].path.parent.parent / "slurm")
        running, started, scripts = dict[Any, Job](), set[Job](), set[Path]()
        try:
            for start in range(0, len(jobs), ARRAY):
                group = jobs[start : start + ARRAY]
                running.update(zip(self._submitted(folder, group), group, strict=True))
                scripts |= {task.paths.submission_file for task in running}
            while running:
                for task, job in list(running.items()):
                    ended = task.done()
                    if job not in started and (ended or task.state == "RUNNING"):
                        started.add(job)
                        yield Event(job, "started")
                    if ended:
                        event = event_of(job, _answer(task))
                        _remove_files(task, event.kind == "finished")
                        del running[task]
                        yield event
                if running:
                    time.sleep(self.poll)
        finally:
            _cancel(list(running), self.poll)
            _remove_scripts(folder, scripts)

    def _submitted(self, folder: Path, jobs: Sequence[Job]) -> list[Any]:
        """The jobs as submitit's, on their way."""
        import submitit

        try:
            executor = submitit.AutoExecutor(folder, cluster=self.cluster)
            executor.update_parameters(**self.settings)
            return executor.map_array(attempt, [pickled(job) for job in jobs], [job.environment for job in jobs])
        except PreheatError:
            raise
        except (AssertionError, NameError, ValueError, TypeError) as error:  # what submitit says of settings
            raise PreheatError(f"submitit does not take these settings: {' '.join(str(error).split())}") from None
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise PreheatError(f"Slurm did not take the jobs: {first_line(error)}") from None


def _answer(task: Any) -> bytes | str:
    """What `attempt` gave back, or how the job ended without an answer; the file that holds its output is named."""
    try:
        found = task.result()
    except Exception as error:
        found = f"the job gave nothing back: {error_text(error, task)}"
    if not isinstance(found, str):
        return found
    line, *more = found.split("\n", 1)
    return "\n".join([f"{line} ({task.paths.stderr.name})", *more])


def error_text(error: Exception, task: Any) -> str:
    """What submitit says of a job, without the folders of this machine: the job's state, or the end of its traceback."""
    if type(error).__name__ == "UncompletedJobError":
        return f"Slurm says {task.state}"
    trace = [*str(error).split(RULE), ""][1].strip().splitlines()
    return trace[-1] if trace else first_line(error)


def _remove_files(task: Any, finished: bool) -> None:
    """Remove what submitit wrote for this job; the output of one that failed stays."""
    paths = task.paths
    written = [paths.submitted_pickle, paths.result_pickle]
    if finished:
        written += [paths.stdout, paths.stderr]
    for path in written:
        path.unlink(missing_ok=True)


def _remove_scripts(folder: Path, scripts: set[Path]) -> None:
    """Remove the scripts, submitit's links to them, and the folder where nothing failed."""
    for path in scripts:
        path.unlink(missing_ok=True)
    for link in folder.glob(".submission_file_*.sh"):
        if not link.exists():
            link.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _ended(task: Any) -> bool:
    """Whether a cancelled job has ended; submitit's "debug" refuses to say."""
    try:
        return task.done()
    except RuntimeError:
        return True


def _cancel(tasks: list[Any], poll: float) -> None:
    """Cancel jobs that are queued or running, wait a moment for their end, and remove what they wrote."""
    cancelled = tasks
    for task in tasks:
        with contextlib.suppress(OSError):
            task.cancel(check=False)
    end = time.monotonic() + PATIENCE
    while tasks and time.monotonic() < end:
        tasks = [task for task in tasks if not _ended(task)]
        time.sleep(poll if tasks else 0)
    for task in cancelled:
        _remove_files(task, finished=True)
