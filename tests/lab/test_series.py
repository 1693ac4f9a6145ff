"""What counts of what was logged, and what is kept of a long run."""

import math
import random

import numpy as np
import pytest
from made_runs import NONE, made_summary, plain_study

from preheat.lab.records import series
from preheat.lab.records.record import Record, Result
from preheat.lab.records.series import Logged, mean, spikes
from preheat.lab.report.curves import POINTS, curves, smoothed
from preheat.plots.panel import thinned


def test_stages_count_their_own_updates_and_going_back_cuts_one_of_them():
    logged = Logged([(0, {"loss": 5.0}), (1, {"loss": 4.0}), (0, {"stage2/loss": 3.0}), (1, {"stage2/loss": 2.0})])
    assert {name: table.steps for name, table in logged.tables().items()} == {"": [0, 1], "stage2": [0, 1]}
    logged.add(0, {"stage2/loss": 1.0, "lr": 0.5})
    tables = logged.tables()
    assert (tables[""].columns, tables["stage2"].columns) == ({"lr": [0.5]}, {"stage2/loss": [1.0]})
    assert logged.final("stage2/loss") == 1.0
    assert logged.final("stage2/lr") is None


def test_what_was_forgotten_of_a_metric_is_known():
    logged = Logged([(0, {"loss": 5.0}), (9, {"val_loss": 4.0}), (3, {"loss": 3.0}), (4, {"loss": 3.0})])
    assert logged.final("val_loss") is None
    assert logged.forgotten("val_loss") == (9, 3, 3)
    assert logged.forgotten("loss") is None
    assert logged.forgotten("other") is None


def test_a_later_value_of_an_update_counts_and_a_metric_may_appear_half_way():
    logged = Logged([(0, {"a": 1.0}), (0, {"b": 2.0}), (2, {"a": 3.0}), (2, {"a": 4.0}), (3, {"late": 1.0})])
    table = logged.tables()[""]
    assert table.steps == [0, 2, 3]
    assert repr(table.columns) == repr(
        {"a": [1.0, 4.0, math.nan], "b": [2.0, math.nan, math.nan], "late": [math.nan] * 2 + [1.0]}
    )


def test_the_final_value_is_the_mean_of_the_last_twentieth():
    logged = Logged((step, {"loss": float(step)}) for step in range(100))
    assert logged.final("loss") == np.mean([95, 96, 97, 98, 99])
    logged.add(100, {"loss": math.inf})
    assert logged.final("loss") == math.inf
    logged.add(50, {"loss": 7.0})
    assert logged.final("loss") == (49 + 7) / 2


@pytest.mark.parametrize("values", [[1.7e308] * 3, [math.ulp(0.0)] * 5, [1.7e308, -1.7e308], [1.797e308] * 7])
def test_a_mean_lies_between_its_values_however_large_they_are(values):
    assert min(values) <= mean(values) <= max(values)


@pytest.fixture
def short_memory(monkeypatch):
    """As if few updates were many."""
    monkeypatch.setattr(series, "MOST", 4_000)
    monkeypatch.setattr(series, "NUMBERS", 40_000)


def long_run(updates=12_000):
    rng = random.Random(3)
    loss = [2 + 3 / (1 + step / 100) + rng.gauss(0, 0.02) for step in range(updates)]
    for at in (4_011, 8_203):
        loss[at] = 90.0
    loss[6_001] = math.inf
    loss[7_007] = -4.0
    return loss


def test_of_a_long_run_its_ends_extremes_and_all_that_is_not_finite_are_kept(short_memory):
    loss = long_run()
    logged = Logged((step, {"loss": value, "lr": 1e-3}) for step, value in enumerate(loss))
    logged.add(len(loss) - 1, {"val_loss": 2.0})
    table = logged.tables()[""]
    assert len(table.steps) <= 4_000
    assert {0, 4_011, 6_001, 7_007, 8_203, len(loss) - 1} <= set(table.steps)
    assert all(value == loss[step] for step, value in zip(table.steps, table.columns["loss"], strict=True))
    assert table.digests["loss"].spikes == spikes(range(len(loss)), loss)
    assert next(step for step, _ in table.digests["loss"].spikes) == 4_011
    assert sum(table.digests["loss"].counts) == len(loss) - 1
    assert logged.final("loss") == pytest.approx(np.mean(loss[-600:]), rel=1e-12)


def test_many_metrics_are_kept_in_as_little_room(short_memory):
    logged = Logged((step, {f"m{number}": 1.0 for number in range(100)}) for step in range(600))
    table = logged.tables()[""]
    assert len(table.steps) * len(table.columns) <= 40_000


def test_the_curve_of_a_long_run_is_that_of_all_its_values(short_memory):
    loss = long_run()
    logged = Logged((step, {"loss": value, "lr": step * 1e-6}) for step, value in enumerate(loss))
    table = logged.tables()[""]
    result = Result(metrics={"val_loss": 2.0})
    run = Record({}, table.steps, table.columns, result, 1.0, {}, table.digests)
    (arm,) = curves(made_summary(plain_study((NONE,), (0,), steps=len(loss)), lambda arm, seed: run).records[0])
    assert arm.updates == thinned(table.steps, POINTS)
    exact = smoothed(range(len(loss)), loss, arm.updates, len(loss) // 40)
    assert arm.loss == pytest.approx(exact, abs=0.05), "where the curve is steepest, a window has six stretches"
    assert arm.loss[20:] == pytest.approx(exact[20:], abs=0.02)
    assert [(one.kind, one.step) for one in arm.instabilities][:1] == [("spike", 4_011)]
    assert arm.rate == pytest.approx([step * 1e-6 for step in arm.updates], abs=2e-5)


def test_a_comparison_logged_by_stages_alone_has_a_curve():
    rows = ((step, {"train/loss": 3.0 - step / 100, "train/lr": 0.5}) for step in range(60))
    stages = Logged(rows).tables()
    run = Record({}, [], {}, Result(metrics={"val_loss": 2.0}), 1.0, stages)
    (arm,) = curves(made_summary(plain_study((NONE,), (0,)), lambda arm, seed: run).records[0])
    assert arm.updates == list(range(60))
    assert arm.rate == [0.5] * 60
    assert arm.loss[-1] == pytest.approx(2.41, abs=0.02)
