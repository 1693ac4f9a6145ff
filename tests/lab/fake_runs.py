"""Experiments for the fake trainer, and finished runs without training."""

from fake_trainer import FakeOptions

from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.records.record import Result, Writer, header, read_record
from preheat.lab.summary import summary_of

NONE = Arm("none", "decay()")
LINEAR = Arm("linear", 'warmup("33%") >> decay()')


def experiment_of(arms=(NONE, LINEAR), seeds=(0, 1), steps=40, command=(), trainer="fake_trainer:train", **options):
    """A small experiment for the fake trainer."""
    study = Study("fake study", "fake", FakeOptions(**options), arms, seeds, steps, trainer)
    return Experiment("A fake experiment", (study,), command)


def write_record(trial, folder, loss, *, losses=None, diverged=False, seconds=1.5):
    """The record of a run that ended at `loss`; None is not finite."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{trial.name}.jsonl"
    ended = losses or [5.0 - 0.05 * step for step in range(trial.study.steps)]
    with Writer(path, header(trial, 1)) as record:
        for step, value in enumerate(ended):
            record.step(step, {"loss": value, "lr": 1e-3, "grad_norm": 0.5})
        metrics = {"val_loss": loss, "val_accuracy": None}
        failed = diverged or loss is None
        record.end(Result(metrics=metrics, diverged=failed, steps=len(ended), data="none", chance_loss=3.2), seconds)
    return path


def summary_of_table(folder, table, *, steps=40, command=(), failures=(), diverged=()):
    """A summary of `{arm name: losses by seed}`: the first arm is the reference, a missing seed has no record."""
    arms = tuple(Arm(name, "decay()") for name in table)
    seeds = tuple(range(max(len(losses) for losses in table.values())))
    experiment = experiment_of(arms, seeds, steps, command)
    records = {}
    for trial in experiment.trials():
        losses = table[trial.arm.name]
        if trial.seed < len(losses):
            stuck = (trial.arm.name, trial.seed) in diverged
            path = write_record(trial, folder, losses[trial.seed], diverged=stuck)
            records[trial.name] = read_record(path)
    return summary_of(experiment, records, failures)
