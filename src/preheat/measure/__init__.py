"""Instruments that measure on a model of your own: whether it needs warmup, how long, and which peak rate it stands.

They take a model, its optimizer, the loss of a batch and batches, and leave all of them as they were. Names are loaded when
they are asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.measure.advising.advise import advise
    from preheat.measure.batch_size import critical_batch
    from preheat.measure.critical import critical_lr
    from preheat.measure.forgetting import relative_critical_lr
    from preheat.measure.meter import NoiseMeter
    from preheat.measure.monitor import Monitor
    from preheat.measure.monitored import watched
    from preheat.measure.noise import noise_scale
    from preheat.measure.range_test import lr_range_test
    from preheat.measure.snapshot import restored
    from preheat.measure.swept import RangeTest

__all__ = [
    "Monitor",
    "NoiseMeter",
    "RangeTest",
    "advise",
    "critical_batch",
    "critical_lr",
    "lr_range_test",
    "noise_scale",
    "relative_critical_lr",
    "restored",
    "watched",
]

_HOMES = {
    "Monitor": "monitor",
    "NoiseMeter": "meter",
    "RangeTest": "swept",
    "advise": "advising.advise",
    "critical_batch": "batch_size",
    "critical_lr": "critical",
    "lr_range_test": "range_test",
    "noise_scale": "noise",
    "relative_critical_lr": "forgetting",
    "restored": "snapshot",
    "watched": "monitored",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.measure' has no attribute {name!r}")
    return getattr(import_module(f"preheat.measure.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
