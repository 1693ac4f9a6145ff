"""One formula, whatever the argument is: numpy and torch give what a number gives, and gradients without NaN."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import (
    Picks,
    agree,
    callable_trees,
    lasting_spans,
    moments,
    picks,
    ramps,
    ready,
    whole_tree,
)

import preheat as ph

positive_ramps = ramps(lasting_spans, st.floats(1e-6, 10))


@given(callable_trees, picks)
def test_a_numpy_array_gives_what_its_numbers_give(s: ph.Schedule, picks: Picks) -> None:
    times = moments(ready(s), picks)
    found = s(np.array(times, dtype=np.float64))
    assert found.dtype == np.float64
    assert found.shape == (len(times),)
    agree(s, found, [s(float(t)) for t in times], 1e-15)


@given(callable_trees, picks)
def test_a_torch_tensor_gives_what_its_numbers_give(s: ph.Schedule, picks: Picks) -> None:
    times = moments(ready(s), picks)
    found = s(torch.tensor(times, dtype=torch.float64))
    assert found.dtype == torch.float64
    agree(s, found, [s(float(t)) for t in times], 1e-15)


@given(positive_ramps, picks)
def test_a_single_ramp_is_within_1e_15_in_numpy_and_torch(s: ph.Schedule, picks: Picks) -> None:
    times = moments(s, picks)
    expected = [s(float(t)) for t in times]
    np.testing.assert_allclose(s(np.array(times, dtype=float)), expected, rtol=1e-15)
    np.testing.assert_allclose(s(torch.tensor(times, dtype=torch.float64)).numpy(), expected, rtol=1e-15)


@given(callable_trees, picks)
def test_a_single_time_in_an_array_gives_a_single_value_in_one(s: ph.Schedule, picks: Picks) -> None:
    for t in moments(ready(s), picks):
        found, tensor = s(np.array(float(t))), s(torch.tensor(float(t), dtype=torch.float64))
        assert (found.shape, tensor.shape) == ((), ())
        assert (type(found), found.dtype, tensor.dtype) == (np.ndarray, np.float64, torch.float64)
        agree(s, [found, tensor], [s(float(t))] * 2, 1e-15)


@given(callable_trees)
def test_at_nan_a_tensor_is_nan_and_everything_else_refuses(s: ph.Schedule) -> None:
    found = ready(s)(torch.tensor([math.nan, 1.0, math.nan], dtype=torch.float64))
    assert torch.isnan(found).tolist() == [True, False, True]
    assert found[1] == s(torch.tensor(1.0, dtype=torch.float64))
    assert torch.isnan(s(torch.tensor(math.nan)))
    for time in (math.nan, np.float32(math.nan), np.array(math.nan), np.array([1.0, math.nan])):
        with pytest.raises(ph.PreheatError, match="no value at NaN"):
            s(time)


@given(callable_trees, st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64]))
def test_whole_positions_of_any_type_give_float64(s: ph.Schedule, dtype: type) -> None:
    times = np.arange(0, 120, 7, dtype=dtype)
    expected = ready(s)(times.astype(np.float64))
    found = s(times)
    assert found.dtype == np.float64
    assert np.array_equal(found, expected)
    tensor = s(torch.from_numpy(times))
    assert tensor.dtype == torch.float64
    assert torch.equal(tensor, s(torch.from_numpy(times.astype(np.float64))))
    single = s(times[3])
    assert type(single) is float
    assert single == s(21)


@given(whole_tree, picks)
def test_a_float32_tensor_stays_float32(s: ph.Schedule, picks: Picks) -> None:
    assume(ready(s)._ready._magnitude() < 1e37)
    found = s(torch.tensor(moments(s, picks), dtype=torch.float32))
    assert found.dtype == torch.float32
    assert not torch.isnan(found).any()


@given(callable_trees, picks)
@example(ph.ramp(2.0, 0.0, 0.75, ph.power(0.01)) * ph.warmup(64), [(12, 0.0)])
def test_torch_gradients_are_never_nan(s: ph.Schedule, picks: Picks) -> None:
    times = torch.tensor([0.0, *moments(ready(s), picks)], dtype=torch.float64, requires_grad=True)
    values = s(times)
    if values.requires_grad:  # a constant has none
        (gradient,) = torch.autograd.grad(values.sum(), times)
        assert not torch.isnan(gradient).any()


@given(ramps(st.integers(1, 100)), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_torch_gradients_are_the_slope(s: ph.Schedule, u: float) -> None:
    t = torch.tensor(u * 0.7 * s.length + 0.1, dtype=torch.float64, requires_grad=True)
    s(t).backward()
    h = 1e-6 * s.length
    slope = (s(t.item() + h) - s(t.item() - h)) / (2 * h)
    assert math.isclose(t.grad.item(), slope, rel_tol=1e-3, abs_tol=1e-5 * max(abs(s.start), abs(s.end)))
