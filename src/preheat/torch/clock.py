"""What passes between two updates: a number of ticks, measured seconds, or a count that lives on the device."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from preheat.control.session import Session
from preheat.core.errors import PreheatError, shown
from preheat.core.numbers import Number, ticks
from preheat.core.plan import Line
from preheat.core.spans import Run
from preheat.torch.groups import Slots, entry
from preheat.torch.writing import targets


def tick_of(run: Run) -> int | None:
    """How many ticks of the clock one update is; None where it is measured, or said with every step."""
    if run.clock in ("step", "epoch"):
        return 1
    worth = {"sample": run.samples_per_step, "token": run.tokens_per_step}.get(run.clock)
    return worth if isinstance(worth, int) else None


def checked_advance(advance: object, run: Run) -> Number:
    """A number of ticks that has passed: whole, unless the clock measures seconds."""
    value = ticks(advance, "advance")
    if value < 0 or (run.clock != "second" and not isinstance(value, int)):
        raise PreheatError(f"advance is a number of {run.clock}s that have passed, not {shown(advance)}")
    return value


class Stopwatch:
    """Seconds since it was last read, for a run whose clock is wall time."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def read(self) -> float:
        """Seconds since the last reading."""
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return passed


class DeviceClock:
    """A position in a device tensor, and the values computed from it there.

    Everything that `step` does is an operation on tensors that stay where they are, so it may stand inside a compiled
    training step or a captured CUDA graph, and replaying the graph advances the schedule.
    """

    def __init__(self, slots: Slots, session: Session, tick: int | None) -> None:
        if session.rules:
            raise PreheatError("on_device=True follows a plan alone: metrics reach rules on the host; drop rules=")
        if tick is None:
            raise PreheatError("on_device=True counts updates; write a Run whose updates are all worth the same")
        held = [entry(slot.group, slot.key, slot.index) for slot in slots.slots]
        for slot, value in zip(slots.slots, held, strict=True):
            if not isinstance(value, Tensor):
                raise PreheatError(
                    f"on_device=True needs tensor values, and {slot.line.key!r} of group {slot.name} is {shown(value)}; "
                    f"write torch.tensor({value!r}) on the device of the parameters, and capturable=True where it exists"
                )
        if not held or len({value.device for value in held}) != 1:
            raise PreheatError("on_device=True needs all scheduled values on one device")
        self.tick = tick
        self.position = torch.zeros((), dtype=torch.float64, device=held[0].device)
        self.take(slots)

    def take(self, slots: Slots) -> None:
        """Write to these slots from now on."""
        self.rows: list[tuple[Line, Tensor, Tensor]] = []
        for line in slots.plan.lines:
            for gains, target in targets(slots.of(line)):
                self.rows.append((line, gains, target))

    def step(self, found_inf: Tensor | None = None) -> None:
        """Go on by one update, or by none where `found_inf` is 1, and write the values."""
        if found_inf is None:
            self.position.add_(self.tick)
        else:
            self.position.add_((1.0 - found_inf.to(self.position.dtype).reshape(())) * self.tick)
        self.write()

    def write(self) -> None:
        """Write the values for the position."""
        for line, gains, target in self.rows:
            target.copy_(gains * line.schedule(self.position))

    def updates(self) -> int:
        """How many updates were counted; reading it waits for the device."""
        return int(self.position.item()) // self.tick

    def move_to(self, updates: int) -> None:
        """Go to another position, in place."""
        self.position.fill_(updates * self.tick)
