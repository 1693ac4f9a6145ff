"""What training reports while it runs, and what that amounts to when it has ended."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from preheat.core.checks import counted, measured
from preheat.core.errors import PreheatError, shown
from preheat.lab.client import json_number, metric_name
from preheat.lab.experiment import Study, Trial
from preheat.lab.records.record import Result, Writer
from preheat.lab.records.series import Logged, stage_of

INTERVAL = 0.1
"""Seconds between two reports of progress: a report costs about 20 µs, and nobody reads faster."""

Notify = Callable[[int, float, float], None]


class Log:
    """The third argument of a training function: `log(step, loss=2.3, lr=1e-3, grad_norm=0.7)`, any names, any number
    of times, from any thread. `log.trial` is the run, `log.path` where its record is going to be.

    Where training returns no final value of a metric, it is the mean over the last twentieth of what it logged of it. The
    part of a name before the last "/" is a stage with updates of its own: `log(0, **{"stage2/val_loss": 2.3})`.
    """

    def __init__(self, record: Writer, trial: Trial, notify: Notify) -> None:
        self.path, self.trial = record.path, trial
        self._record, self._notify, self._notified = record, notify, -math.inf
        self._lasts = dict[str, int]()

    def __call__(self, /, step: int, **metrics: float) -> None:
        line = self._record.step(step, metrics)
        at = line.pop("step")
        for stage in map(stage_of, line or ("",)):
            self._lasts[stage] = at
        self.progress(at, line)

    def progress(self, step: int, line: Mapping[str, Any]) -> None:
        """Say how far training is, without a trace in the record; `line`: values as JSON holds them."""
        if (now := time.monotonic()) - self._notified >= INTERVAL:
            self._notified = now
            self._notify(step, *(json_number(name, line.get(name, "nan")) for name in ("loss", "lr")))

    @property
    def last(self) -> int:
        """The update that was logged last, of the metrics without a stage where there are some; −1 before the first."""
        return self._lasts.get("", max(self._lasts.values(), default=-1))

    def logged(self) -> Logged:
        """All that was logged, read back from the record."""
        return self._record.logged()


def result_of(returned: object, log: Log) -> Result:
    """The result of a run: what training returned, and for a metric that it did not return what it had logged.

    A run whose deciding metric is not finite has diverged, whatever else training returned. The deciding metric has to be
    there; another one that was neither returned nor logged is not in the result.
    """
    study = log.trial.study
    given = _by_name(returned, study)
    metrics = {metric_name(name): _finite(name, value) for name, value in given.items() if name not in _FACT}
    first = study.metrics[0].name
    if missing := [metric.name for metric in study.metrics if metric.name not in metrics]:
        logged = log.logged()
        metrics |= {name: value for name, value in logged.finals().items() if name in missing}
        if first not in metrics:
            raise PreheatError(_missing(first, logged.forgotten(first)))
    facts: dict[str, Any] = {"steps": log.last + 1 or None}
    facts |= {name: _FACT[name](name, given[name]) for name in given if name in _FACT and given[name] is not None}
    if metrics[first] is None:
        facts["diverged"], facts["reason"] = True, facts.get("reason") or f"{first} is not finite"
    return Result(metrics=metrics, **facts)


def _flag(name: str, value: Any) -> bool:
    """True or False, of Python, numpy or torch."""
    found = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    if not isinstance(found, bool):
        raise PreheatError(f"training returned {name}, which must be True or False", given=value)
    return found


def _count(name: str, value: Any) -> int:
    """A number of things, also of numpy or torch."""
    return counted(value, f"training returned {name}, which must be a whole number of at least 0")


def _text(name: str, value: Any) -> str:
    """Text that can be written to a file."""
    if isinstance(value, str) and value == value.encode(errors="ignore").decode():
        return str(value)
    raise PreheatError(f"training returned {name}, which must be text", given=value, write=f"write {name}=str(…)")


def _number(name: str, value: Any) -> float:
    """A finite number."""
    if not math.isfinite(found := measured(name, value)):
        raise PreheatError(f"training returned {name}, which must be finite", given=value)
    return found


_FACT: dict[str, Callable[[str, Any], Any]] = {
    "diverged": _flag,
    "reason": _text,
    "steps": _count,
    "parameters": _count,
    "data": _text,
    "chance_loss": _number,
}
"""What else training may return beside metrics, and what takes it; None is the same as to leave it out."""


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


def _missing(name: str, forgotten: tuple[int, int, int] | None) -> str:
    if forgotten:
        at, lower, row = forgotten
        return (
            f"{name!r} was logged at update {at} and then forgotten, because update {lower} followed in row {row}: training "
            "went back; log in ascending order from one process, and the final values last"
        )
    named = f"{name}=…" if name.isidentifier() else f"**{{{name!r}: …}}"
    return (
        f"training neither returned nor logged {name!r}; return {{{name!r}: …}}, call log(step, {named}), or name "
        "another metric: metric= in Python, --metric on the command line"
    )
