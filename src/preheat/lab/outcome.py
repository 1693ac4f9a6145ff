"""What training reports while it runs, and what that amounts to when it has ended."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from preheat.core.checks import measured
from preheat.core.errors import PreheatError, shown
from preheat.lab.client import json_number
from preheat.lab.experiment import Study, Trial
from preheat.lab.records import Result, Writer

LAST = 20
"""Where training returns no final value of a metric, it is the mean over the last one part in so many of what it logged,
at least the last value."""

INTERVAL = 0.1
"""Seconds between two reports of progress: a report costs about 20 µs, and nobody reads faster."""

Notify = Callable[[int, float, float], None]
_FACTS = {field.name for field in fields(Result)} - {"metrics"}


class Log:
    """The third argument of a training function: `log(step, loss=2.3, lr=1e-3, grad_norm=0.7)`, any names, any number
    of times. `log.trial` is the run, `log.path` where its record is going to be.
    """

    def __init__(self, record: Writer, trial: Trial, notify: Notify) -> None:
        self.path, self.trial, self.last = record.path, trial, -1
        self._record, self._notify, self._notified = record, notify, -math.inf
        self._logged: dict[str, list[tuple[int, float]]] = {metric.name: [] for metric in trial.study.metrics}

    def __call__(self, step: int, **metrics: float) -> None:
        line = self._record.step(step, metrics)
        at = line.pop("step")
        if at < self.last:  # training went back: what it reported from there on is forgotten
            for name, values in self._logged.items():
                self._logged[name] = [(earlier, value) for earlier, value in values if earlier < at]
        self.last = at
        for name in self._logged.keys() & line.keys():
            self._logged[name].append((at, json_number(name, line[name])))
        if (now := time.monotonic()) - self._notified >= INTERVAL:
            self._notified = now
            self._notify(at, *(json_number(name, line.get(name, "nan")) for name in ("loss", "lr")))

    def final(self, name: str) -> float | None:
        """The mean over the last part of what was logged of a metric; None where it was not."""
        values = [value for _, value in self._logged[name]]
        tail = values[-max(1, len(values) // LAST) :]
        return math.fsum(tail) / len(tail) if all(map(math.isfinite, tail)) and tail else tail[-1] if tail else None


def result_of(returned: object, log: Log) -> Result:
    """The result of a run: what training returned, and for a metric that it did not return what it had logged.

    A run whose deciding metric is not finite has diverged, whatever else training returned.
    """
    study = log.trial.study
    given = _by_name(returned, study)
    metrics = {name: _finite(name, value) for name, value in given.items() if name not in _FACTS}
    for metric in study.metrics:
        if metric.name not in metrics:
            found = log.final(metric.name)
            if found is None:
                raise PreheatError(_missing(metric.name))
            metrics[metric.name] = _finite(metric.name, found)
    facts: dict[str, Any] = {"steps": log.last + 1 or None, **{name: given[name] for name in _FACTS & given.keys()}}
    first = study.metrics[0].name
    if metrics[first] is None:
        facts["diverged"], facts["reason"] = True, facts.get("reason") or f"{first} is not finite"
    return Result(metrics=metrics, **facts)


def _by_name(returned: object, study: Study) -> Mapping[str, Any]:
    """What training returned, by name: a mapping, nothing, or one number, which is then the deciding metric."""
    if returned is None:
        return {}
    if isinstance(returned, Mapping):
        return returned
    name = study.metrics[0].name
    if isinstance(returned, bool | str) or not hasattr(returned, "__float__"):
        raise PreheatError(f"training must return its metrics, such as {{{name!r}: 2.31}}, not {shown(returned)}")
    return {name: returned}


def _finite(name: str, value: Any) -> float | None:
    """A metric as a float, None where it is not finite."""
    found = math.nan if value is None else measured(name, value)
    return found if math.isfinite(found) else None


def _missing(name: str) -> str:
    named = f"{name}=…" if name.isidentifier() else f"**{{{name!r}: …}}"
    return (
        f"training neither returned nor logged {name!r}; return {{{name!r}: …}}, call log(step, {named}), or name "
        "another metric: metric= in Python, --metric on the command line"
    )
