"""What training reports while it runs, and what that amounts to when it has ended."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.lab.experiment import Study, Trial
from preheat.lab.launched import measured
from preheat.lab.records import LAST, Result, Writer, real

INTERVAL = 0.1
"""Seconds between two reports of progress: a report costs about 20 µs, and nobody reads faster."""

Notify = Callable[[int, float, float], None]
_FACTS = {field.name for field in fields(Result)} - {"metrics"}


class Log:
    """The third argument of a training function: `log(step, loss=2.3, lr=1e-3, grad_norm=0.7)`, any names, any number
    of times. `log.trial` is the run, `log.path` where its record is going to be.
    """

    def __init__(self, record: Writer, trial: Trial, notify: Notify) -> None:
        self.path: Path = record.path
        self.trial = trial
        self.last = -1
        self._record, self._notify, self._told = record, notify, -math.inf
        self._kept: dict[str, list[tuple[int, float]]] = {metric.name: [] for metric in trial.study.metrics}

    def __call__(self, step: int, **metrics: float) -> None:
        line = self._record.step(step, metrics)
        at = line.pop("step")
        if at < self.last:
            self._forget(at)
        self.last = at
        for name in self._kept.keys() & line.keys():
            self._kept[name].append((at, real(name, line[name])))
        if (now := time.monotonic()) - self._told >= INTERVAL:
            self._told = now
            self._notify(at, real("loss", line.get("loss", "nan")), real("lr", line.get("lr", "nan")))

    def final(self, name: str) -> float | None:
        """The mean over the last part of what was logged of a metric; None where it was not."""
        values = [value for _, value in self._kept[name]]
        tail = values[-max(1, len(values) // LAST) :]
        return math.fsum(tail) / len(tail) if all(map(math.isfinite, tail)) and tail else tail[-1] if tail else None

    def _forget(self, step: int) -> None:
        for name, values in self._kept.items():
            self._kept[name] = [(at, value) for at, value in values if at < step]


def result_of(returned: object, log: Log) -> Result:
    """The result of a run: what training returned, and for a metric that it did not return what it had logged.

    A run whose deciding metric is not finite has diverged, whatever else is said of it.
    """
    study = log.trial.study
    said = as_mapping(returned, study)
    metrics = {name: finite(name, value) for name, value in said.items() if name not in _FACTS}
    for metric in study.metrics:
        if metric.name not in metrics:
            found = log.final(metric.name)
            if found is None:
                raise PreheatError(missing(metric.name))
            metrics[metric.name] = finite(metric.name, found)
    facts: dict[str, Any] = {"steps": log.last + 1 or None, **{name: said[name] for name in _FACTS & said.keys()}}
    first = study.metrics[0].name
    if metrics[first] is None:
        facts["diverged"], facts["reason"] = True, facts.get("reason") or f"{first} is not finite"
    return Result(metrics=metrics, **facts)


def as_mapping(returned: object, study: Study) -> Mapping[str, Any]:
    """What training returned, by name: a mapping, nothing, or one number, which is then the deciding metric."""
    if returned is None:
        return {}
    if isinstance(returned, Mapping):
        return returned
    if isinstance(returned, bool | str) or not hasattr(returned, "__float__"):
        name = study.metrics[0].name
        raise PreheatError(f"training must return its metrics, such as {{{name!r}: 2.31}}, not {shown(returned)}")
    return {study.metrics[0].name: returned}


def finite(name: str, value: Any) -> float | None:
    """A metric as a float, None where it is not finite."""
    found = math.nan if value is None else measured(name, value)
    return found if math.isfinite(found) else None


def missing(name: str) -> str:
    """What to do where training has not said the metric that decides."""
    return (
        f"training neither returned nor logged {name!r}; return {{{name!r}: …}}, call log(step, {name}=…), or name "
        "another metric: metric= in Python, --metric on the command line"
    )
