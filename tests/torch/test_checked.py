"""Live schedulers of several libraries, looked at before the first update: what they really do is what is found."""

import pytest
import torch
from torch.optim import SGD, AdamW, RAdam
from torch.optim import lr_scheduler as torchs

import preheat as ph
from preheat import PreheatError
from preheat.torch import Scheduler, check

transformers = pytest.importorskip("transformers")


def adam(cls=AdamW, **group):
    return cls([torch.nn.Parameter(torch.zeros(4, 4))], lr=1e-3, **group)


def rates(optimizer, scheduler, n):
    """What the library does, update by update."""
    found = []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def hf(name, warmup, total, **more):
    return lambda optimizer: transformers.get_scheduler(name, optimizer, warmup, total, more or None)


def sequence(first, second, milestone):
    return lambda o: torchs.SequentialLR(o, [first(o), second(o)], [milestone])


def warm(n):
    return lambda o: torchs.LinearLR(o, 0.1, total_iters=n)


def cosine(n):
    return lambda o: torchs.CosineAnnealingLR(o, n)


def one_cycle(n):
    return lambda o: torchs.OneCycleLR(o, 1e-3, total_steps=n)


def constant(o):
    return torchs.LambdaLR(o, lambda t: 1.0)


# code, what builds the scheduler, updates, what the library's own rates show, and a scheduler that has it not
CASES = [
    ("zero-start", hf("linear", 10, 200), 200, lambda r: r[0] == 0, hf("cosine_warmup_with_min_lr", 10, 200, min_lr_rate=0.1)),
    ("warmup-over-run", hf("linear", 500, 1000), 100, lambda r: r == sorted(r), hf("linear", 10, 100)),
    ("above-floor", hf("linear", 50, 4000), 1000, lambda r: r[-1] > 7e-4, hf("linear", 50, 1000)),
    ("rebound", cosine(500), 1000, lambda r: r[500] < 1e-9 < 9e-4 < r[-1], cosine(1000)),
    ("rebound", hf("cosine", 50, 500), 1000, lambda r: min(r[100:]) < 1e-8 and r[-1] > 5e-4, hf("cosine", 50, 1000)),
    ("jump", sequence(warm(50), cosine(950), 20), 970, lambda r: r[20] > 2 * r[19], sequence(warm(50), cosine(950), 50)),
    ("zero-warmup", warm(0), 100, lambda r: set(r) == {1e-4}, warm(1)),
    ("after-the-end", one_cycle(100), 150, None, one_cycle(150)),
    ("negative", lambda o: torchs.LambdaLR(o, lambda t: 1 - t / 100), 150, lambda r: r[-1] < 0, cosine(150)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_code_is_what_the_library_does(case):
    code, build, total, shows, other = case
    optimizer = adam()
    assert code in [one.code for one in check(optimizer, build(optimizer), total=total)]
    if shows is not None:
        optimizer = adam()
        assert shows(rates(optimizer, build(optimizer), total))
    else:
        optimizer = adam()
        with pytest.raises(ValueError, match="Tried to step"):
            rates(optimizer, build(optimizer), total)
    optimizer = adam()
    assert code not in [one.code for one in check(optimizer, other(optimizer), total=total)]


QUIET = {
    "transformers linear": hf("linear", 500, 10_000),
    "transformers cosine": hf("cosine", 500, 10_000),
    "transformers constant": hf("constant_with_warmup", 500, 10_000),
    "transformers inverse_sqrt": hf("inverse_sqrt", 500, 10_000),
    "transformers polynomial": hf("polynomial", 500, 10_000),
    "cosine": cosine(10_000),
    "warmup and cosine": sequence(warm(500), cosine(9_500), 500),
    "staircase": lambda o: torchs.MultiStepLR(o, [3000, 6000], 0.1),
    "restarts": lambda o: torchs.CosineAnnealingWarmRestarts(o, 2500),
    "one cycle": lambda o: torchs.OneCycleLR(o, 1e-3, total_steps=10_000),
    "exponential": lambda o: torchs.ExponentialLR(o, 0.9995),
    "constant": constant,
}


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_found_of_what_is_usual(name):
    optimizer = adam(betas=(0.9, 0.95))
    assert check(optimizer, QUIET[name](optimizer), total=10_000) == ()


def test_nothing_given_is_changed():
    optimizer = adam()
    scheduler = sequence(warm(50), cosine(950), 50)(optimizer)
    before = (repr(optimizer.state_dict()), repr(scheduler.state_dict()["_last_lr"]))
    check(optimizer, scheduler, total=1000)
    assert (repr(optimizer.state_dict()), repr(scheduler.state_dict()["_last_lr"])) == before
    tensor = AdamW([torch.nn.Parameter(torch.zeros(2))], lr=torch.tensor(1e-3))
    check(tensor, cosine(100)(tensor), total=100)
    assert tensor.param_groups[0]["lr"].item() == pytest.approx(1e-3)


def test_the_loader_and_the_epochs_make_the_run():
    optimizer = adam()
    scheduler = Scheduler(optimizer, "warmup(5%) >> decay()", run=ph.Run(total=3000))
    loader = torch.utils.data.DataLoader(range(4000), batch_size=4)
    assert check(optimizer, scheduler, loader, epochs=3) == ()
    (found,) = check(optimizer, scheduler, loader, epochs=3, accumulation=4)
    assert (found.code, found.what[-31:]) == ("total-differs", "the accumulation was not counted"[-31:])
    assert [one.code for one in check(optimizer, scheduler, loader, epochs=3, per="epoch")] == ["per-epoch"]
    other = hf("linear", 500, 3000)(adam())
    found = check(other.optimizer, other, loader, epochs=3, per="epoch")
    assert "per-epoch" in [one.code for one in found]
    assert "per-epoch" not in [one.code for one in check(other.optimizer, other, loader, epochs=3)]


def test_two_warmups_are_one_too_many():
    optimizer = adam(RAdam)
    run = ph.Run(total=10_000)
    assert [one.code for one in check(optimizer, Scheduler(optimizer, "warmup(5%) >> decay()", run=run))] == [
        "double-warmup"
    ]
    assert check(optimizer, Scheduler(optimizer, "decay()", run=run)) == ()
    optimizer = adam()
    two = [warm(50)(optimizer), cosine(1000)(optimizer)]
    assert [one.code for one in check(optimizer, two, total=1000)] == ["double-warmup"]


@pytest.mark.filterwarnings("ignore:double warmup")  # the Scheduler says so too
def test_an_optimizer_that_is_asked_for_a_warmup_of_its_own():
    schedulefree = pytest.importorskip("schedulefree")
    run = ph.Run(total=10_000)
    for steps, found in ((500, ["double-warmup"]), (0, [])):
        weights = [torch.nn.Parameter(torch.zeros(4, 4))]
        optimizer = schedulefree.AdamWScheduleFree(weights, lr=1e-3, betas=(0.9, 0.95), warmup_steps=steps)
        assert [one.code for one in check(optimizer, Scheduler(optimizer, "warmup(5%) >> hold()", run=run))] == found


def test_weight_decay_on_a_group_that_had_none():
    weights, norms = (torch.nn.Parameter(torch.zeros(size)) for size in ((2, 2), (2,)))
    groups = [{"params": [weights], "name": "weights"}, {"params": [norms], "name": "norms", "weight_decay": 0.0}]
    run, wrong = ph.Run(total=10_000), {"lr": "warmup(5%) >> decay()", "norms/weight_decay": "absolute(hold(0.1))"}
    optimizer = AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    assert [one.code for one in check(optimizer, Scheduler(optimizer, wrong, run=run))] == ["decayed-group"]
    optimizer = AdamW([dict(group) for group in groups], lr=1e-3, betas=(0.9, 0.95))
    assert (
        check(
            optimizer,
            Scheduler(optimizer, {"lr": "warmup(5%) >> decay()", "weight_decay": "absolute(hold(0.1))"}, run=run),
        )
        == ()
    )


def test_a_run_too_long_to_try_out_says_nothing_of_its_end():
    optimizer = SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    assert check(optimizer, torchs.StepLR(optimizer, 30_000), total=10**6) == ()


def test_what_is_no_scheduler_is_refused():
    optimizer = adam()
    for wrong in ((None, None), (optimizer, None), (optimizer, []), (optimizer, object())):
        with pytest.raises(PreheatError):
            check(*wrong, total=10)
    with pytest.raises(PreheatError, match="how long the run is"):
        check(optimizer, cosine(10)(optimizer))
