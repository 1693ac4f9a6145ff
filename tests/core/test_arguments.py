"""What a schedule may be called with, and what the refusal of anything else says."""

import inspect
import math
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import preheat as ph

S = ph.warmup(10) >> ph.decay(90, 0.1, "cosine")


@pytest.mark.parametrize(
    "t",
    [5, 5.0, np.int8(5), np.uint64(5), np.float16(5), np.float32(5), np.float64(5), np.longdouble(5)],
    ids=lambda t: type(t).__name__,
)
def test_numbers_of_every_type_give_a_plain_float(t: object) -> None:
    assert type(S(t)) is float
    assert S(t) == 0.5
    assert type(ph.hold(1, 5)(t)) is float


@pytest.mark.parametrize("t", [-math.inf, -(10**400), -1e308, math.inf, 10**400, 1e308, 2**1000, np.float64(np.inf)])
def test_however_far_away_there_is_a_value(t: float) -> None:
    endless = [
        ph.hold(),
        ph.invsqrt(5),
        ph.invsqrt(1e-9),
        ph.saturating(1e-9),
        ph.rectified(0.999),
        ph.decay(7).repeated(),
    ]
    endless += [ph.ramp(1, 0, 0.3).repeated(shrink=0.5), ph.decay(3).repeated(stretch=1.5), ph.invsqrt(5).shifted(-7)]
    for s in (S, *endless):
        assert math.isfinite(s(t))
        if t < 0:
            assert s(t) == s(0)
    assert S(t) == (0 if t < 0 else 0.1)
    assert S(np.array([float(min(max(t, -1e308), 1e308))])).tolist() == [S(t)]


@pytest.mark.parametrize(
    ("argument", "advice"),
    [
        (True, "a number or an array"),
        (np.bool_(True), "a number or an array"),
        (None, "a number or an array"),
        ("5", "a number or an array"),
        (1j, "a number or an array"),
        (Decimal(5), "a number or an array"),
        ([1, 2], r"numpy\.asarray"),
        ((1, 2), r"numpy\.asarray"),
        (range(5), r"numpy\.asarray"),
        (math.nan, "NaN"),
        (np.float32("nan"), "NaN"),
        (np.array([1.0, np.nan]), "NaN"),
        (np.array([True]), "array of bool"),
        (np.array([1j]), "array of complex128"),
        (np.array([object()]), "array of object"),
        (np.array(["1"]), "array of"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "array of datetime64"),
        (torch.tensor([True]), r"tensor of torch\.bool"),
        (torch.tensor([1j]), r"tensor of torch\.complex64"),
        (jnp.array([True]), "array of bool"),
        (jnp.array([1j]), "array of complex64"),
        (torch.optim.SGD([torch.zeros(1)], lr=0.1), r"preheat\.torch\.Scheduler\(optimizer, schedule\)"),
        (S, "a number or an array"),
        (type("State", (), {"__module__": "composer.core.state"})(), "step_schedulers_every_batch=True"),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, str) else "",
)
def test_what_is_no_time_is_refused_and_the_right_call_is_named(argument: object, advice: str) -> None:
    for called in (S, ph.absolute(S), ph.relative(S)):
        with pytest.raises(ph.PreheatError, match=advice):
            called(argument)


def test_called_with_nothing_as_keras_does_the_right_object_is_named() -> None:
    """And yet it has one parameter, as those who look into signatures want."""
    for called in (S, ph.absolute(S), ph.relative(S)):
        with pytest.raises(
            ph.PreheatError, match=r"with a time, without one.*preheat\.keras\.Schedule\(schedule, run=…"
        ):
            called()
        assert len(inspect.signature(called).parameters) == 1
        with pytest.raises(TypeError):
            called(1, 2)


def test_arrays_keep_their_shape() -> None:
    t = np.arange(12).reshape(3, 4)
    for s in (S, ph.hold(1, 5), ph.lower(ph.hold(1, 5), ph.hold(2, 5)), ph.hold(1, 5) * ph.hold(2, 9), ph.table([3])):
        for make in (np.asarray, torch.tensor, jnp.asarray):
            for shape in ((3, 4), (12,), (1, 12, 1)):
                found = s(make(t.reshape(shape)))
                assert tuple(found.shape) == shape
            assert tuple(s(make(t[:0])).shape) == (0, 4)
            assert tuple(s(make(np.array(5))).shape) == ()
        np.testing.assert_array_equal(s(t).ravel(), [s(int(i)) for i in t.ravel()])


def test_strided_and_foreign_byte_order_arrays_are_read_right() -> None:
    t = np.arange(40)[::-3]
    assert S(t).tolist() == [S(int(i)) for i in t]
    assert S(t.astype(">i4")).tolist() == S(t).tolist()
    tensor = torch.arange(40).reshape(5, 8).t()
    stretched = ph.decay(3).repeated(4, stretch=2)
    for s in (S, stretched):
        assert s(tensor).tolist() == [[s(i.item()) for i in row] for row in tensor]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_floats_keep_single_precision_at_least(dtype: torch.dtype) -> None:
    found = S(torch.tensor([0.0, 5.0, 50.0], dtype=dtype))
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32]
)
def test_torch_integers_become_float64(dtype: torch.dtype) -> None:
    found = S(torch.arange(0, 120, 7).to(dtype))
    assert found.dtype == torch.float64
    assert found.tolist() == S(torch.arange(0, 120, 7, dtype=torch.float64)).tolist()


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "bfloat16", "float16", "float32"]
)
def test_jax_takes_every_real_type(dtype: str) -> None:
    times = np.arange(0, 120, 7)
    found = jax.jit(S)(jnp.asarray(times).astype(dtype))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, S(times), rtol=6e-7)
    assert float(S(jnp.uint32(2**32 - 1))) == pytest.approx(0.1)


def test_python_numbers_inside_jit_are_traced() -> None:
    assert float(jax.jit(S)(5)) == 0.5
    assert float(jax.jit(S)(5.0)) == 0.5
    assert float(jax.grad(S)(5.0)) == pytest.approx(0.1)


def test_positions_beyond_2_to_the_31_are_exact() -> None:
    far = ph.hold(1, 2**40) >> ph.decay(10) >> ph.hold(0.25, 5)
    times = [2**31, 2**40 - 1, 2**40, 2**40 + 3, 2**40 + 9, 2**40 + 10, 2**40 + 99]
    expected = [1.0, 1.0, 1.0, 0.7, 0.1, 0.25, 0.25]
    assert [far(t) for t in times] == [far.function(t) for t in times] == pytest.approx(expected)
    assert far(np.array(times)).tolist() == far(torch.tensor(times)).tolist() == [far(t) for t in times]
    with (jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64)(True):
        assert far(jnp.asarray(times)).tolist() == [far(t) for t in times]


@pytest.mark.parametrize("n", [-1, 1.5, True, None, "5", 1e3, [5]])
def test_table_takes_a_count(n: object) -> None:
    with pytest.raises(ph.PreheatError, match=r"\.table\(10_000\)"):
        S.table(n)


def test_table_of_nothing_is_empty_and_counts_of_any_integer_type_are_taken() -> None:
    assert S.table(0).shape == (0,)
    assert S.table(np.int32(5)).tolist() == S(np.arange(5)).tolist()
