"""What sweeps of the rate suggest together: each suggestion with its interval, or why there is none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from preheat.core.errors import PreheatError
from preheat.measure.evidence import Evidence
from preheat.measure.intervals import geometric
from preheat.measure.rates.suggesters import SUGGESTERS, Sweep, suggested
from preheat.plots.panel import Curves, Series

LIMITS = (
    "These are rates for training without warmup, from the very weights that were swept; a sweep of another length gives "
    "others; nothing follows about how long to warm up."
)


_SAME = {
    "batches": "give more batches",
    "initialisations": "make each model from a seed of its own, as in build(seed)",
    "seeds": "let the script take its seed from PREHEAT_SEED, or from {seed} in the command",
}
"""What to do about sweeps that are the same, by what they should differ in."""


@dataclass(frozen=True)
class Suggestion:
    """What one suggester says of all sweeps together.

    name: the suggester.   rate: the geometric mean over the sweeps that have one; None where not most of them do.
    low, high: its 95 % interval (Student's, of the logarithms; no narrower than one step of the sweep), None of one sweep.
    rates: of each sweep, None where it has none.   reason: why there is no rate, or why no interval.
    """

    name: str
    rate: float | None
    low: float | None
    high: float | None
    rates: tuple[float | None, ...]
    reason: str = ""

    def __str__(self) -> str:
        if self.rate is None:
            return f"{self.name} none"
        ends = "" if self.low is None or self.high is None else f" ({self.low:.2g} to {self.high:.2g})"
        found = sum(rate is not None for rate in self.rates)
        some = f" in {found} of {len(self.rates)}" if found < len(self.rates) else ""
        return f"{self.name} {self.rate:.2g}{ends}{some}"


@dataclass(frozen=True, repr=False)
class RangeTest(Evidence):
    """Sweeps of the learning rate, and what they suggest.

    sweeps: the runs.   varied: in what they differ: "batches", "initialisations" or "seeds".
    """

    sweeps: tuple[Sweep, ...]
    varied: str = "batches"

    def __post_init__(self) -> None:
        if not self.sweeps:
            raise PreheatError("a range test has at least one sweep", given=self.sweeps)
        first = self.sweeps[0]
        for one in self.sweeps[1:]:
            near = all(map(partial(math.isclose, rel_tol=1e-6), one.rates, first.rates))
            if one.planned != first.planned or not near:
                raise PreheatError(
                    f"these are sweeps of other rates: {_extent(first)}, and {_extent(one)}",
                    write="pool sweeps of the same low, high and updates",
                )

    @classmethod
    def pooled(cls, tests: Iterable[RangeTest]) -> RangeTest:
        """Range tests of newly initialised models as one: intervals over initialisations.

        `RangeTest.pooled(lr_range_test(*build(seed), repeats=1) for seed in range(5))`

        Raises PreheatError for what are no range tests, one of them twice, and sweeps of other rates.
        """
        found = list(tests) if isinstance(tests, Iterable) else [tests]
        if not isinstance(tests, Iterable) or not all(isinstance(one, RangeTest) for one in found):
            raise PreheatError("several range tests are pooled", given=tests, write="give a list of lr_range_test(…)")
        if len(set(map(id, found))) < len(found):
            raise PreheatError(
                "a range test is pooled once, and one of these is here twice", write="make one for each seed"
            )
        return cls(tuple(sweep for test in found for sweep in test.sweeps), "initialisations")

    @property
    def suggestions(self) -> dict[str, Suggestion]:
        """What each suggester says: valley, slide, minimum, steep."""
        each = [suggested(sweep) for sweep in self.sweeps]
        same = _SAME[self.varied] if len(set(self.sweeps)) < len(self.sweeps) else ""
        first = self.sweeps[0].rates
        step = math.log(first[1] / first[0]) if len(first) > 1 else 0.0
        return {name: _together(name, [one[name] for one in each], step, same) for name in SUGGESTERS}

    @property
    def sentence(self) -> str:
        one, count = self.sweeps[0], len(self.sweeps)
        over = f"{count} sweeps of other {self.varied}" if count > 1 else "1 sweep"
        if count > 1 and len(set(self.sweeps)) == 1:
            over = f"{count} sweeps that are the same"
        found = self.suggestions.values()
        ends = self._ends()
        text = f"{over}, {one.planned} updates from {one.rates[0]:.3g} upwards: {ends}. "
        text += f"Suggested: {', '.join(map(str, found))}."
        if any(one.low is not None for one in found):
            text += " In brackets: 95 % intervals of the geometric mean."
        reasons = dict.fromkeys(one.reason for one in found if one.reason)
        whose = {reason: [one.name for one in found if one.reason == reason] for reason in reasons}
        text += "".join(f" {', '.join(names).capitalize()}: {reason}." for reason, names in whose.items())
        if not all(one.known for one in self.sweeps):
            text += " No lr was logged, so that nobody knows whether the script trained at these rates."
        return f"{text} {LIMITS}"

    def _ends(self) -> str:
        """Where the sweeps ended."""
        stopped = [one.rates[-1] for one in self.sweeps if one.stopped]
        if not stopped:
            return f"none diverged up to {max(one.rates[-1] for one in self.sweeps):.2g}"
        low, high = min(stopped), max(stopped)
        at = f"at {low:.2g}" if f"{low:.2g}" == f"{high:.2g}" else f"at {low:.2g} to {high:.2g}"
        some = "" if len(stopped) == len(self.sweeps) else f"{len(stopped)} of {len(self.sweeps)} "
        return f"{some}diverged {at}"

    def panel(self) -> Curves:
        curves = [one.kept() for one in self.sweeps]
        series = [
            Series("smoothed loss" if place == 0 else f"repeat {place + 1}", one.rates, one.losses, faint=place > 0)
            for place, one in enumerate(curves)
            if one.losses
        ]
        drawn = [loss for one in curves for loss in one.losses]
        for place, one in enumerate(self.suggestions.values(), start=1):
            if one.rate is not None and drawn:  # beside one another: they would cover the curve, and each other
                ends = (one.low or one.rate, one.rate, one.high or one.rate)
                height = min(drawn) - 0.04 * place * ((max(drawn) - min(drawn)) or 1.0)
                series.append(Series(f"{one.name} {one.rate:.2g}", ends, (height,) * 3, style=place, dots=True))
        title = f"Range test, {len(self.sweeps)} sweeps" if len(self.sweeps) > 1 else "Range test"
        return Curves(
            title=title,
            series=series,
            x_label="learning rate",
            y_label="loss",
            log_x=True,
            x_ticks=_decades([x for one in series for x in one.xs]),
            caption=LIMITS,
        )


def _decades(rates: list[float]) -> list[float]:
    """The powers of ten among the rates."""
    if not rates:
        return []
    first, last = math.ceil(math.log10(min(rates))), math.floor(math.log10(max(rates)))
    return [10.0**power for power in range(first, last + 1)]


def _extent(one: Sweep) -> str:
    return f"{one.planned} updates from {one.rates[0]:.3g} to {one.rates[-1]:.3g}" if one.rates else "none"


def _together(name: str, said: list[float | str], step: float, same: str) -> Suggestion:
    """One suggester's rates over all sweeps; `step` is the logarithm of the ratio of two rates of a sweep.

    same: where some of the sweeps are equal, what to do about it.
    """
    rates = [one for one in said if isinstance(one, float)]
    each = tuple(one if isinstance(one, float) else None for one in said)
    if 2 * len(rates) <= len(said):
        ((reason, count),) = Counter(one for one in said if isinstance(one, str)).most_common(1)
        some = f" ({count} of {len(said)} sweeps)" if count < len(said) else ""
        return Suggestion(name, None, None, None, each, f"{reason}{some}")
    mean, low, high = geometric(rates)
    if len(rates) == 1 or same:
        reason = f"the sweeps are the same, so their scatter is not known: {same}" if same else ""
        return Suggestion(name, mean, None, None, each, reason)
    least = math.exp(step / 2)
    return Suggestion(name, mean, min(low, mean / least), max(high, mean * least), each)
