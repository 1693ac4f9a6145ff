"""Both ends of a run on another machine: what is called there, and what is made here of the answer.

The record comes back through the engine, so the machines need no folder in common. They need preheat, and the module of
the training function; a function of a script or notebook itself is sent along where cloudpickle is installed.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from preheat.core.errors import PreheatError
from preheat.lab.engines.base import deliver
from preheat.lab.records import is_of, read_record
from preheat.lab.worker import Event, Job, described, returned

GLANCE = 0.5
"""Seconds between two looks at the clock, or at who is waiting."""

GRACE = 30.0
"""Seconds after its limit in which a run can be interrupted; then its process is ended."""


def attempt(job: bytes, environment: dict[str, str], limit: float | None = None, leave: str = "") -> bytes | str:
    """Carry out a packed job where this is called: its record, or one line that says why there is none.

    Nothing is raised, so no engine can take an error of the training for a lost machine and try again. limit, leave: see
    `Watch`.
    """
    watch = Watch(limit, leave)
    try:
        with watch:
            record = returned(job, environment)
        return watch.reason or record
    except KeyboardInterrupt:
        if not watch.on:
            raise
        return watch.reason or "interrupted"
    except SystemExit as error:
        return f"the training ended its process by sys.exit({error.code!r})"
    except PreheatError as error:
        return watch.reason or str(error)
    except ModuleNotFoundError as error:
        return f"{described(error)}; that machine has to have it too"
    except Exception as error:
        return described(error)


class Watch:
    """Interrupts the run inside the block once it has lasted `limit` seconds, or when the file `leave` vanishes.

    The file is looked after only where it is seen at the start, that is on the driver's machine. The run is interrupted
    as by Ctrl-C; where it hangs outside Python, its process is ended `GRACE` seconds later.
    """

    def __init__(self, limit: float | None, leave: str) -> None:
        self.limit = limit
        self.leave = Path(leave) if leave and Path(leave).exists() else None
        self.reason = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._before: Any = None
        self._mask: set[Any] = set()
        self.on = False

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            if self.limit is not None:
                raise PreheatError("this executor runs in threads, where a run cannot be interrupted; leave limit out")
        elif self.limit is not None or self.leave is not None:
            self._before = signal.signal(signal.SIGINT, signal.default_int_handler) or signal.SIG_DFL
            self._mask = blocked()
            if self.limit is not None and sys.__stderr__ is not None:
                faulthandler.dump_traceback_later(self.limit + GRACE, exit=True, file=sys.__stderr__)
            self._thread.start()
            self.on = True
        return self

    def __exit__(self, *reason: object) -> None:
        if self.on:
            self._over.set()
            self._thread.join()
            faulthandler.cancel_dump_traceback_later()
            blocked(self._mask)
            signal.signal(signal.SIGINT, self._before)

    def _look(self) -> None:
        end = time.monotonic() + (threading.TIMEOUT_MAX if self.limit is None else self.limit)
        while not self._over.wait(max(0.0, min(GLANCE, end - time.monotonic()))):
            if time.monotonic() >= end:
                self.reason = f"ended: the run lasted longer than {self.limit:g} s"
            elif self.leave is not None and not self.leave.exists():
                self.reason = "ended: the comparison was stopped"
            if self.reason:
                return interrupt()
        return None


def blocked(mask: set[Any] | None = None) -> set[Any]:
    """Let interrupts in, for Ray keeps them from its workers; with a mask, as it was before. Returns the mask until now."""
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    if mask is None:
        return signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def interrupt() -> None:
    """Ctrl-C for the main thread, from another one; on POSIX it also wakes a thread that sleeps."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def settled(job: Job, answer: bytes | str) -> Event:
    """What became of a job whose `attempt` gave this answer. A record is looked at before it gets its name."""
    if isinstance(answer, str):
        return Event(job, "failed", message=answer)
    try:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / job.path.name
            copy.write_bytes(answer)
            if not is_of(read_record(copy), job.trial):
                raise PreheatError("it is another run's: do all machines have the same preheat and the same training?")
        deliver(job.path, answer)
    except PreheatError as error:
        return Event(job, "failed", message=f"what came back cannot be used: {error}")
    except OSError as error:
        return Event(job, "failed", message=f"the record could not be written: {error.strerror}")
    return Event(job, "finished")


def lost(where: str, error: BaseException) -> str:
    """One line for a run whose machine, process or place in the queue is gone."""
    return f"lost by {where}: {type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or ["no message"])[0].strip()


def needed(package: str, engine: str) -> None:
    """Refuse an engine whose package is not installed, before anything is run."""
    if find_spec(package) is None:
        raise PreheatError(f"the engine {engine} needs the package {package}: pip install 'preheat[{engine}]'")


def amount(what: str, value: object, *, above: bool = True) -> float:
    """Refuse what is no amount of CPUs, GPUs or seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value > 0 if above else value >= 0):
        raise PreheatError(f"{what} must be a number {'above' if above else 'of at least'} 0, not {value!r}")
    return value
