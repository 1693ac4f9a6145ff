"""When to give up: the first run of every arm of a study has failed at once, and so would the rest."""

import time
from collections.abc import Collection
from pathlib import Path

from preheat.lab.experiment import Experiment
from preheat.lab.naming import printable
from preheat.lab.running.worker import Event

QUICK = 20.0
"""Seconds after its start within which a run fails at once."""

FEW = 5
"""Updates: a run that logged more of them did train."""

TAIL = 15
"""Lines of a log that are shown."""


class Beginning:
    """Follows the events of a comparison until one run has trained, by an event of update `FEW` or later, `QUICK` seconds, or
    its record; from there on a failure is one run's own. finished: the runs that were there before.
    """

    def __init__(self, experiment: Experiment, finished: Collection[str]) -> None:
        self._trained = bool(finished)
        self._untried = {study.title: {arm.name for arm in study.arms} for study in experiment.studies}
        self._started: dict[str, float] = {}
        self.first: Event | None = None
        self.hopeless = False

    def see(self, event: Event) -> None:
        """Take note of an event; afterwards `hopeless` says whether to give up, `first` which run failed first."""
        trial, now = event.job.trial, time.monotonic()
        began = self._started.setdefault(trial.name, now)
        self._trained |= event.kind == "finished" or event.step >= FEW or now - began > QUICK
        if event.kind == "failed":
            self.first = self.first or event
            untried = self._untried[trial.study.title]
            untried.discard(trial.arm.name)
            self.hopeless = not untried and not self._trained


def tail(path: Path) -> str:
    """The last lines of what a run left beside its record `path`, harmless for a terminal; empty where there are none."""
    try:
        with path.with_suffix(".txt").open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 200 * TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(printable(line.rstrip()) for line in lines[-TAIL:])
