"""Where runs are carried out. An engine takes jobs and tells what becomes of each, in the order in which it happens.

    class Engine(Protocol):
        def threads(self, runs: int) -> int: ...                  # CPU threads that each of so many runs may use
        def run(self, jobs: Sequence[Job]) -> Events: ...         # a generator of events

Closing the generator, as Ctrl-C does, ends what is still running; finished records stay. A job counts as finished only
when its record lies under its own name, whoever wrote it.
"""

import os
from collections.abc import Generator, Sequence
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.worker import Event, Job, described, perform

Events = Generator[Event, None, None]


@runtime_checkable
class Engine(Protocol):
    """The whole contract."""

    def threads(self, runs: int) -> int:
        """CPU threads for each run, where there are `runs` of them in all."""
        ...

    def run(self, jobs: Sequence[Job]) -> Events:
        """Carry the jobs out; for every job "started", and at last "finished" or "failed"."""
        ...


class Inline:
    """One run after the other in this process: for debuggers and tests."""

    def threads(self, runs: int) -> int:
        """All cores: nothing else is running."""
        return cores()

    def run(self, jobs: Sequence[Job]) -> Events:
        """In the order of the jobs; an exception of one run does not end the others."""
        for job in jobs:
            yield Event(job, "started")
            try:
                perform(job, lambda step, loss, rate: None)
            except Exception as error:
                yield Event(job, "failed", message=described(error))
            else:
                yield Event(job, "finished")


ENGINES = {
    "processes": ("processes", "Processes"),
    "inline": ("base", "Inline"),
    "ray": ("ray", "Ray"),
    "slurm": ("slurm", "Slurm"),
}
"""Module and class of each engine: loaded when it is asked for."""


def engine_named(name: str, **settings: Any) -> Engine:
    """The engine of that name. settings: what its class takes; those that are None are left out.

    Raises `PreheatError` for an unknown name, for a setting that this engine does not have, and for ray and slurm where
    their package is not installed.
    """
    if name not in ENGINES:
        raise PreheatError(f"unknown engine {shown(name)}{nearest(str(name), ENGINES)}")
    module, kind = ENGINES[name]
    engine = getattr(import_module(f"preheat.lab.engines.{module}"), kind)
    given = {key: value for key, value in settings.items() if value is not None}
    known = signature(engine).parameters
    open_ended = any(one.kind is Parameter.VAR_KEYWORD for one in known.values())
    if wrong := [key for key in given if key not in known and not open_ended]:
        raise PreheatError(f"the engine {name} takes no {wrong[0]}; what it takes: {', '.join(known) or 'nothing'}")
    return engine(**given)


def as_engine(engine: Any, **settings: Any) -> Engine:
    """An engine by its name, an engine as it is, or any `concurrent.futures.Executor`."""
    if isinstance(engine, str):
        return engine_named(engine, **settings)
    if isinstance(engine, Engine):
        return engine
    if hasattr(engine, "submit"):
        from preheat.lab.engines.pool import Futures

        return Futures(engine)
    raise PreheatError(f"an engine is one of {', '.join(ENGINES)}, an Engine or an Executor, not {shown(engine)}")


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def deliver(path: Path, record: bytes) -> None:
    """Put a record that came from another machine under its own name, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(record)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
