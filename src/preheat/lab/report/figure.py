"""The figure for a paper, as PNG, SVG or PDF: one row of panels a study, in the width of one column or of two.

The same numbers give the same file: nothing of the day or the machine is in it. Text in an SVG stays text.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.lab.experiment import Study
from preheat.lab.report.charts import MOST_MARKS
from preheat.lab.report.curves import ArmCurves, band_text, chance_of, curves, falls, families, loss_column, loss_range
from preheat.lab.report.grid import focus, heat_range, overall, seed_ends
from preheat.lab.report.style import SCALE
from preheat.lab.report.table import value_text
from preheat.lab.statistics.arms import Records, StudySummary
from preheat.lab.statistics.grid import Cell, Family, GridSummary
from preheat.plots.charts import shortened
from preheat.plots.png import COLOURS, DASHES

WIDTHS = {1: 3.3, 2: 6.8}
"""Inches of one and of two columns of a usual paper."""

STYLE = {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.25,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "preheat",
    "pdf.fonttype": 42,
}
_UNDATED = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def save_figure(studies: Sequence[StudySummary], records: Sequence[Records], *paths: Path, columns: int = 2) -> None:
    """Write the picture to each path in the format that its suffix says: .png (300 dpi), .svg or .pdf.

    columns: 1 or 2, as wide as one or two columns of a paper. Several paths cost less than as many calls.
    matplotlib is imported here, and draws without a screen. Raises PreheatError without it, or for another suffix.
    """
    for path in paths:
        if path.suffix not in _UNDATED:
            raise PreheatError(f"a figure is a file that ends in .png, .svg or .pdf, not {path.name}")
    if columns not in WIDTHS:
        raise PreheatError(f"a figure is 1 or 2 columns wide, not {shown(columns)}")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PreheatError("the picture needs matplotlib; pip install 'preheat[lab]'") from None
    with rc_context(STYLE):
        heights = [height(study, columns) for study in studies]
        figure = Figure(figsize=(WIDTHS[columns], sum(heights)), dpi=300, layout="constrained")
        FigureCanvasAgg(figure)
        parts = figure.subfigures(len(studies), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, study, runs in zip(parts, studies, records, strict=True):
            draw_study(part, study, runs, columns)
        for path in paths:
            figure.savefig(path, metadata=_UNDATED[path.suffix])
            figure.set_layout_engine("none")  # it is laid out now


def height(summary: StudySummary, columns: int) -> float:
    """Inches of a study: its panels, a title, and a legend."""
    names = families(summary.study)
    lines = math.ceil(len(names) / legend_columns(names, columns))
    return 0.3 + (2.1 if columns == 2 else 3 * 2.0) + 0.17 * lines + 0.12 * max(0, len(names) - 6)


def legend_columns(names: Sequence[str], columns: int) -> int:
    """How many entries of the legend stand side by side."""
    longest = 0.45 + 0.065 * max(len(shortened(name, 44)) for name in names)
    return max(1, min(len(names), int(WIDTHS[columns] / longest)))


def draw_study(part: Any, summary: StudySummary, records: Records, columns: int) -> None:
    """The panels of a study: of a grid heat map and sensitivity instead of schedules and final values."""
    shape = (1, 3) if columns == 2 else (3, 1)
    axes = part.subplots(*shape, squeeze=False).ravel()
    part.suptitle(plain(summary.study.title), fontsize=8.5, fontweight="bold")
    study, grid, every = summary.study, summary.grid, curves(summary.study, records)
    if grid:
        draw_heat(axes[0], study, grid)
        draw_sensitivity(axes[1], study, grid, records)
        at = focus(study, grid)
        draw_losses(
            axes[2], study, records, [one for arm, one in zip(study.arms, every, strict=True) if arm.peak == at]
        )
        axes[2].set_title(f"training loss at peak {at:g}")
    else:
        draw_losses(axes[0], study, records, every)
        draw_rates(axes[1], every)
        draw_results(axes[2], summary)
    names = families(study)
    handles = [axes[-1].plot([], [], label=plain(shortened(name, 44)), **looks(k))[0] for k, name in enumerate(names)]
    part.legend(handles=handles, loc="outside lower center", ncols=legend_columns(names, columns), frameon=False)


def draw_losses(axis: Any, study: Study, records: Records, arms: Sequence[ArmCurves]) -> None:
    """Training loss: the mean over seeds, a band, and the instabilities."""
    column = loss_column(study, records)
    chance = chance_of(records) if column == "loss" else None
    for arm in arms:
        for row in arm.losses if arm.torn else ():
            axis.plot(arm.updates, row, color=looks(arm.style)["color"], lw=0.5, alpha=0.35)
        if arm.low:
            axis.fill_between(arm.updates, arm.low, arm.high, color=looks(arm.style)["color"], alpha=0.18, lw=0)
        axis.plot(arm.updates, arm.loss or [math.nan] * len(arm.updates), **looks(arm.style))
    if chance is not None:
        axis.axhline(chance, color="#777777", lw=0.8, ls=":")
        axis.annotate(
            "chance", (0.94, chance), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#555555"
        )
    limits = loss_range(arms, chance) if falls(study, column) else None
    if limits:
        axis.set_ylim(limits)
    low, high = axis.get_ylim()
    for arm in arms:
        draw_signs(axis, arm, (low + 0.03 * (high - low), high - 0.03 * (high - low)))
    band = band_text(max((len(arm.losses) for arm in arms), default=0))
    axis.set(title="training loss", xlabel=f"update\n(band: {band})" if band else "update", ylabel=plain(column))
    axis.grid(True)


def draw_signs(axis: Any, arm: ArmCurves, ends: tuple[float, float]) -> None:
    """A triangle for a spike, a cross where the loss was lost, a ring where the run counts as diverged."""
    for kind, marker in (("spike", "^"), ("end", "x"), ("stuck", "o")):
        found = [one for one in arm.troubles if one.kind == kind][: MOST_MARKS * len(arm.losses)]
        heights = [min(ends[1], max(ends[0], one.value)) for one in found]
        style = {"ls": "", "marker": marker, "ms": 4, "mfc": "none", "mew": 0.9, "color": looks(arm.style)["color"]}
        axis.plot([one.step for one in found], heights, zorder=3, **style)


def draw_rates(axis: Any, arms: Sequence[ArmCurves]) -> None:
    """The learning rate of each arm."""
    for arm in arms:
        if arm.rate:
            axis.plot(arm.updates, arm.rate, **looks(arm.style))
    axis.set(title="schedule", xlabel="update", ylabel="learning rate")
    axis.grid(True)


def draw_results(axis: Any, summary: StudySummary) -> None:
    """The final value of every run, joined by seed: what the paired difference is made of."""
    for seed in summary.study.seeds:
        values = [arm.losses.get(seed) for arm in summary.arms]
        axis.plot([math.nan if v is None else v for v in values], range(len(values)), color="#999999", lw=0.5, zorder=1)
    for position, arm in enumerate(summary.arms):
        values = [value for value in arm.losses.values() if value is not None]
        axis.scatter(values, [position] * len(values), color=looks(position)["color"], s=12, zorder=2)
    names = [
        plain(shortened(arm.name, 16)) + (f"\n{arm.non_finite} not finite" if arm.non_finite else "")
        for arm in summary.arms
    ]
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    title = summary.study.metrics[0].title
    axis.set(title="final values", xlabel=f"{plain(title)}\n(a line joins a seed)")
    axis.grid(True, axis="x")


def draw_heat(axis: Any, study: Study, grid: GridSummary) -> None:
    """Families by peaks; hatched where runs diverge, framed where it is best, a bar after the last peak that trains."""
    from matplotlib.colors import LinearSegmentedColormap

    metric, best = study.metrics[0], overall(grid, study.metrics[0].goal)
    ends, colours = heat_range(grid, metric.goal == "max"), LinearSegmentedColormap.from_list("preheat", SCALE)
    for row, family in enumerate(grid.families):
        for column, cell in enumerate(family.cells):
            draw_cell(axis, (column, row), cell, colours, ends)
            if best == (family.name, cell.peak):
                axis.add_patch(rectangle(column, row, fill=False, ec="black", lw=1.6, zorder=3))
        if family.trainable is not None and family.trainable != grid.peaks[-1]:
            after = grid.peaks.index(family.trainable) + 0.5
            axis.plot([after, after], [row - 0.46, row + 0.46], color=COLOURS[0], lw=2, zorder=4)
    axis.set_xlim(-0.5, len(grid.peaks) - 0.5)
    axis.set_ylim(len(grid.families) - 0.5, -0.5)
    axis.set_xticks(range(len(grid.peaks)), [f"{peak:g}" for peak in grid.peaks], fontsize=6.5)
    axis.set_yticks(range(len(grid.families)), [plain(shortened(one.name, 14)) for one in grid.families])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set(title=plain(metric.title), xlabel="peak\n(hatched: diverges; bar: last that trains)")


def draw_cell(axis: Any, place: tuple[int, int], cell: Cell, colours: Any, ends: tuple[float, float]) -> None:
    """One cell with its value."""
    share = 0.0 if cell.mean is None or ends[0] == ends[1] else (cell.mean - ends[0]) / (ends[1] - ends[0])
    gone = cell.mean is None or (cell.runs and 2 * cell.diverged >= cell.runs)
    red, green, blue, _ = (1.0, 1.0, 1.0, 1.0) if gone else colours(min(1.0, max(0.0, share)))
    hatch = {"hatch": "////", "ec": "#999999"} if gone else {"ec": "white"}
    axis.add_patch(rectangle(*place, fc=(red, green, blue), lw=0.8, **hatch))
    ink = "white" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.18 else "black"
    text = "×" if cell.mean is None else value_text(cell.mean)
    box = {"fc": "white", "ec": "none", "pad": 0.8} if gone else None
    axis.text(*place, text, ha="center", va="center", color=ink, fontsize=6.5, bbox=box)


def rectangle(column: int, row: int, **style: Any) -> Any:
    """A cell's outline."""
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, **style)


def draw_sensitivity(axis: Any, study: Study, grid: GridSummary, records: Records) -> None:
    """The deciding metric against the peak."""
    metric = study.metrics[0]
    for style, family in enumerate(grid.families):
        draw_family(axis, family, seed_ends(study, records, family), style)
    best, worst = heat_range(grid, metric.goal == "max")
    air = 0.08 * (worst - best)
    if air:
        axis.set_ylim(*sorted((best - air, worst + air)))
    axis.set_xscale("log")
    axis.set_xticks(grid.peaks, [f"{peak:g}" for peak in grid.peaks], fontsize=6.5)
    axis.minorticks_off()
    axis.set(title="against the peak", xlabel="peak\n(band: lowest to highest seed)", ylabel=plain(metric.title))
    axis.grid(True)


def draw_family(axis: Any, family: Family, ends: tuple[list[float], list[float]], style: int) -> None:
    """One line over the peaks, with a dot at each."""
    peaks = [cell.peak for cell in family.cells]
    if ends[0]:
        axis.fill_between(peaks, *ends, color=looks(style)["color"], alpha=0.18, lw=0)
    means = [math.nan if cell.mean is None else cell.mean for cell in family.cells]
    axis.plot(peaks, means, marker="o", ms=3, **looks(style))


def looks(position: int) -> dict[str, Any]:
    """Colour and dashes of an arm, the same in every panel."""
    return {"color": COLOURS[position % len(COLOURS)], "ls": DASHES[position % len(DASHES)]}


def plain(name: str) -> str:
    """A name that matplotlib shows as it is: `$` would begin a formula, and `_` hide a legend entry."""
    return name.replace("$", r"\$").replace("_", "\u02cd", 1) if name.startswith("_") else name.replace("$", r"\$")
