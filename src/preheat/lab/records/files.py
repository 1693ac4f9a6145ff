"""Reading files that may be anything: a file that lies in a folder of results was not always put there by us."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from preheat.core.errors import ParseError

LONGEST = 16 << 20
"""Bytes of a line; more are not a line of ours."""


def opened(path: Path, largest: int) -> BinaryIO:
    """The file, to be read. Raises `ParseError`, naming it, for what is not a file of at most `largest` bytes.

    A pipe or a device would make the reader wait for ever, so it is not even opened to wait.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise ParseError(f"{path.name} cannot be read: {error.strerror}") from None
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size <= largest:
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISREG(found.st_mode):
        raise ParseError(f"{path.name} cannot be read: it is larger than {largest >> 20} MiB")
    raise ParseError(f"{path.name} cannot be read: it is {_kind(found.st_mode)}, and a file was expected")


def _kind(mode: int) -> str:
    """What lies there instead of a file."""
    kinds = {"a directory": stat.S_ISDIR, "a pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    return next((name for name, is_so in kinds.items() if is_so(mode)), "a device")


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file, one at a time, without their ends. Raises `ParseError` for one that is too long."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise ParseError(f"line {number} is longer than {LONGEST >> 20} MiB")
        yield line.removesuffix(b"\n")


def moved_aside(path: Path) -> Path:
    """Give what lies at `path` another name beside it, `<name>.unreadable`, and return that. Nothing is ever overwritten."""
    for count in range(1, 1000):
        other = path.with_name(f"{path.name}.unreadable" + (f"-{count}" if count > 1 else ""))
        if not os.path.lexists(other):
            os.rename(path, other)
            return other
    raise FileExistsError(17, "there are a thousand unreadable ones already")


def clear_way(*paths: Path) -> None:
    """Move aside whatever lies where a file of ours is going to be, and is none: a pipe, a directory, a link loop."""
    for path in paths:
        if os.path.lexists(path) and not path.is_file():
            moved_aside(path)


def removed(path: Path) -> None:
    """Remove a file of ours, where it is one and can be removed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
