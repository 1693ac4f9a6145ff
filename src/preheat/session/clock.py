"""What passes between two updates: a number of ticks that is known, said or measured."""

from __future__ import annotations

import time

from preheat.core.checks import Number, ticks
from preheat.core.errors import PreheatError
from preheat.core.peaks import peak_of
from preheat.core.plan import BATCH, Plan
from preheat.core.spans import Run

_WORTHS = ("tokens_per_step", "samples_per_step", "steps_per_epoch")


def tick_of(run: Run) -> int | None:
    """How many ticks of the clock one update is; None where it is measured, or said with every step."""
    if run.clock in ("step", "epoch"):
        return 1
    worth = {"sample": run.samples_per_step, "token": run.tokens_per_step}.get(run.clock)
    return worth if isinstance(worth, int) else None


def check_worth(plan: Plan, run: Run) -> None:
    """Refuse a run that says what every update is worth, where the batch of the plan changes: it is true of one batch only."""
    said = [name for name in _WORTHS if getattr(run, name) is not None]
    if said and any(line.hyper == BATCH and not peak_of(line.schedule).is_constant for line in plan.lines):
        raise PreheatError(
            f"the plan's {BATCH!r} changes, so an update is not worth {said[0]}={getattr(run, said[0])} throughout",
            write="write Run(total='10B tokens', clock='token') without it, and step(advance=…) with what an update has seen",
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
