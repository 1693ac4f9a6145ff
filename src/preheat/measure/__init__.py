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
    from preheat.measure.monitoring.monitor import Monitor
    from preheat.measure.monitoring.monitored import watched
    from preheat.measure.noise import noise_scale
    from preheat.measure.predicting.predict import predict
    from preheat.measure.range_test import lr_range_test
    from preheat.measure.refining import refined
    from preheat.measure.snapshot import restored
    from preheat.measure.swept import RangeTest
    from preheat.measure.theory import bound
    from preheat.measure.transfer import extension, optimal_peak
    from preheat.measure.weights import update_weights

__all__ = [
    "Monitor",
    "NoiseMeter",
    "RangeTest",
    "advise",
    "bound",
    "critical_batch",
    "critical_lr",
    "extension",
    "lr_range_test",
    "noise_scale",
    "optimal_peak",
    "predict",
    "refined",
    "relative_critical_lr",
    "restored",
    "update_weights",
    "watched",
]

_HOMES = {
    "Monitor": "monitoring.monitor",
    "NoiseMeter": "meter",
    "RangeTest": "swept",
    "advise": "advising.advise",
    "bound": "theory",
    "critical_batch": "batch_size",
    "critical_lr": "critical",
    "extension": "transfer",
    "lr_range_test": "range_test",
    "noise_scale": "noise",
    "optimal_peak": "transfer",
    "predict": "predicting.predict",
    "refined": "refining",
    "relative_critical_lr": "forgetting",
    "restored": "snapshot",
    "update_weights": "weights",
    "watched": "monitoring.monitored",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.measure' has no attribute {name!r}")
    return getattr(import_module(f"preheat.measure.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
