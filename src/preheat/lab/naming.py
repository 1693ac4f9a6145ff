"""What names in an experiment must be: they become file names, columns and headings."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath

from preheat.core.errors import PreheatError, shown

LONGEST_NAME = 60


def slug(name: str) -> str:
    """`name` as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "unnamed"


def check_name(what: str, name: object) -> None:
    """Refuse a name that could not stand in a table: empty, long, or with characters that do not print."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise PreheatError(f"{what} needs a printable name of 1 to {LONGEST_NAME} characters, not {shown(name)}")


def printable(text: str) -> str:
    r"""Text that does nothing to a terminal: every character that does not print, a line break too, as its escape.

    >>> print(printable("a\x1b[31mb"))
    a\x1b[31mb
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def check_distinct(what: str, names: Iterable[str]) -> None:
    """Refuse two names that would write to the same files, on file systems that ignore case too."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(slug(name).casefold(), name)
        if other is not name:
            raise PreheatError(
                f"two {what} are too alike to have files of their own: {other!r} and {name!r}; rename one"
            )


def relative(word: str) -> str:
    """A word of a command without the folders of this machine."""
    flag, equals, value = word.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={relative(value)}"
    absolute = PurePosixPath(word).is_absolute() or PureWindowsPath(word).is_absolute()
    return PureWindowsPath(word).name or "." if absolute else word
