"""What cannot be known from the runs that there are is refused, with what to run instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from preheat.core.errors import PreheatError, plural
from preheat.measure.predicting.blocks import Floats
from preheat.measure.predicting.runs import Logged
from preheat.review.laid_out import MOST

FAR = 8
"""Times the longest run's updates, beyond which nothing is predicted: so far it was tried, and no further."""

ABSOLUTE = 1.5
"""Times the longest run's updates, up to which losses are predicted themselves; beyond it only their differences."""

PEAKS = 2
"""Times the runs' peak rates, or one part in so many of them, beyond which nothing is predicted."""

_SAME_PEAK = 1.05
_DECAYED = 0.5  # of the peak: a run that ends above it has not decayed
_SHARES = 200  # of the updates after warmup, at which two decays are compared
_APART = 0.1  # of the peak, by which they differ somewhere


def refuse_one_decay(runs: Sequence[Logged]) -> None:
    """Two decays of different shape are needed: from one, no law can tell what a decay gives from what the area gives."""
    decays = [(one, _decay(one.rates)) for one in runs if one.rates[-1] <= _DECAYED * one.peak]
    if any(np.abs(a - b).max() > _APART for place, (_, a) in enumerate(decays) for _, b in decays[:place]):
        return
    names = ", ".join(one.name for one, _ in decays) or "none decays"
    raise PreheatError(
        f"two runs whose rates decay in different ways are needed, and there is {'one way' if decays else 'none'} ({names})",
        write='run two, for example "hold() >> decay(20%)" and "decay(shape=cosine)", both after your warmup',
    )


def _decay(rates: Floats) -> Floats:
    """The rates after the peak was reached, as shares of it, at equal shares of what is left."""
    after = rates[int(np.argmax(rates >= 0.999 * rates.max())) :] / rates.max()
    return np.interp(np.linspace(0, len(after) - 1, _SHARES), np.arange(len(after)), after)


def refuse_far(total: int, runs: Sequence[Logged]) -> None:
    """Nothing is predicted beyond what was tried, nor of a run that is shorter than those that were logged: its beginning is
    described by no law, and what a run says of its middle is no end.
    """
    shortest, horizon = min(one.total for one in runs), max(one.total for one in runs)
    if total < shortest:
        raise PreheatError(
            f"{plural(total, 'update')} are fewer than those of every run that was logged ({shortest:,} and more), and "
            "predictions are of longer runs",
            write=f"write a total from {shortest:,} on, or run it: it is shorter than what you have run",
        )
    if total > FAR * horizon:
        raise PreheatError(
            f"{total:,} updates are more than {FAR} times those of the longest run that was logged ({horizon:,}), and "
            f"predictions were tried up to {FAR} times",
            write=f"write a total of at most {FAR * horizon:,}, or log longer runs",
        )
    if total > MOST:
        raise PreheatError(
            f"at most {MOST:,} updates are looked at one by one", given=total, write="write a smaller total"
        )


def new_peaks(targets: Mapping[str, Floats], runs: Sequence[Logged]) -> bool:
    """Whether a schedule has a peak that no run had. Raises PreheatError where it is more than 2 times away from all."""
    peaks = np.array([one.peak for one in runs])
    found = False
    for name, rates in targets.items():
        away = np.exp(np.abs(np.log(rates.max() / peaks)).min())
        if away > PEAKS:
            raise PreheatError(
                f"{name} has the peak {rates.max():g}, and the runs have {', '.join(f'{p:g}' for p in sorted(set(peaks)))}: "
                f"beyond {PEAKS} times a peak nothing is known of another",
                write="log runs at a nearer peak",
            )
        found |= bool(away > _SAME_PEAK)
    return found
