"""The two calls with which a training script takes part in `preheat compare --launch`: one in, one out.

    plan = preheat.from_env(default="cosine(warmup_ratio=0.05)")
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
from typing import Any

from preheat.core.checks import MOST_TICKS, measured
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.core.text.language import Target, parse
from preheat.core.text.words import Source

SCHEDULE, SEED, ARM, LOG = "PREHEAT_SCHEDULE", "PREHEAT_SEED", "PREHEAT_ARM", "PREHEAT_LOG"
"""The environment variables: the arm's schedule as text, its seed, its name, and the file that takes the metrics."""

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no numbers for them


def from_env(default: Target | Source | None = None, *, run: Run | None = None, peak: float | None = None) -> Any:
    """The schedule or plan of the arm that this script was started for, from the variable PREHEAT_SCHEDULE.

    default: what to follow where the variable is not set, so that the script also runs by itself.

    A script that writes its rates by hand gives `run`, and what the peak of factors is to be: it gets the rates, bound, of
    whichever arm it is. An arm of rates (a comparison with --peaks makes such) takes no notice of `peak`.

        get_lr = preheat.from_env(run=preheat.Run(total=max_iters), peak=learning_rate)
        lr = get_lr(iteration)

    run: binds the schedule.   peak: the rate at factor 1.

    Raises PreheatError if neither variable nor default is there, the text is no schedule (ParseError says at which column),
    or, with `run` or `peak`, where the arm is factors without a peak, or a plan that drives more than the learning rate.
    """
    given = os.environ.get(SCHEDULE, default)
    if given is None:
        raise PreheatError(
            f"the environment variable {SCHEDULE} is not set; start the script with preheat compare --launch, "
            'or write from_env(default="warmup(5%) >> decay()")'
        )
    try:
        found = parse(given)
    except PreheatError as error:
        if SCHEDULE not in os.environ:
            raise
        raise error.restated(type(error), f"the environment variable {SCHEDULE}: {error.reason}") from None
    return found if run is None and peak is None else _rates(found, run, peak)


def _rates(given: Target, run: Run | None, peak: float | None) -> Absolute:
    """The rates of an arm, to be written by hand."""
    plan = Plan(given)
    if tuple(plan) != (RATE,):
        raise PreheatError(
            f"this arm is a plan for {', '.join(plan)}, and one rate is asked for",
            write="write from_env() alone and follow it with a Scheduler",
        )
    target = plan[RATE]
    if isinstance(target, Absolute):
        return target.bind(run)
    if peak is None:
        raise PreheatError(
            f"{shown(target)} is factors, and a rate is asked for",
            write="write from_env(run=…, peak=3e-4), the rate at factor 1",
        )
    return target.bind(run, peak=peak)


def log(step: int, **metrics: float) -> None:
    """Report numbers of one update to the comparison that started this script: `log(7, loss=2.3, lr=1e-3)`.

    metrics: numbers by name; not every name has to be there each time.
    step: the update that the numbers belong to, from 0. One update may be reported in several calls; a step lower than
    one before means that training went back, and what was reported from there on is forgotten. The part of a name before
    the last "/" is a stage, which counts its own updates: `log(0, **{"stage2/val_loss": 2.3})` after a first stage of a
    thousand updates goes back in nothing but stage2.

    Outside a comparison, and in processes of torchrun other than the first (RANK is not 0), nothing happens. Threads and
    forked processes may call it too: every call is one line, written at once. A full disk warns and does not end the
    training. Raises PreheatError for what is not a number, and for a name that is not text.
    """
    path = os.environ.get(LOG)
    if path is None or os.environ.get("RANK", "0") != "0":
        return
    line = json.dumps(row(step, metrics), allow_nan=False).encode() + b"\n"
    try:
        write_whole(opened(path), line)
    except OSError as error:
        warnings.warn(f"preheat.log could not write update {step}: {error.strerror}", RuntimeWarning, stacklevel=2)


@cache
def opened(path: str) -> int:
    """The file of metrics, opened once a process; half a line that a killed process left at its end is cut off."""
    mode = os.O_RDWR if os.path.isfile(path) or not os.path.exists(path) else os.O_WRONLY
    handle = os.open(path, mode | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    if mode == os.O_RDWR:
        end_line(handle)
    return handle


def write_whole(handle: int, line: bytes | bytearray) -> None:
    """Write a line in one call, so that those of other threads and processes cannot come between.

    A disk that takes only a part of it is full: that part is cut off again where it is still the last. Raises OSError.
    """
    written = os.write(handle, line)
    try:
        while written < len(line):
            written += os.write(handle, line[written:])
    except OSError:
        with suppress(OSError, AttributeError):  # Windows has no pread
            end = os.fstat(handle).st_size
            if os.pread(handle, written, end - written) == line[:written]:
                os.ftruncate(handle, end - written)
        raise


def end_line(handle: int) -> None:
    """End the last line of an open file of metrics: with a line break where it is whole, cut off where it is not."""
    end = os.fstat(handle).st_size
    rest, start = b"", end
    while start and b"\n" not in rest:
        size = min(start, 1 << 16)
        start -= size
        os.lseek(handle, start, os.SEEK_SET)
        rest = os.read(handle, size) + rest
    rest = rest.rpartition(b"\n")[2]
    os.lseek(handle, 0, os.SEEK_END)
    if not rest:
        return
    try:
        json.loads(rest)
    except (ValueError, RecursionError):
        os.ftruncate(handle, end - len(rest))
    else:
        os.write(handle, b"\n")


def row(step: object, metrics: Mapping[str, Any]) -> dict[str, int | float | str]:
    """The metrics of one update as a line of JSON holds them."""
    values: dict[str, int | float | str] = {"step": _step(step)}
    for name, value in metrics.items():
        name = metric_name(name)
        number = value if type(value) is float else measured(name, value)
        values[name] = number if math.isfinite(number) else str(number)
    return values


def metric_name(name: object) -> str:
    """The name of a metric: text, every character of which can be written to a file."""
    try:
        if isinstance(name, str) and (name.isascii() or name.encode()) and name != "step":
            return name
    except UnicodeEncodeError:
        pass
    raise PreheatError("the name of a metric is text, and not 'step'", given=name, write="write for example 'val_loss'")


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
    with suppress(TypeError, ValueError, OverflowError, RuntimeError):
        if not isinstance(step, bool) and int(step) == step and 0 <= step <= MOST_TICKS:
            return int(step)
    raise PreheatError(f"step is the number of an update, 0, 1, 2 … up to 2^53, not {shown(step)}")
