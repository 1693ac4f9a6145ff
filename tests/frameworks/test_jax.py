"""JAX: schedules as functions of optax, and optimizers whose hyper-parameters follow a plan, trained in plain JAX."""

import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import preheat as ph
from preheat.session import Session

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
import jax.numpy as jnp  # noqa: E402

from preheat.jax import Injected, inject  # noqa: E402

NEAR = 6e-7  # relative: what float32 leaves of a value that is known to float64
RUN = ph.Run(total=40)
WARMUP = ph.warmup(8) >> ph.decay(to=0.1, shape="cosine")
PLAN = ph.Plan(
    {
        "lr": WARMUP,
        "head/lr": WARMUP.scaled(10),
        "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, 20) >> ph.hold(0.1)),
        "betas[0]": ph.absolute(ph.ramp(0.8, 0.95, 16, "cosine") >> ph.hold(0.95)),
    }
)
TEXT = Path(sys.modules["json"].__file__ or "").read_bytes()[:6_000]
WIDTH = 16


@pytest.fixture
def params() -> dict[str, Any]:
    keys = jax.random.split(jax.random.key(0), 2)
    return {
        "body": 0.1 * jax.random.normal(keys[0], (256, WIDTH)),
        "head": 0.1 * jax.random.normal(keys[1], (WIDTH, 256)),
    }


def batches(n: int) -> Any:
    """Bytes of the standard library's source, and the bytes that follow them."""
    text = jnp.asarray(np.frombuffer(TEXT, np.uint8).astype(np.int32))
    starts = np.random.default_rng(0).integers(0, len(TEXT) - 33, n)
    return jnp.stack([text[start : start + 33] for start in starts])


def loss_of(params: Any, batch: Any) -> Any:
    logits = jnp.tanh(params["body"][batch[:-1]]) @ params["head"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1:]).mean()


def labels_of(params: Any) -> Any:
    return {name: "head" if name == "head" else "other" for name in params}


def train_step(optimizer: Any) -> Any:
    """One whole training step: gradient, update, weights; and the rates that it used."""

    def step(carry: Any, batch: Any) -> Any:
        params, state = carry
        loss, grads = jax.value_and_grad(loss_of)(params, batch)
        updates, state = optimizer.update(grads, state, params)
        rates = optimizer.values(state) if isinstance(optimizer, Injected) else updates
        return (optax.apply_updates(params, updates), state), (loss, rates)

    return step


def near(found: Any, wanted: Any, tolerance: float = NEAR) -> None:
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=1e-12)


def rates(n: int, peak: float = 1.0, schedule: ph.Schedule = WARMUP, run: ph.Run = RUN) -> Any:
    """The schedule's own values, in float64."""
    return schedule.bind(run, peak=peak).table(n) if peak != 1.0 else schedule.bind(run).table(n)


def counted(state: Any, count: int) -> Any:
    """A state in which every count is another."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(count, leaf.dtype) if str(path[-1]) == ".count" else leaf, state
    )


def stepped(optimizer: Any, state: Any, updates: int) -> tuple[Any, list[float]]:
    """As many updates of one weight whose gradient is 1: under SGD each is the rate itself."""
    found, update = [], jax.jit(optimizer.update)
    for _ in range(updates):
        change, state = update(jnp.ones(()), state, jnp.ones(()))
        found.append(float(-change))
    return state, found


# -- a schedule is a function of optax -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "jit", "scan"])
def test_a_bound_schedule_of_rates_is_the_learning_rate_of_sgd(how: str) -> None:
    """A gradient of 1 makes the update the rate itself."""
    optimizer = optax.sgd(learning_rate=WARMUP.bind(RUN, peak=3e-4))
    one = jnp.ones(())

    def update(state: Any, _: Any) -> Any:
        updates, state = optimizer.update(one, state)
        return state, -updates

    state, found = optimizer.init(one), []
    if how == "scan":
        found = jax.jit(lambda state: jax.lax.scan(update, state, length=50))(state)[1]
    else:
        update = jax.jit(update) if how == "jit" else update
        for _ in range(50):
            state, rate = update(state, None)
            found.append(rate)
    near(found, rates(50, 3e-4))


def test_adamw_trains_with_the_schedules_own_rates(params: Any) -> None:
    """As with rates that the host writes, one update after another."""
    data = batches(40)
    optimizer = optax.adamw(learning_rate=WARMUP.bind(RUN, peak=3e-2))
    (trained, _), (losses, _) = jax.jit(lambda carry: jax.lax.scan(train_step(optimizer), carry, data))(
        (params, optimizer.init(params))
    )
    by_hand = optax.inject_hyperparams(optax.adamw)(learning_rate=0.0)
    state, step = by_hand.init(params), jax.jit(train_step(by_hand))
    for batch, rate in zip(data, rates(40, 3e-2), strict=True):
        state.hyperparams["learning_rate"] = jnp.float32(rate)
        (params, state), _ = step((params, state), batch)
    for one, other in zip(jax.tree.leaves(trained), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
    assert losses[-5:].mean() < losses[:5].mean() - 1


def test_positions_beyond_what_float32_counts_are_told_apart() -> None:
    """16,777,217 is no float32: a warmup of 10 updates that begins there still has 10 different rates."""
    start = 2**24 + 1
    schedule = ph.absolute(ph.hold(0.1, start) >> ph.ramp(0.1, 0.2, 10) >> ph.hold(0.2)).bind()
    for optimizer in (optax.sgd(schedule), inject(optax.sgd, schedule)):
        _, found = stepped(optimizer, counted(optimizer.init(jnp.ones(())), start), 12)
        near(found, [schedule(start + update) for update in range(12)])


def test_a_schedule_whose_lengths_are_not_known_is_refused_when_it_is_first_used() -> None:
    optimizer = optax.sgd(ph.absolute(ph.warmup("5%") >> ph.hold()))
    with pytest.raises(ph.BindError, match="bind"):
        optimizer.update(jnp.ones(()), optimizer.init(jnp.ones(())))


def test_optax_does_not_take_a_schedule_for_one_that_has_a_state() -> None:
    assert not any(hasattr(one, name) for one in (WARMUP, ph.absolute(WARMUP)) for name in ("init", "update"))


# -- several hyper-parameters and groups -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any, Any]:
    """The whole run of the plan, in one scan: the optimizer, what is left, and the rates of every update."""
    keys = jax.random.split(jax.random.key(0), 2)
    params = {
        "body": 0.1 * jax.random.normal(keys[0], (256, WIDTH)),
        "head": 0.1 * jax.random.normal(keys[1], (WIDTH, 256)),
    }
    optimizer = inject(optax.adamw, PLAN, RUN, peak=3e-3, labels=labels_of)
    scan = jax.jit(lambda carry: jax.lax.scan(train_step(optimizer), carry, batches(40)))
    return optimizer, *scan((params, optimizer.init(params)))


def test_every_line_of_a_plan_has_its_value_at_every_update(trained: Any) -> None:
    optimizer, (_, state), (losses, found) = trained
    bound = PLAN.bind(RUN)
    assert set(found) == set(PLAN)
    near(found["lr"], 3e-3 * bound["lr"].table(40))
    near(found["head/lr"], 3e-2 * bound["lr"].table(40))
    near(found["weight_decay"], bound["weight_decay"].table(40))
    near(found["betas[0]"], bound["betas[0]"].table(40))
    assert optimizer.position(state) == 40
    assert losses[-5:].mean() < losses[:5].mean() - 0.3


def test_what_is_read_off_the_state_is_what_moves_the_weights() -> None:
    """With gradients of 1, and SGD, for every group."""
    plan = ph.Plan({"lr": WARMUP, "head/lr": WARMUP.scaled(10)})
    optimizer = inject(optax.sgd, plan, RUN, peak=0.01, labels={"body": "trunk", "head": "head"})
    ones = {"body": jnp.ones(2), "head": jnp.ones(2)}
    state, step = optimizer.init(ones), jax.jit(optimizer.update)
    for update in range(45):
        updates, state = step(ones, state, ones)
        near(-updates["body"], [rates(45, 0.01)[update]] * 2)
        near(-updates["head"], [rates(45, 0.1)[update]] * 2)
        near(list(optimizer.values(state).values()), [-updates["head"][0], -updates["body"][0]])


def test_factors_multiply_what_the_factory_is_given_or_its_default() -> None:
    plan = {"lr": ph.decay(), "weight_decay": ph.decay(to=0.5), "b2": ph.relative(ph.hold(0.9))}
    optimizer = inject(optax.adamw, plan, ph.Run(total=10), learning_rate=1e-3, weight_decay=0.2)
    values = optimizer.values(optimizer.init(jnp.ones(())))
    near([values["lr"], values["weight_decay"], values["b2"]], [1e-3, 0.2, 0.9 * 0.999])


def own(learning_rate: Any, clip: Any, weight_decay: float = 0.0) -> Any:
    return optax.chain(optax.clip(clip), optax.add_decayed_weights(weight_decay), optax.sgd(learning_rate))


def test_arguments_of_a_factory_of_ones_own_can_be_scheduled() -> None:
    optimizer = inject(own, {"lr": ph.absolute(ph.hold(1.0)), "clip": ph.absolute(ph.ramp(0.0, 0.5, 10))})
    state, found = optimizer.init(jnp.ones(())), []
    for _ in range(11):
        updates, state = optimizer.update(jnp.ones(()), state, jnp.ones(()))
        found.append(-updates)
    near(found, ph.ramp(0.0, 0.5, 10).table(11))


def test_accumulated_gradients_are_one_update() -> None:
    inner = inject(optax.sgd, WARMUP, RUN, peak=0.1)
    optimizer = optax.MultiSteps(optax.chain(optax.clip(10.0), inner), every_k_schedule=4)
    state, found = stepped(optimizer, optimizer.init(jnp.ones(())), 80)
    near(found[3::4], rates(20, 0.1))
    assert not np.any(np.delete(found, np.s_[3::4]))
    assert inner.position(state) == 20


def test_updates_that_are_skipped_do_not_count() -> None:
    inner = inject(optax.sgd, WARMUP, RUN, peak=0.1)
    optimizer = optax.apply_if_finite(inner, max_consecutive_errors=5)
    state = optimizer.init(jnp.ones(()))
    for grad in (1.0, jnp.nan, 1.0, jnp.inf, 1.0):
        updates, state = optimizer.update(jnp.asarray(grad), state, jnp.ones(()))
    assert inner.position(state) == 3
    near(-updates, rates(3, 0.1)[2])


def test_in_bfloat16_optax_rounds_every_number_and_this_keeps_them() -> None:
    params = jnp.ones(3, jnp.bfloat16)
    theirs = optax.inject_hyperparams(optax.adamw)(learning_rate=3e-4)
    hyperparams = theirs.init(params).hyperparams
    assert [float(hyperparams[name]) for name in ("b1", "b2")] == [0.8984375, 1.0]
    assert abs(float(hyperparams["learning_rate"]) / 3e-4 - 1) > 1e-3
    ours = inject(optax.adamw, {"lr": ph.absolute(ph.hold(3e-4)), "b1": ph.absolute(ph.hold(0.9))})
    state = ours.init(params)
    near(list(ours.values(state).values()), [0.9, 3e-4])
    kinds = jax.tree.map(lambda leaf: leaf.dtype, state)
    for _ in range(2):
        updates, state = ours.update(params, state, params)
        assert jax.tree.map(lambda leaf: leaf.dtype, state) == kinds
        assert updates.dtype == jnp.bfloat16


def test_a_mask_is_no_schedule() -> None:
    """inject_hyperparams calls every function among the arguments with the count; here it gets the parameters."""
    ones, seen = {"w": jnp.ones(2), "b": jnp.ones(2)}, list[Any]()

    def mask(params: Any) -> Any:
        seen.append(params)
        return {"w": True, "b": False}

    with suppress(TypeError):  # of optax 0.2.4, which takes what the mask gives for a number
        optax.inject_hyperparams(optax.adamw)(learning_rate=0.1, mask=mask).init(ones)
    assert seen[0].dtype == jnp.int32
    seen.clear()
    optimizer = inject(optax.adamw, ph.hold(1.0), peak=0.1, weight_decay=0.5, mask=mask)
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, ones), optimizer.init(ones), ones)
    assert all(isinstance(one, dict) for one in seen)
    near(updates["w"], [-0.05, -0.05])
    near(updates["b"], [0.0, 0.0])


def test_optax_goes_on_with_another_schedule_and_says_nothing() -> None:
    before, after = optax.sgd(WARMUP.bind(RUN, peak=1.0)), optax.sgd(LONGER.bind(peak=1.0))
    state, _ = stepped(before, before.init(jnp.ones(())), 12)
    near(stepped(after, state, 1)[1], [LONGER(12)])


# -- resuming --------------------------------------------------------------------------------------------------------


LONGER = ph.warmup(8) >> ph.decay(60, to=0.1, shape="cosine")


@pytest.mark.parametrize(
    ("on_change", "wanted"),
    [
        ("adopt", LONGER.table(40)[12:]),
        ("keep", rates(40)[12:]),
        ("rebase", LONGER.table(40)[12:] * rates(40)[12] / LONGER(12)),
    ],
)
def test_a_changed_plan_is_refused_or_what_the_policy_says(on_change: str, wanted: Any) -> None:
    before = inject(optax.sgd, WARMUP, RUN, peak=1.0)
    state, _ = stepped(before, before.init(jnp.ones(())), 12)
    saved = before.state_dict(state)
    after = inject(optax.sgd, LONGER, ph.Run(total=68), peak=1.0)
    with pytest.raises(ph.StateError, match=r"the plan has changed.*12"):
        after.resumed(saved, state)
    near(stepped(*after.resumed(saved, state, on_change), 28)[1], wanted)
    near(stepped(*before.resumed(saved, state), 28)[1], rates(40)[12:])


def test_another_peak_is_another_plan() -> None:
    before, after = (inject(optax.sgd, WARMUP, RUN, peak=peak) for peak in (1.0, 0.5))
    state, _ = stepped(before, before.init(jnp.ones(())), 12)
    with pytest.raises(ph.StateError, match="has changed"):
        after.resumed(before.state_dict(state), state)


def test_a_plan_and_a_state_of_two_checkpoints_are_refused() -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=1.0)
    early, _ = stepped(optimizer, optimizer.init(jnp.ones(())), 3)
    late, _ = stepped(optimizer, early, 3)
    with pytest.raises(ph.StateError, match="counted 3 updates and the plan was saved after 6"):
        optimizer.resumed(optimizer.state_dict(late), early)


def test_a_state_goes_on_under_another_plan_through_resumed_only() -> None:
    """Without it, or where the optimizer that it gives is dropped, nothing is saved, however many updates later."""
    before, after = (inject(optax.sgd, WARMUP, RUN, peak=peak) for peak in (1.0, 0.5))
    state, _ = stepped(before, before.init(jnp.ones(())), 12)
    saved = before.state_dict(state)
    _, kept = after.resumed(saved, state, "keep")
    for other in (state, kept, stepped(after, state, 3)[0]):
        with pytest.raises(ph.StateError, match=r"another plan than this optimizer's; write optimizer, state = "):
            after.state_dict(other)
    again, adopted = after.resumed(saved, state, "adopt")
    assert again.state_dict(adopted) == after.state_dict(adopted)
    with pytest.raises(ph.StateError, match="under another plan than the saved one"):
        after.resumed(saved, adopted, "adopt")


SWAPPED = {"a": "head", "b": "body"}


@pytest.mark.parametrize("factory", [optax.sgd, optax.adam])
@pytest.mark.parametrize("is_function", [False, True])
def test_other_labels_than_the_saved_ones_are_refused(factory: Any, is_function: bool) -> None:
    plan, ones = {"lr": ph.hold(), "head/lr": ph.hold().scaled(10)}, {"a": jnp.ones(2), "b": jnp.ones(2)}

    def made(labels: Any) -> Injected:
        return inject(factory, plan, peak=0.1, labels=(lambda _: labels) if is_function else labels)

    before = made({"a": "body", "b": "head"})
    state = before.update(ones, before.init(ones), ones)[1]
    saved = before.state_dict(state)
    again, state = made({"a": "body", "b": "head"}).resumed(saved, state)
    again.update(ones, state, ones)

    def resumed() -> None:
        other, moved = made(SWAPPED).resumed(saved, state)
        other.update(ones, moved, ones)

    with pytest.raises(ph.StateError, match="the labels have changed"):
        resumed()
    other, moved = made(SWAPPED).resumed(saved, state, "adopt")
    if factory is optax.adam:
        with pytest.raises(ph.PreheatError, match="of another optimizer, or of parameters"):
            other.update(ones, moved, ones)
    else:
        near(-other.update(ones, moved, ones)[0]["a"], [1.0, 1.0])


def test_labels_of_a_function_that_was_not_called_are_not_saved_as_known() -> None:
    optimizer = inject(optax.adamw, PLAN, RUN, peak=0.1, labels=labels_of)
    state = optimizer.init({"body": jnp.ones(2), "head": jnp.ones(2)})
    with pytest.raises(ph.PreheatError, match="has not been called yet"):
        inject(optax.adamw, PLAN, RUN, peak=0.1, labels=labels_of).state_dict(state)


def test_it_pickles() -> None:
    optimizer = inject(optax.adamw, PLAN, RUN, peak=3e-3, labels=labels_of)
    again = pickle.loads(pickle.dumps(optimizer))
    ones = {"body": jnp.ones(2), "head": jnp.ones(2)}
    assert again.values(again.init(ones)) == optimizer.values(optimizer.init(ones))


# -- rules -----------------------------------------------------------------------------------------------------------

RULES = {
    "plateau": [ph.Plateau("loss", factor=0.5, patience=2, after=8)],
    "floor": [ph.Plateau("loss", factor=0.1, patience=1, after=8, min_lr=0.03)],
    "hold": [ph.HoldUntil("loss", at=10, patience=4)],
    "rewarm": [ph.Rewarm("loss", span=8, settle=5)],
}
METRICS = [1.0, 1.01] * 6 + [9.0] + [1.0] * 6 + [0.5] * 21


def reference(rules: Any, every: int = 1) -> list[float]:
    """What a session alone says, the metric told after every update, or after every so many."""
    session, found = Session(ph.absolute(WARMUP.scaled(0.1)), RUN, rules=rules), []
    for update in range(40):
        found.append(session.values()["lr"])
        if (update + 1) % every == 0:
            session.observe({"loss": METRICS[update]})
        session.advance()
    return found


@pytest.mark.parametrize("rules", RULES)
def test_rules_change_the_rate_of_the_next_update(rules: str) -> None:
    """Saved and resumed in the middle, between the update and the step that follows it."""

    def made() -> Injected:
        return inject(optax.sgd, WARMUP, RUN, peak=0.1, rules=RULES[rules])

    optimizer = made()
    state, found = optimizer.init(jnp.ones(())), []
    for at in range(40):
        state, rate = stepped(optimizer, state, 1)
        found += rate
        state = optimizer.step(state, {"loss": METRICS[at]})
        if at == 15:
            optimizer, state = made().resumed(optimizer.state_dict(state), state)
    wanted = reference(RULES[rules])
    near(found, wanted, 1e-6)
    assert not np.allclose(wanted, rates(40, 0.1), rtol=1e-3)


def test_between_two_metrics_a_plateau_leaves_the_updates_to_a_scan() -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=0.1, rules=RULES["plateau"])

    def update(state: Any, _: Any) -> Any:
        updates, state = optimizer.update(jnp.ones(()), state)
        return state, -updates

    five = jax.jit(lambda state: jax.lax.scan(update, state, length=5))
    state, found = optimizer.init(jnp.ones(())), []
    for at in range(4, 40, 5):
        state, made = five(state)
        found += made.tolist()
        state = optimizer.step(state, {"loss": METRICS[at]})
    wanted = reference(RULES["plateau"], every=5)
    near(found, wanted, 1e-6)
    assert not np.allclose(wanted, rates(40, 0.1), rtol=1e-3)


@pytest.mark.parametrize("rules", ["hold", "rewarm"])
def test_a_scan_over_updates_that_a_rule_would_have_changed_is_a_warning(rules: str) -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=0.1, rules=RULES[rules])
    state = optimizer.init(jnp.ones(()))
    for at in range(13):
        state = optimizer.step(stepped(optimizer, state, 1)[0], {"loss": METRICS[at]})
    with pytest.warns(ph.PreheatWarning, match="the rules came too late: update 14 was made at a rate"):
        optimizer.step(stepped(optimizer, state, 3)[0])


def test_micro_batches_bring_metrics_and_count_nothing() -> None:
    optimizer = inject(optax.sgd, ph.hold(), peak=0.1, rules=[ph.Plateau("loss", factor=0.5, patience=2)])
    several = optax.MultiSteps(optimizer, every_k_schedule=8)
    state = several.init(jnp.ones(()))
    for _ in range(8):
        state, found = stepped(several, state, 1)
        state = optimizer.step(state, {"loss": 1.0})
    assert optimizer.position(state) == 1
    near(found, [0.1 * 0.5**2])


def _rate_after(optimizer: Any, state: Any, updates: int, loss: Any) -> tuple[Any, float]:
    for at in range(updates):
        state, rate = stepped(optimizer, state, 1)
        state = optimizer.step(state, {"loss": loss(at)})
    return state, rate[0]


def test_what_rules_have_seen_belongs_to_one_training() -> None:
    """Two states of one optimizer are not mixed, a fresh one begins anew, and one that step() gave earlier is refused."""
    rules = [ph.Plateau("loss", factor=0.5, patience=2)]
    optimizer = inject(optax.sgd, ph.hold(), ph.Run(total=99), peak=0.1, rules=rules)
    start = optimizer.init(jnp.ones(()))
    first, rate = _rate_after(optimizer, start, 6, lambda _: 1.0)
    near([rate], [0.05], 1e-6)
    second, rate = _rate_after(optimizer, start, 8, lambda at: 10.0 - at)
    near([rate], [0.1], 1e-6)
    for other in (first, stepped(optimizer, first, 3)[0]):
        with pytest.raises(ph.PreheatError, match="remember another training"):
            optimizer.step(other, {"loss": 1.0})
        with pytest.raises(ph.PreheatError, match="remember another training"):
            optimizer.state_dict(other)
    near([_rate_after(optimizer, second, 1, lambda _: 1.0)[1]], [0.1], 1e-6)
    mixed = inject(optax.sgd, ph.hold(), ph.Run(total=99), peak=0.1, rules=rules)
    mixed.step(stepped(mixed, start, 1)[0], {"loss": 1.0})
    with pytest.raises(ph.PreheatError, match="make an optimizer with inject for every training"):
        mixed.step(stepped(mixed, start, 1)[0], {"loss": 9.0})


def test_a_step_whose_state_is_thrown_away_is_refused() -> None:
    optimizer = inject(optax.sgd, ph.hold(), peak=0.1, rules=[ph.Plateau("loss", patience=2)])
    state, _ = stepped(optimizer, optimizer.init(jnp.ones(())), 1)
    optimizer.step(state, {"loss": 1.0})
    with pytest.raises(ph.PreheatError, match=r"go on with state = optimizer.step"):
        optimizer.step(stepped(optimizer, state, 1)[0], {"loss": 1.0})


def test_the_first_state_of_an_optimizer_that_was_resumed_knows_nothing_of_what_was_seen() -> None:
    rules = [ph.Plateau("loss", factor=0.5, patience=2)]
    optimizer = inject(optax.sgd, ph.hold(), peak=0.1, rules=rules)
    state, _ = _rate_after(optimizer, optimizer.init(jnp.ones(())), 6, lambda _: 1.0)
    again, state = inject(optax.sgd, ph.hold(), peak=0.1, rules=rules).resumed(optimizer.state_dict(state), state)
    near([stepped(again, again.init(jnp.ones(())), 1)[1][0]], [0.1], 1e-6)
    near(stepped(again, state, 1)[1], stepped(optimizer, state, 1)[1])
    near(stepped(again, state, 1)[1], [0.05], 1e-6)


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: inject(optax.adamw, WARMUP, RUN), "'lr' is factors, and what they multiply is not given; pass peak="),
        (lambda: inject(optax.adamw, ph.ramp(0.01, 0.1, 10), RUN, peak=0.1), r"reach up to 0.1, not 1.*absolute\("),
        (lambda: inject(optax.adamw, ph.absolute(WARMUP), RUN, peak=0.1), "would count for nothing, not 0.1"),
        (
            lambda: inject(optax.adamw, WARMUP, RUN, peak=0.1, learning_rate=0.1),
            "peak= and learning_rate= are the same",
        ),
        (lambda: inject(optax.adamw, WARMUP, peak=0.1), "bind it to a Run with a total"),
        (lambda: inject(optax.adamw, WARMUP, ph.Run(total=100, clock="epoch"), peak=0.1), "counts updates"),
        (lambda: inject(optax.adamw, {"lr": WARMUP, "weight_decai": ph.hold()}, RUN), "did you mean 'weight_decay'"),
        (lambda: inject(optax.sgd, {"lr": WARMUP, "betas[0]": ph.hold()}, RUN, peak=1.0), "sgd has no argument 'b1'"),
        (lambda: inject(optax.adamw, WARMUP, RUN, peak=0.1, weight_decey=0.1), "did you mean 'weight_decay'"),
        (
            lambda: inject(optax.adamw, {"lr": WARMUP, "b1": ph.hold(), "betas[0]": ph.hold()}, RUN, peak=1.0),
            "both the arg",
        ),
        (lambda: inject(optax.sgd, {"lr": WARMUP, "momentum": ph.hold()}, RUN, peak=1.0), "'momentum' is factors"),
        (lambda: inject(optax.adamw, {"lr": WARMUP, "eps_root": ph.hold()}, RUN, peak=1.0), "what they multiply is 0"),
        (lambda: inject(optax.adamw, {"weight_decay": ph.hold()}), "needs 'learning_rate', and the plan has no line"),
        (lambda: inject(optax.adamw, PLAN, RUN, peak=0.1), "group 'head', and which parameters are in it is not said"),
        (lambda: inject(optax.adamw, WARMUP, RUN, peak=0.1, labels=labels_of), "labels= is for lines of groups"),
        (lambda: inject(optax.sgd, ph.absolute(ph.ramp(0.1, -0.1, 10))), "none below 0"),
        (lambda: inject(optax.sgd(0.1), WARMUP, RUN, peak=0.1), "write inject\\(optax.sgd, …\\), without calling it"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        make()


def test_labels_that_do_not_fit_the_plan_are_refused_when_the_state_is_made() -> None:
    ones = {"body": jnp.ones(2), "head": jnp.ones(2)}
    plan = {"lr": WARMUP, "haed/lr": WARMUP}
    with pytest.raises(ph.PreheatError, match=r"no parameter has the label 'haed'.*did you mean 'head'"):
        inject(optax.sgd, plan, RUN, peak=0.1, labels=labels_of).init(ones)
    constant = inject(optax.sgd, {"head/lr": WARMUP}, RUN, learning_rate=0.1, labels=labels_of)
    near(constant.update(ones, constant.init(ones), ones)[0]["body"], [-0.1, -0.1])
    with pytest.raises(ph.PreheatError, match="label 'other' would follow no learning rate"):
        inject(optax.sgd, {"head/lr": WARMUP}, RUN, peak=0.1, labels=labels_of).init(ones)


def test_a_state_of_another_optimizer_is_refused() -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=0.1)
    state = optimizer.init(jnp.ones(()))
    for other in (optax.adam(0.1).init(jnp.ones(())), (state, state)):
        with pytest.raises(ph.PreheatError, match="not a state of this optimizer"):
            optimizer.values(other)
    with pytest.raises(ph.PreheatError, match="is for rules, and there are none"):
        optimizer.step(state)


def test_states_that_look_like_this_optimizers_are_refused_too() -> None:
    sgd, other = (
        inject(optax.sgd, WARMUP, RUN, peak=0.1),
        inject(own, {"clip": ph.absolute(WARMUP)}, RUN, learning_rate=1),
    )
    ones = jnp.ones(())
    with pytest.raises(ph.PreheatError, match="not a state of this optimizer"):
        sgd.values(other.init(ones))
    with pytest.raises(ph.PreheatError, match=r"that is state\[0\] or state\[1\]"):
        sgd.values((sgd.init(ones), sgd.init(ones)))
    with pytest.raises(ph.PreheatError, match=r"StandardRestore\(optimizer.init"):
        sgd.values({"count": 3})
    adam = inject(optax.adamw, WARMUP, RUN, peak=0.1)
    state = adam.init(ones)
    again, state = sgd.resumed(adam.state_dict(state), state)
    with pytest.raises(ph.PreheatError, match="the state is of another optimizer"):
        again.update(ones, state, ones)


def test_a_step_inside_jit_or_of_many_states_is_refused() -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=0.1, rules=RULES["plateau"])
    with pytest.raises(ph.PreheatError, match="inside jit there are no numbers yet"):
        jax.jit(optimizer.step)(optimizer.init(jnp.ones(())))
    many = jax.vmap(optimizer.init)(jnp.ones(3))
    for call in (optimizer.step, optimizer.state_dict, optimizer.position):
        with pytest.raises(ph.PreheatError, match="3 states in one, as vmap makes them"):
            call(many)
    assert optimizer.position(jax.tree.map(lambda leaf: leaf[0], many)) == 0


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        (lambda one: optax.MultiSteps(one, 2).gradient_transformation(), "MultiSteps"),
        (lambda one: optax.chain(optax.clip(1.0), optax.apply_if_finite(one, 5)), "apply_if_finite"),
    ],
)
def test_a_factory_that_does_not_update_at_every_call_is_refused(wrapper: Any, name: str) -> None:
    optimizer = inject(lambda learning_rate: wrapper(optax.sgd(learning_rate)), WARMUP, RUN, peak=0.1)
    with pytest.raises(ph.PreheatError, match=rf"the factory has {name} inside.*optax.{name}\(inject"):
        optimizer.init(jnp.ones(()))


def test_a_label_follows_the_lines_of_what_it_is_a_part_of() -> None:
    """As a torch group "head/decay" does, and what is closer overrides; with and without a leaf that is plainly "head"."""
    ones = {"w": jnp.ones(2), "b": jnp.ones(2), "e": jnp.ones(2)}
    plan = {"lr": ph.hold(), "head/lr": ph.hold().scaled(10), "head/norm/lr": ph.hold().scaled(2)}
    labels = {"w": "head/decay", "b": "head/norm/scale", "e": "body"}
    optimizer = inject(optax.sgd, plan, peak=0.1, labels=labels)
    updates, state = optimizer.update(ones, optimizer.init(ones), ones)
    for name, rate in (("w", 1.0), ("b", 0.2), ("e", 0.1)):
        near(-updates[name], [rate] * 2)
    near(list(optimizer.values(state).values()), [1.0, 0.2, 0.1])
    mixed = inject(
        optax.sgd, plan | {"head/norm/lr": ph.hold()}, peak=0.1, labels=labels | {"b": "head/norm", "e": "head"}
    )
    updates, _ = mixed.update(ones, mixed.init(ones), ones)
    for name, rate in (("w", 1.0), ("b", 0.1), ("e", 1.0)):
        near(-updates[name], [rate] * 2)


def test_labels_of_another_structure_than_the_parameters_are_refused() -> None:
    optimizer = inject(optax.sgd, {"lr": WARMUP, "head/lr": WARMUP}, RUN, peak=0.1, labels={"a": "head"})
    with pytest.raises(ph.PreheatError, match="labels have another structure than the parameters"):
        optimizer.init({"a": jnp.ones(2), "b": jnp.ones(2)})


def test_a_metric_that_no_rule_hears_is_refused() -> None:
    optimizer = inject(optax.sgd, WARMUP, RUN, peak=0.1, rules=RULES["plateau"])
    with pytest.raises(ph.PreheatError, match="no rule listens to 'los'; did you mean 'loss'"):
        optimizer.step(optimizer.init(jnp.ones(())), {"los": 1.0})
