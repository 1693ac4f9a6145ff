"""From what was measured to what follows: whether, how long, from which rate, why, and how sure. Nothing is measured here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeGuard

from preheat.measure.advising.constants import (
    CLIP,
    CONSTANTS,
    FALLS,
    FIRST,
    LOUD,
    RISES,
    SEVERAL,
    SHARE_PER_OCTAVE,
    STEEP,
    SURE,
    SURE_ANY,
    TRIAL,
    UPDATE,
)
from preheat.measure.advising.facts import Facts
from preheat.measure.advising.outcome import Outcome, judged

Verdict = Literal["no warmup needed", "a short one", "a longer one", "not known"]
Sharpness = Literal["falls", "rises", "neutral", "not known"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the facts.

    probability: that warmup is needed; NaN where the constants do not hold.
    warmup: updates; with at_least a longer one may be better still. start: the rate to begin at.
    unknown: why the verdict is "not known".   rests_on: what the probability rests on.
    mechanisms: what points to why; none where no warmup is needed.
    """

    verdict: Verdict
    probability: float
    warmup: int
    at_least: bool
    start: float
    unknown: tuple[str, ...]
    rests_on: str
    mechanisms: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """The probability of the answer that is given."""
        return max(self.probability, 1 - self.probability)


def decided(facts: Facts) -> Decision:
    """The decision. Every warmup that it names fits into half of the run."""
    outcome = None if facts.trial is None else judged(facts.trial)
    probability = _probability(facts, outcome)
    unknown = _unknown(facts, outcome, probability)
    needs = bool(unknown) or probability >= 0.5  # where it is not known, the cautious answer
    warmup, at_least = _length(facts, outcome) if needs else (0, False)
    verdict: Verdict = "not known" if unknown else _kind(facts, warmup) if needs else "no warmup needed"
    return Decision(
        verdict,
        probability,
        warmup,
        at_least,
        start(facts.peak, safe(facts)) if warmup else facts.peak,
        unknown,
        _rests_on(facts, outcome),
        mechanisms(facts, outcome) if needs else (),
    )


def sharpness(facts: Facts) -> Sharpness:
    """Which way it goes at a low rate: falling means that the critical rate grows."""
    change = facts.change
    if change is None:
        return "not known"
    return "falls" if change > FALLS else "rises" if change < RISES else "neutral"


def critical(facts: Facts) -> float | None:
    """The critical rate that counts: along the low-rate updates where sharpness rises or the start says nothing."""
    start_rate, lowest = facts.critical_start, facts.critical_lowest
    return lowest if start_rate is None or (sharpness(facts) == "rises" and lowest is not None) else start_rate


def safe(facts: Facts) -> float | None:
    """The largest rate taken to be safe without warmup, c × the critical rate that counts."""
    constants, found = CONSTANTS.get(facts.optimizer.family), critical(facts)
    return None if constants is None or found is None else constants.c * found


def features(facts: Facts, outcome: Outcome | None) -> dict[str, float]:
    """What the probability is computed from.

    margin: log2(peak / (c · the critical rate that counts)); margin_start, margin_lowest: the same of the one at the start,
    and of the 20th percentile along the low-rate updates.
    trial_z: the best warmup's difference to none in units of its noise; trial_gain: as a share of what the loss fell by.
    """
    constants, found = CONSTANTS.get(facts.optimizer.family), dict[str, float]()
    if constants is not None:
        rates = {
            "margin": critical(facts),
            "margin_start": facts.critical_start,
            "margin_lowest": facts.critical_lowest,
        }
        found = {name: math.log2(facts.peak / (constants.c * rate)) for name, rate in rates.items() if rate is not None}
    if _tells(outcome):
        found |= {"trial_z": outcome.in_noise, "trial_gain": outcome.gain}
    return {name: max(-CLIP, min(CLIP, value)) for name, value in found.items()}


def start(peak: float, safe_rate: float | None) -> float:
    """The rate that a warmup begins at: the safe one, at most a tenth of the peak, or it would hardly be a warmup."""
    return 0.0 if safe_rate is None else min(safe_rate, peak / 10)


def schedule(peak: float, safe_rate: float | None, warmup: int) -> str:
    """A whole run as text, in factors of the peak: the warmup, in equal ratios where it is steep, and a decay to 0."""
    if not warmup:
        return "decay()"
    factor = float(f"{start(peak, safe_rate) / peak:.2g}")
    shape = ", shape=exponential" if 0 < factor < 1 / STEEP else ""
    return f"warmup({warmup}{f', start={factor:g}' if factor else ''}{shape}) >> decay()"


def mechanisms(facts: Facts, outcome: Outcome | None) -> tuple[str, ...]:
    """What the facts point to; several may be at work."""
    found = []
    rate, constants = critical(facts), CONSTANTS.get(facts.optimizer.family)
    if rate is not None and constants is not None and facts.peak > constants.c * rate:
        found.append(f"curvature: the peak is {facts.peak / rate:.3g} × the critical rate {rate:.2g}")
    if sharpness(facts) == "falls":
        found.append(f"curvature that falls: at a low rate the critical rate grows {facts.change:.2g} ×")
    if second := _second_moment(facts, outcome):
        found.append(second)
    if facts.batch and facts.noise_scale and facts.batch > SEVERAL * facts.noise_scale:
        found.append(
            f"the batch, {facts.batch}, is {facts.batch / facts.noise_scale:.2g} × the noise scale at the start"
        )
    moves = [one.typical_relative for one in facts.looks if math.isfinite(one.typical_relative)]
    if moves and facts.low_rate and (at_peak := moves[0] * facts.peak / facts.low_rate) > UPDATE:
        found.append(
            f"the size of updates: the first at the peak would change the weights of the middle layer by {at_peak:.1%}"
        )
    return tuple(found)


def _second_moment(facts: Facts, outcome: Outcome | None) -> str:
    """Whether Adam's second moment is at work: its first updates are large, or a warmup as long as it takes is enough."""
    untuned = facts.optimizer.untuned
    if facts.optimizer.family != "adaptive" or untuned is None:
        return ""
    moves = [one.typical_relative for one in facts.looks if math.isfinite(one.typical_relative)]
    if len(moves) > 2 and moves[0] > FIRST * median(moves[1:]):
        return f"Adam's second moment: the first update is {moves[0] / median(moves[1:]):.2g} × those after it"
    if _tells(outcome) and outcome.difference > outcome.noise and 0 < outcome.shortest <= untuned < outcome.longest:
        return f"Adam's second moment: {outcome.shortest} updates of warmup are enough, and it takes {untuned}"
    return ""


def told(facts: Facts) -> Outcome | None:
    """The outcome of the trial, where there was one and it tells something."""
    outcome = None if facts.trial is None else judged(facts.trial)
    return outcome if _tells(outcome) else None


def _tells(outcome: Outcome | None) -> TypeGuard[Outcome]:
    """Whether the trial may speak: some run trained, and the noise is small beside what the loss fell by."""
    return (
        outcome is not None
        and not outcome.hopeless
        and (outcome.rescued or outcome.noise <= LOUD * outcome.fell or abs(outcome.in_noise) > SEVERAL)
    )


def _probability(facts: Facts, outcome: Outcome | None) -> float:
    """That the training needs warmup; NaN where nothing was found, and for other optimizers without a trial that tells."""
    constants, found = CONSTANTS.get(facts.optimizer.family), features(facts, outcome)
    if not found:
        return math.nan
    by = TRIAL if constants is None or _tells(outcome) else constants.rule
    return 1 / (1 + math.exp(-(by.intercept + sum(by.weights.get(name, 0.0) * one for name, one in found.items()))))


def _unknown(facts: Facts, outcome: Outcome | None, probability: float) -> tuple[str, ...]:
    """Why no verdict can be given; empty where one can."""
    found = []
    other = facts.optimizer.family not in CONSTANTS
    if outcome is not None and outcome.hopeless:
        found.append(
            f"at this peak no short run trained, not even with {outcome.longest} updates of warmup: lower the peak, or race"
        )
    elif outcome is not None and not _tells(outcome):
        found.append(_untold(outcome))
    elif outcome is None and other:
        found.append(
            f"the critical rate was not calibrated for {facts.optimizer.name}, and there were no short runs: leave out trial=0"
        )
    if facts.rounded > 0.5:
        found.append(
            f"an update at the low rate {facts.low_rate:.2g} leaves {facts.rounded:.0%} of the weights unchanged"
        )
    if critical(facts) is None and not other and not _tells(outcome):
        found.append(facts.flat or "the loss does not rise along the update, so there is no critical rate")
    if not found and not max(probability, 1 - probability) > (SURE_ANY if other else SURE):
        found.append(f"what was measured points both ways: {probability:.0%} that warmup is needed")
    return tuple(found)


def _untold(outcome: Outcome) -> str:
    """Why runs that trained do not tell."""
    side = "below" if outcome.difference > 0 else "above"
    return (
        f"the short runs are too noisy to tell: the best warmup ends {abs(outcome.difference):.2g} {side} none, and such a "
        f"difference has a standard deviation of {outcome.noise:.2g} where the loss fell by {outcome.fell:.2g}"
    )


def _length(facts: Facts, outcome: Outcome | None) -> tuple[int, bool]:
    """Updates of warmup, and whether a longer one may be better still."""
    most = max(1, facts.steps // 2)
    if _tells(outcome) and outcome.shortest:
        return min(most, outcome.shortest), outcome.shortest == outcome.longest
    if outcome is not None and outcome.hopeless:
        return min(most, outcome.longest), True
    octaves, found = 1.0, safe(facts)
    if found is not None:
        octaves = max(1.0, min(len(SHARE_PER_OCTAVE), math.log2(facts.peak / found)))
    below = SHARE_PER_OCTAVE[math.floor(octaves) - 1]
    above = SHARE_PER_OCTAVE[math.ceil(octaves) - 1]
    by_rule = facts.steps * below * (above / below) ** (octaves % 1)
    return max(1, min(most, max(round(by_rule), min(facts.optimizer.untuned or 0, facts.steps // 10)))), True


def _kind(facts: Facts, warmup: int) -> Verdict:
    """Short: one that Adam's second moment alone would ask for, or at most a hundredth of the run."""
    untuned = facts.optimizer.untuned if facts.optimizer.family == "adaptive" else None
    short = max(facts.steps // 100, min(untuned or 0, facts.steps // 10))
    return "a short one" if warmup <= short else "a longer one"


def _rests_on(facts: Facts, outcome: Outcome | None) -> str:
    """What the probability rests on, and how far that is trusted."""
    constants = CONSTANTS.get(facts.optimizer.family)
    runs = ""
    if _tells(outcome) and facts.trial is not None:
        orders = min(len(one.losses) for one in facts.trial.arms)
        kinds = f"{len(facts.trial.arms)} warmups and {orders} orders of the data"
        runs = f"short runs of {facts.trial.updates} updates with {kinds}"
    if constants is None:
        alone = f"alone, since nothing was calibrated for {facts.optimizer.name}; constants: {TRIAL.evidence}"
        return (
            f"{runs} {alone}" if runs else f"nothing: the critical rate was not calibrated for {facts.optimizer.name}"
        )
    if runs:
        return f"{runs}; constants: {TRIAL.evidence}"
    caveat = f"; {constants.caveat}" if constants.caveat else ""
    return f"the critical rate alone, with c = {constants.c:g}; constants: {constants.rule.evidence}{caveat}"
