"""Schedules as values: equality, hashing, what is refused at construction, deep and wide trees."""

import math
import pickle
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import preheat as ph


def test_one_and_one_point_nought_are_one() -> None:
    for a, b in [
        (ph.ramp(0, 1, 10), ph.ramp(0.0, 1.0, 10.0)),
        (ph.ramp(-0.0, 1, 10), ph.ramp(0, 1, np.int64(10))),
        (ph.hold(1, 5).scaled(2), ph.hold(1.0, 5).scaled(np.float64(2))),
        (ph.table([1, 2]), ph.table(np.array([1.0, 2.0]))),
        (ph.hold(1, 5).repeated(2, 1, 1), ph.hold(1, 5.0).repeated(np.int32(2))),
        (ph.decay(5, shape="1-sqrt"), ph.decay(5, shape="sqrt")),
        (ph.decay(5, shape=ph.power(2)), ph.decay(5, shape="power(2.0)")),
        (ph.hold(1, "1.50B  tokens"), ph.hold(1, "1.5B tokens")),
        (ph.hold(1, "2k"), ph.hold(1, 2000)),
        (ph.hold(Fraction(1, 2), 5), ph.hold(0.5, 5)),
    ]:
        assert a == b
        assert hash(a) == hash(b)
        assert repr(a) == repr(b)


def test_different_schedules_differ_and_are_not_equal_to_other_things() -> None:
    all_of_them = [
        ph.hold(1, 5),
        ph.hold(1, 6),
        ph.hold(1),
        ph.hold(1, 5).scaled(1),
        ph.hold(1, 5) >> ph.hold(1, 6),
        ph.hold(1, 5) * ph.hold(1, 6),
        ph.lower(ph.hold(1, 5), ph.hold(1, 6)),
        ph.upper(ph.hold(1, 5), ph.hold(1, 6)),
        ph.ramp(1, 1, 5),
        ph.ramp(1, 1, 5, "cosine"),
    ]
    assert len(set(all_of_them)) == len(all_of_them)
    assert ph.hold(1, 5) != 1
    assert ph.hold(1, 5) != "hold(1.0, 5)"


def test_a_schedule_cannot_be_changed() -> None:
    s = ph.hold(1, 5)
    with pytest.raises(AttributeError):
        s.value = 2
    with pytest.raises(AttributeError):
        del s.value
    assert s == ph.hold(1, 5)


@pytest.mark.parametrize(
    "value", [True, np.bool_(True), "1", None, 1j, math.nan, math.inf, 10**400, [1], Decimal(1), np.array([1])]
)
def test_what_is_no_number_is_no_value_and_no_span(value: object) -> None:
    for call in (
        lambda: ph.hold(value, 5),
        lambda: ph.ramp(0, value, 5),
        lambda: ph.hold(1, 5).scaled(value),
        lambda: ph.hold(1, 5).shifted(value),
        lambda: ph.power(value),
        lambda: ph.table([value]),
    ):
        with pytest.raises(ph.PreheatError):
            call()
    if value != "1":
        with pytest.raises(ph.PreheatError):
            ph.hold(1, value)


def test_numbers_and_schedules_do_not_mix_and_the_error_says_what_to_write() -> None:
    s = ph.hold(1, 5)
    for call, advice in [
        (lambda: 2 * s, r"schedule\.scaled\(2\)"),
        (lambda: s * 2, r"schedule\.scaled\(2\)"),
        (lambda: np.float64(2) * s, r"scaled"),
        (lambda: s >> 2, r"schedule >> hold\(2\)"),
        (lambda: 2 >> s, r"hold\(2, span\) >> schedule"),
    ]:
        with pytest.raises(ph.PreheatError, match=advice):
            call()


def test_a_preheat_error_is_a_value_error_and_names_what_to_write() -> None:
    assert issubclass(ph.PreheatError, ValueError)
    assert issubclass(ph.BindError, ph.PreheatError)
    assert issubclass(ph.ParseError, ph.PreheatError)
    with pytest.raises(ph.PreheatError, match="write a small end"):
        ph.ramp(0, 1, 10, "exponential")
    with pytest.raises(ph.BindError, match=r"\.bind\(Run\("):
        ph.hold(1, "5%")(0)
    with pytest.raises(ph.BindError, match="steps_per_epoch"):
        ph.hold(1, "2 epochs").bind(ph.Run(total=10))
    with pytest.raises(ph.BindError, match="truncate=True"):
        ph.hold(1, 11).bind(ph.Run(total=10))


def test_two_rests_in_one_sequence_are_refused_however_deep() -> None:
    for call in (
        lambda: ph.hold() >> ph.hold(),
        lambda: ph.hold() >> ph.hold(1, 5) >> ph.decay(),
        lambda: ph.hold() >> (ph.warmup(5) >> ph.decay()).scaled(2),
        lambda: ph.hold() >> (ph.hold() * ph.decay()),
        lambda: (ph.warmup(5) >> ph.hold()).repeated(3) >> ph.decay(),
    ):
        with pytest.raises(ph.PreheatError, match="at most one 'rest'"):
            call()
    ph.hold() >> (ph.hold(1, 5) * ph.hold())  # a product with a fixed operand does not grow


def test_nesting_is_limited_at_construction_and_every_allowed_depth_works() -> None:
    s = ph.hold(1, 5)
    for _ in range(30):
        s = s.scaled(0.5).scaled(2) if s._depth < 30 else s
    while True:
        try:
            s = ph.lower(s, ph.hold(1, 5))
        except ph.PreheatError as refusal:
            assert "32" in str(refusal)  # noqa: PT017
            break
    assert s._depth == 32
    assert ph.parse(repr(s)) == s == pickle.loads(pickle.dumps(s)) == ph.from_dict(ph.to_dict(s))
    assert s.function(3) == s(3)


def test_the_deepest_brackets_parse() -> None:
    s = ph.ramp(0, 1, 5, ph.reverse(ph.power(2)))
    while s._depth < 31:
        s = ph.lower(s >> ph.hold(1, 5), ph.hold(1, 5))
    assert ph.parse(repr(s)) == s


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s.repeated(2, stretch=1.01),
        lambda s: ph.lower(s, ph.hold(1, 5)),
        lambda s: ph.upper(ph.hold(), s),
        lambda s: ph.lower(ph.hold(1, 5), (s >> ph.hold()).scaled(1)),
        lambda s: (s >> ph.hold(1, "1%")).truncated("50%"),
        lambda s: s.shifted(1).clipped(0, 1),
    ],
    ids=["repeated", "lower", "upper", "mixed", "truncated", "clipped"],
)
def test_depth_costs_no_more_than_its_length(wrap) -> None:
    start, s = time.process_time(), ph.hold(1, "1%")
    while s._depth < 27:
        s = wrap(s)
    b = s.bind(ph.Run(total=10**9), truncate=True)
    assert b.function(3) == b(3)
    assert time.process_time() - start < 5


def test_a_thousand_parts_evaluate_print_parse_and_pickle() -> None:
    start = time.process_time()
    s = ph.ramp(0, 1, 10)
    for i in range(999):
        s = s >> ph.ramp(i % 7, i % 5, 10, "cosine")
    assert len(s.parts) == 1000
    assert ph.parse(repr(s)) == s
    assert pickle.loads(pickle.dumps(s)) == s
    assert ph.from_dict(ph.to_dict(s)) == s
    assert hash(ph.parse(repr(s))) == hash(s)
    b = s.bind(ph.Run(total=10_000))
    assert b.length == 10_000
    assert [b.function(t) for t in range(0, 10_000, 37)] == [b(t) for t in range(0, 10_000, 37)]
    assert np.array_equal(b.table(10_000), b(np.arange(10_000)))
    assert time.process_time() - start < 20


def test_a_thousand_factors_evaluate_print_and_parse() -> None:
    s = ph.hold(1.001, 10)
    for _ in range(999):
        s = s * ph.hold(1.001, 10)
    assert ph.parse(repr(s)) == s
    assert s.function(5) == s(5) == pytest.approx(1.001**1000)


def test_a_big_table_evaluates() -> None:
    s = ph.table([i / 10 for i in range(20_000)])
    assert s(12_345) == 1234.5
    assert s.function(12_345) == 1234.5
    assert ph.parse(repr(s)) == s


def test_values_that_would_overflow_are_refused_at_bind() -> None:
    s = ph.hold(1e200, 5)
    for big in (s * s, s.scaled(1e200), ph.hold(1, 5).repeated(2000, shrink=2.0), ph.ramp(-1.7e308, 1.7e308, 5)):
        with pytest.raises(ph.PreheatError, match=r"overflow|finite"):
            big.bind(ph.Run(total=100_000))


def test_lengths_beyond_2_to_the_53_are_refused() -> None:
    with pytest.raises(ph.PreheatError, match="2\\^53"):
        ph.hold(1, 2**53 + 2)
    with pytest.raises(ph.PreheatError, match="2\\^53"):
        ph.Run(total="9999999T tokens", clock="token")
    with pytest.raises(ph.BindError, match="2\\^53"):
        ph.hold(1, 2**52).repeated(3)(0)
    assert ph.hold(1, 2**53)(2**53) == 1
