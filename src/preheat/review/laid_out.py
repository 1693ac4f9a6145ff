"""A subject laid out on its run: every line bound, as rates where its peak is known, with a value for every update."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from preheat.core.checks import Number
from preheat.core.errors import BindError, PreheatError
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Rectified, Table
from preheat.core.nodes.wrapped import Shifted
from preheat.core.plan import Line, Plan
from preheat.core.sampling import horizon
from preheat.core.spans import Run, Span
from preheat.core.stated import Absolute, Relative, plain
from preheat.review.subject import Subject
from preheat.session.clock import tick_of

_WORTHS = ("steps_per_epoch", "samples_per_step", "tokens_per_step")
MOST = 1 << 24  # updates whose values are computed: a second, and a hundred megabytes


class Laid(NamedTuple):
    """One line of a subject on its run.

    key: of the plan's line.   curve: bound, times the peak where its values became rates by one.   run: as far as known.
    total: ticks of the run.   ends: whether that is its end; else it never ends, and total is what is looked at.
    tick: ticks from one value to the next.   rates: whether the values are the values themselves, not factors.
    factor: what factor 1 stands for in them; None where they are factors, or were written as rates.
    """

    key: str
    written: Any
    curve: Schedule
    run: Run
    total: int
    ends: bool
    tick: int
    rates: bool
    factor: float | None = None

    @property
    def updates(self) -> int:
        """How many values it has inside the run."""
        return math.ceil(self.total / self.tick)

    @property
    def unit(self) -> str:
        """What passes between two values: an update, or the tick of a clock on which updates are not known."""
        return self.run.clock if self.tick == 1 and self.run.clock != "step" else "update"

    @property
    def is_rate(self) -> bool:
        """Whether it drives the learning rate, of all groups or of one."""
        return self.key.rpartition("/")[2] == "lr"

    @property
    def quantity(self) -> str:
        """What its values are called in a sentence."""
        if self.is_rate:
            return "rate" if self.rates else "factor"
        hyper = self.key.rpartition("/")[2].replace("_", " ")
        return hyper if self.rates else f"factor of the {hyper}"

    def update_of(self, time: Number) -> int:
        """The first update at or after a time; none is outside the run."""
        return min(self.updates, math.ceil(time / self.tick))

    def at(self, update: int) -> float:
        """The value of an update."""
        return self.curve.function(update * self.tick)

    def values(self, first: int = 0, stop: int | None = None) -> Any:
        """The values of its updates, or of those from `first` up to `stop`, a numpy array.

        Raises PreheatError where the run has too many.
        """
        if self.updates > MOST:
            raise PreheatError(
                f"the run has {self.updates:,} {self.unit}s, and at most {MOST:,} are looked at one by one",
                write="say what one update is worth, such as tokens_per_step= (--tokens-per-step), or give a shorter total",
            )
        import numpy

        at = numpy.arange(first, self.updates if stop is None else stop, dtype=numpy.float64)
        return self.curve.along(at * self.tick)


def area_of(values: Any) -> float:
    """The sum of values, rounded once; infinite where no float holds it."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def laid_out(subject: Subject) -> tuple[Laid, ...]:
    """Every line of a subject on its run, as rates where its peak is known.

    Raises PreheatError where a length needs a run that is not known, or the parts do not fit.
    """
    plan, run = Plan(subject.target), subject.run
    tick = tick_of(run) or 1
    bound = [(line, _bound(line, run, subject.peak if line.is_rate else None)) for line in plan.lines]
    deciding = [target for line, target in bound if line.is_rate] or [target for _, target in bound]
    lengths = [target.length for target in deciding]
    ends = run.total is not None or math.inf not in lengths
    if run.total is not None:
        total: int = run.total
    else:
        total = (
            max(1, math.ceil(max(lengths)))
            if ends
            else _looked_at(subject, [plain(target) for _, target in bound], tick)
        )
    return tuple(
        Laid(
            line.key,
            line.target,
            plain(target),
            run,
            total,
            ends,
            tick,
            isinstance(target, Absolute),
            None if line.is_absolute or not line.is_rate else subject.peak,
        )
        for line, target in bound
    )


def _looked_at(subject: Subject, curves: list[Schedule], tick: int) -> int:
    """How many ticks of what never ends are worth a look, where a run stands no fewer are to come."""
    return min(math.ceil(subject.position) + max(map(horizon, curves)), MOST * tick)


def has_factors(subject: Subject) -> bool:
    """Whether a learning rate of it is factors, which a peak makes rates."""
    return any(line.is_rate and not line.is_absolute for line in Plan(subject.target).lines)


def on_its_run(subject: Subject, other: Subject) -> Subject:
    """The subject on another's run where its own says no total and it needs one; what never ends is cut by a total only.

    Another clock is taken over only where nothing is written in ticks, which would be worth something else on it.
    """
    if subject.run.total is not None or _length(subject) < math.inf:
        return subject
    if other.run.total is None and other.run.clock == subject.run.clock and _is_endless(subject):
        return subject
    total = _length(other) if other.run.total is None else other.run.total
    if total == math.inf:
        return subject
    if other.run.clock != subject.run.clock and _counts_ticks(subject):
        what = f"{subject.name} has lengths in {subject.run.clock}s, and the other's run counts {other.run.clock}s"
        raise PreheatError(what, write="write its lengths with their unit, such as '500 steps' or '5%'")
    own = {name: worth for name in _WORTHS if (worth := getattr(subject.run, name)) is not None}
    return subject._replace(run=other.run.replace(total=math.ceil(total), **own))


def _length(subject: Subject) -> Number:
    """Ticks to the end of the rates, of a plan without one to the end of all; math.inf where it has none, or is not known."""
    plan = Plan(subject.target)
    deciding = [line for line in plan.lines if line.is_rate] or plan.lines
    try:
        return max(line.target.bind(subject.run).length for line in deciding)
    except BindError:
        return math.inf


def _is_endless(subject: Subject) -> bool:
    """Whether it never ends and needs no run."""
    try:
        return any(line.target.bind(subject.run).length == math.inf for line in Plan(subject.target).lines)
    except BindError:
        return False


def _counts_ticks(subject: Subject) -> bool:
    """Whether its own run says the clock, or a length is a bare number of ticks."""
    return subject.run.clock != "step" or any(_in_ticks(line.schedule) for line in Plan(subject.target).lines)


def _in_ticks(node: Schedule) -> bool:
    spans = [value for name in node.__match_args__ if isinstance(value := getattr(node, name), Span)]
    if isinstance(node, Table | Shifted | Rectified) or any(span.is_bare and span.value for span in spans):
        return True
    return any(map(_in_ticks, node._children))


def _bound(line: Line, run: Run, peak: float | None) -> Any:
    """A line bound to the run; a learning rate's factors as rates where the peak is known."""
    target: Any = line.target
    try:
        if peak is None or line.is_absolute:
            return target.bind(run)
        if line.group is not None:  # a group's factors may be any multiple of the others'
            target = Relative(line.schedule)
        return target.bind(run, peak=peak)
    except PreheatError as error:
        if line.key == "lr":
            raise
        raise error.restated(type(error), f"the line {line.key!r}: {error.reason}") from None
