"""Instruments that measure on a model of your own: whether it needs warmup, how long, and which peak rate it stands.

They take a model, its optimizer, the loss of a batch and batches, and leave all of them as they were. Names are loaded when
they are asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.measure.predicting.predict import predict
    from preheat.measure.snapshot import restored

__all__ = [
    "predict",
    "restored",
]

_HOMES = {
    "predict": "predicting.predict",
    "restored": "snapshot",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.measure' has no attribute {name!r}")
    return getattr(import_module(f"preheat.measure.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
