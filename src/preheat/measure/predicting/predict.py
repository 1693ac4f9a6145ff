"""`preheat.measure.predict`: what another schedule would have given, from runs that were logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from preheat.core.checks import counted, positive_number
from preheat.core.errors import PreheatError
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.core.text.language import parse, to_text
from preheat.measure.predicting.blocks import Floats
from preheat.measure.predicting.fitting import Columns, fitted, resampled, searched
from preheat.measure.predicting.guards import ABSOLUTE, new_peaks, refuse_far, refuse_one_decay
from preheat.measure.predicting.laws import CONTROL, LAWS, Law, Scale
from preheat.measure.predicting.prediction import ByLaw, Predicted, Prediction
from preheat.measure.predicting.runs import Logged, logged_runs

DRAWS = 100  # sets of losses that each law is fitted to anew
HELD_BACK = (0.5, 0.6, 0.7, 0.8)  # of a run: what follows is held back from a fit, to see what that changes
MIDDLE = 0.6  # the one of them by which a law is weighed
LAST = 3  # points of a curve, whose mean is its end
_LEAST_ERROR = 5e-4  # nats: a law that was closer is not trusted more for it
_COUNTS = 0.05  # the weight from which on a law is one that may disagree


def predict(
    runs: Any,
    schedules: Mapping[str, Any] | Iterable[Any],
    *,
    total: int,
    peak: float | None = None,
    metric: str | None = None,
    seed: int = 0,
) -> Prediction:
    """What each schedule would give at `total` updates: differences, their intervals, which is best, and by how much.

    runs: paths (a folder of `preheat compare`, JSON lines, CSV, trainer_state.json), rows of a Trainer's log_history, or
    Logged; two of them at least, whose rates decay in different ways.   schedules: by name, or a list of them; the first is
    what the others are compared with.   total: updates, from those of the shortest run to 8 times those of the longest.
    peak: the rate at factor 1, the runs' own by default.   metric: which column is the loss.   seed: of the draws behind the
    intervals, at least 0.

    >>> from preheat.measure import predict
    >>> print(predict(["wsd.csv", "cosine.csv"], ["decay()", "hold() >> decay(20%)"], total=2000))  # doctest: +SKIP

    Raises PreheatError for what cannot be known: one way of decaying only, a horizon or a peak too far away, too few losses.
    """
    counted(seed, "seed is a whole number of at least 0", 0)
    logged = logged_runs(runs, metric)
    refuse_one_decay(logged)
    refuse_far(counted(total, "total is a number of updates, whole and above 0", 1), logged)
    targets = _rates(schedules, total, peak, logged)
    new = new_peaks(targets, logged)
    said = [_said(law, logged, targets, total, seed) for law in (*LAWS, CONTROL)]
    return _prediction(said, list(targets), total, logged, new)


def _rates(schedules: Any, total: int, peak: float | None, runs: list[Logged]) -> dict[str, Floats]:
    """The rates of every schedule, by name."""
    one = isinstance(schedules, str) or not isinstance(schedules, Mapping | Iterable)
    listed = [schedules] if one else schedules
    named = dict(listed) if isinstance(listed, Mapping) else {_called(each): each for each in listed}
    if len(named) < 2:
        raise PreheatError(
            "predicted are differences, so two schedules at least are needed", given=schedules, hint="schedules"
        )
    found = {}
    for name, given in named.items():
        meant = parse(given)
        if isinstance(meant, Plan):
            if RATE not in meant:
                raise PreheatError(f"the plan {name} has no line lr, which is the one that is predicted")
            meant = meant[RATE]
        run = Run(total=total)
        bound = meant.bind(run) if isinstance(meant, Absolute) else meant.bind(run, peak=_peak(peak, runs))
        found[str(name)] = np.asarray(bound.table(total), dtype=float)
        if found[str(name)].min() < 0 or found[str(name)].max() <= 0:
            raise PreheatError(f"the rates of {name} are below 0, or all 0: no law says what they would give")
    return found


def _called(schedule: Any) -> str:
    return schedule.strip() if isinstance(schedule, str) else to_text(schedule)


def _peak(given: float | None, runs: list[Logged]) -> float:
    """The rate at factor 1."""
    if given is not None:
        return positive_number(given, "peak")
    peaks = sorted({one.peak for one in runs})
    if peaks[-1] > 1.01 * peaks[0]:
        raise PreheatError(
            f"the runs have different peaks ({', '.join(f'{one:g}' for one in peaks)}), and a schedule of factors needs one",
            write=f"write peak={peaks[-1]:g}",
        )
    return peaks[-1]


@dataclass(frozen=True, eq=False)
class _Said:
    """What a law says of the final losses, as fitted and as fitted to every draw, and how far off it was at held-back ends."""

    law: Law
    finals: Floats
    draws: Floats
    error: float


def _said(law: Law, runs: list[Logged], targets: Mapping[str, Floats], total: int, seed: int) -> _Said:
    """One law fitted to all runs."""
    largest = max(one.peak for one in runs)
    updates = max(one.total for one in runs)
    scale = Scale(largest, max(one.rates.sum() / largest for one in runs), updates)
    curves = [one.curve() for one in runs]
    parts = [Columns.of(law, one.rates, curve[0], scale) for one, curve in zip(runs, curves, strict=True)]
    columns, losses = Columns.joined(parts), np.concatenate([curve[1] for curve in curves])
    fit = fitted(columns, losses)
    again = resampled(columns, fit, losses, [len(curve[0]) for curve in curves], seed=seed, times=DRAWS)
    end = np.array([float(total)])
    asked = Columns.joined([Columns.of(law, rates, end, scale) for rates in targets.values()])
    finals = fit.losses(asked)[0]
    shares = [curve[0] / one.total for one, curve in zip(runs, curves, strict=True)]
    error, others = _held_back(columns, losses, fit.weights, shares, asked)
    random = np.random.default_rng(seed)
    moved = (others - finals)[random.integers(len(others), size=DRAWS)] * random.standard_normal((DRAWS, 1))
    return _Said(law, finals, again.losses(asked) + moved * _growth(total, updates), error)


def _growth(total: int, horizon: int) -> float:
    """How much larger a law's error is taken to be than held-back ends say: with the root of the distance, twice that.

    Once that, the intervals of 20 exact problems held two times in three (`python -m benchmarks.predictor.exact`).
    """
    return 2 * float(np.sqrt(max(1.0, total / horizon)))


def _held_back(
    columns: Columns, losses: Floats, weights: Floats, shares: list[Floats], asked: Columns
) -> tuple[float, Floats]:
    """The law fitted with the ends of runs held back, of one or of all: how far off it is on the end of one that was, and what
    each of these fits says of the final losses, an array (fits, schedules).
    """
    whose = np.concatenate([np.full(len(share), place) for place, share in enumerate(shares)])
    share, everybody = np.concatenate(shares), len(shares)
    off, said = [], []
    for until, place in product(HELD_BACK, range(everybody + 1)):
        kept = ((whose != place) & (place < everybody)) | (share < until)
        fit = searched(columns.at(kept), losses[kept, None], weights[kept])
        said.append(fit.losses(asked)[0])
        if place < everybody and until == MIDDLE:
            last = np.flatnonzero(whose == place)[-LAST:]
            off.append((fit.losses(columns)[0] - losses)[last].mean())
    return float(np.sqrt(np.mean(np.square(off)))), np.array(said)


def _prediction(said: list[_Said], names: list[str], total: int, runs: list[Logged], new: bool) -> Prediction:
    """The laws together, each by how well it foretold the ends of the runs."""
    *laws, control = said
    weights = np.array([1 / max(one.error, _LEAST_ERROR) ** 2 for one in laws])
    weights /= weights.sum()
    trusted = min(one.error for one in laws) < control.error
    finals = np.array([one.finals for one in laws])
    draws = np.concatenate([one.draws for one in laws])
    shares = np.repeat(weights / DRAWS, DRAWS)
    mean = weights @ finals
    counting = finals[(weights >= _COUNTS) | new]
    lowest, order = draws.min(axis=1), int(mean.argmin())
    ties = draws <= lowest[:, None] + 1e-12 * np.abs(lowest[:, None])
    chances = ties / ties.sum(axis=1, keepdims=True)  # equal ones are the best in equal parts
    horizon = max(one.total for one in runs)
    rows = []
    for place, name in enumerate(names):
        low, high = _interval(draws[:, place] - draws[:, 0], shares)
        above = mean[place] - mean[order]
        surely = _interval(draws[:, place] - draws[:, order], shares)[0] > 0
        rows.append(
            Predicted(
                name,
                float(mean[place] - mean[0]),
                low,
                high,
                float(np.ptp(counting[:, place] - counting[:, 0])),
                float(shares @ chances[:, place]),
                float(shares @ (draws[:, place] - lowest)),
                bool(trusted and surely and above > np.ptp(counting[:, place] - counting[:, order])),
                None if total > ABSOLUTE * horizon else (float(mean[place]), *_interval(draws[:, place], shares)),
            )
        )
    by_law = [_by_law(one, float(weight)) for one, weight in zip(laws, weights, strict=True)]
    return Prediction(
        total, horizon, tuple(one.name for one in runs), tuple(rows), tuple(by_law), _by_law(control, 0.0), new
    )


def _by_law(one: _Said, weight: float) -> ByLaw:
    return ByLaw(one.law.name, one.law.source, one.error, weight, tuple(map(float, one.finals - one.finals[0])))


def _interval(values: Floats, shares: Floats) -> tuple[float, float]:
    """The middle 95 % of values that count by their shares."""
    order = np.argsort(values)
    reached = np.cumsum(shares[order])
    low, high = (values[order][min(len(values) - 1, int(np.searchsorted(reached, q)))] for q in (0.025, 0.975))
    return float(low), float(high)
