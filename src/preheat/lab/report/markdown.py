"""The report as Markdown, beside the picture that it links to: what was found, tables, how to do it again."""

from preheat.lab.report.marked import code, folded, marked_table, pre, safe
from preheat.lab.report.reproduce import environment_pairs, reproduction
from preheat.lab.report.table import arm_rows, family_rows, further_rows, goal_text, schedules, target_rows
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.headline import headline
from preheat.lab.statistics.verdict import headed, study_verdict
from preheat.lab.summary import Summary, environments


def report_markdown(summary: Summary, picture: str = "figure.png") -> str:
    """The report as GitHub-flavoured Markdown; `picture` is the link to the figure, none if empty."""
    parts = [f"## {safe(summary.experiment.title)}"]
    for study in summary.studies:
        name = "" if study.study.title == summary.experiment.title else f"{safe(study.study.title)}: "
        parts.append(f"**{name}{safe(headline(study))}**")
    parts += [f"![Losses, schedules and final values]({picture})"] if picture else []
    for study in summary.studies:
        parts += [f"### {safe(study.study.title)}", safe(study_verdict(study)), *_study_parts(study)]
    if summary.failures:
        parts += ["### Failed runs", "\n".join(f"- {safe(f'{one.run}: {one.public}')}" for one in summary.failures)]
    return "\n\n".join([*parts, _details(summary)]) + "\n"


def _study_parts(summary: StudySummary) -> list[str]:
    """The tables of a study, and its schedules."""
    parts = [arms := marked_table(arm_rows(summary.study.metrics[0], summary.arms))]
    if summary.grid:
        parts = [marked_table(family_rows(summary.grid)), folded(f"All {len(summary.arms)} arms", [arms])]
    if summary.target:
        parts += [safe(f"Against the target {summary.target.value:g}:"), marked_table(target_rows(summary.target))]
    for metric, rows in further_rows(summary):
        parts += [f"{safe(headed(metric))}, {goal_text(metric)}:", marked_table(rows)]
    parts.append("\n".join(f"- {safe(family)}: {code(spec)}" for family, spec in schedules(summary)))
    return parts


def _details(summary: Summary) -> str:
    """Command and environment, folded."""
    parts, groups = [pre(reproduction(summary.experiment))], environments(summary)
    for group in groups:
        facts = "; ".join(f"{name} {value}" for name, value in environment_pairs(group))
        parts.append(safe(f"{group['runs']} runs: {facts}" if len(groups) > 1 else facts))
    return folded("How to reproduce, and where this was run", parts)
