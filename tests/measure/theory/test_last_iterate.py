"""The last-iterate bound: against the formula as it is written, its closed values, and what nothing can be below."""

import math
import time

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import preheat as ph
from preheat import PreheatError, Run
from preheat.measure import bound, extension, optimal_peak
from preheat.measure.theory.last_iterate import bound_of

USUAL = {
    "linear": ("decay()", 2.0002, 1.000),
    "cosine": ("decay(shape=cosine)", 2.060, 0.971),
    "cosine to 10 %": ("decay(to=0.1, shape=cosine)", 2.279, 0.798),
    "cooldown 20 %": ("hold() >> decay(20%)", 2.160, 0.514),
    "cooldown 20 %, 1-sqrt": ("hold() >> decay(20%, shape=1-sqrt)", 2.126, 0.543),
    "cooldown 40 %": ("hold() >> decay(40%)", 2.058, 0.607),
    "cooldown 60 %": ("hold() >> decay(60%)", 2.017, 0.708),
    "cooldown 80 %": ("hold() >> decay(80%)", 2.0025, 0.832),
    "constant": ("hold()", 3.521, 0.284),
}


def as_written(rates, norms):
    """The two terms of the bound, sum by sum, in O(T²)."""
    n, energy = len(rates), [r * r * g * g for r, g in zip(rates, norms, strict=True)]
    last = sum(rates[k] / sum(rates[k + 1 :]) * sum(energy[k:]) / sum(rates[k:]) for k in range(n - 1))
    return 1 / (2 * sum(rates)), (sum(energy) / sum(rates) + last) / 2


positive = st.floats(1e-3, 1e3)
rows = st.lists(st.tuples(positive, positive), min_size=1, max_size=30)


@given(rows, st.integers(0, 5), positive, positive)
def test_it_is_the_formula_whatever_zeros_stand_before(row, zeros, distance, peak):
    rates, norms = np.array(row).T
    travel, noise = as_written(rates, norms)
    shape, every = np.concatenate([np.zeros(zeros), rates]), np.concatenate([np.ones(zeros), norms])
    found = bound_of("", shape, every / every.max(), distance=distance, norm=float(every.max()))
    assert found.at(peak) == pytest.approx(distance**2 * travel / peak + noise * peak, rel=1e-12)
    assert found.best_peak == pytest.approx(distance * math.sqrt(travel / noise), rel=1e-12)
    assert found.at(found.best_peak) == pytest.approx(found.least, rel=1e-12)
    assert found.at(found.best_peak * 1.1) > found.least < found.at(found.best_peak / 1.1)


@given(rows, st.integers(1, 5))
def test_updates_of_rate_0_are_wasted_wherever_they_are(row, zeros):
    rates = np.array(row)[:, 0]
    short, long = bound_of("", rates), bound_of("", np.concatenate([rates, np.zeros(zeros)]))
    before = bound_of("", np.concatenate([np.zeros(zeros), rates]))
    assert (long.travel, long.noise, long.moving) == (short.travel, short.noise, len(rates))
    assert long.score == pytest.approx(before.score, rel=1e-12)
    assert long.score == pytest.approx(short.score * math.sqrt(1 + zeros / len(rates)), rel=1e-12)
    assert long.score == pytest.approx(long.least * math.sqrt(long.updates), rel=1e-12)
    assert "Rates of 0 at the end" in long.sentence
    assert "Rates of 0 at the end" not in short.sentence


def test_one_bound_has_one_score():
    """Two schedules that train 100 updates of 1,000, at the start and at the end."""
    run = Run(total=1000)
    first, last = bound("decay(100) >> hold(0.0)", run), bound("hold(0.0, 900) >> decay()", run)
    assert first.least == pytest.approx(last.least)
    assert first.score == pytest.approx(last.score)


@pytest.mark.parametrize("text", ["relative(hold(0.3))", "warmup(100)", "decay()", "relative(hold(3.0) >> decay(20%))"])
def test_a_peak_is_the_rate_of_factor_1_whatever_is_given_beside_it(text):
    plain, given = bound(text, Run(total=100)), bound(text, Run(total=100), peak=0.1)
    assert given.peak == 0.1
    assert given.best_peak == pytest.approx(plain.best_peak, rel=1e-12)
    assert given.at(0.2) == pytest.approx(plain.at(0.2), rel=1e-12)
    rates = bound("absolute(hold(0.3))", Run(total=100))
    assert rates.peak == 0.3


@pytest.mark.parametrize("wrong", [math.inf, math.nan, 0.0])
def test_advice_for_a_norm_that_is_no_number_can_be_followed(wrong):
    norms = [1.0, 2.0, wrong, 1.0]
    with pytest.raises(PreheatError, match="write the one of the update before it: an update that was skipped"):
        bound("decay()", Run(total=4), norms)
    assert bound("decay()", Run(total=4), [1.0, 2.0, 2.0, 1.0]).score > 0


@given(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=40))
def test_no_schedule_is_below_what_no_method_can_reach(rates):
    """After T gradients no method is surely nearer than D·G/√T (Drori & Teboulle 2016), and so no bound of one is below."""
    assert bound_of("", np.array(rates)).least >= 1 / math.sqrt(len(rates)) * (1 - 1e-12)


@given(rows, positive)
def test_the_unit_of_the_rate_and_of_the_gradient_is_free(row, factor):
    rates, norms = np.array(row).T
    one = bound_of("", rates, norms / norms.max(), norm=float(norms.max()))
    rates_in_another = bound_of("", rates * factor, norms / norms.max(), norm=float(norms.max()))
    assert rates_in_another.least == pytest.approx(one.least, rel=1e-12)
    assert rates_in_another.best_peak * factor == pytest.approx(one.best_peak, rel=1e-12)
    steeper = bound_of("", rates, norms / norms.max(), distance=3.0, norm=float(norms.max()) * factor)
    assert steeper.least == pytest.approx(3 * factor * one.least, rel=1e-12)
    assert steeper.best_peak == pytest.approx(3 / factor * one.best_peak, rel=1e-12)
    assert steeper.score == pytest.approx(one.score, rel=1e-12)


@pytest.mark.parametrize("name", USUAL)
def test_the_closed_values_of_the_usual_schedules(name):
    text, score, peak = USUAL[name]
    found = bound(text, Run(total=50_000))
    assert found.score == pytest.approx(score, abs=6e-4)
    assert found.best_peak * math.sqrt(50_000) == pytest.approx(peak, abs=6e-4)


def test_only_what_ends_above_zero_grows_with_the_length():
    for name, (text, _, _) in USUAL.items():
        scores = [bound(text, Run(total=n)).score for n in (500, 5_000, 50_000)]
        growing = name in ("constant", "cosine to 10 %")
        assert (scores[2] > scores[1] + 0.01) == growing, name


def in_fifty_digits(rates, norms):
    """The same by sums from the end, which cancel nothing that fifty digits would not hold."""
    area = noise = last = mpmath.mpf(0)
    for rate, norm in zip(map(mpmath.mpf, rates[::-1]), map(mpmath.mpf, norms[: len(rates)][::-1]), strict=True):
        before, area, noise = area, area + rate, noise + rate**2 * norm**2
        last += rate / before * noise / area if before else 0
    return 1 / (2 * area), (noise / area + last) / 2


@pytest.mark.parametrize("text", ["decay(shape=cosine)", "warmup(5%) >> decay(shape=exponential, to=1e-9)", "hold()"])
def test_nothing_cancels(text):
    values = ph.parse(text).bind(Run(total=500)).table(500)
    norms = np.geomspace(1e-6, 1, 500)
    with mpmath.workdps(50):
        travel, noise = (float(x) for x in in_fifty_digits(values.tolist(), norms.tolist()))
    found = bound_of("", values, norms)
    assert abs(found.travel / travel - 1) < 1e-14
    assert abs(found.noise / noise - 1) < 1e-13


def test_runs_of_one_and_two_updates():
    one = bound("decay()", Run(total=1), distance=3, gradient_norms=2)
    assert (one.least, one.best_peak) == (6.0, 1.5)
    two = bound(ph.table([1.0, 0.5]), Run(total=2))
    assert two.at(1) == pytest.approx(1 / 3 + 0.5 * 1.25 / 1.5 + 0.5 * 2 * 1.25 / 1.5)


def test_what_minimises_it_is_linear_decay():
    """Autodiff from a constant descends to a line, but for the last rate: it never reaches the weights of the bound."""
    n = 240
    raw = torch.zeros(n, dtype=torch.float64, requires_grad=True)

    def score(rates):
        area, noise = (x.flip(0).cumsum(0).flip(0) for x in (rates, rates**2))
        b = noise[0] / area[0] + (rates[:-1] / area[1:] * noise[:-1] / area[:-1]).sum()
        return (b / area[0] * n).sqrt()

    def closure():
        optimizer.zero_grad()
        loss = score(raw.exp())
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([raw], max_iter=300, history_size=20, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    rates = raw.detach().exp().numpy()
    best, line = bound_of("", rates).score, 1 - np.arange(n) / n
    assert best == pytest.approx(float(score(torch.from_numpy(rates))), rel=1e-12)
    free = min(bound_of("", np.append(line[:-1], k / n)).score for k in range(1, 20))
    assert best <= free < best * 1.001
    assert best < bound("decay()", Run(total=n)).score < best * (1 + 2 / n)  # decay() as it is: the gap falls with 1/T
    assert rates[: n // 2] / rates[0] == pytest.approx(line[: n // 2], abs=0.01)
    assert best > 1  # D·G/√T, below which nothing can be


def test_it_takes_a_second_at_a_million():
    values = ph.parse("warmup(1%) >> decay(shape=cosine)").bind(Run(total=10**6)).table(10**6)
    begin = time.process_time()
    bound_of("", values)
    assert time.process_time() - begin < 1


def test_rates_have_a_peak_and_factors_are_given_one():
    rates = bound("absolute(ramp(0.3, 0, 1000))", distance=2.0, gradient_norms=3.0)
    factors = bound("decay(1000)", peak=0.3, distance=2.0, gradient_norms=np.full(1000, 3.0))
    assert rates.peak == factors.peak == 0.3
    assert rates.value == pytest.approx(factors.value)
    assert rates.value > rates.least == pytest.approx(factors.least)
    assert "At its peak of 0.3" in str(rates).replace("\n", " ")
    assert bound("decay(1000)", peak=0.3).value is None


def test_it_takes_whatever_names_a_schedule():
    one = bound("warmup(10) >> decay(90)")
    for other in (ph.warmup(10) >> ph.decay(90), ph.Plan({"lr": "warmup(10) >> decay(90)", "momentum": "hold()"})):
        assert bound(other, Run(total=100)).score == one.score
    assert bound("llama2_7b").updates == 500_000
    assert bound("decay()", Run(total="1M tokens", tokens_per_step=1000)).updates == 1000


def test_the_picture_shows_the_best_peak():
    found = bound("decay(1000)", peak=0.1, distance=1, gradient_norms=1)
    curve, best, own = found.panel().series
    assert min(curve.ys) == pytest.approx(found.least) == best.ys[0]
    assert (own.xs, own.ys) == ([0.1], [found.value])
    assert found.plot().startswith("<svg")
    assert "D/G" in bound("decay(10)").panel().x_label


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("hold()",), "never ends"),
        (("decay()",), "Run"),
        (("hold(0, 10)",), "all rates are 0"),
        (("ramp(1e-3, 0, 100)",), "absolute"),
        (("ramp(1, -0.5, 100)",), "the rate of update 67 is below 0"),
        (({"weight_decay": "decay(10)"},), "has no line lr"),
        (("decay(3)", None, [1.0, 2.0]), "has 2 values, and the run has 3"),
        (("decay(3)", None, [1.0, math.nan, 1.0]), "norm of update 1 is no number above 0"),
        (("decay(3)", None, ["one", "two", "x"]), "a row of numbers"),
        (("decay(3)", None, 0), "above 0"),
        (("decay(2)", None, [1e-200, 1.0]), "not those of one training"),
        (("hold(1, 50) >> hold(1e-6, 50)",), "all rates after update 49 together are 5e-05 of its own"),
        (("decay()", Run(total=100, clock="second")), "how many updates one has is not known"),
    ],
)
def test_what_has_no_bound_is_refused(given, words):
    with pytest.raises(PreheatError, match=words):
        bound(*given)


@pytest.mark.parametrize("shape", ["linear", "cosine", "square", "sqrt", "smooth", "rex", "log", "mirror-cosine"])
def test_no_usual_decay_is_too_steep(shape):
    assert bound(ph.decay(shape=shape), Run(total=1000)).score < 4
    assert bound(ph.decay(shape=ph.reverse(shape)), Run(total=1000)).score < 4


def test_a_peak_for_rates_is_refused():
    with pytest.raises(PreheatError, match="these are rates"):
        bound("absolute(ramp(0.3, 0, 1000))", peak=0.1)


# -- peaks -------------------------------------------------------------------------------------------------------------


def test_a_peak_is_carried_to_another_shape_and_length():
    run = Run(total=10_000)
    there = optimal_peak("hold() >> decay(20%)", 1e-3, ph.decay(), run)
    assert there.ratio == pytest.approx(1.94, abs=0.005)
    assert float(there) == there.peak == 1e-3 * there.ratio
    assert optimal_peak(ph.decay(), there.peak, "hold() >> decay(20%)", run).peak == pytest.approx(1e-3)
    assert optimal_peak(ph.decay(), 0.1, ph.decay(), run).peak == 0.1
    longer = optimal_peak(ph.decay(), 0.1, ph.decay(), run, Run(total=90_000))
    assert longer.ratio == pytest.approx(1 / 3, rel=1e-3)
    assert "more than 2 times away" in longer.sentence
    assert "more than 2 times away" not in there.sentence
    assert there.plot().startswith("<svg")
    assert optimal_peak("llama2_7b", 3e-4, "decay()", run).own.name == "llama2_7b"


@pytest.mark.parametrize("pair", [("absolute(decay(9))", "decay(9)"), ("decay(9)", "absolute(decay(9))")])
def test_a_peak_of_rates_is_not_carried(pair):
    with pytest.raises(PreheatError, match="factors are needed"):
        optimal_peak(pair[0], 0.1, pair[1])


def test_a_run_that_is_extended_goes_on_lower():
    on = extension("hold() >> decay(20%)", 1e-3, "hold() >> decay(20%)", Run(total=1000), Run(total=4000), at=800)
    values = ph.parse("hold() >> decay(20%)").bind(Run(total=4000)).table(4000)
    best = bound("hold() >> decay(20%)", Run(total=1000)).best_peak

    def value(multiplier):
        return bound_of("", np.where(np.arange(4000) < 800, values, multiplier * values)).at(best)

    assert value(on.multiplier) < min(value(on.multiplier * 1.001), value(on.multiplier / 1.001))
    assert on.gain == pytest.approx(1 - value(on.multiplier) / value(1.0))
    assert on.peak == 1e-3 * on.multiplier < 1e-3
    assert on.plot().startswith("<svg")
    longer = extension("hold() >> decay(20%)", 1e-3, "hold() >> decay(20%)", Run(total=1000), Run(total=9000), at=800)
    assert longer.multiplier < on.multiplier


def test_what_is_not_extended_keeps_its_peak():
    assert extension("decay()", 1e-3, "decay()", Run(total=500), at=0).multiplier == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("at", [-1, 499, 500, 0.5])
def test_an_extension_begins_within_the_run(at):
    with pytest.raises(PreheatError, match="at is an update of the run"):
        extension("decay()", 1e-3, "decay()", Run(total=500), at=at)
