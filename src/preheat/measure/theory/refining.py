"""A schedule made for the gradient norms that a run has logged.

With weights w_t = 1/G_t², the schedule η_t = w_t · Σ_{p>t} w_p / Σ_p w_p is the best that the last-iterate theory knows. In the
time that passes by w_t it is linear decay to 0; where gradients are large at first, it begins low: a warmup.
Defazio et al. 2023, arXiv:2310.07831.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preheat.core.checks import finite_number, one_of
from preheat.core.constructors import decay, ramp, table, warmup
from preheat.core.errors import PreheatError, plural, shown
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.nodes.sequence import sequence
from preheat.core.spans import Run
from preheat.measure.evidence import Evidence
from preheat.measure.theory.last_iterate import Bound, bound_of, norms_of
from preheat.plots.panel import Curves, Series

_POWERS = {"sgd": 2, "adam": 1}  # w = G^−power; Adam's steps have been divided by G already
_TABLE = 8192  # updates up to which the schedule is a table; beyond, ramps between so many
_KNOTS = 1024
_SHARES = (
    0.0,
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.07,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
)  # of the run: warmups that are tried
_SHAPES = ("linear", "cosine", "sqrt", "square")
_FEW = 0.1  # of the updates: where so few hold half of all weight, the schedule trusts in little


@dataclass(frozen=True, repr=False, eq=False)
class Refined(Evidence, Meant):
    """A schedule refined by gradient norms, which stands for its schedule wherever one is taken.

    schedule: factors with 1 as the peak.   values: those of its updates.   norms: the gradient norms, smoothed.
    optimizer: "sgd" or "adam".
    """

    schedule: Schedule
    values: np.ndarray
    norms: np.ndarray
    optimizer: str

    @property
    def target(self) -> Schedule:
        """The refined schedule."""
        return self.schedule

    @cached_property
    def simple(self) -> Schedule:
        """The warmup and decay of few words that the bound prefers for these norms."""
        n, few = len(self.norms), self.norms
        if n > _TABLE:
            few = np.interp(np.linspace(0, n - 1, _KNOTS), np.arange(n), self.norms)
        return min(_simple(len(few)), key=lambda one: _score(one, few, self.optimizer).score)

    @cached_property
    def bound(self) -> Bound:
        """That of the schedule, for these norms."""
        return _score(self.schedule, self.norms, self.optimizer)

    @cached_property
    def linear(self) -> Bound:
        """That of linear decay to 0 without warmup."""
        return _score(decay(), self.norms, self.optimizer)

    @cached_property
    def half(self) -> float:
        """The least share of the updates that holds half of all weight, Σ 1/G²."""
        weights = np.sort((self.norms / self.norms.min()) ** -2.0)[::-1]
        return float(np.searchsorted(np.cumsum(weights), weights.sum() / 2) + 1) / len(weights)

    @property
    def highest(self) -> int:
        """The update at which it is highest: how long its warmup lasts."""
        return int(np.argmax(self.values))

    @property
    def gain(self) -> float:
        """How much lower its bound is than that of linear decay, as a share, each at its own best peak."""
        return 1.0 - self.bound.score / self.linear.score

    @property
    def sentence(self) -> str:
        """Where it begins and is highest, what it gains, and what it is good for."""
        simple = _score(self.simple, self.norms, self.optimizer)
        updates = len(self.norms)
        said = [
            f"From the gradient norms of {plural(updates, 'update')}: a schedule that begins at {self.values[0]:.3g} of its "
            f"peak and is highest at update {self.highest:,} ({self.highest / updates:.1%}). By the last-iterate bound it has "
            f"a score of {self.bound.score:.4g}, linear decay {self.linear.score:.4g}, and {self.simple!r} {simple.score:.4g}."
        ]
        if self.half < _FEW:
            said.append(
                f"Half of all weight lies on {self.half:.1%} of the updates, where gradients are smallest: such a schedule "
                "trusts in little, and is better not followed."
            )
        said.append(
            "The norms are those of the schedule that the run had, and would be others under this one. The theory is of "
            "convex losses, says nothing of stability, and so nothing of the warmup that keeps a training from diverging. In "
            "our own trial, a deep net with a sharp start, no refined schedule helped, and one of few words with a warmup of "
            "half the run was better (benchmarks/refined.py): try the schedule against the one that the run had."
        )
        return " ".join(said)

    def panel(self) -> Curves:
        """The schedule, the simple one, and the norms that it is made of."""
        at = np.unique(np.linspace(0, len(self.values) - 1, 600).astype(int))
        xs = at.tolist()
        simple = _values(self.simple, len(self.values))[at]
        norms = self.norms[at] / self.norms.max()
        series = [
            Series("refined", xs, self.values[at].tolist()),
            Series("simple", xs, simple.tolist(), style=1),
            Series("gradient norm, of its largest", xs, norms.tolist(), style=2),
        ]
        return Curves(title="Refined by gradient norms", series=series, x_label="update", y_label="factor")


def refined(gradient_norms: Any, *, optimizer: str = "sgd", smoothing: float = 0.05) -> Refined:
    """The schedule that the last-iterate theory makes of logged gradient norms: w_t · Σ_{p>t} w_p, with w = 1/G².

    gradient_norms: one for every update of a run, as logged: ℓ2 norms for SGD, ℓ1 norms for Adam.   optimizer: "sgd", or "adam"
    for optimizers that divide by the size of the gradient: w = 1/G there, which is the paper's rule and not proven.
    smoothing: the share of the run over whose median the norms are smoothed, 0 for none.

    The gradient after the last update, which nobody measured, counts as the last. Norms that are all one give decay().
    Raises PreheatError for norms that are not numbers above 0.

    >>> refined([2.0] * 500).schedule
    ramp(1.0, 0.0, 500)
    """
    power = _POWERS[one_of(optimizer, "kind of optimizer", _POWERS)]
    share = finite_number(smoothing, "smoothing")
    if not 0 <= share <= 1:
        raise PreheatError("smoothing is a share of the run, from 0 to 1", given=smoothing, write="write 0.05")
    norms = _smoothed(norms_of(gradient_norms), share)
    weights = (norms / norms.min()) ** -float(power)
    after = np.cumsum(np.append(weights, weights[-1])[::-1])[::-1][1:]
    values = weights * after
    values /= values.max()
    schedule, values = _written(values, bool(np.ptp(norms) == 0))
    return Refined(schedule, values, norms, optimizer)


def _score(schedule: Schedule, norms: np.ndarray, optimizer: str) -> Bound:
    """The bound; steps that have been divided by G are those of SGD at a rate over G."""
    largest, name = float(norms.max()), shown(schedule, 60)
    values = _values(schedule, len(norms))
    rates = values if optimizer == "sgd" else values * (largest / norms)
    return bound_of(name, rates, norms / largest)


def _values(schedule: Schedule, updates: int) -> np.ndarray:
    return np.asarray(schedule.bind(Run(total=updates)).table(updates))


def _simple(updates: int) -> Iterator[Schedule]:
    """The schedules of few words that are tried; in a run of few updates a long warmup leaves nothing of some."""
    for share in _SHARES:
        for shape in _SHAPES:
            one = warmup(f"{100 * share:g}%") >> decay(shape=shape) if share else decay(shape=shape)
            if _values(one, updates).any():
                yield one


def _smoothed(norms: np.ndarray, share: float) -> np.ndarray:
    """The median of the norms around each update, of fewer at the ends; of a long run at some updates, linear between."""
    n = len(norms)
    side = int(share * n) // 2
    if not side:
        return norms
    at = np.unique(np.linspace(0, n - 1, min(n, 2048)).astype(int))
    medians = [np.median(norms[max(0, t - side) : t + side + 1]) for t in at]
    return np.interp(np.arange(n), at, medians)


def _written(values: np.ndarray, linear: bool) -> tuple[Schedule, np.ndarray]:
    """The values as a schedule, to seven digits, and as it gives them."""
    n = len(values)
    if linear:
        schedule: Schedule = ramp(1.0, 0.0, n)
    elif n <= _TABLE:
        schedule = table([float(f"{one:.7g}") for one in values])
    else:
        at = np.unique(np.append(np.linspace(0, n - 1, _KNOTS).astype(int), int(np.argmax(values)))).tolist()
        heights = [float(f"{values[t]:.7g}") for t in at]
        pairs = zip(zip(at, heights, strict=True), zip(at[1:], heights[1:], strict=True), strict=False)
        schedule = sequence([ramp(a, b, end - start) for (start, a), (end, b) in pairs])
    return schedule, np.asarray(schedule.table(n))
