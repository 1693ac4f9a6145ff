"""What a schedule is at every moment: constant outside, joined without gaps, the same however it is evaluated."""

import functools
import math
import operator
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import (
    Picks,
    any_tree,
    bare_spans,
    callable_trees,
    edges,
    lasting_spans,
    lay,
    moments,
    ordinary,
    picks,
    positive_values,
    ramps,
    ready,
    runs,
    shallow,
    trees,
    whole_spans,
    written,
)

import preheat as ph

SMOOTH = ["linear", "cosine", "square", "smooth", "mirror-cosine", "exponential", "log"]  # no infinite slope


@given(callable_trees, picks)
def test_the_emitted_function_gives_the_same_bits(s: ph.Schedule, picks: Picks) -> None:
    for t in moments(ready(s), picks):
        direct, emitted = s(t), s.function(t)
        assert isinstance(direct, float)
        assert isinstance(emitted, float)
        assert direct == emitted


@given(callable_trees, st.floats(0, 1e12))
def test_outside_its_time_a_schedule_is_constant_and_finite(s: ph.Schedule, far: float) -> None:
    ready(s)
    assert s(-far) == s(0) == s(-math.inf)
    assert math.isfinite(s(far))
    if s.length != math.inf:
        assert s(s.length + far) == s(s.length) == s(math.inf) == s._ready._last()


@given(callable_trees, picks)
def test_every_value_is_finite(s: ph.Schedule, picks: Picks) -> None:
    assert all(math.isfinite(s(t)) for t in moments(ready(s), picks))


@given(callable_trees, st.integers(1, 3000))
def test_the_table_is_what_numpy_gives_at_each_step(s: ph.Schedule, n: int) -> None:
    table = ready(s).table(n)
    assert table.shape == (n,)
    assert table.dtype == np.float64
    assert np.array_equal(table, s(np.arange(n)))


@given(callable_trees, picks)
def test_along_rising_times_are_the_values_of_a_call(s: ph.Schedule, picks: Picks) -> None:
    times = np.sort(np.asarray(moments(ready(s), picks), dtype=np.float64))
    assert np.array_equal(s.along(times), s(times))
    assert s.along(times[:0]).shape == (0,)


@given(trees(whole_spans, 2), trees(whole_spans, 2), picks)
def test_then_is_the_first_and_after_it_the_second(a: ph.Schedule, b: ph.Schedule, picks: Picks) -> None:
    ready(a >> b)
    assume(isinstance(a.length, int) and isinstance(b.length, int))
    for t in moments(a >> b, picks):
        if a.length == 0:
            assert (a >> b)(t) == b(t)
        elif t < a.length:
            assert (a >> b)(t) == a(t)
        else:
            assert (a >> b)(t) == b(t - a.length)


JOINS = (lambda a, b: a * b, lambda a, b: a + b, ph.lower, ph.upper)


@given(shallow, shallow, picks)
def test_product_sum_lower_and_upper_are_pointwise(a: ph.Schedule, b: ph.Schedule, picks: Picks) -> None:
    _are_pointwise(a, b, [ready(join(a, b)) for join in JOINS], moments(a * b, picks))


@given(written, written, runs(), picks)
def test_product_sum_lower_and_upper_are_pointwise_on_a_run(a, b, run: ph.Run, picks: Picks) -> None:
    """Whatever grows, holds, or never ends: the run gives a node the values that it gives the operands."""
    first, second = lay(a, run), lay(b, run)
    times = {t for s in (first, second) for t in moments(s, picks) if t <= run.total}
    _are_pointwise(first, second, [lay(join(a, b), run) for join in JOINS], times)


def _are_pointwise(a: ph.Schedule, b: ph.Schedule, joined: list[ph.Schedule], times: Iterable[float]) -> None:
    product, total, lower, upper = joined
    for t in times:
        first, second = a(t), b(t)
        assert math.isclose(product(t), first * second, rel_tol=1e-14, abs_tol=1e-300)
        assert abs(total(t) - math.fsum([first, second])) <= 2e-15 * (abs(first) + abs(second))
        assert (lower(t), upper(t)) == (min(first, second), max(first, second))


@given(written, written)
def test_a_node_needs_a_run_where_an_operand_does(a: ph.Schedule, b: ph.Schedule) -> None:
    def open_ended(s: ph.Schedule) -> bool:
        try:
            s.length  # noqa: B018
        except ph.BindError as refusal:
            assume("overflow" not in str(refusal))
            return False
        return True

    for join in JOINS:
        assert open_ended(join(a, b)) == (open_ended(a) and open_ended(b))


@given(st.lists(shallow, min_size=3, max_size=9), picks)
def test_a_sum_is_within_2e_15_of_what_goes_into_it(parts: list[ph.Schedule], picks: Picks) -> None:
    total = functools.reduce(operator.add, parts)
    for t in moments(ready(total), picks):
        found = [operand(t) for operand in total.operands]
        assert abs(total(t) - math.fsum(found)) <= 2e-15 * math.fsum(map(abs, found))


@given(any_tree, lasting_spans, picks)
def test_stepwise_is_the_value_at_the_beginning_of_each_step(s: ph.Schedule, n: float, picks: Picks) -> None:
    stepped = s.stepwise(n)
    assert stepped.length == ready(s).length
    for t in moments(s, picks):
        now = min(max(t, 0), s.length)
        assert stepped(t) == s(now // n * n)


@given(any_tree, st.floats(-100, 100), picks)
def test_scaled_multiplies_every_value(s: ph.Schedule, k: float, picks: Picks) -> None:
    for t in moments(ready(s.scaled(k)), picks):
        assert s.scaled(k)(t) == s(t) * k


@given(any_tree, ordinary, ordinary, picks)
def test_clipped_is_clamping(s: ph.Schedule, a: float, b: float, picks: Picks) -> None:
    low, high = min(a, b), max(a, b)
    clipped = s.clipped(low, high)
    for t in moments(ready(clipped), picks):
        assert clipped(t) == min(max(s(t), low), high)


@given(any_tree, st.integers(-300, 300), picks)
def test_shifted_is_the_same_later(s: ph.Schedule, n: int, picks: Picks) -> None:
    shifted = s.shifted(n)
    for t in moments(ready(s), picks):
        if 0 <= t + n < shifted.length:
            assert shifted(t + n) == s(t + n - n)
        elif t + n >= shifted.length:  # where the subtraction may fall short of the end, the end is exact all the same
            assert shifted(t + n) == s(s.length)
    assert shifted.length == float(max(0, s._ready._lasts + n))


@given(any_tree, bare_spans, picks)
def test_truncated_changes_nothing_before_and_holds_after(s: ph.Schedule, n: float, picks: Picks) -> None:
    cut = s.truncated(n)
    for t in moments(ready(s), picks):
        assert cut(t) == s(min(t, n))
    assert cut.length == min(n, s.length)


@given(
    trees(whole_spans, depth=2),
    st.integers(1, 5),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1.0, 0.5, 2.0, 0.0, -0.5]),
    picks,
)
def test_repeated_is_its_copies_one_after_another(s, n, stretch, shrink, picks) -> None:
    ready(s.repeated(n, stretch, shrink))
    assume(s.length > 0 and isinstance(s.length, int))
    repeated = s.repeated(n, stretch, shrink)
    starts = [sum(s.length * stretch**i for i in range(k)) for k in range(n + 1)]
    assert repeated.length == starts[-1]
    for t in moments(repeated, picks):
        if 0 <= t < starts[-1]:
            k = max(i for i in range(n) if starts[i] <= t)
            assert repeated(t) == s((t - starts[k]) / stretch**k) * shrink**k
        elif t >= starts[-1]:
            assert repeated(t) == s(s.length) * shrink ** (n - 1)


@given(shallow, st.integers(1, 6), st.floats(0, 5.999))
def test_repeated_without_end_begins_as_repeated_often(s: ph.Schedule, n: int, at: float) -> None:
    ready(s)
    assume(s.length > 1e-3)
    t = min(at, n - 0.001) * s.length
    assert s.repeated()(t) == s.repeated(n)(t)


@given(ramps(lasting_spans))
def test_both_ends_of_a_ramp_are_exact(s: ph.Schedule) -> None:
    assert s(0) == s.start
    assert s(s.length) == s.end == s(s.length + 1)
    assert s(np.array([0, s.length])).tolist() == [s.start, s.end]


@given(ramps(lasting_spans), picks)
def test_a_ramp_is_monotone_and_never_leaves_its_ends(s: ph.Schedule, picks: Picks) -> None:
    found = [s(t) for t in sorted(moments(s, picks))]
    assert found == sorted(found, reverse=s.end < s.start)
    low, high = sorted((s.start, s.end))
    assert all(low <= value <= high for value in found)


@given(ramps(lasting_spans), st.floats(-1e6, 1e6), picks)
def test_a_ramp_from_a_value_to_itself_is_constant(s: ph.Schedule, a: float, picks: Picks) -> None:
    flat = ph.ramp(abs(a) + 1e-3, abs(a) + 1e-3, s.span, s.shape)
    assert {flat(t) for t in moments(flat, picks)} == {abs(a) + 1e-3}


@given(positive_values, positive_values, positive_values, st.sampled_from(SMOOTH), st.integers(1, 1000))
def test_where_the_ends_of_parts_meet_there_is_no_jump(a: float, b: float, c: float, shape: str, n: int) -> None:
    joined = ph.ramp(a, b, n, shape) >> ph.ramp(b, c, n, shape)
    assert joined(n) == b
    for side in (math.nextafter(n, 0), math.nextafter(n, 2 * n)):
        assert math.isclose(joined(side), b, rel_tol=1e-12, abs_tol=1e-12 * max(a, c))


@given(any_tree)
def test_the_edges_of_a_sequence_are_exact_sums(s: ph.Schedule) -> None:
    ready(s)
    if s.length != math.inf:
        assert s.length == pytest.approx(float(edges(s)[-1] if len(edges(s)) > 1 else Fraction(s.length)), rel=1e-15)
