"""The `bytes` task: predict the next byte of the standard library's source text with a small causal transformer.

The text is on every machine that runs Python, so nothing is downloaded. Its bytes differ from one Python release to the
next; the fingerprint in the result says which text it was.

The options are read by the command line, so torch is imported only inside the methods of the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from preheat.core.errors import PreheatError
from preheat.lab.tasks.corpus import read
from preheat.lab.tasks.options import TrainingOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

_WINDOWS = 512  # validation windows: their sampling error is the same in every arm, so it cancels in a difference


@dataclass(frozen=True, kw_only=True)
class BytesOptions(TrainingOptions, task="bytes"):
    """A byte-level transformer on the source text of Python's own library.

    Try:

        preheat compare bytes --arm no='decay()' --arm yes='warmup(90) >> decay()'
        preheat compare bytes --norm pre --depth 4 --peak 1e-3 --out runs/pre
    """

    norm: Literal["post", "pre"] = "post"
    """LayerNorm after each residual sum (post, Vaswani 2017) or before each sublayer (pre)."""

    depth: int = 8
    """Transformer blocks, at least 1."""

    width: int = 32
    """Model width, a multiple of the heads."""

    heads: int = 2
    """Attention heads, at least 1."""

    context: int = 32
    """Bytes that the model sees at once, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("depth", 1), ("width", 1), ("heads", 1), ("context", 2)):
            self.check_whole(name, least)
        if self.width % self.heads:
            raise PreheatError(
                f"width {self.width} cannot be shared among {self.heads} heads; "
                f"write a multiple, such as width={self.heads * max(1, self.width // self.heads)}"
            )

    def load(self) -> Bytes:
        """The text, read and split. Raises PreheatError where this Python came without it, or it is too short."""
        return Bytes(self)


class Bytes:
    """The data, the model and the chance level of one `bytes` comparison."""

    def __init__(self, options: BytesOptions) -> None:
        self.options = options
        text = read("library")
        self.training, self.held_out = _tensor(text.training), _tensor(text.held_out)
        if min(len(self.training), len(self.held_out)) <= options.context + 1:
            raise PreheatError(f"context {options.context} is longer than the text; write a smaller one")
        self.fingerprint = text.fingerprint

    def model(self) -> nn.Module:
        """A new model, initialised from torch's global generator."""
        from preheat.lab.tasks.models import Transformer

        return Transformer(self.options)

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets) from random places of the training text; the same for the same seed."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        last = len(self.training) - self.options.context
        while True:
            yield self._windows(self.training, torch.randint(last, (self.options.batch,), generator=generator))

    def validation(self) -> tuple[Tensor, Tensor]:
        """Evenly spaced windows of the held-out files: the same in every arm and seed."""
        import torch

        last = len(self.held_out) - self.options.context - 1
        return self._windows(self.held_out, torch.linspace(0, last, _WINDOWS, dtype=torch.float64).long())

    def chance_loss(self) -> float:
        """Validation loss of the byte frequencies of the training text: all that a model can know that sees nothing."""
        import torch

        counts = torch.bincount(self.training.long(), minlength=256).double() + 1  # + 1: no byte is impossible
        return -(counts / counts.sum()).log()[self.validation()[1]].mean().item()

    def _windows(self, text: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """`context` bytes from each start, and the same one byte later."""
        import torch

        cut = text[starts[:, None] + torch.arange(self.options.context + 1)].long()
        return cut[:, :-1], cut[:, 1:]


def _tensor(text: bytes) -> Tensor:
    """The bytes as numbers from 0 to 255."""
    import torch

    return torch.frombuffer(bytearray(text), dtype=torch.uint8)
