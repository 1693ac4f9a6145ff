"""Parts that are written with a length and come to no update on a run: a share of a run that is too short for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from preheat.core.checks import int_if_whole
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence, laid_parts, up_to_rest
from preheat.core.nodes.wrapped import Shifted
from preheat.core.spans import Run


class Vanished(NamedTuple):
    """A part, as written, that a run has no update of.

    exact: its length before rounding, in ticks; 0 where that is what was written.   first: whether it is the first part.
    tick: what a tick of the run is called.
    """

    part: Schedule
    exact: float
    first: bool
    tick: str

    @property
    def is_warmup(self) -> bool:
        """Whether the run was meant to begin with it, going up."""
        return self.first and isinstance(self.part, Ramp) and self.part.end > self.part.start

    @property
    def words(self) -> str:
        """What there is to say of it."""
        if not self.exact:
            return f"{self.part!r} lasts for no {self.tick}"
        begins = "; the run begins without a warmup" if self.is_warmup else ""
        return f"{self.part!r} is {self.exact:.3g} of one {self.tick} on this run, and is rounded to none{begins}"


def vanished(schedule: Schedule, run: Run) -> Iterator[Vanished]:
    """The parts of a schedule that fits the run, of which the run has no update, in their order.

    >>> from preheat import Run, decay, warmup
    >>> [one.words for one in vanished(warmup("3%") >> decay(), Run(total=16))]
    ["ramp(0.0, 1.0, '3%') is 0.48 of one update on this run, and is rounded to none; the run begins without a warmup"]
    """
    schedule = up_to_rest(schedule) if run.total is None else schedule  # what comes after has no place yet
    if isinstance(schedule, Shifted | Repeated):  # what is inside begins elsewhere, or more than once
        return
    if schedule._children and not isinstance(schedule, Sequence):
        for child in schedule._children:
            yield from vanished(child, run)
        return
    parts = schedule.parts if isinstance(schedule, Sequence) else (schedule,)
    word = "update" if run.clock == "step" else run.clock
    for number, (part, laid) in enumerate(zip(parts, laid_parts(schedule, run), strict=True)):
        exact = part._exact(run)
        if laid.length == 0 and not part._grows:
            yield Vanished(part, float(int_if_whole(exact)), number == 0, word)
    if len(parts) > 1:
        yield from vanished(parts[0], run) if parts[0]._children else ()
