"""A grid of peaks in the report: heat map, sensitivity to the peak, and what each family can train."""

import math
from html import escape

from preheat.lab.experiment import Metric, Study
from preheat.lab.report.charts import interval_figure, paired_points, short
from preheat.lab.report.page import cards, figure, rows_table, scrolled
from preheat.lab.report.style import SCALE
from preheat.lab.report.table import value_text
from preheat.lab.statistics.arms import Records, StudySummary
from preheat.lab.statistics.grid import Cell, Family, GridSummary
from preheat.lab.statistics.verdict import difference_text, interval_text
from preheat.plots.charts import Mark, Series, line_chart

NONE = "–"


def heat_map(study: Study, grid: GridSummary) -> str:
    """Families by peaks: the mean of the deciding metric in each cell, which the colour repeats."""
    metric = study.metrics[0]
    ends = heat_range(grid, metric.goal == "max")
    head = "".join(f'<th scope="col">{peak:g}</th>' for peak in grid.peaks)
    body = ""
    for family in grid.families:
        cells = "".join(heat_cell(cell, family, overall(grid, metric.goal), ends) for cell in family.cells)
        body += f'<tr><th scope="row">{escape(family.name)}</th>{cells}</tr>'
    caption = f"{metric.title} by schedule and peak"
    table = f'<table class="heat" aria-label="{escape(caption)}"><thead><tr><td></td>{head}</tr></thead>{body}</table>'
    return f"<h3>{escape(caption.capitalize())}</h3>{scrolled(table, caption)}{key(metric.goal == 'max', ends)}"


def overall(grid: GridSummary, goal: str) -> tuple[str, float] | None:
    """The best cell of all, among the families' best peaks."""
    found = {(one.name, cell.peak): cell.mean for one in grid.families for cell in one.cells if cell.peak == one.best}
    known = {place: mean for place, mean in found.items() if mean is not None}
    return (max if goal == "max" else min)(known, key=lambda place: known[place]) if known else None


def heat_range(grid: GridSummary, rising: bool) -> tuple[float, float]:
    """The values of the first and of the last colour. A few cells that are far worse must not make all others alike: the
    last is among those without a diverged run, and at most six times as far from the best as their median is.
    """
    cells = [cell for family in grid.families for cell in family.cells if cell.mean is not None]
    tame = [cell for cell in cells if not cell.diverged] or cells
    means = sorted((cell.mean for cell in tame if cell.mean is not None), reverse=rising)
    if not means:
        return 0.0, 1.0
    best, middle, worst = means[0], means[len(means) // 2], means[-1]
    far = best + 6 * (middle - best)
    return best, (max if rising else min)(worst, far) if far != best else worst


def heat_cell(cell: Cell, family: Family, best: tuple[str, float] | None, ends: tuple[float, float]) -> str:
    """One cell: the value, how many runs diverged, whether it is the best, and the end of what trains."""
    kinds, notes = [], []
    if cell.mean is None or (cell.runs and 2 * cell.diverged >= cell.runs):
        kinds.append("lost")
    else:
        share = (cell.mean - ends[0]) / (ends[1] - ends[0]) if ends[1] != ends[0] else 0.0
        kinds.append(f"h{round(min(1.0, max(0.0, share)) * (len(SCALE) - 1))}")
    if (family.name, cell.peak) == best:
        kinds.append("best")
        notes.append("★ best")
    if cell.diverged:
        notes.append(f"✕ {cell.diverged} of {cell.runs}")
    if cell.stopped:
        notes.append("stopped")
    if cell.peak == family.trainable and cell is not family.cells[-1]:
        kinds.append("edge")
    notes = notes or (["no run"] if not cell.runs else [])
    value = value_text(cell.mean)
    small = "".join(f"<small>{note}</small>" for note in notes)
    return f'<td class="{" ".join(kinds)}">{value}{small}</td>'


def key(rising: bool, ends: tuple[float, float]) -> str:
    """What colours and signs of the heat map mean."""
    strip = "".join(f'<i class="h{k}"></i>' for k in range(len(SCALE)))
    beyond = "or less" if rising else "or more"
    return (
        f'<p class="key"><span>{short(ends[0])} {strip} {short(ends[1])} {beyond}</span><span>★ best mean</span>'
        '<span><i class="lost"></i> ✕ runs that diverged</span>'
        '<span><i class="edge"></i> largest peak that trains: beyond it half of the runs or more diverge</span></p>'
    )


def sensitivity_figure(study: Study, grid: GridSummary, records: Records) -> str:
    """The deciding metric against the peak, a line per family: flat means that the peak hardly matters."""
    metric, series, marks = study.metrics[0], [], []
    for style, family in enumerate(grid.families):
        means = [math.nan if cell.mean is None else cell.mean for cell in family.cells]
        low, high = seed_ends(study, records, family)
        series.append(Series(family.name, grid.peaks, means, style, low=low, high=high, dots=True))
        for cell in family.cells:
            if cell.diverged:
                text = f"{family.name} @ {cell.peak:g}: {cell.diverged} of {cell.runs} runs diverged"
                marks.append(Mark(cell.peak, math.inf if cell.mean is None else cell.mean, "end", style, text))
    best, worst = heat_range(grid, metric.goal == "max")
    ends = sorted((best - 0.08 * (worst - best), worst + 0.08 * (worst - best)))
    title = f"{metric.title.capitalize()} against the peak"
    limits = (ends[0], ends[1]) if ends[0] < ends[1] else None
    shape = {"log_x": True, "x_ticks": grid.peaks, "y_range": limits, "marks": marks, "inside": True}
    chart = line_chart(series, title=title, x_label="peak, logarithmic", y_label=metric.title, **shape)
    caption = "Mean over the seeds; band: lowest to highest seed." + (" ✕ runs diverged." if marks else "")
    rows = [(f"{peak:g}", *(short(one.ys[k]) for one in series)) for k, peak in enumerate(grid.peaks)]
    return figure(chart, caption, rows_table(("peak", *(one.name for one in series)), rows, title))


def seed_ends(study: Study, records: Records, family: Family) -> tuple[list[float], list[float]]:
    """The lowest and the highest seed at each peak; empty for one seed."""
    found: list[tuple[float, float]] = []
    for cell in family.cells:
        names = [arm.name for arm in study.arms if (arm.family, arm.peak) == (family.name, cell.peak)]
        runs = [records[names[0], seed] for seed in study.seeds if (names[0], seed) in records]
        values = [run.result.metrics.get(study.metrics[0].name) for run in runs]
        known = [value for value in values if value is not None]
        whole = cell.mean is not None and known
        found.append((min(known), max(known)) if whole else (math.nan, math.nan))
    return ([low for low, _ in found], [high for _, high in found]) if len(study.seeds) > 1 else ([], [])


def best_figure(study: Study, grid: GridSummary, records: Records) -> str:
    """The families at their best peaks against the first one at its own."""
    metric, first, rows = study.metrics[0].name, grid.families[0], []
    names = {(arm.family, arm.peak): arm.name for arm in study.arms}
    for style, family in enumerate(grid.families):
        difference = family.at_best.get(metric)
        if difference:
            points = paired_points(study, records, names[family.name, family.best], names[first.name, first.best])
            rows.append((f"{family.name} @ {family.best:g}", difference, points, style))
    return interval_figure(study, rows, f"Each at its best peak, against {first.name} @ {first.best or 0:g}")


FAMILY_COLUMNS = (
    "schedule",
    "best peak",
    "value there",
    "difference",
    "interval",
    "sensitivity",
    "trains up to",
    "octaves more",
)


def family_rows(grid: GridSummary) -> list[tuple[str, ...]]:
    """What the grid says of each family, in the order of `FAMILY_COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for family in grid.families:
        at_best = family.at_best.get(grid.metric)
        value = next((cell.mean for cell in family.cells if cell.peak == family.best), None)
        octaves = family.octaves.mean if family.octaves else None
        rows.append(
            (
                family.name,
                NONE if family.best is None else f"{family.best:g}",
                value_text(value),
                difference_text(at_best) if at_best else NONE,
                (interval_text(at_best) if at_best else "") or NONE,
                short(family.sensitivity),
                "none" if family.trainable is None else f"{family.trainable:g}",
                NONE if octaves is None else f"{octaves:+.1f}".replace("-", "−"),
            )
        )
    return rows


OTHER_COLUMNS = ("schedule", "at its best peak", "difference", "interval", "better")


def other_rows(grid: GridSummary, metric: Metric) -> list[tuple[str, ...]]:
    """What a further metric says of each family at the peak that is best by the first one."""
    rows: list[tuple[str, ...]] = []
    for family in grid.families:
        found = family.at_best.get(metric.name)
        numbers = (difference_text(found), interval_text(found) or NONE) if found else (NONE, NONE)
        better = f"{found.better} of {found.seeds}" if found else NONE
        rows.append((family.name, NONE if family.best is None else f"{family.best:g}", *numbers, better))
    return rows


def grid_part(summary: StudySummary, grid: GridSummary) -> str:
    """Heat map and table of the families."""
    return heat_map(summary.study, grid) + cards(FAMILY_COLUMNS, family_rows(grid), "Schedules over the peaks")


def focus(study: Study, grid: GridSummary) -> float:
    """The peak whose curves are shown first: that of the best cell."""
    best = overall(grid, study.metrics[0].goal)
    return best[1] if best else grid.peaks[len(grid.peaks) // 2]
