"""The file of a monitor: lines of JSON, appended whole. Written here, and read back while it grows; data only.

    {"type": "header", "format": "preheat.monitor", "version": 1, "layers": …, …}     at every attachment
    {"type": "record", "update": …, …}      every so many updates
    {"type": "event", "update": …, "kind": …, "what": …, "write": …, "value": …}
    {"type": "end", "update": …, "reason": …}

Numbers that are not finite are null, and their names stand in "not_finite". A record lower than the one before means that
training went back: what was there from that update on is forgotten. A line that was cut off is passed over and counted.
"""

from __future__ import annotations

import json
import math
import os
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError

FORMAT, VERSION = "preheat.monitor", 1
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

    Raises PreheatError where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            torn = _is_torn(path)
        except OSError as error:
            raise PreheatError(f"cannot write {path}: {error.strerror}", write="give another file") from None
        if torn:  # what a kill cut off ends here, so that the next line stands alone
            os.write(self._file, b"\n")

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Append lines."""
        text = "".join(json.dumps(strict(one), allow_nan=False, ensure_ascii=False) + "\n" for one in lines)
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Give the file back."""
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
            if self.header is None:
                raise PreheatError(
                    "this is no file of a preheat monitor", write="give the file= of a Monitor"
                ) from None
            self.damaged += 1

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
        _whole(data["update"])
        if not all(isinstance(data[name], str) for name in ("kind", "what", "write")):
            raise ValueError
        _number(data.get("value"))
        self.events.append(data)

    def _end(self, data: dict[str, Any]) -> None:
        self.ended = str(data["reason"])


_TAKEN = {"header": History._header, "record": History._record, "event": History._event, "end": History._end}


class Reader:
    """Reads a file while it grows. Where it was begun anew, so is what was read."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.history = Path(path), History()
        self._start()

    def _start(self) -> None:
        self.history, self._read, self._rest, self._inode = History(), 0, b"", None

    def more(self) -> bool:
        """Take what was appended since; whether there was anything. Nothing, where there is no file yet.

        Raises PreheatError for a file of another kind, or one that cannot be read.
        """
        try:
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
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                if line.strip():
                    self.history.take(line)
            if len(self._rest) > _LONGEST:
                raise PreheatError(f"{self.path} has a line of over {_LONGEST:,} bytes, so no monitor wrote it")
        return self._read > before


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
