"""A trial that is a command: any script in any language, which reads its arm from the environment and reports by a file.

The command's output goes to `runs/<run>.txt`. What it logs stays in `runs/<run>.metrics` until the run is finished: a
script that resumes from its own checkpoint after a kill goes on in that file, one that starts again overwrites it.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.text.language import Target, to_text
from preheat.lab.client import ARM, LOG, SCHEDULE, SEED, json_number
from preheat.lab.launched_files import digests, files_in, settings_files
from preheat.lab.naming import relative, visible
from preheat.lab.outcome import Log
from preheat.lab.secrets import Mask, environment_values, without
from preheat.lab.worker import signal_name

TRAINER = "preheat.lab.command:run"
"""The function that starts the command, as a study names it."""

INTERVAL = 0.05
"""Seconds between two looks at what the command has reported."""

GRACE = 4.0
"""Seconds that a command has to end once it is asked to."""

PLACES = ("seed", "arm", "run", "log", "schedule")
"""What may stand in braces in the command."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LaunchOptions:
    """The command as it would be typed in a shell; `{seed}`, `{arm}`, `{run}`, `{log}` and `{schedule}` are filled in.

    hide: options and variables whose values are secrets, besides those that look like some.   files: what the files of
    settings that the command names hold on the machine where it is given, as digits.
    """

    command: str
    hide: tuple[str, ...] = ()
    files: Mapping[str, str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            shown_as = shown(Mask(self.hide).text(self.command))
            raise PreheatError(f"the command {shown_as} cannot be split into words: {error}") from None
        if not words:
            raise PreheatError('the command is empty; write for example --launch "python train.py --seed {seed}"')
        if "\0" in self.command:
            raise PreheatError("a command cannot hold the character of number 0", given=self.command)
        object.__setattr__(self, "files", digests(settings_files(words)))

    def __repr__(self) -> str:
        hide = f", hide={self.hide!r}" if self.hide else ""
        return f"LaunchOptions(command={self.public()['command']!r}{hide})"

    def public(self) -> dict[str, Any]:
        """The command without secrets and the folders of this machine, and digits for its words with the folders."""
        words = Mask(self.hide).words(shlex.split(self.command))
        public = list(map(relative, words))
        text = self.command if public == shlex.split(self.command) else shlex.join(public)
        digits = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]
        return {"command": visible(text), "words": digits, "files": dict(self.files)}

    def hidden(self, environment: Mapping[str, str]) -> set[str]:
        """The secrets in the command and in the variables that it is given."""
        mask = Mask(self.hide)
        mask.words(shlex.split(self.command))
        return mask.values | environment_values(environment, self.hide)

    def filled(self, **values: str) -> list[str]:
        """The words of the command. Braces around anything else stay as they are."""
        words = shlex.split(self.command)
        for name in PLACES:
            words = [word.replace(f"{{{name}}}", values[name]) for word in words]
        return words


def run(options: LaunchOptions, schedule: Target, seed: int, log: Log, *, steps: int | None = None) -> None:
    """Start the command, pass on what it logs, and wait for its end. If this process ends, so does the command.

    Raises `PreheatError` with the last line of its output if it ends with another exit code than 0.
    """
    metrics, output = log.path.with_suffix(".metrics"), log.path.with_suffix(".txt")
    _discard_foreign(metrics, log)
    text, arm = to_text(schedule), log.trial.arm.name
    places = {"arm": log.trial.study.files[arm], "run": log.trial.name, "log": str(metrics)}
    words = options.filled(seed=str(seed), schedule=text, **places)
    environment = {**os.environ, SCHEDULE: text, SEED: str(seed), ARM: arm, LOG: str(metrics), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as printed, _started(words, environment, printed) as process:
        reader = Reader(metrics)
        parent = os.getppid()
        while process.poll() is None:
            reader.pass_on(log)
            if os.getppid() != parent:
                raise BrokenPipeError("the driver has ended")
            time.sleep(INTERVAL)
        reader.pass_on(log)
    if process.returncode:
        tail = without(_last_line(output), options.hidden(environment))
        raise PreheatError(f"the command ended with {_exit_text(process.returncode)}: {tail} ({output.name})")
    metrics.unlink(missing_ok=True)
    _owner_file(metrics).unlink(missing_ok=True)


@contextlib.contextmanager
def _started(words: list[str], environment: dict[str, str], printed: Any) -> Iterator[subprocess.Popen]:
    """The command in a session of its own; all that it started is ended when the block is left."""
    own: dict[str, Any] = {"start_new_session": True, "preexec_fn": _end_with_parent()} if os.name == "posix" else {}
    try:
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, **own
        )
    except OSError as error:
        raise PreheatError(f"the command {shown(Mask().text(words[0]))} cannot be started: {error.strerror}") from None
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """Ask the command and what it started to end, then kill what is left."""
    for sign in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(OSError):  # all have ended
            os.killpg(process.pid, sign) if os.name == "posix" else process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def _end_with_parent() -> Any:
    """On Linux the kernel ends the command when the waiting process is killed; elsewhere None."""
    if not sys.platform.startswith("linux"):
        return None
    control = ctypes.CDLL(None).prctl
    return lambda: control(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


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
    return lines[-1].strip()[:300] if lines else "it printed nothing"


def fingerprint(command: str) -> str:
    """Twelve digits that name the contents of the scripts and other files in the command that lie on this machine."""
    words = shlex.split(command)
    files = digests(set(files_in(words)) - set(settings_files(words)))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:12]
