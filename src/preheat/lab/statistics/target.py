"""Is an arm's mean better than a fixed target? One-sided tests of each arm alone, as records of speed-runs are judged.

The NanoGPT speed-run asks that the mean of a record's runs be at most 3.28 with p < 0.01, and reckons p as Student's
one-sided test of one sample does (https://github.com/KellerJordan/modded-nanogpt, "Rules"). Its track 3, which counts
updates, asks for (3.28 − mean) · √n ≥ 0.004 instead: a z test with a standard deviation taken as known, 0.0013, so z ≥ 3.077
and p ≤ 0.00105 (pull requests 297 and 312 there). With n runs, their mean m and their standard deviation s, for a target a
that the mean is to be below:

* **t**, the standard deviation estimated: P(T ≤ (m − a) · √n / s), Student's T with n − 1 degrees of freedom, n ≥ 2.
  Assumes that runs are normal. A tail towards *better* values makes false claims rarer, one towards worse values more
  frequent: `docs/compare.md` has the figures.
* **z**, the standard deviation σ known from other runs: Φ((m − a) · √n / σ), n ≥ 1. Assumes that this σ is right for these
  runs. Where they scatter more than it allows (χ² test, one-sided, 5 %), t decides instead.

Tests hold together over the arms (Bonferroni), and allow for earlier looks as the differences do (`inference.level_of`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from preheat.lab.experiment import TargetValue
from preheat.lab.statistics.inference import LEVEL, MOST_SEEDS, POWER, SAME, level_of, mean_and_sd, special
from preheat.lab.statistics.numbers import fixed

_TOO_WIDE = 0.05
"""With what probability a right standard deviation is taken for too small."""

_SMALLEST = 1e-6
"""A p below this is not written out: no noise is known so well."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class OneSided:
    """A one-sided test that a mean is better than the target. `bound`: the mean is at most (at least) that, at the level."""

    form: str
    sd: float
    p: float
    bound: float


@dataclass(frozen=True, slots=True)
class TargetArm:
    """What can be said of one arm against the target.

    mean, sd: of its `seeds` finished runs; None where not defined.   t, z: the tests; None where there is none.
    form: which of them decides, "t" or "z"; empty where there is no test, and `lack` says why.
    too_wide: the runs scatter more than the standard deviation that was given allows.
    reached: the deciding p is at most the level.   more: further seeds that would probably settle it, else None.
    """

    name: str
    seeds: int
    mean: float | None
    sd: float | None
    t: OneSided | None = None
    z: OneSided | None = None
    form: str = ""
    lack: str = ""
    too_wide: bool = False
    reached: bool = False
    more: int | None = None

    @property
    def deciding(self) -> OneSided | None:
        """The test that decides."""
        return self.z if self.form == "z" else self.t if self.form == "t" else None


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """The target, what each arm's p must not exceed, and the arms. `side` is where a mean has to be: below, or above.

    absent: how many claims on a target were made in earlier reports only; they have their share of the level."""

    value: float
    sd: float | None
    level: float
    each: float
    side: str
    arms: tuple[TargetArm, ...]
    absent: int = 0


def level_of_each(level: float, arms: int, looks: int = 0) -> float:
    """What p of each arm must not exceed, so that all claims together are false with at most the probability `level`.

    >>> level_of_each(0.05, 2)
    0.025
    """
    return round(level * (1 - level_of(arms, looks)) / (1 - LEVEL), 12)


def target_arm(
    name: str, values: Sequence[float | None], target: TargetValue, goal: str, *, levels: tuple[float, float], lack: str
) -> TargetArm:
    """One arm against the target, from the final values of its runs, None where not finite.

    goal: "min" where the mean is to be below, else "max".   levels: what p must not exceed now, and at the next look.
    lack: why nothing may be said of this arm; empty where all its runs are there.
    """
    mean, sd = mean_and_sd(values)
    if not lack and mean is None:
        lack = f"{values.count(None)} of {len(values)} runs not finite" if values else "no run"
    if not lack and sd is not None and sd < SAME * abs(mean or 0.0):
        lack = "every seed gave the same value (does the training use its seed?)"
    if lack or mean is None:
        return TargetArm(name, len(values), mean, sd, lack=lack)
    sign, n = (1 if goal == "min" else -1), len(values)
    t = _test(mean, sd, n, target, sign=sign, level=levels[0], form="t") if sd else None
    z = _test(mean, target.sd, n, target, sign=sign, level=levels[0], form="z") if target.sd else None
    too_wide = bool(sd and target.sd and special().chdtrc(n - 1, (n - 1) * (sd / target.sd) ** 2) < _TOO_WIDE)
    form = "z" if z and not too_wide else "t" if t else ""
    deciding = z if form == "z" else t
    reached = deciding is not None and deciding.p <= levels[0]
    short = 0.0 if deciding is None or reached else sign * (target.value - mean)
    more = _more(short, deciding, n, levels[1]) if deciding and short > 0 else None
    lack = "" if form else "one run has no standard deviation"
    return TargetArm(name, n, mean, sd, t, z, form, lack, too_wide, reached, more)


def _test(mean: float, sd: float, n: int, target: TargetValue, *, sign: int, level: float, form: str) -> OneSided:
    """Student's one-sided test of one sample, or the same with a standard deviation that is known."""
    error = sd / math.sqrt(n)
    away = sign * (mean - target.value) / error
    if form == "z":
        return OneSided(form, sd, _NORMAL.cdf(away), mean + sign * error * _NORMAL.inv_cdf(1 - level))
    reach = error * float(special().stdtrit(n - 1, 1 - level))
    return OneSided(form, sd, float(special().stdtr(n - 1, away)), mean + sign * reach)


def _more(short: float, test: OneSided, have: int, level: float) -> int | None:
    """How many further seeds would settle it with a probability of 80 %, if the mean is as seen; None above `MOST_SEEDS`.

    short: how far the mean is on the right side of the target. An estimated standard deviation is taken with caution, as
    its upper 80 % bound; the level is that of the next look.
    """
    functions, seeds = special(), np.arange(have + 1, have + MOST_SEEDS + 1)
    if test.form == "z":
        power = functions.ndtr(short * np.sqrt(seeds) / test.sd - _NORMAL.inv_cdf(1 - level))
    else:
        cautious = test.sd * math.sqrt((have - 1) / functions.chdtri(have - 1, POWER))
        with np.errstate(all="ignore"):
            away = np.minimum(short / cautious * np.sqrt(seeds), 1e3)
            power = 1 - functions.nctdtr(seeds - 1, away, functions.stdtrit(seeds - 1, 1 - level))
    enough = np.flatnonzero(power >= POWER)
    return int(seeds[enough[0]]) - have if enough.size else None


def target_sentences(found: TargetSummary, title: str) -> list[str]:
    """What the tests show of each arm, and what was asked of each p. title: the metric, at the start of a sentence."""
    claims = [_claim(arm, found) for arm in sorted(found.arms, key=lambda arm: not arm.reached)]
    said = [f"{title} against the target: {'; '.join(claims)}."]
    if len(found.arms) > 1 or found.each != found.level:
        arms = f"of each of {len(found.arms)} arms" if len(found.arms) > 1 else "here"
        before = f" ({found.absent} of earlier reports among them)" if found.absent else ""
        said.append(f"p ≤ {found.each:.3g} is asked {arms}, for {found.level:g} in all{before}.")
    if found.sd is not None and any(arm.too_wide for arm in found.arms):
        names = ", ".join(arm.name for arm in found.arms if arm.too_wide)
        said.append(
            f"Runs of {names} scatter more than the standard deviation {found.sd:g} allows, so t decides there."
        )
    return said


def _claim(arm: TargetArm, found: TargetSummary) -> str:
    """What can be said of one arm."""
    place, test = f"{found.side} {found.value:g}", arm.deciding
    if test is None:
        return f"{arm.name} is not shown to be {place} ({arm.lack})"
    seeds = f"{arm.seeds} seed{'s' * (arm.seeds != 1)}"
    equals = "" if test.p < _SMALLEST else "= "
    shown = f"mean {mean_text(arm, found)}, one-sided p {equals}{p_text(test.p, found.each)}, {test.form} with {seeds}"
    if arm.reached:
        return f"{arm.name} is {place} ({shown})"
    settle = f", and {arm.more} more seed{'s' * (arm.more != 1)} would probably settle it" if arm.more else ""
    return f"{arm.name} is not shown to be {place} ({shown}){settle}"


def mean_text(arm: TargetArm, found: TargetSummary) -> str:
    """The mean, with as many decimals as tell it from the target."""
    return "–" if arm.mean is None else number_text(arm.mean, arm, found)


def number_text(value: float, arm: TargetArm, found: TargetSummary) -> str:
    """A value of an arm with as many decimals as tell its mean from the target with two digits: three to eight."""
    apart = abs((arm.mean if arm.mean is not None else found.value) - found.value)
    places = 3 if apart == 0 else min(8, max(3, 1 - math.floor(math.log10(apart))))
    return fixed(value, places)


def p_text(p: float, level: float) -> str:
    """A probability with two digits, or as many as show on which side of the level it is; below a millionth only that."""
    if p < _SMALLEST:
        return f"< {_SMALLEST:.0e}"
    return next(
        (text for text in (f"{p:.{k}g}" for k in range(2, 9)) if (float(text) <= level) == (p <= level)), f"{p:.9g}"
    )
