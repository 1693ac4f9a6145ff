"""The `digits` task: a deep net on scikit-learn's 1,797 handwritten digits (8 × 8 pixels, part of that package).

The options are read by the command line, so torch is imported only inside the methods of the task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from preheat.core.errors import PreheatError
from preheat.lab.tasks.options import Optimizer, TrainingOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

HELD_OUT = 450  # images for validation, about a quarter


@dataclass(frozen=True, kw_only=True)
class DigitsOptions(TrainingOptions, task="digits"):
    """A deep MLP or a small CNN on scikit-learn's handwritten digits.

    Try:

        preheat compare digits --seeds 5
        preheat compare digits --model cnn --optimizer adam --peak 3e-3
    """

    model: Literal["mlp", "cnn"] = "mlp"
    """The model: mlp or cnn (3 × 3 convolutions, then the mean over the image)."""

    depth: int = 6
    """Hidden layers, at least 1."""

    width: int = 128
    """Units (mlp) or channels (cnn) of a hidden layer, at least 1."""

    norm: Literal["none", "layer"] = "none"
    """Normalisation before each activation: none, or layer (LayerNorm; over channels and image in the cnn)."""

    init_gain: float = 2.0
    """Factor on the He initialisation of every layer, > 0; 1 is He's own, 2 makes the start sharp."""

    optimizer: Optimizer = "sgd"
    """The optimizer: adam, adamw, sgd (with momentum) or rmsprop."""

    peak: float = 0.025
    """The peak learning rate, > 0; the schedule multiplies it."""

    beta2: float = 0.999
    """Decay of Adam's (and RMSprop's) mean of the squared gradients, in [0, 1)."""

    batch: int = 256
    """Examples per update, at least 1 and at most the training part."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_whole("depth")
        self.check_whole("width")
        self.check_number("init_gain", lambda x: x > 0, "> 0")

    def load(self) -> Digits:
        """The images, read and split. Raises PreheatError without scikit-learn, or for too large a batch."""
        return Digits(self)


class Digits:
    """The data, the model and the chance level of one `digits` comparison."""

    def __init__(self, options: DigitsOptions) -> None:
        import numpy as np
        import torch

        self.options = options
        images, labels = _read()
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
        from preheat.lab.tasks.models import cnn, mlp

        return mlp(self.options) if self.options.model == "mlp" else cnn(self.options)

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets): passes over the training part, each newly shuffled; the same for the same seed."""
        import torch

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
        import torch

        frequency = torch.bincount(self.labels[HELD_OUT:], minlength=10).double() / (len(self.labels) - HELD_OUT)
        return -frequency.log()[self.labels[:HELD_OUT]].mean().item()


def _read() -> tuple[Tensor, Tensor]:
    """The images as (1797, 64) floats and their labels."""
    import torch

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise PreheatError('the digits task needs scikit-learn; run pip install "preheat[lab]"') from error
    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).float(), torch.from_numpy(labels).long()
