"""What is asked of the finished runs of a study."""

import math

from made_up import records_of, run, study_of

from preheat.lab.experiment import Metric
from preheat.lab.trials import Trials


def test_the_runs_of_an_arm_come_by_seed_in_the_study_s_order_whatever_the_order_of_the_records():
    study = study_of(2, 3)
    records = records_of(study, [[2.0, 2.1, 2.2], [1.0, math.nan, None]])
    trials = Trials(study, dict(reversed(records.items())) | {("another", 0): run(9.0)})
    assert list(trials.of(study.arms[0])) == [0, 1, 2]
    assert trials == records
    assert [trial.key for trial in trials.finished] == [
        ("none", 0),
        ("arm 1", 0),
        ("none", 1),
        ("none", 2),
        ("arm 1", 2),
    ]
    assert trials.finals(study.arms[1]) == {0: 1.0, 2: None}
    assert trials.costs(study.arms[1]) == {0: 1.0, 2: math.inf}
    assert trials.diverged(study.arms[1]) == {2}
    assert trials.paired(study.arms[1], study.arms[0]) == {0: -1.0}


def test_a_cost_is_lower_where_the_run_is_better():
    study = study_of(1, 2, (Metric("accuracy", "max"), Metric("loss")))
    records = {("none", seed): run(0.5 + seed / 10, 3.0 - seed, metrics=study.metrics) for seed in (0, 1)}
    trials = Trials(study, records)
    assert trials.costs(study.arms[0]) == {0: -0.5, 1: -0.6}
    assert trials.finals(study.arms[0], study.metrics[1]) == {0: 3.0, 1: 2.0}


def test_trials_are_made_from_records_by_name_too():
    study = study_of(2, 2)
    names = {trial.key: trial.name for trial in study.trials()}
    records = {names[key]: record for key, record in records_of(study, [[2.0, 2.1], [1.0]]).items()}
    trials = Trials.named(study, records, [names["arm 1", 1]])
    assert len(trials) == 3
    assert trials.failed == {("arm 1", 1)}
    assert trials.example is records[names["none", 0]]
    assert trials.logged == []
