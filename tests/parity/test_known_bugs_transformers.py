"""What transformers' own schedulers do that one should know, shown on the running library beside what preheat gives."""

import math

import pytest

from preheat import PreheatError, compat

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from benchmarks.parity.torch_loop import rates  # noqa: E402
from transformers.optimization import AdafactorSchedule, get_scheduler  # noqa: E402


def theirs(kind: str, warm: int, total: int, n: int, base: float = 1.0, **kwargs: object) -> list[float]:
    return rates(lambda optimizer: get_scheduler(kind, optimizer, warm, total, kwargs), base, n)


def ours(kind: str, warm: int, total: int, **kwargs: object) -> compat.Restated:
    return compat.restate("transformers", kind, num_warmup_steps=warm, num_training_steps=total, **kwargs)


def codes(restated: compat.Restated) -> set[str]:
    return {found.code for found in restated.findings}


@pytest.mark.parametrize("kind", ["linear", "cosine", "inverse_sqrt", "constant_with_warmup"])
def test_the_first_update_runs_at_0_so_that_a_run_of_one_trains_nothing(kind: str) -> None:
    assert theirs(kind, 1, 1, 1) == [0.0] == ours(kind, 1, 1).table(1).tolist()


@pytest.mark.parametrize("kind", ["constant", "reduce_lr_on_plateau", "greedy"])
def test_a_warmup_is_ignored_without_a_word(kind: str) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    get_scheduler(kind, optimizer, 5, 10)
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "ignored-argument" in codes(ours(kind, 5, 10))


@pytest.mark.parametrize("kind", ["cosine", "cosine_with_min_lr", "cosine_warmup_with_min_lr"])
def test_after_the_end_a_cosine_climbs_back_to_the_full_rate(kind: str) -> None:
    more = {} if kind == "cosine" else {"min_lr_rate": 0.1}
    given = theirs(kind, 0, 10, 22, **more)
    assert max(given[12:]) > 0.99
    held = ours(kind, 0, 10, **more)
    assert held(21) == pytest.approx(min(given[:11]), abs=1e-12)
    assert "after-the-end" in codes(held)
    assert ours(kind, 0, 10, faithful=True, **more).table(22).tolist() == pytest.approx(given)


@pytest.mark.parametrize("kind", ["linear", "cosine", "polynomial"])
def test_a_warmup_longer_than_the_run_never_reaches_the_peak(kind: str) -> None:
    if kind == "polynomial":  # the last call divides by zero where they are equal
        assert len(theirs(kind, 10, 10, 15)) < 15
        assert theirs(kind, 10, 10, 10) == pytest.approx(ours(kind, 10, 10).table(10).tolist())
        assert "after-the-end" in codes(ours(kind, 10, 10))
    assert max(theirs(kind, 20, 10, 10)) == 0.45 == max(ours(kind, 20, 10).table(10))


def test_a_warmup_of_one_with_a_warmup_rate_stays_below_the_peak() -> None:
    given = theirs("cosine_warmup_with_min_lr", 1, 10, 10, min_lr_rate=0.0, warmup_lr_rate=0.25)
    restated = ours("cosine_warmup_with_min_lr", 1, 10, min_lr_rate=0.0, warmup_lr_rate=0.25)
    assert max(given) < 1
    assert restated.table(10).tolist() == pytest.approx(given)


def test_stable_decay_starts_its_warmup_at_the_floor_and_jumps_where_phases_overlap() -> None:
    arguments = {"num_decay_steps": 6, "decay_type": "linear", "min_lr_ratio": 0.0}
    assert theirs("warmup_stable_decay", 3, 9, 1, num_decay_steps=3, min_lr_ratio=0.1) == [0.1]
    given = theirs("warmup_stable_decay", 4, 8, 8, **arguments)
    assert given[3:5] == pytest.approx([0.75, 2 / 3])
    assert ours("warmup_stable_decay", 4, 8, **arguments).table(8).tolist() == pytest.approx(given)


def test_polynomial_ends_at_another_share_in_every_group() -> None:
    """Its end is a rate, and its share is of the optimizer's default rate: a group at a tenth of that ends at a tenth of it."""
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr": 0.1}], lr=1.0)
    scheduler = get_scheduler("polynomial", optimizer, 0, 5, {"lr_end": 0.5})
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
    assert "rate-argument" in codes(ours("polynomial", 0, 5, lr_end=0.5))


def test_a_share_of_warmup_is_rounded_up_and_one_is_an_update() -> None:
    steps = transformers.TrainingArguments("unused", use_cpu=True).get_warmup_steps
    assert steps(10_000) == 0
    for said, counted in ((0.0001, 1), (1, 1), (1.0, 1), (1.5, 1), (0.5, 500)):
        own = transformers.TrainingArguments("unused", use_cpu=True, warmup_steps=said)
        assert own.get_warmup_steps(1000) == counted == max(1, math.ceil(said * 1000) if said < 1 else int(said))
    with pytest.raises(TypeError):
        transformers.TrainingArguments("unused", use_cpu=True, warmup_ratio=0.1)


def test_the_schedule_of_adafactor_sets_nothing() -> None:
    optimizer = transformers.Adafactor([torch.nn.Parameter(torch.ones(1))])
    shown = AdafactorSchedule(optimizer)
    assert [group["lr"] for group in shown.optimizer.param_groups] != [1e-3]
    with pytest.raises(PreheatError, match="sets no rate"):
        compat.restate("transformers", "AdafactorSchedule")
