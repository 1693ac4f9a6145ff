"""What stands for a schedule or a plan and says more of it: a restatement of another library's, a published run."""

from __future__ import annotations

from typing import Any


class Meant:
    """Whatever takes a schedule takes this too, and follows its `target`: a schedule, rates or a plan."""

    __slots__ = ()

    @property
    def target(self) -> Any:
        """What is meant."""
        raise NotImplementedError

    def within(self, run: Any) -> Any:
        """What is meant in a run: the target, but for an end that is not its own."""
        return self.target
