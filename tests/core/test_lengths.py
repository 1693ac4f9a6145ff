"""Spans and runs: one spelling each, exact conversion, totals that are always right."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

import preheat as ph
from preheat.core.spans import PATTERN

RUN = ph.Run(total=9_999, steps_per_epoch=500, samples_per_step=32, tokens_per_step=4_194_304)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (5, "5"),
        (5.0, "5"),
        (2.5, "2.5"),
        ("5", "5"),
        ("2k", "2000"),
        ("1.5M", "1500000"),
        ("1_000 steps", "'1000 steps'"),
        ("1 steps", "'1 step'"),
        ("1 step", "'1 step'"),
        ("1.50B  tokens", "'1.5B tokens'"),
        ("1e3 samples", "'1000 samples'"),
        ("0.50 epoch", "'0.5 epochs'"),
        (" 5 % ", "'5%'"),
        ("6h", "'6 h'"),
        ("90 s", "'90 s'"),
        ("rest", "'rest'"),
    ],
)
def test_a_span_has_one_spelling(text: ph.Span | str | float, printed: str) -> None:
    assert str(ph.Span(text)) == printed
    assert ph.Span(ph.Span(text)) == ph.Span(text)


@pytest.mark.parametrize(
    "text", ["", "five", "-5", "5 %%", "5 parsecs", "5k%", "5 K tokens", "nan", "inf", "1e999", "٣", "5\0"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ph.PreheatError):
        ph.Span(text)


def test_decimals_are_exact() -> None:
    assert ph.Span("7%").exact(ph.Run(total=10_000)) == 700
    assert ph.Span("0.1%").exact(RUN) == Fraction(9_999, 1000)
    assert ph.Span("2B tokens").exact(RUN) == Fraction(2 * 10**9, 4_194_304)
    thirds = ph.steps([1, 2, 3], ["33.3%", "33.3%", "33.4%"]).bind(RUN)
    assert thirds.length == 9_999
    assert thirds == ph.steps([1, 2, 3], [3330, 3329, 3340])


def test_edges_are_rounded_half_up_and_lengths_are_their_differences() -> None:
    halves = ph.steps([1, 2, 3, 4], ["25%"] * 4)
    assert repr(halves.bind(ph.Run(total=10))) == "hold(1.0, 3) >> hold(2.0, 2) >> hold(3.0, 3) >> hold(4.0, 2)"
    nested = ph.hold(1, "25%") >> (ph.hold(2, "25%") >> ph.hold(3, "25%")).scaled(1) >> ph.hold(4, "25%")
    assert nested.bind(ph.Run(total=10)).length == 10


def test_totals_come_in_every_unit_and_are_rounded_up() -> None:
    assert ph.Run(total="3 epochs", steps_per_epoch=500) == ph.Run(total=1500, steps_per_epoch=500)
    assert ph.Run(total="2B tokens", tokens_per_step=4_194_304).total == 477
    assert ph.Run(total="6 h", clock="second").total == 21_600
    assert ph.Run(total="10k samples", samples_per_step=3, clock="step").total == 3334
    assert ph.hold(1, "30 min").bind(ph.Run(total="6 h", clock="second")).length == 1800
    assert repr(ph.Run(total="6 h", clock="second")) == "Run(total=21600, clock='second')"


def test_what_a_run_does_not_know_is_asked_for_by_name() -> None:
    for span, run, name in [
        ("2 epochs", ph.Run(total=10), "steps_per_epoch="),
        ("2 samples", ph.Run(total=10), "samples_per_step="),
        ("2 tokens", ph.Run(total=10), "tokens_per_step="),
        ("5%", ph.Run(), "Run\\(total="),
        ("6 h", ph.Run(total=10), "clock='second'"),
        ("5 steps", ph.Run(total=10, clock="second"), "ticks"),
    ]:
        with pytest.raises(ph.BindError, match=name):
            ph.hold(1, span).bind(run)


def test_rest_is_what_is_left_wherever_it_stands() -> None:
    run = ph.Run(total=100)
    assert (ph.hold() >> ph.decay("10%")).bind(run).parts[0].length == 90
    assert (ph.warmup(10) >> ph.decay().scaled(2) >> ph.hold(0, 5)).bind(run).length == 100
    assert (ph.warmup(10) >> ph.hold()).repeated(3).bind(run).length == 100
    assert (ph.warmup(100) >> ph.hold()).bind(run) == ph.warmup(100)  # a rest of 0 is dropped
    assert (ph.warmup("100%") >> ph.decay() >> ph.hold(0.5, 0)).bind(run) == ph.warmup(100) >> ph.hold(0.5, 0)
    assert (ph.warmup("100%") >> ph.decay()).bind(run)(100) == 0  # the end of a last part of 0 is what comes after
    assert (ph.warmup(10) >> ph.decay(0, to=0.1))(9.5) == 0.95
    assert (ph.warmup(10) >> ph.decay(0, to=0.1))(10) == (ph.warmup(10) >> ph.decay(0, to=0.1)).function(11) == 0.1
    assert (ph.hold(2, 0) >> ph.hold(3, 0)).bind(run)(50) == 3  # a lone one is the constant `end`
    assert ph.ramp(5, 7, 0).bind(run)(0) == 7
    shared = (ph.hold(1, 1) >> ph.hold(2)).repeated(3).bind(run)
    assert [shared(t) for t in (0, 1, 32, 33, 34, 66, 99)] == [1, 2, 2, 1, 2, 1, 2]


def test_an_operand_that_only_holds_takes_the_longest_of_the_others() -> None:
    s = ph.lower(ph.hold(1, 10), ph.warmup(20) >> ph.hold(), ph.hold(0.5)).bind(ph.Run(total=100))
    assert s == ph.lower(ph.hold(1, 10), ph.warmup(20), ph.hold(0.5, 20))
    assert ph.decay(168.745).clipped(0.1, 0.9).bind(ph.Run(total=1000)).length == 168.745
    assert (ph.decay(20).clipped(0.1) >> ph.hold(0.1)).bind(ph.Run(total=100)).parts[0].length == 20


def test_an_operand_that_moves_in_its_rest_makes_the_whole_grow() -> None:
    run = ph.Run(total=100)
    assert (ph.warmup(10) * ph.decay()).bind(run) == ph.warmup(10) * ph.decay(100)
    assert (ph.warmup(10) * (ph.hold() >> ph.decay(20))).bind(run)(90) == 0.5
    assert (ph.warmup(10) + ph.decay()).bind(run)(50) == 1.5
    assert (ph.hold(2, 5) * ph.invsqrt(4))(12) == 1
    assert (ph.hold(2, 5) * ph.invsqrt(4)).length == math.inf
    assert (ph.warmup(5) >> ph.lower(ph.decay(), ph.decay(3).repeated())).bind(run)(53) == 1 - 48 / 95
    for open_end in (ph.warmup(10) * ph.decay(), ph.warmup(10) * (ph.hold() >> ph.decay(20))):
        with pytest.raises(ph.BindError, match="is not known"):
            open_end(3)


def test_an_endless_part_excuses_nothing() -> None:
    cycle = ph.decay(3).repeated()
    for s in (
        ph.warmup(1000) >> cycle,
        ph.warmup(1000) * cycle,
        (ph.warmup(1000) >> cycle).scaled(2),
        (ph.warmup(10) >> cycle).shifted(990),
        (ph.warmup(1000) >> cycle).stepwise(10),
    ):
        with pytest.raises(ph.BindError, match="need 1000 steps and the run has 100"):
            s.bind(ph.Run(total=100))
        assert s.bind(ph.Run(total=1000)).length == math.inf
    assert (ph.warmup(1000) >> cycle).shifted(-950).bind(ph.Run(total=100)).length == math.inf


@pytest.mark.parametrize(
    ("s", "length"),
    [
        (ph.ramp(1, 0, 48.4).shifted(734), 782.4),
        (ph.ramp(1, 0, 0.3).shifted(-0.1), 0.3 - 0.1),
        (((ph.hold(0) >> ph.ramp(1, 1, 0.3)).shifted(0) >> ph.ramp(1, 1, 7.3)).bind(ph.Run(total=999)), 999),
        (ph.ramp(1, 0, 168.745).clipped(0, 1) >> ph.hold(0, 1), 169.745),
    ],
)
def test_fractional_lengths_are_exact_to_the_end(s: ph.Schedule, length: float) -> None:
    assert s.length == pytest.approx(length, rel=1e-15)
    assert s.length == length or isinstance(length, float)
    assert s(s.length) == s.function(s.length) == s(np.array([s.length]))[0] == s(math.inf)


def test_steps_of_a_unit_do_not_drift_away_from_it() -> None:
    s = ph.decay().stepwise("1 epoch").bind(ph.Run(total=37, steps_per_epoch=7.4))
    assert s == ph.decay(37).stepwise(7.4)
    assert [k for k in range(1, 37) if s(k) != s(k - 1)] == [8, 15, 23, 30]
    assert [s(t) for t in (7, 8, 36)] == pytest.approx([1, 0.8, 0.2], rel=1e-15)
    thirds = ph.decay().stepwise("33.333333333%").bind(ph.Run(total=3_000_000))
    assert thirds(999_999) == 1 > thirds(1_000_000)
    for span in (0, "rest"):
        with pytest.raises(ph.PreheatError, match="stepwise takes a length above 0"):
            s.stepwise(span)


def test_repetitions_of_units_are_alike_and_fit() -> None:
    s = (ph.warmup("1%") >> ph.decay("9%")).repeated(10)
    assert s.bind(ph.Run(total=1000)) == (ph.warmup(10) >> ph.decay(90)).repeated(10)
    assert s.bind(ph.Run(total=1005)).length == 1005
    assert s.bind(ph.Run(total=1005)) == (ph.warmup(10) >> ph.decay(90)).repeated(10) >> ph.hold(0, 5)
    again = ph.decay("12.5%").repeated(8)
    assert [again.bind(ph.Run(total=total)).length for total in range(8, 40)] == list(range(8, 40))


def test_what_is_longer_than_the_run_is_refused_or_cut() -> None:
    s = ph.warmup(10) >> ph.decay(100)
    with pytest.raises(ph.BindError, match="need 110 steps and the run has 50"):
        s.bind(ph.Run(total=50))
    cut = s.bind(ph.Run(total=50), truncate=True)
    assert cut.length == 50
    assert cut(49) == s(49)
    assert cut(200) == s(50)
    assert ph.decay(3).repeated().bind(ph.Run(total=10)).length == float("inf")


@pytest.mark.parametrize(
    ("spelled", "short"),
    [("1 second", "1 s"), ("90 seconds", "90 s"), ("2 minutes", "2 min"), ("6 hours", "6 h"), ("1 day", "1 d")],
)
def test_wall_time_may_be_spelled_out_and_is_written_short(spelled: str, short: str) -> None:
    assert ph.Span(spelled) == ph.Span(short)
    assert str(ph.Span(spelled)) == repr(short)
    assert ph.Run(total=spelled, clock="second") == ph.Run(total=short, clock="second")
    assert re.match(PATTERN, spelled)
