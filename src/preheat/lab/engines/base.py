"""What an engine is. It takes jobs and reports what becomes of each, in the order in which it happens.

    class Engine(Protocol):
        def threads(self, runs: int) -> int: ...                  # CPU threads that each of so many runs may use
        def run(self, jobs: Sequence[Job]) -> Events: ...         # a generator of events

Closing the generator, as Ctrl-C does, ends what is still running; finished records stay. A job counts as finished only
when its record lies under its own name, whoever wrote it.
"""

import os
import signal
from collections.abc import Generator, Sequence
from typing import Protocol, runtime_checkable

from preheat.lab.running.signals import STOPPING, Signals, Stopped
from preheat.lab.running.worker import Event, Job, carry_out, see

Events = Generator[Event, None, None]


@runtime_checkable
class Engine(Protocol):
    """The whole contract."""

    def threads(self, runs: int) -> int:
        """CPU threads for each run, where there are `runs` of them in all."""
        ...

    def run(self, jobs: Sequence[Job]) -> Events:
        """Carry the jobs out; for every job "started", and at last "finished" or "failed"."""
        ...


class Inline:
    """One run after the other in this process: for debuggers and tests.

    Ctrl-C stops the comparison, also where the training catches it; a `KeyboardInterrupt` without a signal, which the training
    raises itself, is a failed run, as `sys.exit` is. What a training starts and leaves behind ends with this process only.
    """

    def threads(self, runs: int) -> int:
        """All cores: nothing else is running."""
        return cores()

    def run(self, jobs: Sequence[Job]) -> Events:
        """In the order of the jobs; an exception of one run does not end the others."""
        for job in jobs:
            yield Event(job, "started")
            steps = [0]
            with Signals(*STOPPING) as signals:
                failure = self._carried_out(job, steps, signals)
            if failure:
                yield Event(job, "failed", step=steps[-1], message=failure + see(job.path))
            else:
                yield Event(job, "finished")

    def _carried_out(self, job: Job, steps: list[int], signals: Signals) -> str:
        try:
            return carry_out(lambda: job, job.path, lambda step, loss, rate: steps.append(step), lambda: signals.came)
        except Stopped:  # the training has caught what stopped it
            raise (KeyboardInterrupt if signals.came == signal.SIGINT else SystemExit(128 + signals.came)) from None


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
