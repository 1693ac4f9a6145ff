"""Both ends of a run on another machine: what is called there, and what is made here of the answer.

The record comes back through the engine, so the machines need no folder in common. They need preheat, and the module of
the training function; a function of a script or notebook itself is sent along where cloudpickle is installed.
"""

import faulthandler
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError
from preheat.lab.records.record import is_of, read_record, write_file
from preheat.lab.running.signals import Signals
from preheat.lab.running.worker import Event, Job, carry_out, error_line, see

INTERVAL = 0.5
"""Seconds between two looks at the clock and the stop file."""

DETAIL = 1 << 16
"""Bytes that come back of the traceback of a run, or of what its command printed."""

GRACE = 30.0
"""Seconds after its limit in which a run can be interrupted; then its process is ended."""


def attempt(job: bytes, environment: dict[str, str], limit: float | None = None, stop_file: str = "") -> bytes | str:
    """Carry out a pickled job where this is called: its record, or why there is none, in one line, and after it the lines
    that tell more: the traceback, or the end of what a command printed.

    Nothing is raised, so no engine can mistake an error of the training for a machine that failed and try again; but
    Ctrl-C goes on where it is not this that was interrupted.
    limit, stop_file: see `Watch`.
    """
    watch = Watch(limit, stop_file)
    try:
        with watch, TemporaryDirectory(ignore_cleanup_errors=True) as folder, Signals(signal.SIGINT) as signals:
            answer = _answer(job, environment, Path(folder), lambda: watch.reason or signals.came)
        return watch.reason or answer
    except (KeyboardInterrupt, SystemExit):
        if not watch.on:
            raise KeyboardInterrupt from None
        return watch.reason or "interrupted"
    except PreheatError as error:
        return watch.reason or str(error)
    except Exception as error:
        return watch.reason or error_line(error)


def _answer(
    pickled: bytes, environment: dict[str, str], folder: Path, stopped: Callable[[], int | str | bool]
) -> bytes | str:
    """The record of a pickled job, made in `folder`, or what failed."""
    os.environ.update(environment)
    try:
        job: Job = pickle.loads(pickled)
    except BaseException as error:
        if stopped():
            raise
        missing = isinstance(error, ModuleNotFoundError)
        return error_line(error) + ("; that machine has to have it too" if missing else "")
    path = folder / job.path.name
    if not (failure := carry_out(lambda: replace(job, path=path), path, lambda *progress: None, stopped)):
        return path.read_bytes()
    more = path.with_suffix(".txt")
    found = more.read_bytes()[-DETAIL:].decode(errors="replace").strip() if more.exists() else ""
    return f"{failure}\n{found}".strip()


class Watch:
    """Interrupts the run inside the block once it has lasted `limit` seconds, or when `stop_file` vanishes.

    The file is watched only where it is there at the start, that is on the driver's machine. The run is interrupted
    as by Ctrl-C; where it hangs outside Python, its process is ended `GRACE` seconds later. Where the driver, whose number
    is in the file, is this process's parent and is killed, this process ends: nobody else would end it.
    """

    def __init__(self, limit: float | None, stop_file: str) -> None:
        self.limit = limit
        self.stop_file = Path(stop_file) if stop_file and Path(stop_file).exists() else None
        self._parent = os.getppid() if self.stop_file and self.stop_file.read_text() == str(os.getppid()) else None
        self.reason, self.on, self.orphaned = "", False, False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._handler: Any = None
        self._mask: set[Any] = set()

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            if self.limit is not None:
                raise PreheatError("this executor runs in threads, where a run cannot be interrupted; leave limit out")
        elif self.limit is not None or self.stop_file is not None:
            self._handler = signal.signal(signal.SIGINT, signal.default_int_handler) or signal.SIG_DFL
            self._mask = _unblock_interrupts()
            if self.limit is not None and sys.__stderr__ is not None:
                faulthandler.dump_traceback_later(self.limit + GRACE, exit=True, file=sys.__stderr__)
            self._thread.start()
            self.on = True
        return self

    def __exit__(self, *error: object) -> None:
        if self.on:
            self._ended.set()
            self._thread.join()
            faulthandler.cancel_dump_traceback_later()
            _unblock_interrupts(self._mask)
            signal.signal(signal.SIGINT, self._handler)
        if self.orphaned and self.stop_file is not None:
            self.stop_file.unlink(missing_ok=True)
            os._exit(1)

    def _look(self) -> None:
        end = time.monotonic() + (threading.TIMEOUT_MAX if self.limit is None else self.limit)
        while not self._ended.wait(max(0.0, min(INTERVAL, end - time.monotonic()))):
            if time.monotonic() >= end:
                self.reason = f"ended: the run lasted longer than {self.limit:g} s"
            elif self.stop_file is not None and not self.stop_file.exists():
                self.reason = "ended: the comparison was stopped"
            elif self._parent is not None and os.getppid() != self._parent:
                self.reason, self.orphaned = "ended: the driver has ended", True
            if self.reason:
                return _interrupt_main_thread()
        return None


def _unblock_interrupts(mask: set[Any] | None = None) -> set[Any]:
    """Let Ctrl-C in, which Ray blocks in its workers; with a mask, as it was before. Returns the mask until now."""
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    if mask is None:
        return signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _interrupt_main_thread() -> None:
    """Ctrl-C for the main thread, from another one; on POSIX it also wakes a thread that sleeps."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def event_of(job: Job, answer: bytes | str) -> Event:
    """What became of a job whose `attempt` gave this answer. A record is looked at before it gets its name."""
    if isinstance(answer, str):
        return _failed(job, answer)
    try:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / job.path.name
            copy.write_bytes(answer)
            if not is_of(read_record(copy), job.trial):
                raise PreheatError("it is another run's: do all machines have the same preheat and the same training?")
        write_file(job.path, answer)
    except PreheatError as error:
        return Event(job, "failed", message=f"what came back cannot be used: {error}")
    except OSError as error:
        return Event(job, "failed", message=f"the record could not be written: {error.strerror}")
    with suppress(OSError):
        job.path.with_suffix(".txt").unlink(missing_ok=True)  # of an attempt that failed
    return Event(job, "finished")


def _failed(job: Job, answer: str) -> Event:
    """The first line of an answer is the message; what follows is written where one can look."""
    line, _, more = answer.partition("\n")
    if more:
        with suppress(OSError):
            write_file(job.path.with_suffix(".txt"), f"{more}\n".encode(errors="backslashreplace"))
            line += see(job.path)
    return Event(job, "failed", message=line)


def lost_text(where: str, error: BaseException) -> str:
    """One line for a run whose machine, process or place in the queue has failed."""
    return f"lost by {where}: {type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or ["no message"])[0].strip()


def require(package: str, engine: str) -> None:
    """Refuse an engine whose package is not installed, before anything is run."""
    if find_spec(package) is None:
        raise PreheatError(f"the engine {engine} needs the package {package}: pip install 'preheat[{engine}]'")


def check_amount(value: object, what: str, *, zero: bool = False) -> None:
    """Refuse what is no amount of CPUs, GPUs or seconds; `zero`: whether there may be none."""
    try:
        amount = finite_number(value, what)
    except PreheatError:
        amount = -1.0
    if amount < 0 or not (amount or zero):
        raise PreheatError(f"{what} must be a number {'of at least' if zero else 'above'} 0", given=value)
