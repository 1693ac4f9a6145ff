import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import grid_of, records_of, run, study_of

from preheat.lab.experiment import Metric
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.race import next_trials, race_summary, raced, risk, rungs
from preheat.lab.trials import Trials

losses = st.one_of(st.none(), st.floats(1, 9).map(lambda value: round(value, 1)))
tables = st.integers(1, 7).flatmap(
    lambda seeds: st.lists(st.lists(losses, min_size=seeds, max_size=seeds), min_size=2, max_size=8)
)


def race(study, table, one_by_one=False):
    """The records of a whole race, and the names of the runs in their order."""
    full, records, order = records_of(study, table), {}, []
    while trials := next_trials(Trials(study, records)):
        for trial in trials[:1] if one_by_one else trials:
            records[trial.arm.name, trial.seed] = full[trial.arm.name, trial.seed]
            order.append(trial.name)
    return records, order


@given(st.integers(1, 200))
def test_rungs_rise_to_all_seeds(seeds):
    found = rungs(seeds)
    assert found[-1] == seeds
    assert list(found) == sorted(set(found))


@settings(deadline=None, max_examples=40)
@given(tables)
def test_a_race_ends_runs_nothing_twice_and_keeps_the_reference(table):
    study = study_of(len(table), len(table[0]))
    records, order = race(study, table)
    assert len(order) == len(set(order)) == len(records)
    found = race_summary(Trials(study, records))
    assert len(records) == found.full - found.saved
    assert "none" not in found.stopped
    for arm in study.arms:
        runs = sum(name == arm.name for name, _ in records)
        assert runs == found.stopped.get(arm.name, len(study.seeds))


@settings(deadline=None, max_examples=40)
@given(tables)
def test_a_race_that_goes_on_after_every_run_takes_the_same_decisions(table):
    study = study_of(len(table), len(table[0]))
    assert race(study, table, one_by_one=True)[0].keys() == race(study, table)[0].keys()


@settings(deadline=None, max_examples=40)
@given(tables)
def test_of_arms_that_train_at_least_half_stay_at_each_rung_and_no_worse_one_instead(table):
    study = study_of(len(table), len(table[0]))
    records, _ = race(study, table)
    stopped, missing = raced(Trials(study, records))
    assert not missing
    racing = study.arms[1:]
    for count in rungs(len(study.seeds))[:-1]:
        rows = {arm.name: [table[study.arms.index(arm)][seed] for seed in range(count)] for arm in racing}
        keys = {
            name: (row.count(None), math.inf if None in row else math.fsum(row) / count) for name, row in rows.items()
        }
        stay = {name for name in rows if stopped.get(name, math.inf) > count}
        training = [name for name in rows if keys[name][0] < count]
        assert stay <= set(training)
        assert 2 * len(stay) >= len(training)
        assert all(keys[kept] < keys[gone] for kept in stay for gone in rows.keys() - stay)
        racing = [arm for arm in racing if arm.name in stay]


def test_ties_stay():
    study = study_of(5, 4)
    records, _ = race(study, [[2.0] * 4] + [[1.0] * 4] * 3 + [[3.0] * 4])
    assert race_summary(Trials(study, records)).stopped == {"arm 4": 2}


def test_arms_that_diverged_go_before_those_that_are_worse():
    study = study_of(3, 4)
    table = [[2.0] * 4, [1.0, None, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0]]
    assert race_summary(Trials(study, race(study, table)[0])).stopped == {"arm 1": 2}


def test_in_a_grid_the_first_family_stays_at_every_peak():
    study = grid_of(["none", "linear"], [0.1, 0.2, 0.4], 4)
    table = [[2.0] * 4, [None] * 4, [None] * 4, [1.5] * 4, [1.0] * 4, [None] * 4]
    assert race_summary(Trials(study, race(study, table)[0])).stopped == {"linear @ 0.1": 2, "linear @ 0.4": 2}


def test_where_higher_is_better_the_highest_stay():
    metrics = (Metric("accuracy", "max"),)
    study, accuracy = study_of(3, 4, metrics), {"none": 0.5, "arm 1": 0.9, "arm 2": 0.4}
    records = {(arm.name, seed): run(accuracy[arm.name], metrics=metrics) for arm in study.arms for seed in range(2)}
    assert race_summary(Trials(study, records)).stopped == {"arm 2": 2}


def test_a_run_that_failed_does_not_hold_up_the_others():
    study = study_of(3, 4)
    records = records_of(study, [[2.0, 2.0], [1.0, math.nan], [1.5, 1.6]])
    assert [trial.name for trial in next_trials(Trials(study, records))] == ["made-up-arm-1-seed1"]
    trials = next_trials(Trials(study, records, failed={("arm 1", 1)}))
    assert {(trial.arm.name, trial.seed) for trial in trials} == {("none", 2), ("none", 3), ("arm 2", 2), ("arm 2", 3)}
    assert summarised(Trials(study, records, failed={("arm 1", 1)}), race=True).arms[1].missing == 1


@pytest.mark.parametrize("spread", [0.01, 0.25, 1.0, 2.0, 5.0])
def test_the_risk_is_how_often_the_best_arm_is_stopped(spread):
    """Where arms hardly differ no runs can tell that from a small difference, so there it is told with a wider margin."""
    rng, study, races = np.random.default_rng(6), study_of(9, 8), 200
    estimated, happened = [], []
    for _ in range(races):
        truth = rng.normal(0, spread, 9)
        table = truth[:, None] + rng.normal(0, 1, (9, 8)) + rng.normal(0, 2, (1, 8))
        found = race_summary(Trials(study, race(study, table)[0]))
        estimated.append(found.risk)
        happened.append(study.arms[int(truth.argmin())].name in found.stopped)
        assert found.saved == 32  # of 72
    error = 3 * np.sqrt(np.var(happened) / races)
    least = 0.5 if spread < 0.5 else np.mean(happened) - error - 0.02
    assert least < np.mean(estimated) < np.mean(happened) + error + 0.05


def test_a_race_between_huge_or_tiny_losses_has_the_same_risk():
    study, rng = study_of(5, 4), np.random.default_rng(1)
    table = rng.normal(3, 1, (5, 4))
    risks = [race_summary(Trials(study, race(study, table * unit)[0])).risk for unit in (1.0, 1e145, 1e-200)]
    assert risks[1:] == pytest.approx(risks[:1] * 2, abs=0.01)


def test_a_race_that_stopped_nobody_risks_nothing_and_one_that_cannot_know_says_so():
    study = study_of(3, 4)
    assert risk(Trials(study, {}), {}) == 0.0
    exact = race(study, [[2.0] * 4, [1.0] * 4, [3.0] * 4])[0]
    assert race_summary(Trials(study, exact)).risk is None
    assert race_summary(Trials(study_of(2, 1), records_of(study_of(2, 1), [[1.0], [2.0]]))).risk == 0.0
