import dataclasses
import json
import math

import made_up
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_up import grid_of, run, summary

from preheat.lab.experiment import Metric
from preheat.lab.records.series import Table
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.grid import interval_end, largest_trainable, octaves
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials

PEAKS = (0.001, 0.002, 0.004, 0.008)
CHANCE = 5.0
losses = st.one_of(st.none(), st.floats(1, 9).map(lambda value: round(value, 6)))
tables = st.lists(st.lists(losses, min_size=3, max_size=3), min_size=8, max_size=8)


def of(table, **more):
    """The grid of two families at the four peaks."""
    return summary(grid_of(["none", "linear"], PEAKS, len(table[0])), table, **{"chance": CHANCE, **more}).grid


@settings(deadline=None, max_examples=40)
@given(tables)
def test_sensitivity_is_the_capped_mean_over_peaks_less_the_peak_that_is_best_by_the_mean_of_all_seeds(table):
    capped = np.array([[min(CHANCE, CHANCE if v is None else v) for v in row] for row in table]).reshape(2, 4, 3)
    means = capped.mean(axis=2)
    assume(all(np.diff(np.sort(row))[0] > 1e-9 for row in means))  # which of two equal peaks it is does not matter
    best = np.take_along_axis(capped, means.argmin(axis=1)[:, None, None], axis=1)[:, 0]
    expected = capped.mean(axis=1) - best
    found = of(table)
    for family, rows in zip(found.families, expected, strict=True):
        if family.best is None:
            assert family.sensitivity is None
            continue
        assert list(family.sensitivity_by_seed.values()) == pytest.approx(list(rows), abs=1e-9)
        assert family.sensitivity == pytest.approx(rows.mean(), abs=1e-9)
        assert -1e-9 <= family.sensitivity <= CHANCE
    difference = found.families[1].sensitivity_difference
    if any(family.best is None for family in found.families):
        assert difference is None
        return
    assert difference.mean == pytest.approx((expected[1] - expected[0]).mean(), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(tables)
def test_the_best_peak_is_finite_in_every_run_and_no_other_such_peak_is_better(table):
    for family in of(table).families:
        means = {cell.peak: cell.mean for cell in family.cells if cell.mean is not None}
        assert family.best == (min(means, key=means.get) if means else None)


@settings(deadline=None, max_examples=40)
@given(tables)
def test_a_family_trains_up_to_the_first_peak_where_half_its_runs_diverge(table):
    for family in of(table).families:
        lost = [2 * cell.diverged >= cell.runs for cell in family.cells]
        first = lost.index(True) if True in lost else len(lost)
        assert family.trainable == (PEAKS[first - 1] if first else None)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)), min_size=2, max_size=6))
def test_the_ratio_of_boundaries_contains_the_one_behind_the_grid(truth):
    peaks = [1.0, 2.0, 4.0, 8.0]
    below = [[next((p for p in reversed(peaks) if math.log2(p) <= edge), None) for edge in pair] for pair in truth]
    own, first = ({seed: pair[k] for seed, pair in enumerate(below)} for k in (0, 1))
    ratio = octaves(peaks, own, first, 0.95)
    mean = np.mean([a - b for a, b in truth])
    assert ratio.low is None or ratio.low <= mean
    assert ratio.high is None or ratio.high >= mean
    assert ratio.mean is None or (ratio.low or -9) <= ratio.mean <= (ratio.high or 9)


@pytest.mark.parametrize("scatter", [0.1, 0.5, 1.5])
def test_boundaries_that_do_not_differ_are_said_to_in_at_most_one_case_of_twenty(scatter):
    rng, peaks, wrong = np.random.default_rng(2), [2.0**k for k in range(10)], 0
    for _ in range(1000):
        edges = np.clip(np.floor(rng.uniform(3, 6) + rng.normal(0, scatter, (2, 3))), 0, 9)
        own, first = ({seed: 2.0**edge for seed, edge in enumerate(row)} for row in edges)
        wrong += octaves(peaks, own, first, 0.95).excludes_zero
    assert wrong / 1000 < 0.05


def test_a_boundary_three_steps_higher_with_every_seed_is_claimed_and_one_step_is_not():
    peaks = [1.0, 2.0, 4.0, 8.0, 16.0]
    ratio = octaves(peaks, dict.fromkeys(range(3), 8.0), dict.fromkeys(range(3), 1.0), 0.95)
    assert (ratio.mean, ratio.low, ratio.high, ratio.seeds) == (3.0, 2.0, 4.0, 3)
    assert ratio.excludes_zero
    step = octaves(peaks, dict.fromkeys(range(3), 4.0), dict.fromkeys(range(3), 2.0), 0.95)
    assert (step.low, step.high, step.excludes_zero) == (0.0, 2.0, False)


def test_beyond_the_grid_a_ratio_is_bounded_on_one_side_or_not_at_all():
    peaks = [1.0, 2.0, 4.0]
    top, none = dict.fromkeys(range(3), 4.0), dict.fromkeys(range(3), None)
    ratio = octaves(peaks, top, dict.fromkeys(range(3), 1.0), 0.95)
    assert (ratio.mean, ratio.low, ratio.high) == (2.0, 1.0, None)
    assert ratio.excludes_zero
    assert octaves(peaks, top, top, 0.95).low is octaves(peaks, top, top, 0.95).high is None
    assert octaves(peaks, none, none, 0.95).mean is None
    assert not octaves(peaks, none, none, 0.95).excludes_zero
    lowest = octaves(peaks, none, top, 0.95)
    assert (lowest.low, lowest.high, lowest.excludes_zero) == (None, -2.0, True)
    assert octaves(peaks, {}, top, 0.95) is None
    assert interval_end([1.0], 0.95, 1) is None


def test_a_peak_that_trains_beyond_one_that_does_not_is_not_interval_end():
    assert largest_trainable([(1.0, True), (2.0, False), (4.0, True)]) == 1.0
    assert largest_trainable([(1.0, False)]) is None


def test_families_are_compared_at_their_own_best_peaks_by_every_metric():
    metrics = (Metric("new_loss"), Metric("old_loss"))
    study = grid_of(["none", "linear"], [0.1, 0.2], 3, metrics)
    new = [[3.0, 3.1, 3.2], [4, 4, 4], [5, 5, 5], [2.0, 2.1, 2.25]]
    old = [[1.0, 1.1, 1.2], [9, 9, 9], [9, 9, 9], [2.0, 2.2, 2.2]]
    records = {
        (arm.name, seed): run(new[at][seed], old[at][seed], metrics=metrics, chance=6.0)
        for at, arm in enumerate(study.arms)
        for seed in range(3)
    }
    found = summarised(Trials(study, records))
    linear = found.grid.families[1]
    assert (found.grid.families[0].best, linear.best) == (0.1, 0.2)
    assert linear.at_best["new_loss"].mean == pytest.approx(-2.95 / 3)
    assert linear.at_best["old_loss"].mean == pytest.approx(3.1 / 3)
    assert (
        found.grid.claims == 3
    )  # two metrics, sensitivity: every run trains, so nothing is claimed of the largest peak
    assert linear.at_best["old_loss"].level == pytest.approx(1 - 0.05 / 3)
    assert found.claims == 4  # two peaks, two metrics


def test_chance_level_and_training_loss_are_of_the_first_stage_and_no_ceiling_for_a_later_one():
    metrics = (Metric("stage2/val_loss"),)
    study = grid_of(["none", "linear"], [0.1, 0.2], 2, metrics)
    table = [[2.5, 2.7], [2.8, 2.9], [2.9, 2.9], [2.2, 2.3]]
    once = made_up.records_of(study, table, metrics=metrics, chance=3.1, loss=[5.6, 4.0])
    assert summarised(Trials(study, once)).grid.ceiling is None
    stages = {"stage2": Table([0, 1], {"stage2/val_loss": [4.5, 2.5]}, {})}
    logged = {key: dataclasses.replace(one, stages=stages) for key, one in once.items()}
    assert summarised(Trials(study, logged)).grid.ceiling == 4.5


def test_where_higher_is_better_the_highest_is_best_and_sensitivity_counts_what_is_lost():
    metrics = (Metric("accuracy", "max"),)
    study = grid_of(["none", "linear"], [0.1, 0.2], 2, metrics)
    records = made_up.records_of(study, [[0.5, 0.7], [0.8, 0.9], [0.9, 0.9], [None, 0.05]], metrics=metrics)
    assert summarised(Trials(study, records)).grid.ceiling is None
    logged = {key: dataclasses.replace(one, steps=[0], columns={"accuracy": [0.1]}) for key, one in records.items()}
    grid = summarised(Trials(study, logged)).grid
    assert [family.best for family in grid.families] == [0.2, 0.1]
    assert grid.ceiling == -0.1
    assert grid.families[1].sensitivity_by_seed == {0: pytest.approx(0.4), 1: pytest.approx(0.4)}


def test_without_a_chance_level_the_first_training_loss_is_the_ceiling():
    table = [[2.0, 2.1, 2.2]] * 3 + [[None] * 3] + [[2.0, 2.1, 2.2]] * 4
    assert of(table, chance=None).ceiling is None
    assert of(table, chance=None).families[0].sensitivity is None
    grid = of(table, chance=None, loss=(4.0, 3.0))
    assert grid.ceiling == 4.0
    assert grid.families[0].sensitivity == pytest.approx((2.0 + 1.9 + 1.8) / 4 / 3)


def test_a_grid_is_plain_numbers_that_a_heat_map_can_draw():
    grid = of([[2.0, 2.1, 2.2]] * 3 + [[None] * 3] + [[2.0, 2.1, 2.3]] * 4)
    assert grid.means == [pytest.approx([2.1, 2.1, 2.1, None]), pytest.approx([6.4 / 3] * 4)]
    assert [cell.diverged for cell in grid.families[0].cells] == [0, 0, 0, 3]
    json.dumps(dataclasses.asdict(grid), allow_nan=False)


def test_seeds_that_did_not_run_at_every_peak_say_nothing_of_the_whole_grid():
    table = [[2.0, 2.1, 2.2]] * 7 + [[2.0, 2.1, math.nan]]
    linear = of(table).families[1]
    assert list(linear.sensitivity_by_seed) == list(linear.trainable_by_seed) == [0, 1]
    assert linear.best in PEAKS[:3]  # the last has fewer seeds


def test_families_without_a_common_peak_are_no_grid():
    study = grid_of(["none", "linear"], [0.1, 0.2], 2)
    study = dataclasses.replace(study, arms=(study.arms[0], study.arms[3]))
    assert summary(study, [[1.0, 1.1], [2.0, 2.1]]).grid is None


@pytest.mark.parametrize("stuck", [None, CHANCE - 0.01], ids=["not finite", "at chance"])
@pytest.mark.parametrize("reference", [True, False])
def test_what_trains_at_no_peak_has_no_sensitivity_and_nothing_is_claimed_of_it(stuck, reference):
    bad, good = [[stuck] * 3] * 4, [[2.0 + peak + seed / 100 for seed in range(3)] for peak in range(4)]
    study = grid_of(["none", "linear"], PEAKS, 3)
    runs = made_up.records_of(study, bad + good if reference else good + bad, chance=CHANCE)
    for (name, _), one in runs.items():
        if name.startswith("none" if reference else "linear"):
            runs[name, _] = dataclasses.replace(one, result=dataclasses.replace(one.result, diverged=True))
    found = summarised(Trials(study, runs))
    assert [one.sensitivity is None for one in found.grid.families] == [reference, not reference]
    assert [one.sensitivity_difference for one in found.grid.families] == [None, None]
    said = study_verdict(found)
    assert "has none, because it trains at no peak" in said
    assert "no seed has finished in both" not in said
