"""A comparison as a card for a pull request: text alone, so that it can be pasted anywhere and shows its picture."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from preheat.lab.experiment import Experiment
from preheat.lab.report.curves import ArmCurves
from preheat.lab.report.marked import folded, marked_table, pre, safe
from preheat.lab.report.panels import StudyPanels
from preheat.lab.report.reproduce import environment_pairs, reproduction
from preheat.lab.report.table import arm_rows, family_rows, schedules, target_rows
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.headline import headline
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials
from preheat.plots.terminal import Terminal, braille

_DRAWN, _WIDTH, _HEIGHT = 3, 64, 4  # schedules of a study that are drawn; columns and rows of each
_ROWS = 8  # of a table that is not folded


def card_markdown(
    experiment: Experiment,
    studies: Sequence[StudySummary],
    records: Sequence[Trials],
    environments: Sequence[Mapping[str, Any]],
) -> str:
    """The card: title, what was found, the schedules as text charts, the table, the command, and the rest folded."""
    parts, drawn = [f"### {safe(experiment.title)}"], set[tuple[str, str]]()
    for study, trials in zip(studies, records, strict=True):
        name = f"{safe(study.study.title)}: " if len(studies) > 1 else ""
        parts.append(f"**{name}{safe(headline(study))}**")
        text = _charts(study, trials, drawn)
        parts += [pre(text, "text")] if text else []
        drawn |= set(schedules(study))  # studies often share their schedules
        parts.append(_table(study))
        parts += (
            [f"Against the target {study.target.value:g}:", marked_table(target_rows(study.target))]
            if study.target
            else []
        )
    parts.append(pre(reproduction(experiment), "sh" if experiment.command else "python"))
    details = [safe(study_verdict(study)) for study in studies]
    for group in environments:
        facts = "; ".join(f"{name} {value}" for name, value in environment_pairs(dict(group)))
        details.append(safe(f"{group['runs']} runs: {facts}"))
    return "\n\n".join([*parts, folded("The verdict in full, and where this was run", details)]) + "\n"


def _table(study: StudySummary) -> str:
    """Of a grid its schedules, else its arms; many are folded."""
    rows = family_rows(study.grid) if study.grid else arm_rows(study.study.metrics[0], study.arms)
    text = marked_table(rows)
    return text if len(rows) <= _ROWS else folded(f"All {len(rows) - 1} rows", [text])


def _charts(study: StudySummary, trials: Trials, known: Collection[tuple[str, str]]) -> str:
    """The schedules that are not known yet one above the other, each under its text; of many the first ones."""
    curves = {arm.style: arm for arm in StudyPanels(study, trials).shown()}
    lines, drawn = list[str](), 0
    for style, (name, spec) in enumerate(schedules(study)):
        if (name, spec) not in known:
            lines += [f"{name} = {spec}", *(_chart(curves.get(style)) if drawn < _DRAWN else [])]
            drawn += 1
    return "\n".join(lines)


def _chart(curve: ArmCurves | None) -> list[str]:
    """One curve in a few lines; none where no run has finished."""
    if curve is None or not curve.rate:
        return []
    terminal = Terminal(width=_WIDTH)
    return braille(curve.rate, at=curve.updates, width=_WIDTH, height=_HEIGHT, terminal=terminal).splitlines()
