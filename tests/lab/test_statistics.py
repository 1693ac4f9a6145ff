import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from preheat.lab.statistics import interval, mean_and_sd, paired, student

COMPARISONS = 2000
values = st.floats(-10, 10, allow_subnormal=False)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("effect", [0.0, -0.3])
def test_the_interval_misses_the_truth_in_one_case_of_twenty(seeds, effect):
    draws = np.random.default_rng(seeds).normal(effect, 0.1, (COMPARISONS, seeds))
    ends = np.array([interval(list(row)) for row in draws])
    missed = np.mean((ends[:, 0] > effect) | (ends[:, 1] < effect))
    assert 0.035 < missed < 0.065  # three standard errors of 5 % at 2,000 comparisons


def test_a_true_difference_is_found_and_its_sign_is_right():
    draws = np.random.default_rng(1).normal(-0.3, 0.1, (500, 5))
    ends = np.array([interval(list(row)) for row in draws])
    assert np.mean(ends[:, 1] < 0) > 0.95
    assert not np.any(ends[:, 0] > 0)


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 30])
def test_the_quantile_is_students(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-12)


@settings(deadline=None)
@given(st.lists(values, min_size=2, max_size=8), values)
def test_the_interval_moves_with_the_values_and_lies_around_their_mean(row, shift):
    low, high = interval(row)
    moved = interval([value + shift for value in row])
    assert moved == pytest.approx((low + shift, high + shift), abs=1e-9)
    assert low <= mean_and_sd(row)[0] <= high


@settings(deadline=None)
@given(st.lists(values, min_size=2, max_size=8))
def test_mean_and_deviation_are_numpys(row):
    assert mean_and_sd(row) == pytest.approx((np.mean(row), np.std(row, ddof=1)), abs=1e-12)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 5), values), st.dictionaries(st.integers(0, 5), values))
def test_a_difference_is_antisymmetric_and_only_over_seeds_that_finished_in_both(own, first):
    there, back = paired(own, first), paired(first, own)
    shared = own.keys() & first.keys()
    if not shared:
        assert there is back is None
        return
    assert there.seeds == len(shared)
    assert there.mean == pytest.approx(np.mean([own[seed] - first[seed] for seed in shared]), abs=1e-12)
    assert there.mean == -back.mean
    assert there.better + back.better == sum(own[seed] != first[seed] for seed in shared)
    assert there.excludes_zero == back.excludes_zero


def test_one_seed_has_a_difference_and_no_interval():
    difference = paired({0: 2.0}, {0: 2.5, 1: 3.0})
    assert (difference.mean, difference.low, difference.high, difference.seeds) == (-0.5, None, None, 1)
    assert not difference.excludes_zero


def test_a_loss_that_is_not_finite_leaves_no_mean_and_no_difference():
    assert mean_and_sd([2.0, None]) == (None, None)
    assert paired({0: 2.0, 1: None}, {0: 2.5, 1: 3.0}) is None
    assert paired({0: 2.0, 1: 2.1}, {0: None, 1: 3.0}) is None


def test_a_summary_counts_what_diverged_what_is_missing_and_who_is_better(summary_from):
    table = {"none": [3.0, 3.2, 3.1], "linear": [2.0, 3.3], "wild": [2.0, None, 2.2]}
    none, linear, wild = summary_from(table, diverged={("none", 1)}).studies[0].arms
    assert (none.diverged, none.non_finite, none.missing, none.difference) == (1, 0, 0, None)
    assert none.mean == pytest.approx(3.1)
    assert (linear.missing, linear.difference.seeds, linear.difference.better) == (1, 2, 1)
    assert (wild.diverged, wild.non_finite, wild.mean, wild.difference) == (1, 1, None, None)
    assert none.seconds == 1.5
