"""Writing the scheduled values into the groups.

Float values are assigned; tensors are never replaced by floats, which would make a compiled optimizer compile again.
The tensors of one line become views of one buffer, so that a write is one operation whatever the number of groups, and
rounds once, from float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from preheat.core.plan import Line
from preheat.session.session import Session
from preheat.torch.slots import Group, Slot, Slots, entry, split_key

Write = Callable[[float], None]


def attach(slots: Slots, session: Session | None = None) -> Write:
    """Take the values over, and give back the function that writes them all for a time; rates × the session's gain."""
    for slot in slots.slots:
        if slot.is_rate:
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
    if session is not None and session.has_floor(line):
        return _floored(slots, session)
    function = line.schedule.function if session is None else lambda t: session.value(line)
    tensors = [slot for slot in slots if isinstance(entry(slot.group, key, index), torch.Tensor)]
    plain = [slot for slot in slots if not isinstance(entry(slot.group, key, index), torch.Tensor)]
    floats, buffers, alike = [(slot.group, slot.gain) for slot in plain], targets(tensors), _by_gain(plain)

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
        for gains, buffer in buffers:
            torch.mul(gains, value, out=buffer)
        for group, gain in floats:
            put(group, key, index, gain * value)

    if buffers or index is not None:
        return write_tensors if buffers else write_entries
    return write_alike if len(alike) <= len(floats) // 4 else write_floats


def _floored(slots: list[Slot], session: Session) -> Write:
    """The function that writes rates which rules bound from below, each group's by itself."""

    def write(t: float) -> None:
        for slot in slots:
            value, held = session.rate(slot.line, slot.gain, slot.called, slot.place), slot.group[slot.key]
            if isinstance(held, torch.Tensor):
                held.fill_(value)
            else:
                slot.group[slot.key] = value

    return write


def _by_gain(slots: list[Slot]) -> list[tuple[float, list[Group]]]:
    """The groups of slots, those with the same gain together: one multiplication serves all of them."""
    groups: dict[float, list[Group]] = {}
    for slot in slots:
        groups.setdefault(slot.gain, []).append(slot.group)
    return list(groups.items())


def put(group: Group, key: str, index: int | None, value: Any) -> None:
    """Replace an entry of a group, or of a tuple in it such as betas[0]."""
    if index is None:
        group[key] = value
    else:
        held = group[key]
        group[key] = type(held)((*held[:index], value, *held[index + 1 :]))


def targets(slots: list[Slot]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For the tensors of each device and dtype: their gains in float64, and the buffer whose views they are now."""
    kinds: dict[tuple[torch.device, torch.dtype], list[Slot]] = {}
    for slot in slots:
        held = entry(slot.group, slot.key, slot.index)
        kinds.setdefault((held.device, held.dtype), []).append(slot)
    pairs = []
    for (device, _), rows in kinds.items():
        gains = torch.tensor([slot.gain for slot in rows], dtype=torch.float64, device=device)
        pairs.append((gains, _buffer(rows)))
    return pairs


def _buffer(slots: list[Slot]) -> torch.Tensor:
    """One buffer for the tensors of slots, which become its views. If they are already, it is kept: what was compiled
    or captured with them goes on."""
    held = [entry(slot.group, slot.key, slot.index) for slot in slots]
    base = held[0]._base
    if base is not None and base.shape == (len(held),) and base.is_contiguous():
        places = [(value._base is base, value.storage_offset() - base.storage_offset()) for value in held]
        if places == [(True, i) for i in range(len(held))]:
            return base
    buffer = torch.stack([value.detach().reshape(()) for value in held])
    for i, (slot, value) in enumerate(zip(slots, held, strict=True)):
        put(slot.group, slot.key, slot.index, buffer[i].view(value.shape))
    return buffer
