"""The report of an experiment: one HTML page that needs nothing but itself.

Verdicts first, then for each study the tables and the charts, then how to do it again and where it was done. The templates
escape every text, links are relative, and nothing is fetched.
"""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from preheat.lab.report.curves import curves
from preheat.lab.report.panels import (
    best_panel,
    difference_panel,
    focus,
    heat_panel,
    instability_rows,
    loss_panel,
    norm_panel,
    rate_panel,
    sensitivity_panel,
)
from preheat.lab.report.reproduce import environment_pairs, reproduction
from preheat.lab.report.table import arm_rows, family_rows, family_rows_of, further_rows, goal_text, schedules
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.race import RaceSummary
from preheat.lab.statistics.verdict import headed, study_verdict
from preheat.lab.summary import Summary, environments
from preheat.lab.trials import Trials
from preheat.plots.panel import INK, SCALE
from preheat.plots.svg import style, svg, swatch

LONG = 320
"""Characters of a verdict that are easily read in one piece."""


def report_html(summary: Summary) -> str:
    """The page as text."""
    experiment = summary.experiment
    return (
        templates()
        .get_template("report.html")
        .render(
            title=experiment.title,
            studies=[_study(one, trials) for one, trials in zip(summary.studies, summary.records, strict=True)],
            has_grid=any(study.grid for study in summary.studies),
            styles=max(len(study.families) for study in experiment.studies),
            failures=summary.failures,  # their messages were shown in the terminal; they may name files of that machine
            command=reproduction(experiment),
            environments=environments(summary),
            records=[trial.name for trials in summary.records for trial in trials.finished],
        )
    )


@cache
def templates() -> Environment:
    """The templates of the page, with what they call."""
    found = Environment(
        loader=PackageLoader("preheat.lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.globals |= {
        "chart": lambda panel: Markup(svg(panel, in_page=True)),
        "swatch": lambda style: Markup(swatch(style)),
        "chart_style": Markup(style()),
        "scale": list(zip(SCALE, INK, strict=True)),
        "clauses": clauses,
        "environment_pairs": environment_pairs,
    }
    return found


def clauses(text: str) -> tuple[list[str], list[str]]:
    """A long verdict by its clauses: what is shown, and what is folded, all after the first sentence if that is much."""
    if len(text) <= LONG:
        return [text], []
    first, *rest = [re.split(r"(?<=;) ", sentence) for sentence in re.split(r"(?<=[.]) ", text)]
    more = [clause for sentence in rest for clause in sentence]
    return (first, more) if len(more) > 2 else (first + more, [])


def _study(summary: StudySummary, trials: Trials) -> dict[str, Any]:
    """What is shown of a study: texts, tables as rows, panels."""
    study, grid, every, peak = summary.study, summary.grid, curves(trials), focus(summary)
    others = sorted({arm.peak for arm in study.arms} - {peak}) if peak is not None else []
    losses = [loss_panel(trials, every, other) for other in others]
    further = [
        (f"{headed(metric)} ({goal_text(metric)})", rows, family_rows_of(grid, metric) if grid else None)
        for metric, rows in further_rows(summary)
    ]
    return {
        "title": study.title,
        "verdict": study_verdict(summary),
        "settings": "; ".join(_settings(trials)),
        "race": _race_text(summary.race) if summary.race else "",
        "arms": arm_rows(study.metrics[0], summary.arms),
        "families": family_rows(grid) if grid else None,
        "further": further,
        "schedules": schedules(summary),
        "names": list(study.families),
        "has_runs": len(trials) > 0,
        "instabilities": instability_rows(every),
        "heat": heat_panel(summary, grid) if grid else None,
        "sensitivity": sensitivity_panel(trials, grid) if grid else None,
        "best": best_panel(trials, grid) if grid else None,
        "differences": difference_panel(summary, trials),
        "loss": loss_panel(trials, every, peak),
        "rate": rate_panel(trials, every, peak),
        "norm": norm_panel(every, peak),
        "other_losses": [panel for panel in losses if panel],
    }


def _race_text(race: RaceSummary) -> str:
    """What the race left out, and what that risks."""
    stopped = ", ".join(f"{name} after {seeds}" for name, seeds in race.stopped.items()) or "none"
    risk = "not known" if race.risk is None else f"{100 * race.risk:.2g} %"
    return (
        f"Raced: {race.saved} of {race.full} runs were not needed. Arms stopped, and after how many seeds: {stopped}. "
        f"Risk that one of them is better than all that stayed: {risk}."
    )


def _settings(trials: Trials) -> list[str]:
    """What all runs of the study share."""
    study, run = trials.study, trials.example
    values = (study.settings()["options"] or {}).items()
    options = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values
    )
    parts = [f"{study.task}: {options}" if options else study.task]
    parts += [f"{study.steps} updates"] if study.steps is not None else []
    parts.append(f"seeds {', '.join(map(str, study.seeds))}")
    if run is not None:
        parts += [f"{run.result.parameters:,} parameters"] if run.result.parameters is not None else []
        parts += [f"data {run.result.data}"] if run.result.data else []
        parts += [f"chance level {run.result.chance_loss:.3f}"] if run.result.chance_loss is not None else []
    return parts
