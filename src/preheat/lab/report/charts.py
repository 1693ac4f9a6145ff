"""The charts of a study in the report, each with its numbers as a table."""

import math
from collections.abc import Sequence

from preheat.core.plan import Absolute
from preheat.lab.experiment import Study, Trial
from preheat.lab.report.curves import (
    FEW,
    ArmCurves,
    band_text,
    chance_of,
    curves,
    falls,
    families,
    loss_column,
    loss_range,
)
from preheat.lab.report.page import figure, folded, legend, rows_table
from preheat.lab.statistics.arms import Records, StudySummary
from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.verdict import difference_text, interval_text
from preheat.plots.charts import Mark, Series, line_chart
from preheat.plots.charts_interval import Interval, interval_chart

ROWS = 12
"""Lines of a table of numbers: what one can read, not all that was drawn."""

MOST_MARKS = 20
"""Signs of a run; the table counts all."""

SIGNS = {"spike": "△ loss spike", "end": "✕ loss no longer finite", "stuck": "○ counted as diverged, loss finite"}


def charts(summary: StudySummary, records: Records, focus: float | None = None, first: Sequence[str] = ()) -> str:
    """The charts of a study behind one legend, after those in `first`; of a grid at the peak `focus`, others folded."""
    study, every = summary.study, curves(summary.study, records)
    chosen = [one for arm, one in zip(study.arms, every, strict=True) if focus is None or arm.peak == focus]
    shown = [loss_figure(study, records, chosen, at(focus)), *first, rate_figure(study, records, chosen, at(focus))]
    shown.append(norm_figure(chosen, at(focus)))
    other = {arm.peak: [] for arm in study.arms if arm.peak != focus and focus is not None}
    for arm, one in zip(study.arms, every, strict=True):
        if arm.peak in other:
            other[arm.peak].append(one)
    more = [loss_figure(study, records, group, at(peak)) for peak, group in sorted(other.items())]
    names = families(study)
    parts = [legend(names) if len(names) > 1 else "", side_by_side(shown)]
    parts.append(folded(f"Loss at the {len(more)} other peaks", side_by_side(more)) if more else "")
    return f'<div class="curves">{"".join(parts)}</div>{troubles(every)}'


def side_by_side(figures: Sequence[str]) -> str:
    """Figures in as many columns as fit."""
    return f'<div class="charts">{"".join(figures)}</div>'


def at(peak: float | None) -> str:
    """The end of a title in a grid."""
    return "" if peak is None else f" at peak {peak:g}"


def loss_figure(study: Study, records: Records, arms: Sequence[ArmCurves], where: str) -> str:
    """Training loss: the mean over seeds with its band, single seeds where they are few or fall apart, and signs."""
    column = loss_column(study, records)
    name = {"loss": "Training loss"}.get(column, column)
    series, marks = [], []
    for arm in arms:
        if len(arm.losses) < FEW or arm.torn:
            series += [Series(arm.name, arm.updates, row, arm.style, faint=True) for row in arm.losses]
        if arm.loss:
            series.append(Series(arm.name, arm.updates, arm.loss, arm.style, low=arm.low, high=arm.high))
        marks += signs(arm)
    chance = chance_of(records) if column == "loss" else None
    limits = loss_range(arms, chance) if falls(study, column) else None
    if not any(math.isfinite(value) for one in series for value in one.ys):
        return ""
    chart = line_chart(
        series,
        title=f"{name}{where}",
        x_label="update",
        y_label="loss" if column == "loss" else column,
        y_range=limits,
        marks=marks,
        level=None if chance is None else (f"chance level {chance:.3g}", chance),
        inside=True,
    )
    seeds = max(len(arm.losses) for arm in arms)
    said = [
        "Smoothed over a twentieth of the run" + (f"; the line is the mean of {seeds} seeds." if seeds > 1 else ".")
    ]
    said += [f"Band: {band_text(seeds)}."] if seeds > 1 else []
    said += [f"{text}." for kind, text in SIGNS.items() if any(mark.kind == kind for mark in marks)]
    return figure(chart, " ".join(said), numbers([one for one in series if not one.faint], f"{name}{where}", "update"))


def signs(arm: ArmCurves) -> list[Mark]:
    """The instabilities of an arm, each with what it is in words."""
    words = {"spike": "loss spike", "end": "loss no longer finite", "stuck": "counted as diverged"}
    kept: list[Mark] = []
    for seed in {one.seed for one in arm.troubles}:
        own = [one for one in arm.troubles if one.seed == seed]
        for one in own[: MOST_MARKS - 1] + own[MOST_MARKS - 1 :][-1:]:
            value = f", loss {one.value:.4g}" if math.isfinite(one.value) else ""
            text = f"{arm.name}, seed {seed}: {words[one.kind]} at update {one.step}{value}"
            kept.append(Mark(one.step, one.value, one.kind, arm.style, text))
    return kept


def rate_figure(study: Study, records: Records, arms: Sequence[ArmCurves], where: str) -> str:
    """The learning rates as they were logged, else as the schedules give them."""
    series = [Series(arm.name, arm.updates, arm.rate, arm.style) for arm in arms if arm.rate]
    if not series:
        return ""
    logged = any("lr" in run.columns for run in records.values())
    rates = logged or all(isinstance(Trial(study, arm, 0).target, Absolute) for arm in study.arms)
    label = "learning rate" if rates else "factor of the rate"
    chart = line_chart(series, title=f"Schedule{where}", x_label="update", y_label=label, inside=True)
    caption = "As logged by the runs." if logged else "Computed from the schedules; the runs logged no lr."
    return figure(chart, caption, numbers(series, f"Schedule{where}", "update"))


def norm_figure(arms: Sequence[ArmCurves], where: str) -> str:
    """The gradient norms, if they were logged."""
    series = [Series(arm.name, arm.updates, arm.grad_norm, arm.style) for arm in arms if arm.grad_norm]
    if not any(math.isfinite(value) and value > 0 for one in series for value in one.ys):
        return ""
    title = f"Gradient norm{where}"
    chart = line_chart(series, title=title, x_label="update", y_label="norm, logarithmic", log_y=True, inside=True)
    return figure(chart, "Mean over the seeds, smoothed as the loss is.", numbers(series, title, "update"))


def numbers(series: Sequence[Series], title: str, x_label: str) -> str:
    """Some points of the curves as a table."""
    xs = series[0].xs
    places = sorted({round(k * (len(xs) - 1) / (ROWS - 1)) for k in range(ROWS)}) if xs else []
    rows = [(f"{xs[place]:g}", *(short(one.ys[place]) for one in series)) for place in places]
    return rows_table((x_label, *(one.name for one in series)), rows, title)


def short(value: float | None) -> str:
    """A number of a table."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}".replace("-", "−")


def troubles(arms: Sequence[ArmCurves]) -> str:
    """Spikes and lost runs, counted."""
    rows = []
    for arm in arms:
        spikes = [one for one in arm.troubles if one.kind == "spike"]
        lost, stuck = (
            [f"{o.step} (seed {o.seed})" for o in arm.troubles if o.kind == kind] for kind in ("end", "stuck")
        )
        if arm.troubles:
            seeds = f"{len({one.seed for one in spikes})} of {len(arm.losses)}"
            first = str(min(one.step for one in spikes)) if spikes else "–"
            rows.append((arm.name, str(len(spikes)), seeds, first, ", ".join(lost) or "–", str(len(stuck))))
    if not rows:
        return "<h3>Instabilities</h3><p>No spike of the loss, and no run that diverged.</p>" if arms else ""
    note = (
        "A spike is a loss more than six standard deviations above its running mean: the rule by which "
        "<code>Rewarm</code> warms up again. Arms without an instability are left out."
    )
    columns = ("arm", "spikes", "runs with one", "first at update", "not finite from update", "stuck")
    return f'<h3>Instabilities</h3>{rows_table(columns, rows, "Instabilities")}<p class="soft">{note}</p>'


def differences_figure(summary: StudySummary, records: Records) -> str:
    """The differences to the reference with their intervals and seeds; empty where none is defined."""
    study, rows = summary.study, []
    for arm, line in zip(study.arms, summary.arms, strict=True):
        reference = study.reference(arm)
        if line.difference and reference:
            points = paired_points(study, records, arm.name, reference.name)
            rows.append((arm.name, line.difference, points, families(study).index(arm.family)))
    return interval_figure(study, rows, f"Against {study.arms[0].family}{' at the same peak' if study.is_grid else ''}")


def paired_points(study: Study, records: Records, own: str, first: str) -> list[float]:
    """What the deciding metric of one arm differs from another's, seed by seed."""
    name, found = study.metrics[0].name, []
    for seed in study.seeds:
        runs = [records.get((arm, seed)) for arm in (own, first)]
        a, b = (run.result.metrics.get(name) if run else None for run in runs)
        if a is not None and b is not None:
            found.append(a - b)
    return found


def interval_figure(study: Study, rows: Sequence[tuple[str, Difference, list[float], int]], title: str) -> str:
    """Differences around 0, with the direction that is better."""
    if not rows:
        return ""
    metric, level = study.metrics[0], rows[0][1].level
    ends = ("← better", "worse →") if metric.goal == "min" else ("← worse", "better →")
    chart = interval_chart(
        [Interval(name, one.mean, one.low, one.high, points, style) for name, one, points, style in rows],
        title=title,
        x_label=f"{ends[0]} · difference of {metric.title} · {ends[1]}",
        inside=True,
    )
    bars = any(one.low is not None for _, one, _, _ in rows)
    bar = (
        f"Bar: {100 * level:.4g} % interval of the mean difference (tick)."
        if bars
        else "Tick: the difference, without an interval."
    )
    caption = f"{bar} Dots: seeds, paired."
    table = [(name, difference_text(one), interval_text(one) or "–", str(one.seeds)) for name, one, _, _ in rows]
    return figure(chart, caption, rows_table(("arm", "difference", "interval", "seeds"), table, title))
