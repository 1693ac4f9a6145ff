"""The report as Markdown, for a pull request: verdicts, tables, the picture by a relative link, how to do it again."""

import re
from collections.abc import Sequence
from html import escape

from preheat.lab.report.grid import FAMILY_COLUMNS, family_rows
from preheat.lab.report.reproduce import again, environment_pairs
from preheat.lab.report.table import others, schedules, shown
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.summary import Summary, environments


def report_markdown(summary: Summary, picture: str = "figure.png") -> str:
    """The report as GitHub-flavoured Markdown; `picture` is the link to the figure, none if empty."""
    parts = [f"## {safe(summary.experiment.title)}"]
    parts += [f"**{safe(study.study.title)}**: {safe(study_verdict(study))}" for study in summary.studies]
    parts += [f"![Losses, schedules and final values]({picture})"] if picture else []
    for study in summary.studies:
        parts += [f"### {safe(study.study.title)}", *study_parts(study)]
    if summary.failures:
        parts += ["### Failed runs", "\n".join(f"- {safe(f'{one.run}: {one.public}')}" for one in summary.failures)]
    return "\n\n".join([*parts, details(summary)]) + "\n"


def study_parts(summary: StudySummary) -> list[str]:
    """The tables of a study, and its schedules."""
    arms = table(shown(summary.study.metrics[0], summary.arms))
    parts = [arms]
    if summary.grid:
        families = table([FAMILY_COLUMNS, *family_rows(summary.grid)])
        parts = [families, f"<details><summary>All {len(summary.arms)} arms</summary>\n\n{arms}\n\n</details>"]
    for metric, rows in others(summary):
        parts += [f"{safe(metric.title.capitalize())}, {'lower' if metric.goal == 'min' else 'higher'} is better:"]
        parts.append(table(rows))
    parts.append("\n".join(f"- {safe(family)}: {code(spec)}" for family, spec in schedules(summary)))
    return parts


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of which names the columns; numbers to the right."""
    head, *body = [f"| {' | '.join(map(safe, row))} |" for row in rows]
    return "\n".join([head, f"| :-- |{' --: |' * (len(rows[0]) - 1)}", *body])


def details(summary: Summary) -> str:
    """Command and environment, folded."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", again(summary.experiment))), default=0))
    parts = ["<details><summary>How to reproduce, and where this was run</summary>"]
    parts.append(f"{fence}\n{again(summary.experiment)}\n{fence}")
    groups = environments(summary)
    for group in groups:
        facts = "; ".join(f"{name} {value}" for name, value in environment_pairs(group))
        parts.append(safe(f"{group['runs']} runs: {facts}" if len(groups) > 1 else facts))
    return "\n\n".join([*parts, "</details>"])


def safe(text: str) -> str:
    """Text that Markdown and HTML leave as it is, and that no `@name`, `#1` or address in it turns into a link."""
    marked = re.sub(r"([\\`*_{}\[\]|~$!]|^[-+#=](?!\d))", r"\\\1", escape(text.replace("\n", " "), quote=False))
    marked = re.sub(r"^(\d+)([.)])(?!\d)", r"\1\\\2", marked)
    return re.sub(r"@(?=\w)|#(?=\d)|www(?=\.)|:(?=//)", lambda found: f"{found[0]}\u200b", marked)


def code(text: str) -> str:
    """Text as code, between more backticks than it has."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
