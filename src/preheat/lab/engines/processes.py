"""The default engine: a fresh process for every run, one GPU for each where there are some.

Each leads a process group of its own (`lab.groups`). Whatever it started and left there is ended before its run counts as
finished or failed; where the driver is killed, a watchdog does that.
"""

import contextlib
import math
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from preheat.core.checks import positive_number, whole_number
from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Events, cores
from preheat.lab.records.record import partial_path
from preheat.lab.running.groups import Guard, has_ended, leading
from preheat.lab.running.signals import STOPPING
from preheat.lab.running.worker import Event, Job, main, pickled, signal_name

INTERVAL = 0.5
"""Seconds between two checks whether a worker that sends nothing is still alive."""

GRACE = 5.0
"""Seconds that a worker has for its exit once it has sent its last message."""

POLL = 0.01
"""Seconds between two looks at a worker that is about to exit."""

PATIENCE = 3600.0
"""Seconds without a logged update after which a run counts as hung; at least so many may pass until its training begins."""


@dataclass(slots=True)
class _Worker:
    """A process, its job, the connection on which it reports, its slot, the guard, when its last report came, and whether
    its training has begun."""

    job: Job
    process: SpawnProcess
    connection: Connection
    slot: int
    guard: Guard
    reported: float = field(default_factory=time.monotonic)
    begun: bool = False


class Processes:
    """At most `jobs` runs at a time, each in a process of its own (spawned): one that dies does not touch the others.

    A training may start processes itself, `DataLoader(num_workers=4)` too; they end with its run. One that makes a session of
    its own and survives who started it is beyond that.

    jobs: by default one for each GPU, without GPUs one for each core. gpus: GPUs that each run sees, by
    CUDA_VISIBLE_DEVICES; 0 leaves the variable as it is. patience: seconds without a logged update until a run is ended,
    counted from the call of the training function; what comes before has an hour, or longer with more patience.
    """

    def __init__(self, jobs: int | None = None, gpus: int = 1, patience: float = PATIENCE) -> None:
        whole_number(gpus, "gpus")
        self.devices = accelerators() if gpus else []
        if self.devices and gpus > len(self.devices):
            raise PreheatError(f"a run cannot have {gpus} GPUs where there are {len(self.devices)}")
        self.gpus = gpus
        self.patience = patience if patience == math.inf else positive_number(patience, "patience")
        if jobs is None:
            jobs = len(self.devices) // gpus if self.devices else cores()
        self.jobs = whole_number(jobs, "jobs", 1)

    def threads(self, runs: int) -> int:
        """The cores, shared among the runs that go on at a time."""
        return max(1, cores() // min(self.jobs, runs))

    def run(self, jobs: Sequence[Job]) -> Events:
        """As many at a time as there are places."""
        if not jobs:
            return
        waiting, running = deque(jobs), list[_Worker]()
        with Guard(str(jobs[0].path.parent.parent / ".lock")) as guard:
            try:
                while waiting or running:
                    guard.renew()
                    while waiting and len(running) < self.jobs:
                        taken = {worker.slot for worker in running}
                        with _signals_blocked():
                            slot = min(set(range(self.jobs)) - taken)
                            running.append(self._start(waiting.popleft(), slot, guard))
                        yield Event(running[-1].job, "started")
                    ready = wait([worker.connection for worker in running], timeout=INTERVAL)
                    for worker in list(running):
                        if events := self._events(worker, worker.connection in ready):
                            if events[-1].kind in ("finished", "failed"):
                                running.remove(worker)
                            yield from events
            finally:
                _stop(running)

    def _start(self, job: Job, slot: int, guard: Guard) -> _Worker:
        """A process for `job`, an ordinary one: those that multiprocessing calls daemonic may have no children."""
        context = get_context("spawn")
        connection, end = context.Pipe(duplex=False)
        shared = [slot * self.gpus + k for k in range(self.gpus)] if self.devices else []
        environment = job.environment
        if shared:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self.devices[at % len(self.devices)] for at in shared)
        arguments = (pickled(job), job.path, end, environment, os.getpid())
        process = context.Process(target=main, args=arguments, name=job.trial.name, daemon=False)
        process.start()
        guard.begin(process.pid or 0)
        end.close()  # only the worker and what it starts have a copy now
        return _Worker(job, process, connection, slot, guard)

    def _events(self, worker: _Worker, ready: bool) -> list[Event]:
        """What has become of a worker since the last look."""
        alive = not _has_ended(worker.process)  # asked first: what it sent before it died has then arrived
        events, ended = _received(worker) if ready or not alive else ([], False)
        if ended or not alive:
            return [*events, *_end_of(worker, events)]
        limit = self.patience if worker.begun else max(self.patience, PATIENCE)
        if time.monotonic() - worker.reported > limit:
            _stop([worker])
            return [*events, Event(worker.job, "failed", message=_hung(limit, worker.begun))]
        return events


def _hung(limit: float, begun: bool) -> str:
    """What is said of a run that was ended because nothing was heard of it."""
    if not begun:
        return f"ended: its training had not begun after {limit:g} s. What its modules import hangs, or takes longer"
    return (
        f"ended: nothing was logged for {limit:g} s. If it hangs, py-spy dump shows where; "
        "if it is only slow, log more often or raise patience"
    )


def accelerators() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; torch is not asked, it is slow to load."""
    if (given := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    if (tool := shutil.which("nvidia-smi")) is None:
        return []
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(at) for at, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Ctrl-C and its like wait until the block is over: a process that has started is then known to be there.

    A process that is started inside inherits that, or one that is still importing would print a traceback. No effect
    on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(worker: _Worker) -> tuple[list[Event], bool]:
    """What the worker has sent since the last look, and whether nothing more will come."""
    events: list[Event] = []
    try:
        while worker.connection.poll():
            message, worker.reported = worker.connection.recv(), time.monotonic()
            match message:
                case ("begins",):
                    worker.begun = True
                case ("step", int(step), float(loss), float(rate)):
                    events.append(Event(worker.job, "step", step, loss, rate))
                case ("failed", str(message)):
                    return [*events, Event(worker.job, "failed", message=message)], True
                case ("ended",):
                    return events, True
    except (EOFError, OSError):
        return events, True
    return events, False


def _end_of(worker: _Worker, sent: list[Event]) -> list[Event]:
    """What became of a worker that sends no more. The record decides, not the way in which the process ended."""
    limit = time.monotonic() + GRACE
    while not _has_ended(worker.process) and time.monotonic() < limit:
        time.sleep(POLL)
    _stop([worker])
    if any(event.kind == "failed" for event in sent):
        return []
    if worker.job.path.exists():  # it gets its name when its end is on the disk; the driver looks at what is in it
        return [Event(worker.job, "finished")]
    return [Event(worker.job, "failed", message=exit_reason(worker.process.exitcode or 0, worker.begun))]


def exit_reason(code: int, begun: bool = False) -> str:
    """Why a process ended that left neither a record nor a message, as far as its exit code says, and whether its training
    had begun."""
    if code < 0 or code == 128 + signal.SIGTERM:  # a worker that is asked to end gives this code
        name = signal_name(-code if code < 0 else signal.SIGTERM)
        return f"the process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    guard = code == 1 and not begun
    hint = "; a script that starts a comparison needs `if __name__ == '__main__':` around it" if guard else ""
    return f"the process ended with exit code {code} and no record{hint}"


def _has_ended(process: SpawnProcess) -> bool:
    """Whether a worker has ended; it is not reaped where the system can say so otherwise."""
    ended = has_ended(process.pid or 0)
    return not process.is_alive() if ended is None else ended


def _stop(workers: list[_Worker]) -> None:
    """End workers and all that is left in their groups, and remove their unfinished records."""
    for worker in workers:
        if not _has_ended(worker.process) and not leading(worker.process.pid or 0):
            worker.process.kill()  # it is still importing: nothing has begun
    if workers:
        workers[0].guard.end([worker.process.pid or 0 for worker in workers])
    for worker in workers:
        worker.process.join()
        worker.connection.close()
        partial_path(worker.job.path, worker.process.pid or 0).unlink(missing_ok=True)
