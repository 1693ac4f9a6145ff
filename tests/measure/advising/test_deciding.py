"""What follows from made-up measurements: each verdict, each reason, each "not known"."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preheat
from preheat.measure.advising.advice import Advice
from preheat.measure.advising.constants import CONSTANTS, LOUD, SURE, SURE_ANY, TRIAL, Logistic
from preheat.measure.advising.deciding import critical, decided, features, mechanisms, safe, schedule, sharpness
from preheat.measure.advising.facts import Cost, Facts, Look, OptimizerFacts, Raced, Rung, ShortRuns, Trial
from preheat.measure.advising.outcome import judged

SGD = OptimizerFacts("SGD", "sgd", momentum=0.9)
ADAM = OptimizerFacts("AdamW", "adaptive", beta2=0.98)
LION = OptimizerFacts("Lion", "other")


def looks(*rates, relative=1e-4):
    return [
        Look(5 * place, 2.0 - 0.1 * place, 1.0, rate, {"body": relative, "head": relative})
        for place, rate in enumerate(rates)
    ]


def facts(peak=0.1, optimizer=SGD, **more):
    usual = {"steps": 1000, "loss": 2.3, "critical": (0.1,) * 4, "looks": looks(*(0.1,) * 10), "low_rate": 0.003}
    return Facts(**{**usual, "peak": peak, "optimizer": optimizer, **more})


def trial(*arms, updates=100, first=2.3, wobble=0.01, **more):
    """Arms as warmup=loss; None is a run that is not finite."""
    runs = []
    for place, (warmup, loss) in enumerate(arms):
        if loss is None:
            runs.append(ShortRuns(warmup, [[], []]))
            continue
        off = wobble * (-1) ** place
        runs.append(
            ShortRuns(warmup, [[loss + off + 0.1 * k for k in (-1, 0, 1)], [loss - off + 0.1 * k for k in (-1, 0, 1)]])
        )
    return Trial(updates, first, runs, **more)


def test_a_peak_far_above_the_critical_rate_needs_warmup_and_one_far_below_does_not():
    above, below = decided(facts(peak=1.6)), decided(facts(peak=0.0125))
    assert (above.verdict, below.verdict) == ("not known", "no warmup needed")
    assert above.at_least
    rule = CONSTANTS["sgd"].rule
    for found, margin in ((above, 4), (below, -3)):
        score = rule.intercept + rule.weights["margin"] * margin
        assert found.probability == pytest.approx(1 / (1 + math.exp(-score)))
    assert (below.warmup, below.start) == (0, 0.0125)


def test_near_the_critical_rate_the_rule_does_not_know_and_the_answer_is_cautious():
    found = decided(facts(peak=0.3))
    assert found.verdict == "not known"
    assert found.warmup > 0
    assert "both ways" in found.unknown[0]


def test_the_probability_grows_with_the_peak():
    at = [decided(facts(peak=0.1 * 2**octave)).probability for octave in range(-4, 5)]
    assert at == sorted(at)
    assert at[0] < 1 - SURE < at[-1]


def test_where_sharpness_rises_the_rate_along_the_way_counts():
    found = facts(critical=(0.7,) * 4, optimizer=ADAM, looks=looks(0.7, 0.1, *(0.002,) * 8))
    assert sharpness(found) == "rises"
    assert critical(found) == 0.002
    assert safe(found) == pytest.approx(4 * 0.002)
    assert decided(replace(found, peak=0.1)).verdict != "no warmup needed"


def test_where_sharpness_falls_the_start_counts_and_that_is_a_mechanism():
    found = facts(peak=0.05, critical=(0.005,) * 4, looks=looks(0.005, 0.01, *(0.05,) * 8))
    assert sharpness(found) == "falls"
    assert critical(found) == pytest.approx(0.005)
    assert [one.partition(":")[0] for one in decided(found).mechanisms] == ["curvature", "curvature that falls"]


def test_the_trial_finds_the_shortest_that_is_as_good_as_the_best():
    found = facts(peak=0.8, trial=trial((0, 2.0), (10, 0.805), (25, 0.8), (50, 0.8)))
    decision = decided(found)
    assert (decision.warmup, decision.at_least) == (10, False)
    assert decision.verdict == "a short one"  # a hundredth of the run
    assert "short runs of 100 updates with 4 warmups and 2 orders" in decision.rests_on


def test_where_the_longest_is_the_best_it_may_be_longer():
    advice = Advice(facts(peak=0.8, trial=trial((0, None), (10, 1.9), (50, 0.5))))
    assert advice.verdict == "at least 50 updates of warmup; a race would tell"
    assert judged(advice.facts.trial).rescued


def test_a_trial_without_a_difference_says_none_however_high_the_peak():
    found = facts(peak=0.2, trial=trial((0, 0.5), (10, 0.5), (50, 0.5)))
    assert decided(found).verdict == "no warmup needed"


def test_a_harmful_warmup_is_none():
    assert decided(facts(peak=0.1, trial=trial((0, 0.5), (10, 0.7), (50, 1.2)))).probability < 0.1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"optimizer": OptimizerFacts("Lion", "other")}, "not calibrated for Lion"),
        ({"critical": (None,) * 4, "looks": [], "flat": "head.weight begins at 0"}, "head.weight begins at 0"),
        ({"critical": (None,) * 4, "looks": []}, "no critical rate"),
        ({"rounded": 0.9}, "leaves 90% of the weights unchanged"),
        ({"critical": (1.0,), "looks": [], "trial": trial((0, None), (10, None), (50, None))}, "no short run trained"),
        (
            {"trial": trial((0, 1.2), (10, 1.19), (50, 1.2), wobble=0.5)},
            "0.01 below none, and such a difference has",
        ),
    ],
)
def test_what_cannot_be_known_is_said(more, words):
    advice = Advice(facts(**more))
    assert advice.verdict == "not known"
    assert advice.needed is None
    assert math.isnan(advice.confidence)
    assert words in str(advice.decision.unknown)
    assert words.split()[-1] in " ".join(advice.sentence.split())
    assert advice.warmup > 0
    assert advice.sure == "not known"


@pytest.mark.parametrize("peak", [0.1, 3.2, 1e30])
def test_where_nothing_trains_it_is_not_known_however_far_above_the_critical_rate_the_peak_is(peak):
    advice = Advice(facts(peak=peak, trial=trial((0, None), (10, None), (50, None))))
    assert advice.verdict == "not known"
    assert (
        "At this peak no short run trained, not even with 50 updates of warmup: lower the peak, or race."
        in advice.sentence
    )
    assert any("peak" in one for one in advice.would_change)


def test_other_optimizers_are_advised_by_the_short_runs_alone_and_with_more_caution(monkeypatch):
    clear = Advice(facts(peak=1e-4, optimizer=LION, trial=trial((0, None), (10, 0.5), (50, 0.5))))
    assert (clear.needed, clear.warmup) == (True, 10)
    assert "alone, since nothing was calibrated for Lion" in clear.sentence
    assert features(clear.facts, judged(clear.facts.trial)).keys() == {"trial_z", "trial_gain"}
    runs = trial((0, 1.0), (10, 0.9), (50, 0.95))
    for intercept, needed in ((1.2, None), (2.0, True), (-1.2, None), (-2.0, False)):
        monkeypatch.setattr("preheat.measure.advising.deciding.TRIAL", Logistic(intercept, {}, ""))
        found = Advice(facts(optimizer=LION, trial=runs))
        assert found.needed is needed
        assert found.decision.confidence > SURE
        assert (found.decision.confidence > SURE_ANY) is (needed is not None)


def changed(by, facts):
    """The facts with every loss as by(loss)."""
    arms = [replace(arm, losses=[[by(one) for one in run] for run in arm.losses]) for arm in facts.trial.arms]
    runs = replace(facts.trial, first=by(facts.trial.first), reached=by(facts.trial.reached), arms=arms)
    return replace(
        facts, loss=by(facts.loss), looks=[replace(one, loss=by(one.loss)) for one in facts.looks], trial=runs
    )


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
@pytest.mark.parametrize(
    "arms", [((0, 1.0), (10, 0.9), (50, 0.95)), ((0, 2.2), (10, 0.5), (50, 0.5)), ((0, None), (10, 2.0))]
)
@given(k=st.floats(1e-3, 1e3), c=st.floats(-1e3, 1e3))
def test_only_differences_of_losses_count_and_their_ratios(optimizer, arms, k, c):
    one = facts(peak=0.15, optimizer=optimizer, trial=trial(*arms, reached=1.1))
    other = changed(lambda loss: k * loss + c * k, one)
    assert decided(other).probability == pytest.approx(decided(one).probability, rel=1e-6)
    assert (decided(other).verdict, decided(other).warmup) == (decided(one).verdict, decided(one).warmup)


def test_losses_are_written_with_the_digits_that_tell_them_apart():
    one = trial((0, 0.3012), (10, 0.3011), (50, 0.3013), wobble=1e-5)
    said = Advice(changed(lambda loss: loss + 500, facts(trial=one))).reasons
    assert "500.301" in " ".join(said)


def test_one_batch_to_judge_by_is_enough():
    one = trial((0, 1.0), (10, 0.9), (50, 0.95))
    alone = replace(one, arms=[replace(arm, losses=[run[:1] for run in arm.losses]) for arm in one.arms])
    assert judged(alone).shortest == 10


def test_why_is_not_said_where_no_warmup_is_needed():
    one = facts(peak=0.2, trial=trial((0, 0.5), (10, 0.5), (50, 0.5)))
    assert mechanisms(one, judged(one.trial))
    assert decided(one).mechanisms == ()


def test_runs_that_predict_a_constant_are_stuck():
    plain = trial((0, 2.0), (10, 2.0), (50, 1.0))
    stuck = replace(plain, arms=[replace(arm, ignores=[arm.warmup < 50] * 2) for arm in plain.arms])
    assert judged(stuck).losses == {0: math.inf, 10: math.inf, 50: pytest.approx(1.0)}
    assert judged(stuck).shortest == 50
    half = replace(plain, arms=[replace(arm, ignores=[arm.warmup < 50, True]) for arm in plain.arms])
    assert judged(half).rescued


def test_a_warmup_that_is_stuck_where_none_trains_counts_by_its_loss():
    plain = trial((0, 2.91), (15, 3.08), (30, 2.5), first=5.6, wobble=0.05)
    found = judged(replace(plain, arms=[replace(arm, ignores=[arm.warmup > 0] * 2) for arm in plain.arms]))
    assert found.losses == {0: pytest.approx(2.91), 15: pytest.approx(3.08), 30: pytest.approx(2.91)}
    assert found.failed == {15: "stuck", 30: "stuck"}
    assert found.difference == pytest.approx(0.0)
    assert found.best == 0


def test_how_runs_ended_is_said_as_it_was():
    found = Advice(facts(trial=trial((0, None), (10, 2.4), (25, 2.0), (50, 0.3), reached=0.4)))
    assert "0: diverged, 10: above its start, 25: stuck, 50: 0.3" in " ".join(found.reasons)
    near = trial((0, 0.75), (10, 0.3), reached=0.4)  # within the spread of single batches
    assert not judged(near).failed


def test_what_the_loss_fell_by_counts_from_low_rate_updates_however_high_it_began():
    found = judged(trial((0, 2.3), (10, 0.1), first=330.0, reached=0.4))
    assert found.fell == pytest.approx(0.3)
    assert found.gain == 1.0


def test_what_low_rate_updates_reach_counts_only_beside_runs_of_as_many_on_new_batches():
    found = facts()
    assert found.reached_by(45) == found.reached
    assert found.reached_by(44) == math.inf
    assert replace(found, again=True).reached_by(45) == math.inf


def test_a_difference_too_small_to_matter_is_noise():
    found = judged(trial((0, 0.004), (10, 0.003), (50, 0.002), wobble=0.0))
    assert abs(found.in_noise) < 0.5
    assert found.shortest == 0


def test_the_noise_is_that_of_the_order_where_the_batches_agree():
    found = judged(trial((0, 1.0), (10, 0.5), wobble=0.2))
    assert found.noise == pytest.approx(math.hypot(math.sqrt(0.32 / 2), 0.005 * 1.8), rel=1e-6)
    assert found.noise > LOUD * found.fell


def test_adams_second_moment_is_named_where_its_own_length_is_enough():
    found = facts(peak=0.2, optimizer=ADAM, trial=trial((0, 1.5), (100, 0.5), (200, 0.5)))
    assert "Adam's second moment: 100 updates" in decided(found).mechanisms[-1]
    longest = facts(peak=0.2, optimizer=ADAM, trial=trial((0, 1.5), (25, 0.9), (50, 0.5)))  # more may be better still
    assert "second moment" not in " ".join(decided(longest).mechanisms)
    first = [*looks(0.1, relative=1e-2), *looks(*(0.1,) * 9, relative=1e-3)]
    assert "10 × those after it" in " ".join(mechanisms(facts(optimizer=ADAM, looks=first), None))
    assert "second moment" not in " ".join(mechanisms(facts(looks=first), None))


def test_the_batch_and_the_size_of_updates_are_named():
    found = mechanisms(
        facts(peak=0.01, noise_scale=10.0, batch=256, looks=looks(*(0.1,) * 9, relative=1e-2), low_rate=1e-3), None
    )
    assert [one.partition(",")[0].partition(":")[0] for one in found] == ["the batch", "the size of updates"]
    assert mechanisms(facts(peak=0.01), None) == ()


def test_the_schedule_can_be_pasted():
    assert schedule(1.0, None, 0) == "decay()"
    assert schedule(1.0, 0.5, 100) == "warmup(100, start=0.1) >> decay()"
    assert schedule(1.0, 0.012, 100) == "warmup(100, start=0.012, shape=exponential) >> decay()"
    assert schedule(1.0, None, 100) == "warmup(100) >> decay()"
    for peak in (1e-4, 0.1, 30.0):
        text = Advice(facts(peak=peak)).schedule
        assert preheat.parse(text).bind(preheat.Run(total=1000))(0) <= 1


@pytest.mark.parametrize("steps", [20, 100, 10**6])
@pytest.mark.parametrize("peak", [0.11, 0.2, 0.5, 50.0])
def test_a_warmup_fits_into_half_of_the_run(steps, peak):
    for more in ({}, {"trial": trial((0, None), (10, 1.9), (50, 0.5))}, {"optimizer": replace(ADAM, beta2=0.99999)}):
        found = decided(facts(peak=peak, steps=steps, **more))
        assert 0 <= found.warmup <= steps // 2


def test_features_are_named_and_bounded():
    found = facts(peak=1e30, trial=trial((0, None), (10, 0.5)))
    assert set(features(found, judged(found.trial))) == {
        "margin",
        "margin_start",
        "margin_lowest",
        "trial_z",
        "trial_gain",
    }
    assert max(features(found, judged(found.trial)).values()) == 8.0
    assert TRIAL.weights.keys() <= {"trial_z", "trial_gain"}
    for constants in CONSTANTS.values():
        for logistic in (constants.rule, TRIAL):
            assert set(logistic.weights) <= {
                "margin",
                "margin_start",
                "margin_lowest",
                "trial_z",
                "trial_gain",
            }
            assert logistic.evidence


def test_other_rules_stand_beside_it():
    said = {rule.name: rule for rule in Advice(facts(peak=0.2, optimizer=ADAM, valley=0.01)).rules}
    assert (said["absolute rate"].warmup, said["1 % linear"].warmup) == (10, 10)
    assert said["untuned, 2/(1 − β₂)"].warmup == 100
    assert said["valley of a range test"].peak == 0.01
    none = {rule.name: rule for rule in Advice(facts(peak=0.01)).rules}
    assert none["absolute rate"].warmup == 0
    assert none["untuned, 2/(1 − β₂)"].warmup is None


def test_it_is_data_a_sentence_and_a_picture():
    advice = Advice(facts(peak=0.8, trial=trial((0, None), (10, 1.9), (50, 0.5)), cost=Cost(100, 30)))
    data = json.loads(json.dumps(advice.to_dict(), allow_nan=False))
    assert data["schedule"] == advice.schedule
    assert data["cost"] == 110
    assert data["facts"]["trial"]["arms"][0]["losses"] == [[], []]
    assert "from these very weights" in " ".join(str(advice).split())
    assert "<svg" in advice.plot()
    assert "<svg" in Advice(facts(looks=[])).plot()


def test_a_race_decides_and_gives_both_exponents():
    rungs = (Rung(100, {(0.1, 0): None, (0.1, 20): 0.9, (0.4, 20): 0.7}), Rung(250, {(0.1, 20): 0.5, (0.4, 20): 0.6}))
    advice = Advice(facts(peak=0.4), Raced(rungs, 0, 800))
    assert (advice.peak, advice.warmup, advice.needed) == (0.1, 20, True)
    assert advice.cost == 800
    assert "between 0.1, if it does not depend on the length, and 0.05" in advice.reasons[-1]
    lost = Advice(facts(peak=0.8), Raced((Rung(100, {(0.1, 0): None}),), 0, 100))
    assert lost.peak == 0.8
    assert "no arm trained" in lost.reasons[-1]
