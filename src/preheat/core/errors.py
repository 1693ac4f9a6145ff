"""The error tree. A message says what is wrong, what was given, and what to write instead.

PreheatError(ValueError)
├── ParseError    the text of a schedule, span, plan or record cannot be read
├── BindError     a schedule cannot be bound to a run
└── StateError    a saved state does not fit, or cannot be trusted
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

_NOTHING = object()
_BRACKETS = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}"), set: ("{", "}"), frozenset: ("frozenset({", "})")}
Refusal = TypeVar("Refusal", bound="PreheatError")


class PreheatError(ValueError):
    """What every refusal of preheat is: bad input, refused before anything has changed.

    what: what is wrong.   given: the value that was given, where one was.   write: what to write instead, in Python.
    hint: a key for whoever spells the cure otherwise (the command line), "" where there is none: the argument of Run that
    is missing ("total", "steps_per_epoch", …), "total_or_span", "fixed_total", "clock" or "truncate".

    >>> error = PreheatError("the clock must be known", given="day", write="write Run(clock='step')")
    >>> error.given, error.write, str(error)
    ('day', "write Run(clock='step')", "the clock must be known, not 'day'; write Run(clock='step')")
    """

    def __init__(self, what: str, *, given: object = _NOTHING, write: str = "", hint: str = "") -> None:
        self.what, self.write, self.hint = what, write, hint
        self.given = None if given is _NOTHING else given
        quoted = "" if given is _NOTHING else f", not {shown(given)}"
        super().__init__(f"{what}{quoted}; {write}" if write else f"{what}{quoted}")

    def __reduce__(self) -> tuple[type, tuple[str], dict[str, object]]:
        import pickle  # only a refusal that is sent to another process pays for it

        given = self.given
        try:
            pickle.dumps(given)
        except Exception:  # it may be anything: what cannot travel goes as it is quoted
            given = shown(given)
        return type(self), self.args, {**vars(self), "given": given}

    @property
    def reason(self) -> str:
        """What is wrong and what was given: the message without what to write."""
        return str(self).removesuffix(f"; {self.write}") if self.write else str(self)

    def restated(self, kind: "type[Refusal]", what: str) -> "Refusal":
        """The same refusal as another kind, what is wrong said in a larger context: what to write instead stays."""
        return kind(what, write=self.write, hint=self.hint)


class PreheatWarning(UserWarning):
    """What looks wrong while training, said once; `scheduler.audit()` keeps it as a finding."""


class ParseError(PreheatError):
    """Text that is not a schedule: says the column, and the nearest word where there is one.

    column: where in the text what is wrong begins, counted from 0 (in the message from 1); None where no place is to blame.

    >>> error = ParseError("column 9: ')' must stand here", column=8)
    >>> error.column, error.restated(ParseError, "the line 'lr' cannot be read").column
    (8, 8)
    """

    def __init__(
        self, what: str, *, given: object = _NOTHING, write: str = "", hint: str = "", column: int | None = None
    ) -> None:
        super().__init__(what, given=given, write=write, hint=hint)
        self.column = column

    def restated(self, kind: type[Refusal], what: str) -> Refusal:
        """The same refusal as another kind, what is wrong said in a larger context: the column stays too."""
        found = super().restated(kind, what)
        if isinstance(found, ParseError):
            found.column = self.column
        return found


class BindError(PreheatError):
    """A schedule that does not fit its run, or whose lengths the run does not determine."""


class StateError(PreheatError):
    """A saved state that is damaged, of another plan, or of unknown meaning."""


def shown(value: object, limit: int = 80) -> str:
    """`value` as it is quoted in a message: its repr, cut to `limit` characters, and not written any further than that."""
    text = ""
    try:
        for piece in _pieces(value, limit, ()):
            text += piece
            if len(text) > limit:
                break
    except Exception:  # a foreign object whose repr fails must not hide our own message
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def writable(value: object, otherwise: str, limit: int = 80) -> str:
    """`value` as it stands in what is to be written instead: all of it, or `otherwise` where that is too long for a message,
    for nobody can write what was cut off.

    >>> writable("decay()", "text"), writable("decay() >> " * 20, "text")
    ("'decay()'", 'text')
    """
    text = shown(value, limit)
    return otherwise if text.endswith("…") else text


def _pieces(value: Any, limit: int, inside: tuple[int, ...]) -> Iterator[str]:
    """The repr of a value, a piece at a time: what holds other values may hold one of them often, and itself.

    inside: what it stands in, by identity.
    """
    kind = type(value)
    if kind in (str, bytes) and len(value) > limit:
        yield repr(value[: limit + 1])
    elif kind is int and value.bit_length() > 4 * limit:
        yield f"{'-' * (value < 0)}{abs(value) // 10 ** max(0, int(value.bit_length() * 0.30102) - limit)}"
    elif kind not in _BRACKETS or not value:
        yield repr(value)
    elif id(value) in inside:
        yield "...".join(_BRACKETS[kind])
    else:
        first, last = _BRACKETS[kind]
        yield first
        for place, item in enumerate(value):
            yield ", " if place else ""
            yield from _pieces(item, limit, (*inside, id(value)))
            if kind is dict:
                yield ": "
                yield from _pieces(value[item], limit, (*inside, id(value)))
        yield f",{last}" if kind is tuple and len(value) == 1 else last


def plural(count: float, word: str) -> str:
    """A count with its noun: "1 layer", "2,000 layers"."""
    hisses = word.endswith(("s", "x", "ch")) and not word.endswith("epoch")
    ending = "" if count == 1 else "es" if hisses else "s"
    return f"{count:,.0f} {word}{ending}"


def on_one_line(text: str) -> str:
    """Text of elsewhere as it can be shown: nothing that ends a line or moves a cursor."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"`, or a list of what is known where nothing is near."""
    from difflib import get_close_matches  # only a refusal pays for it

    words = sorted(known)
    match = get_close_matches(word[:64], words, n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known: {', '.join(words)}"
