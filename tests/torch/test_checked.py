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
    ("raises-after-the-end", one_cycle(100), 150, None, one_cycle(150)),
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


def found_of(build, total, **known):
    optimizer = adam(SGD)
    return check(optimizer, build(optimizer), total=total, **known)


@pytest.mark.parametrize("longer", [3, 4, 100])
def test_a_decay_longer_than_the_run_is_found_however_long_it_is(longer):
    (found,) = found_of(cosine(200 * longer), 200)
    assert found.code == "above-floor"
    assert found.what.endswith(f"it would go to 0 by update {200 * longer:,}")


def test_a_line_that_ends_with_the_run_and_what_vanishes_in_it():
    assert found_of(lambda o: torchs.LambdaLR(o, lambda t: 1 - t / 200), 200) == ()
    for build in (lambda o: torchs.ExponentialLR(o, 0.9), lambda o: torchs.StepLR(o, 30)):
        assert [one.code for one in found_of(build, 1000)] == ["floor-early"]


def test_every_group_is_looked_at():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2, 2))], "lr": lr} for lr in (1e-3, 1e-4, 0.0)]
    optimizer = SGD(groups)
    two = torchs.LambdaLR(optimizer, [lambda t: 1.0, lambda t: 1 - t / 100, lambda t: 1.0])
    (found,) = check(optimizer, two, total=200)
    assert (found.code, found.place) == ("negative", "group 1, update 199")
    same = torchs.LambdaLR(SGD([dict(group) for group in groups]), lambda t: 1.0)
    assert check(same.optimizer, same, total=200) == ()


def test_one_that_has_been_stepped_is_looked_at_from_there_on():
    optimizer = adam(SGD)
    scheduler = hf("cosine", 10, 200)(optimizer)
    for _ in range(60):
        optimizer.step()
        scheduler.step()
    assert check(optimizer, scheduler, total=200) == ()
    assert [one.code for one in check(optimizer, scheduler, total=400)] == ["rebound"]
    with pytest.raises(PreheatError, match="stands at update 60"):
        check(optimizer, scheduler, total=60)


def test_restarts_after_a_warmup_are_meant_and_a_jump_is_told_by_the_rates_there():
    restarts = lambda o: torchs.CosineAnnealingWarmRestarts(o, 100)  # noqa: E731
    for build in (sequence(warm(20), restarts, 20), hf("cosine_with_restarts", 0, 400, num_cycles=4)):
        assert found_of(build, 400, ignore=("above-floor",)) == ()
    teeth = lambda o: torchs.LambdaLR(o, lambda t: 1 - t % 100 / 100)  # noqa: E731
    (first, _) = [one for one in found_of(teeth, 300) if one.code == "jump"]
    assert (first.place, first.what[:37]) == ("update 100", "the rate rises at once from 1e-05 to "[:37])


def test_where_a_cosine_turns_is_told_exactly_and_soon():
    (found,) = found_of(cosine(5000), 10_000)
    assert (found.code, found.place) == ("rebound", "update 5,000")
    assert "falls to 0 and" in found.what
    (found,) = found_of(cosine(90), 4500)
    assert (found.code, found.place) == ("rebound", "update 90")


def test_a_scheduler_that_follows_a_metric_or_fails_is_named():
    (found,) = found_of(torchs.ReduceLROnPlateau, 100)
    assert found.code == "metric-driven"
    for function, words in (
        (lambda t: 1 / (5 - t), "LambdaLR fails at update 5 of 100: ZeroDivisionError"),
        (lambda t: float("nan") if t > 4 else 1.0, "LambdaLR gives a rate of nan at update 5"),
    ):
        with pytest.raises(PreheatError, match=words):
            found_of(lambda o, function=function: torchs.LambdaLR(o, function), 100)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": 0},
        {"total": -1},
        {"total": 1e4},
        {"nosuch": 1},
        {"per": "batch"},
        {"ignore": "rebound"},
        {"ignore": ("no",)},
    ],
)
def test_what_is_asked_for_wrongly_is_refused(wrong):
    with pytest.raises(PreheatError):
        found_of(cosine(10), **({"total": 10} | wrong))


def test_a_loader_without_a_length_and_accelerates_scheduler_are_taken():
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    optimizer = adam(SGD)
    assert check(optimizer, cosine(100)(optimizer), torch.utils.data.DataLoader(Endless()), total=100) == ()
    held = type("AcceleratedScheduler", (), {"scheduler": cosine(50)(optimizer)})()
    assert [one.code for one in check(optimizer, held, total=100, ignore=("above-floor",))] == ["rebound"]
