import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preheat.lab.statistics import ArmSummary, Difference, paired
from preheat.lab.verdict import signed, study_verdict, verdict

LOW = [2.10, 2.21, 2.33]
HIGH = [2.50, 2.60, 2.71]
NEAR = [2.53, 2.56, 2.74]


def said(summary_from, table, **more):
    return summary_from(table, **more).verdicts[0]


def test_a_difference_whose_interval_leaves_out_zero_is_claimed_with_its_interval(summary_from):
    assert said(summary_from, {"none": HIGH, "linear": LOW}) == (
        "Validation loss against none: linear is lower (−0.390, 95 % interval −0.415 to −0.365, 3 seeds)."
    )
    assert "linear is higher (+0.390, 95 %" in said(summary_from, {"none": LOW, "linear": HIGH})


def test_an_interval_around_zero_is_no_difference_that_these_seeds_can_show(summary_from):
    assert said(summary_from, {"none": HIGH, "linear": NEAR}) == (
        "Validation loss against none: linear makes no difference that these 3 seeds can show "
        "(+0.007, 95 % interval −0.094 to +0.107)."
    )


def test_one_seed_claims_nothing(summary_from):
    assert said(summary_from, {"none": HIGH[:1], "linear": LOW[:1]}) == (
        "Validation loss against none: linear ended at −0.400, and one seed cannot tell that from chance."
    )


def test_every_arm_has_its_clause(summary_from):
    text = said(summary_from, {"none": HIGH, "linear": LOW, "near": NEAR})
    assert re.search(r"none: linear is lower \(.*\); near makes no difference .*\)\.$", text)


def test_divergence_without_a_finite_loss_is_counted_and_not_averaged(summary_from):
    assert said(summary_from, {"none": [None] * 3, "linear": LOW}) == (
        "Runs of none ended without a finite loss, so no difference from it is defined; "
        "diverged: none 3 of 3, linear 0 of 3."
    )
    text = said(summary_from, {"none": HIGH, "linear": [2.1, None, 2.3], "near": NEAR})
    assert "linear has no defined difference, because runs of it ended without a finite loss; near makes" in text
    assert text.endswith("diverged: none 0 of 3, linear 1 of 3, near 0 of 3.")


def test_runs_at_chance_count_in_the_means_and_are_named(summary_from):
    stuck = {("none", seed) for seed in range(3)}
    text = said(summary_from, {"none": [3.20, 3.21, 3.22], "linear": LOW}, diverged=stuck)
    assert "linear is lower" in text
    assert text.endswith("; diverged: none 3 of 3, linear 0 of 3.")


def test_missing_runs_are_named(summary_from):
    text = said(summary_from, {"none": HIGH, "linear": LOW[:2]})
    assert text.endswith("2 seeds); missing runs: linear 1.")
    assert "no seed has finished in both" in said(summary_from, {"none": HIGH, "linear": []})


def test_nothing_to_say_is_said(summary_from):
    assert said(summary_from, {"none": HIGH}) == "Only none was run, so there is nothing to compare."
    assert verdict([empty("none"), empty("linear")]) == "No run has finished."


def test_losses_on_different_data_are_not_compared(summary_from):
    study = summary_from({"none": HIGH, "linear": LOW}).studies[0]
    text = study_verdict(dataclasses.replace(study, data=("a", "b")))
    assert text.startswith("These runs saw different data (a, b), so nothing can be compared")


def empty(name):
    return ArmSummary(name, "decay()", {}, None, None, None, 0, 0, 3, None)


finite = st.floats(-5, 5).map(lambda value: round(value, 6))
rows = st.lists(st.tuples(finite, finite), min_size=1, max_size=5)


@settings(deadline=None)
@given(rows)
def test_a_direction_is_claimed_only_where_the_interval_leaves_out_zero(pairs):
    own, first = ({seed: pair[k] for seed, pair in enumerate(pairs)} for k in (0, 1))
    difference = paired(own, first)
    arm = ArmSummary("arm", "decay()", own, 0.0, None, difference, 0, 0, 0, 1.0)
    reference = ArmSummary("first", "decay()", first, 0.0, None, None, 0, 0, 0, 1.0)
    text = verdict([reference, arm])
    claimed = "lower" in text or "higher" in text
    assert claimed == difference.excludes_zero
    assert len(pairs) > 1 or not claimed
    assert not claimed or ("lower" in text) == (difference.mean < 0)


@pytest.mark.parametrize(("low", "high"), [(1e-5, 2e-3), (-0.5, -4e-4), (0.1, 0.2)])
def test_an_end_of_the_interval_that_is_not_zero_is_not_written_as_zero(low, high):
    difference = Difference((low + high) / 2, low, high, 3, 0)
    text = verdict([empty("first"), ArmSummary("arm", "", {0: 1.0}, 1.0, None, difference, 0, 0, 0, 1.0)])
    ends = re.search(r"interval (\S+) to (\S+),", text).groups()
    assert all(float(end.replace("−", "-")) != 0 for end in ends)


def test_a_minus_is_a_minus():
    assert signed(-0.5, 3) == "−0.500"
    assert signed(0.5, 3) == "+0.500"
    assert signed(-1e-17, 3) == "+0.000"
    assert signed(-3.14159e30, 3) == "−3.14e+30"
