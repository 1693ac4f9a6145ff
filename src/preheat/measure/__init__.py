"""Instruments that measure on a model of your own: whether it needs warmup, how long, and which peak rate it stands.

They take a model, its optimizer, the loss of a batch and batches, and leave all of them as they were. Names are loaded when
they are asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.measure.refining import refined
    from preheat.measure.snapshot import restored
    from preheat.measure.theory import bound
    from preheat.measure.transfer import extension, optimal_peak
    from preheat.measure.weights import update_weights

__all__ = [
    "bound",
    "extension",
    "optimal_peak",
    "refined",
    "restored",
    "update_weights",
]

_HOMES = {
    "bound": "theory",
    "extension": "transfer",
    "optimal_peak": "transfer",
    "refined": "refining",
    "restored": "snapshot",
    "update_weights": "weights",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.measure' has no attribute {name!r}")
    return getattr(import_module(f"preheat.measure.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
