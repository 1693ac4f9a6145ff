"""The units that the axis may count: those whose worth is known, and the same for every curve over it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from preheat.core.errors import BindError
from preheat.core.spans import Run

_COUNTED = {"updates": "step", "epochs": "epoch", "samples": "sample", "tokens": "token"}


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
        found |= {"hours": 1 / run.worth("h"), "seconds": Fraction(1)}
    elif seconds is not None and "updates" in found:
        found["hours"] = found["updates"] * Fraction(seconds) / 3600
    return found


def _worth(run: Run, unit: str) -> Fraction | None:
    try:
        return run.worth(unit)
    except BindError:
        return None
