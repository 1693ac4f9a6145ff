"""What the pictures of a study show: the same panels for the page and for the files."""

import math
from collections.abc import Sequence

from preheat.core.plan import Absolute
from preheat.lab.experiment import Metric, Trial
from preheat.lab.report.curves import ArmCurves, band_text, loss_column, loss_range, lower_is_better
from preheat.lab.report.table import NONE, value_text
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.grid import Cell, Family, GridSummary
from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.verdict import difference_text, headed, interval_text
from preheat.lab.trials import Trials
from preheat.plots.panel import (
    SCALE,
    SHAPES,
    Curves,
    FinalValues,
    HeatCell,
    HeatMap,
    Interval,
    Intervals,
    Mark,
    Series,
    short,
    shortened,
)

MOST_MARKS = 20
"""Marks of a run; the table counts all."""

_WORDS = {"spike": "loss spike", "nonfinite": "loss no longer finite", "at chance": "diverged with a finite loss"}


def focus(summary: StudySummary) -> float | None:
    """The peak whose curves are shown first: in a grid that of the best cell."""
    if summary.grid is None:
        return None
    best = _best_cell(summary.grid, summary.study.metrics[0])
    return best[1] if best else summary.grid.peaks[len(summary.grid.peaks) // 2]


def loss_panel(trials: Trials, arms: Sequence[ArmCurves], peak: float | None) -> Curves | None:
    """Training loss: the mean over seeds with its band, single seeds where they have to be seen, and instabilities."""
    column, chosen, series = loss_column(trials), _at(arms, peak), []
    for arm in chosen:
        series += [Series(arm.name, arm.updates, row, arm.style, faint=True) for row in arm.losses if arm.shows_seeds]
        if arm.loss:
            series.append(Series(arm.name, arm.updates, arm.loss, arm.style, low=arm.low, high=arm.high))
    if not any(math.isfinite(value) for one in series for value in one.ys):
        return None
    chance = trials.example.result.chance_loss if trials.example and column == "loss" else None
    marks = [mark for arm in chosen for mark in _marks(arm)]
    seeds = max(len(arm.losses) for arm in chosen)
    said = ["smoothed over a twentieth of the run" + (f"; the line is the mean of {seeds} seeds" if seeds > 1 else "")]
    said += [band_text(seeds)] if seeds > 1 else []
    said += [f"{sign} {_WORDS[kind]}" for kind, sign in SHAPES.items() if any(mark.kind == kind for mark in marks)]
    return Curves(
        title=_title({"loss": "Training loss"}.get(column, column), peak),
        x_label="update",
        y_label=column,
        series=series,
        y_range=loss_range(chosen, chance) if lower_is_better(trials.study, column) else None,
        marks=marks,
        level=None if chance is None else (f"chance level {chance:.3g}", chance),
        caption=" ".join(f"{text[0].upper()}{text[1:]}." for text in said),
        note=band_text(seeds),
    )


def rate_panel(trials: Trials, arms: Sequence[ArmCurves], peak: float | None) -> Curves | None:
    """The learning rates as they were logged, else as the schedules give them."""
    series = [Series(arm.name, arm.updates, arm.rate, arm.style) for arm in _at(arms, peak) if arm.rate]
    if not series:
        return None
    logged = "lr" in trials.logged
    rates = logged or all(isinstance(Trial(trials.study, arm, 0).target, Absolute) for arm in trials.study.arms)
    return Curves(
        title=_title("Schedule", peak),
        x_label="update",
        y_label="learning rate" if rates else "factor of the rate",
        series=series,
        caption="As logged by the runs." if logged else "Computed from the schedules; the runs logged no lr.",
    )


def norm_panel(arms: Sequence[ArmCurves], peak: float | None) -> Curves | None:
    """The gradient norms, if they were logged."""
    series = [Series(arm.name, arm.updates, arm.grad_norm, arm.style) for arm in _at(arms, peak) if arm.grad_norm]
    if not any(math.isfinite(value) and value > 0 for one in series for value in one.ys):
        return None
    return Curves(
        title=_title("Gradient norm", peak),
        x_label="update",
        y_label="norm, logarithmic",
        series=series,
        log_y=True,
        caption="Mean over the seeds, smoothed as the loss is.",
    )


def finals_panel(summary: StudySummary) -> FinalValues:
    """The final value of every run, joined by seed: what the paired difference is made of."""
    rows = []
    for arm in summary.arms:
        values = [arm.losses.get(seed) for seed in summary.study.seeds]
        name = shortened(arm.name, 16) + (f"\n{arm.non_finite} not finite" if arm.non_finite else "")
        rows.append((name, [math.nan if value is None else value for value in values]))
    title = summary.study.metrics[0].title
    return FinalValues(title="Final values", x_label=title, note="a line joins a seed", rows=rows)


def difference_panel(summary: StudySummary, trials: Trials) -> Intervals | None:
    """The differences to the reference with their intervals and seeds; None where none is defined."""
    study, rows = summary.study, []
    for arm, line in zip(study.arms, summary.arms, strict=True):
        reference = study.reference(arm)
        if line.difference and reference:
            rows.append(
                (arm.name, line.difference, trials.paired(arm, reference), list(study.families).index(arm.family))
            )
    return _intervals(study.metrics[0], rows, f"Against {study.arms[0].family}{' at the same peak' * study.is_grid}")


def best_panel(trials: Trials, grid: GridSummary) -> Intervals | None:
    """The families at their best peaks against the first one at its own."""
    study, first, rows = trials.study, grid.families[0], []
    for style, family in enumerate(grid.families):
        difference = family.at_best.get(grid.metric)
        if difference:
            own, reference = (study.families[one.name][one.best] for one in (family, first))
            rows.append((f"{family.name} @ {family.best:g}", difference, trials.paired(own, reference), style))
    return _intervals(study.metrics[0], rows, f"Each at its best peak, against {first.name} @ {first.best or 0:g}")


def sensitivity_panel(trials: Trials, grid: GridSummary) -> Curves:
    """The deciding metric against the peak, a line per family: flat means that the peak hardly matters."""
    metric, series, marks = trials.study.metrics[0], [], []
    for style, family in enumerate(grid.families):
        means = [math.nan if cell.mean is None else cell.mean for cell in family.cells]
        low, high = _seed_ends(trials, family)
        series.append(Series(family.name, grid.peaks, means, style, low=low, high=high, dots=True))
        for cell in family.cells:
            if cell.diverged:
                text = f"{family.name} @ {cell.peak:g}: {cell.diverged} of {cell.runs} runs diverged"
                marks.append(Mark(cell.peak, math.inf if cell.mean is None else cell.mean, "nonfinite", style, text))
    best, worst = _value_range(grid, metric)
    low, high = sorted((best - 0.08 * (worst - best), worst + 0.08 * (worst - best)))
    return Curves(
        title=f"{headed(metric)} against the peak",
        x_label="peak, logarithmic",
        y_label=metric.title,
        series=series,
        log_x=True,
        x_ticks=grid.peaks,
        y_range=(low, high) if low < high else None,
        marks=marks,
        caption="Mean over the seeds; band: lowest to highest seed." + (" ✕ runs diverged." if marks else ""),
        note="band: lowest to highest seed",
    )


def heat_panel(summary: StudySummary, grid: GridSummary) -> HeatMap:
    """Families by peaks: the mean of the deciding metric in each cell, which the colour repeats."""
    metric = summary.study.metrics[0]
    best, ends = _best_cell(grid, metric), _value_range(grid, metric)
    return HeatMap(
        title=f"{headed(metric)} by schedule and peak",
        x_label="peak",
        note="hatched: diverges; bar: last that trains",
        columns=[f"{peak:g}" for peak in grid.peaks],
        rows=[(one.name, [_heat_cell(cell, one, best, ends) for cell in one.cells]) for one in grid.families],
        ends=(short(ends[0]), f"{short(ends[1])} {'or less' if metric.goal == 'max' else 'or more'}"),
    )


def instability_rows(arms: Sequence[ArmCurves]) -> list[tuple[str, ...]]:
    """The instabilities of each arm that has some, counted, under the names of the columns; empty where none has."""
    rows = [("arm", "spikes", "runs with one", "first at update", "not finite from update", "diverged, finite")]
    for arm in arms:
        spikes, nonfinite, chance = ([one for one in arm.instabilities if one.kind == kind] for kind in SHAPES)
        seeds = f"{len({one.seed for one in spikes})} of {len(arm.losses)}"
        first = str(min(one.step for one in spikes)) if spikes else NONE
        ends = ", ".join(f"{one.step} (seed {one.seed})" for one in nonfinite) or NONE
        if arm.instabilities:
            rows.append((arm.name, str(len(spikes)), seeds, first, ends, str(len(chance))))
    return rows if len(rows) > 1 else []


def _at(arms: Sequence[ArmCurves], peak: float | None) -> list[ArmCurves]:
    return [arm for arm in arms if peak is None or arm.peak == peak]


def _title(text: str, peak: float | None) -> str:
    return text if peak is None else f"{text} at peak {peak:g}"


def _marks(arm: ArmCurves) -> list[Mark]:
    """The instabilities of an arm, each with what it is in words: of each run the first ones, and the last."""
    kept: list[Mark] = []
    for seed in {one.seed for one in arm.instabilities}:
        own = [one for one in arm.instabilities if one.seed == seed]
        for one in own[: MOST_MARKS - 1] + own[MOST_MARKS - 1 :][-1:]:
            value = f", loss {one.value:.4g}" if math.isfinite(one.value) else ""
            text = f"{arm.name}, seed {seed}: {_WORDS[one.kind]} at update {one.step}{value}"
            kept.append(Mark(one.step, one.value, one.kind, arm.style, text))
    return kept


def _intervals(
    metric: Metric, rows: Sequence[tuple[str, Difference, dict[int, float], int]], title: str
) -> Intervals | None:
    """Differences around 0, with the direction that is better; rows are name, difference, its seeds and style."""
    if not rows:
        return None
    left, right = ("better", "worse") if metric.goal == "min" else ("worse", "better")
    bar = f"Bar: {100 * rows[0][1].level:.4g} % interval of the mean difference (tick)."
    bars = any(one.low is not None for _, one, _, _ in rows)
    table = [(name, difference_text(one), interval_text(one) or NONE, str(one.seeds)) for name, one, _, _ in rows]
    return Intervals(
        title=title,
        x_label=f"← {left} · difference of {metric.title} · {right} →",
        caption=f"{bar if bars else 'Tick: the difference, without an interval.'} Dots: seeds, paired.",
        rows=[Interval(name, d.mean, d.low, d.high, list(seeds.values()), style) for name, d, seeds, style in rows],
        numbers=[("arm", "difference", "interval", "seeds"), *table],
    )


def _best_cell(grid: GridSummary, metric: Metric) -> tuple[str, float] | None:
    """The family and the peak of the best cell of all, among the families' best peaks."""
    found = {(one.name, cell.peak): cell.mean for one in grid.families for cell in one.cells if cell.peak == one.best}
    known = {place: mean for place, mean in found.items() if mean is not None}
    return (max if metric.goal == "max" else min)(known, key=lambda place: known[place]) if known else None


def _value_range(grid: GridSummary, metric: Metric) -> tuple[float, float]:
    """The best value, and the worst that is told apart. A few cells that are far worse must not make all others alike: it
    is among those without a diverged run, and at most six times as far from the best as their median is.
    """
    cells = [cell for family in grid.families for cell in family.cells if cell.mean is not None]
    tame = [cell for cell in cells if not cell.diverged] or cells
    means = sorted((cell.mean for cell in tame if cell.mean is not None), reverse=metric.goal == "max")
    if not means:
        return 0.0, 1.0
    best, middle, worst = means[0], means[len(means) // 2], means[-1]
    far = best + 6 * (middle - best)
    return best, (max if metric.goal == "max" else min)(worst, far) if far != best else worst


def _heat_cell(cell: Cell, family: Family, best: tuple[str, float] | None, ends: tuple[float, float]) -> HeatCell:
    """One cell: the value, how many runs diverged, whether it is the best, and the end of what trains."""
    colour, is_best = None, (family.name, cell.peak) == best
    if cell.mean is not None and not (cell.runs and 2 * cell.diverged >= cell.runs):
        share = (cell.mean - ends[0]) / (ends[1] - ends[0]) if ends[1] != ends[0] else 0.0
        colour = round(min(1.0, max(0.0, share)) * (len(SCALE) - 1))
    notes = ["★ best"] if is_best else []
    notes += [f"✕ {cell.diverged} of {cell.runs}"] if cell.diverged else []
    notes += ["stopped"] if cell.stopped else []
    notes = notes or (["no run"] if not cell.runs else [])
    edge = cell.peak == family.trainable and cell is not family.cells[-1]
    return HeatCell(value_text(cell.mean), colour, notes, is_best, edge)


def _seed_ends(trials: Trials, family: Family) -> tuple[list[float], list[float]]:
    """The lowest and the highest seed at each peak; empty for one seed."""
    found: list[tuple[float, float]] = []
    for cell in family.cells:
        finals = trials.finals(trials.study.families[family.name][cell.peak])
        known = [value for value in finals.values() if value is not None]
        found.append((min(known), max(known)) if cell.mean is not None and known else (math.nan, math.nan))
    return ([low for low, _ in found], [high for _, high in found]) if len(trials.study.seeds) > 1 else ([], [])
