"""One schedule of a document, read once: what is drawn, and what in its text says each part of it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from preheat.review.laid_out import Laid
from preheat.review.subject import Subject
from preheat.studio.document import Document, lines_of
from preheat.studio.lines import Line, lines_in
from preheat.studio.parts import Form, Part, form_of, parts_of


class Shown(NamedTuple):
    """A schedule on its run, and the line of it that is shown.

    line: None where the line is written as data, so that no part of it stands in a text; form and parts: empty then.
    highest: the largest value at an end of its parts.
    """

    subject: Subject
    keys: tuple[str, ...]
    laid: Laid
    line: Line | None
    form: Form | None
    parts: tuple[Part, ...]
    highest: float


def shown(document: Document, index: int) -> Shown:
    """A schedule of a document; raises FieldError for what cannot be drawn. The last ones are remembered: most frames of a
    drag or a zoom change one schedule, or none."""
    return _shown(alone(document, index))


def alone(document: Document, index: int) -> Document:
    """A schedule of a document as a document of its own: nothing else decides what it is."""
    return replace(document, schedules=document.schedules[index : index + 1], view=None, difference=False)


@lru_cache(maxsize=64)
def _shown(document: Document) -> Shown:
    subject = document.subject(0)
    laid = document.line_of(subject)
    line = lines_in(document.schedules[0].text).get(laid.key)
    form = None if line is None else form_of(line.text)
    parts = () if form is None else tuple(parts_of(form, laid))
    highest = max((abs(value) for part in parts for value in (part.first, part.last)), default=0.0)
    return Shown(subject, tuple(lines_of(subject)), laid, line, form, parts, highest)
