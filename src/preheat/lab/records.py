"""One JSON-lines file per run: a header, one line per update, an end.

    {"format": 1, "kind": "run", "study": …, "arm": …, "task": …, "options": {…}, "spec": …, "seed": …, …}
    {"step": 0, "loss": 5.61, "rate": 3e-05, "grad_norm": 1.9}
    {"kind": "end", "result": {"val_loss": 2.41, …}, "seconds": 12.5}

Numbers that are not finite are the texts "nan", "inf" and "-inf", because JSON has no word for them. A run is written
under another name and renamed when its end is on the disk, so a file that ends in `.jsonl` is a finished run. No path
of the machine is written. Reading evaluates nothing and refuses what it does not expect.
"""

import json
import math
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import preheat
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.experiment import Trial

FORMAT = 1
LARGEST = 1 << 30  # bytes; a record of more is not one of ours
_TEXTS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_STEP = ("step", "loss", "rate", "grad_norm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What training returned. `val_loss` is None where it is not finite; `reason` says why `diverged` is true."""

    val_loss: float | None
    val_accuracy: float | None
    chance_loss: float | None
    diverged: bool
    reason: str
    steps: int
    parameters: int
    data: str

    @property
    def finite(self) -> bool:
        """Whether there is a loss to compare."""
        return self.val_loss is not None


@dataclass(frozen=True, slots=True)
class Record:
    """One finished run: its header, what happened at every update, and the result."""

    header: dict[str, Any]
    steps: list[int]
    losses: list[float]
    rates: list[float]
    grad_norms: list[float]
    result: Result
    seconds: float


class Writer:
    """Writes a record; the file appears under its own name only when `end` was reached."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self.partial = partial_path(path, os.getpid())
        self.file: TextIO = self.partial.open("w", encoding="utf-8")
        self._line(head)

    def step(self, step: int, loss: float, rate: float, grad_norm: float | None) -> None:
        """One update."""
        values = (step, *(None if x is None else number(float(x)) for x in (loss, rate, grad_norm)))
        self._line(dict(zip(_STEP, values, strict=True)))

    def end(self, result: dict[str, Any], seconds: float) -> None:
        """The last line; from here on the run counts as finished."""
        read_result(result)
        self._line({"kind": "end", "result": result, "seconds": round(seconds, 3)})
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.partial, self.path)

    def _line(self, value: dict[str, Any]) -> None:
        self.file.write(json.dumps(value, allow_nan=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        self.partial.unlink(missing_ok=True)


def partial_path(path: Path, process: int) -> Path:
    """Where process number `process` writes the record that will be `path`."""
    return path.with_name(f"{path.name}.{process}.part")


def header(trial: Trial, threads: int) -> dict[str, Any]:
    """The first line of the record of `trial`."""
    kind = {"format": FORMAT, "kind": "run", "study": trial.study.title, "arm": trial.arm.name}
    return {**kind, **trial.identity, **environment(), "threads": threads}


def environment() -> dict[str, Any]:
    """What else the numbers may depend on: versions, machine, day. Nothing here names the machine or its folders."""
    return {
        "versions": {
            "preheat": preheat.__version__,
            "python": platform.python_version(),
            **{name: installed(name) for name in ("torch", "numpy")},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def installed(name: str) -> str:
    """The version of a package, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def number(value: float) -> float | str:
    """A number as JSON can hold it."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def is_of(record: Record, trial: Trial) -> bool:
    """Whether the record is that trial's: everything that its outcome depends on is equal."""
    return all(record.header.get(name, ...) == value for name, value in trial.identity.items())


def read_record(path: Path) -> Record:
    """The finished run in `path`. Raises `ParseError`, naming the file and line, for anything else."""
    try:
        if path.stat().st_size > LARGEST:
            raise ParseError(f"larger than {LARGEST >> 20} MiB")
        lines = path.read_text(encoding="utf-8").splitlines()
        return assembled([at_line(number, read_line, line) for number, line in enumerate(lines, start=1)])
    except OSError as error:
        raise ParseError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a PreheatError, or text that is not UTF-8
        raise ParseError(f"{path.name} is not the record of a finished run: {error}; move it away") from None


def assembled(rows: list[dict[str, Any]]) -> Record:
    """The record that the parsed lines make."""
    if len(rows) < 2 or rows[0].get("format") != FORMAT or rows[0].get("kind") != "run":
        raise ParseError(f'the first line must hold "format": {FORMAT} and "kind": "run"')
    end = rows[-1]
    if set(end) != {"kind", "result", "seconds"} or end["kind"] != "end":
        raise ParseError("the last line is not an end: the run was cut off")
    steps = [at_line(number, read_step, row) for number, row in enumerate(rows[1:-1], start=2)]
    if any(after[0] <= before[0] for before, after in pairwise(steps)):
        raise ParseError("the steps do not follow one another")
    at, losses, rates, norms = ([step[column] for step in steps] for column in range(4))
    return Record(rows[0], at, losses, rates, norms, read_result(end["result"]), real("seconds", end["seconds"]))


def at_line(number: int, read: Callable[[Any], Any], value: object) -> Any:
    """`read(value)`, a refusal naming the line."""
    try:
        return read(value)
    except (PreheatError, RecursionError) as error:
        raise ParseError(f"line {number}: {error}") from None


def read_line(line: str) -> dict[str, Any]:
    """One line as a JSON object."""
    try:
        value = json.loads(line, parse_constant=refused_constant)
    except ValueError as error:
        raise ParseError(f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ParseError(f"an object was expected, not {shown(value)}")
    return value


def read_step(row: dict[str, Any]) -> tuple[int, float, float, float]:
    """One update; what was not measured is NaN."""
    if set(row) != set(_STEP) or type(row["step"]) is not int:
        raise ParseError(f"an update must hold {', '.join(_STEP)}, not {shown(row)}")
    loss, rate, norm = (math.nan if row[name] is None else real(name, row[name]) for name in _STEP[1:])
    return row["step"], loss, rate, norm


def read_result(value: object) -> Result:
    """The result of training, with every field there and of its type."""
    names = [field.name for field in fields(Result)]
    if not isinstance(value, dict) or set(value) != set(names):
        raise ParseError(f"a result must hold {', '.join(names)}, not {shown(value)}")
    for name in ("val_loss", "val_accuracy", "chance_loss"):
        if value[name] is not None and not math.isfinite(real(name, value[name])):
            raise ParseError(f"{name} must be finite or null, not {shown(value[name])}")
    for name, kind in (("diverged", bool), ("reason", str), ("steps", int), ("parameters", int), ("data", str)):
        if type(value[name]) is not kind:
            raise ParseError(f"{name} must be of type {kind.__name__}, not {shown(value[name])}")
    return Result(**value)


def real(name: str, value: object) -> float:
    """A JSON number, or one of the three texts."""
    if isinstance(value, str) and value in _TEXTS:
        return _TEXTS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise ParseError(f"{name} must be a number, not {shown(value)}")


def refused_constant(text: str) -> None:
    """Python's JSON would take a bare NaN; other readers would not."""
    raise ParseError(f"{text} is no number of JSON")
