"""The report as Markdown, for a pull request: verdicts, tables, the picture by a relative link, how to do it again."""

import re
from html import escape

from preheat.lab.report.reproduce import environment_pairs, reproduction
from preheat.lab.report.table import Rows, arm_rows, family_rows, further_rows, goal_text, schedules, target_rows
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.verdict import headed, study_verdict
from preheat.lab.summary import Summary, environments


def report_markdown(summary: Summary, picture: str = "figure.png") -> str:
    """The report as GitHub-flavoured Markdown; `picture` is the link to the figure, none if empty."""
    parts = [f"## {safe(summary.experiment.title)}"]
    parts += [f"**{safe(study.study.title)}**: {safe(study_verdict(study))}" for study in summary.studies]
    parts += [f"![Losses, schedules and final values]({picture})"] if picture else []
    for study in summary.studies:
        parts += [f"### {safe(study.study.title)}", *_study_parts(study)]
    if summary.failures:
        parts += ["### Failed runs", "\n".join(f"- {safe(f'{one.run}: {one.public}')}" for one in summary.failures)]
    return "\n\n".join([*parts, _details(summary)]) + "\n"


def _study_parts(summary: StudySummary) -> list[str]:
    """The tables of a study, and its schedules."""
    parts = [arms := _table(arm_rows(summary.study.metrics[0], summary.arms))]
    if summary.grid:
        folded = f"<details><summary>All {len(summary.arms)} arms</summary>\n\n{arms}\n\n</details>"
        parts = [_table(family_rows(summary.grid)), folded]
    if summary.target:
        parts += [safe(f"Against the target {summary.target.value:g}:"), _table(target_rows(summary.target))]
    for metric, rows in further_rows(summary):
        parts += [f"{safe(headed(metric))}, {goal_text(metric)}:", _table(rows)]
    parts.append("\n".join(f"- {safe(family)}: {code(spec)}" for family, spec in schedules(summary)))
    return parts


def _table(rows: Rows) -> str:
    """Rows, numbers to the right."""
    head, *body = [f"| {' | '.join(map(safe, row))} |" for row in rows]
    return "\n".join([head, f"| :-- |{' --: |' * (len(rows[0]) - 1)}", *body])


def _details(summary: Summary) -> str:
    """Command and environment, folded."""
    command, groups = reproduction(summary.experiment), environments(summary)
    fence = max("```", _fence(command), key=len)
    parts = ["<details><summary>How to reproduce, and where this was run</summary>", f"{fence}\n{command}\n{fence}"]
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
    fence, pad = _fence(text), " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str) -> str:
    """One backtick more than stand together in `text`."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
