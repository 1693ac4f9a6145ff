"""What passes between two updates: a number of ticks that is known, said or measured."""

from __future__ import annotations

import time

from preheat.core.checks import Number, ticks
from preheat.core.errors import PreheatError
from preheat.core.peaks import peak_of
from preheat.core.plan import Line, Plan
from preheat.core.spans import Run
from preheat.core.stated import Sizes
from preheat.core.updates import ticks_per_update

_WORTHS = ("tokens_per_step", "samples_per_step", "steps_per_epoch")


def given_run(run: object, example: str = "Run(total=10_000)") -> Run:
    """The Run that was given, an empty one for None; refuses anything else, with `example` as what to write."""
    if run is None:
        return Run()
    if not isinstance(run, Run):
        raise PreheatError("run= takes a Run", given=run, write=f"write run={example}")
    if run.total == 0:
        raise PreheatError("a run of no update has no rate", given=run, write="give a total of at least 1")
    return run


def check_counts_updates(run: Run, whose: str) -> None:
    """Refuse a run on another clock than updates, for an optimizer that counts those and nothing else."""
    if run.clock != "step":
        what = f"{whose} optimizer counts updates, and the run has another clock"
        raise PreheatError(what, given=run.clock, write="leave clock= out; lengths in tokens or epochs may stay")


def tick_of(run: Run) -> int | None:
    """How many ticks of the clock one update is; None where it is measured, or said with every step."""
    return 1 if run.clock == "epoch" else ticks_per_update(run)


def check_worth(plan: Plan, run: Run) -> None:
    """Refuse a run that does not fit a batch that changes.

    It says what every update is worth, which is true of one batch only; or it counts updates where the plan has bare numbers
    of ticks that may be tokens (those of `batch_ramp` and `seesaw`); or it is longer than the plan.
    """
    said = [name for name in _WORTHS if getattr(run, name) is not None]
    for line in plan.lines:
        if not line.is_batch or peak_of(line.schedule).is_constant:
            continue
        if said:
            raise PreheatError(
                f"the plan's {line.key!r} changes, so an update is not worth {said[0]}={getattr(run, said[0])} throughout",
                write="write Run(total='10B tokens', clock='token') without it, and step(advance=…) with what an update has "
                "seen",
            )
        _check_ticks(line, run)


def _check_ticks(line: Line, run: Run) -> None:
    """Refuse a batch that changes after bare numbers of ticks where these are updates, or that ends before the run."""
    try:
        length = line.schedule.length
    except PreheatError:  # it has units of its own
        return
    if run.clock in ("step", "epoch") and isinstance(line.target, Sizes):
        raise PreheatError(
            f"the plan's {line.key!r} changes after numbers of ticks, and this run counts {run.clock}s, which see more data "
            "where the batch is larger",
            given=run,
            write="pass run=Run(total='10B tokens', clock='token'), for a plan of seesaw the very run that it was made for; or "
            "write the lengths with their unit, such as '400 steps', if updates are meant",
        )
    if run.total is not None and length < run.total:
        raise PreheatError(
            f"the plan's {line.key!r} ends after {length:g} of {run.total} {run.clock}s",
            write="make the plan for this run, seesaw(s, run, …), or let the last size last for 'rest'",
        )


def checked_advance(advance: object, run: Run) -> Number:
    """A number of ticks that has passed: whole, unless the clock measures seconds."""
    value = ticks(advance, "advance")
    if value < 0 or (run.clock != "second" and not isinstance(value, int)):
        raise PreheatError(f"advance is a number of {run.clock}s that have passed", given=advance)
    return value


def unknown_advance(run: Run) -> PreheatError:
    """What there is to say where nobody knows how much has passed."""
    return PreheatError(f"how many {run.clock}s have passed is not known", write="write step(advance=…)")


class Stopwatch:
    """Seconds since it was last read, for a run whose clock is wall time. A copy or pickle of it starts anew."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __reduce__(self) -> tuple[type[Stopwatch], tuple[()]]:
        return Stopwatch, ()

    def read(self) -> float:
        """Seconds since the last reading."""
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return passed
