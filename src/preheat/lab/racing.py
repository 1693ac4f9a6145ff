"""A race for the peak and the length of the warmup: whole runs, short at first; the better half goes on with longer ones.

Every rung is a comparison of the lab in a folder of its own, so that it is killed, resumed and distributed as those are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from preheat.core.checks import counted, positive_number
from preheat.core.errors import PreheatError
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.core.text.language import parse
from preheat.lab.api import compare
from preheat.lab.records.record import Result
from preheat.measure.advising.deciding import safe, schedule
from preheat.measure.advising.facts import Facts, Raced, Rung
from preheat.measure.advising.outcome import bar
from preheat.measure.advising.runs import whole_run
from preheat.measure.training import Training

FEWEST = 40  # updates of the shortest runs: fewer show little
MOST_RUNGS = 4
OCTAVES = 6  # of peaks, from the safe one upward

Made = Callable[[int], Any]
"""Called as `made(seed)`, gives (model, optimizer, loss, batches), and held_out batches if there are some; it must be possible
to send it to another process."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is raced: arms as (peak, updates of warmup), and the updates of each rung's runs."""

    arms: tuple[tuple[float, int], ...]
    updates: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Updates at most: every rung with half the arms of the one before."""
        return sum(length * _left(len(self.arms), rung) for rung, length in enumerate(self.updates))


def planned(peaks: Sequence[float], warmups: Sequence[int], budget: int, steps: int) -> Plan:
    """The race that fits into a budget of updates. Warmups of more than half of the shortest runs are left out.

    Runs double in length from rung to rung, up to `steps`. Raises PreheatError for a budget in which nothing fits.
    """
    budget = counted(budget, "the budget of a race is a number of updates", 1)
    peaks = sorted({positive_number(one, "a peak") for one in peaks})
    lengths = sorted({counted(one, "a warmup is a number of updates") for one in warmups})
    while True:
        arms = tuple((peak, warmup) for peak in peaks for warmup in lengths)
        rungs = max(1, min(MOST_RUNGS, math.ceil(math.log2(max(2, len(arms))))))
        worth = sum(_left(len(arms), rung) * 2**rung for rung in range(rungs))
        first = min(budget // worth, steps)
        if first < FEWEST:
            what = f"a race of {len(arms)} arms needs a budget of at least {FEWEST * worth} updates"
            raise PreheatError(what, given=budget, write=f"write {FEWEST * worth} or more")
        if lengths[-1] <= first // 2:
            updates = dict.fromkeys(min(steps, first * 2**rung) for rung in range(rungs))
            return Plan(arms, tuple(updates))
        lengths.pop()


def _left(arms: int, rung: int) -> int:
    """The arms of a rung: half of those before, rounded up."""
    for _ in range(rung):
        arms = (arms + 1) // 2
    return arms


def arms_of(facts: Facts) -> tuple[list[float], list[int]]:
    """The peaks and warmups to race after an advice: from the safe rate upward, without one around the peak; and the peak."""
    largest = safe(facts)
    lowest = facts.peak / 2 ** (OCTAVES // 2) if largest is None else largest
    peaks = [*(lowest * 2**octave for octave in range(OCTAVES)), facts.peak]
    shares = [round(share * facts.steps) for share in (0.01, 0.02, 0.05, 0.1)]
    untuned = facts.optimizer.untuned if facts.optimizer.family == "adaptive" else None
    capped = [] if untuned is None else [min(untuned, facts.steps // 10)]
    return peaks, [0, *(one for one in (*shares, *capped) if one > 0)]


def race(
    made: Made,
    facts: Facts,
    *,
    budget: int,
    out: str | Path,
    seed: int = 0,
    micro_batches: int = 1,
    engine: Any = "processes",
    console: Console | None = None,
    **settings: Any,
) -> Raced:
    """Race peaks and warmups for the training that `made(seed)` gives, with at most `budget` updates.

    facts: what an advice measured, `Advice.facts`; it says which arms there are.   out: the folder; the same call again
    runs only what is missing.   engine, settings: as in `preheat.compare`.
    Raises PreheatError for too small a budget, and where runs failed: the same call tries them again.
    """
    plan = planned(*arms_of(facts), budget, facts.steps)
    arms, rungs, spent = list(plan.arms), list[Rung](), 0
    for place, updates in zip(count(), plan.updates):
        texts = {_name(*arm): _rates(arm, safe(facts)) for arm in arms}
        train = partial(_train, made=made, updates=updates, micro_batches=micro_batches)
        summary = compare(
            train,
            arms=texts,
            seeds=(seed,),
            steps=updates,
            title=f"race, runs of {updates} updates",
            out=Path(out) / f"rung-{place + 1}",
            engine=engine,
            console=console,
            **settings,
        )
        if summary.failures:
            what = f"{len(summary.failures)} runs of the race failed, the first with: {summary.failures[0].message}"
            raise PreheatError(what, write="the same call tries them again")
        records = summary.records[0]
        highest = bar(facts.loss, facts.reached_by(updates))
        losses = {arm: _loss(records[_name(*arm), seed].result, highest) for arm in arms}
        spent += sum(records[_name(*arm), seed].result.steps or 0 for arm in arms)
        rungs.append(Rung(updates, losses))
        arms = rungs[-1].order[: _left(len(arms), 1)]
        if len(arms) < 2:
            break
    return Raced(tuple(rungs), seed, spent)


def _name(peak: float, warmup: int) -> str:
    return f"peak {peak:.4g}, warmup {warmup}"


def _rates(arm: tuple[float, int], largest: float | None) -> Absolute:
    """The rates of the largest group."""
    peak, warmup = arm
    return Absolute(parse(schedule(peak, largest, warmup)).scaled(peak))


def _loss(result: Result, highest: float) -> float | None:
    value = result.metrics.get("val_loss")
    return None if result.diverged or value is None or value >= highest else value


def _train(
    rates: Absolute, seed: int, log: Callable[..., None], *, made: Made, updates: int, micro_batches: int
) -> dict[str, Any]:
    """One run: the groups of the optimizer keep their ratio to the largest, which follows the rates."""
    model, optimizer, loss, batches, *more = made(seed)
    training = Training(model, optimizer, loss, batches, held_out=more[0] if more else None)
    stream, bound = training.endless(), rates.bind(Run(total=updates))
    aside = training.judging(stream)
    drawn = ([next(stream) for _ in range(micro_batches)] for _ in range(updates))
    with training.opened() as probe:
        first = fmean(map(probe.loss, aside))
        ended = whole_run(
            probe,
            drawn,
            [bound(t) for t in range(updates)],
            aside,
            lambda step, loss, rate: log(step, loss=loss, lr=rate),
            first=first,
        )
    final = fmean(ended.losses) if ended.losses else None
    if final is None:
        reason = f"a loss that is not finite after {ended.applied} updates"
    elif final >= first:
        reason = f"a final loss of {final:.3g}, and it began at {first:.3g}"
    else:
        reason = "predicts a constant" if ended.ignores else ""
    return {"val_loss": final, "diverged": bool(reason), "reason": reason, "steps": ended.applied}
