"""Spans and runs: one spelling each, exact conversion, totals that are always right."""

from fractions import Fraction

import pytest

import preheat as ph

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
        ("01.50B  tokens", "'1.5B tokens'"),
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
    assert (ph.warmup("100%") >> ph.decay() >> ph.hold(0.5, 0)).bind(run)(100) == 1
    assert (ph.hold(2, 0) >> ph.hold(3, 0)).bind(run)(50) == 3  # a lone one is the constant `end`
    assert ph.ramp(5, 7, 0).bind(run)(0) == 7
    shared = (ph.hold(1, 1) >> ph.hold(2)).repeated(3).bind(run)
    assert [shared(t) for t in (0, 1, 32, 33, 34, 66, 99)] == [1, 2, 2, 1, 2, 1, 2]


def test_a_growing_operand_takes_the_longest_of_the_others() -> None:
    s = ph.lower(ph.hold(1, 10), ph.warmup(20) >> ph.hold(), ph.decay()).bind(ph.Run(total=100))
    assert s.length == 20
    assert s.operands[2] == ph.decay(20)


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
