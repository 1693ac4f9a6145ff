"""Schedules as other libraries' configs: each module here has `write(target, run, peak) -> str`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.core.updates import in_updates

__all__ = ["WRITERS", "write"]

WRITERS: tuple[str, ...] = tuple(sorted(module.name for module in iter_modules(__path__)))
"""The libraries whose configs are written, each a module here."""


def write(target: Any, to: str, run: Run | None = None, peak: float | None = None) -> str:
    """A schedule as a config of another library, which it trains by at the same rates.

    target: whatever `parse` takes.   to: one of WRITERS.   run: the run that lengths in other units, `rest` and the library's
    own total need, on a clock of samples or tokens with what an update is worth.   peak: the rate at the peak, where the
    target is factors.

    Raises PreheatError for a library whose configs are not written, and for what its config cannot say, with the reason,
    factors whose peak is not 1 among it.
    """
    if to not in WRITERS:
        raise PreheatError(f"no configs of {shown(to)} are written{nearest(str(to), WRITERS)}")
    known = Run() if run is None else run
    if known.total == 0:
        raise PreheatError("a config is of a run with updates", given=known, write="give a total of at least 1")
    meant, known = in_updates(parse(target), known, f"a config of {to} counts")
    refuse_unclear(Plan(meant), lambda line: peak)
    return import_module(f"preheat.compat.writers.{to}").write(meant, known, peak)
