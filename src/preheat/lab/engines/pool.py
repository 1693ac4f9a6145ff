"""Any `concurrent.futures.Executor` as an engine: the standard library's, loky's, dask's, mpi4py's."""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from tempfile import NamedTemporaryFile
from typing import Any

from preheat.core.checks import whole_number
from preheat.core.errors import PreheatError, shown
from preheat.lab.engines.base import Events, cores
from preheat.lab.engines.remote import attempt, check_amount, event_of, lost_text
from preheat.lab.running.worker import Event, Job, pickled

PATIENCE = 10.0
"""Seconds in which runs on this machine end when the comparison is stopped."""

EXAMPLE = "ProcessPoolExecutor(4, mp_context=get_context('spawn'), max_tasks_per_child=1)"


class Futures:
    """Runs are handed to an executor that you made and that stays yours.

        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(4, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            preheat.compare(train, arms=..., engine=Futures(pool))

    Also `loky.get_reusable_executor(4)`, `dask.distributed.Client(...).get_executor()`,
    `mpi4py.futures.MPIPoolExecutor()`. A process should carry out one run only (`max_tasks_per_child=1`): in the next,
    torch would keep threads and random states of the one before. dask's workers need `threads_per_worker=1`.

    workers: runs at a time; default: what the executor says of itself. Where it says nothing, all are submitted at
    once. cpus: threads that each run may use; default: the cores of this machine, shared among the workers.
    limit: seconds after which a run is ended; not with dask, which runs in threads. No progress comes back, so a run that
    hangs cannot be told from a slow one.

    A worker that dies breaks a ProcessPoolExecutor, with all that is running in it; what is finished stays, and the
    same call with a new executor goes on. When the comparison is stopped, runs on this machine end within seconds;
    elsewhere only what has not begun is cancelled. Threads are refused: the runs would share one torch.
    """

    def __init__(
        self,
        executor: Executor | Any,
        workers: int | None = None,
        *,
        cpus: int | None = None,
        limit: float | None = None,
    ) -> None:
        if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
            raise PreheatError(f"an executor is made beforehand, for example {EXAMPLE}; this is {shown(executor)}")
        if isinstance(executor, ThreadPoolExecutor):
            raise PreheatError(f"runs in threads would share one torch, its threads and seeds; write {EXAMPLE}")
        self.executor = executor
        self.workers = _worker_count(executor) if workers is None else workers
        self.cpus, self.limit = cpus, limit
        for name, value in (("workers", workers), ("cpus", cpus)):
            if value is not None:
                whole_number(value, name, 1)
        if limit is not None:
            check_amount(limit, "limit")

    def threads(self, runs: int) -> int:
        """`cpus`, or the cores of this machine shared among the runs that go on at a time."""
        return self.cpus or max(1, cores() // max(1, min(self.workers or runs, runs)))

    def run(self, jobs: Sequence[Job]) -> Events:
        """As many at a time as there are workers."""
        waiting = deque(jobs)
        running: dict[Any, Job] = {}
        done: SimpleQueue[Any] = SimpleQueue()
        at_once = self.workers or max(1, len(waiting))
        with stop_file() as path:
            try:
                while waiting or running:
                    while waiting and len(running) < at_once:
                        job, failure = waiting.popleft(), ""
                        try:
                            future = self.executor.submit(attempt, pickled(job), job.environment, self.limit, path)
                        except RuntimeError as error:  # it is broken or was shut down
                            failure = _failure_text(error)
                        else:
                            running[future] = job
                            future.add_done_callback(done.put)
                        yield Event(job, "started")
                        if failure:
                            yield event_of(job, failure)
                    if running:
                        future = done.get()
                        yield event_of(running.pop(future), _answer(future))
            finally:
                os.unlink(path)
                _cancel(running, done)


def _worker_count(executor: Any) -> int | None:
    """How many tasks the executor carries out at a time, where it says so."""
    for name in ("_max_workers", "num_workers"):
        if isinstance(value := getattr(executor, name, None), int) and value > 0:
            return value
    return None


@contextmanager
def stop_file() -> Iterator[str]:
    """The path of a file that is there as long as the runs are wanted: when it is removed, they end (`remote.Watch`).

    It holds the number of this process.
    """
    with NamedTemporaryFile("w", prefix="preheat-", delete=False) as file:
        path = file.name
        file.write(str(os.getpid()))
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _answer(future: Any) -> bytes | str:
    """What `attempt` gave back, or why it gave nothing."""
    try:
        error = future.exception()
    except CancelledError as cancelled:
        error = cancelled
    return future.result() if error is None else _failure_text(error)


def _failure_text(error: BaseException) -> str:
    """One line for a run that the executor lost."""
    if isinstance(error, BrokenExecutor):
        return "a worker died (out of memory?), and the executor with all that it held; make a new one and call again"
    return lost_text("the executor", error)


def _cancel(running: dict[Any, Job], done: SimpleQueue[Any]) -> None:
    """Cancel what has not begun, and give what has begun the time to end."""
    for future in running:
        future.cancel()
    left, end = set(running), time.monotonic() + PATIENCE
    with suppress(Empty):
        while left:
            left.discard(done.get(timeout=max(0.0, end - time.monotonic())))
