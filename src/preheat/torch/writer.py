"""Writing the scheduled values into the groups.

Float values are assigned; tensors are never replaced by floats, which would make a compiled optimizer compile again.
The tensors of one line share one buffer, so that a write is one operation whatever the number of groups, and rounds once,
from float64. They stay the objects that the caller gave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from preheat.core.plan import Line
from preheat.session.session import Session
from preheat.torch.bases import Group
from preheat.torch.slots import Slot, Slots, entry, put, put_number, split_key
from preheat.torch.update_counter import Flag

Write = Callable[[float], None]


class Buffers:
    """The buffers that the groups' tensors share, kept so that what was compiled or captured with them goes on.

    flag: says whether a CUDA graph has captured an update; then the tensors' storage must stay where it is.
    """

    def __init__(self, flag: Flag) -> None:
        self._made: list[tuple[list[torch.Tensor], torch.Tensor]] = []
        self._flag = flag

    def targets(self, slots: list[Slot]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For the tensors of each device and dtype: their gains in float64, and the buffer that holds their values."""
        kinds: dict[tuple[torch.device, torch.dtype], list[Slot]] = {}
        for slot in slots:
            kinds.setdefault((slot.held.device, slot.held.dtype), []).append(slot)
        pairs = []
        for (device, _), rows in kinds.items():
            cells = _cells(rows)
            gains = torch.tensor([gain for _, gain in cells], dtype=torch.float64, device=device)
            buffer = self._known([tensor for tensor, _ in cells])
            if buffer is None and self._flag.captured:
                pairs += [(gains[i : i + 1], tensor.detach().reshape(1)) for i, (tensor, _) in enumerate(cells)]
            else:
                pairs.append((gains, self._made_of([tensor for tensor, _ in cells]) if buffer is None else buffer))
        return pairs

    def _known(self, tensors: list[torch.Tensor]) -> torch.Tensor | None:
        """The buffer whose elements these tensors are already."""
        for made, buffer in self._made:
            alike = len(made) == len(tensors) and all(a is b for a, b in zip(made, tensors, strict=True))
            if alike and all(_is_at(tensor, buffer, i) for i, tensor in enumerate(tensors)):
                return buffer
        return None

    def _made_of(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """A new buffer whose elements these tensors become."""
        buffer = torch.stack([tensor.detach().reshape(()) for tensor in tensors])
        for i, tensor in enumerate(tensors):
            tensor.data = buffer[i].view(tensor.shape)
        self._made = [(made, old) for made, old in self._made if not any(t is u for t in made for u in tensors)]
        self._made.append((tensors, buffer))
        return buffer


def attach(slots: Slots, session: Session | None, buffers: Buffers) -> Write:
    """Take the values over, and give back the function that writes them all for a time; rates × the session's gain."""
    if slots.unready:  # nothing is written until all of it is known, and updates are refused
        return lambda t: None
    _separate(slots)
    for slot in slots.slots:
        if slot.is_rate and slot.is_factor:
            slot.group["initial_lr"] = slot.base.now
        elif slot.is_rate and not slot.base.is_open:
            slot.group.setdefault("initial_lr", slot.base.now)
    writes = [_writer(rows, line, session, buffers) for line in slots.plan.lines if (rows := slots.of(line))]
    if len(writes) == 1:
        return writes[0]

    def write(t: float) -> None:
        for one in writes:
            one(t)

    return write


def _writer(slots: list[Slot], line: Line, session: Session | None, buffers: Buffers) -> Write:
    """The function that writes one line's values for a time."""
    key, index = split_key(line.hyper)
    if session is not None and session.has_floor(line):
        return _floored(slots, session)
    function = line.schedule.function if session is None else lambda t: session.value(line)
    tensors = [slot for slot in slots if isinstance(entry(slot.group, key, index), torch.Tensor)]
    plain = [slot for slot in slots if not isinstance(entry(slot.group, key, index), torch.Tensor)]
    floats, shared, alike = [(slot.group, slot.gain) for slot in plain], buffers.targets(tensors), _by_gain(plain)

    def write_floats(t: float, key: str = key, floats: list[tuple[Group, float]] = floats) -> None:  # locals are faster
        value = function(t)
        for group, gain in floats:
            group[key] = gain * value

    def write_alike(t: float, key: str = key, alike: list[tuple[float, list[Group]]] = alike) -> None:
        factor = function(t)
        for gain, groups in alike:
            value = gain * factor
            for group in groups:
                group[key] = value

    def write_entries(t: float) -> None:
        value = function(t)
        for group, gain in floats:
            put(group, key, index, gain * value)

    def write_tensors(t: float) -> None:
        value = function(t)
        for gains, buffer in shared:
            torch.mul(gains, value, out=buffer)
        for group, gain in floats:
            put(group, key, index, gain * value)

    if shared or index is not None:
        return write_tensors if shared else write_entries
    return write_alike if len(alike) <= len(floats) // 4 else write_floats


def _floored(slots: list[Slot], session: Session) -> Write:
    """The function that writes rates which rules bound from below, each group's by itself."""

    def write(t: float) -> None:
        for slot in slots:
            put_number(slot.group, slot.key, slot.index, session.rate(slot.line, slot.gain, slot.called, slot.place))

    return write


def _by_gain(slots: list[Slot]) -> list[tuple[float, list[Group]]]:
    """The groups of slots, those with the same gain together: one multiplication serves all of them."""
    groups: dict[float, list[Group]] = {}
    for slot in slots:
        groups.setdefault(slot.gain, []).append(slot.group)
    return list(groups.items())


def _cells(slots: list[Slot]) -> list[tuple[torch.Tensor, float]]:
    """The tensors of slots with their gains, each tensor once."""
    return list({id(slot.held): (slot.held, slot.gain) for slot in slots}.values())


def _separate(slots: Slots) -> None:
    """Give groups their own tensors where they share one, as torch puts the tensor given to an optimizer into all of them, and
    are to have other values: the first keeps it."""
    ready = [slot for slot in slots.slots if slot.is_ready and isinstance(slot.held, torch.Tensor)]
    followed: dict[int, tuple[Line, float]] = {}
    for slot in ready:
        if followed.setdefault(id(slot.held), (slot.line, slot.gain)) != (slot.line, slot.gain):
            put(slot.group, slot.key, slot.index, slot.held.detach().clone())
    scheduled = {(id(slot.group), slot.key, slot.index) for slot in ready}
    for group in slots.groups if followed else ():
        for key, index, value in _entries(group):
            if id(value) in followed and (id(group), key, index) not in scheduled:
                put(group, key, index, value.detach().clone())


def _entries(group: Group) -> list[tuple[str, int | None, Any]]:
    """What a group holds, the entries of its tuples one by one."""
    found: list[tuple[str, int | None, Any]] = []
    for key, value in group.items():
        if key != "params" and isinstance(value, list | tuple):
            found += [(key, i, one) for i, one in enumerate(value)]
        else:
            found.append((key, None, value))
    return found


def _is_at(tensor: torch.Tensor, buffer: torch.Tensor, i: int) -> bool:
    """Whether a tensor is element i of a buffer."""
    if tensor.device != buffer.device or tensor.dtype != buffer.dtype:
        return False
    place = tensor.storage_offset() - buffer.storage_offset()
    return place == i and tensor.untyped_storage().data_ptr() == buffer.untyped_storage().data_ptr()
