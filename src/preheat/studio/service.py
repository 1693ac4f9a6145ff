"""What the page asks, answered: one function a question, plain data in and out. `studio/src/protocol.ts` is the other side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from preheat.core.errors import PreheatError, nearest
from preheat.studio.document import document_from
from preheat.studio.drawing import draw, problem

Given = Mapping[str, Any]


def _draw(given: Given) -> dict[str, Any]:
    return draw(document_from(given.get("document")), int(given.get("points", 1000)))


QUESTIONS: dict[str, Callable[[Given], dict[str, Any]]] = {
    "draw": _draw,
}


def answer(question: str, given: Given) -> dict[str, Any]:
    """The answer to a question of the page, as data that JSON holds; what is refused is `{"error": …}`."""
    try:
        if question not in QUESTIONS:
            raise PreheatError(f"there is no question {question!r}{nearest(question, QUESTIONS)}")
        return QUESTIONS[question](given)
    except PreheatError as error:
        return {"error": problem(error)}
