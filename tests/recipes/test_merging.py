"""Weights of checkpoints: laws over random decays, and trainings in which the average is the run that decayed."""

import math
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.lab.tasks import DigitsOptions, load
from preheat.torch import Scheduler

SHAPES = ["linear", "cosine", "sqrt", "square", "smooth", "rex", "log"]
falls = st.builds(
    lambda n, start, end, shape: ph.ramp(max(start, end), min(start, end), n, shape),
    *(st.integers(1, 12), st.floats(0, 1), st.floats(0, 1), st.sampled_from(SHAPES)),
)


@given(falls, st.integers(1, 5))
def test_they_sum_to_1_and_none_is_negative_where_the_rate_only_falls(s: ph.Schedule, every: int) -> None:
    n = int(s.length)
    long = ph.table([s(t // every) for t in range(n * every)])
    for weights in (ph.merge_weights(s), ph.merge_weights(long, every)):
        assert len(weights) == n + 1
        assert math.fsum(weights) == pytest.approx(1, abs=1e-15)
        assert min(weights) >= 0
        left = [math.fsum(weights[j:]) for j in range(1, n + 1)]  # w_j, what the paper gives the jth gradient
        assert left == pytest.approx([s(t) for t in range(n)], abs=1e-14)


@pytest.mark.filterwarnings("ignore:.*below 0")
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_they_sum_to_1_whatever_the_schedule(values: list[float]) -> None:
    assert math.fsum(ph.merge_weights(ph.table(values))) == pytest.approx(1, abs=1e-14)


def checkpoints(schedule: ph.Schedule, updates: int, every: int, kind: type, **options: object) -> list[torch.Tensor]:
    """Weights after every so many updates on a loss that is linear in them, so that no gradient depends on them."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(20, dtype=torch.float64))
    optimizer = kind([weights], lr=0.1, **options)
    scheduler = Scheduler(optimizer, schedule)
    kept = [weights.detach().clone()]
    for update in range(updates):
        optimizer.zero_grad()
        (weights @ torch.randn(20, dtype=torch.float64)).backward()
        optimizer.step()
        scheduler.step()
        if (update + 1) % every == 0:
            kept.append(weights.detach().clone())
    return kept


@settings(max_examples=20)
@given(
    st.sampled_from(SHAPES),
    st.integers(1, 4),
    st.sampled_from([(torch.optim.SGD, {}), (torch.optim.SGD, {"momentum": 0.9}), (torch.optim.Adam, {})]),
)
def test_where_gradients_do_not_depend_on_the_weights_the_average_is_the_run_that_decayed(shape, every, kind) -> None:
    s = ph.decay(12, shape=shape)
    constant = checkpoints(ph.hold(), 12, every, kind[0], **kind[1])
    decayed = checkpoints(s.stepwise(every), 12, every, kind[0], **kind[1])[-1]
    merged = sum(c * weights for c, weights in zip(ph.merge_weights(s, every), constant, strict=True))
    assert torch.allclose(merged, decayed, rtol=1e-13, atol=1e-14)
    assert not torch.allclose(constant[-1], decayed, rtol=1e-3)


def digits(schedule: ph.Schedule, seed: int) -> tuple[list[dict], torch.nn.Module]:
    """A net on scikit-learn's digits after 300 … 400 updates of Adam, every 10, and itself."""
    task = load(DigitsOptions(batch=16))
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    scheduler, kept = Scheduler(optimizer, ph.warmup(20) >> ph.hold(1, 280) >> schedule), []
    for images, labels in islice(task.batches(seed), 400):
        if scheduler.last_epoch >= 300 and scheduler.last_epoch % 10 == 0:
            kept.append({name: weights.clone() for name, weights in model.state_dict().items()})
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        scheduler.step()
    return [*kept, model.state_dict()], model


def test_where_gradients_depend_on_the_weights_the_average_stands_for_the_decay() -> None:
    """Not the same weights; held-out loss beside that of the constant rate and of the decay, means of 3 seeds."""
    losses = torch.zeros(3)
    images, labels = load(DigitsOptions()).validation()
    weights = ph.merge_weights(ph.decay(100), every=10)
    for seed in range(3):
        kept, constant = digits(ph.hold(1, 100), seed)
        decayed = digits(ph.decay(100), seed)[1]
        merged = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        merged.load_state_dict(
            {name: sum(c * one[name] for c, one in zip(weights, kept, strict=True)) for name in kept[0]}
        )
        for i, model in enumerate((constant, decayed, merged)):
            losses[i] += torch.nn.functional.cross_entropy(model(images), labels).detach() / 3
    assert losses[2] < 0.9 * losses[0]
    assert losses[2] < 1.1 * losses[1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ph.merge_weights(ph.absolute("decay(9)")), "takes factors of the constant rate, not absolute"),
        (lambda: ph.merge_weights("decay()"), "bind it to a Run with a total, or give it a span"),
        (lambda: ph.merge_weights("hold()"), "multiple of every=1"),
        (
            lambda: ph.merge_weights("decay(10)", every=3),
            "multiple of every=3, of at most a million checkpoints, not 10",
        ),
        (lambda: ph.merge_weights("decay(9.5)"), "multiple of every=1"),
        (lambda: ph.merge_weights("decay(9)", every=0), "every must be a whole number of at least 1, not 0"),
    ],
)
def test_it_refuses(call, words: str) -> None:
    with pytest.raises(ph.PreheatError) as caught:
        call()
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["warmup(100) >> decay(300)", "decay(300).scaled(2)"])
def test_weights_below_0_are_warned_of(text: str) -> None:
    with pytest.warns(ph.PreheatWarning, match=r"1 of the weights are below 0, .*leave the warmup out"):
        assert min(ph.merge_weights(text, every=100)) < 0
