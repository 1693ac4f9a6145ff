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
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TextIO

from preheat.core.checks import measured
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.core.text.language import read, read_plan

SCHEDULE, SEED, ARM, LOG = "PREHEAT_SCHEDULE", "PREHEAT_SEED", "PREHEAT_ARM", "PREHEAT_LOG"
"""The environment variables: the arm's schedule as text, its seed, its name, and the file that takes the metrics."""

Target = Schedule | Absolute | Plan
"""What can be given to a scheduler: factors, rates, or lines for several hyper-parameters."""

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no numbers for them


def from_env(default: Target | str | None = None) -> Target:
    """The schedule or plan of the arm that this script was started for, from the variable PREHEAT_SCHEDULE.

    default: what to follow where the variable is not set, so that the script also runs by itself.

    Raises PreheatError if neither is there, or the text is no schedule; ParseError says at which column.
    """
    given = os.environ.get(SCHEDULE, default)
    if given is None:
        raise PreheatError(
            f"the environment variable {SCHEDULE} is not set; start the script with preheat compare --launch, "
            "or write from_env(default=preheat.parse(\"warmup('5%') >> decay()\"))"
        )
    return as_target(given) if isinstance(given, str) else given


def as_target(value: object) -> Target:
    """A schedule, `absolute(…)` or plan as it is, or from its text: the JSON of a plan, else the language.

    Nothing is evaluated. Raises PreheatError for anything else.
    """
    found = value
    if isinstance(value, str):
        found = read_plan(value) if value.lstrip().startswith("{") else read(value)
    if not isinstance(found, Target):
        raise PreheatError(f"{shown(value)} is no schedule; write for example warmup('5%') >> decay()")
    return found


def target_text(value: Target) -> str:
    """A schedule or plan as one line of text, which `as_target` reads."""
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


def row(step: object, metrics: Mapping[str, Any]) -> dict[str, int | float | str]:
    """The metrics of one update as a line of JSON holds them."""
    values: dict[str, int | float | str] = {"step": _step(step)}
    for name, value in metrics.items():
        number = measured(name, value)
        values[name] = number if math.isfinite(number) else str(number)
    return values


def json_number(name: str, value: object) -> float:
    """A number as `row` writes it: of JSON, or one of the texts "nan", "inf" and "-inf"."""
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise ParseError(f"{name} must be a number, not {shown(value)}")


def _step(step: Any) -> int:
    """The number of an update; integers of numpy and torch are taken too."""
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(step, bool) and int(step) == step and step >= 0:
            return int(step)
    raise PreheatError(f"step is the number of an update, 0, 1, 2 …, not {shown(step)}")
