"""Text, data and values: a schedule is what it prints."""

import contextlib
import copy
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    any_tree,
    bare_spans,
    bound,
    growing,
    ready,
    shallow,
    shapes,
    unit_spans,
    written,
)

import preheat as ph

everything = st.one_of(written, any_tree, bound())


@given(everything)
def test_what_prints_parses_to_an_equal_value(s: ph.Schedule) -> None:
    again = ph.parse(repr(s))
    assert again == s
    assert hash(again) == hash(s)
    assert repr(again) == repr(s)


@given(everything)
def test_a_schedule_survives_json(s: ph.Schedule) -> None:
    assert ph.from_dict(json.loads(json.dumps(ph.to_dict(s), allow_nan=False))) == s


@given(everything)
def test_a_schedule_survives_pickle_and_copies_even_after_it_was_called(s: ph.Schedule) -> None:
    with contextlib.suppress(ph.BindError):
        s.function(1)
    assert pickle.loads(pickle.dumps(s)) == s
    assert copy.deepcopy(s) == s
    assert copy.copy(s) == s


@given(shallow, shallow, shallow)
def test_then_and_product_are_associative_as_values(a: ph.Schedule, b: ph.Schedule, c: ph.Schedule) -> None:
    assert (a >> b) >> c == a >> (b >> c)
    assert (a * b) * c == a * (b * c)
    assert hash((a >> b) >> c) == hash(a >> (b >> c))


@given(growing(depth=2), shallow, shallow)
def test_then_is_associative_with_a_rest_anywhere(a: ph.Schedule, b: ph.Schedule, c: ph.Schedule) -> None:
    assert (a >> b) >> c == a >> (b >> c)
    assert (b >> a) >> c == b >> (a >> c)
    assert (b >> c) >> a == b >> (c >> a)


@given(shapes)
def test_a_shape_prints_as_what_it_is_and_its_reverse_is_an_involution(shape: ph.Shape | str) -> None:
    drawn = ph.ramp(0, 1, 10, shape).shape
    assert ph.ramp(0, 1, 10, str(drawn) if drawn.nesting else drawn.name).shape == drawn
    assert ph.reverse(ph.reverse(drawn)) == drawn


@given(st.one_of(bare_spans, unit_spans))
def test_a_span_reads_back_what_it_prints(span: ph.Span) -> None:
    once = ph.Span(span)
    assert ph.Span(once) == once
    assert ph.Span(once.value) == once
    if isinstance(once.value, str):
        assert ph.Span(f"  {once.value} ") == once


@given(any_tree)
def test_whole_numbers_and_floats_are_one(s: ph.Schedule) -> None:
    def floated(data: object) -> object:
        if isinstance(data, dict):
            return {key: value if key == "times" else floated(value) for key, value in data.items()}
        if isinstance(data, list):
            return [floated(item) for item in data]
        return float(data) if isinstance(data, int) else data

    again = ph.from_dict(floated(ph.to_dict(s)))  # type: ignore[arg-type]
    assert again == s
    assert hash(again) == hash(s)
    assert repr(again) == repr(s)


@given(any_tree)
def test_equal_schedules_have_equal_values(s: ph.Schedule) -> None:
    ready(s)
    assert [ph.parse(repr(s))(t) for t in range(5)] == [s(t) for t in range(5)]


@given(everything)
def test_equal_values_behave_equally_and_hide_nothing(s: ph.Schedule) -> None:
    """Whatever was done to a schedule before: its text, a pickle and a copy of it can do what it can."""
    with contextlib.suppress(ph.PreheatError):
        s = s.bind(ph.Run(total=10_000), truncate=True)
    with contextlib.suppress(ph.BindError):
        s.function(1), s(3), s.length
    assert vars(s) == {}
    for again in (ph.parse(repr(s)), pickle.loads(pickle.dumps(s)), copy.copy(s)):
        assert again == s
        for act in (
            lambda x: x.bind(ph.Run(total=20_000)),
            lambda x: (x >> ph.hold(0.5, 3)).bind(ph.Run(total=20_000)),
            lambda x: x(7),
        ):
            assert _outcome(act, again) == _outcome(act, s)


def _outcome(act, s: ph.Schedule) -> object:
    try:
        return act(s)
    except ph.PreheatError as refusal:
        return str(refusal)
