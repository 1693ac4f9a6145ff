"""The options of the built-in tasks: frozen values, checked when they are made, loadable without torch.

The string under each field is its documentation; the command line shows it as the help of the flag of the same name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError, nearest, shown

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every task asks: the optimizer and its peak rate. Raises `PreheatError` where a value cannot be used."""

    optimizer: Optimizer = "adam"
    """The optimizer: adam, adamw, sgd (with momentum) or rmsprop."""

    peak: float = 4e-3
    """The peak learning rate, > 0; the schedule multiplies it."""

    beta1: float = 0.9
    """Decay of Adam's mean of the gradients, in [0, 1)."""

    beta2: float = 0.98
    """Decay of Adam's (and RMSprop's) mean of the squared gradients, in [0, 1)."""

    momentum: float = 0.9
    """Momentum of sgd, in [0, 1); 0 is plain gradient descent."""

    weight_decay: float = 0.0
    """Weight decay, >= 0: decoupled for adamw, an L2 term of the gradient for the others."""

    batch: int = 8
    """Examples per update, at least 1."""

    def __post_init__(self) -> None:
        one_of("optimizer", self.optimizer, get_args(Optimizer))
        number("peak", self.peak, lambda x: x > 0, "> 0")
        for name in ("beta1", "beta2", "momentum"):
            number(name, getattr(self, name), lambda x: 0 <= x < 1, "in [0, 1)")
        number("weight_decay", self.weight_decay, lambda x: x >= 0, ">= 0")
        whole("batch", self.batch)


@dataclass(frozen=True, kw_only=True)
class BytesOptions(TrainingOptions):
    """A byte-level causal transformer on the source text of Python's own standard library."""

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
        one_of("norm", self.norm, ("post", "pre"))
        for name, low in (("depth", 1), ("width", 1), ("heads", 1), ("context", 2)):
            whole(name, getattr(self, name), low)
        if self.width % self.heads:
            raise PreheatError(
                f"width {self.width} cannot be shared among {self.heads} heads; "
                f"write a multiple, such as width={self.heads * max(1, self.width // self.heads)}"
            )


@dataclass(frozen=True, kw_only=True)
class DigitsOptions(TrainingOptions):
    """A deep MLP or a small CNN on scikit-learn's 8 × 8 handwritten digits."""

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
        one_of("model", self.model, ("mlp", "cnn"))
        one_of("norm", self.norm, ("none", "layer"))
        whole("depth", self.depth)
        whole("width", self.width)
        number("init_gain", self.init_gain, lambda x: x > 0, "> 0")


TASKS: dict[str, type[TrainingOptions]] = {"bytes": BytesOptions, "digits": DigitsOptions}
"""The built-in tasks by name."""


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    """Refuse a word that is not among `known`."""
    if not isinstance(value, str) or value not in known:
        raise PreheatError(f"{name} cannot be {shown(value)}{nearest(str(value), known)}")


def whole(name: str, value: object, low: int = 1) -> None:
    """Refuse what is not a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        instead = max(low, round(value)) if isinstance(value, float) and math.isfinite(value) else low
        raise PreheatError(
            f"{name} must be a whole number of at least {low}, not {shown(value)}; write {name}={instead}"
        )


def number(name: str, value: object, fits: Callable[[float], bool], words: str) -> None:
    """Refuse what is not a finite number that `fits`; `words` say which do."""
    if not fits(finite_number(value, name)):
        raise PreheatError(f"{name} must be a number {words}, not {shown(value)}")
