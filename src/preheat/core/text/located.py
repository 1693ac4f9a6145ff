"""Where what was read stands in its text: the reader of the language, taking notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from preheat.core.text.parser import Reader


class Place(NamedTuple):
    """Something that was read from `text[start:stop]`.

    value: what it was read as.   word: the word, the method or the sign whose value it is, "" for an argument that is none.
    name: what stands before its "=", "" where nothing does.   inside: the operands of a sign; the arguments of a word; what a
    method follows, then its arguments; the items of a list.
    """

    start: int
    stop: int
    value: Any
    word: str = ""
    name: str = ""
    inside: tuple[Place, ...] = ()


class Locating(Reader):
    """A reading that keeps the place of every value. Whoever asks for none reads with a Reader, and pays nothing."""

    _past = 0  # where the token before the present one ends
    _name = ""
    _begun = 0  # where what methods may follow begins, its bracket too
    _found: list[Place]

    def place(self) -> Place:
        """The place of the one value that the whole text describes."""
        self._found = []
        self.result()
        return self._found[0]

    def advance(self) -> str:
        self._past = self.stop
        return super().advance()

    def keyword(self) -> str | None:
        found = super().keyword()
        self._name = found or ""
        return found

    def argument(self) -> Any:
        (name, self._name), start = (self._name, ""), self.start
        value = super().argument()
        last = self._found[-1] if self._found and self._found[-1].start >= start else None
        if last is not None and last.value is value:  # a schedule, whose place is known
            self._found[-1] = last._replace(name=name)
        else:
            self._note(Place(start, self._past, value, name=name))
        return value

    def postfix(self) -> Any:
        outer, self._begun = self._begun, self.start
        value = super().postfix()
        self._begun = outer
        return value

    def call(self, known: Mapping[str, Callable[..., Any]], what: str, *first: Any) -> Any:
        base = self._found.pop() if first else None
        word, value = self.token, super().call(known, what, *first)
        if base is not None:
            made = self._found.pop()
            self._found.append(made._replace(start=self._begun, word=word, inside=(base, *made.inside)))
        return value

    def called(self, word: str, call: Any, start: int, own: int = 0) -> Any:
        value = super().called(word, call, start, own)
        self._note(Place(start, self._past, value, word))
        return value

    def _note(self, place: Place) -> None:
        """Keep a place, and inside of it all that was found since it began."""
        since = len(self._found)
        while since and self._found[since - 1].start >= place.start:
            since -= 1
        self._found[since:] = [place._replace(inside=tuple(self._found[since:]))]
