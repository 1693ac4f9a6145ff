import dataclasses
import math

import pytest
from made_up import claims, records_of

from preheat.lab.experiment import Arm, Metric, Study, grid
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.sameness import alike
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials

ARMS = (Arm("none", "decay()"), Arm("linear", 'warmup("5%") >> decay()'), Arm("cosine", 'decay(shape="cosine")'))
TABLE = [[2.5, 2.6, 2.7], [2.5, 2.6, 2.7], [2.1, 2.3, 2.2]]


def trials(table=TABLE, curve=lambda arm, seed: [3.0 + seed, math.nan, 2.8], arms=ARMS):
    """Runs that ended as the table says, and logged this loss on the way."""
    study = Study("made", "made", None, arms[: len(table)], (0, 1, 2), None, "made:up", (Metric("val_loss"),))
    runs = records_of(study, table)
    for (arm, seed), record in runs.items():
        if logged := curve(arm, seed):
            record = dataclasses.replace(record, steps=list(range(len(logged))), columns={"loss": logged})
        runs[arm, seed] = record
    return Trials(study, runs)


def said(*args, **more):
    return study_verdict(summarised(trials(*args, **more)))


def test_a_script_that_never_reads_its_schedule_is_told_so():
    text = said(TABLE[:2])
    assert "linear ended at the same values with each of the 3 seeds" in text
    assert "none and linear are equal to the last digit with every seed, the final value and the curve" in text
    assert "does the training follow its schedule (preheat.from_env()" in text
    assert "no difference" not in text
    assert not claims(text)


def test_one_seed_is_enough_to_tell_and_all_arms_are_named_together():
    text = said([row[:1] for row in (TABLE[0], TABLE[0], TABLE[0])])
    assert "none, linear and cosine are equal to the last digit with every seed" in text


def test_arms_that_are_alike_are_told_where_neither_is_the_reference_and_with_some_seeds_only():
    assert "linear and cosine are equal to the last digit with every seed" in said([TABLE[2], TABLE[0], TABLE[0]])
    text = said([[2.5, 2.6, 2.7], [2.5, 2.9, 2.7]])
    assert "none and linear are equal to the last digit with seeds 0, 2, the" in text
    assert "linear makes no difference" in text


def test_coarse_values_are_told_as_coarse():
    text = said(TABLE[:2], curve=lambda arm, seed: [3.0, 2.9 + len(arm) / 100])
    assert "end at equal values with every seed although their curves differ: the values are too coarse" in text
    assert "schedule" not in text
    assert said([[2.5, 2.6, 2.7], [2.5, 2.9, 2.7]], curve=lambda arm, seed: [3.0, 2.9 + len(arm)]).count("equal") == 0


def test_without_a_curve_it_is_left_open_which_it_is():
    assert "logged no curve: the values are coarse, or the training does not follow" in said(
        TABLE[:2], curve=lambda *_: None
    )


def test_equal_schedules_may_end_alike_and_runs_that_diverged_say_nothing():
    twins = (Arm("a", "decay()"), Arm("b", "decay()"))
    assert alike(trials(TABLE[:2], arms=twins)) == ()
    assert alike(trials([[None] * 3, [None] * 3])) == ()


def test_peaks_that_make_no_difference_are_told():
    arms = grid(ARMS[:1], [0.1, 0.2])
    (found,) = alike(trials(TABLE[:2], arms=arms))
    assert (found.arms, found.curves, found.whole) == (("none @ 0.1", "none @ 0.2"), "equal", True)


@pytest.mark.parametrize("other", [-0.0, 2.5 + 1e-15])
def test_equal_is_equal_to_the_last_digit(other):
    assert alike(trials([[2.5] * 3, [other] * 3])) == ()
