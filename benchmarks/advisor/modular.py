"""Modular addition, (a + b) mod p, for an MLP on two embeddings or a one-layer transformer: a task of the benchmark alone.

Nothing is held out: a net that has seen four fifths of the sums for 300 updates knows nothing of the others (its loss on them
rises above chance at every peak, so a grid of it would have no answer). What is judged is how much of the table is learned.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

from preheat.lab.tasks.options import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class ModularOptions(TrainingOptions):
    """Addition modulo a prime."""

    model: Literal["mlp", "transformer"] = "mlp"
    """The model: an MLP on the concatenated embeddings, or one pre-norm block and the last position's logits."""

    modulus: int = 53
    """p: there are p² sums, and chance is ln p."""

    width: int = 64
    """Width of the embeddings; the hidden layer is four times as wide."""

    batch: int = 256
    """Sums per update, at least 1 and at most p²."""

    def load(self) -> "Modular":
        """All sums."""
        return Modular(self)


class Modular:
    """The data, the model and the chance level."""

    def __init__(self, options: ModularOptions) -> None:
        self.options = options
        p = options.modulus
        self.pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
        self.sums = self.pairs.sum(1) % p
        self.fingerprint = hashlib.sha256(self.pairs.numpy().tobytes()).hexdigest()[:12]

    def model(self) -> nn.Module:
        """A new model, initialised from torch's global generator."""
        return {"mlp": _MLP, "transformer": _Transformer}[self.options.model](self.options)

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets), each batch drawn without replacement; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            chosen = torch.randperm(len(self.sums), generator=generator)[: self.options.batch]
            yield self.pairs[chosen], self.sums[chosen]

    def validation(self) -> tuple[Tensor, Tensor]:
        """All sums."""
        return self.pairs, self.sums

    def chance_loss(self) -> float:
        """Every sum is as frequent as any other: ln p."""
        return math.log(self.options.modulus)


class _MLP(nn.Module):
    """Two embeddings, a hidden ReLU layer, logits."""

    def __init__(self, options: ModularOptions) -> None:
        super().__init__()
        width = options.width
        self.token = nn.Embedding(options.modulus, width)
        self.layers = nn.Sequential(nn.Linear(2 * width, 4 * width), nn.ReLU(), nn.Linear(4 * width, options.modulus))

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits of the sum: (batch, 2) to (batch, p)."""
        return self.layers(self.token(pairs).flatten(-2))


class _Transformer(nn.Module):
    """One pre-norm block without a mask; the logits are the last position's."""

    def __init__(self, options: ModularOptions) -> None:
        super().__init__()
        width = options.width
        self.token, self.position = nn.Embedding(options.modulus, width), nn.Embedding(2, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, options.modulus)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits of the sum: (batch, 2) to (batch, p)."""
        x = self.token(pairs) + self.position.weight
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        looked = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1) @ v
        x = x + self.out(looked)
        x = x + self.down(F.relu(self.up(self.norm2(x))))
        return self.head(self.norm3(x))[:, -1]
