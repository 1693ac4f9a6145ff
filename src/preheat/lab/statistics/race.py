"""Successive halving: every arm gets two seeds, the better half gets more, until few arms have all of them.

Halving is over seeds, not over updates: half way through its run a schedule that still decays to the end cannot be
compared with one that is already low, and warmups of different lengths have by then cost different amounts.

After 2, 4, 8 … seeds the arms that are still in the race are ranked by how many of their runs diverged, then by the mean
of the first metric over the seeds so far. Arms that diverged with every seed stop, then the worse half of the others;
who ties with the last that stays, stays. The reference (in a grid the first family at every peak) is never stopped,
because every other arm is compared with it. Decisions depend on finished records only, so a race that was killed takes
the same ones when it goes on.

What it costs: an arm may be stopped although it is the best. `risk` estimates that, `saved` is what it bought. And what is
said of a whole grid, its sensitivity and its largest trainable peaks, rests on the few seeds that ran at every peak: to
measure those, do not race.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from preheat.lab.experiment import Arm, Trial
from preheat.lab.records.series import mean
from preheat.lab.statistics.inference import SAME
from preheat.lab.trials import Trials

FIRST_RUNG = 2
DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class RaceSummary:
    """Which arms were stopped after how many seeds, what that saved, and what it risks.

    full: runs of all arms with all seeds; saved: those that need not be made. risk: the estimated
    probability that an arm that was stopped is better than all that stayed; 0 if none was, None where it is not known.
    """

    stopped: dict[str, int]
    full: int
    saved: int
    risk: float | None


def rungs(seeds: int) -> tuple[int, ...]:
    """After how many seeds arms are stopped; the last is all of them.

    >>> rungs(10), rungs(3), rungs(1)
    ((2, 4, 8, 10), (2, 3), (1,))
    """
    counts, count = [], FIRST_RUNG
    while count < seeds:
        counts.append(count)
        count *= 2
    return (*counts, seeds)


def next_trials(trials: Trials) -> list[Trial]:
    """What is to be run next, before anything else can be decided; empty when the race is over."""
    return raced(trials)[1]


def raced(trials: Trials) -> tuple[dict[str, int], list[Trial]]:
    """The arms that were stopped, after how many seeds, and the runs that the next decision waits for.

    Failed trials rank like diverged ones.
    """
    study, stopped = trials.study, dict[str, int]()
    racing = list(study.arms)
    for count in rungs(len(study.seeds)):
        seeds = study.seeds[:count]
        wanted = [Trial(study, arm, seed) for seed in seeds for arm in racing]
        missing = [trial for trial in wanted if trial.key not in trials and trial.key not in trials.failed]
        if missing or count == len(study.seeds):
            return stopped, missing
        staying = _survivors(trials, racing, seeds)
        stopped |= {arm.name: count for arm in racing if arm not in staying}
        racing = staying
    return stopped, []


def _survivors(trials: Trials, racing: Sequence[Arm], seeds: Sequence[int]) -> list[Arm]:
    """The arms that go on after these seeds, in their order."""
    scores = {arm.name: _score(trials, arm, seeds) for arm in racing if trials.study.reference(arm) is not None}
    trained = sorted(value for value in scores.values() if value[0] < len(seeds))
    last = trained[(len(trained) + 1) // 2 - 1] if trained else (-1, 0.0)
    return [arm for arm in racing if arm.name not in scores or scores[arm.name] <= last]


def _score(trials: Trials, arm: Arm, seeds: Sequence[int]) -> tuple[int, float]:
    """How many runs diverged or failed, and the mean cost; lower is better."""
    own, diverged = trials.costs(arm), trials.diverged(arm)
    costs = [own.get(seed, math.inf) for seed in seeds]
    away = sum(seed not in own or seed in diverged for seed in seeds)
    return away, mean(costs) if math.inf not in costs else math.inf


def race_summary(trials: Trials) -> RaceSummary:
    """The race as far as it has come."""
    stopped, _ = raced(trials)
    seeds = len(trials.study.seeds)
    saved = sum(seeds - count for count in stopped.values())
    return RaceSummary(stopped, len(trials.study.arms) * seeds, saved, risk(trials, stopped))


def risk(trials: Trials, stopped: Mapping[str, int]) -> float | None:
    """An estimate of the probability that one of the stopped arms is better than all that stayed.

    Every run is modelled as the arm's true mean, plus what its seed adds in all arms, plus scatter, which is equally wide
    in all arms. The true means are drawn from a normal distribution whose width nobody knows: before the runs are seen,
    the arms do not differ at all with a probability of one quarter, else a width between 1/10 and 30 times the error of
    an arm's mean is as likely as one twice as wide. The estimate is how often the best mean is a stopped arm's, given the
    runs. An arm that diverged in a run is not a candidate. Simulated with 9 arms and 8 seeds, 300 races a column, other
    draws than those by which the quarter was chosen; no choice was right at every width, and this one errs by saying too
    little where the arms do not differ and too much at half a standard deviation:

        width of the true means, in sds of a run     0     0.1    0.25    0.5     1      2      5
        the best arm was stopped                    .69    .61    .49    .28    .11    .03    .01
        the risk that was said, on average          .54    .54    .51    .41    .18    .04    .01
    """
    if not stopped:
        return 0.0
    study = trials.study
    costs = {arm.name: _costs(trials, arm) for arm in study.arms}
    rows = {name: row for name, row in costs.items() if math.inf not in row and not all(map(math.isnan, row))}
    table = np.array(list(rows.values()))
    table = table / (np.nanmax(np.abs(table), initial=0.0) or 1.0)  # squares of small or large values would be lost
    if len(rows) < 2 or len(study.seeds) <= FIRST_RUNG or np.isnan(table[:, :FIRST_RUNG]).any():
        return None
    drawn = _draws(table[:, ~np.isnan(table).all(axis=0)])
    return None if drawn is None else float(np.mean([list(rows)[i] in stopped for i in drawn.argmin(axis=1)]))


def _costs(trials: Trials, arm: Arm) -> list[float]:
    """The cost with each seed: NaN where the run was not made, infinite where it diverged."""
    costs, diverged = trials.costs(arm), trials.diverged(arm)
    return [math.inf if seed in diverged else costs.get(seed, math.nan) for seed in trials.study.seeds]


def _draws(table: np.ndarray) -> np.ndarray | None:
    """Draws of the arms' true means (columns), given arms × seeds with NaN for runs not made; None without scatter."""
    made = ~np.isnan(table)
    share = made / made.sum(axis=0)
    known = np.diag(made.sum(axis=1)) - share @ made.T  # what the runs say of the means, seeds aside, is known / noise
    excess = np.where(made, table - np.nansum(table * share, axis=0), 0.0).sum(axis=1)
    left = table - (np.linalg.pinv(known) @ excess)[:, None]
    freedom = made.sum() - sum(made.shape) + 1
    noise = np.nansum((left - np.nansum(left * share, axis=0)) ** 2) / max(freedom, 1)
    if freedom < 1 or noise < (SAME * np.nanmax(np.abs(table))) ** 2:
        return None
    weights, axes = np.linalg.eigh(known)
    weights, axes = weights[weights > SAME * weights[-1]], axes[:, weights > SAME * weights[-1]]
    found = axes.T @ excess / weights  # independent of each other, with the variance noise / weights
    rng = np.random.default_rng(0)
    spread = _spreads(found, noise / weights, rng)
    sure = weights * rng.chisquare(freedom, (DRAWS, 1)) / (noise * freedom)
    kept = spread * sure / (spread * sure + 1)
    return (kept * found + rng.standard_normal(kept.shape) * np.sqrt(kept / sure)) @ axes.T


def _spreads(found: np.ndarray, error: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws of the variance of the true means, given independent values of them and the variances of their errors."""
    spreads = (
        np.append(np.geomspace(0.1, 30, 60), 1e-3) ** 2 * error.mean()
    )  # the last: no difference, but no ties either
    total = error + spreads[:, None]
    likely = -(np.log(total) + found**2 / total).sum(axis=1) / 2
    chance = np.exp(likely - likely.max()) * np.append(np.full(60, 0.75 / 60), 0.25)
    return rng.choice(spreads, (DRAWS, 1), p=chance / chance.sum())
