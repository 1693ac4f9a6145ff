"""What a monitor measured, on its way from the devices: brought over together, and read late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from preheat.measure.monitoring.layers import Move, Shot

Queue = list[tuple[int, Any]]
"""Numbers, floats or tensors, each with the step that it belongs to."""


class Transfer:
    """Numbers on their way from their devices; on a GPU nothing waits for them before they are there."""

    def __init__(self, numbers: Sequence[Tensor | float]) -> None:
        self._numbers: list[Any] = list(numbers)
        devices: dict[Any, list[int]] = {}
        for place, one in enumerate(numbers):
            if isinstance(one, Tensor):
                devices.setdefault((one.device, one.dtype), []).append(place)
        self._sent = [(places, *_sent(torch.stack([numbers[p] for p in places]))) for places in devices.values()]  # type: ignore[arg-type, misc]

    @property
    def is_there(self) -> bool:
        """Whether reading waits for nothing."""
        return all(event is None or event.query() for _, _, event in self._sent)

    def read(self) -> list[float]:
        """The numbers."""
        for places, values, event in self._sent:
            if event is not None:
                event.synchronize()
            for place, value in zip(places, values.tolist(), strict=True):
                self._numbers[place] = value
        self._sent = []
        return self._numbers


def _sent(stack: Tensor) -> tuple[Tensor, Any]:
    if stack.device.type != "cuda":
        return stack.cpu(), None
    there = torch.empty(stack.shape, dtype=stack.dtype, pin_memory=True)
    there.copy_(stack, non_blocking=True)
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(stack.device))
    return there, event


class Read(NamedTuple):
    """What came over. losses, norms: the mean of each step that was applied.   skipped: the steps that were not."""

    moves: list[Move]
    places: list[int]
    rates: list[float]
    losses: dict[int, float]
    norms: dict[int, float]
    skipped: list[int]


class Waiting:
    """The shots of one step, and what was queued up to it, on their way.

    found: of each step of a fused optimizer under a GradScaler, what is not 0 where it was skipped inside.
    """

    def __init__(self, step: int, shots: list[Shot], losses: Queue, norms: Queue, found: Queue) -> None:
        self.step, self.is_record, self._queues = step, bool(shots), (losses, norms, found)
        self._places = [place for shot in shots for place in shot.places]
        parts: list[list[Any]] = [
            [number for shot in shots for number in shot.numbers],
            [rate for shot in shots for rate in shot.rates],
            *([value for _, value in queue] for queue in self._queues),
        ]
        self._lengths = [len(part) for part in parts]
        self._numbers = Transfer([number for part in parts for number in part])

    @property
    def is_there(self) -> bool:
        """Whether reading waits for nothing."""
        return self._numbers.is_there

    def read(self) -> Read:
        """All of it as floats."""
        numbers = iter(self._numbers.read())
        flat, rates, *values = [[next(numbers) for _ in range(length)] for length in self._lengths]
        losses, norms, found = (
            [(at, value) for (at, _), value in zip(queue, several, strict=True)]
            for queue, several in zip(self._queues, values, strict=True)
        )
        skipped = {at for at, value in found if value}
        width = len(Move._fields)
        moves = [Move(*flat[at : at + width]) for at in range(0, len(flat), width)]
        return Read(moves, self._places, rates, _means(losses, skipped), _means(norms, skipped), sorted(skipped))


def _means(values: Queue, skipped: set[int]) -> dict[int, float]:
    """The mean of each step that was applied."""
    found: dict[int, list[float]] = {}
    for at, value in values:
        if at not in skipped:
            found.setdefault(at, []).append(value)
    return {at: sum(several) / len(several) for at, several in found.items()}


def alignment(moves: Sequence[Move]) -> float | None:
    """gᵀ(−Δw) / (‖g‖ ‖Δw‖) over all parameters; None where it is not known."""
    sizes = math.hypot(*(one.gradient for one in moves)) * math.hypot(*(one.change for one in moves))
    products = [one.product for one in moves]
    if not 0 < sizes < math.inf or not any(products) or not all(map(math.isfinite, products)):
        return None
    return max(-1.0, min(1.0, math.fsum(products) / sizes))
