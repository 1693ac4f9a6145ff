"""Instruments that measure on a model of your own: whether it needs warmup, how long, and which peak rate it stands.

They take a model, its optimizer, the loss of a batch and batches, and leave all of them as they were. Names are loaded when
they are asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.measure.advising.advise import advise
    from preheat.measure.monitoring.monitor import Monitor
    from preheat.measure.monitoring.monitored import watched
    from preheat.measure.noise.batch_size import critical_batch
    from preheat.measure.noise.meter import NoiseMeter
    from preheat.measure.noise.scale import noise_scale
    from preheat.measure.predicting.predict import predict
    from preheat.measure.rates.critical import critical_lr
    from preheat.measure.rates.forgetting import relative_critical_lr
    from preheat.measure.rates.range_test import lr_range_test
    from preheat.measure.rates.swept import RangeTest
    from preheat.measure.snapshot import restored
    from preheat.measure.theory.last_iterate import bound
    from preheat.measure.theory.refining import refined
    from preheat.measure.theory.transfer import extension, optimal_peak
    from preheat.measure.theory.weights import update_weights

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
    "NoiseMeter": "noise.meter",
    "RangeTest": "rates.swept",
    "advise": "advising.advise",
    "bound": "theory.last_iterate",
    "critical_batch": "noise.batch_size",
    "critical_lr": "rates.critical",
    "extension": "theory.transfer",
    "lr_range_test": "rates.range_test",
    "noise_scale": "noise.scale",
    "optimal_peak": "theory.transfer",
    "predict": "predicting.predict",
    "refined": "theory.refining",
    "relative_critical_lr": "rates.forgetting",
    "restored": "snapshot",
    "update_weights": "theory.weights",
    "watched": "monitoring.monitored",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.measure' has no attribute {name!r}")
    return getattr(import_module(f"preheat.measure.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
