"""The outcome of an experiment as one value, and as the JSON that holds all numbers of the table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preheat.lab.experiment import Experiment, Study
from preheat.lab.records import FORMAT, Record
from preheat.lab.statistics import Records, StudySummary, summarised
from preheat.lab.verdict import study_verdict


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that left no record, and why. `message` may name files of this machine: it is for the terminal only."""

    run: str
    message: str

    @property
    def public(self) -> str:
        """The kind of failure, without the text that came with it."""
        return self.message.partition(":")[0].partition(" (")[0]


@dataclass(frozen=True, slots=True)
class Summary:
    """What `run_experiment` returns: a table and a verdict per study, the records behind them, and what failed."""

    experiment: Experiment
    studies: tuple[StudySummary, ...]
    records: tuple[Records, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def verdicts(self) -> list[str]:
        """One sentence per study."""
        return [study_verdict(study) for study in self.studies]


def summary_of(experiment: Experiment, records: dict[str, Record], failures: Sequence[Failure] = ()) -> Summary:
    """The summary of an experiment from its finished runs by name."""
    groups = []
    for study in experiment.studies:
        trials = [trial for trial in study.trials() if trial.name in records]
        groups.append({(trial.arm.name, trial.seed): records[trial.name] for trial in trials})
    studies = [summarised(study, group) for study, group in zip(experiment.studies, groups, strict=True)]
    return Summary(experiment, tuple(studies), tuple(groups), tuple(failures))


def to_dict(summary: Summary) -> dict[str, Any]:
    """The summary as JSON holds it: the numbers of the table, null where one is not defined."""
    return {
        "format": FORMAT,
        "kind": "summary",
        "title": summary.experiment.title,
        "studies": [study_dict(study) for study in summary.studies],
        "failures": [{"run": failure.run, "reason": failure.public} for failure in summary.failures],
        "environment": environments(summary),
    }


def study_dict(summary: StudySummary) -> dict[str, Any]:
    """One study: what was run, what came out, and the sentence."""
    study: Study = summary.study
    arms = [{**asdict(arm), "losses": {str(seed): loss for seed, loss in arm.losses.items()}} for arm in summary.arms]
    return {
        "title": study.title,
        **study.settings(),
        "seeds": list(study.seeds),
        "verdict": study_verdict(summary),
        "first": study.arms[0].name,
        "arms": arms,
    }


def environments(summary: Summary) -> list[dict[str, Any]]:
    """The different environments that the runs were made in, most often one, with the number of runs."""
    counted: list[dict[str, Any]] = []
    for group in summary.records:
        for record in group.values():
            facts = {name: record.header.get(name) for name in ("versions", "platform", "cpus", "threads", "date")}
            known = next((one for one in counted if all(one[name] == facts[name] for name in facts)), None)
            if known is None:
                counted.append({**facts, "runs": 1})
            else:
                known["runs"] += 1
    return counted
