"""The file in which a command reports, through all attempts at one run: which of its lines belong to the run.

`runs/<run>.metrics` stays there until the run is finished, because a script that was killed may go on from a checkpoint of its
own. Beside it lies `runs/<run>.attempt`: whose file it is, and what it held when the present attempt began.

* A file that was written anew, replaced or cut short holds the present attempt alone: all its lines count.
* Where an attempt appended, its first line says where it went on. An update that the earlier attempts had reached means
  that training went back to the moment before it: every line from there on is forgotten, whatever its stage.
* An attempt that leaves the file as it was has logged nothing, and what others logged does not pass for its own.

Within an attempt an update lower than the one before says the same of its stage (`series`).
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from preheat.core.checks import MOST_TICKS
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.client import end_line, json_number
from preheat.lab.records.files import clear_way, lines_of, moved_aside, opened, removed
from preheat.lab.records.outcome import Log
from preheat.lab.records.record import LARGEST, write_file
from preheat.lab.records.series import stage_of

TAIL = 1 << 16
"""Bytes of news that are looked at while a command runs: enough to say how far it is."""


def was_attempted(record: Path) -> bool:
    """Whether a command has been started for the run whose record would be `record`."""
    return os.path.lexists(record.with_suffix(".attempt"))


class Attempt:
    """One attempt at the run that `log` belongs to, by a command that writes to `path`. Made before the command starts."""

    def __init__(self, path: Path, log: Log) -> None:
        self.path, self.log = path, log
        self._note, self._shown = path.with_suffix(".attempt"), f"{path.parent.name}/{path.name}"
        with _named(path):
            self._before = self._settled(log.trial.identity)
        self._news, self._doubt = 0, ""

    def look(self) -> None:
        """Say how far the command is. Raises `PreheatError` for a line that is none, seen twice in the same place."""
        try:
            with opened(self.path, LARGEST) as file:
                size = os.fstat(file.fileno()).st_size
                start = max(0, size - TAIL, self._news if self._news <= size else 0)
                file.seek(start)
                whole = file.read().rpartition(b"\n")[0]
                self._news = start + len(whole) + bool(whole)
                lines = whole.split(b"\n")[start > 0 and start == size - TAIL :]
                rows = [row_of(line, 0) for line in lines if line.strip()]
        except ParseError:
            return  # it is not there yet, or no longer
        except PreheatError:
            self._doubted()
        else:
            for step, values in rows:
                self.log.progress(step, values)

    def _doubted(self) -> None:
        """A line looks wrong: it may have been half written over when it was read, so all are read, now and once more."""
        self._news, before, self._doubt = 0, self._doubt, ""
        try:
            with opened(self.path, LARGEST) as file:
                for _ in _rows(file):
                    pass
        except ParseError:
            return
        except PreheatError as error:
            self._doubt = str(error)
            if self._doubt == before:
                raise

    def pass_on(self) -> None:
        """Log what the file holds of this run, once the command has ended. Raises `PreheatError` where that is unknown."""
        if not os.path.lexists(self.path):
            return
        with _named(self.path):
            untouched = self._before["state"] == _state(self.path)
            if not _forget_overtaken(self.path, self._before, untouched=untouched):
                raise PreheatError(
                    f"the command logged nothing, and the lines in {self._shown} are of an earlier attempt at this run",
                    write="log at least the final value after a restart, or remove that file",
                )
            with opened(self.path, LARGEST) as file:
                for step, values in _rows(file):
                    self.log(step, **values)

    def discard(self) -> None:
        """The run is finished: what it logged is in its record."""
        removed(self.path)
        removed(self._note)

    def _settled(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Bring the file of earlier attempts in order, note what it then holds, and return the note."""
        clear_way(self.path, self._note)
        own, note = json.loads(json.dumps(identity)), _read_note(self._note)
        if note.get("identity") != own:
            self.path.unlink(missing_ok=True)
        held: dict[str, Any] = {"size": 0, "hash": ""}
        if self.path.exists():
            _forget_overtaken(self.path, note)
            _mend(self.path)
            with opened(self.path, LARGEST) as file:
                held = {"size": (size := os.fstat(file.fileno()).st_size), "hash": _hash(file, size)}
        write_file(self._note, json.dumps({"identity": own, **held}).encode())
        return {**held, "state": _state(self.path)}


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """What the system refuses is said in a sentence that names the file."""
    try:
        yield
    except OSError as error:
        what = f"{path.name} or {path.stem}.attempt beside it cannot be used: {error.strerror}"
        raise PreheatError(what, write="move it away") from None


def _read_note(path: Path) -> dict[str, Any]:
    """What was noted before the attempt; nothing where that cannot be read."""
    try:
        with opened(path, 1 << 24) as file:
            found = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(found, dict) and type(found.get("size")) is int and isinstance(found.get("hash"), str)
    return found if known else {}


def _state(path: Path) -> tuple[int, int, int] | None:
    """By what a file that was written to differs from one that was not."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _hash(file: BinaryIO, size: int) -> str:
    """The digest of the first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while size and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest() if not size else ""


def _mend(path: Path) -> None:
    """End the last line, or cut it off where it is half a one. Lines that are none are kept in a file beside it alone."""
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        end_line(handle)
    finally:
        os.close(handle)
    with opened(path, LARGEST) as file:
        good = b"".join(line + b"\n" for line in lines_of(file) if _row_or_none(line))
        if len(good) < os.fstat(file.fileno()).st_size:
            moved_aside(path)
            write_file(path, good)


def _forget_overtaken(path: Path, before: Mapping[str, Any], *, untouched: bool = False) -> bool:
    """Where lines were appended to those of earlier attempts, take out of these what the first new line went back over.

    untouched: whether the file is as it was.   Returns whether the file holds anything of the present attempt.
    """
    with opened(path, LARGEST) as file:
        size, now = before["size"], os.fstat(file.fileno()).st_size
        if not size or _hash(file, size) != before["hash"]:
            return True
        file.seek(size)
        first = next(filter(None, map(_row_or_none, lines_of(file))), None)
        if first is None:
            return now == size and not untouched  # the same lines were written once more
        if (cut := _overtaken(file, size, *first)) < size:
            file.seek(0)
            kept = file.read(cut)
            file.seek(size)
            write_file(path, kept + file.read())
    return True


def _overtaken(file: BinaryIO, size: int, step: int, values: Mapping[str, float]) -> int:
    """Where in the first `size` bytes the first line begins that an attempt forgets which goes on with this row.

    A row of the last update that was logged goes on with it, unless that was the first one too.
    """
    first, last, reached, at = dict[str, int](), dict[str, int](), dict[str, int](), 0
    file.seek(0)
    for line in lines_of(file):
        if at >= size:
            break
        old, found = _row_or_none(line) or (0, None)
        for stage in () if found is None else _stages(found):
            first.setdefault(stage, old)
            last[stage] = old
            if old < step:
                reached.pop(stage, None)
            else:
                reached.setdefault(stage, at)
        at += len(line) + 1
    back = [reached[stage] for stage in _stages(values) & reached.keys() if not last[stage] == step > first[stage]]
    return min(back, default=size)


def _stages(values: Mapping[str, float]) -> set[str]:
    """The stages to which a row belongs."""
    return {stage_of(name) for name in values} or {""}


def _rows(file: BinaryIO) -> Iterator[tuple[int, dict[str, float]]]:
    """The rows of a file of metrics; a last line without a line break counts."""
    for number, line in enumerate(lines_of(file), start=1):
        if line.strip():
            yield row_of(line, number)


def _row_or_none(line: bytes) -> tuple[int, dict[str, float]] | None:
    """The row in a line, None where there is none."""
    try:
        return row_of(line, 0)
    except PreheatError:
        return None


def row_of(text: bytes, line: int) -> tuple[int, dict[str, float]]:
    """One line of metrics: the update, and every value that is a number; what else a script notes there is left out.

    Raises `PreheatError`, which names the number of the line, for what is no such line.
    """
    try:
        row = json.loads(text)
        step = row.pop("step")
        if type(step) is not int or not 0 <= step <= MOST_TICKS:
            raise ValueError("a step is 0, 1, 2 … up to 2^53")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        example = '{"step": 0, "loss": 5.61}'
        found = shown(text.decode(errors="replace"))
        raise PreheatError(f"line {line} of the metrics is {found}; {example} was expected") from None
    values = {}
    for name, value in row.items():
        with contextlib.suppress(PreheatError):
            values[name] = json_number(name, value)
    return step, values
