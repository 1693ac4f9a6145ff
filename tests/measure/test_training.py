"""What every instrument stands on: nothing of a measurement is left, and the line is the one that the optimizer goes."""

import pytest
import torch
from torch import nn

from preheat import PreheatError, Run, warmup
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
