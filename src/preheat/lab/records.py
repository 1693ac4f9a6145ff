"""One JSON-lines file per run: a header, one line per update, an end.

    {"format": 2, "kind": "run", "study": …, "arm": …, "task": …, "options": {…}, "spec": …, "seed": …, …}
    {"step": 0, "loss": 5.61, "lr": 3e-05, "grad_norm": 1.9}
    {"kind": "end", "result": {"metrics": {"val_loss": 2.41}, "diverged": false, …}, "seconds": 12.5}

A line may hold any metrics, under any names. Two lines of one step are one; a step lower than the one before means that
training went back, and what was there from that step on is forgotten.

Numbers that are not finite are the texts "nan", "inf" and "-inf", because JSON has no word for them. A run is written
under another name and renamed when its end is on the disk, so a file that ends in `.jsonl` is a finished run. No path
of the machine is written. Reading evaluates nothing and refuses what it does not expect.
"""

import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, Self

import preheat
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.client import json_number, row
from preheat.lab.experiment import Trial

FORMAT = 2
LARGEST = 1 << 30  # bytes; a record of more is not one of ours
_PLAIN = {"diverged": bool, "reason": str, "steps": int | None, "parameters": int | None, "data": str}


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
    """One finished run: its header, what was logged at each update, and the result."""

    header: dict[str, Any]
    steps: list[int]
    columns: dict[str, list[float]]
    result: Result
    seconds: float

    def column(self, name: str) -> list[float]:
        """One metric, a value for every entry of `steps`; NaN where it was not logged."""
        return self.columns.get(name) or [math.nan] * len(self.steps)


class Writer:
    """Writes a record; the file appears under its own name only when `end` was reached."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self._partial = partial_path(path, os.getpid())
        self._file = self._partial.open("w", encoding="utf-8")
        self._line(head)

    def step(self, step: int, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """One update, or some of its metrics; returns the line as it was written."""
        line = row(step, metrics)
        self._line(line)
        return line

    def end(self, result: Result, seconds: float) -> None:
        """The last line; from here on the run counts as finished."""
        self._line({"kind": "end", "result": asdict(result), "seconds": round(seconds, 3)})
        _publish(self._file, self.path)

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, allow_nan=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # a full disk: what is in the buffer cannot be written, and is not wanted
            self._file.close()
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
        partial.unlink(missing_ok=True)


def _publish(file: IO[Any], path: Path) -> None:
    """Close a file and give it its own name, once its content is on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.replace(file.name, path)


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
    """The finished run in `path`. Raises `ParseError`, naming the file and line, for anything else."""
    try:
        if path.stat().st_size > LARGEST:
            raise ParseError(f"larger than {LARGEST >> 20} MiB")
        lines = path.read_text(encoding="utf-8").splitlines()
        return _record_of([_at_line(number, read_line, line) for number, line in enumerate(lines, start=1)])
    except OSError as error:
        raise ParseError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a PreheatError, or text that is not UTF-8
        raise ParseError(f"{path.name} is not the record of a finished run: {error}; move it away") from None


def _record_of(rows: list[dict[str, Any]]) -> Record:
    """The record that the parsed lines make."""
    if len(rows) < 2 or rows[0].get("format") != FORMAT or rows[0].get("kind") != "run":
        raise ParseError(f'the first line must hold "format": {FORMAT} and "kind": "run"')
    end = rows[-1]
    if set(end) != {"kind", "result", "seconds"} or end["kind"] != "end":
        raise ParseError("the last line is not an end: the run was cut off")
    logged = [_at_line(number, read_step, line) for number, line in enumerate(rows[1:-1], start=2)]
    steps, columns = table(logged)
    return Record(rows[0], steps, columns, _read_result(end["result"]), json_number("seconds", end["seconds"]))


def table(rows: Iterable[tuple[int, dict[str, float]]]) -> tuple[list[int], dict[str, list[float]]]:
    """The rows by columns: steps ascending, each once; a step lower than the last one cuts off all from there on."""
    known: dict[int, dict[str, float]] = {}
    last = -1
    for step, values in rows:
        if step < last:
            known = {at: kept for at, kept in known.items() if at < step}
        known.setdefault(step, {}).update(values)
        last = step
    names = dict.fromkeys(name for values in known.values() for name in values)
    return list(known), {name: [values.get(name, math.nan) for values in known.values()] for name in names}


def _at_line(number: int, read: Callable[[Any], Any], value: object) -> Any:
    """`read(value)`, a refusal naming the line."""
    try:
        return read(value)
    except (PreheatError, RecursionError) as error:
        raise ParseError(f"line {number}: {error}") from None


def read_line(line: str) -> dict[str, Any]:
    """One line as a JSON object."""
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ParseError(f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ParseError(f"an object was expected, not {shown(value)}")
    return value


def read_step(line: dict[str, Any]) -> tuple[int, dict[str, float]]:
    """One update and its metrics; null is what was not measured."""
    step = line.get("step")
    if type(step) is not int or step < 0:
        raise ParseError(f'an update must hold "step": 0, 1, 2 …, not {shown(line)}')
    values = {
        name: math.nan if value is None else json_number(name, value) for name, value in line.items() if name != "step"
    }
    return step, values


def _read_result(value: object) -> Result:
    """The result of a run, with every field there and of its type."""
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


def _refuse_constant(text: str) -> None:
    """Python's JSON would take a bare NaN; other readers would not."""
    raise ParseError(f"{text} is no number of JSON")
