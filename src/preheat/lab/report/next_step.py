"""What to run next, as a command to paste: more seeds, other peaks, what is missing; nothing that cannot be known.

Who follows every step comes to an end: more seeds only where a number of them would probably tell, at most `MOST_SEEDS`;
a grid grows to `_MOST_PEAKS` peaks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.spans import Run
from preheat.core.stated import Relative
from preheat.lab.command_line import COMPARE, has_secret, option_of, peaks_text, task_words, typed, with_option, written
from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.naming import slug
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.grid import GridSummary
from preheat.lab.statistics.inference import MOST_SEEDS, Difference
from preheat.lab.statistics.target import TargetSummary
from preheat.lab.summary import Summary
from preheat.lab.trials import Trials

_FIRST_SEEDS = 3
_MOST_PEAKS = 7
_IN_CALL = "in the call of preheat.compare, the rest as it is:"
_ALIKE = 0.02  # two logged peaks that differ by less are one


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and why: the words of a command, or, where it was a call in Python, the arguments that change in it."""

    why: str
    words: tuple[str, ...] = ()
    call: str = ""

    @property
    def typed(self) -> str:
        """The command as it is pasted into a terminal."""
        return typed(self.words) if self.words else self.call

    @property
    def written(self) -> str:
        """The same for a file that others read: without the folders of this machine."""
        return written(self.words) if self.words else self.call

    @property
    def reason(self) -> str:
        """Why, and that a secret has to be put back where the command holds one."""
        return f"{self.why} (put the secret back in the place of ***)" if has_secret(self.words) else self.why


def next_command(summary: Summary) -> str | None:
    """The command to run next; None where everything is settled, or what is to be changed lies outside the command."""
    return next((step.typed for step in next_steps(summary) if step.typed), None)


def next_steps(summary: Summary) -> list[Step]:
    """What to run next, the most useful first, two at most. None for studies that were put together by hand."""
    experiment = summary.experiment
    if not experiment.command and any(study.function is None for study in experiment.studies):
        return []
    missing = sum(arm.missing for study in summary.studies for arm in study.arms)
    if missing:
        if not any(map(len, summary.records)):
            why = "No run has finished. Mend what the failures say, then run the same again"
        else:
            why = f"{missing} run{'s are' if missing > 1 else ' is'} missing; the same again runs only what is missing"
        why += ":" if experiment.command else "."
        return [_Again(experiment, experiment.studies[0]).same(why)]
    for results, trials in zip(summary.studies, summary.records, strict=True):
        again = _Again(experiment, results.study)
        if len(results.data) > 1:
            renewed = (option_of(experiment.command, "--out") or "").endswith("-again")  # so they change every time
            return (
                [] if renewed else [again.changed("The data have changed. All runs in a new folder:", folder="-again")]
            )
        if found := _of_study(results, trials, again):
            return found[:2]
    return []


@dataclass(frozen=True, slots=True)
class _Again:
    """How a study is run again with something changed."""

    experiment: Experiment
    study: Study

    def same(self, why: str) -> Step:
        """Everything as it was."""
        return Step(why, self.experiment.command)

    def changed(
        self, why: str, *, seeds: int = 0, peaks: Sequence[float] = (), folder: str = "", arm: str = ""
    ) -> Step:
        """The command with other seeds or peaks, a further arm, or another folder: a name's new ending."""
        own = self.experiment.command
        if own[:2] != COMPARE:
            call = self._python(seeds, peaks, folder, arm)
            return Step(f"{why[:-1]}, {'among the arms ' * bool(arm)}{_IN_CALL}", call=call)
        words, out = own, option_of(own, "--out") or "runs/compare"
        if own[2:3] == ("demo",):  # its studies are fixed: one of them by itself, in a folder of its own
            words = (*task_words(self.study, seeds=len(self.study.seeds)), "--out", out)
            folder = folder or "-more"
        if seeds:
            words = with_option(words, "--seeds", str(seeds))
        if peaks:
            words = with_option(words, "--peaks", peaks_text(peaks))
        if arm:
            lengths = option_of(words, "--warmups")
            added = "0" if arm.startswith("none=") else "5%"
            words = with_option(words, "--warmups", f"{lengths},{added}") if lengths else _with_arm(words, arm)
        return Step(why, with_option(words, "--out", out + folder))

    def _python(self, seeds: int, peaks: Sequence[float], folder: str, arm: str) -> str:
        """The arguments that change; of an arm the item of the dict."""
        name, _, spec = arm.partition("=")
        parts = [f"seeds=range({seeds})"] * bool(seeds)
        parts += [f"peaks=[{peaks_text(peaks).replace(',', ', ')}]"] * bool(peaks)
        parts += [f"{name!r}: {spec!r}"] * bool(arm)
        parts += [f"out={f'runs/{slug(self.study.task)}{folder}'!r}"] * bool(folder)
        return ", ".join(parts)


def _with_arm(words: Sequence[str], arm: str) -> tuple[str, ...]:
    """The command with one more arm, after the ones it has."""
    places = [place + 2 for place, word in enumerate(words) if word == "--arm"]
    if not places:
        return with_option(words, "--arm", arm)
    return (*words[: places[-1]], "--arm", arm, *words[places[-1] :])


def _of_study(results: StudySummary, trials: Trials, again: _Again) -> list[Step]:
    """What a study asks for."""
    if results.target:
        return _of_target(results.target, results, trials, again)
    if len(results.study.families) == 1:
        warms = "ramp(0" in results.arms[0].spec
        arm = "none=decay()" if warms else "warmup 5%=warmup(5%) >> decay()"
        return [again.changed("A second arm to compare with:", arm=arm)]
    if results.grid and len(results.grid.peaks) > 1:
        return _of_grid(results, results.grid, again) or _show(results, trials)
    peak = results.grid.peaks[0] if results.grid else _peak(trials)
    folder = "" if results.grid else "-peaks"
    if any(arm.runs and arm.runs <= 2 * arm.diverged for arm in results.arms):
        if peak is None:
            return []
        lower = [_rounded(peak / 4), _rounded(peak / 2), peak]
        return [again.changed("Not every arm trains at this peak. The same at lower ones:", peaks=lower, folder=folder)]
    shown = [arm.difference for arm in results.arms if arm.difference and not arm.stopped]
    steps = _seeds(shown, len(results.study.seeds), again)
    claimed, unsettled = any(one.excludes_zero for one in shown), _unsettled(shown)
    if peak is not None and (steps or claimed or unsettled):
        around = [_rounded(peak / 2), peak, _rounded(peak * 2)]
        dear = "More seeds do not pay. " if unsettled and not steps else ""
        why = f"{dear}This is one peak. The same at half and at twice of it:"
        steps.append(again.changed(why, peaks=around, folder=folder))
    return steps or _show(results, trials)


def _of_target(target: TargetSummary, results: StudySummary, trials: Trials, again: _Again) -> list[Step]:
    """What a question for a fixed value asks for: seeds that would probably show it, else the schedule that is shown."""
    place, have = f"{target.side} {target.value:g}", len(results.study.seeds)
    reached = [arm for one in target.arms if one.reached for arm in results.study.arms if arm.name == one.name]
    if reached:
        return _drawn(reached[0], reached[0].peak, results, trials)
    if have == 1 and target.sd is None:
        return [again.changed("One seed cannot tell. Three are a start:", seeds=_FIRST_SEEDS)]
    more = [(arm.more, arm.name) for arm in target.arms if arm.more and have + arm.more <= MOST_SEEDS]
    if not more:
        return []
    seeds, name = have + min(more)[0], min(more)[1]
    return [again.changed(f"{seeds} seeds instead of {have} would probably show that {name} is {place}:", seeds=seeds)]


def _of_grid(results: StudySummary, grid: GridSummary, again: _Again) -> list[Step]:
    """What a grid of several peaks asks for: more peaks where the best lies at an end, then more seeds."""
    low, high = grid.peaks[0], grid.peaks[-1]
    below, above = grid.peaks[1] / low, high / grid.peaks[-2]
    best, has_room = {family.best for family in grid.families}, len(grid.peaks) < _MOST_PEAKS
    steps = list[Step]()
    if best == {None}:
        peaks = [_rounded(low / below**2), _rounded(low / below), *grid.peaks]
        return [again.changed("Nothing trains in every run at these peaks. Lower ones too:", peaks=peaks)] * has_room
    if best & {low, high} and has_room:
        peaks = [_rounded(low / below)] * (low in best) + [*grid.peaks] + [_rounded(high * above)] * (high in best)
        steps.append(again.changed("A best peak lies at the end of the grid. One step further:", peaks=peaks))
    found = [family.at_best.get(grid.metric) for family in grid.families]
    return steps + _seeds([one for one in found if one], len(results.study.seeds), again)


def _unsettled(found: Sequence[Difference]) -> list[Difference]:
    """Those that leave it open which is better."""
    return [one for one in found if not one.excludes_zero and one.low is not None and one.low != one.high]


def _seeds(found: Sequence[Difference], have: int, again: _Again) -> list[Step]:
    """More seeds, where a number of them would probably tell."""
    if have == 1:
        return [again.changed("One seed cannot tell. Three are a start:", seeds=_FIRST_SEEDS)]
    unsettled = _unsettled(found)
    more = [one.more for one in unsettled if one.more and have + one.more <= MOST_SEEDS]
    if not more:
        return []
    some = "" if len(more) == len(unsettled) else ", though not of every arm"
    return [again.changed(f"{have + max(more)} seeds instead of {have} may tell{some}:", seeds=have + max(more))]


def _show(results: StudySummary, trials: Trials) -> list[Step]:
    """The schedule that is better than every other one as a picture, where there is one."""
    first, *others = [next(iter(arms.values())) for arms in results.study.families.values()]
    if results.grid:
        found = {family.name: family.at_best.get(results.grid.metric) for family in results.grid.families}
        peaks = {family.name: family.best for family in results.grid.families}
    else:
        found, peaks = {arm.name: arm.difference for arm in results.arms if not arm.stopped}, {}
    known = [(arm, one) for arm in others if (one := found.get(arm.family)) and one.excludes_zero]
    better = [arm for arm, one in known if (one.mean > 0) == (results.study.metrics[0].goal == "max")]
    best = first if known and len(known) == len(others) and not better else better[0] if len(better) == 1 else None
    return [] if best is None else _drawn(best, peaks.get(best.family), results, trials)


def _drawn(arm: Arm, peak: float | None, results: StudySummary, trials: Trials) -> list[Step]:
    """A schedule as a picture, where it can be drawn."""
    total = results.study.steps or (trials.example.result.steps if trials.example else None)
    if total is None or not _fits(arm, total):
        return []
    words = ("preheat", "show", arm.spec.replace("'", '"'), "--total", str(total))
    return [Step(f"The schedule of {arm.family}:", words + (("--peak", f"{peak:g}") if peak else ()))]


def _fits(arm: Arm, total: int) -> bool:
    """Whether the schedule can be drawn from its text and the length of the run."""
    try:
        if not isinstance(arm.target, Schedule | Relative):
            return False
        arm.target.bind(Run(total=total))
    except PreheatError:
        return False
    return True


def _peak(trials: Trials) -> float | None:
    """The peak rate that the runs had: what the task says, else the largest that every arm has logged, where they agree."""
    options = trials.study.options
    if hasattr(options, "peak"):
        return options.peak
    highest = []
    for arm in trials.study.arms:
        if not isinstance(arm.target, Schedule | Relative):
            return None
        logged = [rate for run in trials.of(arm).values() for rate in run.column("lr") if math.isfinite(rate)]
        highest.append(max(logged, default=0.0))
    top = max(highest, default=0.0)
    return _rounded(top, 4) if top > 0 and min(highest) >= (1 - _ALIKE) * top else None


def _rounded(value: float, digits: int = 3) -> float:
    """So many digits, as a person would type it."""
    return float(f"{value:.{digits}g}")
