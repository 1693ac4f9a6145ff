"""The trainings of the grid, by family: those that set constants, and those that are looked at once, when all is set.

A family is on one side as a whole, so what is looked at once is a kind of training that no constant has seen. Peaks reach
from a rate that leaves the training unfinished to one at which it does not train, with or without warmup.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks.advisor.modular import ModularOptions
from preheat.lab.tasks import BytesOptions, DigitsOptions, TrainingOptions

Split = Literal["constants", "once"]
WARMUP_SHARES = (0, 1 / 60, 1 / 20, 1 / 6, 1 / 3, 1 / 2)
PEAKS = 8
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One training and the grid on it. The peak of `options` is not used."""

    name: str
    family: str
    split: Split
    options: TrainingOptions
    steps: int
    lowest: float
    """The lowest peak."""

    factor: float
    """From each peak to the next."""

    @property
    def peaks(self) -> tuple[float, ...]:
        """Eight rates, three digits each."""
        return tuple(float(f"{self.lowest * self.factor**i:.3g}") for i in range(PEAKS))

    @property
    def warmups(self) -> tuple[int, ...]:
        """Six lengths in updates."""
        return tuple(round(share * self.steps) for share in WARMUP_SHARES)

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits of all that decides what is trained."""
        options = {name: value for name, value in asdict(self.options).items() if name != "peak"}
        said = (type(self.options).__name__, sorted(options.items()), self.steps, self.peaks, self.warmups, SEEDS)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


_SGD: dict[str, Any] = {"optimizer": "sgd"}
_ADAM_95: dict[str, Any] = {"optimizer": "adam", "beta2": 0.95}
_ADAM_999: dict[str, Any] = {"optimizer": "adam", "beta2": 0.999}
_OPTIMIZERS = {"sgd": _SGD, "adam95": _ADAM_95, "adam999": _ADAM_999}


def _digits(family: str, split: Split, name: str, lowest: float, factor: float, **options: Any) -> Configuration:
    """A training on digits of 300 updates, of 128 images each unless said."""
    usual: dict[str, Any] = {"batch": 128, "init_gain": 1.0}
    made = DigitsOptions(**(usual | options))
    return Configuration(
        name=f"digits-{name}", family=family, split=split, options=made, steps=300, lowest=lowest, factor=factor
    )


def _bytes(family: str, split: Split, name: str, lowest: float, factor: float, **options: Any) -> Configuration:
    """A byte model of width 32, context 32, batch 8, of 400 updates."""
    return Configuration(
        name=f"bytes-{name}",
        family=family,
        split=split,
        options=BytesOptions(**options),
        steps=400,
        lowest=lowest,
        factor=factor,
    )


def _mlps() -> Iterator[Configuration]:
    """Digits MLPs."""
    lowest = {"sgd": {0.5: 0.003, 1: 0.002, 2: 5e-4}, "adam95": dict.fromkeys((0.5, 1, 2), 3e-4)}
    lowest["adam999"] = lowest["adam95"]
    for optimizer, said in _OPTIMIZERS.items():
        for gain, start in lowest[optimizer].items():
            yield _digits(
                "digits MLP, init gain",
                "constants",
                f"mlp-gain{gain:g}-{optimizer}",
                start,
                2.5,
                init_gain=float(gain),
                **said,
            )
        start = 0.01 if optimizer == "sgd" else 1e-3
        yield _digits(
            "digits MLP, LayerNorm", "constants", f"mlp-layernorm-{optimizer}", start, 2.5, norm="layer", **said
        )
    for optimizer, start in (("sgd", 0.002), ("adam999", 3e-4)):
        said = _OPTIMIZERS[optimizer]
        yield _digits(
            "digits MLP, depth 3", "constants", f"mlp-depth3-{optimizer}", start, 2.5, depth=3, init_gain=2.0, **said
        )
        yield _digits("digits MLP, depth 12", "once", f"mlp-depth12-{optimizer}", 0.5 * start, 2.5, depth=12, **said)
        starts = {"sgd": {32: 5e-4, 384: 2e-4}, "adam999": {32: 1e-3, 384: 1e-4}}
        for width in (32, 384):
            yield _digits(
                "digits MLP, width",
                "once",
                f"mlp-width{width}-{optimizer}",
                starts[optimizer][width],
                2.5,
                width=width,
                init_gain=2.0,
                batch=64,
                **said,
            )
    yield _digits(
        "digits MLP, depth 12", "once", "mlp-depth12-layernorm-sgd", 0.005, 2.5, depth=12, norm="layer", **_SGD
    )


def _cnns() -> Iterator[Configuration]:
    """Digits CNNs."""
    for name, start, options in (
        ("sgd", 0.005, _SGD),
        ("gain2-sgd", 0.001, _SGD | {"init_gain": 2.0}),
        ("layernorm-sgd", 0.01, _SGD | {"norm": "layer"}),
        ("adam999", 1e-3, _ADAM_999),
    ):
        yield _digits(
            "digits CNN",
            "once",
            f"cnn-{name}",
            start,
            2.5,
            **({"model": "cnn", "depth": 4, "width": 16, "batch": 64} | options),
        )


def _byte_models() -> Iterator[Configuration]:
    """Byte models."""
    for norm in ("post", "pre"):
        start, factor = (3e-4, 2.0) if norm == "post" else (8e-4, 2.2)
        for optimizer in ("adam95", "adam999"):
            for depth in (2, 4, 8):
                if (norm, depth, optimizer) == ("pre", 8, "adam95"):
                    continue  # the control of depth 8 has one β₂: the whole grid is to fit into two hours of two cores
                family = "byte model, depth 8" if depth == 8 else f"byte model, {norm}-norm, Adam"
                split: Split = "once" if depth == 8 else "constants"
                name = f"{norm}-depth{depth}-{optimizer}"
                yield _bytes(family, split, name, start, factor, norm=norm, depth=depth, **_OPTIMIZERS[optimizer])
        for depth in (2, 4) if norm == "post" else (4,):
            yield _bytes(
                "byte model, SGD", "once", f"{norm}-depth{depth}-sgd", 0.01, 2.5, norm=norm, depth=depth, **_SGD
            )


def _modular() -> Iterator[Configuration]:
    """Modular addition."""
    for model, optimizer, start in (
        ("mlp", "sgd", 0.04),
        ("mlp", "adam95", 1e-3),
        ("mlp", "adam999", 1e-3),
        ("transformer", "sgd", 0.03),
        ("transformer", "adam999", 1e-3),
    ):
        options = ModularOptions(model=model, modulus=97 if model == "mlp" else 31, **_OPTIMIZERS[optimizer])
        yield Configuration(
            name=f"modular-{model}-{optimizer}",
            family="modular addition",
            split="once",
            options=options,
            steps=300,
            lowest=start,
            factor=2.2,
        )


CONFIGURATIONS = (*_mlps(), *_cnns(), *_byte_models(), *_modular())
