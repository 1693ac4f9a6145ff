"""What a notebook shows of a value. Pictures stand above the language, so what draws them is handed in from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_drawing: list[Callable[..., str]] = []


def drawn_by(draw: Callable[..., str]) -> None:
    """Say what makes HTML of a schedule, rates or a plan: `draw(target, run=…, heading=…, position=…)`."""
    _drawing[:] = [draw]


def html_of(target: Any, **more: Any) -> str | None:
    """The HTML of a schedule, rates or a plan; None, which notebooks take for "show the text", where nothing draws it.

    run: what gives lengths their worth.   heading: the text above it, its own by default.   position: where the run is.
    """
    return _drawing[0](target, **more) if _drawing else None
