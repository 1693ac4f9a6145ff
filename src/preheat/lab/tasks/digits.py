"""The `digits` task: a deep net on scikit-learn's 1,797 handwritten digits (8 × 8 pixels, part of that package)."""

import hashlib
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from preheat.core.errors import PreheatError
from preheat.lab.tasks.options import DigitsOptions

CLASSES = 10
SIDE = 8
HELD_OUT = 450  # images for validation, about a quarter


class Digits:
    """The data, the model and the chance level of one `digits` comparison."""

    def __init__(self, options: DigitsOptions) -> None:
        self.options = options
        images, labels = read()
        # The file is ordered by writer; one shuffle, the same for every run, mixes them before the cut.
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
        self.images, self.labels = images[order], labels[order]
        if options.batch > len(labels) - HELD_OUT:
            raise PreheatError(
                f"batch {options.batch} is more than the {len(labels) - HELD_OUT} training images; write fewer"
            )
        training = self.images[HELD_OUT:]
        self.images = (self.images - training.mean()) / training.std()
        self.fingerprint = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()[:12]

    def model(self) -> nn.Module:
        """A new model, initialised from torch's global generator."""
        model = mlp(self.options) if self.options.model == "mlp" else cnn(self.options)
        for layer in model:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.normal_(layer.weight, std=self.options.init_gain * math.sqrt(2 / layer.weight[0].numel()))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        return model

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets): passes over the training part, each newly shuffled; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        images, labels = self.images[HELD_OUT:], self.labels[HELD_OUT:]
        size = self.options.batch
        while True:
            order = torch.randperm(len(labels), generator=generator)
            for start in range(0, len(labels) - size + 1, size):  # the incomplete last batch is left out
                chosen = order[start : start + size]
                yield images[chosen], labels[chosen]

    def validation(self) -> tuple[Tensor, Tensor]:
        """The held-out images: the same in every arm and seed."""
        return self.images[:HELD_OUT], self.labels[:HELD_OUT]

    def chance_loss(self) -> float:
        """Validation loss of the frequencies of the classes in the training part, about ln 10."""
        frequency = torch.bincount(self.labels[HELD_OUT:], minlength=CLASSES).double() / (len(self.labels) - HELD_OUT)
        return -frequency.log()[self.labels[:HELD_OUT]].mean().item()


def mlp(options: DigitsOptions) -> nn.Sequential:
    """`depth` hidden layers of `width` units with ReLU, then the ten logits."""
    layers: list[nn.Module] = [nn.Flatten()]
    fan_in = SIDE * SIDE
    for _ in range(options.depth):
        layers.append(nn.Linear(fan_in, options.width))
        if options.norm == "layer":
            layers.append(nn.LayerNorm(options.width))
        layers.append(nn.ReLU())
        fan_in = options.width
    return nn.Sequential(*layers, nn.Linear(fan_in, CLASSES))


def cnn(options: DigitsOptions) -> nn.Sequential:
    """`depth` 3 × 3 convolutions of `width` channels with ReLU, the mean over the image, then the ten logits."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
    channels = 1
    for _ in range(options.depth):
        layers.append(nn.Conv2d(channels, options.width, 3, padding=1))
        if options.norm == "layer":
            layers.append(nn.GroupNorm(1, options.width))
        layers.append(nn.ReLU())
        channels = options.width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


def read() -> tuple[Tensor, Tensor]:
    """The images as (1797, 64) floats and their labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise PreheatError('the digits task needs scikit-learn; run pip install "preheat[lab]"') from error
    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).float(), torch.from_numpy(labels).long()
