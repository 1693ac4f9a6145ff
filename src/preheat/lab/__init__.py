"""Comparisons: train the same model under several schedules, and say what the difference is.

Names are loaded when they are asked for: a training script that only calls `preheat.log` loads no more than that.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.lab.api import compare
    from preheat.lab.client import from_env, log
    from preheat.lab.demo import demo_experiment
    from preheat.lab.driver import run_experiment
    from preheat.lab.experiment import Arm, Experiment, Metric, Study, grid

__all__ = [
    "Arm",
    "Experiment",
    "Metric",
    "Study",
    "compare",
    "demo_experiment",
    "from_env",
    "grid",
    "log",
    "run_experiment",
]

_HOMES = {
    "Arm": "experiment",
    "Experiment": "experiment",
    "Metric": "experiment",
    "Study": "experiment",
    "compare": "api",
    "demo_experiment": "demo",
    "from_env": "client",
    "grid": "experiment",
    "log": "client",
    "run_experiment": "driver",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.lab' has no attribute {name!r}")
    return getattr(import_module(f"preheat.lab.{_HOMES[name]}"), name)
