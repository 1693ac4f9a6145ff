"""flax: an nnx model trained under a plan, saved and resumed with orbax."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import preheat as ph

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
nnx = pytest.importorskip("flax.nnx")
ocp = pytest.importorskip("orbax.checkpoint")
datasets = pytest.importorskip("sklearn.datasets")
import jax.numpy as jnp  # noqa: E402

from preheat.jax import inject  # noqa: E402

UPDATES, STOP = 24, 9
RUN = ph.Run(total=UPDATES)
WARMUP = ph.warmup("25%") >> ph.decay(shape="cosine")
PLAN = {"lr": WARMUP, "head/lr": WARMUP.scaled(4), "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, UPDATES))}


class Classifier(nnx.Module):
    def __init__(self, rngs: Any) -> None:
        self.body = nnx.Linear(64, 32, rngs=rngs)
        self.head = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.head(nnx.relu(self.body(x)))


def labels_of(params: Any) -> Any:
    """The name of each parameter's module."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[0].key, params)


def built(plan: Any = PLAN, **options: Any) -> tuple[Any, Any]:
    model = Classifier(nnx.Rngs(0))
    tx = inject(optax.adamw, plan, RUN, peak=2e-2, labels=labels_of, **options)
    return model, nnx.Optimizer(model, tx, wrt=nnx.Param)


@nnx.jit
def train_step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
    def loss_of(model: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    loss, grads = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, grads)
    return loss, optimizer.tx.values(optimizer.opt_state)


def trained(model: Any, optimizer: Any, updates: range) -> tuple[list[float], dict[str, list[float]]]:
    images, digits = datasets.load_digits(return_X_y=True)
    losses, rates = [], {key: [] for key in PLAN}
    for update in updates:
        rows = np.arange(64 * update, 64 * (update + 1)) % len(digits)
        loss, values = train_step(model, optimizer, jnp.asarray(images[rows] / 16), jnp.asarray(digits[rows]))
        losses.append(float(loss))
        for key in PLAN:
            rates[key].append(float(values[key]))
    return losses, rates


def wanted(updates: slice) -> dict[str, Any]:
    rates = WARMUP.bind(RUN, peak=2e-2).table(UPDATES)
    decay = ph.ramp(0.0, 0.1, UPDATES).table(UPDATES)
    return {"lr": rates[updates], "head/lr": 4 * rates[updates], "weight_decay": decay[updates]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, list[float]]:
    """A run that was saved with orbax after some updates and then went on: the folder, its last weights and losses."""
    folder, (model, optimizer) = tmp_path_factory.mktemp("orbax"), built()
    losses, rates = trained(model, optimizer, range(STOP))
    with ocp.CheckpointManager(folder) as manager:
        state, schedule = nnx.state((model, optimizer)), optimizer.tx.state_dict(optimizer.opt_state)
        saved = {"state": ocp.args.StandardSave(state), "schedule": ocp.args.JsonSave(schedule)}
        manager.save(STOP, args=ocp.args.Composite(**saved))
    more, rest = trained(model, optimizer, range(STOP, UPDATES))
    for key, values in wanted(slice(None)).items():
        np.testing.assert_allclose(rates[key] + rest[key], values, rtol=6e-7, atol=1e-12)
    assert np.mean(more[-3:]) < 0.5 * losses[0]
    return folder, nnx.state(model), more


def restored(folder: Path, model: Any, optimizer: Any) -> Any:
    """The model and optimizer with the weights and state of the checkpoint; what it says of the schedule."""
    with ocp.CheckpointManager(folder) as manager:
        state = ocp.args.StandardRestore(nnx.state((model, optimizer)))
        found = manager.restore(STOP, args=ocp.args.Composite(state=state, schedule=ocp.args.JsonRestore()))
    nnx.update((model, optimizer), found.state)
    return found.schedule


def test_a_run_that_is_resumed_with_orbax_is_the_run_that_was_not_stopped(checkpoint: Any) -> None:
    folder, weights, more = checkpoint
    model, optimizer = built()
    saved = restored(folder, model, optimizer)
    optimizer.tx, _ = optimizer.tx.resumed(saved, optimizer.opt_state)
    losses, rates = trained(model, optimizer, range(STOP, UPDATES))
    assert losses == more
    for key, values in wanted(slice(STOP, None)).items():
        np.testing.assert_allclose(rates[key], values, rtol=6e-7, atol=1e-12)
    for one, other in zip(jax.tree.leaves(nnx.state(model)), jax.tree.leaves(weights), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plan_that_has_changed_is_refused_when_it_is_resumed(checkpoint: Any) -> None:
    folder, _, _ = checkpoint
    model, optimizer = built(PLAN | {"head/lr": WARMUP.scaled(8)})
    saved = restored(folder, model, optimizer)
    with pytest.raises(ph.StateError, match=rf"the plan has changed.*'head/lr'.*{STOP}"):
        optimizer.tx.resumed(saved, optimizer.opt_state)
    optimizer.tx, _ = optimizer.tx.resumed(saved, optimizer.opt_state, on_change="adopt")
    _, rates = trained(model, optimizer, range(STOP, STOP + 1))
    np.testing.assert_allclose(rates["head/lr"], 2 * wanted(slice(STOP, STOP + 1))["head/lr"], rtol=6e-7)


def test_rules_of_one_group_act_on_the_state_that_flax_keeps() -> None:
    model, optimizer = built(rules=[ph.Plateau("loss", factor=0.5, patience=0, group="head")])
    for metric in (1.0, 1.0):
        _, rates = trained(model, optimizer, range(1))
        optimizer.opt_state = nnx.data(optimizer.tx.step(optimizer.opt_state, {"loss": metric}))
    _, rates = trained(model, optimizer, range(1))
    third = {key: values[2] for key, values in wanted(slice(None)).items()}
    np.testing.assert_allclose(
        [rates[key][0] for key in PLAN], [third["lr"], third["head/lr"] / 2, third["weight_decay"]], 1e-6
    )
