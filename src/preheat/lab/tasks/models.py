"""The networks of the built-in tasks."""

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

if TYPE_CHECKING:
    from preheat.lab.tasks.bytes import BytesOptions
    from preheat.lab.tasks.digits import DigitsOptions

_ALPHABET = 256
_CLASSES = 10
_SIDE = 8  # pixels of an image, each way


class Transformer(nn.Module):
    """A causal transformer over bytes: learned positions, ReLU, untied head, no dropout (Vaswani et al. 2017)."""

    def __init__(self, options: "BytesOptions") -> None:
        super().__init__()
        self.token = nn.Embedding(_ALPHABET, options.width)
        self.position = nn.Embedding(options.context, options.width)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.depth))
        self.norm = nn.LayerNorm(options.width) if options.norm == "pre" else nn.Identity()
        self.head = nn.Linear(options.width, _ALPHABET)

    def forward(self, text: Tensor) -> Tensor:
        """Logits of the byte that follows each byte of `text`: (batch, time) to (batch, time, 256)."""
        x = self.token(text) + self.position.weight[: text.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Block(nn.Module):
    """Attention, then a feed-forward layer; a norm follows each residual sum (post) or precedes each sublayer (pre)."""

    def __init__(self, options: "BytesOptions") -> None:
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


def mlp(options: "DigitsOptions") -> nn.Sequential:
    """`depth` hidden layers of `width` units with ReLU, then the ten logits."""
    layers: list[nn.Module] = [nn.Flatten()]
    fan_in = _SIDE * _SIDE
    for _ in range(options.depth):
        layers.append(nn.Linear(fan_in, options.width))
        if options.norm == "layer":
            layers.append(nn.LayerNorm(options.width))
        layers.append(nn.ReLU())
        fan_in = options.width
    return _he(nn.Sequential(*layers, nn.Linear(fan_in, _CLASSES)), options.init_gain)


def cnn(options: "DigitsOptions") -> nn.Sequential:
    """`depth` 3 × 3 convolutions of `width` channels with ReLU, the mean over the image, then the ten logits."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, _SIDE, _SIDE))]
    channels = 1
    for _ in range(options.depth):
        layers.append(nn.Conv2d(channels, options.width, 3, padding=1))
        if options.norm == "layer":
            layers.append(nn.GroupNorm(1, options.width))
        layers.append(nn.ReLU())
        channels = options.width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, _CLASSES)]
    return _he(nn.Sequential(*layers), options.init_gain)


def _he(model: nn.Sequential, gain: float) -> nn.Sequential:
    """`model`, its layers initialised after He et al. 2015, times `gain`; biases 0."""
    for layer in model:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / layer.weight[0].numel()))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model
