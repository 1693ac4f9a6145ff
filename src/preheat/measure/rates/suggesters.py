"""What the curve of a range test suggests: fastai's four suggesters, and where each of them has nothing to suggest.

The four functions take the rates and smoothed losses of a curve and give what fastai's functions of the same names give
(fastai 2.8, `fastai/callback/schedule.py`), on every curve, sensible or not. `suggested` asks them of a sweep, and answers
"none" with a reason where fastai's answer would be the edge of the sweep or an accident of noise. No torch.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from preheat.core.checks import counted, positive_number
from preheat.core.errors import PreheatError

BETA = 0.98
"""How much of the smoothed loss is kept at each update."""

STOP = 4.0
"""The sweep ends where the smoothed loss is above so many times its lowest value."""

DROPPED = 5
"""Points that are left out at the end; at the beginning it is a tenth of the sweep."""

FEWEST = 10
"""Points that must be left."""

FEWEST_UPDATES = FEWEST + DROPPED + 1
"""Updates of the shortest sweep that leaves them."""

CERTAIN = 3.0
"""Standard deviations of the noise by which the smoothed loss must fall, or no suggestion stands."""

_HIGHEST = 1e38  # single precision holds no rate beyond

SLIDE_WIDTH, SLIDE_THRESHOLD = 15, 0.005


def steep(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Where the loss falls most per factor of the rate: argmin over i of (l[i+1] − l[i])/(ln r[i+1] − ln r[i])."""
    return rates[_steepest(rates, losses)]


def minimum(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A tenth of the rate at the lowest loss."""
    return rates[_lowest(losses)] / 10


def valley(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Half way into the longest decreasing subsequence of the losses."""
    return rates[_inside(*longest_valley(losses))]


def slide(
    rates: Sequence[float], losses: Sequence[float], width: int = SLIDE_WIDTH, threshold: float = SLIDE_THRESHOLD
) -> float:
    """The left end of a window of `width` updates, moved down from the end until the slopes at its ends differ by no more
    than `threshold`; it is the last place at which they did, or where the window begins. Needs width + 1 points.
    """
    return rates[_slid(losses, width, threshold)[0]]


def _steepest(rates: Sequence[float], losses: Sequence[float]) -> int:
    slopes = [
        (after - before) / (math.log(up) - math.log(down))
        for (before, after), (down, up) in zip(pairwise(losses), pairwise(rates), strict=True)
    ]
    return slopes.index(min(slopes))


def _lowest(losses: Sequence[float]) -> int:
    return min(range(len(losses)), key=losses.__getitem__)


def longest_valley(losses: Sequence[float]) -> tuple[int, int]:
    """The end of the longest strictly decreasing subsequence, the first of equals, and that end less its length.

    The latter is where the valley would begin if nothing in it were skipped: it may be before its first member, and is −1
    for one that fills the curve. fastai counts so; in O(n log n) here.
    """
    tails: list[float] = []  # the negated last members of subsequences of each length: ascending
    end, longest = 0, 1
    for place, loss in enumerate(losses):
        length = bisect_left(tails, -loss)
        tails[length : length + 1] = [-loss]
        if length + 1 > longest:
            end, longest = place, length + 1
    return (0, 0) if longest == 1 else (end - longest, end)


def _inside(start: int, end: int) -> int:
    """Where in the valley fastai looks: a third of it and half a third, each cut to whole points; −1 is the last point."""
    third = (end - start) / 3
    return start + int(third) + int(third / 2)


def _slid(losses: Sequence[float], width: int, threshold: float) -> tuple[int, int]:
    """Which point the window suggests, and by how many places it was moved."""
    slopes, count = _slopes(losses), len(losses)
    right, left = count - 1, count - 1 - width
    found, moves = left, 0
    while left >= 0 and abs(slopes[right] - slopes[left]) > threshold:
        found, right, left, moves = left, right - 1, left - 1, moves + 1
    return found, moves


def _slopes(losses: Sequence[float]) -> list[float]:
    """The slope of the losses at each place: central differences inside, one-sided at the ends."""
    inner = [(after - before) / 2 for before, after in zip(losses, losses[2:], strict=False)]
    return [losses[1] - losses[0], *inner, losses[-1] - losses[-2]]


def sweep_rates(low: float, high: float, updates: int) -> list[float]:
    """low · (high/low)^(i/N) for the updates i = 0 … N − 1. Raises PreheatError for rates that do not grow, or few updates."""
    low, high = positive_number(low, "the lowest rate"), positive_number(high, "the highest rate")
    if not low < high:
        raise PreheatError(f"the highest rate, {high:g}, must be above the lowest, {low:g}", write="give low < high")
    if high > _HIGHEST or not math.isfinite(high / low):
        raise PreheatError(f"no training has rates from {low:g} to {high:g}", write="give rates such as 1e-7 and 10")
    what = f"a sweep has a whole number of updates, at least {FEWEST_UPDATES}"
    count = counted(updates, what, FEWEST_UPDATES, write="100 is usual")
    return [low * (high / low) ** (place / count) for place in range(count)]


def check_loss(loss: float, smoothed: float, place: int) -> None:
    """Refuse a first loss that is not finite, and any below 0. smoothed: up to it.   place: how many were before."""
    if place == 0 and not math.isfinite(loss):
        what = "the first loss, before any update, and its gradient must be finite"
        cure = (
            "look for the fault in the model, its weights or the data; with a grad scaler, measure some updates later"
        )
        raise PreheatError(what, given=loss, write=cure)
    if loss < 0 or smoothed <= 0:
        raise PreheatError(
            f"the loss is {loss:.3g}, and a sweep ends where it is four times the best, which needs a loss above 0",
            write="add a constant to the loss; a larger one ends the sweep later, which may move suggestions",
        )


@dataclass(frozen=True)
class Sweep:
    """One run of a range test.

    rates: of the updates, ascending.   losses: of the batches, each before its update; the last may not be finite.
    planned: how many updates were meant.   stopped: whether it ended because the loss rose.
    known: whether the rates are known to be those that were trained at; a script may not have logged them.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    planned: int
    stopped: bool
    known: bool = True

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The exponential mean of the losses without its bias: m ← β m + (1 − β) l, shown as m/(1 − βⁱ)."""
        smoother = Smoother()
        return tuple(map(smoother.add, self.losses))

    def kept(self) -> "Curve":
        """What is asked: without the first tenth, the last few points, and what is not finite."""
        begin, end = self.planned // 10, max(0, len(self.rates) - DROPPED)
        losses = self.smoothed[begin:end]
        finite = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
        end = begin + finite
        return Curve(self.rates[begin:end], losses[:finite], begin, _scatter(self.losses[:end]), not self.stopped)


@dataclass(frozen=True)
class Curve:
    """The part of a sweep that is asked.

    losses: smoothed.   begin: how many updates were before it.   scatter: the standard deviation of the single losses.
    whole: whether the sweep went on to its highest rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    begin: int
    scatter: float
    whole: bool

    def noise(self, early: int, late: int) -> float:
        """The standard deviation of the difference of two smoothed losses that only the scatter of single ones makes."""
        first, last = _weights(self.begin + early), _weights(self.begin + late)
        first += [0.0] * (late - early)
        return self.scatter * math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(first, last, strict=True)))


def _scatter(losses: Sequence[float]) -> float:
    """The standard deviation of single losses, from their differences from one update to the next, which a slow trend
    leaves alone: 1.4826 · MAD/√2.
    """
    steps = [after - before for before, after in pairwise(losses)]
    middle = median(steps) if steps else 0.0
    return 1.4826 * median(abs(step - middle) for step in steps) / math.sqrt(2) if steps else 0.0


def _weights(place: int) -> list[float]:
    """How much each loss counts in the smoothed one at a place."""
    whole = 1 - BETA ** (place + 1)
    return [(1 - BETA) * BETA ** (place - i) / whole for i in range(place + 1)]


class Smoother:
    """The smoothed loss while a sweep runs, and whether it is time to stop."""

    def __init__(self) -> None:
        self._mean, self._count, self._best = 0.0, 0, math.inf

    def add(self, loss: float) -> float:
        """Take one more loss, and return the smoothed one."""
        self._count += 1
        self._mean = BETA * self._mean + (1 - BETA) * loss
        self.value = self._mean / (1 - BETA**self._count)
        self._best = min(self._best, self.value)
        return self.value

    @property
    def diverged(self) -> bool:
        """Whether the smoothed loss is not finite, or above STOP times its lowest value."""
        return not math.isfinite(self.value) or self.value > STOP * self._best


def suggested(sweep: Sweep) -> dict[str, float | str]:
    """What each suggester says of a sweep: a rate, or why there is none."""
    curve = sweep.kept()
    if reason := _nothing(sweep, curve):
        return dict.fromkeys(SUGGESTERS, reason)
    return {name: ask(curve) for name, ask in SUGGESTERS.items()}


def _nothing(sweep: Sweep, curve: Curve) -> str:
    """Why nothing can be said of the whole curve; empty where something can."""
    losses = curve.losses
    if len(losses) < FEWEST:
        if sweep.stopped:
            after = f"{len(sweep.losses)} update{'s' * (len(sweep.losses) != 1)}"
            return f"the loss rose, or was not finite, after {after}: begin lower, or make more updates"
        left = f"{len(losses)} point{'s are' if len(losses) != 1 else ' is'} left"
        return f"only {left} of the sweep: make more updates"
    lowest = _lowest(losses)
    if not losses[0] - losses[lowest] > CERTAIN * curve.noise(0, lowest) + _ROUNDING * abs(losses[0]):
        return "the loss does not fall at any rate by more than its own noise"
    return ""


_ROUNDING = 1e-6  # what single precision makes of a loss
_BENT = f"the slope changes by more than {SLIDE_THRESHOLD} everywhere, as that of a large loss does"
_FALLING = "the loss still falls where the sweep ends: go on to higher rates"


def _ask_steep(curve: Curve) -> float | str:
    losses, place = curve.losses, _steepest(curve.rates, curve.losses)
    if losses[place] - losses[place + 1] <= CERTAIN * curve.noise(place, place + 1):
        return "no single step of the curve stands out of its noise"
    if place == 0:
        return "the loss falls most where the sweep begins: begin lower"
    return _FALLING if curve.whole and place == len(losses) - 2 else curve.rates[place]


def _ask_minimum(curve: Curve) -> float | str:
    at_end = _lowest(curve.losses) == len(curve.losses) - 1
    return _FALLING if curve.whole and at_end else minimum(curve.rates, curve.losses)


def _ask_valley(curve: Curve) -> float | str:
    start, end = longest_valley(curve.losses)
    if curve.whole and end == len(curve.losses) - 1:
        return _FALLING
    place = _inside(start, end)
    return "the valley is too short to look into" if place <= 0 else curve.rates[place]


def _ask_slide(curve: Curve) -> float | str:
    count = len(curve.losses)
    if count <= SLIDE_WIDTH:
        return f"it needs {SLIDE_WIDTH + 1} points, and {count} are left: make more updates"
    place, moves = _slid(curve.losses, SLIDE_WIDTH, SLIDE_THRESHOLD)
    if moves == 0:
        return _FALLING if curve.whole else "the curve has no bend at its end"
    return _BENT if place == 0 else curve.rates[place]


SUGGESTERS: dict[str, Callable[[Curve], float | str]] = {
    "valley": _ask_valley,
    "slide": _ask_slide,
    "minimum": _ask_minimum,
    "steep": _ask_steep,
}
"""What each of them says of a curve: a rate, or why there is none."""
