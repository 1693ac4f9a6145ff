"""What every instrument stands on: nothing of a measurement is left, and the line is the one that the optimizer goes."""

import random
from collections import defaultdict, deque
from functools import partial

import numpy
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

from preheat import PreheatError, Run, warmup
from preheat.measure import advise, critical_batch, critical_lr, lr_range_test, noise_scale, relative_critical_lr
from preheat.measure.snapshot import restored
from preheat.measure.training import Training
from preheat.torch import Scheduler

OPTIMIZERS = [
    (torch.optim.SGD, {}),
    (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    (torch.optim.Adam, {"weight_decay": 0.1}),
    (torch.optim.AdamW, {"betas": (0.9, 0.95)}),
    (torch.optim.AdamW, {"amsgrad": True, "fused": True}),
    (torch.optim.AdamW, {"lr": torch.tensor(0.01), "capturable": False}),
    (torch.optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (torch.optim.Adagrad, {}),
    (torch.optim.NAdam, {}),
    (torch.optim.RAdam, {}),
    (torch.optim.Adadelta, {}),
]
IDS = [f"{kind.__name__}{place}" for place, (kind, _) in enumerate(OPTIMIZERS)]


def _spoil(one) -> None:
    """Change whatever a measurement could change."""
    one.model.eval()
    for batch in one.batches[3:]:
        one.optimizer.zero_grad(set_to_none=True)
        one.loss(batch).backward()
        one.optimizer.step()
    one.model.train()
    one.loss(one.batches[0])
    one.optimizer.param_groups[0]["lr"] = 7.0
    one.optimizer.some_attribute = 1
    torch.manual_seed(99)
    torch.rand(3)


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=IDS)
@pytest.mark.parametrize("updates", [0, 3])
def test_all_is_put_back(trained, kind, settings, updates):
    one = trained(kind, updates, **settings)
    before = one.state()
    with restored(one.model, one.optimizer):
        _spoil(one)
        assert one.state() != before
    assert one.state() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_all_is_put_back_when_it_raises(trained, error):
    one = trained()
    before = one.state()

    def measure() -> None:
        with restored(one.model, one.optimizer):
            _spoil(one)
            raise error

    with pytest.raises(error):
        measure()
    assert one.state() == before


def test_a_grad_scaler_is_put_back(trained):
    one = trained()
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    before = one.state(), scaler.state_dict()
    with restored(one.model, one.optimizer, scaler):
        scaler.scale(one.loss(one.batches[0])).backward()
        scaler.step(one.optimizer)
        scaler.update()
        assert scaler.get_scale() == 16.0
    assert (one.state(), scaler.state_dict()) == before


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=IDS)
def test_the_line_is_the_one_that_the_optimizer_goes(trained, kind, settings):
    one = trained(kind, **settings)
    before = one.state()
    with Training(*one.given).opened() as probe:
        line = probe.line([one.batches[4]])
        assert one.state()[: len(line.parameters)] == before[: len(line.parameters)]
        line.move(0.03)
        moved = [p.detach().clone() for p in probe.parameters]
        line.move(0.0)
        probe.gradient([one.batches[4]])
        probe.step(0.03)
        for there, here in zip(probe.parameters, moved, strict=True):
            torch.testing.assert_close(here, there.detach(), rtol=1e-4, atol=1e-6)
    assert one.state() == before


def test_a_scheduler_does_not_count_the_updates_of_a_measurement(trained):
    one = trained(updates=0)
    scheduler = Scheduler(one.optimizer, warmup(10), run=Run(total=20))
    with Training(*one.given).opened() as probe:
        for batch in one.batches:
            probe.gradient([batch])
            probe.step(0.1)
    assert scheduler.position == 0
    scheduler.step()
    assert "no update" not in str(scheduler.audit())
    assert [group["lr"] for group in one.optimizer.param_groups] == pytest.approx([0.001, 0.003])


def test_losses_are_computed_under_the_same_random_numbers(trained):
    one = trained()
    with Training(*one.given).opened() as probe:
        assert probe.loss(one.batches[0]) == probe.loss(one.batches[0])
        assert probe.gradient([one.batches[0]]) == pytest.approx(probe.loss(one.batches[0]), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": 3}, "model is a torch.nn.Module"),
        ({"loss": 3}, "loss is a function of a batch"),
        ({"batches": 3}, "batches is an iterable"),
        ({"optimizer": 3}, "optimizer is a torch.optim.Optimizer"),
        ({"optimizer": torch.optim.LBFGS(nn.Linear(1, 1).parameters())}, "LBFGS cannot be measured"),
    ],
)
def test_what_cannot_be_measured_is_refused(trained, change, words):
    one = trained()
    given = dict(zip(("model", "optimizer", "loss", "batches"), one.given, strict=True))
    with pytest.raises(PreheatError, match=words):
        Training(**{**given, **change})


class _Bookkeeping(torch.optim.SGD):
    """An optimizer that changes its own attributes in place."""

    def __init__(self, parameters, **settings):
        super().__init__(parameters, **settings)
        self.books = _books()

    def step(self, closure=None):
        _write(self.books)
        return super().step(closure)


def _books() -> dict:
    return {
        "mean": torch.zeros(2),
        "nested": {"list": [1, [torch.ones(1)]], "set": {1}, "queue": deque([1, 2, 3], maxlen=3)},
        "counts": defaultdict(int),
        "array": numpy.zeros(2),
        "pair": (torch.zeros(1), [0]),
        "generator": torch.Generator(),
        "numpy": numpy.random.default_rng(0),
        "python": random.Random(0),
    }


def _write(books: dict) -> None:
    books["mean"].add_(1)
    books["nested"]["list"][1][0].add_(1)
    books["nested"]["list"].append(2)
    books["nested"]["set"].add(2)
    books["nested"]["queue"].append(4)
    books["nested"]["new"] = 1
    books["counts"]["steps"] += 1
    books["array"] += 1
    books["pair"][0].add_(1)
    books["pair"][1][0] += 1
    torch.rand(1, generator=books["generator"])
    books["numpy"].random()
    books["python"].random()


def _read(books: dict) -> str:
    draws = (torch.rand(1, generator=books["generator"].clone_state()).item(), books["python"].getstate())
    return repr(({k: v for k, v in books.items() if k not in ("generator", "python", "numpy")}, draws)) + repr(
        books["numpy"].bit_generator.state
    )


def test_what_an_optimizer_and_a_module_keep_in_attributes_is_put_back(trained):
    one = trained(_Bookkeeping)
    head = one.model.head
    head.books, head.seen, head.last = _books(), 3, torch.ones(2)
    objects = {name: id(value) for holder in (one.optimizer, head) for name, value in holder.books.items()}
    forward = head.forward

    def counting(x):
        _write(head.books)
        head.seen += 1
        head.last, head.cache = x.detach(), x
        return forward(x)

    head.forward = counting
    before = one.state(), _read(one.optimizer.books), _read(head.books)
    with restored(one.model, one.optimizer):
        _spoil(one)
        assert _read(one.optimizer.books) != before[1]
        assert _read(head.books) != before[2]
    assert (one.state(), _read(one.optimizer.books), _read(head.books)) == before
    assert {name: id(value) for holder in (one.optimizer, head) for name, value in holder.books.items()} == objects
    assert (head.seen, head.last.tolist(), hasattr(head, "cache")) == (3, [1.0, 1.0], False)


def test_hooks_that_are_set_meanwhile_stay(trained):
    one = trained()
    with restored(one.model, one.optimizer):
        one.optimizer.register_step_post_hook(lambda *given: None)
        one.model.register_forward_hook(lambda *given: None)
    assert (len(one.optimizer._optimizer_step_post_hooks), len(one.model._forward_hooks)) == (1, 1)


@pytest.mark.parametrize(
    "measure",
    [
        critical_lr,
        partial(lr_range_test, updates=20, repeats=2),
        partial(noise_scale, micro_batches=2, draws=4),
        partial(critical_batch, micro_batches=2, draws=4),
        partial(advise, steps=100, trial=0, held_out="loader"),
    ],
    ids=["critical_lr", "lr_range_test", "noise_scale", "critical_batch", "advise"],
)
def test_the_generators_of_a_loader_are_put_back(trained, measure):
    one = trained(torch.optim.SGD)
    one.model.eval()
    data = [(x, y) for batch in one.batches for x, y in zip(*batch, strict=True)]
    own = [torch.Generator() for _ in range(3)]
    sampler = RandomSampler(data, generator=own[0])
    loader = DataLoader(data, batch_sampler=BatchSampler(sampler, 8, drop_last=False), generator=own[1])
    held_out = DataLoader(data, 8, shuffle=True, generator=own[2])
    if "held_out" in getattr(measure, "keywords", {}):
        measure = partial(measure, held_out=held_out)
    before = one.state(), [generator.get_state().tolist() for generator in own]
    measure(one.model, one.optimizer, one.loss, loader)
    assert (one.state(), [generator.get_state().tolist() for generator in own]) == before


class _Root(torch.optim.SGD):
    """Steps of the square root of the rate."""

    def step(self, closure=None):
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = group["lr"] ** 0.5
        super().step(closure)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate


@pytest.mark.parametrize("kind", [torch.optim.ASGD, torch.optim.Adafactor, _Root])
def test_steps_not_in_proportion_to_the_rate_have_no_line(trained, kind):
    one = trained(kind)
    before = one.state()
    with pytest.raises(PreheatError, match=f"the steps of {kind.__name__} are not in proportion to its rate"):
        critical_lr(*one.given)
    assert one.state() == before


def _elsewhere(one):
    return {"optimizer": torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)}


def _frozen(one):
    one.model.requires_grad_(False)
    return {}


@pytest.mark.parametrize("change", [_elsewhere, _frozen, lambda one: {"loss": lambda batch: one.loss(batch).detach()}])
@pytest.mark.parametrize(
    "measure", [critical_lr, lr_range_test, noise_scale, partial(critical_batch, micro_batches=2), "relative"]
)
def test_a_loss_without_a_gradient_for_the_optimizer_is_refused(trained, measure, change):
    one = trained()
    given = {"model": one.model, "optimizer": one.optimizer, "loss": one.loss, "batches": one.batches, **change(one)}
    if measure == "relative":
        measure = partial(relative_critical_lr, kept_loss=one.loss, kept_batches=one.batches)
    with pytest.raises(
        PreheatError, match="no parameter of the optimizer gets a gradient from this loss; give the opt"
    ):
        measure(**given)


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
def test_a_measurement_computes_gradients_where_they_are_switched_off(trained, block):
    one = trained()
    one.model.eval()
    expected = critical_lr(*one.given)
    with block():
        assert critical_lr(*one.given) == expected


def test_a_scaler_that_has_unscaled_already_is_used_and_put_back(trained):
    one = trained(torch.optim.SGD)
    one.model.eval()
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(one.loss(one.batches[0])).backward()
    scaler.unscale_(one.optimizer)
    before = one.state(), repr(scaler._per_optimizer_states)
    found = critical_lr(*one.given, scaler=scaler)
    assert (one.state(), repr(scaler._per_optimizer_states)) == before
    assert found.rate == pytest.approx(critical_lr(*one.given).rate, rel=1e-3)
    scaler.step(one.optimizer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: {"scaler": 5}, "scaler is a torch.amp.GradScaler, not 5"),
        (lambda one: {"loss": lambda batch: one.loss(batch) * 1j}, "floating-point dtype, not torch.complex64"),
        (lambda one: {"loss": lambda batch: torch.tensor(3)}, "floating-point dtype, not torch.int64"),
        (lambda one: one.optimizer.param_groups[0].update(lr=None) or {}, "AdamW finds its own rate, .*give it one"),
    ],
)
def test_what_gives_no_line_is_refused(trained, change, words):
    one = trained()
    given = {"model": one.model, "optimizer": one.optimizer, "loss": one.loss, "batches": one.batches, **change(one)}
    with pytest.raises(PreheatError, match=words):
        critical_lr(**given)


def test_sparse_gradients_are_refused():
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    with pytest.raises(PreheatError, match="sparse gradients cannot be measured; make the embedding with sparse=False"):
        critical_lr(table, optimizer, lambda batch: table(batch).square().mean(), [torch.arange(5)] * 4)
