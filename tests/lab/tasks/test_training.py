"""The one training loop: what is paired, what is repeated, and what becomes of a run that diverges."""

import json
import math

import pytest
import torch

import preheat
from preheat import PreheatError
from preheat.lab.tasks import BytesOptions, DigitsOptions, load
from preheat.lab.tasks.training import MARGIN, begun, build_optimizer, cross_entropy, divergence, train

SMALL = BytesOptions(depth=2, width=16, heads=2, context=16, batch=4)
DIGITS = DigitsOptions(depth=2, width=32, init_gain=1.0)
WARMUP = preheat.warmup("50%") >> preheat.decay()
NONE = preheat.decay()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(options, schedule, seed=0, steps=6):
    """The result, and what was reported per update as a list of (step, loss, rate, grad_norm)."""
    rows = []

    def log(step, *, loss, lr, grad_norm=math.nan):
        rows.append((step, loss, lr, grad_norm))

    return train(options, schedule, seed, log, steps=steps), rows


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_the_same_seed_repeats_every_number(options):
    assert run(options, WARMUP) == run(options, WARMUP)


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_arms_of_one_seed_are_paired_and_seeds_differ(options):
    (_, warm), (_, cold), (_, other) = run(options, WARMUP), run(options, NONE), run(options, NONE, seed=1)
    assert warm[0][1] == cold[0][1]
    assert warm[0][3] == cold[0][3]
    assert cold[0][1] != other[0][1]


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_the_order_of_the_data_depends_on_the_seed_alone(options):
    def first(seed):
        batches = load(options).batches(seed)
        return [next(batches)[0] for _ in range(8)]

    assert all(torch.equal(a, b) for a, b in zip(first(3), first(3), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first(3), first(4), strict=True))


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_update_t_uses_the_peak_times_the_schedule_at_t(options):
    _, rows = run(options, WARMUP, steps=8)
    bound = WARMUP.bind(preheat.Run(total=8))
    assert [row[0] for row in rows] == list(range(8))
    assert [row[2] for row in rows] == pytest.approx([options.peak * bound(t) for t in range(8)], rel=1e-12)


def test_a_rate_of_zero_leaves_the_model_as_it_was():
    frozen = preheat.hold(0.0)
    (short, _), (long, _) = run(DIGITS, frozen, steps=1), run(DIGITS, frozen, steps=5)
    assert short["val_loss"] == long["val_loss"]


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_the_result_is_json_and_complete(options):
    result, rows = run(options, WARMUP)
    assert set(result) == {
        "val_loss", "val_accuracy", "chance_loss", "diverged", "reason", "steps", "parameters", "data",
    }  # fmt: skip
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["steps"] == len(rows) == 6
    assert result["parameters"] == sum(p.numel() for p in load(options).model().parameters())
    assert all(math.isfinite(number) for row in rows for number in row)


@pytest.mark.parametrize("options", [SMALL, DIGITS], ids=["bytes", "digits"])
def test_training_leaves_the_generator_of_the_caller_alone(options):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(options, NONE, steps=2)
    assert torch.equal(torch.rand(3), expected)


def test_a_run_that_explodes_is_a_result():
    result, rows = run(DigitsOptions(depth=2, width=16, peak=1e30), NONE, steps=20)
    assert result["diverged"]
    assert result["val_loss"] is None
    assert result["val_accuracy"] is None
    assert result["reason"] == f"non-finite loss at step {result['steps']}"
    assert not math.isfinite(rows[-1][1])
    assert [row[0] for row in rows] == list(range(result["steps"] + 1))
    json.dumps(result, allow_nan=False)


def test_an_explosion_in_the_last_update_is_found_too():
    result, rows = run(DigitsOptions(depth=2, width=16, peak=1e30), NONE, steps=1)
    assert math.isfinite(rows[0][1])
    assert result["diverged"]
    assert result["val_loss"] is None or result["val_loss"] > result["chance_loss"]


def test_a_model_that_learned_nothing_is_at_chance():
    result, _ = run(SMALL, preheat.hold(0.0), steps=1)
    assert result["diverged"]
    loss, chance = (f"{result[name]:.3g}" for name in ("val_loss", "chance_loss"))
    assert result["reason"] == f"validation loss {loss} is at or above chance {chance}"


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (math.nan, "non-finite"),
        (math.inf, "non-finite"),
        (9.0, "chance"),
        (3.0, "chance"),
        (3.0 * (1 - MARGIN) - 1e-6, ""),
    ],
)
def test_chance_level_is_recognised_with_its_margin(loss, said):
    reason = divergence(loss, 3.0)
    assert said in reason
    assert bool(reason) == bool(said)


def test_the_best_constant_predictor_is_at_chance():
    task = load(DIGITS)
    assert task.chance_loss() == pytest.approx(math.log(10), abs=0.01)
    assert divergence(cross_entropy(torch.zeros(450, 10), task.validation()[1]).item(), task.chance_loss())


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_learns_the_digits(name):
    peak = 0.05 if name == "sgd" else 0.01
    result, _ = run(DigitsOptions(depth=2, width=32, init_gain=1.0, optimizer=name, peak=peak), WARMUP, steps=60)
    assert not result["diverged"]
    assert result["val_accuracy"] > 0.8


def test_the_optimizer_has_the_options_numbers():
    options = BytesOptions(optimizer="adamw", peak=0.01, beta1=0.8, beta2=0.9, weight_decay=0.1)
    (group,) = build_optimizer(options, torch.nn.Linear(2, 2).parameters()).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.01, (0.8, 0.9), 0.1)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_seed_is_a_whole_number_of_at_least_0(seed):
    with pytest.raises(PreheatError, match="a seed must be a whole number of at least 0"):
        begun(load(DigitsOptions()), DigitsOptions(), seed)
