"""Checkpoints of a run at a constant rate, averaged in place of a decay."""

from __future__ import annotations

import warnings

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, PreheatWarning, shown
from preheat.core.stated import Absolute, plain
from preheat.core.text.words import Source, target

_MOST = 10**6


def merge_weights(schedule: Source, every: int = 1) -> list[float]:
    """With which weights checkpoints of a run at a constant rate are averaged, to stand for a decay.

        c_j = w_j − w_{j+1},   w_0 = 1,  w_j = s((j − 1) · every) for j = 1 … k,  w_{k+1} = 0

    schedule: s, the decay, as factors of the constant rate, of a known length of k · every ticks: `decay(1000)`.
    every: how many updates lie between two checkpoints.
    Gives k + 1 weights, of the checkpoint where the decay would begin first, of the last one last. They sum to 1, and none is
    negative where s never rises and begins at 1 or below; a PreheatWarning where one is.

    Averaging is exact, equal to the run with the rate s.stepwise(every), where the update's direction does not depend on
    the weights: SGD, with momentum too, on a loss that is linear in them. Elsewhere the gradients of the run that
    decays are others, and the average stands for it. Weight decay depends on the weights.

    >>> merge_weights("decay(4)")
    [0.0, 0.25, 0.25, 0.25, 0.25]
    >>> [round(c, 3) for c in merge_weights("decay(400, shape=sqrt)", every=100)]
    [0.0, 0.5, 0.207, 0.159, 0.134]

    Raises PreheatError for rates, a length that is not known or no multiple of `every`.
    Tian et al. 2025, arXiv:2507.17634.
    """
    stated = target(schedule)
    if isinstance(stated, Absolute):
        raise PreheatError("merge_weights takes factors of the constant rate", given=stated, write="write decay(1000)")
    s = plain(stated).bind()
    between = counted(every, "every must be a whole number of at least 1", 1)
    if not 0 < s.length <= _MOST * between or s.length % between:
        what = f"the length of the decay must be a multiple of every={between}, of at most a million checkpoints"
        raise PreheatError(what, given=s.length, write=f"write for example decay({1000 * between})")
    w = [1.0, *(s.function(t) for t in range(0, int(s.length), between)), 0.0]
    weights = [w[j] - w[j + 1] for j in range(len(w) - 1)]
    if below := sum(weight < 0 for weight in weights):
        warnings.warn(
            f"{below} of the weights are below 0, for {shown(stated, 60)} rises or begins above 1; leave the warmup out and "
            "write the decay alone, from 1, such as decay(1000)",
            PreheatWarning,
            stacklevel=2,
        )
    return weights
