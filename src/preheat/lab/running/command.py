"""A trial that is a command: any script in any language, which reads its arm from the environment and reports by a file.

The command's output goes to `runs/<run>.txt`. What it logs is read along for the progress that is shown; the record is made
of the file as it is when the command has ended (`attempts`).
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.text.language import Target, to_text
from preheat.lab.client import ARM, LOG, SCHEDULE, SEED
from preheat.lab.identity.launched_files import digests, files_in, settings_files
from preheat.lab.identity.secrets import Mask, environment_values, without
from preheat.lab.identity.shell import bare, commands
from preheat.lab.naming import printable, relative
from preheat.lab.records.attempts import Attempt
from preheat.lab.records.files import clear_way
from preheat.lab.records.outcome import Log, result_of
from preheat.lab.running.groups import POSIX, Guard, end, has_ended, leads
from preheat.lab.running.signals import Stopped
from preheat.lab.running.worker import signal_name

TRAINER = "preheat.lab.running.command:run"
"""The function that starts the command, as a study names it."""

INTERVAL = 0.05
"""Seconds between two looks at what the command has reported."""

_VARIABLE = re.compile(r"[A-Za-z_]\w*=")
_OPERATOR = re.compile(r"(&&?|\|\|?|\|&|<<?|(\d|&)?>{1,2}.*|.*;)", re.DOTALL)

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
        _refuse_shell(self.command, words[0])
        object.__setattr__(self, "files", digests(settings_files(words)))

    def __repr__(self) -> str:
        hide = f", hide={self.hide!r}" if self.hide else ""
        return f"LaunchOptions(command={self.public()['command']!r}{hide})"

    def public(self) -> dict[str, Any]:
        """The command without secrets and the folders of this machine, and digits for its words with the folders."""
        text, digits = _public(self.command, self.hide)
        return {"command": text, "words": digits, "files": dict(self.files)}

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


@lru_cache(maxsize=64)
def _public(command: str, hide: tuple[str, ...]) -> tuple[str, str]:
    """The command as it is shown, and twelve digits for its words; the value of a secret is in neither."""
    words = shlex.split(command)
    public = list(map(relative, Mask(hide).words(words)))
    text = command if public == words else shlex.join(public)
    return printable(text), hashlib.sha256(json.dumps(Mask(hide).cut(words)).encode()).hexdigest()[:12]


def _refuse_shell(command: str, first: str) -> None:
    """Refuse what only a shell reads: the command is started without one."""
    if variable := _VARIABLE.match(first):
        name = variable[0]
        what = f"the command begins with {name}…, which only a shell reads, and none is used"
        raise PreheatError(what, write=f"write env {name}… before the command, or sh -c '{name}… …'")
    for word in (word for words in commands(command, operators=False) for word in words):
        if _OPERATOR.fullmatch(word.value) and bare(word, command):
            what = f"the command has {shown(Mask().text(word.value))} in it, which only a shell reads, and none is used"
            raise PreheatError(what, write="write sh -c '…' around what the shell is to read, or put it in quotes")


def run(options: LaunchOptions, schedule: Target, seed: int, log: Log, *, steps: int | None = None) -> dict[str, Any]:
    """Start the command, pass on what it logs, and wait for its end. If this process ends, so does the command, and all
    that it started.

    Returns the final values that it logged.   Raises `PreheatError` with the last line of its output if it ends with another
    exit code than 0.
    """
    metrics, output = log.path.with_suffix(".metrics"), log.path.with_suffix(".txt")
    attempt = Attempt(metrics, log)
    clear_way(output)
    text, arm = to_text(schedule), log.trial.arm.name
    places = {
        "arm": log.trial.study.files[arm],
        "run": f"{log.trial.name}-{_digits(log.trial.identity)}",
        "log": str(metrics),
    }
    words = options.filled(seed=str(seed), schedule=text, **places)
    environment = {**os.environ, SCHEDULE: text, SEED: str(seed), ARM: arm, LOG: str(metrics), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as printed, _started(words, environment, printed) as process:
        parent = os.getppid()
        while not _has_ended(process):
            attempt.look()
            if leads() and os.getppid() != parent:
                raise Stopped(1)  # the driver has ended
            time.sleep(INTERVAL)
    if process.returncode:
        tail = without(_last_line(output), options.hidden(environment))
        raise PreheatError(f"the command ended with {_exit_text(process.returncode)}: {tail}")
    attempt.pass_on()
    found = result_of(None, log).metrics  # refused while what was logged can still be looked at
    attempt.discard()
    return dict(found)


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
            raise PreheatError(
                f"the command {shown(Mask().text(words[0]))} cannot be started: {error.strerror}"
            ) from None
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


def _digits(identity: Mapping[str, Any]) -> str:
    """Eight digits for a configuration: what a run leaves under its name is not found by another one."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


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
    """Twelve digits that name the contents of the scripts and other files in the command that lie on this machine."""
    words = shlex.split(command)
    files = digests(set(files_in(words)) - set(settings_files(words)))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:12]
