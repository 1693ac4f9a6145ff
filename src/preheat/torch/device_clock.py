"""A position that lives on the device, for compiled and captured training steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.session.rules import Rule
from preheat.session.session import Session
from preheat.torch.slots import Slots, entry
from preheat.torch.writer import Buffers

_LONGEST = 1 << 22  # updates in a table: 32 MiB


class DeviceClock:
    """A position in a device tensor, and the values found from it there.

    Everything that `step` does is an operation on tensors that stay where they are, so it may stand inside a compiled
    training step or a captured CUDA graph, and replaying the graph advances the schedule. The values are looked up in a
    table made once, or computed where a schedule is too long for one. Taking the same groups again, as loading a
    state does, keeps every tensor, so that what was compiled or captured goes on.
    """

    def __init__(self, slots: Slots, session: Session, buffers: Buffers) -> None:
        self.check(slots, session.rules)
        if session.tick is None:
            what = "on_device=True counts updates"
            raise PreheatError(what, write="write a Run whose updates are all worth the same")
        self.tick, self.rows, self._buffers = session.tick, list[_Row](), buffers
        self.position = torch.zeros(
            1, dtype=torch.float64, device=_device(slots)
        )  # compilers on the CPU lose writes to 0-d ones
        self._known = (0, 0)  # updates and position when last set from the host
        self.take(slots)

    @staticmethod
    def check(slots: Slots, rules: Sequence[Rule]) -> None:
        """Refuse rules, and what is no tensor, or lies elsewhere."""
        if rules:
            what = "on_device=True follows a plan alone: metrics reach rules on the host"
            raise PreheatError(what, write="drop rules=")
        _device(slots)

    def take(self, slots: Slots) -> None:
        """Write to these slots from now on. Raises PreheatError, having changed nothing, if one of them is no tensor."""
        _device(slots)
        made = [
            _Row(line.schedule, gains, target, self.tick)
            for line in slots.plan.lines
            for gains, target in self._buffers.targets(slots.of(line))
        ]
        same = len(made) == len(self.rows)
        self.rows = [row.in_place_of(old) for row, old in zip(made, self.rows, strict=True)] if same else made
        self._look_up()

    def step(self, found_inf: Tensor | None = None) -> None:
        """Go on by one update, or by none where `found_inf` is not 0, and write the values."""
        if found_inf is None:
            self.position.add_(self.tick)
        else:
            self.position.add_((found_inf == 0).reshape(()) * self.tick)
        self.write()

    def write(self) -> None:
        """Write the values for the position."""
        index = (self.position / self.tick).long()
        for row in self.rows:
            row.write(self.position, index)

    def read(self) -> tuple[int, int]:
        """How many updates were counted, and the position; reading them waits for the device."""
        updates, start = self._known
        position = int(self.position.item())
        return updates + (position - start) // self.tick, position

    def move_to(self, session: Session) -> None:
        """Go to the session's position, in place."""
        self._known = (session.updates, int(session.position))
        self.position.fill_(session.position)
        self._look_up()

    def _look_up(self) -> None:
        for row in self.rows:
            row.fill(self._known[1] % self.tick)


class _Row:
    """One line's tensors of one kind: what they follow, what it is multiplied with, and where the values go."""

    def __init__(self, schedule: Schedule, gains: Tensor, target: Tensor, tick: int) -> None:
        self.schedule, self.gains, self.target, self.tick = schedule, gains, target, tick
        updates = schedule.length / tick
        size = math.ceil(updates) + 1 if updates < _LONGEST else 0
        self.values = torch.empty(size, dtype=torch.float64, device=gains.device)

    def in_place_of(self, old: _Row) -> _Row:
        """This row in the tensors of another, where they fit."""
        if old.gains.shape == self.gains.shape and old.gains.device == self.gains.device:
            self.gains = old.gains.copy_(self.gains)
        if old.values.shape == self.values.shape and old.values.device == self.values.device:
            self.values = old.values
        return self

    def fill(self, first: int) -> None:
        """Make the table of values, one an update; `first` is the position of an update that is less than one away."""
        if len(self.values):
            values = self.schedule(first + self.tick * numpy.arange(len(self.values)))
            self.values.copy_(torch.from_numpy(values))

    def write(self, position: Tensor, index: Tensor) -> None:
        """Write the values for a position, which is that of update `index`."""
        last = len(self.values) - 1
        value = self.schedule(position.reshape(1)) if last < 0 else self.values.take(index.clamp(max=last))
        self.target.copy_(self.gains * value)


def _device(slots: Slots) -> torch.device:
    """The one device of all scheduled values; refuses what is no tensor, or lies elsewhere."""
    held = [(slot, entry(slot.group, slot.key, slot.index)) for slot in slots.slots]
    for slot, value in held:
        if not isinstance(value, Tensor):
            raise PreheatError(
                f"on_device=True needs tensor values, and {slot.line.key!r} of group {slot.name} is {shown(value)}",
                write=f"write torch.tensor({value!r}) on the device of the parameters, "
                "and capturable=True where it exists",
            )
    devices = {value.device for _, value in held}
    if len(devices) != 1:
        raise PreheatError(
            f"on_device=True needs all scheduled values on one device, not on {', '.join(map(str, devices)) or 'none'}"
        )
    return devices.pop()
