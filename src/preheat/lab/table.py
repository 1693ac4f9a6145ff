"""The results as a table: the same cells for the terminal and for the page."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from preheat.lab.progress import duration
from preheat.lab.statistics import ArmSummary, StudySummary
from preheat.lab.verdict import difference_text, fixed, interval_text, study_verdict

COLUMNS = ("arm", "schedule", "validation loss", "difference", "95 % interval", "better", "diverged", "time a run")
"""Loss is mean ± standard deviation over seeds; difference and interval are to the first arm, paired by seed; better
counts the seeds with a lower loss than the first arm's; lower is better."""

NONE = "–"


def cells(arm: ArmSummary) -> tuple[str, ...]:
    """One row, in the order of `COLUMNS`."""
    difference = arm.difference
    return (
        arm.name,
        arm.spec,
        loss_text(arm),
        NONE if difference is None else difference_text(difference),
        (interval_text(difference) if difference else "") or NONE,
        NONE if difference is None else f"{difference.better} of {difference.seeds}",
        f"{arm.diverged} of {arm.runs}",
        duration(arm.seconds),
    )


def loss_text(arm: ArmSummary) -> str:
    """`2.412 ± 0.013`; where a run has no finite loss, how many."""
    if arm.non_finite:
        return f"{arm.non_finite} of {arm.runs} not finite"
    if arm.mean is None:
        return NONE
    return fixed(arm.mean, 3) + (f" ± {fixed(arm.sd, 3)}" if arm.sd is not None else "")


def print_study(summary: StudySummary, console: Console) -> None:
    """The table and the verdict, in 80 columns: schedules stand under the table, where long ones have room."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("arm", overflow="fold")
    for name in ("final loss", "difference (95 %)", "better", "diverged", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in summary.arms:
        name, _, loss, difference, within, *others = cells(arm)
        between = f"{difference} ({within})" if within != NONE else difference
        table.add_row(*map(Text, (name, loss, between, *others)))
    console.print(Text(f"\n{summary.study.title}", "bold"))
    console.print(table)
    for arm in summary.arms:
        console.print(Text(f"  {arm.name} = {arm.spec}", "dim"), soft_wrap=True)
    console.print(Text(study_verdict(summary), "bold"))
