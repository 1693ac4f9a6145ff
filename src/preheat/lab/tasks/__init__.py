"""The built-in training tasks of `preheat compare`: real data, no download, no torch until one is loaded.

A task is one module here with its options and their `load`: the command line finds it.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from preheat.core.errors import PreheatError, shown
from preheat.lab.tasks.bytes import BytesOptions
from preheat.lab.tasks.digits import DigitsOptions
from preheat.lab.tasks.options import TASKS, TrainingOptions

if TYPE_CHECKING:
    from preheat.lab.tasks.training import Task

__all__ = ["TASKS", "BytesOptions", "DigitsOptions", "TrainingOptions", "load"]

_SUPPORT = ("corpus", "models", "options", "training")  # what tasks are made of

for _module in iter_modules(__path__):
    if _module.name not in _SUPPORT:
        import_module(f"{__name__}.{_module.name}")


def load(options: TrainingOptions) -> "Task":
    """The task that `options` describe, its data read and ready. Imports torch.

    Raises `PreheatError` where the data is not on this machine, or options ask more of it than it has.
    """
    if type(options) not in TASKS.values():
        known = ", ".join(owner.__name__ for owner in TASKS.values())
        raise PreheatError(f"no task has the options {shown(options)}; write one of {known}")
    return options.load()
