"""The file of a monitor: lines of JSON, appended whole. Written here, and read back while it grows; data only.

    {"type": "header", "format": "preheat.monitor", "version": 1, "layers": …, …}     at every attachment
    {"type": "record", "update": …, …}      every so many updates
    {"type": "event", "update": …, "kind": …, "what": …, "write": …, "value": …}
    {"type": "end", "update": …, "reason": …}

Numbers that are not finite are null, and their names stand in "not_finite". A record lower than the one before means that
training went back: what was there from that update on is forgotten. A line that was cut off is passed over and counted, also
before the first header, which a kill may have cut off too; a file that does not begin as a header does is no monitor's.
"""

from __future__ import annotations

import json
import math
import os
import stat
import warnings
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, PreheatWarning, shown

try:
    import fcntl
except ImportError:  # Windows has none, and there nobody is told of a second monitor
    fcntl = None  # type: ignore[assignment]

FORMAT, VERSION = "preheat.monitor", 1
_BEGINS = b'{"type": "header", "format": "preheat.monitor"'
_LONGEST = 1 << 20  # bytes of a line
_BLOCK = 1 << 22  # bytes that are read at a time


class _VersionError(PreheatError):
    """A file that another version of preheat has written."""


def strict(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None for what is not finite, and the names of these, as JSON has no numbers for them."""
    lost = [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]
    found = {name: None if name in lost else value for name, value in values.items()}
    return {**found, "not_finite": [*(found.get("not_finite") or ()), *lost]} if lost else found


class Writer:
    """Appends lines to a file, each in one piece and at once, so that a kill loses none that was written.

    Where another has the file open for writing too, a PreheatWarning says so. Raises PreheatError where it cannot be opened or
    written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self._ends = b"\n" if _is_torn(path) else b""  # what a kill cut off, so that the next line stands alone
        except OSError as error:
            raise PreheatError(f"cannot write {path}: {error.strerror}", write="give another file") from None
        if not self._lock():
            what = f"{path} is being written by another monitor: what both say is mixed up; close() it, or give another file"
            warnings.warn(what, PreheatWarning, stacklevel=5)

    def _lock(self) -> bool:
        """Whether nobody else has the file open for writing, as far as that can be known here."""
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Append lines. Raises PreheatError where the file takes none."""
        text = "".join(json.dumps(strict(one), allow_nan=False, ensure_ascii=False) + "\n" for one in lines)
        data, self._ends = self._ends + text.encode("utf-8", "backslashreplace"), b""
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise PreheatError(f"cannot write {self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Give the file back."""
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)  # workers forked meanwhile hold the file open too
        os.close(self._file)


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


@dataclass
class History:
    """What a monitor has written so far.

    header: of the last attachment; None as long as nothing was written.   first: of the first one.
    records, events: by update, ascending.   ended: the reason of the end, None while it is not known to have ended.
    damaged: lines that could not be read.
    """

    header: dict[str, Any] | None = None
    first: dict[str, Any] | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: str | None = None
    damaged: int = 0

    @property
    def update(self) -> int | None:
        """The last update of which there is a record; None where there is none."""
        return self.records[-1]["update"] if self.records else None

    def series(self, *path: str) -> tuple[list[int], list[float]]:
        """Updates and values of a number of the records, such as "relative", "median"; NaN where it is not known."""
        values: list[Any] = list(self.records)
        for name in path:
            values = [value.get(name) if isinstance(value, dict) else None for value in values]
        return [one["update"] for one in self.records], [math.nan if one is None else float(one) for one in values]

    def worst(self, name: str = "relative") -> tuple[list[int], list[float]]:
        """Updates and the largest value of a layer in each record; NaN where none is known."""
        found = [one[name]["worst"] for one in self.records]
        return [one["update"] for one in self.records], [one[0][1] if one else math.nan for one in found]

    def take(self, line: bytes) -> None:
        """One line of the file."""
        try:
            data = json.loads(line, parse_constant=_refuse)
            _TAKEN[data["type"]](self, data)
        except _VersionError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError):
            self.damaged += 1

    def _known(self) -> None:
        """Raises ValueError before the first header, without which nothing is understood."""
        if self.header is None:
            raise ValueError

    def _header(self, data: dict[str, Any]) -> None:
        if data["format"] != FORMAT:
            raise ValueError
        if data["version"] != VERSION:
            raise _VersionError(
                f"the version of a monitor's file is {VERSION}", given=data["version"], write="upgrade preheat"
            )
        if not isinstance(data["head"], dict | None) or not isinstance(data["layers"], int):
            raise ValueError
        self.header, self.ended = data, None
        self.first = self.first or data

    def _record(self, data: dict[str, Any]) -> None:
        self._known()
        update = _whole(data["update"])
        for name in ("loss", "rate", "gradient", "alignment", "head", "spread"):
            _number(data.get(name))
        for name in ("relative", "angular"):
            for value in (
                data[name]["median"],
                *data[name]["named"].values(),
                *(one[1] for one in data[name]["worst"]),
            ):
                _number(value)
            if not all(isinstance(one[0], str) and isinstance(one[1], int | float) for one in data[name]["worst"]):
                raise ValueError
        if self.records and update <= self.records[-1]["update"]:
            del self.records[bisect_left([one["update"] for one in self.records], update) :]
            self.events = [one for one in self.events if one["update"] < update]
        self.records.append(data)

    def _event(self, data: dict[str, Any]) -> None:
        self._known()
        _whole(data["update"])
        if not all(isinstance(data[name], str) for name in ("kind", "what", "write")):
            raise ValueError
        _number(data.get("value"))
        self.events.append(data)

    def _end(self, data: dict[str, Any]) -> None:
        self._known()
        self.ended = str(data["reason"])


_TAKEN = {"header": History._header, "record": History._record, "event": History._event, "end": History._end}


class Reader:
    """Reads a file while it grows. Where it was begun anew, so is what was read."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.history = Path(path), History()
        self._start()

    def _start(self) -> None:
        self.history, self._read, self._rest, self._inode, self._begins = History(), 0, b"", None, b""

    def more(self) -> bool:
        """Take what was appended since; whether there was anything. Nothing, where there is no file yet.

        Raises PreheatError for a file of another kind, or one that cannot be read.
        """
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):  # a pipe or a device could be read for ever
                raise PreheatError(f"{self.path} is no file", write="give the file= of a Monitor")
            with self.path.open("rb") as file:
                now = os.fstat(file.fileno())
                if now.st_size < self._read or self._inode not in (None, now.st_ino):
                    self._start()
                self._inode = now.st_ino
                file.seek(self._read)
                return self._take(file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise PreheatError(f"cannot read {self.path}: {error.strerror}") from None

    def _take(self, file: Any) -> bool:
        before = self._read
        while block := file.read(_BLOCK):
            self._read += len(block)
            self._begins = self._begins or block.lstrip()[: len(_BEGINS)]
            *lines, self._rest = (self._rest + block).split(b"\n")
            try:
                for line in lines:
                    if line.strip():
                        self.history.take(line)
            except _VersionError as error:
                raise error.restated(PreheatError, f"{self.path}: {error.reason}") from None
            if self.history.header is None and not self._begins.startswith(_BEGINS[: len(self._begins)]):
                raise PreheatError(
                    f"{self.path} is no file of a preheat monitor, it begins with {shown(self._begins[:20])}",
                    write="give the file= of a Monitor",
                )
            if len(self._rest) > _LONGEST:
                raise PreheatError(f"{self.path} has a line of over {_LONGEST:,} bytes, so no monitor wrote it")
        return self._read > before

    @property
    def lacks(self) -> str:
        """Why there is no header yet; "" where there is one."""
        if self.history.header is not None:
            return ""
        if self._read:
            return "its first line is cut off or damaged: a monitor that goes on in it writes a whole one"
        return "it is empty" if self._inode is not None else "it is not there"


def _refuse(word: str) -> None:
    raise ValueError(word)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError
    return value


def _number(value: Any) -> None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or abs(float(value)) == math.inf
    ):
        raise ValueError
