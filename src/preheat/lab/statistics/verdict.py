"""A few sentences on a study that claim no more than its intervals allow.

A direction ("lower", "higher", "up to higher peaks") stands only where the interval beside it leaves out 0; the intervals of
all comparisons that are made hold together at 95 %.
"""

from collections.abc import Sequence

from preheat.lab.experiment import Metric
from preheat.lab.statistics.arms import ArmSummary, StudySummary
from preheat.lab.statistics.grid import Family, GridSummary, Octaves
from preheat.lab.statistics.inference import LEVEL, LOOKING, MOST_SEEDS, Difference
from preheat.lab.statistics.numbers import difference_text, fixed, interval_text, signed
from preheat.lab.statistics.race import RaceSummary
from preheat.lab.statistics.sameness import Alike
from preheat.lab.statistics.target import target_sentences

_LOSS = Metric("val_loss")
_ROOM = 3  # sentences on arms that ended alike


def study_verdict(summary: StudySummary) -> str:
    """The sentences on a study; results on different data are not compared."""
    if len(summary.data) > 1:
        kinds = ", ".join(summary.data)
        return f"These runs saw different data ({kinds}), so nothing can be compared: run all of them in a new folder."
    if not any(arm.runs for arm in summary.arms):
        return "No run has finished."
    first, *others = summary.study.metrics
    if summary.grid is not None:
        said, claims = _grid_sentences(summary, summary.grid), summary.grid.claims
        families = summary.grid.families
        shown = [difference for family in families for difference in family.at_best.values()]
        shown += [family.sensitivity_difference for family in families if len(summary.grid.peaks) > 1]
    else:
        said, claims = [verdict(summary.arms, first)], summary.claims
        known = [metric for metric in others if len(summary.arms) > 1 and _has(summary, metric)]
        said += [f"{_against(summary.others[metric.name], metric)}." for metric in known]
        shown = [arm.difference for arms in (summary.arms, *summary.others.values()) for arm in arms if not arm.stopped]
    said += [_absent_sentence(summary, metric) for metric in others]
    said += [_alike_sentence(one) for one in _told(summary)]
    if claims > 1 and any(shown):
        before = f", {summary.absent} of earlier reports among them," if summary.absent else ""
        said.append(f"The {claims} comparisons{before} hold together at 95 %.")
    if summary.target is not None:
        said += target_sentences(summary.target, headed(first))
    if summary.race is not None:
        said.append(_race_sentence(summary.race))
    said += _caveats(summary, shown)
    if summary.looks:
        said.append(f"The intervals allow for {_counted(summary.looks, 'earlier look')}.")
    elif any(found is not None and found.more for found in shown):
        said.append(f"{LOOKING}.")
    return " ".join(filter(None, said))


def _has(summary: StudySummary, metric: Metric) -> bool:
    """Whether any run has a further metric."""
    return any(arm.losses for arm in summary.others[metric.name])


def _absent_sentence(summary: StudySummary, metric: Metric) -> str:
    """In how many runs a further metric is not there, and what can be done; empty where all have it."""
    pairs = zip(summary.arms, summary.others[metric.name], strict=True)
    lacking, runs = [(first.name, first.runs - own.runs) for first, own in pairs], sum(arm.runs for arm in summary.arms)
    if not (count := sum(lacks for _, lacks in lacking)):
        return ""
    named = ", ".join(f"{name} {lacks}" for name, lacks in lacking if lacks)
    where = f"any of the {runs} runs" if count == runs else f"{count} of {runs} runs ({named})"
    what = f"{headed(metric)} was neither returned nor logged in {where} when they were made, and is not compared there"
    return f"{what}: a new folder makes the runs anew, with what the training returns and logs now."


def verdict(arms: Sequence[ArmSummary], metric: Metric = _LOSS) -> str:
    """What the intervals show of each arm against the first, and who diverged."""
    if not any(arm.runs for arm in arms):
        return "No run has finished."
    if len(arms) == 1:
        return f"Only one arm, {arms[0].name}, was run, so there is nothing to compare{_counts(arms)}."
    return f"{_against(arms, metric)}{_counts(arms)}."


def _against(arms: Sequence[ArmSummary], metric: Metric) -> str:
    """What can be said of each arm by one metric; of those that a race stopped, nothing."""
    first, *others = arms
    if first.non_finite:
        return f"Runs of {first.name} ended without a finite {_noun(metric)}, so no difference from it is defined"
    claims = [
        f"{arm.name} has no defined difference, because runs of it ended without a finite {_noun(metric)}"
        if arm.non_finite
        else _claim(arm.name, arm.difference, metric)
        for arm in others
        if not arm.stopped
    ]
    return f"{headed(metric)} against {first.name}: {'; '.join(claims) or 'all other arms were stopped by the race'}"


def _told(summary: StudySummary) -> list[Alike]:
    """Of the arms that ended alike as many as a verdict has room for, those with the most seeds first."""
    return sorted(summary.alike, key=lambda one: (not one.whole, -len(one.seeds)))[:_ROOM]


def _alike_sentence(found: Alike) -> str:
    """That arms are equal to the last digit, what that means, and what to do."""
    names = f"{', '.join(found.arms[:-1])} and {found.arms[-1]}"
    seeds = ", ".join(map(str, found.seeds))
    with_seeds = "with every seed" if found.whole else f"with {'seed' if len(found.seeds) == 1 else 'seeds'} {seeds}"
    follow = "preheat.from_env() in a launched script, the argument schedule in a function"
    if found.curves == "equal":
        what = "the final value and the curve"
        return f"{names} are equal to the last digit {with_seeds}, {what}: does the training follow its schedule ({follow})?"
    if found.curves == "unknown":
        why = "the values are coarse, or the training does not follow its schedule"
        return f"{names} end at equal values {with_seeds}, and logged no curve: {why} ({follow})."
    return (
        f"{names} end at equal values {with_seeds} although their curves differ: the values are too coarse to compare."
    )


def _caveats(summary: StudySummary, shown: Sequence[Difference | None]) -> list[str]:
    """What the 95 % of claimed directions rest on, and where the runs show that this may not be so."""
    apart = sorted({found.outlier for found in shown if found is not None and found.outlier is not None})
    if apart:
        seeds = f"Seed {apart[0]} lies" if len(apart) == 1 else f"Seeds {', '.join(map(str, apart))} lie"
        return [
            f"{seeds} far from the others: where one arm has rare runs like that, intervals fail more often than they say."
        ]
    claimed = [found for found in shown if found is not None and found.excludes_zero]
    by_t = summary.target is not None and any(arm.reached and arm.form == "t" for arm in summary.target.arms)
    said = ["A claim from 2 seeds holds for normal noise only."] if any(found.seeds == 2 for found in claimed) else []
    if claimed or by_t:
        said.append("Rare bad runs of one arm that have not come up in these seeds are not allowed for.")
    return said


def _claim(name: str, difference: Difference | None, metric: Metric = _LOSS, *, further: bool = True) -> str:
    """What can be said of one arm; `further`: also how many more seeds would settle it."""
    if difference is None:
        return f"{name} cannot be compared, because no seed has finished in both"
    shown, within, seeds = difference_text(difference), interval_text(difference), difference.seeds
    if not within and seeds == 1:
        return f"{name} ended at {shown}, and one seed cannot tell that from chance"
    if not within:
        same = f"{name} ended at {shown} with each of the {seeds} seeds, and no interval can be had of that"
        return f"{same} (does the training use its seed?)"
    between = f"95 % interval {within}" if difference.level == LEVEL else f"interval {within}"
    if difference.low == difference.high == 0:
        return f"{name} ended at the same values with each of the {seeds} seeds"
    if not difference.excludes_zero:
        text = f"{name} makes no difference that these {seeds} seeds can show ({shown}, {between})"
        return f"{text}, and {_more_seeds(difference.more)}" if further else text
    return f"{name} is {direction(difference, metric)} ({shown}, {between}, {seeds} seeds)"


def _more_seeds(more: int | None) -> str:
    """How many further seeds would do."""
    if more is None:
        return f"more than {MOST_SEEDS} more would be needed to settle it"
    return f"{_counted(more, 'more seed')} may settle it (enough in 46 to 84 % of simulated cases)"


def direction(difference: Difference, metric: Metric) -> str:
    """Where the arm lies; which way is better only where it is not the way of a loss."""
    word = "lower" if difference.mean < 0 else "higher"
    if metric.goal == "min":
        return word
    return f"{word}, which is {'better' if word == 'higher' else 'worse'}"


def _counts(arms: Sequence[ArmSummary]) -> str:
    """The counts of diverged runs where there is any, and of runs without a record."""
    text = ""
    if any(arm.diverged for arm in arms):
        text += "; diverged: " + ", ".join(
            f"{arm.name} {arm.diverged} of {arm.runs}{_divergence_text(arm)}" for arm in arms if arm.runs
        )
    missing = _missing(arms)
    return f"{text}; missing runs: {missing}" if missing else text


def _missing(arms: Sequence[ArmSummary]) -> str:
    """The arms that lack runs, each with their number."""
    return ", ".join(f"{arm.name} {arm.missing}" for arm in arms if arm.missing)


def _divergence_text(arm: ArmSummary) -> str:
    """Whether the arm can be said to diverge more or less often than its reference."""
    found = arm.divergence
    if found is None or not found.differs or arm.stopped:
        return ""
    return f" ({'more' if found.more > found.fewer else 'less'} often, exact p = {found.p:.2g})"


def _grid_sentences(summary: StudySummary, grid: GridSummary) -> list[str]:
    """Best peaks, sensitivity to the peak, largest trainable peaks, and counts by family."""
    first, *others = summary.study.metrics
    reference, *families = grid.families
    best = [f"{family.name} {_best_text(family)}" for family in grid.families]
    peaked = [family for family in families if family.best is not None and reference.best is not None]
    best += [_claim(family.name, family.at_best.get(first.name), first) for family in peaked]
    flattered = f" (the best of {len(grid.peaks)}, so a little flattered)" if len(grid.peaks) > 1 else ""
    said = [f"{headed(first)} at each schedule's best peak{flattered}: {'; '.join(best)}."]
    for metric in (one for one in others if peaked and _has(summary, one)):
        claims = [_claim(family.name, family.at_best.get(metric.name), metric) for family in peaked]
        said.append(f"{headed(metric)} at these peaks, against {reference.name}: {'; '.join(claims)}.")
    if any(family.sensitivity is not None for family in grid.families) and len(grid.peaks) > 1:
        values = [f"{one.name} {_sensitivity_text(one)}" for one in grid.families]
        compared = [one for one in families if one.sensitivity is not None and reference.sensitivity is not None]
        values += [_claim(family.name, family.sensitivity_difference, further=False) for family in compared]
        said.append(f"Sensitivity to the peak (mean excess over the best one): {'; '.join(values)}.")
    elif grid.ceiling is None and len(grid.peaks) > 1:
        know = ", or return chance_loss" if first == _LOSS else ""
        what = f"what a model scores that has learned nothing is not known: log {first.name} at the first update{know}"
        said.append(f"There is no sensitivity to the peak, because {what}.")
    if any(cell.diverged for family in grid.families for cell in family.cells):
        peaks = [f"{family.name} {_trainable_text(family, grid)}" for family in grid.families]
        peaks += [_octaves_text(family.name, family.octaves) for family in families if family.octaves is not None]
        said.append(f"Largest peak that trains: {'; '.join(peaks)}.")
    if missing := _missing(summary.arms):
        said.append(f"Missing runs: {missing}.")
    return said


def _best_text(family: Family) -> str:
    """`2.100 at 0.003`."""
    mean = next((cell.mean for cell in family.cells if cell.peak == family.best), None)
    return "has no peak at which every run is finite" if mean is None else f"{fixed(mean, 3)} at {family.best:g}"


def _sensitivity_text(family: Family) -> str:
    """`0.031`."""
    return "has none, because it trains at no peak" if family.sensitivity is None else fixed(family.sensitivity, 3)


def _trainable_text(family: Family, grid: GridSummary) -> str:
    """The largest trainable peak, and how many runs diverged in all."""
    peak = "has no such peak" if family.trainable is None else f"{family.trainable:g}"
    tried = ", the largest tried" if family.trainable == grid.peaks[-1] else ""
    diverged, runs = sum(cell.diverged for cell in family.cells), sum(cell.runs for cell in family.cells)
    return f"{peak}{tried} (diverged in all: {diverged} of {runs})" if runs else "was not run"


def _octaves_text(name: str, ratio: Octaves) -> str:
    """What can be said of a family's largest trainable peak against the first family's."""
    low, high = (None if end is None else signed(round(end, 6) + 0.0, 1) for end in (ratio.low, ratio.high))
    if low and high:
        within = f"interval {low} to {high}"
    else:
        within = f"at least {low}" if low else f"at most {high}" if high else "not bounded by this grid"
    mean = [] if ratio.mean is None else [f"{signed(round(ratio.mean, 6) + 0.0, 1)} octaves"]
    shown = ", ".join([*mean, within, _counted(ratio.seeds, "seed")])
    if not ratio.excludes_zero:
        return f"{name} makes no difference that these peaks and seeds can show ({shown})"
    higher = ratio.low is not None and ratio.low > 0
    return f"{name} trains {'up to higher' if higher else 'only up to lower'} peaks ({shown})"


def _race_sentence(race: RaceSummary) -> str:
    """Who was stopped when, what that saved, and what it risked."""
    if not race.stopped:
        return "The race has stopped no arm."
    rungs = dict.fromkeys(race.stopped.values())
    stops = [
        f"{', '.join(name for name, at in race.stopped.items() if at == count)} after {_counted(count, 'seed')}"
        for count in rungs
    ]
    share = f"{race.saved} of {race.full} runs ({race.saved / race.full:.0%})".replace("%", " %")
    if race.risk is None:
        chance = "how likely it is that the best arm was among them cannot be told"
    else:
        estimate = "below 1 %" if race.risk < 0.01 else f"about {100 * race.risk:.0f} %"
        chance = f"the probability that the best arm was among them is {estimate}"
    return f"The race stopped {'; '.join(stops)}, which saved {share}; {chance}."


def _counted(count: int, thing: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def headed(metric: Metric) -> str:
    """The metric at the start of a sentence."""
    return metric.title[:1].upper() + metric.title[1:] if metric.title.islower() else metric.title


def _noun(metric: Metric) -> str:
    """What is not finite."""
    return "loss" if metric == _LOSS else metric.title
