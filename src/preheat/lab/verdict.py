"""One sentence on a study that claims no more than its intervals allow, and how its numbers are written."""

import math
from collections.abc import Sequence

from preheat.lab.statistics import ArmSummary, Difference, StudySummary

LARGE = 1e5


def study_verdict(summary: StudySummary) -> str:
    """The sentence on a study; losses on different data are not compared."""
    if len(summary.data) > 1:
        kinds = ", ".join(summary.data)
        return f"These runs saw different data ({kinds}), so nothing can be compared: run all of them in a new folder."
    return verdict(summary.arms)


def verdict(arms: Sequence[ArmSummary]) -> str:
    """What the intervals show of each arm against the first, and who diverged."""
    first, others = arms[0], arms[1:]
    if not any(arm.runs for arm in arms):
        return "No run has finished."
    if not others:
        return f"Only {first.name} was run, so there is nothing to compare{counts(arms)}."
    if first.non_finite:
        return f"Runs of {first.name} ended without a finite loss, so no difference from it is defined{counts(arms)}."
    return f"Validation loss against {first.name}: {'; '.join(map(claim, others))}{counts(arms)}."


def claim(arm: ArmSummary) -> str:
    """What can be said of one arm, the first having finite losses."""
    difference = arm.difference
    if arm.non_finite:
        return f"{arm.name} has no defined difference, because runs of it ended without a finite loss"
    if difference is None:
        return f"{arm.name} cannot be compared, because no seed has finished in both"
    shown, within = difference_text(difference), interval_text(difference)
    if not within:
        return f"{arm.name} ended at {shown}, and one seed cannot tell that from chance"
    seeds = difference.seeds
    if not difference.excludes_zero:
        return f"{arm.name} makes no difference that these {seeds} seeds can show ({shown}, 95 % interval {within})"
    direction = "lower" if difference.mean < 0 else "higher"
    return f"{arm.name} is {direction} ({shown}, 95 % interval {within}, {seeds} seeds)"


def counts(arms: Sequence[ArmSummary]) -> str:
    """The counts of diverged runs where there is any, and of runs without a record."""
    text = ""
    if any(arm.diverged for arm in arms):
        text += "; diverged: " + ", ".join(f"{arm.name} {arm.diverged} of {arm.runs}" for arm in arms if arm.runs)
    if any(arm.missing for arm in arms):
        text += "; missing runs: " + ", ".join(f"{arm.name} {arm.missing}" for arm in arms if arm.missing)
    return text


def difference_text(difference: Difference) -> str:
    """The mean difference with its sign."""
    return signed(difference.mean, decimals(difference))


def interval_text(difference: Difference) -> str:
    """`−0.48 to −0.31`; empty where there is no interval."""
    if difference.low is None or difference.high is None:
        return ""
    places = decimals(difference)
    return f"{signed(difference.low, places)} to {signed(difference.high, places)}"


def decimals(difference: Difference) -> int:
    """Three, or as many as show that no end of the interval which is not 0 looks like 0; eight at most."""
    values = [abs(value) for value in (difference.low, difference.high) if value] or [abs(difference.mean)]
    smallest = min(values)
    return 3 if smallest == 0 else min(8, max(3, -math.floor(math.log10(smallest))))


def signed(value: float, places: int) -> str:
    """A number with its sign, the minus as long as the plus, and no minus before a zero."""
    text = fixed(round(value, places) + 0.0, places).replace("-", "−")
    return text if text.startswith("−") else f"+{text}"


def fixed(value: float, places: int) -> str:
    """A number with so many decimals; a loss that has blown up with three digits instead."""
    return f"{value:.{places}f}" if abs(value) < LARGE else f"{value:.3g}"
