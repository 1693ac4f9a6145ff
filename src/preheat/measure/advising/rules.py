"""What the rules that people go by would have said of the same training."""

from __future__ import annotations

from dataclasses import dataclass

from preheat.measure.advising.constants import CONSTANTS
from preheat.measure.advising.facts import Facts


@dataclass(frozen=True, slots=True)
class OtherRule:
    """A rule and what it says. warmup, peak: None where the rule says nothing of it."""

    name: str
    says: str
    warmup: int | None = None
    peak: float | None = None


def other_rules(facts: Facts) -> tuple[OtherRule, ...]:
    """The absolute-rate rule, one percent, the untuned rule, and the valley of a range test, each on its own terms."""
    percent = max(1, round(facts.steps / 100))
    rules = [_absolute(facts, percent), OtherRule("1 % linear", f"{percent} updates, whatever is trained", percent)]
    untuned = facts.optimizer.untuned if facts.optimizer.family == "adaptive" else None
    if untuned is None:
        rules.append(OtherRule("untuned, 2/(1 − β₂)", "nothing: it is for Adam and its kin"))
    else:
        rules.append(OtherRule("untuned, 2/(1 − β₂)", f"{untuned} updates, whatever the peak is", untuned))
    if facts.valley is None:
        rules.append(OtherRule("valley of a range test", "nothing: the test was not run, or its curve has no valley"))
    else:
        says = f"a peak of {facts.valley:.2g}, and nothing of warmup"
        rules.append(OtherRule("valley of a range test", says, peak=facts.valley))
    return tuple(rules)


def _absolute(facts: Facts, percent: int) -> OtherRule:
    """Warmup above a rate that is the same for all models: of as many updates as most people write, a percent."""
    constants = CONSTANTS.get(facts.optimizer.family)
    if constants is None:
        return OtherRule("absolute rate", f"nothing: no rate is known for {facts.optimizer.name}")
    needs = facts.peak > constants.absolute
    side = "above" if needs else "not above"
    says = f"{'warmup' if needs else 'no warmup'}: the peak is {side} {constants.absolute:g}"
    return OtherRule("absolute rate", says, percent if needs else 0)
