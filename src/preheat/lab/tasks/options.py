"""What the options of every built-in task share: frozen values, checked when they are made, loadable without torch.

The string under each field is its documentation; the command line shows it as the help of the flag of the same name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from preheat.core.checks import finite_number, whole_number
from preheat.core.errors import PreheatError, nearest, shown

if TYPE_CHECKING:
    from preheat.lab.tasks.training import Task

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
TASKS: dict[str, type["TrainingOptions"]] = {}
"""The options of each task by its name, as the command line lists them: known once their module is imported."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The optimizer and its peak rate. Raises `PreheatError` where a value cannot be used.

    A task adds its own fields and `load`: `class BytesOptions(TrainingOptions, task="bytes")`; the docstring of that class is
    its page of `preheat compare TASK --help`.
    """

    def __init_subclass__(cls, *, task: str = "") -> None:
        super().__init_subclass__()
        if task:
            TASKS[task] = cls

    optimizer: Optimizer = "adam"
    """The optimizer: adam, adamw, sgd (with momentum) or rmsprop."""

    peak: float = 4e-3
    """The peak learning rate, > 0; the schedule multiplies it."""

    beta1: float = 0.9
    """Decay of Adam's mean of the gradients, in [0, 1)."""

    beta2: float = 0.98
    """Decay of Adam's (and RMSprop's) mean of the squared gradients, in [0, 1)."""

    momentum: float = 0.9
    """Momentum of sgd, in [0, 1); 0 is plain gradient descent."""

    weight_decay: float = 0.0
    """Weight decay, >= 0: decoupled for adamw, an L2 term of the gradient for the others."""

    batch: int = 8
    """Examples per update, at least 1."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if get_origin(hint) is Literal:
                self.check_word(name, get_args(hint))
        self.check_number("peak", lambda x: x > 0, "> 0")
        for name in ("beta1", "beta2", "momentum"):
            self.check_number(name, lambda x: 0 <= x < 1, "in [0, 1)")
        self.check_number("weight_decay", lambda x: x >= 0, ">= 0")
        self.check_whole("batch")

    def load(self) -> "Task":
        """The task with these options, its data read and ready. Imports torch."""
        raise NotImplementedError

    def check_word(self, name: str, known: tuple[str, ...]) -> None:
        """Refuse an option that is none of the words `known`."""
        value = getattr(self, name)
        if not isinstance(value, str) or value not in known:
            raise PreheatError(f"{name} cannot be {shown(value)}{nearest(str(value), known)}")

    def check_whole(self, name: str, least: int = 1) -> None:
        """Refuse an option that is not a whole number of at least `least`."""
        value = getattr(self, name)
        instead = max(least, round(value)) if isinstance(value, float) and math.isfinite(value) else least
        whole_number(value, name, least, f"write {name}={instead}")

    def check_number(self, name: str, fits: Callable[[float], bool], words: str) -> None:
        """Refuse an option that is not a finite number that `fits`; `words` say which do."""
        value = getattr(self, name)
        if not fits(finite_number(value, name)):
            raise PreheatError(f"{name} must be a number {words}", given=value)
