"""What happens inside the process of one run: train, write the record, report progress to the driver.

The driver never imports torch; whatever the trainer needs is imported here.
"""

import ctypes
import importlib
import math
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NoReturn

from preheat.core.errors import PreheatError, shown
from preheat.lab.experiment import Trial
from preheat.lab.identity.holdings import secrets_of
from preheat.lab.identity.secrets import environment_values, without
from preheat.lab.naming import printable
from preheat.lab.records.outcome import Log, Notify, result_of
from preheat.lab.records.record import Writer, header, partial_path
from preheat.lab.running.groups import end, lead
from preheat.lab.running.signals import STOPPING, Stopped

LONGEST = 500
"""Characters of what an exception says that stand in one line."""


@dataclass(frozen=True, slots=True)
class Job:
    """A trial, where its record goes, and how many threads it may use."""

    trial: Trial
    path: Path
    threads: int

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that must be set before the job is unpacked: they are read when torch is imported."""
        return {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}


@dataclass(frozen=True, slots=True)
class Event:
    """What the driver learns of a job: it started, did an update, finished, or failed with a message."""

    job: Job
    kind: Literal["started", "step", "finished", "failed"]
    step: int = 0
    loss: float = math.nan
    rate: float = math.nan
    message: str = ""


def carry_out(
    load: Callable[[], Job],
    path: Path,
    notify: Notify,
    stopped: Callable[[], int | str | bool],
    begins: Callable[[], None] = lambda: None,
) -> str:
    """Train and write the record; where that fails, one line that says why, else an empty one.

    load: gives the job, and may fail too. path: where the record goes. The whole traceback goes to the file beside it that
    ends in .txt, where a command's output goes: what an earlier attempt left there is removed. No secret is in either.
    stopped: whether the run is not wanted any more. Then what was raised goes on, whatever it is; all else that can be
    raised, `SystemExit` and `KeyboardInterrupt` too, is the training's own failure. begins: called when the training is.
    """
    output, job = path.with_suffix(".txt"), None
    try:
        output.unlink(missing_ok=True)
        job = load()
        perform(job, notify, stopped, begins)
    except BaseException as error:
        if isinstance(error, Stopped) or stopped():
            raise
        hidden = _secrets(job)
        if not output.exists():  # else a command's own words are there
            with suppress(OSError):
                text = without("".join(traceback.format_exception(error)), hidden)
                output.write_text(text, encoding="utf-8", errors="backslashreplace")
        return error_line(error, hidden)
    return ""


def _secrets(job: Job | None) -> set[str]:
    """The secrets that a failure may quote: of the environment, and of what the training function holds."""
    found = environment_values(os.environ)
    if job is not None and job.trial.study.function is not None:
        with suppress(Exception):  # the failure is to be told, whatever a foreign object raises
            found |= secrets_of(job.trial.study.function)
    return found


def see(path: Path) -> str:
    """What is added to the line of a failed run whose record would be `path`: where more is told, if it is."""
    output = path.with_suffix(".txt")
    return f"; see {output.parent.name}/{output.name}" if output.exists() else ""


def perform(
    job: Job,
    notify: Notify,
    stopped: Callable[[], int | str | bool] = bool,
    begins: Callable[[], None] = lambda: None,
) -> None:
    """Train and write the record; `notify(step, loss, lr)` is called from time to time, and at the end of one that fails;
    `begins()` when all that the training needs is loaded.

    Raises `Stopped` where the training has returned because it was stopped: it may have caught what stopped it.
    """
    trial = job.trial
    train = _trainer(trial)
    with _on_threads(job.threads), Writer(job.path, header(trial, job.threads)) as record:
        log = Log(record, trial, notify)
        begins()
        start = time.perf_counter()
        try:
            returned = _returned(train, trial, log)
            result = result_of(returned, log)
        except BaseException as error:
            if log.last >= 0 and not isinstance(error, Stopped):
                notify(log.last, math.nan, math.nan)
            raise
        if stopped():
            raise Stopped(1)
        record.end(result, time.perf_counter() - start)


@contextmanager
def _on_threads(threads: int) -> Iterator[None]:
    """So many threads for torch, where the trainer brought it; else every worker would use every core. Then those of before."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _returned(train: Callable[..., Any], trial: Trial, log: Log) -> Any:
    """What the training returns. A process that it forked ends here, as scripts do: the record is not its own."""
    process = os.getpid()
    try:
        return train(trial.target, trial.seed, log)
    finally:
        if os.getpid() != process:
            _leave(sys.exception())


def _leave(error: BaseException | None) -> NoReturn:
    """End a forked process with the exit code that Python gives for what was raised."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        given = error.code
        code = 0 if given is None else given & 0xFF if isinstance(given, int) else 1
    elif error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _trainer(trial: Trial) -> Callable[..., Any]:
    """What is called as `train(schedule, seed, log)`: the study's own function, or the one that `module:function` names."""
    study = trial.study
    if study.function is not None:
        return study.function
    module, _, name = study.trainer.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        hint = "; pip install 'preheat[lab]'" if error.name in ("torch", "sklearn") else ""
        raise PreheatError(
            f"the trainer {study.trainer!r} needs the module {error.name!r}, which is not installed{hint}"
        ) from None
    except AttributeError:
        raise PreheatError(f"the module {module!r} has no function {name!r} to train with") from None
    return partial(function, trial.options, steps=study.steps)


def pickled(job: Job) -> bytes:
    """A job as bytes. cloudpickle, where it is installed, also packs functions of a notebook, local ones and lambdas.

    Raises `PreheatError` for a training function that cannot be sent to another process.
    """
    try:
        from cloudpickle import dumps
    except ImportError:
        from pickle import dumps
    try:
        return dumps(job)
    except Exception as error:
        raise PreheatError(
            f"the training function cannot be sent to a process of its own ({error}); put it into a module, "
            "pip install cloudpickle, or pass engine='inline'"
        ) from None


def main(job: bytes, path: Path, driver: Connection, environment: dict[str, str], parent: int) -> None:
    """The process of one run, which leads a group of its own.

    Sends `("begins",)` when the training is called, `("step", …)`, `("failed", message)` at the end of one that leaves no
    record, and last `("ended",)`: the end of the connection may not come, because processes that the training left behind
    hold it too.
    """
    ended = list[int]()
    _lead(parent, ended.append)
    os.environ.update(environment)
    try:
        failure = carry_out(
            lambda: pickle.loads(job),
            path,
            lambda *progress: _send(driver, "step", *progress),
            lambda: bool(ended),
            lambda: _send(driver, "begins"),
        )
        if failure:
            _send(driver, "failed", failure + see(path))
        _send(driver, "ended")
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a killed driver's worker system and watchdog ask, one each:
        partial_path(path, os.getpid()).unlink(missing_ok=True)  # the second may have come while this was done
        if os.getppid() != parent:  # the watchdog may have been killed too
            end([os.getpid()])
        raise
    finally:
        driver.close()


def _lead(parent: int, note: Callable[[int], None]) -> None:
    """Make this process the leader of its group, that ends at SIGTERM, and on Linux with the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver alone decides

    def stop(number: int, frame: object) -> None:
        note(number)
        raise Stopped(128 + number)  # so that what the run has started is ended with it

    signal.signal(signal.SIGTERM, stop)
    lead()
    if sys.platform.startswith("linux"):  # where the watchdog was killed too
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    if os.getppid() != parent:
        raise Stopped(1)


def _send(driver: Connection, *message: object) -> None:
    """Tell the driver. Raises `Stopped` where it has ended: nobody would read the record."""
    try:
        driver.send(message)
    except OSError:
        raise Stopped(1) from None


def error_line(error: BaseException, hidden: Iterable[str] = ()) -> str:
    """One line: what was raised, and where. hidden: secrets that it may quote."""
    if isinstance(error, PreheatError):
        return without(str(error), hidden)
    told = traceback.TracebackException.from_exception(error)  # also of an error that cannot be printed
    frames = told.stack
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, SystemExit):
        return f"the training ended its process by sys.exit({without(shown(error.code), hidden)}){place}"
    if isinstance(error, KeyboardInterrupt):
        return f"the training raised KeyboardInterrupt itself{place}"
    text = printable(without(" ".join(str(told).split()), hidden))[:LONGEST]
    return f"{type(error).__name__}: {text or 'no message'}{place}"


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
