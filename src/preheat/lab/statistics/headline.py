"""One sentence on a study that a person would say, which claims no more than the intervals do.

"Lower", "higher", "the best" and "up to higher peaks" stand only where an interval leaves out 0. Every arm is compared with
the first one and with no other, so of two arms that are both better neither is called the best.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from preheat.lab.experiment import Metric
from preheat.lab.statistics.arms import ArmSummary, StudySummary
from preheat.lab.statistics.grid import Family, GridSummary
from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.numbers import rounded_within
from preheat.lab.statistics.target import TargetSummary

_LISTED, _LENGTH = 3, 60  # names in a row, and characters of them; of more only the number is said
_WARMUP = re.compile(r"ramp\(0\.\d+, 1\.0, [^>]*\) >> ")  # as an arm's text has it


def headline(summary: StudySummary) -> str:
    """The sentence: who ends better and by how much, or why that cannot be said."""
    finished, missing = (sum(getattr(arm, name) for arm in summary.arms) for name in ("runs", "missing"))
    if len(summary.data) > 1:
        return "These runs saw different data, so nothing can be compared."
    if not finished:
        return f"None of the {missing} runs has finished." if missing > 1 else "No run has finished."
    against = _of_target(summary.target) if summary.target else ""
    if len(summary.study.families) == 1:
        return (
            f"{against}."
            if against
            else f"Only one arm, {summary.study.arms[0].family}, was run, so there is nothing to compare."
        )
    said = _of_grid(summary, summary.grid) if summary.grid else _of_arms(summary)
    said = f"{against}. {said}" if against else said
    if stopped := sum(arm.stopped > 0 for arm in summary.arms):
        said += f"; the race stopped {stopped} of {len(summary.arms)} arms"
    said += f" ({missing} of {finished + missing} runs {'is' if missing == 1 else 'are'} missing)" if missing else ""
    return said if said.endswith("?") else f"{said}."


@dataclass(frozen=True, slots=True)
class _Groups:
    """What can be said of each arm against the first: by name, with the difference where it has one."""

    first: str
    metric: Metric
    better: dict[str, Difference] = field(default_factory=dict)
    worse: dict[str, Difference] = field(default_factory=dict)
    open: dict[str, Difference] = field(default_factory=dict)
    single: list[str] = field(default_factory=list)
    same: dict[str, Difference] = field(default_factory=dict)
    coarse: frozenset[str] = frozenset()  # arms that end like the first although what they logged differs
    unpaired: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    against: dict[str, str] = field(default_factory=dict)  # arms of which a further metric says the opposite

    def put(self, name: str, difference: Difference | None, further: Mapping[Metric, Difference | None]) -> None:
        """Sort an arm in; further: what other metrics say of it."""
        if difference is not None and (but := _contrary(difference, self.metric, further)):
            self.against[name] = but
        if difference is None:
            self.unpaired.append(name)
        elif difference.excludes_zero:
            is_better = (difference.mean < 0) == (self.metric.goal == "min")
            (self.better if is_better else self.worse)[name] = difference
        elif difference.seeds == 1:
            self.single.append(name)
        else:
            equal = difference.low is None or difference.low == difference.high
            (self.same if equal else self.open)[name] = difference

    @property
    def count(self) -> int:
        """How many arms there are beside the first."""
        parts = (self.better, self.worse, self.open, self.single, self.same, self.unpaired, self.other)
        return sum(map(len, parts))

    @property
    def clauses(self) -> list[str]:
        """What is said of them, the claims first."""
        said = [_better(self), _worse(self), *_buts(self), _open(self)]
        if self.single:
            said.append(f"one seed cannot tell {_listed(self.single)} from {self.first}")
        if self.unpaired:
            said.append(f"no seed has finished both in {self.first} and in {_listed(self.unpaired, 'or')}")
        alike = [name for name, one in self.same.items() if not one.mean and name not in self.coarse]
        coarse = [name for name in self.same if name in self.coarse]
        shifted = [name for name, one in self.same.items() if one.mean]
        if alike:
            what = "end alike to the last digit: does the training read its schedule?"
            said.append(f"{_listed(alike)} and {self.first} {what}")
        if coarse:
            said.append(f"{_listed(coarse)} and {self.first} end at equal values, which are too coarse to compare")
        if shifted:
            what = "by the same with every seed: does the training use its seed?"
            said.append(f"{_listed(shifted)} {'differs' if len(shifted) == 1 else 'differ'} from {self.first} {what}")
        return [one for one in (*said, *self.other) if one]


def _contrary(difference: Difference, metric: Metric, further: Mapping[Metric, Difference | None]) -> str:
    """What further metrics show of an arm that is the opposite of what the first one shows."""
    if not difference.excludes_zero:
        return ""
    is_better = (difference.mean < 0) == (metric.goal == "min")
    shown = [(one, found) for one, found in further.items() if found is not None and found.excludes_zero]
    opposed = [(one, found) for one, found in shown if ((found.mean < 0) == (one.goal == "min")) != is_better]
    return " and ".join(_by(found, one, named=True) for one, found in opposed)


def _buts(groups: _Groups) -> list[str]:
    """The arms of which a further metric says the opposite."""
    only = f"but {next(iter(groups.better), '')} "  # it is the one that the sentence before it is on
    said = [f"but {name} ends {text} than {groups.first}" for name, text in groups.against.items()]
    return [one for one in said if len(groups.better) != 1 or not one.startswith(only)]


def _better(groups: _Groups) -> str:
    """Of the arms that are better than the first."""
    names, first, metric = list(groups.better), groups.first, groups.metric
    way = "lower" if metric.goal == "min" else "higher"
    if not names:
        return ""
    if len(names) > 1:
        among = "between the two" if len(names) == 2 else "among them"
        end = f"end {way}" if _is_loss(metric) else f"end with {metric.title} {way}"
        return f"{_listed(names)} {'both' if len(names) == 2 else 'all'} {end} than {first}; {among} nothing was tested"
    name, difference = names[0], groups.better[names[0]]
    best = f"{name} is the best of the {groups.count + 1}: it" if 1 < groups.count == 1 + len(groups.worse) else name
    every = f", {'in both' if difference.seeds == 2 else f'in all {difference.seeds}'} seeds"
    every = every if difference.better == difference.seeds else ""
    but = f", but {groups.against[name]}" if name in groups.against else ""
    return f"{best} ends {_by(difference, metric)} than {first}{every}{but}"


def _worse(groups: _Groups) -> str:
    """Of the arms that are worse than the first."""
    names, first, metric = list(groups.worse), groups.first, groups.metric
    way = "higher" if metric.goal == "min" else "lower"
    if not names:
        return ""
    if groups.count == 1:
        return f"{first} ends {_by(groups.worse[names[0]], metric, turned=True)} than {names[0]}"
    if len(names) == 1:
        return f"{names[0]} ends {_by(groups.worse[names[0]], metric)} than {first}"
    lead = f"{first} is the best of the {groups.count + 1}: " if len(names) == groups.count else ""
    end = f"end {way}" if _is_loss(metric) else f"end with {metric.title} {way}"
    return f"{lead}{_listed(names)} {'both' if len(names) == 2 else 'all'} {end} than {first}"


def _open(groups: _Groups) -> str:
    """Of the arms whose interval holds 0."""
    if not groups.open:
        return ""
    names, found = list(groups.open), groups.open.values()
    seeds, more = min(one.seeds for one in found), [one.more for one in found if one.more]
    tell = f"; about {max(more)} more seed{'s' * (max(more) > 1)} may tell" if len(more) == len(names) else ""
    shows = f"no difference that {seeds} seeds can show between"
    return f"{shows} {_listed(names) if len(names) == 1 else _listed(names, 'or')} and {groups.first}{tell}"


def _by(difference: Difference, metric: Metric, *, turned: bool = False, named: bool = False) -> str:
    """`0.52 lower`, `with accuracy 0.02 higher`; turned: seen from the first arm; named: with the metric's name always."""
    ends = sorted(abs(end) for end in (difference.low, difference.high) if end is not None)
    amount = rounded_within(abs(difference.mean), ends[0], ends[-1])
    way = "lower" if (difference.mean < 0) != turned else "higher"
    return f"{amount} {way}" if _is_loss(metric) and not named else f"with {metric.title} {amount} {way}"


def _is_loss(metric: Metric) -> bool:
    """Whether "ends lower" says it, without the name of the metric."""
    return metric.goal == "min" and metric.name in ("loss", "val_loss")


def _of_arms(summary: StudySummary) -> str:
    """Of arms without a grid: who trains, then who ends better."""
    metric, (first, *others) = summary.study.metrics[0], summary.arms
    others = [arm for arm in others if not arm.stopped]
    if not first.runs or not _trains(first):
        return _first_fails(first, others)
    if first.non_finite:
        return f"{_not_finite(first, metric)}, so nothing can be compared with it"
    groups = _Groups(first.name, metric, coarse=_coarse(summary, first.name))
    for arm in others:
        if arm.runs and not _trains(arm):
            groups.other.append(_more_diverged(arm, first))
        elif arm.non_finite:
            groups.other.append(f"{_not_finite(arm, metric)}, so it has no mean")
        else:
            place = summary.arms.index(arm)
            further = {one: summary.others[one.name][place].difference for one in summary.study.metrics[1:]}
            groups.put(arm.name, arm.difference, further)
    text = "; ".join(groups.clauses) or f"every arm but {first.name} was stopped by the race"
    return _led(text, groups, {arm.name: arm.spec for arm in summary.arms})


def _coarse(summary: StudySummary, first: str) -> frozenset[str]:
    """The arms that end like the first one with every seed, although their curves differ."""
    found = [one.arms for one in summary.alike if one.whole and one.curves == "different" and first in one.arms]
    return frozenset(name for names in found for name in names) - {first}


def _of_target(found: TargetSummary) -> str:
    """Which arms are shown to be better than the target."""
    reached = [arm.name for arm in found.arms if arm.reached]
    place = f"{found.side} {found.value:g}"
    if not reached:
        none = f"{found.arms[0].name} is not" if len(found.arms) == 1 else "No arm is"
        return f"{none} shown to be {place}"
    return f"{_listed(reached)} {'is' if len(reached) == 1 else 'are'} {place}"


def _trains(arm: ArmSummary) -> bool:
    """More than half of the runs, as `largest_trainable` has it."""
    return arm.runs > 2 * arm.diverged


def _not_finite(arm: ArmSummary, metric: Metric) -> str:
    return f"{arm.non_finite} of {arm.runs} runs of {arm.name} ended without a finite {metric.title}"


def _more_diverged(arm: ArmSummary, other: ArmSummary) -> str:
    """How many runs of either arm diverged; that one does so more often only where the exact test allows it."""
    found = arm.divergence if arm.divergence and arm.divergence.p is not None else other.divergence
    own, against = f"{arm.diverged} of {arm.runs} runs", f"{other.diverged} of {other.runs}"
    if found is not None and found.differs:
        return f"{arm.name} diverges more often than {other.name} ({own}, against {against})"
    return f"{own} of {arm.name} diverged at this peak, {against} of {other.name}"


def _first_fails(first: ArmSummary, others: Sequence[ArmSummary]) -> str:
    """Where no run of the first arm has finished, or half of them or more diverged."""
    if not first.runs:
        return f"No run of {first.name} has finished, so there is nothing to compare with"
    run = [arm for arm in others if arm.runs]
    if not any(map(_trains, run)):
        counts = "; ".join(f"{arm.name}: {arm.diverged} of {arm.runs}" for arm in (first, *run))
        return f"Half of the runs or more of every arm diverged at this peak ({counts})"
    less = [arm.name for arm in run if arm.divergence and arm.divergence.differs and _trains(arm)]
    whole = [arm.name for arm in run if not arm.diverged]
    counts = [f"no run of {_listed(whole, 'or')}"] if whole else []
    counts += [f"{arm.diverged} of {arm.runs} of {arm.name}" for arm in run if arm.diverged]
    said = f"{first.diverged} of {first.runs} runs of {first.name} diverged at this peak, {', '.join(counts)}"
    return f"{said}; {first.name} diverges more often than {_listed(less)}" if less else said


def _of_grid(summary: StudySummary, grid: GridSummary) -> str:
    """Of a grid: who ends better with its best peak, and who trains up to higher ones."""
    metric, (first, *others) = summary.study.metrics[0], grid.families
    if first.best is None:
        return _none_finite(first, others)
    groups = _Groups(first.name, metric)
    for family in others:
        if family.best is None:
            groups.other.append(f"“{family.name}” is at no peak finite in every run")
        else:
            further = {one: family.at_best.get(one.name) for one in summary.study.metrics[1:]}
            groups.put(family.name, family.at_best.get(metric.name), further)
    told = len(groups.better) + len(groups.worse) + len(groups.open)
    where = f"At peak {grid.peaks[0]:g} " if len(grid.peaks) == 1 else "At their best peaks "
    if len(grid.peaks) > 1 and len(others) == 1 and not groups.open:
        where = "With its best peak "
    text = (where if told else "") + "; ".join(groups.clauses)
    reaches = [f"{family.name} {_reach(family)}" for family in others if _reach(family)]
    if len(others) == 1 and groups.better and reaches and not groups.against:
        text, reaches = f"{text.partition(', in ')[0]}, and {_reach(others[0])}", []
    return _led("; ".join([text, *reaches]), groups, {family.name: family.spec for family in grid.families})


def _none_finite(first: Family, others: Sequence[Family]) -> str:
    """Where the first family has no peak at which every run is finite: counts, and who trains up to higher peaks."""
    said = [f"“{first.name}” is at no peak finite in every run"]
    if first.trainable is None:
        low = first.cells[0]
        said = [f"{low.diverged} of {low.runs} runs of {first.name} diverged at the lowest of these peaks"]
    said += [f"{one.name} {reach}" for one in others if (reach := _reach(one))]
    return "; ".join(said)


def _reach(family: Family) -> str:
    """How far a family trains against the first one; empty where nothing can be said."""
    found = family.octaves
    if found is None or not found.excludes_zero:
        return ""
    if found.low is None or found.low <= 0:
        return "trains only up to lower peaks"
    if found.mean is None:
        return "trains up to higher peaks"
    times = 2**found.mean
    return f"trains up to about {'twice' if round(times, 1) == 2 else f'{times:.2g} times'} the peak"


def _led(text: str, groups: _Groups, specs: Mapping[str, str]) -> str:
    """The text with what follows from it for who asks whether to warm up, where nothing but a warmup tells the arms apart."""

    def warm(name: str, other: str) -> bool:
        head = _WARMUP.match(specs[name])
        return head is not None and specs[name][head.end() :] == specs[other]

    first, better, worse = groups.first, groups.better, groups.worse
    pairs = [(name, first) for name in better] if not worse else [(first, name) for name in worse] if not better else []
    lead = ""
    pairs = [] if groups.against else pairs  # then what to do depends on which metric counts for more
    if pairs and all(warm(*pair) for pair in pairs):
        lead = "Warm up: "
    elif pairs and len(pairs) == groups.count and all(warm(other, name) for name, other in pairs):  # none is left open
        lead = "Leave the warmup out: "
    if lead:
        return lead + (text[:1].lower() + text[1:] if text.startswith(("At ", "With ")) else text)
    return text[:1].upper() + text[1:] if text.startswith(("no ", "one ")) else text


def _listed(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; of many, or of long ones, only how many."""
    if len(names) == 1:
        return names[0]
    if len(names) > _LISTED or sum(map(len, names)) > _LENGTH:
        return f"{len(names)} arms"
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
