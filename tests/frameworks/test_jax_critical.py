"""The critical rate in JAX: the same search as in torch, along what an optax optimizer gave as updates."""

import pytest

from preheat import PreheatError

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy
critical_lr = pytest.importorskip("preheat.jax").critical_lr

H = jnp.array([3.0, 1.0, 10.0])


def loss(params):
    return 0.5 * (H * params["w"] ** 2).sum()


@pytest.mark.parametrize("rate", [1.0, 1e-3])
@pytest.mark.parametrize(
    "make",
    [optax.sgd, lambda rate: optax.sgd(rate, momentum=0.9), lambda rate: optax.adamw(rate, weight_decay=0.1)],
    ids=["sgd", "momentum", "adamw"],
)
@pytest.mark.parametrize("guess", [None, 1e-5, 10.0])
def test_it_is_exact_on_a_quadratic(make, rate, guess):
    params, optimizer = {"w": jnp.array([1.0, -2.0, 0.5])}, make(rate)
    gradient = jax.grad(loss)(params)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    along = -updates["w"] / rate
    found = critical_lr(loss, params, updates, at=rate, guess=guess)
    assert found.rate == pytest.approx(float(2 * (gradient["w"] * along).sum() / (H * along**2).sum()), rel=1 / 30)
    assert found.forwards <= 16


def test_what_is_not_known_is_said_and_what_does_not_fit_refused():
    params = {"w": jnp.ones(3)}
    uphill = critical_lr(loss, params, {"w": jnp.ones(3)})
    assert uphill.rate is None
    assert "does not lower" in uphill.why
    with pytest.raises(PreheatError, match="structure of params"):
        critical_lr(loss, params, jnp.ones(3))
    with pytest.raises(PreheatError, match="must be finite"):
        critical_lr(lambda one: jnp.nan * loss(one), params, {"w": -jnp.ones(3)})
