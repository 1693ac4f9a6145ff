"""The figure for a paper, as PNG, SVG or PDF: one row of panels a study, in the width of one column or of two.

The same numbers give the same file: nothing of the day or the machine is in it. Text in an SVG stays text.
"""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError
from preheat.lab.report.panels import StudyPanels
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.trials import Trials
from preheat.plots.mpl import any_letters, draw, look, new_figure, plain
from preheat.plots.panel import Panel, shortened

WIDTHS = {1: 3.3, 2: 6.8}
"""Inches of one and of two columns of a usual paper."""

_STYLE = {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "preheat",
    "pdf.fonttype": 42,
}
_UNDATED = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def save_figure(studies: Sequence[StudySummary], trials: Sequence[Trials], *paths: Path, columns: int = 2) -> None:
    """Write the picture to each path in the format that its suffix says: .png (300 dpi), .svg or .pdf.

    columns: 1 or 2, as wide as one or two columns of a paper. Several paths cost less than as many calls.
    matplotlib is imported here, and draws without a screen. Raises PreheatError without it, or for another suffix.
    """
    for path in paths:
        if path.suffix not in _UNDATED:
            raise PreheatError(f"a figure is a file that ends in .png, .svg or .pdf, not {path.name}")
    if columns not in WIDTHS:
        raise PreheatError("a figure is 1 or 2 columns wide", given=columns)
    heights = [_height(study, columns) for study in studies]
    figure = new_figure("lab", figsize=(WIDTHS[columns], sum(heights)), dpi=300)
    from matplotlib import rc_context

    with any_letters(), rc_context(_STYLE):
        parts = figure.subfigures(len(studies), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, study, runs in zip(parts, studies, trials, strict=True):
            _draw_study(part, study, _panels(study, runs), columns)
        for path in paths:
            figure.savefig(path, metadata=_UNDATED[path.suffix])
            figure.set_layout_engine("none")  # it is laid out now


def _panels(results: StudySummary, trials: Trials) -> list[Panel | None]:
    """The panels of a study: of a grid heat map and sensitivity instead of schedules and final values."""
    panels, grid = StudyPanels(results, trials), results.grid
    if grid:
        return [panels.heat(grid), panels.sensitivity(grid), panels.loss()]
    return [panels.loss(), panels.rate(), panels.finals()]


def _height(summary: StudySummary, columns: int) -> float:
    """Inches of a study: its panels, a title, and a legend."""
    names = list(summary.study.families)
    lines = math.ceil(len(names) / _legend_columns(names, columns))
    return 0.3 + (2.1 if columns == 2 else 3 * 2.0) + 0.17 * lines + 0.12 * max(0, len(names) - 6)


def _legend_columns(names: Sequence[str], columns: int) -> int:
    """How many entries of the legend stand side by side."""
    longest = 0.45 + 0.065 * max(len(shortened(name, 44)) for name in names)
    return max(1, min(len(names), int(WIDTHS[columns] / longest)))


def _draw_study(part: Any, summary: StudySummary, panels: Sequence[Panel | None], columns: int) -> None:
    """The panels beside or below one another, over one legend; a panel with nothing to show stays empty."""
    axes = part.subplots(*((1, 3) if columns == 2 else (3, 1)), squeeze=False).ravel()
    part.suptitle(plain(summary.study.title), fontsize=8.5, fontweight="bold")
    for axis, panel in zip(axes, panels, strict=True):
        if panel is None:
            axis.set_axis_off()
        else:
            draw(axis, panel)
            axis.set_title(plain("\n".join(textwrap.wrap(panel.title, 36))))
    names = list(summary.study.families)
    handles = [axes[-1].plot([], [], label=plain(shortened(name, 44)), **look(k))[0] for k, name in enumerate(names)]
    part.legend(handles=handles, loc="outside lower center", ncols=_legend_columns(names, columns), frameon=False)
