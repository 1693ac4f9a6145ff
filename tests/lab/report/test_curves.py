import math

import pytest
from fake_trainer import FakeOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import LINEAR, NONE, compared, made_run, made_summary, plain_study, unstable

from preheat.lab.experiment import Arm, Metric, Study
from preheat.lab.records.record import Record, Result
from preheat.lab.report.curves import (
    POINTS,
    ArmCurves,
    band,
    curves,
    loss_column,
    loss_range,
    mean_curve,
    smoothed,
    spikes,
)
from preheat.lab.trials import Trials
from preheat.plots.panel import thinned
from preheat.session import Rewarm


def curves_of(summary):
    return curves(summary.records[0])


def an_arm(losses):
    return ArmCurves("a", 0, list(range(len(losses))), [losses], losses, [], [], [], [], [])


def test_smoothing_is_a_mean_of_what_is_finite_and_a_gap_where_nothing_is():
    assert smoothed([0, 1, 2], [1.0, 2.0, 6.0], [0, 1, 2, 3], 0)[:3] == [1.0, 2.0, 6.0]
    assert smoothed([0, 1, 2], [1.0, 2.0, 6.0], [0, 1, 2], 1) == [1.5, 3.0, 4.0]
    row = smoothed([0, 1, 2], [1.0, math.nan, math.inf], [0, 1, 2, 3, 4], 1)
    assert row[0] == 1.0
    assert all(map(math.isnan, row[1:]))
    assert smoothed([0, 2], [1.0, 3.0], [0, 1, 2], 1) == [1.0, 2.0, 3.0]


def test_smoothing_after_a_spike_is_not_spoiled_by_it():
    assert smoothed([0, 1, 2, 3, 4], [3.0, 1e30, 3.0, 2.0, 2.5], [0, 2, 3, 4], 1)[2:] == [2.5, 2.25]
    assert smoothed([0, 1, 2], [1e308, 1e308, 1e308], [1], 1) == pytest.approx([1e308])


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(0, 10))
def test_a_smoothed_curve_stays_between_the_lowest_and_the_highest(values, reach):
    steps = range(len(values))
    slack = 1e-6 * max(map(abs, values)) + 1e-300  # subnormal numbers have few digits
    smooth = smoothed(steps, values, steps, reach)
    assert all(min(values) - slack <= value <= max(values) + slack for value in smooth)


@given(st.integers(1, 5000), st.integers(1, 7))
def test_a_curve_has_its_first_and_last_update_and_few_points(count, apart):
    steps = range(0, count * apart, apart)
    updates = thinned(steps, POINTS)
    assert (updates[0], updates[-1]) == (0, steps[-1])
    assert updates == sorted(set(updates))
    assert set(updates) <= set(steps)
    assert len(updates) <= 160


def test_the_mean_over_seeds_ends_where_a_seed_ends():
    means = mean_curve([[1.0, 2.0, math.nan], [3.0, 4.0, 5.0]])
    assert means[:2] == [2.0, 3.0]
    assert math.isnan(means[2])


def test_a_band_is_from_lowest_to_highest_of_few_seeds_and_students_interval_of_many():
    assert band([[1.0]]) == ([], [])
    assert band([[1.0], [2.0], [6.0]]) == ([1.0], [6.0])
    low, high = band([[1.0], [2.0], [3.0], [4.0], [5.0]])
    half = 2.7764451 * math.sqrt(2.5) / math.sqrt(5)  # t with 4 degrees of freedom
    assert (low[0], high[0]) == pytest.approx((3 - half, 3 + half))
    assert all(map(math.isnan, band([[1.0], [math.nan]])[0]))


rows = st.integers(2, 7).flatmap(
    lambda seeds: st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=seeds, max_size=seeds)
)


@settings(deadline=None)
@given(rows)
def test_the_mean_lies_within_its_band(rows):
    low, high = band(rows)
    assert all(a - 1e-9 <= mean <= b + 1e-9 for a, mean, b in zip(low, mean_curve(rows), high, strict=True))


def test_one_spike_does_not_spoil_the_axis():
    losses = [3.0 - 0.01 * k for k in range(100)]
    losses[50] = 1e9
    low, high = loss_range([an_arm(losses)], chance=3.2)
    assert low < 2.01
    assert 3.2 <= high < 4


@pytest.mark.parametrize("losses", [[1e30], [50.0, 60.0], [3.0, 1e308, 1e308, 3.0], [0.0], [2.0, 2.0]])
@pytest.mark.parametrize("chance", [None, 3.2])
def test_losses_have_an_axis_however_they_blow_up(losses, chance):
    low, high = loss_range([an_arm(losses)], chance)
    assert low < high
    assert math.isfinite(high - low)


@settings(deadline=None)
@given(st.lists(st.floats(0, 10) | st.just(50.0) | st.just(math.inf), max_size=120))
def test_a_spike_is_what_the_rule_that_warms_up_again_takes_for_one(values):
    logged = list(enumerate(values))
    rule = Rewarm("loss", span=max(1, len(values) // 20))
    state, expected = rule.start(), []
    for step, value in logged:
        before, state = state, rule.observe(state, value, step)
        if state["since"] != before["since"]:
            expected.append((step, value))
    assert spikes(range(len(values)), values) == expected


def test_spikes_and_the_end_of_a_run_are_found_where_they_are():
    none, linear = curves_of(unstable())
    assert [(one.kind, one.seed, one.step) for one in none.instabilities] == [
        ("spike", 0, 40),
        ("nonfinite", 1, 30),
        ("nonfinite", 2, 0),
    ]
    assert linear.instabilities == []
    assert none.ends_differ
    assert not linear.ends_differ


def test_a_run_that_counts_as_diverged_with_a_finite_loss_is_at_chance():
    run = made_run(3.0)
    stuck = Record(run.header, run.steps, run.columns, Result(metrics={"val_loss": 3.0}, diverged=True), 1.0)
    (arm,) = curves_of(made_summary(plain_study((NONE,), (0,)), lambda arm, seed: stuck))
    assert [(one.kind, one.step) for one in arm.instabilities] == [("at chance", 59)]


def test_a_loss_that_was_not_logged_at_every_update_is_not_taken_for_lost():
    run = made_run(2.0)
    loss = [value if step % 3 == 0 else math.nan for step, value in zip(run.steps, run.columns["loss"], strict=True)]
    sparse = Record(run.header, run.steps, {"loss": loss}, run.result, 1.0)
    (arm,) = curves_of(made_summary(plain_study((NONE,), (0,)), lambda arm, seed: sparse))
    assert arm.instabilities == []
    assert sum(map(math.isfinite, arm.loss)) > 40


@pytest.mark.parametrize("every", [1, 7, 30])
def test_runs_that_log_now_and_then_have_a_curve_without_gaps(every):
    for arm in curves_of(compared(every=every)):
        assert arm.updates == list(range(0, 60, every))
        assert all(map(math.isfinite, arm.loss))


def test_seeds_of_different_lengths_share_their_updates():
    study = plain_study((NONE,), (0, 1), steps=None)
    (arm,) = curves_of(made_summary(study, lambda arm, seed: made_run(2.0, steps=40 + 40 * seed)))
    assert arm.updates[-1] == 79
    assert sum(map(math.isfinite, arm.loss)) == 40
    assert arm.ends_differ


def test_rates_are_those_that_were_logged():
    none, linear = curves_of(compared())
    assert none.rate[0] == 1e-3
    assert none.rate == linear.rate


def test_rates_that_nobody_logged_are_computed_from_the_schedule():
    none, linear = curves_of(compared(lr=False))
    assert (none.rate[0], linear.rate[0]) == (1.0, 0.0)
    assert max(linear.rate) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("spec", "rate"),
    [("absolute(ramp(0.2, 0.0, 60))", 0.2), ('{"lr": "relative(hold(0.5))", "weight_decay": "hold(1.0)"}', 0.5)],
)
def test_plans_and_rates_have_a_curve_too(spec, rate):
    study = Study("own", "own", None, (Arm("own", spec),), (0,), 60, "mine:train")
    (arm,) = curves_of(made_summary(study, lambda arm, seed: made_run(2.0, lr=False)))
    assert arm.rate[0] == rate


def test_a_schedule_in_epochs_has_no_curve_where_nobody_knows_an_epoch():
    study = Study("own", "own", None, (Arm("own", 'warmup("2 epochs") >> decay()'),), (0,), None, "mine:train")
    (arm,) = curves_of(made_summary(study, lambda arm, seed: made_run(2.0, lr=False)))
    assert arm.rate == []


@pytest.mark.parametrize(
    ("names", "found"), [(("lr", "val_loss", "other"), "val_loss"), (("lr", "other"), "other"), (("lr",), "loss")]
)
def test_what_is_drawn_as_the_loss_is_the_best_that_was_logged(names, found):
    run = Record({}, [0, 1], {name: [1.0, 2.0] for name in names}, Result(metrics={"val_loss": 1.0}), 1.0)
    study = Study("s", "t", FakeOptions(), (NONE, LINEAR), (0,), 2, "mine:train", metrics=(Metric("val_loss"),))
    assert loss_column(Trials(study, {("none", 0): run})) == found


def test_a_long_run_becomes_few_points():
    run = made_run(2.0, steps=200_000)
    (arm,) = curves_of(made_summary(plain_study((NONE,), (0,), steps=200_000), lambda arm, seed: run))
    assert len(arm.updates) == 160
    assert arm.updates[-1] == 199_999
