"""The compiled back-ends, on twenty fixed trees: jax.jit, vmap and grad, in 32 and 64 bits, and torch.compile."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from strategies import FIXED, RUN, agree, leaf_count

import preheat as ph
from preheat.core.node import KINDS

enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
trees = pytest.mark.parametrize("s", FIXED, ids=lambda s: repr(s)[:60])
WHOLE = np.unique(
    np.concatenate([np.arange(-3, 140), np.geomspace(140, 12_000, 350).astype(int), [9998, 9999, 10_000]])
)
BETWEEN = np.random.default_rng(0).uniform(-1, 10_001, 500)


def numbers(s: ph.Schedule, times: np.ndarray) -> list[float]:
    return [s(t.item()) for t in times]


@trees
def test_jax_in_64_bits_gives_what_numbers_give_eagerly_jitted_and_mapped(s: ph.Schedule) -> None:
    with enable_x64(True):
        for times, forms in ((WHOLE, (s, jax.jit(s), jax.vmap(s))), (BETWEEN, (jax.jit(s),))):
            for form in forms:
                found = form(jnp.asarray(times))
                assert found.dtype == jnp.float64
                assert found.shape == times.shape
                agree(s, found, numbers(s, times), 1e-15)
        assert jax.jit(s)(5).shape == ()


@trees
def test_jax_in_32_bits_is_within_6e_7_at_whole_positions_of_any_type(s: ph.Schedule) -> None:
    expected = np.array(numbers(s, WHOLE))
    for found in (jax.jit(s)(jnp.asarray(WHOLE, jnp.int32)), s(jnp.asarray(WHOLE, jnp.int16))):
        assert found.dtype == jnp.float32
        agree(s, found, expected, 6e-7)
    small = np.arange(256, dtype=np.uint8)
    agree(s, s(jnp.asarray(small)), numbers(s, small), 6e-7)


@trees
def test_jax_gradients_are_never_nan(s: ph.Schedule) -> None:
    for x64 in (False, True):
        with enable_x64(x64):
            times = jnp.asarray([-1.0, 0.0, 0.5, 1.0, 70.0, 100.0, 400.0, 500.0, 1000.0, 9998.5, 9999.0, 12_000.0])
            gradient = jax.jit(jax.grad(lambda t: s(t).sum()))(times)
            assert not np.isnan(np.asarray(gradient)).any()


@trees
def test_torch_compiles_the_whole_graph_and_gives_the_same(s: ph.Schedule) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(ph.parse(repr(s)).bind(RUN), fullgraph=True, backend="eager")  # none was called before
    for times in (torch.from_numpy(WHOLE), torch.from_numpy(BETWEEN)):
        found = compiled(times)
        assert found.dtype == torch.float64
        assert torch.equal(found, s(times))


@pytest.mark.parametrize("s", [FIXED[3], FIXED[17]], ids=["phases", "repeated"])
def test_torch_inductor_gives_what_numbers_give(s: ph.Schedule) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(ph.parse(repr(s)).bind(RUN), fullgraph=True)
    agree(s, compiled(torch.from_numpy(WHOLE)), numbers(s, WHOLE), 2e-15)


def test_jax_gradients_are_the_slope_at_edges_too() -> None:
    s = ph.warmup(10) >> ph.hold(1, 5) >> ph.decay(10, 0.5)
    slopes = [float(jax.grad(s)(float(t))) for t in (0, 1, 5, 9, 10, 12, 15, 20, 24, 26)]
    assert slopes == pytest.approx([0.1, 0.1, 0.1, 0.1, 0, 0, -0.05, -0.05, -0.05, 0])


# -- long runs in 32 bits -------------------------------------------------------------------------------------------------

FAR = [0, 1, 2**24 - 1, 2**24 + 1, 2**24 + 3, 2**30 + 1, 2**31 - 2]
LONG = [
    ph.ramp(1.0, 0.1, 2**31 - 1, "cosine"),
    ph.ramp(0.0, 1.0, 2**31 - 1, "linear"),
    ph.ramp(1.0, 0.0, 2**31 - 3, "sqrt"),
    ph.ramp(1e-3, 1.0, 2**30 + 7, "exponential"),
    ph.warmup(2**24 + 1) >> ph.hold(1.0, 2**30 - 2**24) >> ph.decay(10) >> ph.hold(0.5),
    ph.invsqrt(2**25 + 1),
    ph.invsqrt(2**40),
    ph.saturating(10**9),
    ph.steps([1.0, 0.1, 0.2], [2**24 + 1, 2**30 - 2**24, 2**20]),
    ph.decay(7).repeated(),
    ph.decay(2**24 + 3).repeated(10),
    ph.decay(3).repeated(stretch=2),
    ph.warmup(100).shifted(2**24 + 1),
    ph.invsqrt(10).shifted(-1000),
]


@pytest.mark.parametrize("s", LONG, ids=repr)
def test_32_bit_positions_are_subtracted_before_they_become_floats(s: ph.Schedule) -> None:
    times = [*FAR, *(2**24 + k for k in range(-9, 9)), *(2**30 + k for k in range(-9, 20))]
    found = np.asarray(jax.jit(s)(jnp.asarray(times, jnp.int32)), dtype=np.float64)
    np.testing.assert_allclose(found, [s(t) for t in times], rtol=6e-7, atol=1e-30)


@pytest.mark.parametrize(
    "s", [ph.warmup(2**31), ph.hold(1, 2**31) >> ph.decay(5), ph.decay(2**31).repeated(), ph.invsqrt(5).shifted(2**33)]
)
def test_lengths_that_32_bits_cannot_hold_are_refused_with_a_sentence(s: ph.Schedule) -> None:
    with pytest.raises(ph.PreheatError, match="32-bit integers hold"):
        jax.jit(s)(5)
    with enable_x64(True):
        assert float(s(jnp.asarray(5))) == s(5)


@pytest.mark.parametrize("name", ["linear", "cosine", "sqrt", "square", "smooth", "mirror-cosine", "log"])
@pytest.mark.parametrize("n", [3, 10, 40, 9_999, 2**24 + 9])
def test_every_shape_is_within_6e_7_in_32_bits(name: str, n: int) -> None:
    times = np.unique(np.linspace(0, n, 200).astype(np.int32))
    for a, b in [(0.0, 1.0), (1.0, 0.1), (1e-6, 3e-4), (1e-30, 1e30)]:
        for shape in (name, ph.reverse(name), "exponential") if a else (name, ph.reverse(name)):
            s = ph.ramp(a, b, n, shape)
            found = np.asarray(s(jnp.asarray(times)), dtype=np.float64)
            np.testing.assert_allclose(found, numbers(s, times), rtol=6e-7, atol=1e-36)


@pytest.mark.parametrize("x64", [False, True])
def test_jax_takes_far_float_times_and_gives_nan_at_nan(x64: bool) -> None:
    with enable_x64(x64):
        for s in (*FIXED, ph.decay(3).repeated(stretch=2), ph.table([1.0, 0.0, 1.0])):
            for form in (s, jax.jit(s)):
                found = np.asarray(form(jnp.asarray([math.nan, 5.0, 1e9])))
                assert np.isnan(found).tolist() == [True, False, False]
                assert found[1:] == pytest.approx([s(5.0), s(1e9)], rel=2e-4, abs=1e-6)
                assert form(jnp.asarray(2.0)).shape == ()


def test_the_fixed_trees_are_of_every_kind() -> None:
    def kinds(s: ph.Schedule) -> set[type]:
        return {type(s)}.union(*map(kinds, s._children))

    assert set().union(*map(kinds, FIXED)) == set(KINDS.values())
    assert sum(map(leaf_count, FIXED)) > 40
