"""The digits task: what is held out, and that the initialisation has the gain that was asked for."""

import math
import sys

import pytest
import torch

from preheat.core.errors import PreheatError
from preheat.lab.tasks import DigitsOptions, load
from preheat.lab.tasks.digits import HELD_OUT


def rows(images):
    return {tuple(image.tolist()) for image in images}


def test_the_held_out_images_are_never_trained_on():
    task = load(DigitsOptions(batch=449))
    batches = task.batches(0)
    trained = torch.cat([next(batches)[0] for _ in range(30)])
    assert len(task.validation()[0]) == HELD_OUT
    assert len(rows(trained)) == 1797 - HELD_OUT
    assert not rows(trained) & rows(task.validation()[0])


def test_every_class_is_on_both_sides():
    task = load(DigitsOptions())
    assert set(task.labels[:HELD_OUT].tolist()) == set(task.labels[HELD_OUT:].tolist()) == set(range(10))


def test_a_pass_shows_no_image_twice():
    inputs = [image for image, _ in zip(load(DigitsOptions(batch=449)).batches(7), range(3), strict=False)]
    assert len(rows(torch.cat([batch for batch, _ in inputs]))) == 1347


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_every_model_gives_ten_logits_from_as_many_hidden_layers_as_asked(model, norm):
    task = load(DigitsOptions(model=model, norm=norm, depth=3, width=8))
    net = task.model()
    assert net(task.validation()[0]).shape == (HELD_OUT, 10)
    assert sum(isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) for layer in net) == 4
    assert sum(isinstance(layer, torch.nn.LayerNorm | torch.nn.GroupNorm) for layer in net) == 3 * (norm == "layer")


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_the_gain_is_a_factor_on_the_he_initialisation(gain):
    torch.manual_seed(0)
    hidden = load(DigitsOptions(width=128, init_gain=gain)).model()[3]
    assert hidden.weight.std().item() == pytest.approx(gain * math.sqrt(2 / 128), rel=0.03)
    assert not hidden.bias.any()


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(PreheatError, match=r'pip install "preheat\[lab\]"'):
        load(DigitsOptions())
