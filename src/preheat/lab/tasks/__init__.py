"""The built-in training tasks of `preheat compare`: real data, no download, no torch until one is loaded.

A task is one module with its options and its `load`, and one line of `TASKS`.
"""

from typing import TYPE_CHECKING

from preheat.core.errors import PreheatError, shown
from preheat.lab.tasks.bytes import BytesOptions
from preheat.lab.tasks.digits import DigitsOptions
from preheat.lab.tasks.options import TrainingOptions

if TYPE_CHECKING:
    from preheat.lab.tasks.training import Task

__all__ = ["TASKS", "BytesOptions", "DigitsOptions", "TrainingOptions", "load"]

TASKS: dict[str, type[TrainingOptions]] = {"bytes": BytesOptions, "digits": DigitsOptions}
"""The options of each built-in task by its name, as the command line lists them."""


def load(options: TrainingOptions) -> "Task":
    """The task that `options` describe, its data read and ready. Imports torch.

    Raises `PreheatError` where the data is not on this machine, or options ask more of it than it has.
    """
    if type(options) not in TASKS.values():
        known = ", ".join(owner.__name__ for owner in TASKS.values())
        raise PreheatError(f"no task has the options {shown(options)}; write one of {known}")
    return options.load()
