"""The units that the axis may count: those whose worth is known, and the same for every curve over it; the run's own first."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from preheat.core.errors import BindError
from preheat.core.spans import Run

_COUNTED = {"updates": "step", "epochs": "epoch", "samples": "sample", "tokens": "token"}
_LASTING = {"hours": 3600, "minutes": 60, "seconds": 1}  # in seconds, the longest first


def axes_of(runs: Iterable[tuple[Run, float | None]]) -> list[dict[str, Any]]:
    """The axes that runs share, each with how much of it passes in a tick; with each run the seconds that an update takes."""
    known = [_worths(run, seconds) for run, seconds in runs]
    first = known[0] if known else {}
    shared = [name for name in first if all(other.get(name) == first[name] for other in known)]
    return [{"id": name, "label": name, "worth": float(first[name])} for name in shared]


def _worths(run: Run, seconds: float | None) -> dict[str, Fraction]:
    worths = {name: _worth(run, unit) for name, unit in _COUNTED.items()}
    found = {name: 1 / worth for name, worth in worths.items() if worth is not None}
    if run.clock == "second":
        found |= {name: Fraction(1, lasts) for name, lasts in _LASTING.items()}
    elif seconds is not None and "updates" in found:
        found |= {name: found["updates"] * Fraction(seconds) / lasts for name, lasts in _LASTING.items()}
    own = _own(run)
    return {own: found[own]} | found


def _own(run: Run) -> str:
    """The unit that the run counts; of time the longest that it has one of."""
    if run.clock == "second":
        return next((name for name, lasts in _LASTING.items() if run.total is None or run.total >= lasts), "seconds")
    return next(name for name, unit in _COUNTED.items() if unit == run.clock)


def _worth(run: Run, unit: str) -> Fraction | None:
    try:
        return run.worth(unit)
    except BindError:
        return None
