"""What has ever been reported of a study from one folder, and what that leaves to each claim of a report now.

* **A comparison** is known by what it compares, not by names: two schedules (and peaks) in either order for a difference, one
  for a test against the target, and the metric. A difference is the same whichever way is better; a target has a side.
* **Claims**: all different comparisons that were ever reported, and those of now. To drop the losers of an earlier report
  does not make the rest surer.
* **Looks** of a comparison: the earlier reports of it that were made from other runs, and before the first one from these. A
  report that could claim nothing, as one on a single seed where one seed claims nothing, is none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from preheat.lab.experiment import Arm
from preheat.lab.statistics.grid import GridScope, grid_scope
from preheat.lab.statistics.inference import LEVEL, Share, discordant_p
from preheat.lab.trials import Trials

_ARMS = frozenset({"difference", "divergence"})
_FAMILIES = frozenset({"best", "sensitivity", "reach"})
_TARGET = frozenset({"target"})


@dataclass(frozen=True, slots=True)
class Report:
    """One comparison of one report.

    of: its kind, the metric, and the schedules that it compares.   made: the seeds that it was made from, in a grid at each
    peak; empty where it could claim nothing.
    """

    of: tuple[str, ...]
    made: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a report shares among its claims: the differences of arms, those of families, and the tests against the target.

    reports: all so far, in time order, these included.   absent: by the same three, how many claims are earlier ones only.
    """

    arms: Share
    families: Share
    target: Share
    reports: tuple[Report, ...]
    absent: tuple[int, int, int] = (0, 0, 0)


def claimed(trials: Trials, earlier: Iterable[Report] = ()) -> Claims:
    """What each claim on these runs gets, after earlier reports, and the reports with this one."""
    before, now = list(earlier), _comparisons(trials)
    reports = tuple(dict.fromkeys([*before, *(one for one in now if one.made or one.of not in {x.of for x in before})]))
    shares, absent = [], []
    for kinds in (_ARMS, _FAMILIES, _TARGET):
        here = [one for one in now if one.of[0] in kinds]
        old = {one.of for one in before if one.of[0] in kinds} - {one.of for one in here}
        looks = max((_looks(one, before) for one in here), default=0)
        shares.append(Share(max(1, len(here) + len(old)), looks))
        absent.append(len(old))
    arms, families, target = shares
    return Claims(arms, families, target, reports, (absent[0], absent[1], absent[2]))


def _looks(report: Report, before: Sequence[Report]) -> int:
    """How many reports of the same comparison from other runs came before the first one from these."""
    if not report.made:
        return 0
    made = list(dict.fromkeys(one.made for one in before if one.of == report.of and one.made))
    return made.index(report.made) if report.made in made else len(made)


def _comparisons(trials: Trials) -> list[Report]:
    """All comparisons that a report on these runs makes."""
    study, found = trials.study, dict[tuple[str, ...], str]()

    def put(kind: str, metric: str, arms: Iterable[str], made: str) -> None:
        of, again = (kind, metric, *sorted(arms)), 1
        while of in found:  # arms with the same schedule under two names
            again += 1
            of = (kind, metric, *sorted(arms), f"again {again}")
        found[of] = made

    for arm in study.arms:
        if study.target is not None:
            metric = study.metrics[0]
            enough = 1 if study.target.sd is not None else 2
            whole = (
                trials.of(arm) if len(trials.of(arm)) == len(study.seeds) else ()
            )  # where runs lack nothing is claimed
            put("target", f"{metric.name}:{metric.goal}", [_text(arm)], _made([whole], enough))
        if (first := study.reference(arm)) is None:
            continue
        both, pair = trials.of(arm).keys() & trials.of(first).keys(), (_text(arm), _text(first))
        for metric in study.metrics:
            put("difference", metric.name, pair, _made([both]))
        if discordant_p(len(both & (trials.diverged(arm) ^ trials.diverged(first))), 0) <= 1 - LEVEL:
            put("divergence", "", pair, _made([both]))
    if study.is_grid and (scope := grid_scope(trials)):
        for kind, metric, families, made in _of_families(trials, scope):
            put(kind, metric, families, made)
    return [Report(of, made) for of, made in found.items()]


def _of_families(trials: Trials, scope: GridScope) -> Iterable[tuple[str, str, tuple[str, str], str]]:
    """What is claimed of each family but the first."""
    study, (first, *others) = trials.study, scope.rows
    metric = f"{study.metrics[0].name}:{study.metrics[0].goal}"
    for row in others:
        seeds = [trials.of(row[peak]).keys() & trials.of(first[peak]).keys() for peak in scope.peaks]
        made = _made(seeds)
        made = made and ", ".join(map(repr, scope.peaks)) + f": {made}"
        pair = (next(iter(row.values())).spec, next(iter(first.values())).spec)
        for one in study.metrics:
            yield "best", f"{one.name} by {metric}", pair, made
        if scope.has_sensitivity:
            yield "sensitivity", metric, pair, made
        if scope.has_reach:
            yield "reach", "", pair, made


def _text(arm: Arm) -> str:
    """The arm by what is trained."""
    return arm.spec if arm.peak is None else f"{arm.spec} at {arm.peak!r}"


def _made(seeds: Sequence[Iterable[int]], enough: int = 2) -> str:
    """Seeds as text, peak by peak; empty where none has so many that a claim could be made."""
    rows = [sorted(one) for one in seeds]
    return "; ".join(" ".join(map(str, row)) for row in rows) if any(len(row) >= enough for row in rows) else ""


def read_reports(value: object) -> list[Report]:
    """The reports of a study that a summary has kept. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError("not a list of reports")
    found = []
    for one in value:
        of, made = (one.get("of"), one.get("made")) if isinstance(one, dict) else (None, None)
        if not isinstance(of, list) or not of or not isinstance(made, str) or not all(isinstance(x, str) for x in of):
            raise ValueError("not a report")
        found.append(Report(tuple(of), made))
    return found
