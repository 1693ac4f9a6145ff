"""The results as tables: the same cells for the terminal, the page and Markdown."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from preheat.lab.experiment import Metric
from preheat.lab.progress import duration
from preheat.lab.statistics.arms import ArmSummary, StudySummary
from preheat.lab.statistics.grid import GridSummary
from preheat.lab.statistics.verdict import difference_text, fixed, interval_text, study_verdict

NONE = "–"
NARROW = 10
"""Columns of the terminal that names have at least."""


def columns(metric: Metric) -> tuple[str, ...]:
    """The names of `cells`.

    The value is mean ± standard deviation over seeds; difference and interval are to the reference, paired by seed;
    better counts the seeds that are better than the reference's; diverged has the 95 % interval of the rate.
    """
    return ("arm", "schedule", metric.title, "difference", "interval", "better", "diverged", "time a run")


def cells(arm: ArmSummary) -> tuple[str, ...]:
    """One row, in the order of `columns`."""
    difference, rate = arm.difference, arm.divergence
    within = f" ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)" if rate and arm.diverged else ""
    return (
        arm.name,
        arm.spec,
        loss_text(arm),
        NONE if difference is None else difference_text(difference),
        (interval_text(difference) if difference else "") or NONE,
        NONE if difference is None else f"{difference.better} of {difference.seeds}",
        f"{arm.diverged} of {arm.runs}{within}",
        duration(arm.seconds),
    )


def shown(
    metric: Metric, arms: Sequence[ArmSummary], *, without: Sequence[str] = ("schedule",)
) -> list[tuple[str, ...]]:
    """The names of the columns and then the rows, without some."""
    rows = [columns(metric), *map(cells, arms)]
    kept = [place for place, name in enumerate(rows[0]) if name not in without]
    return [tuple(row[place] for place in kept) for row in rows]


def others(summary: StudySummary) -> list[tuple[Metric, list[tuple[str, ...]]]]:
    """Each further metric with its table."""
    without = ("schedule", "diverged", "time a run")
    known = {metric.name: metric for metric in summary.study.metrics}
    return [(known[name], shown(known[name], arms, without=without)) for name, arms in summary.others.items()]


def loss_text(arm: ArmSummary) -> str:
    """`2.412 ± 0.013`; where a run has no finite loss, how many."""
    if arm.non_finite:
        return f"{arm.non_finite} of {arm.runs} not finite"
    if arm.mean is None:
        return NONE
    places = decimals(arm.mean)
    return fixed(arm.mean, places) + (f" ± {fixed(arm.sd, places)}" if arm.sd is not None else "")


def value_text(value: float | None) -> str:
    """One value as the tables write it."""
    return NONE if value is None else fixed(value, decimals(value))


def decimals(value: float) -> int:
    """Three, or as many as give a small value two digits; eight at most."""
    return 3 if value == 0 or abs(value) >= 0.1 else min(8, 1 - math.floor(math.log10(abs(value))))


def print_study(summary: StudySummary, console: Console) -> None:
    """The table and the verdict, in 80 columns: schedules stand under the table, where long ones have room."""
    console.print(Text(f"\n{summary.study.title}", "bold"))
    console.print(
        rich_table(grid_rows(summary.grid, console.width) if summary.grid else terminal_rows(summary, console.width))
    )
    if summary.grid:
        console.print(Text("  * best peak   ×n: so many runs diverged", "dim"))
    for family, spec in schedules(summary):
        console.print(Text(f"  {family} = {spec}", "dim"), soft_wrap=True)
    console.print(Text(study_verdict(summary), "bold"))


def rich_table(rows: Sequence[Sequence[str]]) -> Table:
    """Rows for the terminal, the first of which names the columns."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for place, name in enumerate(rows[0]):
        table.add_column(Text(name), overflow="fold", min_width=NARROW if place == 0 else None, no_wrap=place > 0)
        table.columns[-1].justify = "right" if place else "left"
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def terminal_rows(summary: StudySummary, width: int) -> list[tuple[str, ...]]:
    """The arms; where there is no room without the time, then without the intervals, which the verdict tells too."""
    names = ("arm", "final loss", "difference", "interval", "better", "diverged", "time")
    rows = [names]
    for arm in summary.arms:
        name, _, loss, difference, within, better, _, time = cells(arm)
        rows.append((name, loss, difference, within, better, f"{arm.diverged} of {arm.runs}", time))
    for without in ((), ("time",), ("time", "interval")):
        kept = [place for place, name in enumerate(names) if name not in without]
        if room(found := [tuple(row[place] for place in kept) for row in rows]) <= width:
            break
    return found


def grid_rows(grid: GridSummary, width: int) -> list[tuple[str, ...]]:
    """Families by peaks, or peaks by families where that is too wide: the mean, * at a family's best, × runs diverged."""
    rows: list[tuple[str, ...]] = [(grid.metric, *(f"{peak:g}" for peak in grid.peaks))]
    for family in grid.families:
        values = [value_text(cell.mean) if cell.mean is not None or not cell.diverged else "" for cell in family.cells]
        best = ["*" if cell.peak == family.best else "" for cell in family.cells]
        lost = [f" ×{cell.diverged}" if cell.diverged else "" for cell in family.cells]
        rows.append((family.name, *map("".join, zip(values, best, lost, strict=True))))
    return rows if room(rows) <= width else list(zip(*rows, strict=True))


def room(rows: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that a table takes, a long first column folded."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return max(NARROW, min(first, 16)) + sum(others) + 2 * len(others)


def schedules(summary: StudySummary) -> list[tuple[str, str]]:
    """The families with their schedules: in a grid the same at every peak."""
    return list({arm.family: (arm.family, arm.spec) for arm in summary.study.arms}.values())
