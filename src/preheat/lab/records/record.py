"""One JSON-lines file per run: a header, one line per update, an end.

    {"format": 3, "kind": "run", "study": …, "arm": …, "task": …, "options": {…}, "spec": …, "seed": …, …}
    {"step": 0, "loss": 5.61, "lr": 3e-05, "grad_norm": 1.9}
    {"kind": "end", "result": {"metrics": {"val_loss": 2.41}, "diverged": false, …}, "seconds": 12.5, "check": "8d1f40c2"}

A line may hold any metrics, under any names. Two lines of one step are one; a step lower than the one before means that
training went back, and what was there from that step on is forgotten (`series`).

Numbers that are not finite are the texts "nan", "inf" and "-inf", because JSON has no word for them. `check` is the CRC-32
of all that stands before it, so that a damaged file is not taken for a result. A run is written under another name, and
renamed when its end is on the disk and it could be read back: a file that ends in `.jsonl` is a finished run. No path of
the machine is written. Reading evaluates nothing and refuses what it does not expect.
"""

import json
import math
import os
import platform
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any, Self

import preheat
from preheat.core.checks import MOST_TICKS
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.client import json_number, row, write_whole
from preheat.lab.experiment import Trial
from preheat.lab.records.files import lines_of, opened
from preheat.lab.records.series import Digest, Logged, Table, stage_of

FORMAT = 3
LARGEST = 1 << 30  # bytes; a record of more is not one of ours
_PLAIN = {"diverged": bool, "reason": str, "steps": int | None, "parameters": int | None, "data": str}
_NOTHING = Table([], {})
_BUFFER = 1 << 16  # bytes of lines that are written at once
_ENCODER = json.JSONEncoder(allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run ended with. A metric is None where it is not finite; `reason` says why `diverged` is true.

    steps: updates applied; parameters: numbers that were trained; data: a fingerprint of the data; chance_loss: the loss
    of a model that learned nothing. They are None, or empty, where the training did not say.
    """

    metrics: dict[str, float | None]
    diverged: bool = False
    reason: str = ""
    steps: int | None = None
    parameters: int | None = None
    data: str = ""
    chance_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One finished run: its header, what was logged at each update, and the result.

    steps, columns: the metrics whose names have no stage.   stages: the others by stage; each has updates of its own.
    digests: of a long run, whose columns hold only some of the values, by metric.   logged: the final values of all that
    was logged, by the rule for a metric that training did not return.
    """

    header: dict[str, Any]
    steps: list[int]
    columns: dict[str, list[float]]
    result: Result
    seconds: float
    stages: Mapping[str, Table] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)
    logged: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def finals(self) -> Mapping[str, float | None]:
        """What the run ended at by every metric, also one that was not asked for when it was made; None is not finite."""
        return {**self.logged, **self.result.metrics}

    @property
    def names(self) -> list[str]:
        """The metrics that were logged."""
        return [*self.columns, *(name for table in self.stages.values() for name in table.columns)]

    def steps_of(self, name: str) -> list[int]:
        """The updates of a metric's stage."""
        return self._stage(name).steps  # type: ignore[return-value]

    def column(self, name: str) -> list[float]:
        """One metric, a value for every entry of `steps_of(name)`; NaN where it was not logged."""
        table = self._stage(name)
        return table.columns[name] if name in table.columns else [math.nan] * len(table.steps)  # type: ignore[return-value]

    def digest(self, name: str) -> Digest | None:
        """All values of a metric in short, where the column holds only some of them."""
        return self._stage(name).digests.get(name)

    def _stage(self, name: str) -> Table:
        own = Table(self.steps, self.columns, self.digests)
        return self.stages.get(stage, _NOTHING) if (stage := stage_of(name)) else own


def late_beginning(record: Record) -> int:
    """The first update that was logged, where it is later than the distance of the next ones explains; else 0."""
    tables = [record.steps, *(table.steps for table in record.stages.values())]
    steps = next((steps for steps in tables if len(steps) > 2), [0, 1, 2])
    gap = max(after - before for before, after in pairwise(steps[:4]))
    return steps[0] if steps[0] > 2 * gap else 0


class Writer:
    """Writes a record; the file appears under its own name only when `end` was reached, and what is on the disk is that.

    Threads may share it. A process that was forked from this one may not: it refuses there, and leaves the file alone.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self._process, self._lock = os.getpid(), threading.Lock()
        self._partial = partial_path(path, self._process)
        self._pending, self._size, self._check, self._ended = bytearray(), 0, 0, False
        self._file = self._partial.open(
            "wb", buffering=0
        )  # what Python buffers, a forked process would write once more
        self._line(head)

    def step(self, step: int, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """One update, or some of its metrics; returns the line as it was written."""
        line = row(step, metrics)
        self._line(line)
        return line

    def logged(self) -> Logged:
        """What was logged until now."""
        with self._writing():
            self._flush()
        with opened(self._partial, LARGEST) as file:
            return Logged(read_step(read_line(line)) for line in islice(lines_of(file), 1, None))

    def end(self, result: Result, seconds: float) -> None:
        """The last line; from here on the run counts as finished. Raises `PreheatError` for what could not be read back."""
        end = {"kind": "end", "result": asdict(read_result(asdict(result))), "seconds": round(seconds, 3)}
        try:
            with self._writing():
                self._take({**end, "check": _check_of(end, self._check)})
                self._flush()
                self._ended = True
            _publish(self._file, self.path)
        except OSError as error:
            raise PreheatError(f"{self.path.name} cannot be written: {error.strerror}") from None

    def _line(self, value: dict[str, Any]) -> None:
        with self._writing():
            self._take(value)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """For one thread of this process at a time."""
        if os.getpid() != self._process:  # asked first: a forked process may have inherited a lock that nobody opens
            raise PreheatError(
                "log was called in a process that was forked from the training's",
                write="log in the process in which train runs",
            )
        with self._lock:
            if self._ended:
                raise PreheatError(
                    "log was called after the training had ended", write="join threads before train returns"
                )
            yield

    def _take(self, value: dict[str, Any]) -> None:
        """One more line, written when there are enough of them."""
        line = _ENCODER.encode(value).encode() + b"\n"
        self._size += len(line)
        if self._size > LARGEST:
            raise PreheatError(f"the run's record is larger than {LARGEST >> 20} MiB", write="log less often")
        self._check = zlib.crc32(line, self._check)
        self._pending += line
        if len(self._pending) > _BUFFER:
            self._write()

    def _write(self) -> None:
        write_whole(self._file.fileno(), self._pending)
        self._pending.clear()

    def _flush(self) -> None:
        """Everything on the disk, and nothing else."""
        self._write()
        if _check_of_file(self._partial) != self._check:
            raise PreheatError("the record on the disk is not what was logged: another process writes to its file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        if os.getpid() == self._process:
            self._partial.unlink(missing_ok=True)


def partial_path(path: Path, process: int) -> Path:
    """Where process number `process` writes the file that will be `path`."""
    return path.with_name(f"{path.name}.{process}.part")


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader finds it whole or not at all."""
    partial = partial_path(path, os.getpid())
    try:
        with partial.open("wb") as file:
            file.write(content)
            _publish(file, path)
    finally:
        with suppress(OSError):  # what could not be opened need not be removed
            partial.unlink(missing_ok=True)


def _publish(file: IO[Any], path: Path) -> None:
    """Close a file and give it its own name, once its content is on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.replace(file.name, path)


def _check_of_file(path: Path) -> int:
    """The checksum of all that is in a file."""
    check = 0
    with opened(path, LARGEST) as file:
        while block := file.read(1 << 20):
            check = zlib.crc32(block, check)
    return check


def _check_of(end: Mapping[str, Any], before: int) -> str:
    """The checksum of a record: of the lines before its end, which have the checksum `before`, and of the end itself."""
    return f"{zlib.crc32(json.dumps(end).encode(), before):08x}"


def header(trial: Trial, threads: int) -> dict[str, Any]:
    """The first line of the record of `trial`."""
    kind = {"format": FORMAT, "kind": "run", "study": trial.study.title, "arm": trial.arm.name}
    return {**kind, **trial.identity, **environment(), "threads": threads, "code": trial.study.code}


def environment() -> dict[str, Any]:
    """What else the numbers may depend on: versions, machine, day. Nothing here names the machine or its folders."""
    python = {"preheat": preheat.__version__, "python": platform.python_version()}
    return {
        "versions": {**python, **{name: _installed(name) for name in ("torch", "numpy")}},
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


@cache
def _installed(name: str) -> str:
    """The version of a package, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def is_of(record: Record, trial: Trial) -> bool:
    """Whether the record is that trial's: everything that its outcome depends on is equal."""
    return all(record.header.get(name, ...) == value for name, value in trial.identity.items())


def read_record(path: Path) -> Record:
    """The finished run in `path`. Raises `ParseError`, naming the file and line, for anything else.

    One that another version of preheat has written is no damaged one: that is a `PreheatError` which is no `ParseError`.
    """
    with opened(path, LARGEST) as file:
        try:
            return _record_of(path, lines_of(file))
        except OSError as error:
            raise ParseError(f"{path.name} cannot be read: {error.strerror}") from None
        except ParseError as error:
            what = f"{path.name} is not the record of a finished run: {error}"
        raise ParseError(what, write="move it away")


def _record_of(path: Path, lines: Iterator[bytes]) -> Record:
    """The record that the lines make."""
    check, logged, end, head = 0, Logged(), dict[str, Any](), dict[str, Any]()
    for number, line in enumerate(lines, start=1):
        value = _at_line(number, read_line, line)
        if end:
            raise ParseError(f"line {number} comes after the end")
        if number == 1:
            head = _checked_head(path, value)
        elif "kind" in value and value["kind"] == "end":
            end = value
            continue
        else:
            logged.add(*_at_line(number, read_step, value))
        check = zlib.crc32(line + b"\n", check)
    if not head:
        raise ParseError(_HEAD)
    if set(end) != {"kind", "result", "seconds", "check"}:
        raise ParseError("the last line is not an end: the run was cut off")
    if end.pop("check") != _check_of(end, check):
        raise ParseError("its checksum is another one: it was damaged or changed")
    tables = logged.tables()
    own = tables.pop("", _NOTHING)
    seconds = json_number("seconds", end["seconds"])
    result, finals = read_result(end["result"]), logged.finals()
    return Record(head, own.steps, own.columns, result, seconds, tables, own.digests, finals)  # type: ignore[arg-type]


_HEAD = f'the first line must hold "format": {FORMAT} and "kind": "run"'


def _checked_head(path: Path, head: dict[str, Any]) -> dict[str, Any]:
    """The first line of a record."""
    if head.get("kind") != "run":
        raise ParseError(_HEAD)
    if head.get("format") != FORMAT:
        raise PreheatError(
            f"{path.name} was written by another version of preheat, in format {shown(head.get('format'))}",
            write=f"write to another folder; this version reads format {FORMAT}",
        )
    return head


def _at_line(number: int, read: Callable[[Any], Any], value: object) -> Any:
    """`read(value)`, a refusal naming the line."""
    try:
        return read(value)
    except (ParseError, RecursionError) as error:
        raise ParseError(f"line {number}: {error}") from None


def _refuse_constant(text: str) -> None:
    """Python's JSON would take a bare NaN; other readers would not."""
    raise ParseError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_line(line: bytes) -> dict[str, Any]:
    """One line as a JSON object."""
    try:
        value = _DECODER.decode(line.decode())
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be written to any report
    except ValueError as error:
        raise ParseError(f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ParseError(f"an object was expected, not {shown(value)}")
    return value


def read_step(line: dict[str, Any]) -> tuple[int, dict[str, float]]:
    """One update and its metrics; null is what was not measured."""
    step = line.pop("step", None)
    if type(step) is not int or not 0 <= step <= MOST_TICKS:
        raise ParseError(f'an update must hold "step": 0, 1, 2 … up to 2^53, not {shown(step)} beside {shown(line)}')
    for name, value in line.items():
        if type(value) is not float:
            line[name] = math.nan if value is None else json_number(name, value)
    return step, line


def read_result(value: object) -> Result:
    """The result of a run, with every field there and of its type. Raises `ParseError`."""
    names = [field.name for field in fields(Result)]
    if not isinstance(value, dict) or set(value) != set(names) or not isinstance(value["metrics"], dict):
        raise ParseError(f"a result must hold {', '.join(names)}, not {shown(value)}")
    for name, number in {**value["metrics"], "chance_loss": value["chance_loss"]}.items():
        if number is not None and not math.isfinite(json_number(name, number)):
            raise ParseError(f"{name} must be finite or null, not {shown(number)}")
    for name, kind in _PLAIN.items():
        if not isinstance(value[name], kind) or (kind is not bool and isinstance(value[name], bool)):
            raise ParseError(f"{name} must be of type {getattr(kind, '__name__', kind)}, not {shown(value[name])}")
    return Result(**value)
