"""The text of one line of what was typed: all of it, or a string of the JSON that a plan is written in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from preheat.core.node import Schedule
from preheat.core.plan import RATE
from preheat.core.stated import Absolute, Relative
from preheat.core.text.language import parse
from preheat.core.text.located import Place
from preheat.core.text.words import is_json, located

_LETTER = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")


class Change(NamedTuple):
    """What is to stand in place of `text[start:stop]`."""

    start: int
    stop: int
    text: str


class Line:
    """A line of a plan inside the text that was typed, or a schedule that is all of it.

    text: the schedule.   quoted: whether it stands as a string of JSON, from `start` to `stop` between the quotes.
    """

    def __init__(self, typed: str, start: int, stop: int, quoted: bool) -> None:
        self._typed, self._start, self._stop, self.quoted = typed, start, stop, quoted
        self.text: str = json.loads(f'"{typed[start:stop]}"') if quoted else typed

    @cached_property
    def _starts(self) -> list[int]:
        """Where each letter of the text begins in what was typed, escapes being one letter."""
        return [found.start() for found in _LETTER.finditer(self._typed, self._start, self._stop)] + [self._stop]

    def outside(self, index: int) -> int:
        """Where in what was typed the letter `index` of the text stands."""
        return self._starts[min(index, len(self._starts) - 1)] if self.quoted else index

    def changed(self, changes: Iterable[Change]) -> str:
        """What was typed with changes to the text; every other letter stays."""
        typed = self._typed
        for change in sorted(changes, reverse=True):
            new = json.dumps(change.text)[1:-1] if self.quoted else change.text
            typed = typed[: self.outside(change.start)] + new + typed[self.outside(change.stop) :]
        return typed


@lru_cache(maxsize=64)
def place_of(text: str) -> Place:
    """What a text says, with where each part of it stands; raises ParseError for what cannot be read."""
    return located(text)


def meant_by(typed: str) -> Any:
    """The schedule, rates or plan that was typed, as `parse` reads it."""
    found = None if is_json(typed) else place_of(typed).value
    return found if isinstance(found, Schedule | Absolute | Relative) else parse(typed)


@lru_cache(maxsize=64)
def lines_in(typed: str) -> dict[str, Line]:
    """The lines whose schedules stand as text in what was typed, which can be read; not those that stand as data."""
    if not is_json(typed):
        return {RATE: Line(typed, 0, len(typed), False)}
    found, decoder = dict[str, Line](), json.JSONDecoder()
    at = _after_space(typed, typed.index("{") + 1)
    while typed[at] != "}":
        key, at = decoder.raw_decode(typed, at)
        begin = _after_space(typed, _after_space(typed, at) + 1)
        value, end = decoder.raw_decode(typed, begin)
        if isinstance(value, str):
            found[key] = Line(typed, begin + 1, end - 1, True)
        at = _after_space(typed, end)
        at = _after_space(typed, at + 1) if typed[at] == "," else at
    return {} if "kind" in found else found


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]
