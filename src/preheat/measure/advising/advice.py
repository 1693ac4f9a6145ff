"""The advice: a verdict with its schedule, its reasons, how sure it is and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from preheat.measure.advising.deciding import Decision, critical, decided, safe, schedule, sharpness, start
from preheat.measure.advising.facts import Facts, Raced, plain
from preheat.measure.advising.outcome import judged
from preheat.measure.advising.rules import OtherRule, other_rules
from preheat.measure.evidence import Evidence
from preheat.plots.panel import Curves, Series

SCOPE = (
    "It is for this model, optimizer, batch size and peak, from these very weights; it cannot see what happens late in a run, "
    "and short runs favour high peaks."
)


@dataclass(frozen=True, repr=False)
class Advice(Evidence):
    """Whether a training needs warmup, how long, and from which rate.

    facts: all that was measured.   raced: the race that was run afterwards, if one was.
    """

    facts: Facts
    raced: Raced | None = None

    @cached_property
    def decision(self) -> Decision:
        """What follows from the facts."""
        return decided(self.facts)

    @property
    def verdict(self) -> str:
        """One line: "no warmup needed", "a short one: …", "… updates", or "not known"."""
        if self.raced is not None and self.raced.winner is not None:
            return (
                f"{_updates(self.warmup)} to a peak of {self.peak:.3g}, by the race"
                if self.warmup
                else "no warmup needed"
            )
        decision = self.decision
        if decision.verdict in ("not known", "no warmup needed"):
            return decision.verdict
        least = "at least " if decision.at_least else ""
        tail = "; a race would tell" if decision.at_least else ""
        return f"{'a short one: ' if decision.verdict == 'a short one' else ''}{least}{_updates(decision.warmup)}{tail}"

    @property
    def needed(self) -> bool | None:
        """Whether warmup is needed; None where that is not known."""
        if self.raced is not None and self.raced.winner is not None:
            return self.warmup > 0
        return None if self.decision.verdict == "not known" else self.decision.verdict != "no warmup needed"

    @property
    def warmup(self) -> int:
        """Updates of warmup. Where it is not known whether one is needed: those of the cautious answer."""
        if self.raced is not None and self.raced.winner is not None:
            return self.raced.winner[1]
        return self.decision.warmup

    @property
    def peak(self) -> float:
        """The peak: that which was asked about, or the race's."""
        return self.raced.winner[0] if self.raced is not None and self.raced.winner is not None else self.facts.peak

    @property
    def start(self) -> float:
        """The rate to begin at."""
        return start(self.peak, safe(self.facts)) if self.warmup else self.peak

    @property
    def schedule(self) -> str:
        """The schedule as text, in factors of the peak: what `parse`, `Scheduler` and every adapter read."""
        return schedule(self.peak, safe(self.facts), self.warmup)

    @property
    def confidence(self) -> float:
        """The probability of the verdict; NaN where it is not known."""
        return math.nan if self.decision.verdict == "not known" else self.decision.confidence

    @property
    def sure(self) -> str:
        """The probability of the verdict in words: nothing is sure."""
        if math.isnan(self.confidence):
            return "not known"
        return "over 99%" if self.confidence > 0.99 else f"{self.confidence:.0%}"

    @property
    def rules(self) -> tuple[OtherRule, ...]:
        """What other rules would have said."""
        return other_rules(self.facts)

    @property
    def cost(self) -> float:
        """What measuring cost, in updates; a forward pass is a third of one."""
        return self.facts.cost.in_updates + (self.raced.spent if self.raced else 0)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was measured, in sentences."""
        facts, found = self.facts, []
        rate, largest = critical(facts), safe(facts)
        if facts.flat:
            found.append(f"The critical rate at the start says nothing: {facts.flat}.")
        if rate is not None:
            safely = "" if largest is None else f"; without warmup rates up to {largest:.2g} are taken to be safe"
            found.append(f"Critical rate, at which a step no longer lowers the loss: {rate:.2g}{safely}.")
        if facts.change is not None:
            found.append(f"At a low rate sharpness {_sharpness(facts)} (critical rate × {facts.change:.2g}).")
        if facts.trial is not None:
            found.append(_trial(facts))
        if facts.mixed:
            found.append(
                "The batches that the runs are judged by are also trained on, since the data came round: give held_out batches."
            )
        if facts.forgotten is not None:
            found.append(facts.forgotten.sentence)
        if self.raced is not None:
            found.append(_race(self.raced, facts.steps))
        return tuple(found)

    @property
    def would_change(self) -> tuple[str, ...]:
        """What would change the answer."""
        facts, largest = self.facts, safe(self.facts)
        found = []
        if largest is not None and facts.peak > largest:
            found.append(f"a peak of at most {largest:.2g}")
        elif facts.trial is not None and judged(facts.trial).hopeless:
            found.append("a lower peak")
        if self.needed is not False:
            found.append("norms before each sublayer, or a smaller initialisation")
            if facts.optimizer.family == "adaptive" and facts.optimizer.beta2 is not None:
                found.append(f"a β₂ below {facts.optimizer.beta2:g}, where Adam's second moment is the reason")
            if facts.batch and facts.noise_scale and facts.batch > facts.noise_scale:
                found.append(f"a batch near the noise scale at the start, {facts.noise_scale:.2g}")
        else:
            found.append("a higher peak, a sharper initialisation, norms after each residual sum, or a larger batch")
        return tuple(found)

    @property
    def sentence(self) -> str:
        """The verdict, how sure it is, and what it is good for."""
        decision, facts = self.decision, self.facts
        head = f"At a peak of {self.peak:.3g} in a run of {facts.steps} updates: {self.verdict}. "
        if decision.verdict == "not known" and self.raced is None:
            why = ". ".join(f"{one[0].upper()}{one[1:]}" for one in decision.unknown)
            return f"{head}{why}. The cautious schedule is {self.schedule}. {SCOPE}"
        head += f"The schedule is {self.schedule}. "
        if self.raced is not None and self.raced.winner is not None:
            return f"{head}It rests on one seed. {SCOPE}"
        why = f"It rests on {decision.rests_on}. " if decision.rests_on else ""
        return f"{head}Probability of that: {self.sure}. {why}{SCOPE}"

    def panel(self) -> Curves:
        """The critical rate along the low-rate updates beside the peak; without those, the losses of the short runs."""
        looks = [one for one in self.facts.looks if one.critical is not None]
        title = f"{self.verdict} ({self.schedule})"
        if looks:
            rates = Series("critical rate", [one.update for one in looks], [one.critical or math.nan for one in looks])
            return Curves(
                title=title,
                series=[rates],
                x_label="low-rate update",
                y_label="rate",
                log_y=True,
                level=("peak", self.facts.peak),
                note=SCOPE,
            )
        losses = judged(self.facts.trial).losses if self.facts.trial else {0: self.facts.loss}
        drawn = Series("final loss", list(losses), list(losses.values()), dots=True)
        return Curves(title=title, series=[drawn], x_label="updates of warmup", y_label="loss", note=SCOPE)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it; what is not known is null."""
        names = (
            "verdict",
            "needed",
            "warmup",
            "peak",
            "start",
            "schedule",
            "confidence",
            "reasons",
            "would_change",
            "cost",
        )
        told: Mapping[str, Any] = {name: getattr(self, name) for name in names}
        decision = self.decision
        more = {
            "probability": decision.probability,
            "at_least": decision.at_least,
            "mechanisms": decision.mechanisms,
            "unknown": decision.unknown,
            "rests_on": decision.rests_on,
            "rules": [{"name": r.name, "says": r.says, "warmup": r.warmup, "peak": r.peak} for r in self.rules],
            "facts": self.facts.to_dict(),
            "race": None if self.raced is None else _race_as_data(self.raced),
        }
        return plain({**told, **more})


def _updates(number: int) -> str:
    return f"{number} update{'' if number == 1 else 's'} of warmup"


def _sharpness(facts: Facts) -> str:
    word = sharpness(facts)
    return "neither falls nor rises" if word == "neutral" else word


def _trial(facts: Facts) -> str:
    """The short runs in a sentence."""
    assert facts.trial is not None
    outcome = judged(facts.trial)
    digits = partial(_digits, scale=outcome.noise)
    ends = ", ".join(
        f"{warmup}: {outcome.failed.get(warmup) or digits(loss)}" for warmup, loss in outcome.losses.items()
    )
    noise = "" if not outcome.noise else f"; a difference has a standard deviation of {outcome.noise:.2g}"
    return f"Short runs of {facts.trial.updates} updates at the peak end, by updates of warmup, at {ends}{noise}."


def _digits(loss: float, scale: float) -> str:
    """A loss with as many digits as tell it from another at this distance, and at least four."""
    apart = math.log10(abs(loss) / scale) if loss and scale else 0.0
    return f"{loss:.{max(4, min(12, math.ceil(apart) + 1))}g}"


def _race(raced: Raced, steps: int) -> str:
    """The race in a sentence, with what its best peak becomes at the length of the run."""
    if raced.winner is None:
        return f"Race, seed {raced.seed}: no arm trained."
    peak, warmup = raced.winner
    last = raced.rungs[-1].updates
    at = f"{peak:.3g} with {_updates(warmup)} was the best of runs of {last} updates"
    if last >= steps:
        return f"Race, seed {raced.seed}: {at}."
    lower = peak * math.sqrt(last / steps)
    return (
        f"Race, seed {raced.seed}: {at}. The best peak of a short run is not that of {steps}: between {peak:.3g}, if it does "
        f"not depend on the length, and {lower:.3g}, if it falls with its square root."
    )


def _race_as_data(raced: Raced) -> dict[str, Any]:
    rungs = [
        {
            "updates": rung.updates,
            "arms": [{"peak": peak, "warmup": warmup, "loss": loss} for (peak, warmup), loss in rung.losses.items()],
        }
        for rung in raced.rungs
    ]
    return {"seed": raced.seed, "spent": raced.spent, "rungs": rungs}
