import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import records_of, run, study_of, summary

from preheat.lab.experiment import Metric
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.inference import LEVEL, Share, paired
from preheat.lab.trials import Trials

finite = st.floats(-5, 5).map(lambda value: round(value, 6))
BOTH = (Metric("new_loss"), Metric("accuracy", "max"))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 4).flatmap(lambda arms: st.lists(st.lists(finite, min_size=3, max_size=3), min_size=arms)))
def test_every_arm_is_compared_with_the_first_by_seed_at_a_level_for_all(table):
    found = summary(study_of(len(table), 3), table)
    assert found.arms[0].difference is None
    assert found.claims == len(table) - 1
    for arm, row in zip(found.arms[1:], table[1:], strict=True):
        assert arm.difference == paired(dict(enumerate(row)), dict(enumerate(table[0])), share=Share(found.claims))
        assert arm.difference.level == pytest.approx(1 - (1 - LEVEL) / found.claims)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_divergence_is_paired_by_seed(pairs):
    study = study_of(2, len(pairs))
    records = {
        (arm.name, seed): run(2.0 + seed, diverged=pair[place])
        for place, arm in enumerate(study.arms)
        for seed, pair in enumerate(pairs)
    }
    found = summarised(Trials(study, records)).arms[1]
    more, fewer = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    assert (found.divergence.more, found.divergence.fewer) == (more, fewer)
    assert found.diverged == sum(b for _, b in pairs)
    assert found.divergence.low <= found.diverged / found.runs <= found.divergence.high
    assert not found.divergence.differs or more + fewer >= 6


def test_a_test_on_divergence_counts_as_a_claim_once_it_could_say_anything():
    for seeds, claims in ((5, 1), (6, 2)):
        table = [[None] * seeds, list(np.linspace(2, 3, seeds))]
        found = summary(study_of(2, seeds), table)
        assert found.claims == claims
        assert not found.arms[1].divergence.differs
    assert summary(study_of(2, 7), [[None] * 7, list(np.linspace(2, 3, 7))]).arms[1].divergence.differs


def test_a_summary_counts_what_diverged_what_is_missing_and_who_is_better(summary_from):
    table = {"none": [3.0, 3.2, 3.1], "linear": [2.0, 3.3], "wild": [2.0, None, 2.2]}
    none, linear, wild = summary_from(table, diverged={("none", 1)}).studies[0].arms
    assert (none.diverged, none.non_finite, none.missing, none.difference) == (1, 0, 0, None)
    assert none.mean == pytest.approx(3.1)
    assert (linear.missing, linear.difference.seeds, linear.difference.better) == (1, 2, 1)
    assert (wild.diverged, wild.non_finite, wild.mean, wild.difference) == (1, 1, None, None)
    assert none.seconds == 1.5


def test_every_metric_has_the_same_table_and_all_claims_hold_together():
    study = study_of(2, 3, BOTH)
    losses, accuracies = ([2.5, 2.6, 2.7], [2.1, 2.2, 2.32]), ([0.5, 0.52, 0.51], [0.6, 0.63, 0.5])
    records = {
        (arm.name, seed): run(losses[place][seed], accuracies[place][seed], metrics=BOTH)
        for place, arm in enumerate(study.arms)
        for seed in range(3)
    }
    found = summarised(Trials(study, records))
    assert found.claims == 2
    accuracy = found.others["accuracy"][1]
    assert list(found.others) == ["accuracy"]
    assert accuracy.difference.mean == pytest.approx(0.2 / 3)
    assert accuracy.difference.better == 2  # higher is better
    assert accuracy.difference.level == found.arms[1].difference.level == 0.975


def test_earlier_looks_make_intervals_wider():
    study, table = study_of(2, 4), [[2.5, 2.6, 2.7, 2.4], [2.3, 2.45, 2.6, 2.2]]
    first, second = (summary(study, table, looks=looks).arms[1].difference for looks in (0, 1))
    assert second.low < first.low < first.high < second.high


def test_a_run_that_a_race_spared_is_not_missing():
    study = study_of(3, 4)
    table = [[2.0, 2.1, 2.2, 2.3], [1.0, 1.12, 1.2, 1.31], [5.0, 5.1] + [math.nan] * 2]
    arms = summary(study, table, race=True).arms
    assert [(arm.missing, arm.stopped) for arm in arms] == [(0, 0), (0, 0), (0, 2)]
    assert [arm.missing for arm in summary(study, table).arms] == [0, 0, 2]


def test_data_of_which_nothing_is_known_are_not_different_data():
    study = study_of(2, 2)
    records = records_of(study, [[2.0, 2.1], [2.2, 2.4]])
    assert summarised(Trials(study, records)).data == ()
    assert summarised(Trials(study, records | {("none", 0): run(2.0, data="a")})).data == ("a",)
