"""The two calls with which a training script takes part in `preheat compare --launch`: one in, one out.

    plan = preheat.from_env(default=preheat.cosine(warmup_ratio=0.05))
    ...
    preheat.log(step, loss=loss.item(), lr=scheduler.get_last_lr()[0])
    preheat.log(step, val_loss=evaluate(model))

A script in another language reads the variables and appends lines of JSON itself: `{"step": 0, "loss": 5.61}`. This
module is imported by training code: it needs the standard library only.
"""

import json
import math
import os
import warnings
from functools import cache
from typing import Any, TextIO

from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.core.text.language import read, read_plan

SCHEDULE, SEED, ARM, LOG = "PREHEAT_SCHEDULE", "PREHEAT_SEED", "PREHEAT_ARM", "PREHEAT_LOG"
"""The environment variables: the arm's schedule as text, its seed, its name, and the file that takes the metrics."""

Target = Schedule | Absolute | Plan
"""What can be given to a scheduler: factors, rates, or lines for several hyper-parameters."""


def from_env(default: Target | str | None = None) -> Target:
    """The schedule or plan of the arm that this script was started for, from the variable PREHEAT_SCHEDULE.

    default: what to follow where the variable is not set, so that the script also runs by itself.

    Raises PreheatError if neither is there, or the text is no schedule; ParseError says at which column.
    """
    text = os.environ.get(SCHEDULE)
    if text is not None:
        return target(text)
    if default is None:
        raise PreheatError(
            f"the environment variable {SCHEDULE} is not set; start the script with preheat compare --launch, "
            "or write from_env(default=preheat.parse(\"warmup('5%') >> decay()\"))"
        )
    return target(default) if isinstance(default, str) else default


def target(text: str) -> Target:
    """What `spelled` wrote: a schedule, `absolute(…)`, or a plan as JSON from line to schedule. Nothing is evaluated."""
    if text.lstrip().startswith("{"):
        return read_plan(text)
    value = read(text)
    if not isinstance(value, Schedule | Absolute):
        raise PreheatError(f"{shown(text)} is no schedule; write for example warmup('5%') >> decay()")
    return value


def spelled(value: Target) -> str:
    """A schedule or plan as one line of text."""
    return value.to_text() if isinstance(value, Plan) else repr(value)


def log(step: int, **metrics: float) -> None:
    """Report numbers of one update to the comparison that started this script: `log(7, loss=2.3, lr=1e-3)`.

    step: the update that the numbers belong to, from 0. One update may be reported in several calls; a step lower than
    one before means that training went back, and what was reported from there on is forgotten.

    Outside a comparison, and in processes of torchrun other than the first (RANK is not 0), nothing happens. A full
    disk warns and does not end the training. Raises PreheatError for what is not a number.
    """
    path = os.environ.get(LOG)
    if path is None or os.environ.get("RANK", "0") != "0":
        return
    line = json.dumps(row(step, metrics), allow_nan=False) + "\n"
    try:
        file = opened(path)
        file.write(line)
        file.flush()
    except OSError as error:
        warnings.warn(f"preheat.log could not write update {step}: {error.strerror}", RuntimeWarning, stacklevel=2)


@cache
def opened(path: str) -> TextIO:
    """The file of metrics, opened once a process."""
    return open(path, "a", encoding="utf-8")


def row(step: int, metrics: dict[str, float]) -> dict[str, int | float | str]:
    """One line as JSON holds it."""
    values: dict[str, int | float | str] = {"step": whole(step)}
    for name, value in metrics.items():
        values[name] = number(measured(name, value))
    return values


def measured(name: str, value: Any) -> float:
    """A metric as a float; tensors and arrays of one element are taken too."""
    try:
        plain = value.item() if hasattr(value, "item") else value  # float() of a tensor with a gradient warns
        if isinstance(plain, str | bytes | bool):
            raise TypeError
        return float(plain)
    except (TypeError, ValueError, RuntimeError):
        raise PreheatError(f"a metric is a number, not {name}={shown(value)}") from None


def whole(step: object) -> int:
    """The step as an integer, numpy's and torch's included."""
    try:
        if not isinstance(step, bool) and int(step) == step and step >= 0:  # type: ignore[call-overload, operator]
            return int(step)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        pass
    raise PreheatError(f"step is the number of an update, 0, 1, 2 …, not {shown(step)}")


def number(value: float) -> float | str:
    """A number as JSON can hold it: what is not finite becomes "nan", "inf" or "-inf"."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
