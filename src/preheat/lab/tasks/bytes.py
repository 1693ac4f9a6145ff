"""The `bytes` task: predict the next byte of the standard library's source text with a small causal transformer.

The text is on every machine that runs Python, so nothing is downloaded. Its bytes differ from one Python release to the
next; the fingerprint in the result says which text it was.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

from preheat.core.errors import PreheatError
from preheat.lab.tasks.corpus import read
from preheat.lab.tasks.options import BytesOptions

ALPHABET = 256
WINDOWS = 512  # validation windows: their sampling error is the same in every arm, so it cancels in a difference


class Bytes:
    """The data, the model and the chance level of one `bytes` comparison."""

    def __init__(self, options: BytesOptions) -> None:
        self.options = options
        text = read("library")
        self.training, self.held_out = as_tensor(text.training), as_tensor(text.held_out)
        if min(len(self.training), len(self.held_out)) <= options.context + 1:
            raise PreheatError(f"context {options.context} is longer than the text; write a smaller one")
        self.fingerprint = text.fingerprint

    def model(self) -> nn.Module:
        """A new model, initialised from torch's global generator."""
        return Transformer(self.options)

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets) from random places of the training text; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        last = len(self.training) - self.options.context
        while True:
            yield self.windows(self.training, torch.randint(last, (self.options.batch,), generator=generator))

    def validation(self) -> tuple[Tensor, Tensor]:
        """Evenly spaced windows of the held-out files: the same in every arm and seed."""
        last = len(self.held_out) - self.options.context - 1
        return self.windows(self.held_out, torch.linspace(0, last, WINDOWS, dtype=torch.float64).long())

    def chance_loss(self) -> float:
        """Validation loss of the byte frequencies of the training text: all that a model can know that sees nothing."""
        counts = torch.bincount(self.training.long(), minlength=ALPHABET).double() + 1  # + 1: no byte is impossible
        return -(counts / counts.sum()).log()[self.validation()[1]].mean().item()

    def windows(self, text: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """`context` bytes from each start, and the same one byte later."""
        cut = text[starts[:, None] + torch.arange(self.options.context + 1)].long()
        return cut[:, :-1], cut[:, 1:]


class Transformer(nn.Module):
    """A causal transformer over bytes: learned positions, ReLU, untied head, no dropout (Vaswani et al. 2017)."""

    def __init__(self, options: BytesOptions) -> None:
        super().__init__()
        self.token = nn.Embedding(ALPHABET, options.width)
        self.position = nn.Embedding(options.context, options.width)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.depth))
        self.norm = nn.LayerNorm(options.width) if options.norm == "pre" else nn.Identity()
        self.head = nn.Linear(options.width, ALPHABET)

    def forward(self, text: Tensor) -> Tensor:
        """Logits of the byte that follows each byte of `text`: (batch, time) to (batch, time, 256)."""
        x = self.token(text) + self.position.weight[: text.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Block(nn.Module):
    """Attention, then a feed-forward layer; a norm follows each residual sum (post) or precedes each sublayer (pre)."""

    def __init__(self, options: BytesOptions) -> None:
        super().__init__()
        width = options.width
        self.pre, self.heads = options.norm == "pre", options.heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.qkv, self.out, self.up, self.down):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) to the same."""
        if self.pre:
            x = x + self.attention(self.norm1(x))
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.feed_forward(x))

    def attention(self, x: Tensor) -> Tensor:
        """Each position looks at itself and at what came before."""
        batch, time, width = x.shape
        q, k, v = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, width))

    def feed_forward(self, x: Tensor) -> Tensor:
        """Two linear layers around a ReLU, at each position by itself."""
        return self.down(F.relu(self.up(x)))


def as_tensor(text: bytes) -> Tensor:
    """The bytes as numbers from 0 to 255."""
    return torch.frombuffer(bytearray(text), dtype=torch.uint8)
