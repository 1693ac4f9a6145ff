"""Studies and finished runs out of numbers, without training and without files."""

from dataclasses import replace

import numpy as np

from preheat.lab.experiment import Arm, Metric, Study, grid
from preheat.lab.records.record import Record, Result
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.looks import claimed
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials

LOSS = (Metric("val_loss"),)


def run(*finals, metrics=LOSS, diverged=False, chance=None, data="", loss=()):
    """A finished run that ended at these values."""
    named = {
        metric.name: None if value is None else float(value) for metric, value in zip(metrics, finals, strict=True)
    }
    result = Result(metrics=named, diverged=diverged, data=data, chance_loss=chance)
    return Record({}, list(range(len(loss))), {"loss": list(loss)} if loss else {}, result, 1.5)


def study_of(arms, seeds, metrics=LOSS):
    """A study of arms, or of as many arms as a number says; `seeds` is a number too."""
    if isinstance(arms, int):
        arms = tuple(Arm("none" if position == 0 else f"arm {position}", "decay()") for position in range(arms))
    return Study("made up", "none", None, arms, tuple(range(seeds)), None, "made:up", metrics)


def grid_of(families, peaks, seeds, metrics=LOSS):
    """A grid of families over peaks."""
    return study_of(grid([Arm(name, "decay()") for name in families], peaks), seeds, metrics)


def records_of(study, values, **more):
    """The runs of a table arms × seeds; None is not finite, and NaN was not run, nor what a row has not."""
    return {
        (arm.name, seed): run(value, **more)
        for arm, row in zip(study.arms, values, strict=True)
        for seed, value in zip(study.seeds, row, strict=False)
        if value is None or not np.isnan(value)
    }


def summary(study, values, *, race=False, looks=0, **more):
    """The summary of a table arms × seeds, after so many looks at fewer of them."""
    trials = Trials(study, records_of(study, values, **more))
    now = claimed(trials).reports
    earlier = [replace(one, made=f"earlier {look}") for look in range(looks) for one in now]
    return summarised(trials, race=race, earlier=earlier)


def said(study, values, **more):
    """The verdict on a table arms × seeds."""
    return study_verdict(summary(study, values, **more))


def claims(text):
    """Whether a verdict claims a direction of anything."""
    return any(word in text for word in ("is lower", "is higher", "higher peaks", "lower peaks", "often, exact"))
