"""What libraries really do is what a check says of the same schedule: their own rates, and the code that is found for them."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch

from preheat import Run, check, parse


def codes(spec, total, **facts):
    return [finding.code for finding in check(spec, Run(total=total), **facts)]


def same(spec, rates, tolerance=1e-12):
    assert np.abs(parse(spec).bind(Run(total=len(rates)), truncate=True).table(len(rates)) - rates).max() <= tolerance


def timms_cosine():
    """timm's module of the cosine alone: the package itself imports torchvision."""
    spec = find_spec("timm")
    if spec is None:
        pytest.skip("timm is not installed")
    (folder,) = spec.submodule_search_locations
    packages = {name: ModuleType(name) for name in ("timm", "timm.scheduler")}
    packages["timm"].__path__, packages["timm.scheduler"].__path__ = [folder], [f"{folder}/scheduler"]
    with mock.patch.dict(sys.modules, packages):
        return import_module("timm.scheduler.cosine_lr")


def test_timm_without_a_prefix_never_gets_to_its_peak():
    timm = timms_cosine()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = timm.CosineLRScheduler(optimizer, t_initial=40, warmup_t=8, warmup_lr_init=0.0)
    rates = []
    for epoch in range(40):
        scheduler.step(epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    spec = "warmup(8) >> decay(40, shape=cosine).shifted(-8)"
    same(spec, rates)
    assert max(rates) < 0.91
    assert {"decay-clock", "peak-not-reached"} <= set(codes(spec, 40))
    assert not {"decay-clock", "peak-not-reached"} & set(codes("warmup(8) >> decay(32, shape=cosine)", 40))


def test_keras_counts_its_decay_after_the_warmup():
    keras = pytest.importorskip("keras")
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=1.0, warmup_steps=100)
    rates = [float(schedule(step)) for step in range(1000)]
    same("warmup(100) >> decay(1000, shape=cosine)", rates, 2e-6)
    assert rates[-1] > 0.02
    assert codes("warmup(100) >> decay(1000, shape=cosine)", 1000, ignore=("zero-start",)) == ["decay-clock"]


def test_optax_keeps_the_start_of_a_warmup_of_no_update():
    optax = pytest.importorskip("optax")
    schedule = optax.linear_schedule(0.0, 0.1, 0)
    assert {float(schedule(step)) for step in range(50)} == {0.0}
    assert "zero-warmup" in codes("warmup(0) >> hold()", 50, library="optax")
    assert codes("warmup(0) >> hold()", 50) == ["zero-warmup"]  # native text that says a warmup and has none
    assert codes("hold()", 50) == []


def test_transformers_trains_nothing_in_a_run_of_one_update():
    transformers = pytest.importorskip("transformers")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    transformers.get_scheduler("linear", optimizer, 1, 1)
    assert optimizer.param_groups[0]["lr"] == 0.0
    assert "zero-start" in codes("warmup(1) >> decay()", 1)


def test_an_update_at_rate_0_learns_nothing_and_moves_adams_averages():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], lr=0.0)
    weight.grad = torch.ones(2)
    optimizer.step()
    assert weight.tolist() == [1.0, 1.0]
    state = optimizer.state[weight]
    assert state["step"].item() == 1
    assert state["exp_avg"].abs().min() > 0


def test_radam_warms_up_by_itself():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.RAdam([weight], lr=1.0, betas=(0.0, 0.999))
    steps = []
    for _ in range(200):
        before = weight.item()
        weight.grad = torch.ones(1)
        optimizer.step()
        steps.append(abs(weight.item() - before))
    assert steps[7] < 0.1 < steps[199] < 0.5
    assert "double-warmup" in codes("warmup(5%) >> decay()", 20_000, optimizer="RAdam")
