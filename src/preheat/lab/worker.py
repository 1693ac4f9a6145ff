"""What happens inside the process of one run: train, write the record, tell the driver now and then.

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
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from preheat.core.errors import PreheatError
from preheat.lab.experiment import Trial
from preheat.lab.outcome import Log, Notify, result_of
from preheat.lab.records import Writer, header


@dataclass(frozen=True, slots=True)
class Job:
    """A trial, where its record goes, and how many threads it may use."""

    trial: Trial
    path: Path
    threads: int


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
    """Train and write the record; `notify(step, loss, lr)` is called now and then while it goes on."""
    trial = job.trial
    train = bound_trainer(trial)
    limit_threads(job.threads)
    with Writer(job.path, header(trial, job.threads)) as record:
        log = Log(record, trial, notify)
        start = time.perf_counter()
        returned = train(trial.target, trial.seed, log)
        record.end(result_of(returned, log), time.perf_counter() - start)


def bound_trainer(trial: Trial) -> Callable[..., Any]:
    """What is called as `train(schedule, seed, log)`."""
    study = trial.study
    if study.function is not None:
        return study.function
    return partial(trainer(study.trainer), trial.options, steps=study.steps)


def trainer(reference: str) -> Callable[..., dict[str, Any]]:
    """The function that `module:function` names."""
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        hint = "; pip install 'preheat[lab]'" if error.name in ("torch", "sklearn") else ""
        raise PreheatError(
            f"the trainer {reference!r} needs the module {error.name!r}, which is not installed{hint}"
        ) from None
    except AttributeError:
        raise PreheatError(f"the module {module!r} has no function {name!r} to train with") from None


def limit_threads(threads: int) -> None:
    """Tell torch, if the trainer brought it; else every worker would use every core."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


def packed(job: Job) -> bytes:
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
    """The process of one run. Sends `("step", …)` and lastly `("failed", message)`; a record speaks for itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver alone decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what the run has started is ended with it
    os.environ.update(environment)
    try:
        perform(pickle.loads(job), lambda *progress: driver.send(("step", *progress)))
    except BrokenPipeError:
        sys.exit(1)  # the driver is gone: nobody would read the record
    except Exception as error:
        driver.send(("failed", described(error)))
    finally:
        driver.close()


def surroundings(job: Job) -> dict[str, str]:
    """Environment variables that must be set before the job is unpacked: they are read when torch is imported."""
    return {"OMP_NUM_THREADS": str(job.threads), "MKL_NUM_THREADS": str(job.threads)}


def returned(job: bytes, environment: dict[str, str]) -> bytes:
    """Carry out a job on another machine, and return its record: no file system needs to be shared.

    Engines for clusters call it there. Whatever goes wrong is raised as a `PreheatError` that holds one line of text.
    """
    os.environ.update(environment)
    found: Job = pickle.loads(job)
    with TemporaryDirectory() as folder:
        here = replace(found, path=Path(folder) / found.path.name)
        try:
            perform(here, lambda step, loss, rate: None)
        except Exception as error:
            raise PreheatError(described(error)) from None
        return here.path.read_bytes()


def described(error: BaseException) -> str:
    """One line: what was raised, and where."""
    name = type(error).__name__
    if isinstance(error, PreheatError):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{name}: {str(error).strip() or 'no message'}{place}"
