"""A Ray cluster as an engine: Ray Core tasks, nothing of Ray's other parts.

Ray is imported only when runs begin. What was finished when a cluster went down is in the folder; the same call goes on
with the rest.
"""

import contextlib
import logging
import math
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from preheat.core.checks import whole_number
from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Events
from preheat.lab.engines.remote import attempt, check_amount, event_of, first_line, lost_text, require
from preheat.lab.running.worker import Event, Job, pickled

INTERVAL = 1.0
"""Seconds between two looks at a cluster."""

PATIENCE = 10.0
"""Seconds that interrupted runs have to end by themselves, so that what they started ends with them."""

NOISE = "A worker died|Task attempt failed|Raylet is terminated|The node with node id|memory pressure"
"""What Ray's nodes print in the driver's terminal even where their output is not wanted."""


class Ray:
    """Each run a Ray task in a process of its own, on any node that has room for it.

    address: "auto", "host:port" or "ray://host:port" of a cluster; by default the one of RAY_ADDRESS, or one that runs
    on this machine, else Ray is started here and ended with the comparison. Where `ray.init` was called before, that
    connection is used, and kept.
    cpus, gpus: what a run takes, and gets; fractions are Ray's. jobs: runs at a time; default: what fits.
    retries: how often a run begins again when its process or its node is lost. An error of the training is not tried
    again.
    limit: seconds after which a run is ended. No progress comes back, so a run that hangs cannot be told from a slow one;
    one that hangs outside Python loses its process 30 s later, and is tried again.
    runtime_env: Ray's, for nodes that lack preheat or your module: {"pip": ["preheat[torch]"], "working_dir": "."}.

    "Started" means that there is room for the run: what else is going on in the cluster is not known.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: float = 1,
        gpus: float = 0,
        jobs: int | None = None,
        retries: int = 2,
        limit: float | None = None,
        runtime_env: dict[str, Any] | None = None,
    ) -> None:
        require("ray", "ray")
        check_amount(cpus, "cpus")
        check_amount(gpus, "gpus", zero=True)
        whole_number(retries, "retries")
        if jobs is not None:
            whole_number(jobs, "jobs", 1)
        if limit is not None:
            check_amount(limit, "limit")
        self.address, self.cpus, self.gpus, self.jobs, self.limit = address, cpus, gpus, jobs, limit
        self.options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_retries": retries,
            "retry_exceptions": False,
            "max_calls": 1,  # a fresh process for every run: torch keeps threads and random states
            "runtime_env": runtime_env,
        }

    def threads(self, runs: int) -> int:
        """As many as a run has CPUs."""
        return max(1, math.floor(self.cpus))

    def run(self, jobs: Sequence[Job]) -> Events:
        """As many at a time as the cluster has room for; as many again wait there, so that one that grows will grow."""
        ray = _import_ray()
        waiting, running, started = deque(jobs), dict[Any, Job](), set[Job]()
        with _connected(ray, self.address):
            self._warn_if_nothing_fits(ray)
            remote: Any = ray.remote(**self.options)(attempt)
            try:
                while waiting or running:
                    room = self._room(ray)
                    while waiting and len(running) < (self.jobs or 2 * room):
                        job = waiting.popleft()
                        running[remote.remote(pickled(job), job.environment, self.limit)] = job
                    for job in list(running.values())[:room]:
                        if job not in started:
                            started.add(job)
                            yield Event(job, "started")
                    for ref in _ended(ray, running):
                        job = running[ref]
                        if job not in started:
                            yield Event(job, "started")
                        yield event_of(job, self._answer(ray, ref))
                        del running[ref]
            finally:
                _cancel(ray, list(running))

    def _room(self, ray: Any) -> int:
        """Runs that the nodes have room for, were they empty; at least one, for nodes that have yet to come."""
        return max(1, min(fits := self._fits(ray), self.jobs or fits))

    def _fits(self, ray: Any) -> int:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        asked = [("CPU", self.cpus), *([("GPU", self.gpus)] if self.gpus else [])]
        return sum(min(int(node.get(kind, 0) / share) for kind, share in asked) for node in nodes)

    def _warn_if_nothing_fits(self, ray: Any) -> None:
        """Say so where a run would wait for ever; a cluster that grows on demand may yet get such a node."""
        if not self._fits(ray):
            text = f"no node of the Ray cluster has cpus={self.cpus:g} gpus={self.gpus:g}; runs wait until one comes"
            warnings.warn(text, stacklevel=3)

    def _answer(self, ray: Any, ref: Any) -> bytes | str:
        """What `attempt` gave back, fetched now."""
        try:
            return ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            return lost_text("Ray", error.cause)
        except ray.exceptions.RayError as error:
            tries = self.options["max_retries"] + 1
            return f"{lost_text('Ray', error)} ({tries} tries)"


@contextlib.contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to Ray; one that was there before stays."""
    if ray.is_initialized():
        yield
        return
    own = {} if address else {"include_dashboard": False}
    try:
        with _quiet():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise PreheatError(
            f"no Ray cluster at {address or 'this machine'!r} ({first_line(error)}); start one with: ray start --head"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    """Ray, which is not to print what becomes of workers and nodes: the events say so in one line."""
    with _quiet():
        import ray
    return ray


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Environment variables for Ray's import and start: nothing is printed or counted; those that you set stay."""
    wanted = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else some versions advise on it at length
        "RAY_DEDUP_LOGS_SKIP_REGEX": NOISE,
    }
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _ended(ray: Any, refs: Iterable[Any]) -> list[Any]:
    """The tasks that have ended, of which there may be none yet. Raises `PreheatError` where the cluster has failed."""
    try:
        return ray.wait(list(refs), timeout=INTERVAL)[0]
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise PreheatError(f"{lost_text('Ray', error)}; what is finished is kept, the same call goes on") from None


def _cancel(ray: Any, refs: list[Any]) -> None:
    """Interrupt what is running, and end what does not end by itself."""
    for force in (False, True):
        if refs:
            for ref in refs:
                with contextlib.suppress(Exception):  # a cluster that has failed has nothing left to cancel
                    ray.cancel(ref, force=force)
            with contextlib.suppress(Exception):
                refs = ray.wait(refs, num_returns=len(refs), timeout=PATIENCE)[1]
