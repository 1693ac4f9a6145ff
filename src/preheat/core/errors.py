"""The error tree. A message says what is wrong, what was given, and what to write instead.

PreheatError(ValueError)
├── ParseError    the text of a schedule, span, plan or record cannot be read
├── BindError     a schedule cannot be laid out on a run
└── StateError    a saved state does not fit, or cannot be trusted
"""

from collections.abc import Iterable


class PreheatError(ValueError):
    """What every refusal of preheat is: bad input, refused before anything has changed."""


class ParseError(PreheatError):
    """Text that is not a schedule: says the column, and the nearest word where there is one."""


class BindError(PreheatError):
    """A schedule that does not fit its run, or whose lengths the run does not determine."""


class StateError(PreheatError):
    """A saved state that is damaged, of another plan, or of unknown meaning."""


def shown(value: object, limit: int = 80) -> str:
    """`value` as it is quoted in a message: its repr, cut to `limit` characters."""
    try:
        text = repr(value)
    except Exception:  # a foreign object whose repr fails must not hide our own message
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"`, or a list of what is known where nothing is near."""
    from difflib import get_close_matches  # only a refusal pays for it

    words = sorted(known)
    match = get_close_matches(word[:64], words, n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known: {', '.join(words)}"
