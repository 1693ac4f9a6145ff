"""A peak that was tuned for one schedule, carried over to another shape, another length, or what a run is extended by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preheat.core.checks import counted, positive_number
from preheat.core.errors import PreheatError, plural
from preheat.core.spans import Run
from preheat.measure.evidence import Evidence
from preheat.measure.theory.last_iterate import Bound, bound_of, laid
from preheat.plots.panel import Curves, Series

_FAR = 2.0  # a change of the peak by more is said to be far
_SEARCHED = 1e-3, 1e3  # of the multiplier of what a run is extended by
_DEPENDS = (
    "It takes the tuned peak for the best one, and for one that is limited by noise and not by stability: on 112 published "
    "runs of a language model the order of the best peaks agreed (rank correlation .70 to .91). Where a higher peak "
    "diverges, or the runs are short for their model, keep the lower of the two, or try both."
)


@dataclass(frozen=True, repr=False, eq=False)
class Transferred(Evidence):
    """A tuned peak, carried over to another schedule.

    own: the bound of the schedule whose peak was tuned, for D and G of 1; other: of the other one.   its_peak: what was tuned.
    """

    own: Bound
    other: Bound
    its_peak: float

    @property
    def ratio(self) -> float:
        """The best peak of the other schedule over that of the first."""
        return self.other.best_peak / self.own.best_peak

    @property
    def peak(self) -> float:
        """The peak to give to the other schedule."""
        return self.its_peak * self.ratio

    def __float__(self) -> float:
        return self.peak

    @property
    def sentence(self) -> str:
        """The peak, the ratio, and what it depends on."""
        far = ""
        if not 1 / _FAR <= self.ratio <= _FAR:
            far = f" That is more than {_FAR:g} times away: no more than a first guess."
        return (
            f"{self.other.name} over {plural(self.other.updates, 'update')} wants a peak of {self.peak:.4g}, {self.ratio:.3g} "
            f"times the {self.its_peak:.4g} of {self.own.name} over {self.own.updates:,}, by the last-iterate "
            f"bound.{far} {_DEPENDS}"
        )

    def panel(self) -> Curves:
        """Both bounds against the peak, each as a multiple of the least of the first."""
        scale = self.own.best_peak / self.its_peak
        peaks = [math.sqrt(self.its_peak * self.peak) * 2.0 ** (k / 8) for k in range(-28, 29)]
        pairs = (self.own, self.other)
        series = [
            Series(one.name, peaks, [one.at(p * scale) / self.own.least for p in peaks], style=style)
            for style, one in enumerate(pairs)
        ]
        best = [self.its_peak, self.peak]
        series.append(
            Series("best peaks", best, [one.least / self.own.least for one in pairs], style=2, dots=True),
        )
        label = "bound, of the least of the first"
        return Curves(
            title="Where each schedule wants its peak",
            series=series,
            x_label="peak rate",
            y_label=label,
            log_x=True,
            log_y=True,
        )


def optimal_peak(
    a_schedule: Any, its_peak: float, another: Any, run: Run | None = None, another_run: Run | None = None
) -> Transferred:
    """The peak for another schedule, given the tuned peak of a first: its_peak · c*(another)/c*(a_schedule).

    a_schedule, another: whatever names a schedule of factors.   its_peak: the rate at the peak that was tuned for the first.
    run: how long it is.   another_run: how long the other is, by default the same; of a fixed shape the peak falls with 1/√T.

    Raises PreheatError for schedules of rates, which have a peak of their own, and where a run has no end.

    >>> long = optimal_peak("hold() >> decay(20%)", 1e-3, "decay()", Run(total=10_000))
    >>> round(long.peak, 5)
    0.00194
    """
    tuned = positive_number(its_peak, "its_peak")
    own = unit_bound(a_schedule, run)
    return Transferred(own, unit_bound(another, run if another_run is None else another_run), tuned)


def unit_bound(schedule: Any, run: Run | None = None, *, factors: bool = True) -> Bound:
    """The bound for D and G of 1 of a schedule that has 1 at its peak.   factors: whether rates are refused."""
    named = laid(schedule, run, factors=factors)
    return bound_of(named.name, named.values / (named.peak or 1.0))


@dataclass(frozen=True, repr=False, eq=False)
class Extended(Evidence):
    """What to multiply the rates by that follow when a run is extended.

    multiplier: of the factors that follow.   its_peak: what factor 1 stood for until then.   at: the update where they begin.
    name, updates: of what follows, and of the whole run.   gain: by how much the bound is lower than with a multiplier of 1.
    tried: multipliers and the bound at each, as a multiple of the least.
    """

    multiplier: float
    its_peak: float
    at: int
    name: str
    updates: int
    gain: float
    tried: tuple[tuple[float, float], ...]

    @property
    def peak(self) -> float:
        """What factor 1 stands for from then on."""
        return self.its_peak * self.multiplier

    @property
    def sentence(self) -> str:
        """The multiplier, the peak, and what it depends on."""
        return (
            f"From update {self.at:,} on, {self.name} over {plural(self.updates, 'update')} in all wants {self.multiplier:.3g} "
            f"times the peak of {self.its_peak:.4g} that it had, {self.peak:.4g}: the last-iterate bound is {self.gain:.1%} "
            f"lower than with the peak unchanged. {_DEPENDS}"
        )

    def panel(self) -> Curves:
        """The bound against the multiplier."""
        xs, ys = zip(*self.tried, strict=True)
        series = [Series("bound", xs, ys), Series("best", [self.multiplier], [1.0], style=1, dots=True)]
        return Curves(
            title=f"What multiplies the rates from update {self.at:,} on",
            series=series,
            x_label="multiplier",
            y_label="bound, of the least",
            log_x=True,
            log_y=True,
        )


def extension(
    a_schedule: Any, its_peak: float, another: Any, run: Run | None = None, another_run: Run | None = None, *, at: int
) -> Extended:
    """What to multiply the peak by when a run goes on: the multiplier of the rest for which the bound is least.

    a_schedule, its_peak, run: what the peak was tuned for.   another, another_run: what is trained instead, and how long it is
    in all.   at: the update from which on its factors are multiplied; those before it have its_peak.

    Raises PreheatError for schedules of rates, where nothing is left after `at`, or no multiplier within 1,000 is best.

    >>> on = extension("hold() >> decay(20%)", 1e-3, "hold() >> decay(20%)", Run(total=1000), Run(total=4000), at=800)
    >>> round(on.multiplier, 2)
    0.4
    """
    tuned, own = positive_number(its_peak, "its_peak"), unit_bound(a_schedule, run)
    whole = laid(another, run if another_run is None else another_run, factors=True)
    n = len(whole.values)
    first = counted(at, f"at is an update of the run before its last, from 0 to {n - 2}", 0, n - 2)
    if not whole.values[first:-1].any():
        raise PreheatError("all rates after that update are 0", given=at, write="give an earlier at=")

    def value(multiplier: float) -> float:
        rates = np.concatenate([whole.values[:first], whole.values[first:] * multiplier])
        return bound_of("", rates).at(own.best_peak)  # D/G is what makes the tuned peak the best one

    tried = [(m, value(m)) for m in np.geomspace(*_SEARCHED, 49).tolist()]
    place = min(range(len(tried)), key=lambda k: tried[k][1])
    if place in (0, len(tried) - 1):
        what = f"no multiplier from {_SEARCHED[0]:g} to {_SEARCHED[1]:g} is best: what is left hardly changes the bound"
        raise PreheatError(what, write="give an earlier at=, or a longer run")
    best = math.exp(_lowest(lambda x: value(math.exp(x)), math.log(tried[place - 1][0]), math.log(tried[place + 1][0])))
    least = value(best)
    near = tuple((m, v / least) for m, v in tried[max(0, place - 9) : place + 10])
    return Extended(best, tuned, first, whole.name, n, 1.0 - least / value(1.0), near)


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is least, by golden section to 1e-6."""
    share = (math.sqrt(5.0) - 1.0) / 2.0
    a, b = high - share * (high - low), low + share * (high - low)
    at_a, at_b = function(a), function(b)
    while high - low > 1e-6:
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - share * (high - low)
            at_a = function(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + share * (high - low)
            at_b = function(b)
    return (low + high) / 2.0
