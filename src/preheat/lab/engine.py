"""Where runs are carried out: in processes of their own (the default), or in this one for a debugger.

An engine is a generator of events. Closing it, as Ctrl-C does, ends what is still running; finished records stay.
"""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.records import is_of, partial_path, read_record
from preheat.lab.worker import Event, Job, described, main, perform

PATIENCE = 0.5
"""Seconds between two looks at whether a silent worker still lives."""

GRACE = 5.0
"""Seconds that a worker has for its exit once it has closed its line, or was told to end."""

Events = Generator[Event, None, None]
Engine = Callable[[Sequence[Job], int], Events]


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def engine_named(name: str) -> Engine:
    """`processes` or `inline`."""
    if name not in ENGINES:
        raise PreheatError(f"unknown engine {shown(name)}{nearest(str(name), ENGINES)}")
    return ENGINES[name]


def inline(jobs: Sequence[Job], limit: int) -> Events:
    """One run after the other in this process: for debuggers and tests. `limit` has no part in it."""
    for job in jobs:
        yield Event(job, "started")
        try:
            perform(job, lambda step, loss, rate: None)
        except Exception as error:
            yield Event(job, "failed", message=described(error))
        else:
            yield Event(job, "finished")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, its job, and the line on which it reports."""

    job: Job
    process: SpawnProcess
    line: Connection


def processes(jobs: Sequence[Job], limit: int) -> Events:
    """A fresh process for every run, at most `limit` at a time; one that dies does not touch the others."""
    waiting, running = deque(jobs), list[Worker]()
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                running.append(start(waiting.popleft()))
                yield Event(running[-1].job, "started")
            ready = wait([worker.line for worker in running], timeout=PATIENCE)
            for worker in list(running):
                alive = worker.process.is_alive()  # asked first: what it sent before it died is then on the line
                if worker.line in ready or not alive:
                    events, ended = received(worker)
                    yield from events
                    if ended or not alive:
                        running.remove(worker)
                        yield from concluded(worker, events)
    finally:
        stop(running)


def start(job: Job) -> Worker:
    """A process for `job`. It is born deaf to Ctrl-C: otherwise one that is still importing would print a traceback."""
    context = get_context("spawn")
    line, end = context.Pipe(duplex=False)
    process = context.Process(target=main, args=(job, end), name=job.trial.name, daemon=True)
    with interrupts_held():
        process.start()
    end.close()  # the worker's copy is the only one left, so its death ends the line
    return Worker(job, process, line)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the block is over; what is started inside inherits the deafness. No effect on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def received(worker: Worker) -> tuple[list[Event], bool]:
    """What the worker has reported since the last look, and whether that was its last word."""
    events: list[Event] = []
    try:
        while worker.line.poll():
            match worker.line.recv():
                case ("step", int(step), float(loss), float(rate)):
                    events.append(Event(worker.job, "step", step, loss, rate))
                case ("failed", str(message)):
                    return [*events, Event(worker.job, "failed", message=message)], True
    except (EOFError, OSError):
        return events, True
    return events, False


def concluded(worker: Worker, said: list[Event]) -> list[Event]:
    """What became of a worker that says no more. The record decides, not the way in which the process ended."""
    stop([worker], patience=GRACE)
    if any(event.kind == "failed" for event in said):
        return []
    job = worker.job
    try:
        if is_of(read_record(job.path), job.trial):
            return [Event(job, "finished")]
    except PreheatError:
        pass
    return [Event(job, "failed", message=cause(worker.process.exitcode or 0))]


def cause(code: int) -> str:
    """Why a process that left neither a record nor a message is gone, as far as its exit code tells."""
    if code < 0:
        name = signal_name(-code)
        return f"the process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    hint = "; a script that starts a comparison needs `if __name__ == '__main__':` around it" if code == 1 else ""
    return f"the process ended with exit code {code} and no record{hint}"


def signal_name(code: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"signal {code}"


def stop(workers: list[Worker], patience: float = 0.0) -> None:
    """End workers, giving each `patience` seconds to do so by itself, and remove their half-written records."""
    for worker in workers:
        worker.process.join(patience)
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.line.close()
        if worker.process.pid is not None:
            partial_path(worker.job.path, worker.process.pid).unlink(missing_ok=True)


ENGINES: dict[str, Engine] = {"inline": inline, "processes": processes}
