"""The report of an experiment: one HTML page that needs nothing but itself.

Verdicts first, then for each study the differences, the table and the curves, then how to do it again and where it was
done. Every text is escaped, links are relative, and nothing is fetched.
"""

import math
import shlex
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from preheat.lab.curves import ArmCurves, chance_of, curves, example, loss_range
from preheat.lab.experiment import Experiment, Study
from preheat.lab.report_page import element, facts, page, rows_table
from preheat.lab.statistics import Records, StudySummary
from preheat.lab.summary import Summary, environments
from preheat.lab.table import COLUMNS, cells
from preheat.lab.verdict import study_verdict
from preheat.plots.charts import Interval, Series, interval_chart, line_chart

NEUTRAL = 5
"""The grey style of the charts, for what is not an arm."""

LEGEND = (
    "Validation loss is the mean ± standard deviation over the seeds at the end of training; lower is better. "
    "Differences are to the first arm, seed by seed, with a 95 % Student-t interval for each comparison on its own. "
    "“Better” counts the seeds with a lower loss than in the first arm. A run diverged if its loss was not finite, or "
    "ended at chance level. An arm with a loss that was not finite has no mean: what is left are the lucky runs."
)


def report_html(summary: Summary) -> str:
    """The page as text."""
    title = summary.experiment.title
    parts = [element("h1", title), *verdicts(summary), failures(summary)]
    for study, records in zip(summary.studies, summary.records, strict=True):
        parts.append(study_section(study, records))
    parts += [f"<h2>How to read the tables</h2>{element('p', LEGEND)}"]
    parts += [reproduce(summary.experiment), environment(summary), files(summary)]
    return page(title, "\n".join(part for part in parts if part))


def verdicts(summary: Summary) -> list[str]:
    """One box per study."""
    texts = [(study.study.title, study_verdict(study)) for study in summary.studies]
    return [f'<p class="verdict">{element("b", title)}{element("span", text)}</p>' for title, text in texts]


def failures(summary: Summary) -> str:
    """Runs that left no record. Their messages were shown in the terminal; they may name files of that machine."""
    if not summary.failures:
        return ""
    items = "".join(element("li", f"{failure.run}: {failure.public}") for failure in summary.failures)
    return f"<h2>Failed runs</h2><p>Not in any number below; the same command tries them again.</p><ul>{items}</ul>"


def study_section(summary: StudySummary, records: Records) -> str:
    """Settings, table, charts."""
    study = summary.study
    shown = tuple(name for name in COLUMNS if name != "schedule")
    rows = [
        tuple(cell for name, cell in zip(COLUMNS, cells(arm), strict=True) if name != "schedule")
        for arm in summary.arms
    ]
    charts = [differences_chart(summary), *curve_charts(study, records)]
    return "".join(
        [
            element("h2", study.title),
            element("p", settings_text(study, records), class_="soft"),
            rows_table(shown, rows),
            facts([(arm.name, arm.spec) for arm in study.arms], code=True),
            f'<div class="charts">{"".join(f"<div>{inlined(chart)}</div>" for chart in charts if chart)}</div>',
        ]
    )


def settings_text(study: Study, records: Records) -> str:
    """What all runs of the study share, in one line."""
    settings = study.settings()
    options = ", ".join(f"{name} {shown_value(value)}" for name, value in settings["options"].items())
    text = f"{study.task}: {options}; {study.steps} updates; seeds {', '.join(map(str, study.seeds))}"
    run = example(records)
    if run is None:
        return text
    chance = run.result.chance_loss
    known = f"{text}; {run.result.parameters:,} parameters; data {run.result.data}"
    return known if chance is None else f"{known}; chance level {chance:.3f}"


def shown_value(value: object) -> str:
    """An option's value as one would say it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def inlined(chart: str) -> str:
    """A chart inside a page needs no namespace, and the page then holds no address at all."""
    return chart.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)


def differences_chart(summary: StudySummary) -> str:
    """The differences to the first arm with their intervals and seeds; empty where none is defined."""
    first = summary.arms[0].losses
    rows = []
    for position, arm in enumerate(summary.arms):
        found = arm.difference
        if found:
            both = [(loss, first[seed]) for seed, loss in arm.losses.items() if seed in first]
            points = [own - other for own, other in both if own is not None and other is not None]
            rows.append(Interval(arm.name, found.mean, found.low, found.high, points, position))
    label = "← better · difference of validation loss · worse →"
    return interval_chart(rows, title=f"Against {summary.arms[0].name}, 95 % interval", x_label=label) if rows else ""


def curve_charts(study: Study, records: Records) -> list[str]:
    """Loss, rate and gradient norm."""
    arms = curves(study, records)
    if not records:
        return []
    rates = [Series(arm.name, arm.updates, arm.rate, position) for position, arm in enumerate(arms) if arm.rate]
    norms = [
        Series(arm.name, arm.updates, arm.grad_norm, position) for position, arm in enumerate(arms) if arm.grad_norm
    ]
    charts = [
        loss_chart(study, arms, chance_of(records)),
        line_chart(rates, title="Schedule", x_label="update", y_label="learning rate"),
    ]
    if any(math.isfinite(value) and value > 0 for one in norms for value in one.ys):
        title = "Gradient norm, mean over seeds"
        charts.append(line_chart(norms, title=title, x_label="update", y_label="norm, logarithmic", log_y=True))
    return charts


def loss_chart(study: Study, arms: list[ArmCurves], chance: float | None) -> str:
    """Training loss: seeds faint, their mean on top, chance level as a line; a cross where a loss was not finite."""
    series = []
    for position, arm in enumerate(arms):
        for row, cut in zip(arm.losses, arm.cut, strict=True):
            series.append(Series(arm.name, arm.updates, row, position, faint=True, cut=cut))
        if arm.loss:
            series.append(Series(arm.name, arm.updates, arm.loss, position))
    if chance is not None:
        series.append(Series("chance level", [0, study.steps - 1], [chance, chance], NEUTRAL))
    limits = loss_range(arms, chance)
    title = "Training loss, smoothed"
    return line_chart(series, title=title, x_label="update", y_label="loss", y_range=limits) if limits else ""


def reproduce(experiment: Experiment) -> str:
    """The command, or the Python where there was no command."""
    title = "<h2>How to reproduce</h2>"
    if not experiment.command:
        return title + element("pre", python_text(experiment))
    note = "The same command in the same folder runs only what is missing; a new folder starts afresh."
    return title + element("pre", shlex.join(map(relative, experiment.command))) + element("p", note, class_="soft")


def relative(word: str) -> str:
    """A word of the command line without the folders of this machine."""
    flag, equals, value = word.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={relative(value)}"
    absolute = PurePosixPath(word).is_absolute() or PureWindowsPath(word).is_absolute()
    return PureWindowsPath(word).name or "." if absolute else word


def python_text(experiment: Experiment) -> str:
    """A script that makes the same runs."""
    kinds = {type(study.options) for study in experiment.studies}
    imports = sorted(f"from {kind.__module__} import {kind.__qualname__}" for kind in kinds)
    studies = "".join(f"    {study!r},\n" for study in experiment.studies)
    return "\n".join(
        [
            "from pathlib import Path",
            "from preheat.lab.compare import run_experiment",
            "from preheat.lab.experiment import Arm, Experiment, Study",
            *imports,
            "",
            'if __name__ == "__main__":',
            f"    studies = (\n    {studies.strip()}\n    )",
            f'    run_experiment(Experiment({experiment.title!r}, studies), Path("runs/again"))',
        ]
    )


def environment(summary: Summary) -> str:
    """Where the runs were made; more than one entry where they were made in several places or on several days."""
    groups = environments(summary)
    parts = [element("h2", "Environment")]
    for group in groups:
        if len(groups) > 1:
            parts.append(element("h3", f"{group['runs']} runs"))
        parts.append(facts(environment_pairs(group)))
    return "".join(parts) if groups else ""


def environment_pairs(group: dict[str, Any]) -> list[tuple[str, str]]:
    """Versions, machine, day."""
    versions = group["versions"] if isinstance(group["versions"], dict) else {}
    pairs = [(str(name), str(version)) for name, version in versions.items()]
    machine = f"{group['platform']}, {group['cpus']} cores, threads a run: {group['threads']}"
    return [*pairs, ("machine", machine), ("date", str(group["date"]))]


def files(summary: Summary) -> str:
    """The records, by relative links."""
    kept = [
        trial.name
        for study, group in zip(summary.experiment.studies, summary.records, strict=True)
        for trial in study.trials()
        if (trial.arm.name, trial.seed) in group
    ]
    items = "".join(f"<li>{element('a', name, href=f'runs/{name}.jsonl')}</li>" for name in kept)
    more = f"{element('a', 'summary.json', href='summary.json')}, {element('a', 'figure.png', href='figure.png')}"
    return f'<h2>Files</h2><p>{more}, and one record a run:</p><ul class="records">{items}</ul>'
