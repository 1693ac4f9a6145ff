"""The outcome of an experiment as one value, and as the JSON that holds all numbers of the table."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from html import escape
from typing import Any

from preheat.lab.experiment import Experiment
from preheat.lab.identity.secrets import Mask
from preheat.lab.naming import relative
from preheat.lab.records.record import FORMAT, Record
from preheat.lab.statistics.arms import StudySummary, summarised
from preheat.lab.statistics.headline import headline
from preheat.lab.statistics.looks import Report
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials


@dataclass(frozen=True)
class Failure:
    """A run that left no record, and why. `message` may name files of this machine: it is for the terminal only."""

    run: str
    message: str

    @property
    def public(self) -> str:
        """The kind of failure, without the text that came with it, folders and secrets."""
        return relative(Mask().text(self.message.partition(":")[0].partition(" (")[0]))


@dataclass(frozen=True, repr=False)  # slots would hide what is wrong with `summary.x = 1`
class Summary:
    """What `run_experiment` returns: a table and a verdict per study, the runs behind them, and what failed.

    records: the finished runs of each study, by the name of the arm and the seed.   reports: all that was ever reported from
    the folder, by the stem of the study.
    """

    experiment: Experiment
    studies: tuple[StudySummary, ...]
    records: tuple[Trials, ...]
    failures: tuple[Failure, ...] = ()
    reports: Mapping[str, tuple[Report, ...]] = field(default_factory=dict)

    @property
    def headlines(self) -> list[str]:
        """One sentence per study: what a person would say first."""
        return [headline(study) for study in self.studies]

    @property
    def verdicts(self) -> list[str]:
        """What the intervals show of each study, in full."""
        return [study_verdict(study) for study in self.studies]

    def to_markdown(self) -> str:
        """A card for a pull request: what was found, the schedules, the table, the command, and the rest folded."""
        from preheat.lab.report.card import card_markdown

        return card_markdown(self.experiment, self.studies, self.records, environments(self))

    def __repr__(self) -> str:
        """What a prompt shows: how many runs, and what they say."""
        finished, failed = sum(map(len, self.records)), len(self.failures)
        head = f"Summary of {self.experiment.title}: {finished} runs" + (f", {failed} failed" if failed else "")
        return "\n".join(
            [head, *self.headlines, *(text if len(text) <= 500 else f"{text[:499]}…" for text in self.verdicts)]
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: of each study the sentence, the loss, the table of its arms, and what it says in full."""
        from preheat.lab.report.panels import StudyPanels
        from preheat.lab.report.table import arm_rows, family_rows
        from preheat.plots.notebook import card, chart, table

        pieces = [f"<p>{escape(repr(self).partition(chr(10))[0])}</p>"]
        for study, trials in zip(self.studies, self.records, strict=True):
            loss = StudyPanels(study, trials).loss()
            name = f"{study.study.title}: " if len(self.studies) > 1 else ""
            rows = family_rows(study.grid) if study.grid else arm_rows(study.study.metrics[0], study.arms)
            pieces += [
                f"<p><b>{escape(name + headline(study))}</b></p>",
                chart(loss, 300, legend=True) if loss else "",
                table(rows),
                f"<details><summary>The verdict in full</summary><p>{escape(study_verdict(study))}</p></details>",
            ]
        return card(pieces)


def summary_of(
    experiment: Experiment,
    records: Mapping[str, Record],
    failures: Sequence[Failure] = (),
    *,
    race: bool = False,
    earlier: Mapping[str, Sequence[Report]] | None = None,
) -> Summary:
    """The summary of an experiment from its finished runs by name.

    race: whether the arms were raced; earlier: by the stem of the study what was reported before: each was a chance to be
    misled, which the intervals allow for.
    """
    before = {stem: tuple(reports) for stem, reports in (earlier or {}).items()}
    failed = {failure.run for failure in failures}
    trials = tuple(Trials.named(study, records, failed) for study in experiment.studies)
    studies = tuple(summarised(one, race=race, earlier=before.get(one.study.stem, ())) for one in trials)
    reports = {**before, **{one.study.stem: one.reports for one in studies}}
    return Summary(experiment, studies, trials, tuple(failures), reports)


def to_dict(summary: Summary) -> dict[str, Any]:
    """The summary as JSON holds it: the numbers of the table, null where one is not defined."""
    return {
        "format": FORMAT,
        "kind": "summary",
        "title": summary.experiment.title,
        "studies": [_study(study) for study in summary.studies],
        "failures": [{"run": failure.run, "reason": failure.public} for failure in summary.failures],
        "environment": environments(summary),
        "reports": _plain(summary.reports),
    }


def _study(summary: StudySummary) -> dict[str, Any]:
    """One study: what was run, what came out, and the sentence."""
    study = summary.study
    names = ("arms", "others", "grid", "race", "claims", "looks", "alike", "target")
    found = {name: _plain(getattr(summary, name)) for name in names}
    return {
        "title": study.title,
        "stem": study.stem,
        **study.settings(),
        "seeds": list(study.seeds),
        "metrics": [asdict(metric) for metric in study.metrics],
        "headline": headline(summary),
        "verdict": study_verdict(summary),
        "first": study.arms[0].name,
        **found,
    }


def _plain(value: object) -> Any:
    """Results as JSON holds them: names of fields and keys as text, null for what is not finite."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def environments(summary: Summary) -> list[dict[str, Any]]:
    """The different environments that the runs were made in, most often one, with the number of runs."""
    names = ("versions", "platform", "cpus", "threads", "code", "date")
    headers = [record.header for trials in summary.records for record in trials.values()]
    counted = Counter(json.dumps({name: header.get(name) for name in names}) for header in headers)
    return [{**json.loads(facts), "runs": runs} for facts, runs in counted.items()]
