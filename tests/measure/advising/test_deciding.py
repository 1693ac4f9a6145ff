"""What follows from made-up measurements: each verdict, each reason, each "not known"."""

import json
import math
from dataclasses import replace

import pytest

import preheat
from preheat.measure.advising.advice import Advice
from preheat.measure.advising.constants import CONSTANTS, LOUD, SURE
from preheat.measure.advising.deciding import critical, decided, features, safe, schedule, sharpness
from preheat.measure.advising.facts import Cost, Facts, Look, OptimizerFacts, Raced, Rung, ShortRuns, Trial
from preheat.measure.advising.outcome import judged

SGD = OptimizerFacts("SGD", "sgd", momentum=0.9)
ADAM = OptimizerFacts("AdamW", "adaptive", beta2=0.98)


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
    above, below = decided(facts(peak=0.8)), decided(facts(peak=0.0125))
    assert (above.verdict, below.verdict) == ("a longer one", "no warmup needed")
    assert above.at_least
    assert above.probability == pytest.approx(1 / (1 + math.exp(-3)))
    assert below.probability == pytest.approx(1 - above.probability)
    assert (below.warmup, below.start) == (0, 0.0125)


def test_near_the_critical_rate_the_rule_does_not_know_and_the_answer_is_cautious():
    found = decided(facts(peak=0.11))
    assert found.verdict == "not known"
    assert found.warmup > 0
    assert "both ways" in found.unknown[0]


def test_the_probability_grows_with_the_peak():
    at = [decided(facts(peak=0.1 * 2**octave)).probability for octave in range(-4, 5)]
    assert at == sorted(at)
    assert at[0] < 1 - SURE < SURE < at[-1]


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
        ({"optimizer": OptimizerFacts("Lion", "other")}, "never set for Lion"),
        ({"critical": (None,) * 4, "looks": [], "flat": "head.weight begins at 0"}, "head.weight begins at 0"),
        ({"critical": (None,) * 4, "looks": []}, "no critical rate"),
        ({"rounded": 0.9}, "leaves 90% of the weights unchanged"),
        ({"critical": (1.0,), "looks": [], "trial": trial((0, None), (10, None), (50, None))}, "no short run trained"),
        ({"trial": trial((0, 1.2), (10, 1.19), (50, 1.2), wobble=0.5)}, "above any effect"),
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


def test_a_peak_at_which_nothing_trains_may_be_too_high_and_that_is_said():
    advice = Advice(facts(peak=3.2, trial=trial((0, None), (10, None), (50, None))))
    assert advice.verdict == "at least 50 updates of warmup, or a lower peak; a race would tell"


def test_runs_that_predict_a_constant_are_stuck():
    plain = trial((0, 2.0), (10, 2.0), (50, 1.0))
    stuck = replace(plain, arms=[replace(arm, ignores=[arm.warmup < 50] * 2) for arm in plain.arms])
    assert judged(stuck).losses == {0: math.inf, 10: math.inf, 50: pytest.approx(1.0)}
    assert judged(stuck).shortest == 50
    half = replace(plain, arms=[replace(arm, ignores=[arm.warmup < 50, True]) for arm in plain.arms])
    assert judged(half).rescued


def test_runs_that_end_above_low_rate_updates_have_diverged_however_high_they_began():
    found = trial((0, 2.3), (10, 0.3), first=330.0, reached=0.4)
    assert judged(found).losses[0] == math.inf
    assert judged(found).fell == pytest.approx(0.1)


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
    assert "10 × those after it" in " ".join(decided(facts(optimizer=ADAM, looks=first)).mechanisms)
    assert "second moment" not in " ".join(decided(facts(looks=first)).mechanisms)


def test_the_batch_and_the_size_of_updates_are_named():
    found = decided(
        facts(peak=0.01, noise_scale=10.0, batch=256, looks=looks(*(0.1,) * 9, relative=1e-2), low_rate=1e-3)
    )
    assert [one.partition(",")[0].partition(":")[0] for one in found.mechanisms] == ["the batch", "the size of updates"]
    assert decided(facts(peak=0.01)).mechanisms == ()


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
    for constants in CONSTANTS.values():
        for logistic in (constants.rule, constants.trial):
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
