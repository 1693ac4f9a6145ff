"""What the pictures of a study show, whoever draws them."""

import io
import math
from dataclasses import replace

from made_runs import compared, gridded, made_run, made_summary, plain_study, unstable
from rich.console import Console

from preheat.lab.experiment import Metric
from preheat.lab.report.curves import WINDOW
from preheat.lab.report.html import report_html
from preheat.lab.report.markdown import report_markdown
from preheat.lab.report.panels import StudyPanels
from preheat.lab.report.table import print_study


def panels_of(summary):
    return StudyPanels(summary.studies[0], summary.records[0])


def test_in_a_grid_the_curves_at_the_best_peak_come_first():
    panels = panels_of(gridded())
    assert panels.peak == 0.003
    assert panels.loss().title == "Training loss at peak 0.003"
    assert [panel.title for panel in panels.other_losses()] == [
        f"Training loss at peak {peak}" for peak in (0.001, 0.01)
    ]
    assert panels_of(compared()).other_losses() == []


def test_where_nothing_has_run_there_is_nothing_to_draw():
    panels = panels_of(made_summary(plain_study(), lambda arm, seed: None))
    assert [panels.loss(), panels.rate(), panels.norm(), panels.differences()] == [None] * 4
    assert panels.instability_rows() == []


def test_a_run_has_few_marks_however_often_it_spikes_and_the_table_counts_them():
    def run_of(arm, seed):
        run = made_run(2.0, steps=3000, seed=seed)
        run.columns["loss"][:] = [9.0 * (step % 60 == 59) + 2 + 0.001 * (step % 7) for step in run.steps]
        return run

    panels = panels_of(made_summary(plain_study(seeds=(0,), steps=3000), run_of))
    found = panels.arms[0].instabilities
    assert WINDOW / 2 < len(found) <= WINDOW + 1
    assert [mark.x for mark in panels.loss().marks] == [one.step for arm in panels.arms for one in arm.instabilities]
    assert panels.instability_rows()[1][1] == str(len(found))


def test_instabilities_are_drawn_and_named_by_their_kind():
    panel = panels_of(unstable()).loss()
    assert [mark.kind for mark in panel.marks] == ["spike", "nonfinite", "nonfinite"]
    assert panel.caption.endswith("△ loss spike. ✕ loss no longer finite.")


def test_a_peak_at_which_no_mean_is_defined_has_a_mark_at_the_upper_edge():
    summary = gridded()
    panel = panels_of(summary).sensitivity(summary.studies[0].grid)
    (mark,) = panel.marks
    assert math.isnan(mark.y)
    assert panel.mark_height(mark) > max(v for one in panel.series for v in one.ys if math.isfinite(v))


def test_the_colours_of_a_heat_map_run_from_the_best_value_whichever_way_is_better():
    summary = gridded()
    results, trials = summary.studies[0], summary.records[0]
    for goal, best in (("min", "2.410"), ("max", "2.653")):
        study = replace(results.study, metrics=(Metric("val_loss", goal),))
        families = [replace(one, best=0.003 if goal == "min" else 0.001) for one in results.grid.families]
        grid = replace(results.grid, families=tuple(families))
        cells = StudyPanels(replace(results, study=study, grid=grid), trials).heat(grid).rows
        (found,) = [cell for _, row in cells for cell in row if cell.best]
        assert (found.text, found.colour) == (best, 0)


def test_a_deciding_metric_of_a_later_stage_is_named_with_it_in_table_figure_page_and_sentence():
    metrics = (Metric("stage2/val_loss"), Metric("stage2/win_rate", "max"))
    study = plain_study(metrics=metrics)
    names = [metric.name for metric in metrics]

    def run_of(arm, seed):
        return made_run(2.5, seed=seed, others=zip(names, (2.2 + seed / 50, 0.5), strict=True))

    summary = made_summary(study, run_of)
    (results,), (trials,) = summary.studies, summary.records
    assert summary.verdicts[0].startswith("Validation loss, stage2 against none: ")
    assert "Win rate, stage2 against none: " in summary.verdicts[0]
    assert StudyPanels(results, trials).finals().x_label == "validation loss, stage2"
    page = io.StringIO()
    print_study(results, Console(file=page, width=120))
    assert "validation loss, stage2" in page.getvalue().splitlines()[2]
    assert "Win rate, stage2 (higher is better)" in report_html(summary)
    assert "| arm | validation loss, stage2 |" in report_markdown(summary)
