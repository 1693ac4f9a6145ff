"""Predictions held against problems that are known exactly, and what is refused or said not to be known."""

import functools
import json

import numpy as np
import pytest
from benchmarks.predictor.exact import FITTED, SCHEDULES, rates
from benchmarks.predictor.judged import correlation
from benchmarks.predictor.recursion import risks

import preheat as ph
from preheat import PreheatError
from preheat.measure import predict
from preheat.measure.predicting.prediction import Prediction
from preheat.measure.predicting.runs import Logged

SHORT, LONG = 500, 4000
CORRELATION, REGRET = 0.9, 0.005  # of ten schedules at 8 times the horizon; regret in nats
PROBLEMS = {
    "much noise": {"a": 1.6, "b": 1.4, "noise": 1.0, "peak": 0.1},
    "slow modes": {"a": 1.5, "b": 1.5, "noise": 0.25, "peak": 0.05},
    "fast modes": {"a": 2.0, "b": 1.5, "noise": 0.5, "peak": 0.1},
}


@functools.cache
def logged(a: float, b: float, noise: float, peak: float) -> tuple[Logged, ...]:
    short = rates(SHORT, peak, FITTED)
    losses = risks(short, a=a, b=b, noise=noise)
    return tuple(Logged(name, r, np.arange(SHORT + 1), x) for name, r, x in zip(FITTED, short, losses, strict=True))


RUNS = logged(**PROBLEMS["slow modes"])


@functools.cache
def found(total: int = 700) -> Prediction:
    return predict(RUNS, SCHEDULES, total=total)


def test_a_sample_of_the_recursion_is_what_it_says():
    """One mode, 20,000 runs with samples: the mean of their losses."""
    random, steps = np.random.default_rng(0), np.full((1, 12), 0.3)
    w = np.where(random.random(20_000) < 0.5, -1.0, 1.0)
    seen = [0.5 * (w**2 + 0.5).mean()]
    for eta in steps[0]:
        x, noise = random.standard_normal(20_000), np.sqrt(0.5) * random.standard_normal(20_000)
        w = w - eta * x * (x * w - noise)
        seen.append(0.5 * (w**2 + 0.5).mean())
    assert risks(steps, modes=1, a=1.0, b=0.0, noise=0.5)[0] == pytest.approx(seen, rel=0.05)


def test_schedules_are_ranked_at_eight_times_the_horizon():
    ranks, controls = [], []
    for problem in PROBLEMS.values():
        said = predict(logged(**problem), SCHEDULES, total=LONG)
        setting = {k: v for k, v in problem.items() if k != "peak"}
        came = risks(rates(LONG, problem["peak"]), **setting)[:, -1]
        differences = [one.difference for one in said.schedules]
        ranks.append(correlation(differences, came))
        controls.append(correlation(said.control.differences, came))
        assert came[int(np.argmin(differences))] - came.min() <= REGRET
        assert not said.schedules[int(came.argmin())].known
        assert said.trusted
    assert np.mean(ranks) >= CORRELATION
    assert np.mean(controls) < np.mean(ranks) - 0.1


def test_a_schedule_that_was_run_is_predicted_as_it_came():
    said = predict(RUNS, {name: SCHEDULES[name] for name in FITTED}, total=SHORT)
    for one, run in zip(said.schedules, RUNS, strict=True):
        assert one.loss is not None
        assert one.loss[0] == pytest.approx(run.losses[-1], rel=0.01)
        assert one.loss[1] <= run.losses[-1] <= one.loss[2]


@pytest.mark.parametrize("total", [SHORT, SHORT + 20, 3 * SHORT])
def test_intervals_hold_from_the_shortest_horizon_on(total):
    problem = PROBLEMS["slow modes"]
    setting = {k: v for k, v in problem.items() if k != "peak"}
    came = risks(rates(total, problem["peak"]), **setting)[:, -1]
    for one, true in zip(found(total).schedules, came, strict=True):
        assert one.low - 1e-9 <= true - came[0] <= one.high + 1e-9


def test_losses_are_said_near_the_horizon_only():
    assert all(one.loss is not None for one in found(700).schedules)
    assert all(one.loss is None for one in found(800).schedules)
    assert "Losses themselves are not predicted" in found(800).sentence
    assert "loss" in found(700).table[0]
    assert "loss" not in found(800).table[0]


def test_the_parts_agree():
    said = found()
    assert sum(law.weight for law in said.laws) == pytest.approx(1)
    assert sum(one.best for one in said.schedules) == pytest.approx(1)
    assert said.schedules[0].difference == 0
    for place, one in enumerate(said.schedules):
        together = sum(law.weight * law.differences[place] for law in said.laws)
        assert one.difference == pytest.approx(together)
        assert one.low <= one.high
        assert one.regret >= 0
    assert not said.ordered[0].known
    assert said.undecided[0] is said.ordered[0]


def test_it_prints_draws_and_is_json():
    said = found()
    assert said.ordered[0].name in said.sentence.replace("\n", " ")
    assert "Good for: the order of schedules" in said.sentence
    assert json.loads(json.dumps(said.to_dict()))["schedules"][1]["name"] == list(SCHEDULES)[1]
    assert said.plot().startswith("<svg")
    assert said.panel().series[0].name == "predicted"
    assert len(said.table) == len(SCHEDULES) + 1
    assert len(said.law_table) == 6


def test_it_is_the_same_for_the_same_seed():
    two = {name: SCHEDULES[name] for name in FITTED}
    once = predict(RUNS, two, total=600)
    assert once == predict(RUNS, two, total=600)
    assert once != predict(RUNS, two, total=600, seed=1)


def test_equal_schedules_are_not_told_apart():
    said = predict(RUNS, {"a": "decay()", "b": "decay(to=0)"}, total=600)
    assert len(said.undecided) == 2
    assert [one.best for one in said.schedules] == pytest.approx([0.5, 0.5])
    assert "is not known" in said.sentence


def test_where_losses_know_of_no_decay_no_law_claims_one():
    """Losses made by a power law of the area alone."""
    made = []
    for run in RUNS:
        area = np.maximum(np.concatenate([[0.0], np.cumsum(run.rates)]), 1e-3) / RUNS[0].rates.sum()
        made.append(Logged(run.name, run.rates, run.steps, 1 + 0.1 * area**-0.3))
    said = predict(made, {name: SCHEDULES[name] for name in FITTED}, total=600)
    assert said.control.error < 1e-4
    assert all(abs(law.differences[1] - said.control.differences[1]) < 5e-3 for law in said.laws if law.weight > 0.05)


@pytest.mark.parametrize("seen", [("wsd", "wsd"), ("wsd", "hold"), ("hold", "hold")])
def test_one_way_of_decaying_is_refused(seen):
    rates_of = {"wsd": RUNS[0].rates, "hold": np.full(SHORT, 0.05)}
    runs = [
        Logged(f"{n}{k}", rates_of[n] * (1 - 1e-3 * k), np.arange(SHORT), RUNS[0].losses[:-1])
        for k, n in enumerate(seen)
    ]
    with pytest.raises(PreheatError, match=r"two runs whose rates decay in different ways are needed.*; run two"):
        predict(runs, ["decay()", "hold() >> decay(20%)"], total=600)


TWO = ("decay()", "hold() >> decay(20%)")


@pytest.mark.parametrize(
    ("schedules", "given", "words"),
    [
        (TWO, {"total": 4001}, "predictions were tried up to 8 times"),
        (TWO, {"total": 4001}, "write a total of at most 4,000"),
        (TWO, {"total": 499}, "499 updates are fewer than those of every run that was logged"),
        (TWO, {"total": 1}, "1 update"),
        (TWO, {"total": 0}, "total is a number of updates"),
        (TWO, {"total": 600, "seed": -1}, "seed is a whole number of at least 0"),
        (TWO, {"total": 600, "peak": 0.11}, "beyond 2 times a peak nothing is known"),
        (TWO, {"total": 600, "peak": 0.02}, "beyond 2 times a peak nothing is known"),
        (TWO, {"total": 600, "peak": -1}, "peak must be above 0"),
        ("decay()", {"total": 600}, "two schedules at least"),
        (("decay()", "absolute(ramp(-1, 1, 10))"), {"total": 600}, "below 0"),
        (("decay()", {"weight_decay": "absolute(hold(0.1))"}), {"total": 600}, "no line lr"),
    ],
)
def test_what_cannot_be_known_is_refused(schedules, given, words):
    named = schedules if isinstance(schedules, str) else {str(k): one for k, one in enumerate(schedules)}
    with pytest.raises(PreheatError, match=words):
        predict(RUNS, named, **given)


def test_the_first_is_said_to_be_best_by_how_much():
    said = predict(RUNS, ["hold() >> decay(20%)", "decay(shape=cosine)", "decay()"], total=1500)
    following = said.ordered[1]
    assert f"ends lowest, {following.difference:.4f} ({following.low:.4f} to " in said.sentence
    assert f"below {following.name}, the next." in said.sentence


def test_another_peak_is_said_to_be_less_sure():
    said = predict(RUNS, {"a": "decay()", "b": "hold() >> decay(20%)"}, total=600, peak=0.08)
    assert said.new_peak
    assert "A peak here is none of the runs'" in said.sentence


def test_runs_of_two_peaks_need_one():
    other = Logged("other", RUNS[0].rates * 1.5, RUNS[0].steps, RUNS[0].losses)
    with pytest.raises(PreheatError, match=r"different peaks .*write peak=0.075"):
        predict([*RUNS, other], TWO, total=600)


def test_schedules_are_whatever_can_be_meant_by_one():
    asked = [ph.decay(), "absolute(ramp(0.05, 0, 600))", {"lr": "decay()"}]
    said = predict(RUNS, dict(zip("abc", asked, strict=True)), total=600)
    assert [one.difference for one in said.schedules] == pytest.approx([0, 0, 0], abs=1e-6)
