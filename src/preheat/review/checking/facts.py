"""What is known of a training beside its schedule: the optimizer, the data, the processes."""

from __future__ import annotations

from typing import NamedTuple

from preheat.compat import PEERS
from preheat.compat.configs import READERS
from preheat.core.checks import counted, finite_number, positive_number
from preheat.core.errors import PreheatError, nearest, shown

LIBRARIES = tuple(dict.fromkeys((*PEERS, *READERS)))


class Facts(NamedTuple):
    """Plain facts; None is not known.

    optimizer: its name.   beta2: Adam's.   parameters: of the model.   epochs: over the data.
    loader: batches that one pass over the data makes, before they are shared among processes.
    accumulation: batches in an update of one process.   world_size: processes.
    library: whose config it is, or whose scheduler is to follow it.
    warmups: what warms up beside the plan, in words.   without_decay: groups without weight decay, by name.
    calls: how often the scheduler steps: "update", "epoch" or "".
    """

    optimizer: str | None = None
    beta2: float | None = None
    parameters: float | None = None
    epochs: float | None = None
    loader: int | None = None
    accumulation: int = 1
    world_size: int = 1
    library: str | None = None
    warmups: tuple[str, ...] = ()
    without_decay: tuple[str, ...] = ()
    calls: str = ""

    def checked(self) -> Facts:
        """The same, each number looked at; raises PreheatError for one that cannot be."""
        for name in ("parameters", "epochs"):
            if (value := getattr(self, name)) is not None:
                positive_number(value, name)
        for name in ("loader", "accumulation", "world_size"):
            if (value := getattr(self, name)) is not None:
                counted(value, f"{name} is a whole number of at least 1", least=1)
        if self.beta2 is not None and not 0 <= finite_number(self.beta2, "beta2") < 1:
            raise PreheatError("beta2 lies in [0, 1)", given=self.beta2, write="Adam's default is 0.999")
        if self.calls not in ("", "update", "epoch"):
            raise PreheatError(
                "calls is how often the scheduler steps", given=self.calls, write="write 'update' or 'epoch'"
            )
        if self.library is not None and self.library not in LIBRARIES:
            raise PreheatError(f"no library {shown(self.library)} is known here{nearest(self.library, LIBRARIES)}")
        return self
