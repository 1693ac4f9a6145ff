"""What is measured of one line of a schedule: its phases, notable values, areas, and what it keeps of the final weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from preheat.core.errors import PreheatError
from preheat.review.explaining.phases import Phase, phases_of
from preheat.review.explaining.weights import decay_for, kept
from preheat.review.laid_out import Laid, area_of

_NEAR = 1e-12  # relative: a value that is the peak but for rounding


class Summed(NamedTuple):
    """What adds up over some updates.

    area: the sum of their values.   kept: the share of the final weights that is theirs; None without a weight decay.
    """

    area: float
    kept: float | None


class Explained(NamedTuple):
    """One line of what is explained.

    phases: one after another, from update 0 to the end of the run; summed: the same for each.   all: over the run.
    left: over what is to come, from `position`, an update.   first, last, after: the values of the first and the last update,
    and after the run.   peak: the highest value, peak_at: its first update, at_peak: how many have it.
    above_half: how many have half of the peak or more, half: the first and the last of these; None where the peak is not
    above 0.   initial: the share of the final weights that is the first weights'; half_kept: half of what all updates keep
    is from this update on.   Both are None without a weight decay.
    """

    line: Laid
    phases: tuple[Phase, ...]
    summed: tuple[Summed, ...]
    all: Summed
    position: int
    left: Summed
    first: float
    last: float
    after: float
    peak: float
    peak_at: int
    at_peak: int
    above_half: int
    half: tuple[int, int] | None
    initial: float | None
    half_kept: int | None
    decay: float | str | None

    @property
    def mean(self) -> float:
        """The mean value of an update."""
        return self.all.area / self.line.updates


def explained(line: Laid, lines: Sequence[Laid], weight_decay: float | None, position: float) -> Explained:
    """All of it; lines: those of the same plan, its weight decay among them.   position: in ticks."""
    import numpy

    if not line.updates:
        raise PreheatError("a run of no update does nothing", write="give a total of at least 1")
    values = line.values()
    found = phases_of(line, values)
    decay = decay_for(line, lines, weight_decay) if line.is_rate and line.rates else None
    shares, initial = (None, None) if decay is None or line.unit != "update" else kept(values, decay)
    begin = line.update_of(position)

    def summed(first: int, stop: int) -> Summed:
        return Summed(area_of(values[first:stop]), None if shares is None else float(shares[first:stop].sum()))

    peak = float(values.max())
    high = numpy.flatnonzero(values >= peak / 2) if peak > 0 else numpy.arange(0)
    return Explained(
        line=line,
        phases=found,
        summed=tuple(summed(phase.first, phase.stop) for phase in found),
        all=summed(0, line.updates),
        position=begin,
        left=summed(begin, line.updates),
        first=float(values[0]),
        last=float(values[-1]),
        after=line.curve.function(line.total),
        peak=peak,
        peak_at=int(values.argmax()),
        at_peak=int((values >= peak - _NEAR * abs(peak)).sum()),
        above_half=len(high),
        half=(int(high[0]), int(high[-1])) if len(high) else None,
        initial=initial,
        half_kept=None if shares is None else _half_kept(shares),
        decay=decay if decay is None or isinstance(decay, float) else "scheduled",
    )


def _half_kept(shares: Any) -> int | None:
    """The update from which on half of what all updates keep is theirs; None where they keep nothing."""
    import numpy

    later = numpy.cumsum(shares[::-1])
    if not later[-1] > 0:
        return None
    return len(shares) - 1 - int(numpy.searchsorted(later, later[-1] / 2))
