"""What the page asks, answered: one function a question, plain data in and out. `studio/src/protocol.ts` is the other side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, nearest
from preheat.studio.catalogue import catalogue
from preheat.studio.copying import copied
from preheat.studio.document import Document, document_from
from preheat.studio.drawing import draw
from preheat.studio.editing import edit
from preheat.studio.opening import opened
from preheat.studio.picture import picture
from preheat.studio.refusals import problem
from preheat.studio.reviewing import review

Given = Mapping[str, Any]
_POINTS = 1000
_SIZE = (720, 400)


def _draw(given: Given) -> dict[str, Any]:
    return draw(_document(given), _whole(given, "points", _POINTS))


def _review(given: Given) -> dict[str, Any]:
    return review(*_schedule(given))


def _copy(given: Given) -> dict[str, Any]:
    form = given.get("form")
    if not isinstance(form, str):
        raise PreheatError("the form of a copy is its id", given=form)
    return copied(*_schedule(given), form)


def _open(given: Given) -> dict[str, Any]:
    source = given.get("source")
    if not isinstance(source, Mapping):
        raise PreheatError("what is opened is a mapping with a kind", given=source)
    return opened(source, _open_document(given))


def _open_document(given: Given) -> Document | None:
    """What is on the page, where that is a document: an empty one may be opened into."""
    try:
        return _document(given)
    except PreheatError:
        return None


def _picture(given: Given) -> dict[str, Any]:
    document, held = _document(given), given["document"]
    size = (_whole(given, "width", _SIZE[0]), _whole(given, "height", _SIZE[1]))
    return picture(document, size, held.get("axis", ""), held.get("log") is True)


def _document(given: Given) -> Document:
    return document_from(given.get("document"))


def _schedule(given: Given) -> tuple[Document, int]:
    """The document, and which of its schedules is asked about."""
    document = _document(given)
    last = len(document.schedules) - 1
    return document, counted(given.get("schedule"), f"a schedule of the document is one of 0 to {last}", most=last)


def _whole(given: Given, name: str, usual: int) -> int:
    return counted(given.get(name, usual), f"{name} is a whole number", most=2**31)


QUESTIONS: dict[str, Callable[[Given], dict[str, Any]]] = {
    "catalogue": lambda given: catalogue(),
    "draw": _draw,
    "edit": lambda given: edit(given, _whole(given, "points", _POINTS)),
    "review": _review,
    "copy": _copy,
    "open": _open,
    "picture": _picture,
}


def answer(question: str, given: Given) -> dict[str, Any]:
    """The answer to a question of the page, as data that JSON holds; what is refused is `{"error": …}`."""
    try:
        if question not in QUESTIONS:
            raise PreheatError(f"there is no question {question!r}{nearest(question, QUESTIONS)}")
        return QUESTIONS[question](given)
    except PreheatError as error:
        return {"error": problem(error)}
