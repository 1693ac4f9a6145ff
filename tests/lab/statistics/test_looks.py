"""What was reported before counts, whatever it was called: claims and looks of a folder."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from made_up import claims, grid_of, records_of, run, study_of

from preheat.lab.experiment import Arm, Metric, TargetValue
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.looks import claimed, read_reports
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials

A, B, C = Arm("a", "decay()"), Arm("b", "hold()"), Arm("c", "warmup(3) >> decay()")


def of(study, seeds, table=None):
    """The trials of which `seeds` have finished; a number, or one for each arm."""
    counts = [seeds] * len(study.arms) if isinstance(seeds, int) else seeds
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=10)[:count] for count in counts] if table is None else table[:, :seeds]
    return Trials(study, records_of(study, rows))


def after(*reports):
    """What the last of these (study, seeds) leaves to each claim."""
    found = claimed(of(*reports[0]))
    for report in reports[1:]:
        found = claimed(of(*report), found.reports)
    return found


def shares(*reports):
    """How many claims the differences of the last report share, and after how many looks."""
    found = after(*reports).arms
    return found.claims, found.looks


@pytest.mark.parametrize(
    ("reports", "looks"),
    [((3,), 0), ((3, 5), 1), ((3, 5, 10), 2), ((3, 3, 5, 5), 1), ((1, 3), 0), ((3, 5, 3), 0), ((5, 3, 5, 3), 1)],
)
def test_a_look_is_a_report_on_other_runs_whatever_was_planned(reports, looks):
    assert shares(*((study_of(2, 10), seeds) for seeds in reports))[1] == looks


def test_a_report_after_failures_is_a_look_and_so_is_that_on_an_arm_that_always_fails():
    study = study_of((A, B, C), 10)
    assert shares((study, (4, 4, 3)), (study, 4)) == (2, 1)
    assert shares((study, (3, 3, 0)), (study, (5, 5, 0)), (study, (10, 10, 0))) == (2, 2)


def test_names_and_the_order_of_the_arms_do_not_matter():
    there, back = study_of((A, B), 10), study_of((B, A), 10)
    renamed = study_of((Arm("x", A.spec), Arm("y", B.spec)), 10)
    assert shares((there, 3), (there, 5), (there, 8), (back, 10)) == (1, 3)
    assert shares((there, 3), (there, 5), (there, 8), (renamed, 10)) == (1, 3)


def test_what_was_reported_before_remains_among_the_claims():
    pairs = [study_of((A, Arm(f"arm {k}", f"warmup({k}) >> decay()")), 10) for k in range(2, 6)]
    assert shares(*((study, 10) for study in pairs)) == (4, 0)
    everything = study_of((A, *(study.arms[1] for study in pairs)), 10)
    assert shares((everything, 10), (pairs[2], 10)) == (4, 0)
    assert shares((everything, 1), (pairs[2], 10)) == (4, 0)
    text = study_verdict(summarised(of(pairs[2], 10), earlier=claimed(of(everything, 10)).reports))
    assert "The 4 comparisons, 3 of earlier reports among them, hold together at 95 %." in text


def test_another_metric_is_another_claim_and_the_other_way_round_is_not():
    def asked(name, goal="min"):
        study = study_of((A, B), 3, (Metric(name, goal),))
        runs = {(arm.name, seed): run(seed, metrics=study.metrics) for arm in study.arms for seed in range(3)}
        return Trials(study, runs)

    found = claimed(asked("v"))
    for trials in (asked("w"), asked("v", "max")):
        found = claimed(trials, found.reports)
    assert (found.arms.claims, found.arms.looks) == (2, 0)


def test_the_same_schedule_under_two_names_is_two_comparisons():
    assert shares((study_of((A, B, Arm("b again", B.spec)), 5), 5)) == (2, 0)


def test_a_target_asked_of_one_arm_counts_its_looks():
    study = replace(study_of((A,), 10), target=TargetValue(0.0))
    known = replace(study, target=TargetValue(0.0, 1.0))
    for plan, looks in (((3,), 0), ((3, 5), 1), ((3, 5, 8, 10), 3), ((1, 3), 0)):
        assert after(*((replace(study, seeds=range(n)), n) for n in plan)).target.looks == looks
    assert (
        after((study, 3), (replace(study, seeds=range(5)), 5)).target.looks == 0
    )  # runs lacked, and nothing was claimed
    assert (
        after((replace(known, seeds=(0,)), 1), (replace(known, seeds=range(3)), 3)).target.looks == 1
    )  # where one seed can claim
    study = replace(study, seeds=range(3))
    other = replace(study, target=TargetValue(0.5))
    assert (after((study, 3), (other, 3)).target.claims, after((study, 3), (other, 3)).target.looks) == (1, 0)
    second = replace(study_of((B,), 3), target=TargetValue(0.0))
    found = summarised(of(second, 3), earlier=claimed(of(study, 3)).reports)
    assert found.target.each == 0.025
    assert "p ≤ 0.025 is asked here, for 0.05 in all (1 of earlier reports among them)." in study_verdict(found)


def test_a_family_is_looked_at_with_every_peak_and_seed_that_it_gets():
    study = grid_of(["none", "linear"], [0.1, 0.2], 10)
    assert after((study, 3), (study, (5, 3, 5, 3)), (study, 5)).families.looks == 2
    wider = grid_of(["none", "linear"], [0.1, 0.2, 0.4], 10)
    assert after((study, 3), (wider, 3)).families.looks == 1


def test_a_grid_counts_the_claims_that_it_makes():
    study = grid_of(["none", "linear"], [0.1, 0.2], 3)
    table = np.random.default_rng(0).normal(size=(4, 3)).tolist()
    for more, blown, count in (({}, False, 1), ({"chance": 5.0}, False, 2), ({"chance": 5.0}, True, 3)):
        rows = [[None, *row[1:]] if blown and place == 3 else row for place, row in enumerate(table)]
        found = summarised(Trials(study, records_of(study, rows, **more)))
        assert found.grid.claims == count
        assert (f"The {count} comparisons hold together" in study_verdict(found)) == (count > 1)


def test_reports_are_read_back_from_json_and_what_is_none_is_refused():
    reports = claimed(of(study_of(3, 10), 4)).reports
    assert tuple(read_reports(json.loads(json.dumps([asdict(one) for one in reports])))) == reports
    wrong = ({}, [3], [{"of": ["a"]}], [{"of": [1], "made": ""}], [{"of": [], "made": ""}], [{"of": ["a"], "made": 1}])
    for value in wrong:
        with pytest.raises(ValueError, match="not a"):
            read_reports(value)


def test_looking_at_parts_of_the_planned_seeds_until_a_claim_is_wrong_in_at_most_one_case_of_fifteen():
    study, rng, wrong = study_of((A, B), 10), np.random.default_rng(1), 0
    for _ in range(300):
        table, earlier = rng.normal(size=(2, 10)), ()
        for seeds in (3, 5, 10):
            found = summarised(of(study, seeds, table), earlier=earlier)
            earlier = found.reports
            if found.arms[1].difference.excludes_zero:
                assert claims(study_verdict(found))
                wrong += 1
                break
    assert wrong / 300 <= 0.09  # 6 % with two standard errors and more; without the looks it is 12 %
