"""The critical rate: the smallest step along the optimizer's own update that raises the loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from preheat.core.crossing import Crossing, crossing
from preheat.measure.training import Line

_FARTHEST = 1e4  # lengths of the weights that a step may move them: beyond, nothing of them is left


def search(
    line: Line,
    loss: Callable[[], float],
    at_zero: float,
    slope: float | None = None,
    *,
    rise: float = 0.0,
    guess: float | None = None,
    noise: float = 0.0,
) -> Crossing:
    """The smallest η > 0 with L(θ − η·D) > at_zero + rise on a line of an open probe, to 1/16.

    loss: of the weights as they are, such as `lambda: probe.loss(batch)`.   at_zero: it at the line's beginning.
    slope: gᵀD of that loss; without it the line's own, which is right where the loss is of the batches that made the line.
    The weights are afterwards at the line's beginning. See `preheat.core.crossing.crossing` for the rest.
    """

    def looked(rate: float) -> float:
        line.move(rate)
        return loss()

    rounded = max((torch.finfo(one.dtype).eps for one in line.origin), default=0.0) * abs(at_zero)
    try:
        return crossing(
            looked,
            at_zero,
            line.slope if slope is None else slope,
            rise=rise,
            guess=guess,
            noise=max(noise, rounded),
            largest=_FARTHEST * line.reach or math.inf,
        )
    finally:
        line.move(0.0)
