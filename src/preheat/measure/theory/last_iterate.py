"""The last-iterate bound of convex optimization, as a measure of schedules: no model and no run is needed.

For a convex loss with gradients of norms G_t, SGD at rates η_1 … η_T, and weights that begin at a distance D from the best:

    f(x_T) − f* ≤ Ω = D²/(2·Ση) + Σ η_t²G_t²/(2·Ση) + ½ Σ_{k<T} η_k/(α_k·β_k) · γ_k
    α_k = Σ_{t>k} η_t,   β_k = Σ_{t≥k} η_t,   γ_k = Σ_{t≥k} η_t²G_t²

With η = c · shape it is Ω(c) = D²·a/c + b·c, least at c* = D·√(a/b), where it is 2D·√(ab).
Defazio et al. 2023, arXiv:2310.07831, Theorem 10; Schaipp et al. 2025, arXiv:2501.18965.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError, plural, shown
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.measure.evidence import Evidence
from preheat.plots.panel import Curves, Series
from preheat.review.held import with_rates
from preheat.review.laid_out import Laid, has_factors, laid_out
from preheat.review.opened import subject_of
from preheat.session.clock import given_run

_SPREAD = 1e100  # of gradient norms: squares of more would overflow
_SKIPPED = "an update that was skipped, as after an overflow, moved nothing, and every update has to have a norm"
_CLIFF = 100.0  # linear decay ends with a rate of twice the one after it, a cosine with four times
LEAST = 2.0
"""Ω·√(ΣG⁻²)/D of the best schedule of a long run, which with gradients of one norm is linear decay to 0."""
WHERE_IT_HOLDS = (
    "It is proven for SGD on convex losses. On 112 published runs of a language model of 124M parameters the order that it "
    "gives to schedules, each at its best peak, agreed with their losses (rank correlation .86 to .92 for runs of 25,000 to "
    "50,000 updates, .68 for 15,000); on runs that are too short for their model, or whose peak is limited by stability, it "
    "did not (.07 to .59). It does not know at which peak a training diverges, nor what a warmup prevents."
)


@dataclass(frozen=True, repr=False, eq=False)
class Bound(Evidence):
    """The last-iterate bound of a schedule on its run, as a function of the peak rate.

    name: of the schedule.   updates: of the run.   moving: how many of them there are up to the last whose rate is not 0.
    travel, noise: a and b for gradients whose largest norm is 1.   inverse: Σ (largest norm / G_t)² over all updates.
    distance, norm: D, and the largest G; None where it was not given, and 1 is counted.   even: whether all G_t are equal.
    peak: the rate that factor 1 stands for, where it is known; of a schedule of rates it is the highest.
    """

    name: str
    updates: int
    moving: int
    travel: float
    noise: float
    inverse: float
    distance: float | None = None
    norm: float | None = None
    even: bool = True
    peak: float | None = None

    @property
    def best_peak(self) -> float:
        """The `peak` for which the bound is least, c* = D·√(a/b); in units of D/G where these are not known."""
        return (self.distance or 1.0) / (self.norm or 1.0) * math.sqrt(self.travel / self.noise)

    @property
    def least(self) -> float:
        """The bound at the best peak, 2D·√(ab); in units of D·G where these are not known."""
        return 2.0 * (self.distance or 1.0) * (self.norm or 1.0) * math.sqrt(self.travel * self.noise)

    @property
    def score(self) -> float:
        """The bound at the best peak · √(Σ G_t⁻²)/D, which is Ω·√T/(DG) where all norms are one: about 2 at the least.

        T are all updates of the run: those of rate 0 are wasted, wherever they are.
        """
        return 2.0 * math.sqrt(self.travel * self.noise) * math.sqrt(self.inverse)

    def at(self, peak: float) -> float:
        """The bound where factor 1 stands for this rate. Raises PreheatError for one that is not above 0."""
        c, distance, norm = positive_number(peak, "peak"), self.distance or 1.0, self.norm or 1.0
        return distance**2 * self.travel / c + norm**2 * self.noise * c

    @property
    def value(self) -> float | None:
        """The bound at the peak that the schedule has; None where D, G or the peak is not known."""
        return self.at(self.peak) if self.peak is not None and self.distance and self.norm else None

    @property
    def sentence(self) -> str:
        """The bound, the best peak, and where it holds."""
        units = [f" {unit}" if (unit := self._unit(sign)) else "" for sign in "/·"]
        said = [
            f"The last-iterate bound of {self.name} over {plural(self.updates, 'update')} is least at a peak of "
            f"{self.best_peak:.4g}{units[0]}, where it is {self.least:.4g}{units[1]}: a score of {self.score:.4g}, and the "
            f"best that a schedule of a long run can have is {LEAST:.0f}."
        ]
        if self.value is not None:
            said.append(f"At its peak of {self.peak:.4g} it is {self.value:.4g}.")
        if units[0]:
            said.append(
                "D is how far the weights have to go and G the norm of a gradient; where they are not given, only the "
                "ratio to another schedule's bound or peak says something."
            )
        if self.moving < self.updates:
            said.append(f"Rates of 0 at the end move nothing: the last update that counts is {self.moving - 1:,}.")
        return " ".join([*said, WHERE_IT_HOLDS])

    def _unit(self, sign: str) -> str:
        """What is not known, as a unit: D and G, the one over the other or both together."""
        first, second = "" if self.distance else "D", "" if self.norm else "G"
        if sign == "/":
            return f"{first or 1}/{second}" if second else first
        return "·".join(filter(None, (first, second)))

    def panel(self) -> Curves:
        """The bound against the peak, from a sixteenth to sixteen times the best."""
        peaks = [self.best_peak * 2.0 ** (k / 8) for k in range(-32, 33)]
        series = [Series("bound", peaks, [self.at(one) for one in peaks])]
        series.append(Series("best peak", [self.best_peak], [self.least], style=1, dots=True))
        if self.value is not None and self.peak is not None:
            series.append(Series("its peak", [self.peak], [self.value], style=2, dots=True))
        label = f"peak rate, in {unit}" if (unit := self._unit("/")) else "peak rate"
        title = f"Last-iterate bound of {self.name}"
        return Curves(title=title, series=series, x_label=label, y_label="bound", log_x=True, log_y=True)


def bound(
    schedule: Any,
    run: Run | None = None,
    gradient_norms: Any = None,
    *,
    distance: float | None = None,
    peak: float | None = None,
) -> Bound:
    """The last-iterate bound of a schedule, in O(T): how good its shape is, and which peak it wants.

    schedule: whatever names one: text, a value, a plan (its line lr), a preset, the path of a config.   run: how long it is.
    gradient_norms: G, a number above 0, or one for every update, as they were logged.   distance: D, from the first weights to
    the best.   peak: the rate that factor 1 stands for. Only ratios between schedules need neither D nor G nor a peak.

    Rates of 0 at the start add nothing; after the last rate that is not 0 the weights stay, and the bound is of that update.
    Raises PreheatError for what is no schedule, for a run without an end, rates that are all 0 or below 0, and
    where a rate is 100 times all that follow together.

    >>> linear, short = bound("decay()", Run(total=10_000)), bound("hold() >> decay(20%)", Run(total=10_000))
    >>> round(linear.score, 3), round(short.score, 3), round(linear.best_peak / short.best_peak, 2)
    (2.001, 2.161, 1.94)
    """
    named = laid(schedule, run, peak=peak)
    norms, norm = _norms(gradient_norms, len(named.values))
    d = None if distance is None else positive_number(distance, "distance")
    shape = named.values / (named.peak or 1.0)
    return bound_of(named.name, shape, norms, distance=d, norm=norm, peak=named.peak)


def bound_of(
    name: str,
    shape: np.ndarray,
    norms: np.ndarray | None = None,
    *,
    distance: float | None = None,
    norm: float | None = None,
    peak: float | None = None,
) -> Bound:
    """The bound of values of 0 and more.   norms: of the gradients, at most 1; None where all are equal."""
    count = moving(shape)
    return Bound(
        name=name,
        updates=len(shape),
        moving=count,
        **_parts(shape[:count], None if norms is None else norms[:count]),
        inverse=_inverse(norms, len(shape)),
        distance=distance,
        norm=norm,
        even=norms is None,
        peak=peak,
    )


def moving(values: np.ndarray) -> int:
    """How many updates there are up to the last whose value is not 0. Raises PreheatError where all are 0."""
    if not values.any():
        raise PreheatError("all rates are 0: nothing moves", write="give a schedule that has rates above 0")
    return len(values) - int(np.argmax(values[::-1] != 0))


def _inverse(norms: np.ndarray | None, updates: int) -> float:
    """Σ G⁻²."""
    if norms is None:
        return float(updates)
    with np.errstate(over="ignore", divide="ignore"):
        return float(np.sum(norms**-2.0))


def _parts(shape: np.ndarray, norms: np.ndarray | None) -> dict[str, float]:
    """a = 1/(2Ση) and b. Sums from the end of numbers above 0 alone: nothing cancels."""
    top = float(shape.max())
    rates = shape / top
    squares = rates * rates if norms is None else (rates * norms) ** 2
    area = np.cumsum(rates[::-1])[::-1]  # β
    noise = np.cumsum(squares[::-1])[::-1]  # γ
    b = 0.5 * noise[0] / area[0] + 0.5 * float(np.sum(rates[:-1] / area[1:] * (noise[:-1] / area[:-1])))
    return {"travel": 0.5 / float(area[0]) / top, "noise": b * top}


class Named(NamedTuple):
    """A schedule on its run.   peak: where the values are rates, what factor 1 stands for, or of a schedule of rates the
    highest; None where they are factors.
    """

    name: str
    values: np.ndarray
    peak: float | None


def laid(schedule: Any, run: Run | None, *, peak: float | None = None, factors: bool = False) -> Named:
    """The values of every update of a schedule's learning rate.

    peak: what factor 1 stands for.   factors: whether rates are refused, and a published peak is left out.
    Raises PreheatError where there are no such values, or the bound says nothing of them.
    """
    name, line, _ = lines_of(schedule, run, peak=peak, factors=factors)
    values = np.asarray(line.values(), dtype=np.float64)
    if (values < 0).any():
        at = int(np.argmax(values < 0))
        raise PreheatError(f"the rate of update {at:,} is below 0", given=float(values[at]), write="end at 0 or above")
    _refuse_cliff(values[: moving(values)])
    if not line.rates:
        return Named(name, values, None)
    return Named(name, values, float(values.max()) if line.factor is None else line.factor)


def _refuse_cliff(values: np.ndarray) -> None:
    """Refuse a rate far above all that follow together: Ω grows with their ratio, though nothing has got worse."""
    after = np.cumsum(values[::-1])[::-1][1:]
    steep = values[:-1] > _CLIFF * after
    if steep.any():
        at = int(np.argmax(steep))
        raise PreheatError(
            f"all rates after update {at:,} together are {after[at] / values[at]:.2g} of its own: they hardly move the "
            "weights, and the bound cannot tell that from a training without an end",
            write="write 0 for them, and the bound is of the weights that they keep",
        )


def lines_of(
    schedule: Any, run: Run | None, *, peak: float | None = None, factors: bool = False
) -> tuple[str, Laid, tuple[Laid, ...]]:
    """What a schedule is called, its learning rate, and all lines of its plan."""
    subject = subject_of(schedule, None if run is None else given_run(run))
    if peak is not None and not has_factors(subject):
        what = "peak= (--peak) makes rates of factors, and these are rates"
        raise PreheatError(what, given=peak, write="leave it out: the highest of the rates is the peak")
    subject = subject._replace(peak=None) if factors else with_rates(subject, peak)
    lines = laid_out(subject)
    line = _rate(subject.name, lines)
    if factors and line.rates:
        raise PreheatError(
            f"{subject.name} is rates, which have a peak of their own, and here factors are needed, whose peak is 1",
            write="write it as factors, without absolute(…), and the rate at its peak beside it",
        )
    if not line.rates:
        refuse_unclear(Plan({"lr": line.written}), lambda _: None)
    return subject.name, line, lines


def _rate(name: str, lines: tuple[Laid, ...]) -> Laid:
    """The line of the learning rate of all groups, on a run that ends and counts updates."""
    found = next((one for one in lines if one.key == "lr"), None)
    if found is None:
        keys = ", ".join(one.key for one in lines)
        raise PreheatError(
            f"{shown(name, 60)} has no line lr, only {keys}", write="give the schedule of one of its rates"
        )
    if not found.ends:
        what = f"{shown(name, 60)} never ends, and what is left at the end of a run depends on where that is"
        raise PreheatError(what, write="write run=Run(total=10_000)", hint="total")
    if found.unit != "update":
        what = f"the run counts {found.unit}s, and how many updates one has is not known"
        raise PreheatError(what, write="give a run that counts steps, or what a step is worth on its clock")
    return found


def _norms(given: Any, updates: int) -> tuple[np.ndarray | None, float | None]:
    """The norms with 1 as the largest, None where all are equal; and the largest, None where none are given."""
    if given is None:
        return None, None
    if np.ndim(given) == 0:
        return None, positive_number(given, "gradient_norms")
    norms = norms_of(given)
    if len(norms) != updates:
        raise PreheatError(
            f"gradient_norms has {plural(len(norms), 'value')}, and the run has {plural(updates, 'update')}",
            write="give one for every update, skipped ones too, or one number for all",
        )
    largest = float(norms.max())
    return norms / largest, largest


def norms_of(given: Any) -> np.ndarray:
    """Gradient norms as an array of numbers above 0. Raises PreheatError for anything else."""
    try:
        norms = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        norms = np.empty((0, 0))
    if norms.ndim != 1 or not len(norms):
        raise PreheatError("gradient norms are a row of numbers, one for every update", given=given)
    wrong = ~(np.isfinite(norms) & (norms > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        what = f"the gradient norm of update {at:,} is no number above 0"
        raise PreheatError(what, given=float(norms[at]), write=f"write the one of the update before it: {_SKIPPED}")
    if norms.max() > _SPREAD * norms.min():
        what = f"gradient norms from {norms.min():.3g} to {norms.max():.3g} are not those of one training"
        raise PreheatError(what, write="look at what was logged")
    return norms
