"""Finished runs that nobody made, in memory: what the report, its charts and its figures are tried on."""

import math
import random
from dataclasses import replace

from fake_trainer import FakeOptions

from preheat.lab.experiment import Arm, Experiment, Metric, Study, grid
from preheat.lab.records.record import Record, Result
from preheat.lab.summary import Failure, Summary, summary_of

HEAD = {
    "versions": {"preheat": "1.0", "python": "3.11", "torch": "2.5", "numpy": "2.0"},
    "platform": "Linux x86_64",
    "cpus": 2,
    "threads": 1,
    "date": "2026-01-01",
}
NONE = Arm("none", "decay()")
LINEAR = Arm("linear", 'warmup("50%") >> decay()')
EXPONENTIAL = Arm("exponential", 'warmup("50%", start=0.01, shape="exponential") >> decay()')


def made_run(final, *, steps=60, every=1, seed=0, lost_at=None, spike_at=None, lr=True, others=()):
    """A run that ends at `final`; from `lost_at` on its loss is not finite, at `spike_at` it is high."""
    rng = random.Random(seed)
    at = [step for step in range(0, steps, every) if lost_at is None or step <= lost_at]
    loss = [final + 0.2 * math.exp(-9 * step / steps) + rng.gauss(0, 0.01) for step in at]
    loss = [value + 9.0 * (step == spike_at) for step, value in zip(at, loss, strict=True)]
    loss = [math.nan if step == lost_at else value for step, value in zip(at, loss, strict=True)]
    columns = {"loss": loss, "grad_norm": [1.0 + math.exp(-step / steps) for step in at]}
    if lr:
        columns["lr"] = [1e-3 * (1 - step / steps) for step in at]
    metrics = {"val_loss": None if lost_at is not None else final, **dict(others)}
    result = Result(metrics=metrics, diverged=lost_at is not None, steps=len(at), data="made", chance_loss=final + 1)
    return Record(dict(HEAD), at, columns, result, 2.0)


def made_summary(
    study, run_of, command=("preheat", "compare", "demo"), failures=(), title="A made-up question?"
) -> Summary:
    """The summary of a study whose runs are `run_of(arm, seed)`; None is a run that was not made."""
    experiment = Experiment(title, (study,), command)
    runs = {trial.name: run_of(trial.arm, trial.seed) for trial in experiment.trials()}
    return summary_of(experiment, {name: run for name, run in runs.items() if run is not None}, failures)


def plain_study(arms=(NONE, LINEAR), seeds=(0, 1, 2), steps=60, **more):
    return Study("made study", "made", FakeOptions(), arms, seeds, steps, "fake_trainer:train", **more)


def compared(seeds=3, arms=(NONE, LINEAR), **how):
    """Two arms, the second better."""
    study = plain_study(arms, tuple(range(seeds)))
    return made_summary(study, lambda arm, seed: made_run(2.5 - 0.2 * (arm != arms[0]) + seed / 50, seed=seed, **how))


def unstable():
    """The first arm has a spike in one run and is lost in two others."""
    faults = {0: {"spike_at": 40}, 1: {"lost_at": 30}, 2: {"lost_at": 0}}
    return made_summary(
        plain_study(), lambda arm, seed: made_run(2.4, seed=seed, **(faults[seed] if arm == NONE else {}))
    )


def gridded(peaks=(1e-3, 3e-3, 1e-2), seeds=3):
    """Two families; the first trains up to the second peak, the other everywhere; two metrics."""
    arms = grid((NONE, LINEAR), peaks)
    metrics = (Metric("val_loss"), Metric("accuracy", "max"))
    study = plain_study(arms, tuple(range(seeds)), metrics=metrics)

    def run_of(arm, seed):
        lost = arm.family == "none" and arm.peak == peaks[-1]
        final = 2.5 + 0.3 * abs(math.log10(arm.peak / peaks[1])) - 0.1 * (arm.family == "linear") + seed / 100
        return made_run(final, seed=seed, lost_at=20 if lost else None, others={"accuracy": 0.5 + seed / 10}.items())

    return made_summary(study, run_of, failures=[Failure("made-study-x-seed9", "WorkerDied: killed (9)")])


def two_studies():
    """Two studies of one experiment, as the demo has; in each the first arm does not train."""
    studies = tuple(
        replace(plain_study((NONE, LINEAR, EXPONENTIAL)), title=f"the {name} of two") for name in ("first", "second")
    )
    experiment = Experiment(
        "Are two questions too many?", studies, ("preheat", "compare", "demo", "--out", "runs/demo")
    )
    runs = {
        run.name: made_run(2.5, seed=run.seed, lost_at=9 if run.arm == NONE else None) for run in experiment.trials()
    }
    return summary_of(experiment, runs)


def many_arms():
    """Eight arms whose names are as long as they may be, one of them without a space, one of markup."""
    names = [f"arm {k} with a name that is as long as a name may be, no more"[:60] for k in range(6)]
    names += ["a_name_of_sixty_characters_without_any_space_that_goes_on_and"[:60], "<b>bold</b> | `code` & *stars*"]
    return compared(arms=tuple(Arm(name, f"warmup({k + 1}) >> decay()") for k, name in enumerate(names)), seeds=6)
