"""The engine that was asked for: by its name, as it is, or made of an executor."""

from importlib import import_module
from inspect import Parameter, signature
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.engines.base import Engine

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
