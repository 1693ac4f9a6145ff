"""The shared arguments: one way or the other, exact shares, factors or rates, and refusals that teach."""

import numpy as np
import pytest

import preheat as ph
from preheat import PreheatError
from preheat.recipes import (
    constant,
    cosine,
    exponential_decay,
    inverse_sqrt,
    linear,
    multistep,
    noam,
    one_cycle,
    polynomial,
    radam,
    restarts,
    step_decay,
    untuned_exponential,
    untuned_linear,
    wsd,
)

WARMED = {
    "constant": constant,
    "cosine": cosine,
    "exponential_decay": exponential_decay,
    "inverse_sqrt": inverse_sqrt,
    "linear": linear,
    "multistep": lambda **options: multistep([500], **options),
    "polynomial": polynomial,
    "restarts": lambda **options: restarts(100, **options),
    "step_decay": lambda **options: step_decay(500, **options),
    "wsd": wsd,
}
FLOORED = {name: WARMED[name] for name in ("cosine", "exponential_decay", "linear", "polynomial", "restarts", "wsd")}
TOTALLED = [constant, cosine, exponential_decay, linear, polynomial, wsd]

warmed = pytest.mark.parametrize("recipe", WARMED.values(), ids=WARMED)
unwarmed = pytest.mark.parametrize("recipe", [recipe for recipe in WARMED.values() if recipe is not inverse_sqrt])
floored = pytest.mark.parametrize("recipe", FLOORED.values(), ids=FLOORED)
totalled = pytest.mark.parametrize("recipe", TOTALLED)


@totalled
@pytest.mark.parametrize("total", [2, 7, 999, 10_000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"warmup_ratio": 0.07},
        {"warmup_ratio": 0.333},
        {"warmup_ratio": 1 / 3, "peak_lr": 3e-4},
        {"warmup_steps": 1},
        {"warmup_steps": "1 step"},
        {"warmup_steps": "12.5%", "start_ratio": 0.5},
    ],
)
def test_total_steps_is_binding_to_a_run_of_that_total(recipe, total, options) -> None:
    assert recipe(total, **options) == recipe(**options).bind(ph.Run(total=total))


@pytest.mark.parametrize(
    "options", [{"decay_steps": 3}, {"decay_ratio": 0.333}, {"decay_ratio": 1}, {"decay_steps": 0}]
)
def test_total_steps_is_binding_for_the_decay_of_wsd_too(options) -> None:
    assert wsd(999, **options) == wsd(**options).bind(ph.Run(total=999))
    assert wsd(999, **options).length == 999


@totalled
def test_total_steps_includes_the_warmup(recipe) -> None:
    s = recipe(1000, warmup_steps=100)
    assert s.length == 1000
    assert s(100) == 1.0


@warmed
@pytest.mark.parametrize(
    ("ratio", "percent"), [(0.07, "7%"), (0.57, "57%"), (0.003, "0.3%"), (1e-7, "0.00001%"), (1, "100%"), (0, "0%")]
)
def test_a_ratio_is_the_decimal_that_it_prints_as(recipe, ratio, percent) -> None:
    assert recipe(warmup_ratio=ratio) == recipe(warmup_steps=percent)
    assert repr(percent) in repr(recipe(warmup_ratio=ratio))


@pytest.mark.parametrize("steps", [500, "500 steps", "2B tokens", "2 epochs", "5%", np.int64(500), ph.Span("1 h")])
@warmed
def test_warmup_steps_takes_any_length(recipe, steps) -> None:
    assert ph.Span(steps if isinstance(steps, str) else getattr(steps, "value", steps)).__str__() in repr(
        recipe(warmup_steps=steps)
    )


@unwarmed
def test_without_a_warmup_it_begins_at_the_peak(recipe) -> None:
    assert recipe(peak_lr=0.2).bind(ph.Run(total=1000))(0) == 0.2


@warmed
def test_rates_are_decimals_of_the_peak(recipe) -> None:
    run = ph.Run(total=1000)
    by_ratio = recipe(warmup_steps=10, peak_lr=3e-4, start_ratio=0.1).bind(run)
    by_rate = recipe(warmup_steps=10, peak_lr=3e-4, start_lr=3e-5).bind(run)
    assert by_ratio == by_rate
    assert by_rate(0) == pytest.approx(3e-5, rel=1e-15)
    assert max(by_rate.table(1000)) == 3e-4


@floored
def test_the_floor_is_a_rate_or_a_share_of_the_peak(recipe) -> None:
    assert recipe(peak_lr=3e-4, min_lr_ratio=0.1) == recipe(peak_lr=3e-4, min_lr=3e-5)
    assert "3e-05" in repr(recipe(peak_lr=3e-4, min_lr_ratio=0.1))
    assert ph.absolute(recipe(min_lr_ratio=0.1)) == recipe(peak_lr=1.0, min_lr=0.1)


@warmed
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"warmup_steps": 100, "warmup_ratio": 0.1},
            "warmup_steps=100 and warmup_ratio=0.1 say the same thing twice; keep one of them",
        ),
        (
            {"warmup_steps": 5, "peak_lr": 1, "start_lr": 0.1, "start_ratio": 0.1},
            "start_lr=0.1 and start_ratio=0.1 say the same thing twice; keep one of them",
        ),
        (
            {"warmup_steps": 0.1},
            "warmup_steps=0.1 is less than one update; for a share of the run write warmup_ratio=0.1",
        ),
        ({"warmup_steps": "rest"}, "warmup_steps cannot be 'rest'; write a length such as 2000"),
        ({"warmup_steps": -1}, "a span cannot be negative: -1"),
        ({"warmup_steps": True}, "a span must be a number, not True"),
        ({"warmup_steps": "5 epoks"}, "did you mean 'epoch"),
        (
            {"warmup_ratio": 500},
            "warmup_ratio is a share of the run, from 0 to 1, not 500; write warmup_ratio=0.05, or warmup_",
        ),
        ({"warmup_ratio": -0.1}, "from 0 to 1, not -0.1"),
        ({"warmup_ratio": "5%"}, "warmup_ratio must be a number, not '5%'"),
        ({"warmup_steps": 5, "start_lr": 0.1}, "start_lr=0.1 is a rate, and without peak_lr this schedule is a factor"),
        ({"warmup_steps": 5, "start_ratio": 2}, "start_ratio is a share of the peak, from 0 to 1, not 2"),
        ({"warmup_steps": 5, "peak_lr": 0.1, "start_lr": 0.2}, "start_lr must lie between 0 and peak_lr=0.1, not 0.2"),
        (
            {"warmup_steps": 5, "peak_lr": 0.1, "start_lr": -0.2},
            "start_lr must lie between 0 and peak_lr=0.1, not -0.2",
        ),
        ({"peak_lr": 0}, "peak_lr must be above 0, not 0"),
        ({"peak_lr": -1e-3}, "peak_lr must be above 0, not -0.001"),
        ({"peak_lr": float("nan")}, "peak_lr must be finite"),
        ({"peak_lr": True}, "peak_lr must be a number, not True"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(recipe, options, words) -> None:
    with pytest.raises(PreheatError) as caught:
        recipe(**options)
    assert words in str(caught.value)


@unwarmed
@pytest.mark.parametrize("options", [{"start_ratio": 0.1}, {"peak_lr": 1.0, "start_lr": 0.1}])
def test_a_start_without_a_warmup_is_refused(recipe, options) -> None:
    with pytest.raises(PreheatError, match="are where a warmup starts; give warmup_steps or warmup_ratio too"):
        recipe(**options)


@floored
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"min_lr": 0.1},
            "min_lr=0.1 is a rate, and without peak_lr this schedule is a factor of the optimizer's own rate",
        ),
        ({"min_lr": 0.1}, "write peak_lr=… too, or min_lr_ratio=0.1"),
        (
            {"peak_lr": 1, "min_lr": 0.1, "min_lr_ratio": 0.1},
            "min_lr=0.1 and min_lr_ratio=0.1 say the same thing twice",
        ),
        ({"peak_lr": 0.01, "min_lr": 0.1}, "min_lr must lie between 0 and peak_lr=0.01, not 0.1"),
        ({"min_lr_ratio": 1.5}, "min_lr_ratio is a share of the peak, from 0 to 1, not 1.5; write min_lr_ratio=0.1"),
        ({"min_lr_ratio": "10%"}, "min_lr_ratio must be a number, not '10%'"),
    ],
)
def test_a_floor_that_makes_no_sense_is_refused(recipe, options, words) -> None:
    with pytest.raises(PreheatError) as caught:
        recipe(**options)
    assert words in str(caught.value)


@totalled
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"total_steps": 1000, "warmup_steps": 1500}, "a warmup of 1500 "),
        ({"total_steps": 1000, "warmup_steps": 1500}, "more than the whole run of total_steps=1000; write fewer"),
        ({"total_steps": 1000, "warmup_steps": "2B tokens"}, "'2B tokens' cannot be told from total_steps=1000 alone"),
        (
            {"total_steps": 1000, "warmup_steps": "2 epochs"},
            "write Run(..., steps_per_epoch=…); leave total_steps out and bind",
        ),
        ({"total_steps": "2B tokens"}, "leave it out and bind the schedule to Run(total='2B tokens', …)"),
        ({"total_steps": 0}, "total_steps must be a whole number of updates above 0, not 0"),
        ({"total_steps": -5}, "total_steps must be a whole number of updates above 0, not -5"),
        ({"total_steps": 10.5}, "total_steps must be a whole number of updates above 0, not 10.5"),
        ({"total_steps": True}, "total_steps must be a number, not True"),
        ({"total_steps": float("inf")}, "total_steps must be finite"),
    ],
)
def test_a_total_that_does_not_hold_is_refused(recipe, options, words) -> None:
    with pytest.raises(PreheatError) as caught:
        recipe(**options)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: wsd(1000, warmup_steps=900), "a warmup of 900 and a decay of '20%' would take 1100 updates"),
        (lambda: wsd(decay_steps=10, decay_ratio=0.1), "decay_steps=10 and decay_ratio=0.1 say the same thing twice"),
        (
            lambda: wsd(decay_steps=0.2),
            "decay_steps=0.2 is less than one update; for a share of the run write decay_ratio=0.2",
        ),
        (lambda: wsd(decay_steps="rest"), "decay_steps cannot be 'rest'"),
        (lambda: wsd(decay_ratio=20), "decay_ratio is a share of the run, from 0 to 1, not 20"),
        (lambda: wsd(shape="cosin"), "unknown shape 'cosin'; did you mean 'cosine'?"),
        (lambda: exponential_decay(min_lr_ratio=0), "an exponential ramp needs both ends above 0"),
        (lambda: polynomial(power=0), "the exponent of power(p) must be above 0, not 0"),
        (lambda: multistep([]), "milestones must rise from above 0, not []; write [30_000, 60_000]"),
        (lambda: multistep([5, 3]), "milestones must rise from above 0, not [5, 3]"),
        (lambda: multistep([5, 5]), "milestones must rise"),
        (lambda: multistep([0, 5]), "milestones must rise"),
        (lambda: multistep(["5 epochs", 3]), "milestones need one unit, not ['5 epochs', 3]"),
        (lambda: multistep(["5 epochs", "90%"]), "milestones need one unit"),
        (lambda: multistep("5 epochs"), "milestones are a list, not '5 epochs'; write ['5 epochs']"),
        (lambda: multistep(5), "milestones are a list, not 5; write [5]"),
        (
            lambda: multistep([5, "rest"]),
            "a milestone is a moment of the run, not 'rest', in [5, 'rest']; leave it out",
        ),
        (lambda: multistep([5], factor=10), "factor must lie in (0, 1], not 10; write factor=0.5 to halve"),
        (lambda: step_decay(5, factor=0), "factor must lie in (0, 1], not 0"),
        (lambda: step_decay("rest"), "one repetition must have an end"),
        (lambda: step_decay(0)(1), "which lasts 0 ticks, would never pass"),
        (lambda: restarts("rest"), "restarts('rest') shares the run among its cycles; say how many, such as cycles=4"),
        (lambda: restarts(10, shrink=0.5, min_lr_ratio=0.1), "shrink=0.5 lowers the whole cycle, its min of 0.1 too"),
        (lambda: restarts(10, shrink=0.5, min_lr_ratio=0.1), "restarts(…).clipped(low=0.1)"),
        (lambda: restarts(10, shrink=2), "shrink must lie in (0, 1], not 2"),
        (lambda: restarts(10, stretch=0.5), "would end all the same; give the number of repetitions"),
        (lambda: restarts(10, cycles=0), "a whole number from 1"),
        (lambda: one_cycle(pct_start=3), "pct_start is a share of the run, from 0 to 1, not 3"),
        (
            lambda: one_cycle(div_factor=0.5),
            "div_factor divides, so it must be 1 or more, not 0.5; torch's default is 25",
        ),
        (lambda: one_cycle(final_div_factor=0), "torch's default is 10000"),
        (lambda: one_cycle(0), "total_steps must be a whole number"),
        (lambda: noam(0), "d_model must be above 0, not 0"),
        (lambda: noam(512, "4000 steps"), "warmup_steps must be a number of updates, 1 or more, not '4000 steps'"),
        (
            lambda: noam(512, 0.1),
            "warmup_steps must be a number of updates, 1 or more, not 0.1; write warmup_steps=4000",
        ),
        (lambda: inverse_sqrt(0), "without a warmup write timescale=10_000"),
        (lambda: inverse_sqrt(timescale=0), "needs τ above 0"),
        (lambda: untuned_linear(1), "beta2 must lie in [0, 1), not 1; Adam's default is 0.999"),
        (lambda: untuned_exponential(-0.1), "beta2 must lie in [0, 1), not -0.1"),
        (lambda: radam(0.5), "beta2 must lie between 0.6 and 1"),
    ],
)
def test_each_recipe_refuses_what_it_cannot_mean(build, words) -> None:
    with pytest.raises(PreheatError) as caught:
        build()
    assert words in str(caught.value)


def test_a_warmup_as_long_as_the_run_is_allowed() -> None:
    assert cosine(100, warmup_steps=100) == ph.ramp(0, 1, 100) >> ph.hold(0.0, 0)
    assert wsd(100, warmup_steps=80) == ph.ramp(0, 1, 80) >> ph.decay(20, shape="sqrt")


def test_an_untuned_warmup_longer_than_the_run_is_refused() -> None:
    with pytest.raises(ph.BindError, match="the parts need 1999 steps and the run has 1000"):
        (untuned_linear() * cosine()).bind(ph.Run(total=1000))


def test_the_edges_of_one_cycle_are_plain_ramps() -> None:
    assert one_cycle(10, pct_start=0) == ph.ramp(1, 4e-6, 10, "cosine")
    assert one_cycle(10, pct_start=1) == ph.ramp(0.04, 1, 10, "cosine") >> ph.hold(4e-06, 0)


def test_a_warmup_of_zero_counts_as_one() -> None:
    assert cosine(10, warmup_steps=0, start_ratio=0.5) == cosine(10)
