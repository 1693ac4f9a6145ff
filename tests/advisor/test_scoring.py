"""On grids whose right answer is known, the scores are what they must be."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.advisor import baselines
from benchmarks.advisor.__main__ import main
from benchmarks.advisor.advice import Advice, answers, read
from benchmarks.advisor.families import CONFIGURATIONS, SEEDS, Configuration
from benchmarks.advisor.report import compared, curves
from benchmarks.advisor.scores import advised, calibration, cost, mean_within, scored, wilson
from benchmarks.advisor.truth import Trained, quantile

from preheat.core.errors import PreheatError

CHANCE = 2.3
ROOT = Path(__file__).parents[2]
MLP = next(one for one in CONFIGURATIONS if one.name == "digits-mlp-gain1-sgd")


def line(loss: np.ndarray, configuration: Configuration = MLP) -> dict:
    """A line of a results file with these losses; nan is a loss that was not finite."""
    return {
        "key": configuration.key,
        "name": configuration.name,
        "family": configuration.family,
        "split": configuration.split,
        "steps": configuration.steps,
        "peaks": configuration.peaks,
        "warmups": configuration.warmups,
        "seeds": SEEDS,
        "chance": CHANCE,
        "loss": [[[None if math.isnan(v) else v for v in row] for row in rows] for rows in loss.tolist()],
        "seconds": 1.0,
        "machine": "none",
        "torch": "0",
    }


def known(breaks: int = 4, rescued: int = 2, seed: int = 0, noise: float = 0.01) -> np.ndarray:
    """Losses that fall with the peak; from the peak `breaks` on W = 0 breaks, and for `rescued` peaks W >= T/6 trains."""
    rng = np.random.default_rng(seed)
    base = 1.0 - 0.1 * np.arange(8)
    loss = base[:, None, None] + noise * rng.normal(size=(8, 6, 3))
    loss[breaks:, :3] = math.nan
    loss[breaks + rescued :] = math.nan
    return loss


def test_the_truth_of_a_grid_that_breaks_at_a_known_peak() -> None:
    trained = Trained(line(known()))
    assert [one.needed for one in trained.verdicts] == [False] * 4 + [True] * 2 + [None] * 2
    assert trained.verdicts[4].gain == pytest.approx(CHANCE - 0.6, abs=0.03)
    assert trained.oracle[0] == MLP.peaks[5]
    assert trained.oracle[1] >= MLP.warmups[3]


def test_noise_alone_seldom_needs_warmup() -> None:
    verdicts = [one for seed in range(40) for one in Trained(line(known(8, 0, seed, noise=0.1))).verdicts]
    claimed = sum(one.needed is True for one in verdicts) / len(verdicts)
    assert claimed < 0.1  # .06 of 4000; the smallest of five means against W = 0 would claim more than a third
    naive = 0
    for seed in range(40):
        means = known(8, 0, seed, noise=0.1).mean(axis=2)
        naive += int((means[:, 0] - means[:, 1:].min(axis=1) > 0.02).sum())
    assert naive / len(verdicts) > 0.5


def test_seeds_that_disagree_are_undecided() -> None:
    loss = known()
    loss[3, 0, 0] = math.nan  # one seed in three breaks without warmup: a gain of about .5 ± .5 nats
    verdict = Trained(line(loss)).verdicts[3]
    assert verdict.needed is None
    assert verdict.gain > 0.2 > 0.02


def test_a_loss_above_chance_counts_as_chance() -> None:
    loss = known()
    worse = loss.copy()
    worse[np.isnan(worse)] = 1e6
    assert Trained(line(worse)).verdicts == Trained(line(loss)).verdicts


def test_regret_of_the_oracle_is_0_and_of_others_what_they_lose() -> None:
    trained = Trained(line(known()))
    assert trained.regret(*trained.oracle).value == 0
    worse = trained.regret(trained.peaks[0], 0)
    best = trained.loss.mean(axis=2).min()
    assert worse.value == pytest.approx((trained.loss[0, 0].mean() - best) / trained.seed_spread)
    assert (worse.peak, worse.warmup, worse.outside) == (trained.peaks[0], 0, False)
    assert abs(worse.by_others - worse.value) < 2


def test_on_a_grid_without_differences_only_the_oracle_of_other_seeds_is_fair() -> None:
    regrets = []
    for seed in range(40):
        trained = Trained(line(1 + 0.1 * np.random.default_rng(seed).normal(size=(8, 6, 3))))
        regrets += [trained.regret(peak, warmup) for peak in trained.peaks for warmup in trained.warmups]
    assert np.mean([one.value for one in regrets]) == pytest.approx(1.4, abs=0.1)
    assert np.mean([one.by_others for one in regrets]) == pytest.approx(0, abs=0.1)


def test_advice_between_cells_is_judged_by_the_nearest() -> None:
    trained = Trained(line(known()))
    factor = MLP.factor
    assert trained.nearest(trained.peaks[3] * factor**0.4, 6) == (3, 1, False)
    assert trained.nearest(trained.peaks[3] * factor**0.6, 40) == (4, 3, False)
    assert trained.nearest(trained.peaks[-1] * factor**0.6, 1e6) == (7, 5, True)
    assert trained.nearest(trained.peaks[0] / factor, 0) == (0, 0, True)


def said(trained: Trained, probabilities: list[float | None]) -> list[Advice]:
    """An answer for each peak."""
    return [
        Advice(config=trained.name, peak=peak, probability=probability)
        for peak, probability in zip(trained.peaks, probabilities, strict=True)
    ]


def test_answers_are_counted_as_they_are() -> None:
    trained = Trained(line(known()))
    perfect = scored(answers(said(trained, [0.0] * 4 + [1.0] * 4), [trained]))
    assert (perfect.asked, perfect.unknown, perfect.accuracy, perfect.auc, perfect.brier) == (6, 0, 1, 1, 0)
    shy = scored(answers(said(trained, [0.2, None, 0.6, 0.2, 0.9, 0.6, 0.0, None]), [trained]))
    assert (shy.asked, shy.unknown, shy.accuracy) == (6, 1, 0.8)
    assert shy.auc == pytest.approx((3 + 2.5) / 6)  # .9 above all three; .6 above two, and equal to one
    nothing = scored(answers(said(trained, [None] * 8), [trained]))
    assert math.isnan(nothing.accuracy)
    assert math.isnan(nothing.auc)


def test_calibration_holds_what_was_said() -> None:
    rng = np.random.default_rng(3)
    trained = Trained(line(known()))
    made = answers(said(trained, [0.5] * 8), [trained])[0]
    several = [replace(made, probability=p, needed=bool(rng.random() < p)) for p in rng.random(20_000).tolist()]
    bins = calibration(several)
    assert sum(one.count for one in bins) == 20_000
    assert all(abs(one.said - one.happened) < 0.03 for one in bins)
    assert sum(one.low < one.said < one.high for one in bins) >= 4
    over = calibration([replace(one, probability=1.0, needed=False) for one in several[:20]])
    assert [(one.said, one.happened) for one in over] == [(1.0, 0.0)]
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_costs_of_advice() -> None:
    trained = Trained(line(known()))
    peak, warmup = trained.oracle
    those = advised(
        [Advice(config=trained.name, advised_peak=peak, warmup=warmup, cost=30), Advice(config=trained.name)], [trained]
    )
    row = cost(those)
    assert (row.count, row.median, row.high, row.outside, row.updates) == (1, 0, 0, 0, 30)
    assert quantile([3, 1, math.inf, 2], 0.5) == 2
    assert quantile([3, 1, math.inf, 2], 0.9) == math.inf


def several(breaks: dict[str, int]) -> list[Trained]:
    """Trainings that break at a peak by optimizer, whatever else they are."""
    return [
        Trained(line(known(breaks[one.options.optimizer], 2, seed=number), one))
        for number, one in enumerate(CONFIGURATIONS)
    ]


def test_fitted_baselines_find_a_rule_that_is_there_and_see_the_constants_only() -> None:
    trained = [one for one in several({"sgd": 4, "adam": 4}) if one.family == "digits MLP, LayerNorm"]
    thresholds, rule = baselines.absolute_rate(trained)
    sgd, adam = MLP, next(one for one in CONFIGURATIONS if one.name == "digits-mlp-layernorm-adam999")
    peaks = next(one.peaks for one in trained if one.name == "digits-mlp-layernorm-sgd")
    assert peaks[3] < thresholds["sgd"] < peaks[4]
    assert adam.peaks[3] < thresholds["adam"] < adam.peaks[4]
    assert scored(rule(trained)).accuracy == 1
    assert scored(baselines.predictor(trained)(trained)).accuracy == 1
    assert sgd.name not in {one.name for one in trained}
    everything = several({"sgd": 4, "adam": 4})
    other = [one if one.split == "constants" else Trained(line(known(1, 2), _named(one.name))) for one in everything]
    fitted = [compared("constants", those, []).answers["predictor"] for those in (everything, other)]
    assert [one.probability for one in fitted[0]] == [one.probability for one in fitted[1]]


def _named(name: str) -> Configuration:
    return next(one for one in CONFIGURATIONS if one.name == name)


def test_the_logistic_regression_finds_the_coefficients() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(20_000), rng.normal(size=(20_000, 2))])
    truth = np.array([0.5, -1.0, 2.0])
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-design @ truth))).astype(float)
    assert baselines.logistic(design, labels) == pytest.approx(truth, abs=0.08)


def test_rules_of_thumb() -> None:
    trained = several({"sgd": 4, "adam": 4})
    linear = {one.config: one for one in baselines.one_percent(trained)}
    assert linear["digits-mlp-gain1-sgd"].advised_peak == 0.1
    assert linear["bytes-post-depth2-adam95"].advised_peak == 1e-3
    assert linear["bytes-post-depth2-adam95"].warmup == pytest.approx(4)
    untuned = {one.config: one.warmup for one in baselines.untuned(trained)}
    assert untuned["bytes-post-depth2-adam95"] == pytest.approx(40)
    assert untuned["bytes-post-depth2-adam999"] == 400  # 2000, and the run has 400
    assert not any(name.endswith("sgd") for name in untuned)
    rates = baselines.valley(trained, lambda one: 0.3 if one.name.startswith("bytes") else None)
    assert {one.config for one in rates} == {one.name for one in CONFIGURATIONS if one.name.startswith("bytes")}


def test_the_report_hides_what_is_looked_at_once_until_it_is_asked_for(tmp_path, capsys) -> None:
    trained = several({"sgd": 4, "adam": 3})
    grid, advice = tmp_path / "grid.jsonl", tmp_path / "advice.jsonl"
    lines = [
        line(known({"sgd": 4, "adam": 3}[one.options.optimizer], 2, n), one) for n, one in enumerate(CONFIGURATIONS)
    ]
    grid.write_text("\n".join(map(json.dumps, lines)))
    rows = []
    for one in trained:
        for peak, verdict in zip(one.peaks, one.verdicts, strict=True):
            wrong = one.name == "digits-mlp-gain1-sgd" and peak == one.peaks[0]
            rows.append({"config": one.name, "peak": peak, "probability": 0.9 if verdict.needed or wrong else 0.1})
        rows.append({"config": one.name, "advised_peak": one.oracle[0], "warmup": one.oracle[1], "cost": 20})
    advice.write_text("\n".join(map(json.dumps, rows)))
    arguments = ["score", str(advice), "--results", str(grid), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    text = (tmp_path / "out" / "advisor.md").read_text()
    assert "above the absolute rate's: **met** (0.99 against" in text
    assert "trainings: **met**, **met**, **met** against the best cell; **met**, **met**, **met** against" in text
    assert "### Failures: 1" in text
    assert "said 0.90" in text
    assert (tmp_path / "out" / "digits-mlp-gain1-sgd.svg").read_text().startswith("<svg")
    assert (tmp_path / "out" / "calibration-constants.svg").exists()
    hidden = [one for one in CONFIGURATIONS if one.split == "once"]
    assert not any(one.name in text or f"| {one.family} |" in text for one in hidden)
    assert f"{9 * len(hidden)} answers are about families that are looked at once" in text
    assert main([*arguments, "--once"]) == 0
    assert f"| {hidden[0].family} |" in (tmp_path / "out" / "advisor.md").read_text()
    grid.write_text("\n".join(map(json.dumps, lines[1:])))
    assert main(arguments) == 1
    assert f"not complete: {CONFIGURATIONS[0].name};" in capsys.readouterr().err


def test_advice_that_cannot_be_meant_is_refused(tmp_path) -> None:
    trained, path = [Trained(line(known()))], tmp_path / "advice.jsonl"
    for text, words in (
        ('{"config": "x", "probability": 1.5}', "between 0 and 1"),
        ('{"config": "x", "peak": 0}', "a rate above 0"),
        ('{"config": "x", "peek": 0.1}', "line 1 of advice.jsonl is no advice"),
        ("not JSON", "is no advice"),
    ):
        path.write_text(text)
        with pytest.raises(PreheatError, match=words):
            read(path, trained)


def test_the_picture_shows_every_warmup_and_marks_what_is_at_chance() -> None:
    panel = curves(Trained(line(known())))
    assert [one.name for one in panel.series] == [f"W = {warmup}" for warmup in MLP.warmups]
    assert len(panel.marks) == 3 * 4 + 3 * 2


def test_a_mean_bounds_losses_and_gains_alike() -> None:
    assert mean_within([-39.2, 1.0, 39.2]) == pytest.approx(1 / 3)
    assert mean_within([math.inf, -math.inf]) == 0
    even = np.random.default_rng(0).normal(scale=15, size=20_000)  # worth nothing: as much lost as gained
    assert mean_within(even) == pytest.approx(0, abs=0.15)
    assert mean_within(-even) == pytest.approx(-mean_within(even))


def test_the_report_that_is_published_is_the_one_that_is_made(tmp_path) -> None:
    results, published = ROOT / "benchmarks/advisor/results", ROOT / "docs/advisor/advisor.md"
    given = [str(results / "answers.jsonl"), "--results", str(results / "grid.jsonl")]
    assert main(["score", *given, "--out", str(tmp_path), "--once"]) == 0
    assert (tmp_path / "advisor.md").read_text(encoding="utf-8") == published.read_text(encoding="utf-8")
