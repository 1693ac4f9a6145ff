"""Texts that come with Python, so that nothing is downloaded: read as bytes, and split into training and held-out parts.

    library   the source of the standard library's top-level modules, about 5 MB
    docs      the English reference text behind `help("topics")`, about 0.5 MB
    tests     the source of the standard library's own tests, its first 8 MB; some distributions leave it out

A piece of text (a file, a topic) is held out by a hash of its name, so it is on the same side on every machine and in every
release. The bytes differ from one Python release to the next; a text's `fingerprint` says which one it was.
"""

import hashlib
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from preheat.core.errors import PreheatError, nearest, shown

LIMIT = 8_000_000  # bytes of text that are read at most: more would only slow the start
_Piece = TypeVar("_Piece")
_HELD_OUT = 8  # one piece in so many is for validation


@dataclass(frozen=True, slots=True)
class Text:
    """A named text: what may be trained on, and what is held out."""

    name: str
    training: bytes = field(repr=False)
    held_out: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name exactly these bytes, split in this way."""
        return fingerprint(self.training, self.held_out)


@cache
def read(name: str) -> Text:
    """The text of that name: library, docs or tests.

    Raises PreheatError for another name, or where this Python comes without the text.
    """
    match name:
        case "library":
            training, held_out = sources()
            return Text(name, _joined(training), _joined(held_out))
        case "docs":
            return Text(name, *_topics())
        case "tests":
            training, held_out = suite_sources()
            return Text(name, _joined(training), _joined(held_out))
    raise PreheatError(f"no text is called {shown(name)}{nearest(str(name), NAMES)}")


NAMES = ("docs", "library", "tests")
"""The texts that `read` knows."""


def sources() -> tuple[list[Path], list[Path]]:
    """The training and the held-out files of `library`: top-level modules, by name, up to `LIMIT` bytes."""
    folder = _library_folder()
    # _sysconfigdata* is written by the build of this very Python: long lists of its paths and flags.
    files = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_sysconfigdata")]
    parts = _split((path, path.name) for path in _limited(files))
    if not all(parts):
        raise PreheatError(
            f"the bytes task reads the standard library's source, and {folder} holds none; use the digits task"
        )
    return parts


def suite_sources() -> tuple[list[Path], list[Path]]:
    """The training and the held-out files of `tests`: the package `test` and what is below it, up to `LIMIT` bytes."""
    folder = _library_folder() / "test"
    names = [(path, path.relative_to(folder).as_posix()) for path in _limited(sorted(folder.rglob("*.py")))]
    parts = _split(names)
    if not all(parts):
        raise PreheatError(
            f"this Python came without the standard library's tests (looked in {folder}); use the text 'docs' or 'library'"
        )
    return parts


def _topics() -> tuple[bytes, bytes]:
    """The training and the held-out part of `docs`: Python's reference topics, by name."""
    try:
        from pydoc_data.topics import topics as known
    except ImportError as error:
        raise PreheatError("this Python came without pydoc's topics; use the text 'library'") from error
    training, held_out = _split((text, name) for name, text in sorted(known.items()))
    return "\n".join(training).encode(), "\n".join(held_out).encode()


def _library_folder() -> Path:
    """Where this Python keeps its standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def _limited(files: Iterable[Path]) -> Iterable[Path]:
    """The files, in order, that fit into the first `LIMIT` bytes."""
    size = 0
    for path in files:
        size += path.stat().st_size
        if size <= LIMIT:
            yield path


def _split(pieces: Iterable[tuple[_Piece, str]]) -> tuple[list[_Piece], list[_Piece]]:
    """Pieces with their names, as those to train on and those held out, in order."""
    parts: tuple[list[_Piece], list[_Piece]] = ([], [])
    for piece, name in pieces:
        parts[hashlib.sha256(name.encode()).digest()[0] % _HELD_OUT == 0].append(piece)
    return parts


def _joined(files: list[Path]) -> bytes:
    """The files' bytes, one after the other."""
    return b"".join(path.read_bytes() for path in files)


def fingerprint(*parts: bytes) -> str:
    """Twelve hexadecimal digits that name a text."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]
