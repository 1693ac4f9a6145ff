"""Engines by name: those of preheat, and those that installed packages register.

A package adds one by an entry point, whose value is a class with the methods of `engines.base.Engine`:

    [project.entry-points."preheat.engines"]
    kubernetes = "my_package:Kubernetes"
"""

from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from typing import Any

from preheat.core.checks import one_of
from preheat.core.errors import PreheatError, shown
from preheat.lab.engines.base import Engine
from preheat.lab.engines.pool import Futures

GROUP = "preheat.engines"

BUILT_IN = {
    "processes": "preheat.lab.engines.processes:Processes",
    "inline": "preheat.lab.engines.base:Inline",
    "ray": "preheat.lab.engines.ray:Ray",
    "slurm": "preheat.lab.engines.slurm:Slurm",
}


def engines() -> dict[str, EntryPoint]:
    """All engines by name, preheat's first: no package can take one of their names. Nothing is loaded."""
    own = {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
    return {**own, **{found.name: found for found in entry_points(group=GROUP) if found.name not in own}}


def engine_named(name: str, **settings: Any) -> Engine:
    """The engine of that name. settings: what its class takes; those that are None are left out.

    Raises `PreheatError` for an unknown name, for a setting that this engine does not have, and for one that cannot be
    loaded: ray and slurm need their package.
    """
    known = engines()
    entry = known[one_of(name, "engine", known)]
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as error:
        raise PreheatError(f"the engine {name} ({entry.value}) cannot be loaded: {error}") from None
    given = {key: value for key, value in settings.items() if value is not None}
    takes = signature(kind).parameters
    any_key = any(one.kind is Parameter.VAR_KEYWORD for one in takes.values())
    if wrong := [key for key in given if key not in takes and not any_key]:
        raise PreheatError(f"the engine {name} takes no {wrong[0]}; what it takes: {', '.join(takes) or 'nothing'}")
    return kind(**given)


def as_engine(engine: Any, **settings: Any) -> Engine:
    """An engine by its name, an engine as it is, or any `concurrent.futures.Executor`."""
    if isinstance(engine, str):
        return engine_named(engine, **settings)
    if isinstance(engine, Engine):
        return engine
    if hasattr(engine, "submit"):
        return Futures(engine)
    raise PreheatError(f"an engine is one of {', '.join(engines())}, an Engine or an Executor, not {shown(engine)}")
