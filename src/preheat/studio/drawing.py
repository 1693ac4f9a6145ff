"""The curves of a document, as many values as can be seen, and what belongs to each: its phases, and what can be dragged."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.errors import shown as quoted
from preheat.core.sampling import Phase, phases
from preheat.core.spans import Run
from preheat.core.text.language import to_text
from preheat.plots.phases import ends, extent
from preheat.review.laid_out import Laid
from preheat.studio.axes import axes_of
from preheat.studio.differences import difference
from preheat.studio.document import Document, FieldError
from preheat.studio.handles import fixed_of, handles_of
from preheat.studio.moments import listed, looked_at, rows_of
from preheat.studio.refusals import problem, problem_of
from preheat.studio.shown import Shown, alone, shown

MOST_POINTS = 4000
MOST_PHASES = 200  # in the table of a schedule
_LONGEST = 2000  # letters of a text that is shown, not edited


def draw(document: Document, points: int) -> dict[str, Any]:
    """Every schedule of a document as a curve of about `points` values, or as what is wrong with it."""
    points = max(2, min(points, MOST_POINTS))
    read = [_read(document, index) for index in range(len(document.schedules))]
    seen = _on_one_clock(read)
    laid = [one.laid if isinstance(one, Shown) else None for one in seen]
    known = [(one, _seconds(document, index)) for index, one in enumerate(laid) if one is not None]
    curves = [_curve(one, document, index, points) if isinstance(one, Shown) else one for index, one in enumerate(seen)]
    begins = [float(phase["start"]) for curve in curves for phase in curve.get("phases", ())]
    return {
        "curves": curves,
        "differences": [_difference(laid, index, document, points) for index in range(len(laid))],
        "axes": axes_of([(one.run, seconds) for one, seconds in known] or [(Run(), None)]),
        "rows": rows_of(laid, begins, document.view),
        "total": max((one.total for one, _ in known), default=1),
    }


def _read(document: Document, index: int) -> Shown | dict[str, Any]:
    try:
        _seconds(document, index)
        return shown(document, index)
    except PreheatError as error:
        return {"error": problem_of(document, index, error)}


def _on_one_clock(read: list[Any]) -> list[Any]:
    """The schedules that can stand over one axis: one whose run counts something else than the first one's is refused."""
    first = next((one.laid for one in read if isinstance(one, Shown)), None)
    return [_on_clock(one, first) if isinstance(one, Shown) and first is not None else one for one in read]


def _on_clock(one: Shown, first: Laid) -> Shown | dict[str, Any]:
    if one.laid.run.clock == first.run.clock:
        return one
    what = f"its run counts {one.laid.run.clock}s, and the axis the {first.run.clock}s of the first one's"
    return {
        "error": problem(
            FieldError("run", PreheatError(what, write="let both runs count the same, or remove one of them"))
        )
    }


def _seconds(document: Document, index: int) -> float | None:
    """How long an update takes, where that is said; raises FieldError where it cannot be read."""
    return (document.schedules[index].run or document.run).seconds


def _difference(laid: list[Laid | None], index: int, document: Document, points: int) -> dict[str, Any] | None:
    first, other = laid[0], laid[index]
    if not document.difference or index == 0 or first is None or other is None:
        return None
    names = [document.schedules[place].name.strip() or f"{place + 1}" for place in (0, index)]
    return difference((names[0], first), (names[1], other), document.view, points)


def _curve(seen: Shown, document: Document, index: int, points: int) -> dict[str, Any]:
    at, values = looked_at(seen.laid, document.view, points)
    return {**_described(alone(document, index)), "at": at.tolist(), "values": listed(values)}


@lru_cache(maxsize=64)
def _described(document: Document) -> dict[str, Any]:
    """All of a curve but its values, which alone depend on where one looks; of a document of one schedule."""
    seen = shown(document, 0)
    laid, handles = seen.laid, handles_of(seen)
    return {
        "canonical": _text(seen.subject.target),
        "bound": _short(repr(laid.curve)),
        "lines": list(seen.keys),
        "line": laid.key,
        "quantity": laid.quantity,
        "total": laid.total,
        "ends": laid.ends,
        "updates": laid.updates,
        "tick": laid.tick,
        "clock": laid.run.clock,
        "peak": seen.subject.peak,
        "position": seen.subject.position or None,
        "phases": _phases(seen),
        "handles": handles,
        "fixed": "" if handles else fixed_of(seen),
    }


def _phases(seen: Shown) -> list[dict[str, Any]]:
    sources = {(float(part.start), float(part.end)): part.text for part in seen.parts if part.end > part.start}
    found = [phase for phase in phases(seen.laid.curve)[:MOST_PHASES] if phase.start < seen.laid.total]
    return [_phase(phase, seen, sources.get((float(phase.start), float(phase.end)))) for phase in found]


def _phase(phase: Phase, seen: Shown, source: tuple[int, int] | None) -> dict[str, Any]:
    total, line = seen.laid.total, seen.line
    if source is None and line is not None and phase.start == 0 and phase.end >= total and not seen.parts:
        source = (0, len(line.text))
    return {
        "start": phase.start,
        "end": None if phase.end == math.inf else phase.end,
        "first": phase.part(0),
        "last": phase.part(min(phase.part.length, total)),
        "part": _short(repr(phase.part)),
        "extent": extent(phase)[0],
        "length": extent(phase)[1],
        "values": ends(phase, total),
        "source": None if source is None or line is None else [line.outside(end) for end in source],
    }


def _text(target: Any) -> str:
    """A schedule in the one spelling that is printed."""
    return _short(to_text(target))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else quoted(text, _LONGEST)
