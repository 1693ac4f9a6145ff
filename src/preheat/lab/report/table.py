"""The results as tables, the first row the names of the columns: the same for the terminal, the page and Markdown."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from preheat.lab.experiment import Metric
from preheat.lab.running.progress import duration
from preheat.lab.statistics.arms import ArmSummary, StudySummary
from preheat.lab.statistics.grid import GridSummary
from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.numbers import difference_text, fixed, interval_text, signed
from preheat.lab.statistics.target import TargetSummary, mean_text, number_text, p_text
from preheat.lab.statistics.verdict import study_verdict
from preheat.plots.panel import short

NONE = "–"
_NARROW = 10  # columns of the terminal that names have at least

Rows = list[tuple[str, ...]]


def arm_rows(metric: Metric, arms: Sequence[ArmSummary]) -> Rows:
    """A row per arm.

    The value is mean ± standard deviation over seeds; difference and interval are to the reference, paired by seed;
    better counts the seeds that are better than the reference's; diverged has the 95 % interval of the rate.
    """
    return [("arm", metric.title, "difference", "interval", "better", "diverged", "time a run"), *map(_cells, arms)]


def further_rows(summary: StudySummary) -> list[tuple[Metric, Rows]]:
    """Each further metric with its table, without what all metrics have in common."""
    metrics = [metric for metric in summary.study.metrics if metric.name in summary.others]
    return [(metric, [row[:-2] for row in arm_rows(metric, summary.others[metric.name])]) for metric in metrics]


def family_rows(grid: GridSummary) -> Rows:
    """What a grid says of each family."""
    ends = ("difference", "interval", "sensitivity", "trains up to", "octaves more")
    rows: Rows = [("schedule", "best peak", "value there", *ends)]
    for family in grid.families:
        value = next((cell.mean for cell in family.cells if cell.peak == family.best), None)
        octaves = family.octaves.mean if family.octaves else None
        difference, interval, _ = _difference_cells(family.at_best.get(grid.metric))
        largest = _peak_text(family.trainable, "no peak")
        more = NONE if octaves is None else signed(round(octaves, 6) + 0.0, 1)
        numbers = (value_text(value), difference, interval, short(family.sensitivity), largest, more)
        rows.append((family.name, _peak_text(family.best), *numbers))
    return rows


def family_rows_of(grid: GridSummary, metric: Metric) -> Rows:
    """What a further metric says of each family at the peak that is best by the first one."""
    rows: Rows = [("schedule", "at its best peak", "difference", "interval", "better")]
    for one in grid.families:
        rows.append((one.name, _peak_text(one.best), *_difference_cells(one.at_best.get(metric.name))))
    return rows


def target_rows(found: TargetSummary) -> Rows:
    """A row per arm against the target: p and the bound of the mean, by t, and by z where its deviation was given."""
    forms = ("t", "z") if found.sd is not None else ("t",)
    tests = [cell for form in forms for cell in (f"p ({form})", f"mean {found.side} ({form})")]
    rows: Rows = [("arm", "seeds", "mean", "sd", *tests, f"{found.side} {found.value:g}", "more seeds")]
    for arm in found.arms:
        cells = []
        for test in (getattr(arm, form) for form in forms):
            cells += [p_text(test.p, found.each), number_text(test.bound, arm, found)] if test else [NONE, NONE]
        said = "shown" if arm.reached else f"not shown{f': {arm.lack}' if arm.lack else ''}"
        rows.append(
            (arm.name, str(arm.seeds), mean_text(arm, found), short(arm.sd), *cells, said, str(arm.more or NONE))
        )
    return rows


def _terminal_target_rows(found: TargetSummary) -> Rows:
    """The same for the terminal: without the bounds, and without the reason, which the verdict gives too."""
    rows = [
        [cell for name, cell in zip(target_rows(found)[0], row, strict=True) if not name.startswith("mean ")]
        for row in target_rows(found)
    ]
    return [(*row[:-2], row[-2].partition(":")[0]) for row in rows]


def value_text(value: float | None) -> str:
    """One value as the tables write it."""
    return NONE if value is None else fixed(value, decimals(value))


def decimals(value: float) -> int:
    """Three, or as many as give a small value two digits; eight at most."""
    return 3 if value == 0 or abs(value) >= 0.1 else min(8, 1 - math.floor(math.log10(abs(value))))


def schedules(summary: StudySummary) -> list[tuple[str, str]]:
    """The families with their schedules: in a grid the same at every peak."""
    return [(family, next(iter(arms.values())).spec) for family, arms in summary.study.families.items()]


def goal_text(metric: Metric) -> str:
    """Which way is better."""
    return f"{'lower' if metric.goal == 'min' else 'higher'} is better"


def print_study(summary: StudySummary, console: Console) -> None:
    """The table and the verdict, in 80 columns: schedules stand under the table, where long ones have room."""
    grid = summary.grid
    rows = _grid_rows(grid, console.width) if grid else _terminal_rows(summary, console.width)
    console.print(Text(f"\n{summary.study.title}", "bold"))
    console.print(_rich_table(rows))
    for _, others in [] if grid else further_rows(summary):
        console.print()
        console.print(_rich_table(_fitted(others, console.width)))
    if grid:
        console.print(Text("  * best peak   ×n: so many runs diverged", "dim"))
    if summary.target:
        console.print(_rich_table(_terminal_target_rows(summary.target)))
    for family, spec in schedules(summary):
        console.print(Text(f"  {family} = {spec}", "dim"), soft_wrap=True)
    console.print(Text(study_verdict(summary)))


def _cells(arm: ArmSummary) -> tuple[str, ...]:
    """One arm, all columns."""
    rate = arm.divergence
    within = f" ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)" if rate and arm.diverged else ""
    diverged = f"{arm.diverged} of {arm.runs}{within}" if arm.runs else NONE
    return arm.name, _mean_text(arm), *_difference_cells(arm.difference), diverged, duration(arm.seconds)


def _difference_cells(difference: Difference | None) -> tuple[str, str, str]:
    """A difference, its interval, and with how many seeds it is better."""
    if difference is None:
        return NONE, NONE, NONE
    better = f"{difference.better} of {difference.seeds}"
    return difference_text(difference), interval_text(difference) or NONE, better


def _mean_text(arm: ArmSummary) -> str:
    """`2.412 ± 0.013`; where a run has no finite loss, how many."""
    if arm.non_finite:
        return f"{arm.non_finite} of {arm.runs} not finite"
    return value_text(arm.mean) + (f" ± {fixed(arm.sd, decimals(arm.mean or 0.0))}" if arm.sd is not None else "")


def _peak_text(peak: float | None, none: str = NONE) -> str:
    return none if peak is None else f"{peak:g}"


def _rich_table(rows: Rows) -> Table:
    """Rows for the terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for place, name in enumerate(rows[0]):
        if place == 0:
            table.add_column(Text(name), overflow="fold", min_width=_NARROW)
        else:
            table.add_column(Text(name), justify="right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def _terminal_rows(summary: StudySummary, width: int) -> Rows:
    """The arms; where there is no room without the time, then without the intervals, which the verdict gives too."""
    title = summary.study.metrics[0].title
    rows: Rows = [("arm", title, "difference", "interval", "better", "diverged", "time")]
    for arm in summary.arms:
        *values, diverged, time = _cells(arm)
        rows.append((*values, diverged.partition(" (")[0], time))
    return _fitted(rows if _width(rows) <= width else [row[:-1] for row in rows], width)


def _fitted(rows: Rows, width: int) -> Rows:
    """Rows without the intervals where there is no room for them."""
    return rows if _width(rows) <= width else [(*row[:3], *row[4:]) for row in rows]


def _grid_rows(grid: GridSummary, width: int) -> Rows:
    """Families by peaks, or peaks by families where that is too wide: the mean, * at a family's best, × runs diverged."""
    rows: Rows = [(grid.metric, *(f"{peak:g}" for peak in grid.peaks))]
    for family in grid.families:
        cells = []
        for cell in family.cells:
            value = value_text(cell.mean) if cell.mean is not None or not cell.diverged else ""
            cells.append(value + "*" * (cell.peak == family.best) + (f" ×{cell.diverged}" if cell.diverged else ""))
        rows.append((family.name, *cells))
    return rows if _width(rows) <= width else list(zip(*rows, strict=True))


def _width(rows: Rows) -> int:
    """Columns of the terminal that a table takes, a long first column folded."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return max(_NARROW, min(first, 16)) + sum(others) + 2 * len(others)
