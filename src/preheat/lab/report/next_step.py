"""What to run next, as a command to paste: more seeds, other peaks, what is missing; nothing that cannot be known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.spans import Run
from preheat.core.stated import Relative
from preheat.lab.command_line import COMPARE, has_secret, option_of, peaks_text, task_words, typed, with_option, written
from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.grid import GridSummary
from preheat.lab.statistics.inference import MOST_SEEDS, Difference
from preheat.lab.summary import Summary
from preheat.lab.trials import Trials

_FIRST_SEEDS = 3
_ALIKE = 0.02  # two logged peaks that differ by less are one


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and why: the words of a command, or the call in Python where there was no command."""

    why: str
    words: tuple[str, ...] = ()
    call: str = ""

    @property
    def typed(self) -> str:
        """The command as it is pasted into a terminal."""
        return self.call or typed(self.words)

    @property
    def written(self) -> str:
        """The same for a file that others read: without the folders of this machine."""
        return self.call or written(self.words)

    @property
    def reason(self) -> str:
        """Why, and that a secret has to be put back where the command holds one."""
        return f"{self.why} (put the secret back in the place of ***)" if has_secret(self.words) else self.why


def next_command(summary: Summary) -> str | None:
    """The command to run next; None where everything is settled, or what is to be changed lies outside the command."""
    return next((step.typed for step in next_steps(summary)), None)


def next_steps(summary: Summary) -> list[Step]:
    """What to run next, the most useful first, two at most. None for studies that were put together by hand."""
    experiment = summary.experiment
    if not experiment.command and any(study.function is None for study in experiment.studies):
        return []
    missing = sum(arm.missing for study in summary.studies for arm in study.arms)
    if missing:
        if not any(map(len, summary.records)):
            why = "No run has finished. Mend what the failures say, then run the same again:"
        else:
            why = f"{missing} run{'s are' if missing > 1 else ' is'} missing; the same again runs only what is missing:"
        return [_Again(experiment, experiment.studies[0]).same(why)]
    for results, trials in zip(summary.studies, summary.records, strict=True):
        again = _Again(experiment, results.study)
        if len(results.data) > 1:
            return [again.changed("The data have changed. All runs in a new folder:", folder="-again")]
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
        return Step(
            why, self.experiment.command, "" if self.experiment.command else f"preheat.compare({self.study.task}, ...)"
        )

    def changed(
        self, why: str, *, seeds: int = 0, peaks: Sequence[float] = (), folder: str = "", arm: str = ""
    ) -> Step:
        """The command with other seeds or peaks, a further arm, or another folder: a name's new ending."""
        own = self.experiment.command
        if own[:2] != COMPARE:
            return Step(why, call=self._python(seeds, peaks, folder, arm))
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
            words = with_option(words, "--warmups", f"{lengths},5%") if lengths else _with_arm(words, arm)
        return Step(why, with_option(words, "--out", out + folder))

    def _python(self, seeds: int, peaks: Sequence[float], folder: str, arm: str) -> str:
        parts = [f"seeds=range({seeds})"] * bool(seeds) + [f"peaks=[{peaks_text(peaks).replace(',', ', ')}]"] * bool(
            peaks
        )
        parts += [f"arms={{..., {arm.partition('=')[0]!r}: {arm.partition('=')[2]!r}}}"] * bool(arm)
        parts += [f"out='runs/{self.study.task}{folder}'"] * bool(folder)
        return f"preheat.compare({', '.join([self.study.task, '...', *parts])})"


def _with_arm(words: Sequence[str], arm: str) -> tuple[str, ...]:
    """The command with one more arm, after the ones it has."""
    places = [place + 2 for place, word in enumerate(words) if word == "--arm"]
    if not places:
        return with_option(words, "--arm", arm)
    return (*words[: places[-1]], "--arm", arm, *words[places[-1] :])


def _of_study(results: StudySummary, trials: Trials, again: _Again) -> list[Step]:
    """What a study asks for."""
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
    if peak is not None and (steps or any(one.excludes_zero for one in shown)):
        around = [_rounded(peak / 2), peak, _rounded(peak * 2)]
        steps.append(
            again.changed("This is one peak. The same at half and at twice of it:", peaks=around, folder=folder)
        )
    return steps or _show(results, trials)


def _of_grid(results: StudySummary, grid: GridSummary, again: _Again) -> list[Step]:
    """What a grid of several peaks asks for: more peaks where the best lies at an end, then more seeds."""
    low, high = grid.peaks[0], grid.peaks[-1]
    below, above = grid.peaks[1] / low, high / grid.peaks[-2]
    best = {family.best for family in grid.families}
    steps = list[Step]()
    if best == {None}:
        peaks = [_rounded(low / below**2), _rounded(low / below), *grid.peaks]
        return [again.changed("Nothing trains in every run at these peaks. Lower ones too:", peaks=peaks)]
    if best & {low, high}:
        peaks = [_rounded(low / below)] * (low in best) + [*grid.peaks] + [_rounded(high * above)] * (high in best)
        steps.append(again.changed("A best peak lies at the end of the grid. One step further:", peaks=peaks))
    found = [family.at_best.get(grid.metric) for family in grid.families]
    return steps + _seeds([one for one in found if one], len(results.study.seeds), again)


def _seeds(found: Sequence[Difference], have: int, again: _Again) -> list[Step]:
    """More seeds, where they may tell."""
    if have == 1:
        return [again.changed("One seed cannot tell. Three are a start:", seeds=_FIRST_SEEDS)]
    unsettled = [one for one in found if not one.excludes_zero and one.low is not None and one.low != one.high]
    if not unsettled:
        return []
    more = [one.more for one in unsettled if one.more]
    if len(more) == len(unsettled):
        return [again.changed(f"{have + max(more)} seeds instead of {have} may tell:", seeds=have + max(more))]
    if have >= MOST_SEEDS:
        return []
    return [again.changed(f"{have} seeds do not tell. Twice as many:", seeds=2 * have)]


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
    total = results.study.steps or (trials.example.result.steps if trials.example else None)
    if best is None or total is None or not _fits(best, total):
        return []
    peak = peaks.get(best.family)
    words = ("preheat", "show", best.spec.replace("'", '"'), "--total", str(total))
    return [Step(f"The schedule of {best.family}:", words + (("--peak", f"{peak:g}") if peak else ()))]


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
