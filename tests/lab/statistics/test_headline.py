"""The one sentence on a study: what it says, and that it never says more than the intervals."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import LOSS, grid_of, run, study_of, summary

from preheat.lab.experiment import Arm, Metric, TargetValue
from preheat.lab.statistics.arms import summarised
from preheat.lab.statistics.headline import headline
from preheat.lab.statistics.verdict import study_verdict
from preheat.lab.trials import Trials

NAN = math.nan
ACCURACY = (Metric("accuracy", "max"),)
NONE, WARM = Arm("none", "decay()"), Arm("linear", "warmup('5%') >> decay()")
LOW, BASE, HIGH = [2.0, 2.01, 2.03], [2.5, 2.51, 2.52], [3.0, 3.01, 3.04]
LOST = [None, None, None]


def said(values, arms=(NONE, WARM), metrics=LOSS, **more):
    study = study_of(arms, max(map(len, values)), metrics)
    return headline(summary(study, values, metrics=metrics, **more))


def test_who_ends_lower_and_whether_to_warm_up():
    assert said([BASE, LOW]) == "Warm up: linear ends 0.50 lower than none, in all 3 seeds."
    assert said([LOW, BASE]) == "Leave the warmup out: none ends 0.50 lower than linear."
    assert said([BASE, LOW], (WARM, NONE)) == "Leave the warmup out: none ends 0.50 lower than linear, in all 3 seeds."
    assert said([LOW, BASE], (WARM, NONE)) == "Warm up: linear ends 0.50 lower than none."


def test_no_word_on_warming_up_where_more_than_a_warmup_tells_the_arms_apart():
    other = Arm("cosine", "warmup('5%') >> decay(shape='cosine')")
    assert said([BASE, LOW], (NONE, other)) == "cosine ends 0.50 lower than none, in all 3 seeds."


def test_to_leave_the_warmup_out_is_said_only_where_no_other_warmup_is_left_open():
    arms = (NONE, WARM, Arm("long", "warmup('50%') >> decay()"))
    text = said([LOW, BASE, [2.02, 1.99, 2.04]], arms)
    assert text.startswith(
        "linear ends 0.50 higher than none; no difference that 3 seeds can show between long and none"
    )
    assert said([LOW, BASE, HIGH], arms).startswith("Leave the warmup out: none is the best of the 3")


def test_where_nothing_can_be_told_it_says_how_many_seeds_may_tell():
    text = said([[2.5, 2.51, 2.52, 2.49, 2.55], [2.489, 2.51, 2.496, 2.486, 2.535]])
    assert re.fullmatch(
        r"No difference that 5 seeds can show between linear and none; about \d+ more seeds? may tell\.",
        text,
    )
    assert said([BASE, [2.6, 2.4, 2.52]]) == "No difference that 3 seeds can show between linear and none."
    assert said([[2.5], [2.0]]) == "One seed cannot tell linear from none."


def test_where_higher_is_better_the_metric_is_named():
    better = said([[0.5, 0.51, 0.52], [0.52, 0.53, 0.541]], metrics=ACCURACY)
    assert better == "Warm up: linear ends with accuracy 0.020 higher than none, in all 3 seeds."
    worse = said([[0.5, 0.51, 0.52], [0.4, 0.41, 0.421]], metrics=ACCURACY)
    assert worse == "Leave the warmup out: none ends with accuracy 0.10 higher than linear."


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([BASE, LOW, [1.9, 1.91, 1.93]], "a and b both end lower than none; between the two nothing was tested."),
        ([BASE, LOW, HIGH], "a is the best of the 3: it ends 0.50 lower than none, in all 3 seeds; b ends 0.51 higher than "
         "none."),
        ([LOW, BASE, HIGH], "none is the best of the 3: a and b both end higher than none."),
        ([BASE, LOW, [2.3, 2.51, 2.6]], "a ends 0.50 lower than none, in all 3 seeds; no difference that 3 seeds can show "
         "between b and none."),
        ([BASE, LOW, LOST], "a ends 0.50 lower than none, in all 3 seeds; 3 of 3 runs of b "
         "diverged at this peak, 0 of 3 of none."),
        ([LOST, LOW, BASE], "3 of 3 runs of none diverged at this peak, no run of a or b."),
        ([LOST, LOW, [None, 2.0, 2.0]], "3 of 3 runs of none diverged at this peak, no run of a, 1 of 3 of b."),
    ],
)  # fmt: skip
def test_of_several_arms_one_is_the_best_only_where_it_is_told_apart_from_all(table, words):
    arms = (NONE, Arm("a", "decay(shape='cosine')"), Arm("b", "hold()"))
    assert said(table, arms) == words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[None, None, 2.5], LOW], "2 of 3 runs of none diverged at this peak, no run of linear."),
        ([BASE, LOST], "3 of 3 runs of linear diverged at this peak, 0 of 3 of none."),
        ([LOST, LOST], "Half of the runs or more of every arm diverged at this peak (none: 3 of 3; linear: 3 of 3)."),
        ([[None, 2.5, 2.5], LOW], "1 of 3 runs of none ended without a finite validation loss, so nothing can be compared with "
         "it."),
        ([[], [NAN] * 3], "None of the 6 runs has finished."),
        ([[NAN] * 3, LOW], "No run of none has finished, so there is nothing to compare with (3 of 6 runs are missing)."),
        ([[2.5, 2.52, NAN], [2.0, 2.01, 2.03]], "Warm up: linear ends 0.51 lower than none, in both seeds (1 of 6 runs is "
         "missing)."),
        ([BASE, BASE], "linear and none end alike to the last digit: does the training read its schedule?"),
        ([[2, 2, 2], [1, 1, 1]], "linear differs from none by the same with every seed: does the training use its seed?"),
    ],
)  # fmt: skip
def test_where_runs_diverged_are_missing_or_are_alike_it_says_that(table, words):
    assert said(table) == words


def test_one_arm_and_different_data_compare_nothing():
    assert said([BASE], (NONE,)) == "Only one arm, none, was run, so there is nothing to compare."
    study = study_of((NONE, WARM), 1)
    records = {("none", 0): run(2.0, data="a"), ("linear", 0): run(1.0, data="b")}
    assert headline(summarised(Trials(study, records))) == "These runs saw different data, so nothing can be compared."


def test_a_grid_speaks_of_best_peaks_and_of_what_trains():
    study = grid_of(["none", "linear"], [0.001, 0.002, 0.004, 0.008], 3)
    none = [[2.5, 2.6, 2.7], [2.4, 2.5, 2.6], LOST, LOST]
    linear = [[2.5, 2.6, 2.7], [2.3, 2.41, 2.5], [2.1, 2.2, 2.31], [2.0, 2.11, 2.2]]
    text = headline(summary(study, none + linear, chance=5.0))
    assert text == "With its best peak linear ends 0.40 lower than none, and trains up to about 4 times the peak."
    text = headline(summary(study, [LOST] * 4 + linear, chance=5.0))
    assert text == "3 of 3 runs of none diverged at the lowest of these peaks; linear trains up to higher peaks."
    flat = [[2.5, 2.6, 2.7], [2.45, 2.5, 2.6], [2.5, 2.61, 2.7], [2.6, 2.7, 2.71]]
    same = [[2.51, 2.6, 2.7], [2.41, 2.54, 2.57], [2.5, 2.6, 2.7], [2.6, 2.7, 2.7]]
    text = headline(summary(study, flat + same, chance=5.0))
    assert text.startswith("At their best peaks no difference that 3 seeds can show between linear and none")


def test_a_race_says_how_many_arms_it_stopped():
    rest = [NAN] * 2
    table = [[2.0, 2.1, 2.2, 2.3], [1.0, 1.12, 1.2, 1.31], [1.5, 1.4, 1.6, 1.7], [5.0, 5.1, *rest], [6.0, 6.12, *rest]]
    text = headline(summary(study_of(5, 4), table, race=True))
    assert text.endswith("between the two nothing was tested; the race stopped 2 of 5 arms.")


values = st.none() | st.sampled_from([NAN, 0.0, 1.0]) | st.floats(0, 3) | st.floats(1.99, 2.01)


@given(st.integers(1, 4), st.integers(2, 4), st.booleans(), st.booleans(), st.data())
def test_it_claims_no_direction_that_no_interval_carries(seeds, arms, up, by_peaks, data):
    metrics = ACCURACY if up else (Metric("val_loss"),)
    names = ["none", *(f"arm{place}" for place in range(1, arms))]
    study = (
        grid_of(names, [0.1, 0.2], seeds, metrics)
        if by_peaks
        else study_of(tuple(Arm(name, "decay()") for name in names), seeds, metrics)
    )
    rows = [data.draw(st.lists(values, min_size=seeds, max_size=seeds)) for _ in study.arms]
    found = summary(study, rows, metrics=metrics)
    text = headline(found)
    if found.grid:
        known = {one.name: one.at_best.get(metrics[0].name) for one in found.grid.families}
    else:
        known = {one.name: one.difference for one in found.arms}
    signs = {name: (one.mean > 0) - (one.mean < 0) for name, one in known.items() if one and one.excludes_zero}
    for clause in re.split("; |: ", text):
        way = {"lower than": -1, "higher than": 1}.get((re.search("(lower|higher) than", clause) or [""])[0], 0)
        before, _, after = clause.partition(" than ")
        told = re.findall(r"arm\d", before) or re.findall(r"arm\d", after)
        turned = -1 if way and not re.findall(r"arm\d", before) and "none ends" in before else 1
        if way and told:
            assert all(signs.get(name) == turned * way for name in told), text
        if "best of" in clause:
            assert len(signs) == arms - 1, text
        if "up to about" in clause or "only up to lower" in clause:
            assert any(one.octaves and one.octaves.excludes_zero for one in found.grid.families), text
    assert text[-1] in ".?"
    assert len(text) < 600


def test_a_target_comes_first():
    asked = replace(study_of((NONE, WARM), 3), target=TargetValue(2.2))
    text = headline(summary(asked, [BASE, LOW]))
    assert text == "linear is below 2.2. Warm up: linear ends 0.50 lower than none, in all 3 seeds."
    assert headline(summary(asked, [BASE, BASE])).startswith(
        "No arm is shown to be below 2.2. linear and none end alike"
    )
    alone = replace(study_of((WARM,), 3), target=TargetValue(2.2))
    assert headline(summary(alone, [LOW])) == "linear is below 2.2."
    assert headline(summary(alone, [BASE])) == "linear is not shown to be below 2.2."


def test_values_that_are_equal_under_different_curves_are_coarse_and_no_sign_of_an_unread_schedule():
    study = study_of((NONE, WARM), 3)
    runs = {
        (arm.name, seed): run(2.5, loss=[3.0, 2.9 - seed - place])
        for place, arm in enumerate(study.arms)
        for seed in range(3)
    }
    text = headline(summarised(Trials(study, runs)))
    assert text == "linear and none end at equal values, which are too coarse to compare."


BOTH = (Metric("val_loss"), Metric("accuracy", "max"))


def two_metrics(pairs, arms=(NONE, WARM)):
    """The headline of runs with these losses and accuracies."""
    study = study_of(arms, 3, BOTH)
    found = {
        (arm.name, seed): run(loss, accuracy, metrics=BOTH)
        for arm, (losses, accuracies) in zip(arms, pairs, strict=True)
        for seed, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True))
    }
    return headline(summarised(Trials(study, found)))


GOOD, POOR = [0.9, 0.91, 0.93], [0.8, 0.81, 0.82]


def test_where_a_further_metric_is_worse_that_is_said_and_nothing_is_advised():
    but = "linear ends 0.50 lower than none, in all 3 seeds, but with accuracy 0.10 lower."
    assert two_metrics([(BASE, GOOD), (LOW, POOR)]) == but
    assert two_metrics([(BASE, POOR), (LOW, GOOD)]).startswith("Warm up: linear ends 0.50 lower than none, in all")
    assert two_metrics([(LOW, POOR), (BASE, GOOD)]) == (
        "none ends 0.50 lower than linear; but linear ends with accuracy 0.10 higher than none."
    )
    arms = (NONE, WARM, Arm("long", "warmup('9%') >> decay()"))
    three = two_metrics([(BASE, GOOD), (LOW, POOR), (LOW, GOOD)], arms)
    assert "Warm up" not in three
    assert "; but linear ends with accuracy 0.10 lower than none" in three


def test_a_name_that_is_a_common_word_does_not_stumble():
    assert said([BASE], (Arm("only", "decay()"),)) == "Only one arm, only, was run, so there is nothing to compare."


def test_that_one_arm_diverges_more_often_is_said_only_where_the_exact_test_allows_it():
    lost, whole = [None] * 7, [2.0, 2.01, 2.02, 2.03, 2.04, 2.05, 2.06]
    assert said([lost, whole]) == (
        "7 of 7 runs of none diverged at this peak, no run of linear; none diverges more often than linear."
    )
    assert said([whole, lost]) == "linear diverges more often than none (7 of 7 runs, against 0 of 7)."
    mixed = [*lost[:5], 2.0, 2.01]
    assert said([whole, mixed]) == "5 of 7 runs of linear diverged at this peak, 0 of 7 of none."
    assert "more often" not in said([mixed, whole])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[0.2, 0.21, 0.22], [0.0951, 0.10512, 0.1151]], "linear ends 0.1049 lower than none"),
        ([[30000.0, 30001.0, 30002.0], [7779.0, 7781.0, 7781.5]], "linear ends 22220 lower than none"),
        ([[0.0, 0.0, 0.0], [-1.0e-10, -1.1e-10, -1.05e-10]], "linear ends 1e−10 lower than none"),
        ([[0.0, 0.0, 0.0], [-2.0e-140, -2.1e-140, -2.05e-140]], "linear ends 2.1e−140 lower than none"),
    ],
)
def test_the_number_of_the_headline_lies_within_its_interval_and_is_not_0(table, words):
    assert words in said(table)


def test_a_target_that_t_reaches_has_its_caveat():
    found = summary(replace(study_of((WARM,), 3), target=TargetValue(2.2)), [LOW])
    assert "Rare bad runs of one arm" in study_verdict(found)


def test_without_a_known_chance_level_there_is_no_sensitivity_and_it_says_why():
    study = grid_of(["none", "linear"], [0.1, 0.2], 3)
    table = [[2.5, 2.6, 2.7], [2.4, 2.5, 2.6], [2.1, 2.2, 2.31], [2.0, 2.11, 2.2]]
    why = "log val_loss at the first update, or return chance_loss"
    assert why in study_verdict(summary(study, table))
    assert why not in study_verdict(summary(study, table, chance=5.0))


def test_an_arm_that_a_race_stopped_has_no_difference_that_looks_like_a_claim():
    rest = [NAN] * 2
    table = [[2.0, 2.1, 2.2, 2.3], [1.0, 1.12, 1.2, 1.31], [1.5, 1.4, 1.6, 1.7], [5.0, 5.1, *rest], [6.0, 6.12, *rest]]
    stopped = [arm for arm in summary(study_of(5, 4), table, race=True).arms if arm.stopped]
    assert [arm.difference for arm in stopped] == [None, None]


def test_a_claim_from_two_seeds_says_what_it_rests_on():
    words = "A claim from 2 seeds holds for normal noise only."
    assert words in study_verdict(summary(study_of((NONE, WARM), 2), [BASE[:2], [2.0, 2.011]]))
    assert words not in study_verdict(summary(study_of((NONE, WARM), 3), [BASE, LOW]))
