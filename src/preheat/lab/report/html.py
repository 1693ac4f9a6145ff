"""The report of an experiment: one HTML page that needs nothing but itself.

Verdicts first, then for each study the tables and the charts, then how to do it again and where it was done. Every text
is escaped, links are relative, and nothing is fetched.
"""

import re

from preheat.lab.experiment import Study
from preheat.lab.report.charts import charts, differences_figure, side_by_side
from preheat.lab.report.curves import example, families
from preheat.lab.report.grid import OTHER_COLUMNS, best_figure, focus, grid_part, other_rows, sensitivity_figure
from preheat.lab.report.page import cards, contents, element, facts, folded, page, rows_table, section
from preheat.lab.report.reproduce import again, environment_pairs
from preheat.lab.report.table import others, schedules, shown
from preheat.lab.statistics.arms import Records, StudySummary
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.summary import Summary, environments

LONG = 320
"""Characters of a verdict that are easily read in one piece."""

LEGEND = (
    "Values are the mean ± standard deviation over the seeds at the end of training. A difference is to the first arm, in "
    "a grid to the first schedule at the same peak, seed by seed: the same seed has the same initial weights and the same "
    "data in every arm. Its interval is wide enough that all intervals of a study hold together with 95 %. “Better” counts "
    "the seeds with a better value than the reference's. A run diverged if its value was not finite, or ended at chance "
    "level; the interval of that rate is in brackets. An arm with a value that was not finite has no mean: what is left "
    "are the lucky runs."
)
GRID_LEGEND = (
    " Of a grid: sensitivity is how much worse a run is than at its best peak, on average over the peaks (Wortsman et al. "
    "2023); the largest trainable peak is the last one before half of the runs or more diverge; an octave is a doubling."
)


def report_html(summary: Summary) -> str:
    """The page as text."""
    experiment = summary.experiment
    parts: list[tuple[str, str, str]] = [("failures", "Failed runs", failures(summary))] if summary.failures else []
    for number, (study, records) in enumerate(zip(summary.studies, summary.records, strict=True), start=1):
        parts.append((f"study-{number}", study.study.title, study_body(study, records)))
    legend = LEGEND + (GRID_LEGEND if any(study.grid for study in summary.studies) else "")
    parts.append(("reading", "How to read this", element("p", legend)))
    parts.append(("again", "How to reproduce", reproduce(summary)))
    parts.append(("environment", "Environment", environment(summary)))
    parts.append(("files", "Files", files(summary)))
    shown_parts = [part for part in parts if part[2]]
    head = [
        element("h1", experiment.title),
        *verdicts(summary),
        contents([(key, title) for key, title, _ in shown_parts]),
    ]
    series = max(len(families(study)) for study in experiment.studies)
    return page(experiment.title, "\n".join([*head, *(section(*part) for part in shown_parts)]), series)


def verdicts(summary: Summary) -> list[str]:
    """One box per study."""
    texts = [(study.study.title, study_verdict(study)) for study in summary.studies]
    return [f'<div class="verdict">{element("b", title)}{laid_out(text)}</div>' for title, text in texts]


def laid_out(text: str) -> str:
    """A long verdict with its clauses on lines of their own, and all after the first sentence folded; no word changes."""
    first, *more = re.split(r"(?<=[.]) ", text) if len(text) > LONG else [text]
    lines = [element("span", line) for line in (re.split(r"(?<=;) ", first) if len(text) > LONG else [first])]
    rest = [element("span", line) for sentence in more for line in re.split(r"(?<=;) ", sentence)]
    return "".join(lines) + (folded("The rest of the verdict", "".join(rest)) if len(rest) > 2 else "".join(rest))


def failures(summary: Summary) -> str:
    """Runs that left no record. Their messages were shown in the terminal; they may name files of that machine."""
    items = "".join(element("li", f"{failure.run}: {failure.public}") for failure in summary.failures)
    return f"<p>Not in any number below; the same command tries them again.</p><ul>{items}</ul>"


def study_body(summary: StudySummary, records: Records) -> str:
    """Settings, tables, charts."""
    study, grid = summary.study, summary.grid
    columns, *rows = shown(study.metrics[0], summary.arms)
    table = cards(columns, rows, f"{study.title}: results")
    differences = differences_figure(summary, records)
    parts = [element("p", settings_text(study, records), class_="soft"), race_text(summary)]
    if grid:
        parts.append(grid_part(summary, grid))
        parts.append(side_by_side([sensitivity_figure(study, grid, records), best_figure(study, grid, records)]))
        parts.append(
            folded(
                f"All {len(rows)} arms, each against the reference at the same peak",
                table + side_by_side([differences]),
            )
        )
    else:
        parts.append(table)
    for metric, (names, *values) in others(summary):
        title = f"{metric.title.capitalize()} ({'lower' if metric.goal == 'min' else 'higher'} is better)"
        every = rows_table(names, values, title)
        at_best = rows_table(OTHER_COLUMNS, other_rows(grid, metric), title) if grid else ""
        parts.append(element("h3", title) + (at_best + folded(f"All {len(values)} arms", every) if grid else every))
    parts.append(facts(schedules(summary), code=True))
    if records:
        at = focus(study, grid) if grid else None
        parts.append(charts(summary, records, at, [] if grid else [differences]))
    return "".join(parts)


def race_text(summary: StudySummary) -> str:
    """What the race left out, and what that risks."""
    race = summary.race
    if race is None:
        return ""
    stopped = ", ".join(f"{name} after {seeds}" for name, seeds in race.stopped.items()) or "none"
    risk = "not known" if race.risk is None else f"{100 * race.risk:.2g} %"
    text = (
        f"Raced: {race.saved} of {race.full} runs were not needed. Arms stopped, and after how many seeds: {stopped}. "
    )
    return element("p", f"{text}Risk that one of them is better than all that stayed: {risk}.")


def settings_text(study: Study, records: Records) -> str:
    """What all runs of the study share, in one line."""
    options = ", ".join(f"{name} {shown_value(value)}" for name, value in (study.settings()["options"] or {}).items())
    parts = [f"{study.task}: {options}" if options else study.task]
    parts += [f"{study.steps} updates"] if study.steps is not None else []
    parts.append(f"seeds {', '.join(map(str, study.seeds))}")
    run = example(records)
    if run is not None:
        parts += [f"{run.result.parameters:,} parameters"] if run.result.parameters is not None else []
        parts += [f"data {run.result.data}"] if run.result.data else []
        parts += [f"chance level {run.result.chance_loss:.3f}"] if run.result.chance_loss is not None else []
    return "; ".join(parts)


def shown_value(value: object) -> str:
    """An option's value as one would say it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def reproduce(summary: Summary) -> str:
    """The command, or the Python where there was no command."""
    note = "The same command in the same folder runs only what is missing; a new folder starts afresh."
    return element("pre", again(summary.experiment)) + element("p", note, class_="soft")


def environment(summary: Summary) -> str:
    """Where the runs were made; more than one entry where they were made in several places or on several days."""
    groups, parts = environments(summary), []
    for group in groups:
        if len(groups) > 1:
            parts.append(element("h3", f"{group['runs']} runs"))
        parts.append(facts(environment_pairs(group)))
    return "".join(parts)


def files(summary: Summary) -> str:
    """The records and everything else in the folder, by relative links."""
    kept = [
        trial.name
        for study, group in zip(summary.experiment.studies, summary.records, strict=True)
        for trial in study.trials()
        if (trial.arm.name, trial.seed) in group
    ]
    items = "".join(f"<li>{element('a', name, href=f'runs/{name}.jsonl')}</li>" for name in kept)
    more = ", ".join(
        element("a", name, href=name) for name in ("summary.json", "report.md", "figure.png", "figure.svg")
    )
    return f"<p>{more}.</p>" + folded(f"{len(kept)} records, one a run", f'<ul class="records">{items}</ul>')
