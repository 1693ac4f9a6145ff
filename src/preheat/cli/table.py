"""`preheat table`: every value of a schedule, for another program to read."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from preheat.cli.counts import Count
from preheat.cli.resolved import RunOptions, resolve
from preheat.core.errors import PreheatError

_BLOCK = 4096  # items to a write


def table(
    spec: str | None = None,
    /,
    *,
    preset: str | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    line: str | None = None,
    format: Literal["csv", "json"] = "csv",
    every: Count = 1,
) -> None:
    """Print the value of every update, 0 to the last, in full precision.

    Try:

        preheat table "ramp(0.01, 0.1, 1000) >> hold(0.1)" --total 3000 > schedule.csv
        preheat table "warmup(5%) >> decay()" --total 10k --peak 3e-4 --every 1000
        preheat table "warmup(10) >> decay(90)" --format json

    CSV has the columns step (or the word given to --clock) and value. JSON is
    {"schedule": …, "peak": …, "steps": […], "values": […]}. Both read back as the
    very numbers that the schedule gives to a training run. A script that a
    comparison has started may ask for "$PREHEAT_SCHEDULE".

    Parameters
    ----------
    spec
        The schedule, in quotes, or a plan as JSON; `preheat show --help` lists the words.
    preset
        A published run by its name, instead of a schedule; preheat presets lists them.
    peak
        The rate at the peak, where the schedule is factors: it multiplies every value. 1 by default, with --preset what
        was published.
    line
        Which line of a plan, such as weight_decay or head/lr; the learning rate's by default.
    format
        csv or json.
    every
        Print update 0 and every so many after it.
    """
    resolved = resolve(spec, preset, run, peak, line)
    if every < 1:
        raise PreheatError(f"--every must be at least 1, not {every}")
    if not resolved.known:
        raise PreheatError("this schedule never ends; add --total, for example --total 10_000")
    if "--line" in resolved.line:
        print(f"preheat: {resolved.line}", file=sys.stderr)
    steps, value = range(0, resolved.total, every), resolved.values.function
    if format == "csv":
        print(f"{resolved.run.clock},value")
        _written((f"{t},{value(t)!r}" for t in steps), "\n")
        print()
    else:
        head = json.dumps({"schedule": repr(resolved.bound), "peak": resolved.peak})
        print(head[:-1], end=', "steps": [')
        _written(map(str, steps), ", ")
        print('], "values": [', end="")
        _written((repr(value(t)) for t in steps), ", ")
        print("]}")


def _written(items: Iterator[str], between: str) -> None:
    """Print the items as they come, a block at a time."""
    before = ""
    while block := list(islice(items, _BLOCK)):
        sys.stdout.write(before + between.join(block))
        before = between
