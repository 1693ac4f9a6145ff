"""A trial that is a command: any script in any language, which reads its arm from the environment and reports by a file.

The command's output goes to `runs/<run>.txt`. What it logs stays in `runs/<run>.metrics` until the run is finished: a
script that resumes from its own checkpoint after a kill goes on in that file, one that starts again overwrites it.
"""

import contextlib
import hashlib
import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.text.language import Target, to_text
from preheat.lab.client import ARM, LOG, SCHEDULE, SEED, json_number
from preheat.lab.groups import POSIX, Guard, end, has_ended, leads
from preheat.lab.naming import printable, relative, slug
from preheat.lab.outcome import Log
from preheat.lab.signals import Stopped
from preheat.lab.worker import signal_name

TRAINER = "preheat.lab.command:run"
"""The function that starts the command, as a study names it."""

INTERVAL = 0.05
"""Seconds between two looks at what the command has reported."""

PLACES = ("seed", "arm", "run", "log", "schedule")
"""What may stand in braces in the command."""


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """The command as it would be typed in a shell; `{seed}`, `{arm}`, `{run}`, `{log}` and `{schedule}` are filled in."""

    command: str

    def __post_init__(self) -> None:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise PreheatError(f"the command {shown(self.command)} cannot be split into words: {error}") from None
        if not words:
            raise PreheatError('the command is empty; write for example --launch "python train.py --seed {seed}"')

    def public(self) -> dict[str, Any]:
        """The command without the folders of this machine."""
        return {"command": shlex.join(map(relative, shlex.split(self.command)))}

    def filled(self, **values: str) -> list[str]:
        """The words of the command. Braces around anything else stay as they are."""
        words = shlex.split(self.command)
        for name in PLACES:
            words = [word.replace(f"{{{name}}}", values[name]) for word in words]
        return words


def run(options: LaunchOptions, schedule: Target, seed: int, log: Log, *, steps: int | None = None) -> None:
    """Start the command, pass on what it logs, and wait for its end. If this process ends, so does the command, and all
    that it started.

    Raises `PreheatError` with the last line of its output if it ends with another exit code than 0.
    """
    metrics, output = log.path.with_suffix(".metrics"), log.path.with_suffix(".txt")
    _discard_foreign(metrics, log)
    text, arm = to_text(schedule), log.trial.arm.name
    places = {"seed": str(seed), "arm": slug(arm), "run": log.trial.name, "log": str(metrics), "schedule": text}
    words = options.filled(**places)
    environment = {**os.environ, SCHEDULE: text, SEED: str(seed), ARM: arm, LOG: str(metrics), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as printed, _started(words, environment, printed) as process:
        reader = Reader(metrics)
        parent = os.getppid()
        while not _has_ended(process):
            reader.pass_on(log)
            if leads() and os.getppid() != parent:
                raise Stopped(1)  # the driver has ended
            time.sleep(INTERVAL)
        reader.pass_on(log)
    if process.returncode:
        raise PreheatError(f"the command ended with {_exit_text(process.returncode)}: {_last_line(output)}")
    metrics.unlink(missing_ok=True)
    _owner_file(metrics).unlink(missing_ok=True)


@contextlib.contextmanager
def _started(words: list[str], environment: dict[str, str], printed: Any) -> Iterator[subprocess.Popen]:
    """The command; it has ended when the block is left.

    In a worker it is in the worker's group, which the driver ends too. Elsewhere it has a group of its own, and a watchdog in
    case this process is killed.
    """
    own = not leads()
    with Guard() if own else contextlib.nullcontext() as guard:
        try:
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=own,
            )
        except OSError as error:
            raise PreheatError(f"the command {shown(words[0])} cannot be started: {error.strerror}") from None
        if guard:
            guard.begin(process.pid)
        try:
            yield process
        finally:
            _end(process, guard)


def _has_ended(process: subprocess.Popen) -> bool:
    """Whether the command has ended; it is not reaped where the system can say so otherwise."""
    ended = has_ended(process.pid)
    return process.poll() is not None if ended is None else ended


def _end(process: subprocess.Popen, guard: Guard | None) -> None:
    """End the command and all that it has started."""
    if not POSIX:
        process.terminate()
    elif guard:
        guard.end([process.pid])
    else:
        end([os.getpid()])
    process.wait()


class Reader:
    """Follows the file of metrics: whole lines only, from the start again if it was written anew."""

    def __init__(self, path: Path) -> None:
        self.path, self.position, self.line = path, 0, 0

    def pass_on(self, log: Log) -> None:
        """Log what has come since the last look."""
        for text in self._fresh():
            self.line += 1
            if text.strip():
                step, values = _metrics(text, self.line)
                log(step, **values)

    def _fresh(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self.position:
                    self.position = self.line = 0
                file.seek(self.position)
                *lines, rest = file.read().split(b"\n")
                self.position = file.tell() - len(rest)
        except FileNotFoundError:
            return []
        return lines


def _metrics(text: bytes, line: int) -> tuple[int, dict[str, float]]:
    """One line of metrics: the step, and every value that is a number; what else a script notes there is left out."""
    try:
        row = json.loads(text)
        step = row["step"]
        if type(step) is not int or step < 0:
            raise ValueError("a step is 0, 1, 2 …")
    except (ValueError, TypeError, KeyError, RecursionError):
        example = '{"step": 0, "loss": 5.61}'
        found = shown(text.decode(errors="replace"))
        raise PreheatError(f"line {line} of the metrics is {found}; {example} was expected") from None
    values = {}
    for name, value in row.items():
        with contextlib.suppress(PreheatError):
            if name != "step":
                values[name] = json_number(name, value)
    return step, values


def _owner_file(metrics: Path) -> Path:
    """The file that holds the identity of the run whose metrics these are."""
    return metrics.with_suffix(".attempt")


def _discard_foreign(metrics: Path, log: Log) -> None:
    """Keep the metrics of an earlier attempt at the same run; remove those of another run."""
    own = json.dumps(log.trial.identity, sort_keys=True)
    note = _owner_file(metrics)
    if not note.exists() or note.read_text(encoding="utf-8") != own:
        metrics.unlink(missing_ok=True)
        note.write_text(own, encoding="utf-8")


def _exit_text(code: int) -> str:
    """`exit code 3`, `SIGKILL`."""
    return signal_name(-code) if code < 0 else f"exit code {code}"


def _last_line(output: Path) -> str:
    """The last line that the command printed."""
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - 4000))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return printable(lines[-1].strip())[:300] if lines else "it printed nothing"


def fingerprint(command: str) -> str:
    """Twelve digits that name the contents of the scripts in the command that lie on this machine."""
    digest = hashlib.sha256()
    for word in shlex.split(command):
        with contextlib.suppress(OSError):
            if word.endswith((".py", ".sh")):
                digest.update(Path(word).read_bytes())
    return digest.hexdigest()[:12]
