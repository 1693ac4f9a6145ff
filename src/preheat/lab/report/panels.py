"""What the pictures of a study show: the same panels for the page and for the files."""

import math
from collections.abc import Mapping, Sequence

from preheat.core.plan import Absolute
from preheat.lab.experiment import Trial, metric_title
from preheat.lab.records.series import stage_of
from preheat.lab.report.curves import ArmCurves, band_text, beside, curves, loss_column, loss_range, lower_is_better
from preheat.lab.report.table import NONE, Rows, value_text
from preheat.lab.statistics.arms import StudySummary
from preheat.lab.statistics.grid import Cell, Family, GridSummary
from preheat.lab.statistics.inference import Difference
from preheat.lab.statistics.numbers import difference_text, interval_text
from preheat.lab.statistics.verdict import headed
from preheat.lab.trials import Trials
from preheat.measure.monitoring.alarms import STAGE
from preheat.plots import panel
from preheat.plots.panel import Curves, FinalValues, HeatCell, HeatMap, Interval, Intervals, Mark, Series

_WORDS = {"spike": "loss spike", "nonfinite": "loss no longer finite", "at chance": "diverged with a finite loss"}


class StudyPanels:
    """The panels of one study; None where there is nothing to draw.

    results, trials: what was found, and the runs behind it.   peak: in a grid the peak whose curves come first, that of
    the best cell, else None.
    """

    def __init__(self, results: StudySummary, trials: Trials) -> None:
        self.results, self.trials, self.study = results, trials, results.study
        self.metric, self.arms = self.study.metrics[0], curves(trials)
        self.peak: float | None = None
        if results.grid:
            best = self._best_cell(results.grid)
            self.peak = best[1] if best else results.grid.peaks[len(results.grid.peaks) // 2]

    def loss(self, peak: float | None = None) -> Curves | None:
        """Training loss: the mean over seeds with its band, single seeds where they have to be seen, and instabilities."""
        column, trials, arms, series = loss_column(self.trials), self.trials, self.shown(peak), list[Series]()
        for arm in arms:
            series += [
                Series(arm.name, arm.updates, row, arm.style, faint=True) for row in arm.losses if arm.shows_seeds
            ]
            if arm.loss:
                series.append(Series(arm.name, arm.updates, arm.loss, arm.style, low=arm.low, high=arm.high))
        if not any(math.isfinite(value) for one in series for value in one.ys):
            return None
        chance = trials.example.result.chance_loss if trials.example and column == "loss" else None
        marks = [mark for arm in arms for mark in _marks(arm)]
        seeds = max(len(arm.losses) for arm in arms)
        mean = f"; the line is the mean of {seeds} seeds" if seeds > 1 else ""
        signs = [f"{sign} {_WORDS[kind]}" for kind, sign in panel.SHAPES.items() if any(m.kind == kind for m in marks)]
        words = metric_title(column)
        sentences = [f"smoothed over a twentieth of the run{mean}", band_text(seeds), *signs]
        return Curves(
            title=f"{words[:1].upper()}{words[1:]}{self._where(peak)}",
            x_label="update",
            y_label=column,
            series=series,
            y_range=loss_range(arms, chance) if lower_is_better(self.study, column) else None,
            marks=marks,
            level=None if chance is None else (f"chance level {chance:.3g}", chance),
            caption=" ".join(f"{text[0].upper()}{text[1:]}." for text in sentences if text),
            note=band_text(seeds),
        )

    def other_losses(self) -> list[Curves]:
        """Training loss at the peaks that do not come first."""
        peaks = {arm.peak for arm in self.study.arms if arm.peak is not None and self.peak is not None} - {self.peak}
        return [found for peak in sorted(peaks) if (found := self.loss(peak))]

    def rate(self) -> Curves | None:
        """The learning rates as they were logged, else as the schedules give them."""
        series = [Series(arm.name, arm.updates, arm.rate, arm.style) for arm in self.shown() if arm.rate]
        logged = beside(loss_column(self.trials), "lr") in self.trials.logged
        rates = logged or all(isinstance(Trial(self.study, arm, 0).target, Absolute) for arm in self.study.arms)
        title, label = f"Schedule{self._where()}", "learning rate" if rates else "factor of the rate"
        caption = "As logged by the runs." if logged else "Computed from the schedules; the runs logged no lr."
        return Curves(title=title, x_label="update", y_label=label, series=series, caption=caption) if series else None

    def norm(self) -> Curves | None:
        """The gradient norms, if they were logged."""
        series = [Series(arm.name, arm.updates, arm.grad_norm, arm.style) for arm in self.shown() if arm.grad_norm]
        if not any(math.isfinite(value) and value > 0 for one in series for value in one.ys):
            return None
        return Curves(
            title=f"Gradient norm{self._where()}",
            x_label="update",
            y_label="norm, logarithmic",
            series=series,
            log_y=True,
            caption="Mean over the seeds, smoothed as the loss is.",
        )

    def finals(self) -> FinalValues:
        """The final value of every run, joined by seed: what the paired difference is made of."""
        rows = []
        for arm in self.results.arms:
            values = [arm.losses.get(seed) for seed in self.study.seeds]
            name = panel.shortened(arm.name, 16) + (f"\n{arm.non_finite} not finite" if arm.non_finite else "")
            rows.append((name, [math.nan if value is None else value for value in values]))
        return FinalValues(title="Final values", x_label=self.metric.title, note="a line joins a seed", rows=rows)

    def differences(self) -> Intervals | None:
        """The differences of the arms to their references, with their intervals and seeds."""
        study, rows = self.study, []
        for arm, line in zip(study.arms, self.results.arms, strict=True):
            reference = study.reference(arm)
            if line.difference and reference:
                style = list(study.families).index(arm.family)
                rows.append((arm.name, line.difference, self.trials.paired(arm, reference), style))
        return self._intervals(f"Against {study.arms[0].family}{' at the same peak' * study.is_grid}", rows)

    def best(self, grid: GridSummary) -> Intervals | None:
        """The families at their best peaks against the first one at its own."""
        (first, *_), families, rows = grid.families, self.study.families, []
        for style, family in enumerate(grid.families):
            difference = family.at_best.get(grid.metric)
            if difference:
                seeds = self.trials.paired(families[family.name][family.best], families[first.name][first.best])
                rows.append((f"{family.name} @ {family.best:g}", difference, seeds, style))
        return self._intervals(f"Each at its best peak, against {first.name} @ {first.best or 0:g}", rows)

    def sensitivity(self, grid: GridSummary) -> Curves:
        """The deciding metric against the peak, a line per family: flat means that the peak hardly matters."""
        series, marks = [], []
        for style, family in enumerate(grid.families):
            means = [math.nan if cell.mean is None else cell.mean for cell in family.cells]
            low, high = self._seed_ends(family)
            series.append(Series(family.name, grid.peaks, means, style, low=low, high=high, dots=True))
            for cell, mean in zip(family.cells, means, strict=True):
                if cell.diverged:
                    text = f"{family.name} @ {cell.peak:g}: {cell.diverged} of {cell.runs} runs diverged"
                    marks.append(Mark(cell.peak, mean, "nonfinite", style, text))
        best, worst = self._value_range(grid)
        low, high = sorted((best - 0.08 * (worst - best), worst + 0.08 * (worst - best)))
        return Curves(
            title=f"{headed(self.metric)} against the peak",
            x_label="peak, logarithmic",
            y_label=self.metric.title,
            series=series,
            log_x=True,
            x_ticks=grid.peaks,
            y_range=(low, high) if low < high else None,
            marks=marks,
            caption="Mean over the seeds; band: lowest to highest seed." + (" ✕ runs diverged." if marks else ""),
            note="band: lowest to highest seed",
        )

    def heat(self, grid: GridSummary) -> HeatMap:
        """Families by peaks: the mean of the deciding metric in each cell, which the colour repeats."""
        best, ends = self._best_cell(grid), self._value_range(grid)
        return HeatMap(
            title=f"{headed(self.metric)} by schedule and peak",
            x_label="peak",
            note="hatched: diverges; bar: last that trains",
            columns=[f"{peak:g}" for peak in grid.peaks],
            rows=[(one.name, [_heat_cell(cell, one, best, ends) for cell in one.cells]) for one in grid.families],
            ends=(panel.short(ends[0]), f"{panel.short(ends[1])} or {'less' if self.metric.goal == 'max' else 'more'}"),
        )

    def instability_rows(self) -> Rows:
        """The instabilities of each arm that has some, counted, under the names of the columns; empty without any."""
        rows: Rows = [
            ("arm", "spikes", "runs with one", "first at update", "not finite from update", "diverged, finite")
        ]
        for arm in self.arms:
            spikes, nonfinite, chance = ([o for o in arm.instabilities if o.kind == kind] for kind in panel.SHAPES)
            seeds = f"{len({one.seed for one in spikes})} of {len(arm.losses)}"
            first = str(min(one.step for one in spikes)) if spikes else NONE
            ends = ", ".join(f"{one.step} (seed {one.seed})" for one in nonfinite) or NONE
            if arm.instabilities:
                rows.append((arm.name, str(len(spikes)), seeds, first, ends, str(len(chance))))
        return rows if len(rows) > 1 else []

    def alarm_rows(self) -> Rows:
        """What a monitor raised an alarm for in the runs, under the names of the columns; empty without any."""
        rows: Rows = [("arm", "seed", "alarm", "times", "first at update")]
        for arm in self.study.arms:
            for seed, run in self.trials.of(arm).items():
                for name in run.names:
                    if stage_of(name) != STAGE:
                        continue
                    told = zip(run.steps_of(name), run.column(name), strict=True)
                    at = [step for step, value in told if math.isfinite(value)]
                    rows.append((arm.name, str(seed), name.rpartition("/")[2], str(len(at)), str(at[0])))
        return rows if len(rows) > 1 else []

    def shown(self, peak: float | None = None) -> list[ArmCurves]:
        """The curves at a peak, by default the one that comes first; all without a grid."""
        peak = self.peak if peak is None else peak
        return [arm for arm in self.arms if peak is None or arm.peak == peak]

    def _where(self, peak: float | None = None) -> str:
        peak = self.peak if peak is None else peak
        return "" if peak is None else f" at peak {peak:g}"

    def _intervals(
        self, title: str, rows: Sequence[tuple[str, Difference, Mapping[int, float], int]]
    ) -> Intervals | None:
        """Differences around 0, with the direction that is better; rows are name, difference, its seeds and style."""
        if not rows:
            return None
        left, right = ("better", "worse") if self.metric.goal == "min" else ("worse", "better")
        bar = f"Bar: {100 * rows[0][1].level:.4g} % interval of the mean difference (tick)."
        bars = any(one.low is not None for _, one, _, _ in rows)
        table = [(name, difference_text(one), interval_text(one) or NONE, str(one.seeds)) for name, one, _, _ in rows]
        return Intervals(
            title=title,
            x_label=f"← {left} · difference of {self.metric.title} · {right} →",
            caption=f"{bar if bars else 'Tick: the difference, without an interval.'} Dots: seeds, paired.",
            rows=[Interval(name, d.mean, d.low, d.high, list(seeds.values()), style) for name, d, seeds, style in rows],
            numbers=[("arm", "difference", "interval", "seeds"), *table],
        )

    def _best_cell(self, grid: GridSummary) -> tuple[str, float] | None:
        """The family and the peak of the best cell of all, which is at its family's best peak."""
        cells = [(one.name, cell) for one in grid.families for cell in one.cells if cell.peak == one.best]
        known = {(name, cell.peak): cell.mean for name, cell in cells if cell.mean is not None}
        return (max if self.metric.goal == "max" else min)(known, key=lambda place: known[place]) if known else None

    def _value_range(self, grid: GridSummary) -> tuple[float, float]:
        """The best value, and the worst that is told apart. A few cells that are far worse must not make all others alike:
        it is among those without a diverged run, and at most six times as far from the best as their median is.
        """
        cells = [cell for family in grid.families for cell in family.cells if cell.mean is not None]
        tame = [cell for cell in cells if not cell.diverged] or cells
        means = sorted((cell.mean for cell in tame if cell.mean is not None), reverse=self.metric.goal == "max")
        if not means:
            return 0.0, 1.0
        best, middle, worst = means[0], means[len(means) // 2], means[-1]
        far = best + 6 * (middle - best)
        return best, (max if self.metric.goal == "max" else min)(worst, far) if far != best else worst

    def _seed_ends(self, family: Family) -> tuple[list[float], list[float]]:
        """The lowest and the highest seed at each peak, NaN without a mean; empty for one seed."""
        if len(self.study.seeds) == 1:
            return [], []
        found: list[tuple[float, float]] = []
        for cell in family.cells:
            values = self.trials.finals(self.study.families[family.name][cell.peak]).values()
            known = [math.nan if value is None or cell.mean is None else value for value in values] or [math.nan]
            found.append((min(known), max(known)))
        return [low for low, _ in found], [high for _, high in found]


def _marks(arm: ArmCurves) -> list[Mark]:
    """The instabilities of an arm, each with what it is in words."""
    marks = []
    for one in arm.instabilities:
        value = f", loss {one.value:.4g}" if math.isfinite(one.value) else ""
        text = f"{arm.name}, seed {one.seed}: {_WORDS[one.kind]} at update {one.step}{value}"
        marks.append(Mark(one.step, one.value, one.kind, arm.style, text))
    return marks


def _heat_cell(cell: Cell, family: Family, best: tuple[str, float] | None, ends: tuple[float, float]) -> HeatCell:
    """One cell: the value, how many runs diverged, whether it is the best, and the end of what trains."""
    colour, is_best = None, (family.name, cell.peak) == best
    if cell.mean is not None and not (cell.runs and 2 * cell.diverged >= cell.runs):
        share = (cell.mean - ends[0]) / (ends[1] - ends[0]) if ends[1] != ends[0] else 0.0
        colour = round(min(1.0, max(0.0, share)) * (len(panel.SCALE) - 1))
    notes = ["★ best"] if is_best else []
    notes += [f"✕ {cell.diverged} of {cell.runs}"] if cell.diverged else []
    notes += ["stopped"] if cell.stopped else []
    edge = cell.peak == family.trainable and cell is not family.cells[-1]
    return HeatCell(value_text(cell.mean), colour, notes or ([] if cell.runs else ["no run"]), is_best, edge)
