"""What happens inside the process of one run: train, write the record, report progress to the driver.

The driver never imports torch; whatever the trainer needs is imported here.
"""

import importlib
import math
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from preheat.core.errors import PreheatError
from preheat.lab.experiment import Trial
from preheat.lab.outcome import Log, Notify, result_of
from preheat.lab.records import Writer, header
from preheat.lab.secrets import Mask


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


def perform(job: Job, notify: Notify) -> None:
    """Train and write the record; `notify(step, loss, lr)` is called from time to time."""
    trial = job.trial
    train = _trainer(trial)
    if torch := sys.modules.get("torch"):  # the trainer brought it; else every worker would use every core
        torch.set_num_threads(job.threads)
    with Writer(job.path, header(trial, job.threads)) as record:
        log = Log(record, trial, notify)
        start = time.perf_counter()
        returned = train(trial.target, trial.seed, log)
        record.end(result_of(returned, log), time.perf_counter() - start)


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


def main(job: bytes, driver: Connection, environment: dict[str, str]) -> None:
    """The process of one run. Sends `("step", …)`, and `("failed", message)` at the end of one that leaves no record."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver alone decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what the run has started is ended with it
    os.environ.update(environment)
    try:
        perform(pickle.loads(job), lambda *progress: driver.send(("step", *progress)))
    except BrokenPipeError:
        sys.exit(1)  # the driver has ended: nobody would read the record
    except Exception as error:
        driver.send(("failed", error_line(error)))
    finally:
        driver.close()


def error_line(error: BaseException) -> str:
    """One line: what was raised, and where."""
    name = type(error).__name__
    if isinstance(error, PreheatError):
        return f"{name}: {Mask().text(str(error))}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{name}: {Mask().text(str(error).strip()) or 'no message'}{place}"


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
