"""Writing the scheduled values into the groups.

Float values are assigned; tensors are never replaced by floats, which would make a compiled optimizer compile again.
The tensors of one line become views of one buffer, so that a write is one operation whatever the number of groups, and
rounds once, from float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from preheat.control.session import Session
from preheat.core.errors import PreheatError
from preheat.core.plan import Line
from preheat.torch.groups import Group, Slot, Slots, split_key

Write = Callable[[float], None]


def attach(slots: Slots, session: Session | None = None) -> Write:
    """Take the values over, and give back the function that writes them all for a time; rates × the session's gain."""
    for slot in slots.slots:
        if slot.key == "lr":
            slot.group.setdefault("initial_lr", slot.base)
    writes = [writer(rows, line, session) for line in slots.plan.lines if (rows := slots.of(line))]
    if len(writes) == 1:
        return writes[0]

    def write(t: float) -> None:
        for one in writes:
            one(t)

    return write


def writer(slots: list[Slot], line: Line, session: Session | None) -> Write:
    """The function that writes one line's values for a time."""
    key, index = split_key(line.hyper)
    function = line.schedule.function if session is None else lambda t: session.value(line)
    if index is not None:
        return _write_entries(slots, key, index, function)
    floats = [(slot.group, slot.gain) for slot in slots if not isinstance(slot.group[key], torch.Tensor)]
    buffers = _buffers([slot for slot in slots if isinstance(slot.group[key], torch.Tensor)], key)

    def write_floats(t: float, key: str = key, floats: list[tuple[Group, float]] = floats) -> None:  # locals are faster
        value = function(t)
        for group, gain in floats:
            group[key] = gain * value

    def write_tensors(t: float) -> None:
        value = function(t)
        for gains, buffer in buffers:
            torch.mul(gains, value, out=buffer)
        for group, gain in floats:
            group[key] = gain * value

    return write_tensors if buffers else write_floats


def _write_entries(slots: list[Slot], key: str, index: int, function: Callable[[float], float]) -> Write:
    """Entries of tuples, such as betas[0]: a tensor entry in place, another by a new tuple."""

    def write(t: float) -> None:
        value = function(t)
        for slot in slots:
            held = slot.group[key]
            if isinstance(held[index], torch.Tensor):
                held[index].fill_(slot.gain * value)
            else:
                slot.group[key] = type(held)((*held[:index], slot.gain * value, *held[index + 1 :]))

    return write


def _buffers(slots: list[Slot], key: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For the tensors of each device and dtype: their gains in float64, and the buffer whose views they become."""
    kinds: dict[tuple[torch.device, torch.dtype], list[Slot]] = {}
    for slot in slots:
        kinds.setdefault((slot.group[key].device, slot.group[key].dtype), []).append(slot)
    pairs = []
    for (device, dtype), rows in kinds.items():
        if not dtype.is_floating_point:
            raise PreheatError(f"{key!r} is a tensor of {dtype}, which cannot hold a rate; write torch.tensor(0.1)")
        gains = torch.tensor([slot.gain for slot in rows], dtype=torch.float64, device=device)
        buffer = torch.empty(len(rows), dtype=dtype, device=device)
        for i, slot in enumerate(rows):
            slot.group[key] = buffer[i].view(slot.group[key].shape)
        pairs.append((gains, buffer))
    return pairs


def targets(slots: list[Slot]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The gains and the tensors of one line's slots, all of them tensors: one pair a buffer, or one an entry."""
    if not slots:
        return []
    if slots[0].index is None:
        return _buffers(slots, slots[0].key)
    entries = [(slot.gain, slot.group[slot.key][slot.index]) for slot in slots]
    return [(torch.tensor(gain, dtype=torch.float64, device=held.device), held) for gain, held in entries]
