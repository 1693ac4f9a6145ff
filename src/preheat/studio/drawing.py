"""The curves of a document, as many values as can be seen, and what belongs to each: its phases, and what can be dragged."""

from __future__ import annotations

import math
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.sampling import phases, sampled
from preheat.core.text.language import to_text
from preheat.plots.phases import ends, extent
from preheat.review.laid_out import Laid
from preheat.studio.document import Document, FieldError, lines_of

MOST_POINTS = 4000


def draw(document: Document, points: int) -> dict[str, Any]:
    """Every schedule of a document as a curve of about `points` values, or as what is wrong with it."""
    points = max(2, min(points, MOST_POINTS))
    curves = [_curve(document, index, points) for index in range(len(document.schedules))]
    total = max((curve["total"] for curve in curves if "error" not in curve), default=1)
    return {"curves": curves, "differences": [None for _ in curves], "axes": axes(document), "total": total}


def axes(document: Document) -> list[dict[str, Any]]:
    """The units that the axis may count, each with how many of it pass in a tick."""
    return [{"id": "updates", "label": "updates", "worth": 1.0}]


def _curve(document: Document, index: int, points: int) -> dict[str, Any]:
    try:
        subject = document.subject(index)
        laid = document.line_of(subject)
    except PreheatError as error:
        return {"error": problem(error)}
    at = [t * laid.tick for t in sampled(laid.updates, (), points)]
    return {
        "canonical": to_text(subject.target),
        "bound": repr(laid.curve),
        "lines": lines_of(subject),
        "line": laid.key,
        "quantity": laid.quantity,
        "total": laid.total,
        "ends": laid.ends,
        "updates": laid.updates,
        "tick": laid.tick,
        "clock": laid.run.clock,
        "peak": subject.peak,
        "position": None,
        "at": at,
        "values": [laid.curve.function(t) for t in at],
        "phases": _phases(laid),
        "handles": [],
    }


def _phases(laid: Laid) -> list[dict[str, Any]]:
    found = [phase for phase in phases(laid.curve) if phase.start < laid.total]
    return [
        {
            "start": phase.start,
            "end": None if phase.end == math.inf else phase.end,
            "first": phase.part(0),
            "last": phase.part(min(phase.part.length, laid.total)),
            "part": repr(phase.part),
            "extent": extent(phase)[0],
            "length": extent(phase)[1],
            "values": ends(phase, laid.total),
            "source": None,
        }
        for phase in found
    ]


def problem(error: PreheatError) -> dict[str, Any]:
    """A refusal as the page shows it."""
    field = error.field if isinstance(error, FieldError) else ""
    return {"message": str(error), "what": error.what, "write": error.write, "column": None, "field": field}
