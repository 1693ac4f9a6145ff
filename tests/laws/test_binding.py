"""Laying a schedule out on a run: totals are right, nothing is repaired in silence, and twice is once."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import (
    Picks,
    any_tree,
    bare_spans,
    bound,
    counted_spans,
    growing,
    lay,
    leaves,
    moments,
    percents,
    picks,
    ready,
    runs,
    trees,
    unit_spans,
    written,
    written_spans,
)

import preheat as ph


@given(written, runs())
def test_binding_twice_is_binding_once(s: ph.Schedule, run: ph.Run) -> None:
    b = lay(s, run)
    assert b.bind(run) == b
    assert b.bind(ph.Run(total=run.total)) == b


@given(written, runs())
def test_a_bound_schedule_needs_no_run_and_ends_with_it(s: ph.Schedule, run: ph.Run) -> None:
    b = lay(s, run)
    assert not any(unit in repr(b) for unit in ("%", "step'", "steps'", "epoch", "sample", "token"))
    assert b.length <= run.total or b.length == math.inf
    b(0)


@given(growing(), runs())
def test_what_has_a_rest_fills_the_run_exactly(s: ph.Schedule, run: ph.Run) -> None:
    try:
        b = s.bind(run)
    except ph.BindError:
        assume(False)
    assert b.length == run.total


@given(st.lists(leaves(unit_spans), max_size=4), st.integers(0, 4), runs())
def test_a_rest_takes_what_the_others_leave(parts: list[ph.Schedule], place: int, run: ph.Run) -> None:
    parts.insert(min(place, len(parts)), ph.hold(0.5))
    s = parts[0]
    for part in parts[1:]:
        s = s >> part
    try:
        b = s.bind(run)
    except ph.BindError as refusal:
        needed = sum(part._exact(run) for part in parts)
        assert needed > run.total or "overflow" in str(refusal)  # noqa: PT017
        return
    assert b.length == run.total


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), runs())
def test_percentages_of_100_make_the_whole_run(weights: list[int], run: ph.Run) -> None:
    assume(sum(weights) > 0)
    cuts = [sum(weights[:i]) * 1000 // sum(weights) for i in range(len(weights) + 1)]
    spans = [f"{(high - low) / 10:g}%" for low, high in pairwise(cuts)]
    s = ph.steps(list(range(len(spans))), spans)
    assert s.bind(run).length == run.total
    for i, t in enumerate(cuts[:-1]):  # and each edge is where it belongs, rounded half up
        edge = math.floor(Fraction(t, 1000) * run.total + Fraction(1, 2))
        if math.floor(Fraction(cuts[i + 1], 1000) * run.total + Fraction(1, 2)) > edge:
            assert s.bind(run)(edge) == i


@given(st.lists(st.integers(1, 300), min_size=1, max_size=4), st.integers(1, 9), runs())
def test_repeated_percentages_of_100_make_the_whole_run(parts: list[int], times: int, run: ph.Run) -> None:
    shares = [Fraction(100 * part, sum(parts) * times) for part in parts]
    spans = [f"{math.floor(share * 10**6) / 10**6:f}%" for share in shares]
    s = ph.steps(list(range(len(spans))), spans).repeated(times)
    b = s.bind(run)
    assert run.total - 1 <= b.length <= run.total
    assert b.length == math.floor(s._exact(run) + Fraction(1, 2))


@given(written, runs())
def test_what_fits_is_not_cut_and_what_does_not_is_refused(s: ph.Schedule, run: ph.Run) -> None:
    cut = lay(s, run)
    try:
        b = s.bind(run)
    except ph.BindError as refusal:
        assert "the parts need" in str(refusal)  # noqa: PT017
        assert cut.length == run.total
        return
    assert b == cut


@given(trees(st.one_of(bare_spans, counted_spans)), runs(), picks)
def test_cutting_changes_no_value_before_the_cut(s: ph.Schedule, run: ph.Run, picks: Picks) -> None:
    longer = ph.Run(
        total=run.total + 1000,
        steps_per_epoch=run.steps_per_epoch,
        samples_per_step=run.samples_per_step,
        tokens_per_step=run.tokens_per_step,
    )
    whole, cut = lay(s, longer), lay(s, run)
    for t in moments(whole, picks):
        if t < min(run.total, whole.length):
            assert cut(t) == whole(t)


@given(any_tree, st.integers(0, 100), st.integers(1, 100))
def test_bare_numbers_are_kept_exactly_whatever_the_run(s: ph.Schedule, more: int, worth: int) -> None:
    length = ready(s).length
    run = ph.Run(total=math.ceil(length) + more, steps_per_epoch=worth, clock="sample", samples_per_step=worth)
    assert s.bind(run).length == length
    assert s.bind(run) == s._ready


@given(written, runs())
def test_without_a_run_a_unit_is_refused_and_says_so(s: ph.Schedule, run: ph.Run) -> None:
    try:
        s(0)
    except ph.BindError as refusal:
        assert any(word in str(refusal) for word in ("Run(", "Run with", "overflow", "tau", "to a Run"))  # noqa: PT017
    else:
        assert not any(unit in repr(s) for unit in ("%", "epoch", "sample", "token", "step'", "steps'"))


@given(st.integers(0, 10**6), st.sampled_from([1, 7, 500, 0.5]), st.sampled_from([1, 32, 0.25]))
def test_units_convert_exactly(k: int, per_epoch: float, per_step: float) -> None:
    run = ph.Run(total=10, steps_per_epoch=per_epoch, samples_per_step=per_step, tokens_per_step=3)
    assert ph.Span(f"{k} steps").exact(run) == k
    assert ph.Span(f"{k} epochs").exact(run) == k * Fraction(per_epoch)
    assert ph.Span(f"{k} samples").exact(run) == k / Fraction(per_step)
    assert ph.Span(f"{k}k tokens").exact(run) == Fraction(k * 1000, 3)
    assert ph.Span(f"{k / 1000:.3f}%").exact(run) == Fraction(k, 100_000) * 10


@given(st.sampled_from(["epoch", "sample", "token"]), st.integers(0, 1000))
def test_a_clock_of_its_own_unit_counts_one_each(clock: str, k: int) -> None:
    run = ph.Run(total=10_000, clock=clock, steps_per_epoch=10, samples_per_step=4, tokens_per_step=64)
    assert ph.Span(f"{k} {clock}s").exact(run) == k
    assert ph.Span("10 steps").exact(run) == {"epoch": 1, "sample": 40, "token": 640}[clock]


@given(bound(), runs())
def test_a_bound_schedule_binds_to_any_longer_run_unchanged(b: ph.Schedule, run: ph.Run) -> None:
    assume(b.length <= run.total)
    assert b.bind(run) == b


@given(percents, runs())
def test_run_totals_round_up(percent: str, run: ph.Run) -> None:
    total = ph.Run(total="2.5 epochs", steps_per_epoch=run.steps_per_epoch).total
    assert total == math.ceil(Fraction(5, 2) * run.steps_per_epoch)
    with pytest.raises(ph.PreheatError):
        ph.Run(total=percent)


@given(trees(written_spans), st.integers(1, 1000))
def test_a_percent_of_an_unknown_total_is_refused(s: ph.Schedule, worth: int) -> None:
    run = ph.Run(steps_per_epoch=worth, samples_per_step=worth, tokens_per_step=worth)
    try:
        s.bind(run)
    except ph.BindError as refusal:
        if "%" in repr(s):
            assert any(word in str(refusal) for word in ("total", "overflow", "tau", "0 ticks"))  # noqa: PT017
    else:
        assert "%" not in repr(s)
