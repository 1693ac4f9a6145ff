"""What happens inside the process of one run: train, write the record, tell the driver now and then.

The driver never imports torch; whatever the trainer needs is imported here.
"""

import importlib
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.experiment import Trial
from preheat.lab.records import Writer, header

INTERVAL = 0.1
"""Seconds between two reports of progress: a report costs about 20 µs, and nobody reads faster."""


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


Notify = Callable[[int, float, float], None]


def perform(job: Job, notify: Notify) -> None:
    """Train and write the record; `notify(step, loss, rate)` is called at most every `INTERVAL` seconds."""
    study, told = job.trial.study, -math.inf
    train = trainer(study.trainer)
    limit_threads(job.threads)
    with Writer(job.path, header(job.trial, job.threads)) as record:

        def on_step(step: int, loss: float, rate: float, grad_norm: float | None) -> None:
            nonlocal told
            record.step(step, loss, rate, grad_norm)
            if (now := time.monotonic()) - told >= INTERVAL:
                told = now
                notify(int(step), float(loss), float(rate))

        schedule = preheat.parse(job.trial.arm.spec)
        start = time.perf_counter()
        result = train(study.options, schedule, seed=job.trial.seed, steps=study.steps, on_step=on_step)
        record.end(result, time.perf_counter() - start)


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


def main(job: Job, driver: Connection) -> None:
    """The process of one run. Sends `("step", …)` and lastly `("failed", message)`; a record speaks for itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver alone decides
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is imported
        os.environ[variable] = str(job.threads)
    try:
        perform(job, lambda *progress: driver.send(("step", *progress)))
    except BrokenPipeError:
        sys.exit(1)  # the driver is gone: nobody would read the record
    except Exception as error:
        driver.send(("failed", described(error)))
    finally:
        driver.close()


def described(error: BaseException) -> str:
    """One line: what was raised, and where."""
    name = type(error).__name__
    if isinstance(error, PreheatError):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{name}: {str(error).strip() or 'no message'}{place}"
