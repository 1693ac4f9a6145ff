"""The built-in training tasks of `preheat compare`: real data, no download, nothing bound to torch until `load`."""

from typing import TYPE_CHECKING

from preheat.core.errors import PreheatError, shown
from preheat.lab.tasks.options import TASKS, BytesOptions, DigitsOptions, TrainingOptions

if TYPE_CHECKING:
    from preheat.lab.tasks.training import Task

__all__ = ["TASKS", "BytesOptions", "DigitsOptions", "TrainingOptions", "load"]


def load(options: TrainingOptions) -> "Task":
    """The task that `options` describe, its data read and ready. Imports torch.

    Raises `PreheatError` where the data is not on this machine, or options ask more of it than it has.
    """
    match options:
        case BytesOptions():
            from preheat.lab.tasks.bytes import Bytes

            return Bytes(options)
        case DigitsOptions():
            from preheat.lab.tasks.digits import Digits

            return Digits(options)
    known = ", ".join(owner.__name__ for owner in TASKS.values())
    raise PreheatError(f"no task has the options {shown(options)}; write one of {known}")
