import io
import re

import pytest
from made_runs import compared, gridded, made_run, made_summary, many_arms, plain_study, unstable
from rich.console import Console

from preheat.lab.experiment import Metric
from preheat.lab.report.table import decimals, print_study, value_text


def printed(summary, width=80):
    out = io.StringIO()
    print_study(summary.studies[0], Console(file=out, width=width))
    return out.getvalue()


def table_of(text):
    """The lines between the title and the schedules."""
    lines = text.splitlines()[2:]
    return lines[: next(place for place, line in enumerate(lines) if line.startswith("  "))]


@pytest.mark.parametrize("make", [compared, unstable, gridded, many_arms])
@pytest.mark.parametrize("width", [70, 80, 120])
def test_a_table_fits_the_terminal_and_cuts_no_number(make, width):
    summary = make()
    text = printed(summary, width)
    assert all(len(line.rstrip()) <= width for line in table_of(text))
    assert "…" not in text
    means = [arm.mean for arm in summary.studies[0].arms if arm.mean is not None]
    assert all(value_text(mean) in text for mean in means)


@pytest.mark.parametrize("width", range(60, 130, 3))
def test_at_no_width_is_a_cell_cut(width):
    table = table_of(printed(compared(), width))
    assert all(line.split()[-1] in ("time", "diverged", "s", "2", "3") for line in table), table


def test_intervals_are_in_the_table_where_there_is_room():
    assert "interval" in table_of(printed(compared(), 120))[0]
    assert "time" in table_of(printed(compared(), 120))[0]
    assert "interval" not in table_of(printed(many_arms(), 70))[0]


def test_a_grid_has_a_line_a_family_and_a_column_a_peak():
    none, linear = [line.split() for line in table_of(printed(gridded()))[1:]]
    assert none == ["none", "2.653", "2.510*", "×3"]
    assert linear == ["linear", "2.553", "2.410*", "2.567"]


def test_further_metrics_have_a_table_below_and_the_columns_name_their_metrics():
    study = plain_study(metrics=(Metric("accuracy", "max"), Metric("val_loss"), Metric("bleu", "max")))
    further = {"accuracy": 0.5, "bleu": 0.25}
    summary = made_summary(study, lambda arm, seed: made_run(2.5 + seed / 9, others=further.items()))
    text = printed(summary)
    assert "final loss" not in text
    for title in ("accuracy", "validation loss", "bleu"):
        assert re.search(rf"^arm +{title} +difference", text, re.MULTILINE)


def test_of_what_has_not_run_nothing_is_counted():
    text = printed(made_summary(plain_study(), lambda arm, seed: None))
    assert "0 of 0" not in text


def test_where_that_is_too_wide_it_has_a_line_a_peak_and_all_names_stay():
    head, *rows = [line.split() for line in table_of(printed(gridded(), 28))]
    assert head == ["val_loss", "none", "linear"]
    assert rows == [["0.001", "2.653", "2.553"], ["0.003", "2.510*", "2.410*"], ["0.01", "×3", "2.567"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.5, "2.500"), (0.1, "0.100"), (0.034, "0.034"), (0.00034, "0.00034"), (0.0, "0.000"), (None, "–")],
)
def test_a_small_value_is_not_written_as_zero(value, text):
    assert value_text(value) == text


def test_no_value_has_more_than_eight_decimals():
    assert decimals(1e-300) == 8
