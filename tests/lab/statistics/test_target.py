"""One-sided tests against a fixed target: how often they are wrong, and what is said of what has no mean."""

import math
from dataclasses import replace

import made_runs
import numpy as np
import pytest
from made_up import LOSS, grid_of, said, study_of, summary
from scipy import stats

from preheat.core.errors import PreheatError
from preheat.lab.experiment import Metric, TargetValue
from preheat.lab.report.html import report_html
from preheat.lab.report.markdown import report_markdown
from preheat.lab.report.table import target_rows
from preheat.lab.statistics.target import level_of_each, p_text, target_arm
from preheat.lab.summary import to_dict

SIMULATIONS = 2000
RECORD = [3.2791, 3.2778, 3.2787, 3.2784]  # of the NanoGPT speed-run, pull request 235, which says p = 0.006
GOOD = [3.2761, 3.2778, 3.2771, 3.2769, 3.2776]
POOR = [3.2791, 3.2812, 3.2803, 3.2786, 3.2799]


def judged(values, target=3.28, sd=None, level=0.05, goal="min", more=None):
    """One arm alone."""
    return target_arm("arm", values, TargetValue(target, sd, level), goal, levels=(level, more or level), lack="")


def aimed(study, target=3.28, **more):
    return replace(study, target=TargetValue(target, **more))


def false_claims(draw, seeds, level, sd=None):
    """In which share of simulations an arm whose mean is the target is said to be below it."""
    values = 3.28 + 0.001 * draw((SIMULATIONS, seeds))
    return sum(judged(row.tolist(), sd=sd, level=level).reached for row in values) / SIMULATIONS


@pytest.mark.parametrize("sd", [None, 0.001])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_with_normal_noise_a_mean_at_the_target_is_claimed_no_oftener_than_the_level_says(level, seeds, sd):
    rng = np.random.default_rng([seeds, sd is None])
    allowed = level + 3 * math.sqrt(level * (1 - level) / SIMULATIONS)  # three standard errors of the simulation
    assert false_claims(lambda shape: rng.normal(0, 1, shape), seeds, level, sd) <= allowed


@pytest.mark.parametrize(
    ("noise", "least", "most"),
    [
        (lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3), 0.02, 0.06),
        (lambda rng, shape: rng.exponential(1, shape) - 1, 0.1, 0.18),  # a tail towards worse runs
        (lambda rng, shape: 1 - rng.exponential(1, shape), 0.0, 0.03),  # towards better ones
    ],
    ids=["t3", "a tail towards worse", "a tail towards better"],
)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_what_other_noise_does_to_the_t_form_is_what_the_page_says(seeds, noise, least, most):
    rng = np.random.default_rng(seeds)
    assert least <= false_claims(lambda shape: noise(rng, shape), seeds, 0.05) <= most


@pytest.mark.parametrize("sd", [None, 0.1])
def test_several_arms_and_looks_hold_together_through_the_whole_verdict(sd):
    rng, wrong = np.random.default_rng(3), 0
    study = aimed(study_of(4, 5), 2.0, sd=sd)
    for _ in range(600):
        table = rng.normal(2.0, 0.1, (4, 5))
        wrong += " is below 2 (" in said(study, table)
    assert wrong / 600 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)
    assert summary(study, table).target.each == 0.0125
    assert summary(study, table, looks=1).target.each == pytest.approx(0.0125 / 4)
    assert "p ≤ 0.0125 is asked of each of 4 arms, for 0.05 in all." in said(study, table)


def test_t_is_the_test_that_speed_runs_use_and_z_is_their_rule_in_another_spelling():
    assert judged(RECORD).t.p == pytest.approx(stats.ttest_1samp(RECORD, 3.28, alternative="less").pvalue)
    assert judged(RECORD).t.p == pytest.approx(0.006, abs=5e-4)
    assert judged(RECORD, goal="max").t.p == pytest.approx(1 - judged(RECORD).t.p)
    # (3.28 − mean)·√3 = 0.00435899 is z = 3.3531 there (pull request 297), so the known standard deviation is 0.0013
    three = [3.28 - 0.00435899 / math.sqrt(3) + shift for shift in (-0.001, 0.0, 0.001)]
    assert judged(three, sd=0.0013).z.p == pytest.approx(stats.norm.sf(3.3531), rel=1e-3)


@pytest.mark.parametrize("goal", ["min", "max"])
@pytest.mark.parametrize("sd", [None, 0.001])
@pytest.mark.parametrize("values", [GOOD, POOR])
def test_the_bound_leaves_out_the_target_exactly_where_the_target_is_reached(values, sd, goal):
    for target in (3.26, 3.2765, 3.278, 3.2805, 3.3):
        found = judged(values, target, sd, goal=goal)
        beyond = found.deciding.bound <= target if goal == "min" else found.deciding.bound >= target
        assert found.reached == beyond


def test_the_sentence_and_the_tables_say_who_is_below():
    table = [POOR, GOOD]
    text = said(aimed(study_of(2, 5)), table)
    assert (
        "Validation loss against the target: arm 1 is below 3.28 (mean 3.2771, one-sided p = 0.00031, t with 5 seeds); "
        "none is not shown to be below 3.28 (mean 3.27982, one-sided p = 0.36, t with 5 seeds). p ≤ 0.025 is asked of each "
        "of 2 arms, for 0.05 in all."
    ) in text
    rows = target_rows(summary(aimed(study_of(2, 5), sd=0.0013), table).target)
    assert rows[0][4:] == ("p (t)", "mean below (t)", "p (z)", "mean below (z)", "below 3.28", "more seeds")
    assert rows[2][:4] == ("arm 1", "5", "3.2771", "0.0006671")
    assert (rows[1][-2], rows[2][-2]) == ("not shown", "shown")
    accuracy = study_of(1, 3, (Metric("accuracy", "max"),))
    values = [[0.91, 0.92, 0.93]]
    assert "Accuracy against the target: none is above 0.8 (mean 0.920" in said(
        aimed(accuracy, 0.8), values, metrics=accuracy.metrics
    )


def test_a_p_is_written_on_the_side_of_the_level_that_it_is_on():
    assert [p_text(p, 0.05) for p in (0.0502, 0.0499, 0.049, 0.3, 2e-7)] == [
        "0.0502",
        "0.05",
        "0.049",
        "0.3",
        "< 1e-06",
    ]


def test_an_arm_that_lacks_a_run_or_a_number_has_no_claim():
    study = aimed(study_of(4, 5), 4.0)
    text = said(study, [[*GOOD[:4], None], [*GOOD[:4], math.nan], [3.0] * 5, GOOD])
    assert "none is not shown to be below 4 (1 of 5 runs not finite)" in text
    assert "arm 1 is not shown to be below 4 (1 of 5 runs missing)" in text
    assert "arm 2 is not shown to be below 4 (every seed gave the same value (does the training use its seed?))" in text
    assert "arm 3 is below 4 (" in text
    found = summary(study, [[], [], [], []]).target
    assert [arm.form for arm in found.arms] == [""] * 4
    raced = summary(
        aimed(study_of(4, 4), 9.0), [[1, 1.1, 1.2, 1.3], [1.1, 1.2, 1.3, 1.4], [5, 5.1, 5.2, 5.3], [6, 6.1]], race=True
    )
    assert [arm.lack for arm in raced.target.arms] == ["", "", "", "stopped by the race"]


def test_one_run_is_enough_only_where_the_standard_deviation_is_known():
    assert judged([3.27]).lack == "one run has no standard deviation"
    found = judged([3.27], sd=0.0013)
    assert (found.form, found.reached, found.sd) == ("z", True, None)


def test_runs_that_scatter_more_than_was_given_are_judged_by_their_own_scatter():
    wide = [3.24, 3.30, 3.27, 3.29, 3.25]
    found = judged(wide, sd=0.0013)
    assert found.z.p < 1e-6
    assert (found.form, found.too_wide, found.reached) == ("t", True, False)
    text = said(aimed(study_of(1, 5), sd=0.0013), [wide])
    assert "Runs of none scatter more than the standard deviation 0.0013 allows, so t decides there." in text
    assert not judged(GOOD, sd=0.0013).too_wide


@pytest.mark.parametrize("sd", [None, 0.01])
def test_the_seeds_that_are_said_to_settle_it_do_in_most_cases(sd):
    values = [3.269, 3.278, 3.273]
    found = judged(values, sd=sd, more=0.0125)
    assert not found.reached
    assert found.more
    assert judged([3.279, 3.29, 3.288], sd=sd).more is None  # on the wrong side
    assert (judged(GOOD, sd=sd).more is None) == judged(GOOD, sd=sd).reached  # settled, or not yet
    rng, seeds = np.random.default_rng(1), 3 + found.more
    sigma = sd or found.sd
    draws = rng.normal(found.mean, sigma, (1000, seeds))
    won = sum(judged(row.tolist(), sd=sd, level=0.0125).reached for row in draws) / 1000
    assert won >= 0.76
    text = said(aimed(study_of(1, 3), sd=sd), [values])
    assert (
        f"and {judged(values, sd=sd, more=level_of_each(0.05, 1, 1)).more} more seeds would probably settle it" in text
    )


def test_a_grid_is_judged_arm_by_arm_and_the_page_the_numbers_and_markdown_have_it():
    grid = aimed(grid_of(["none", "linear"], [0.1, 0.2], 3), 2.5)
    found = summary(grid, [[2.6, 2.7, 2.5], [2.0, 2.01, 2.02], [2.6, 2.8, 2.7], [2.1, 2.11, 2.12]])
    assert [(arm.name, arm.reached) for arm in found.target.arms] == [
        ("none @ 0.1", False),
        ("none @ 0.2", True),
        ("linear @ 0.1", False),
        ("linear @ 0.2", True),
    ]
    study = made_runs.plain_study(metrics=LOSS, target=TargetValue(2.4, 0.02))
    whole = made_runs.made_summary(
        study, lambda arm, seed: made_runs.made_run(2.35 + seed / 100, seed=seed), command=()
    )
    numbers = to_dict(whole)["studies"][0]["target"]
    assert (numbers["value"], numbers["arms"][0]["form"], numbers["arms"][0]["reached"]) == (2.4, "z", True)
    assert (
        "| arm | seeds | mean | sd | p (t) | mean below (t) | p (z) | mean below (z) | below 2.4 |"
        in report_markdown(whole)
    )
    page = report_html(whole)
    assert "Against the target 2.4" in page
    assert "z takes 0.02 as known, and decides" in page
    assert "TargetValue(value=2.4, sd=0.02, level=0.05)" in page  # the script that makes it again
    assert "target" not in report_html(made_runs.compared())


@pytest.mark.parametrize("given", [(math.inf,), ("3",), (3, -1), (3, None, 0), (3, None, 0.5)])
def test_a_target_that_means_nothing_is_refused(given):
    with pytest.raises(PreheatError, match=r"target must be|target is"):
        TargetValue(*given)
