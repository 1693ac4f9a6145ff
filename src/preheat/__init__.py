"""Learning-rate warmup and hyper-parameter schedules: exact, composable, impossible to resume wrongly."""

from typing import TYPE_CHECKING, Any

from preheat.core.constructors import (
    decay,
    hold,
    invsqrt,
    lower,
    ramp,
    rectified,
    saturating,
    steps,
    table,
    upper,
    warmup,
)
from preheat.core.errors import BindError, ParseError, PreheatError, PreheatWarning, StateError
from preheat.core.node import Schedule
from preheat.core.notebook import drawn_by
from preheat.core.plan import Plan
from preheat.core.shapes import Shape, compose, power, reverse
from preheat.core.spans import Run, Span
from preheat.core.text.language import Target, from_dict, parse, to_dict
from preheat.core.text.words import absolute, relative
from preheat.recipes.batches import batch_ramp, seesaw
from preheat.recipes.cycles import multistep, one_cycle, restarts, step_decay
from preheat.recipes.decays import constant, cosine, exponential_decay, linear, polynomial, wsd
from preheat.recipes.merging import merge_weights
from preheat.recipes.open_ended import inverse_sqrt, noam, radam, untuned_exponential, untuned_linear
from preheat.recipes.plans import yolo_warmup

__version__ = "0.1.0"

__all__ = [
    "BindError",
    "HoldUntil",
    "ParseError",
    "Plan",
    "Plateau",
    "PreheatError",
    "PreheatWarning",
    "Rewarm",
    "Rewind",
    "Run",
    "Schedule",
    "Shape",
    "Span",
    "StateError",
    "absolute",
    "batch_ramp",
    "check",
    "compare",
    "compose",
    "constant",
    "cosine",
    "decay",
    "diff",
    "explain",
    "exponential_decay",
    "export",
    "from_dict",
    "from_env",
    "hold",
    "inverse_sqrt",
    "invsqrt",
    "linear",
    "log",
    "lower",
    "merge_weights",
    "multistep",
    "noam",
    "one_cycle",
    "parse",
    "polynomial",
    "power",
    "presets",
    "radam",
    "ramp",
    "rectified",
    "relative",
    "restarts",
    "reverse",
    "saturating",
    "scaled_adam",
    "scaled_peak",
    "seesaw",
    "step_decay",
    "steps",
    "table",
    "to_dict",
    "untuned_exponential",
    "untuned_linear",
    "upper",
    "warmup",
    "wsd",
    "yolo_warmup",
]

if TYPE_CHECKING:
    from preheat.core.codegen.export import export
    from preheat.lab.api import compare
    from preheat.lab.client import from_env, log
    from preheat.recipes.published import presets
    from preheat.recipes.scaling import scaled_adam, scaled_peak
    from preheat.review.checking.check import check
    from preheat.review.diff import diff
    from preheat.review.explaining.explain import explain
    from preheat.session import HoldUntil, Plateau, Rewarm, Rewind

_ADAPTERS = ("accelerate", "axolotl", "jax", "keras", "lightning", "timm", "torch", "torchtitan", "transformers")
_ROOMS = (
    "session",
    "lab",
    "compat",
    "measure",
    "review",
    "studio",
    "testing",
    "widget",
    *_ADAPTERS,
)  # entered on demand: some of them import frameworks
_LATE = {
    "HoldUntil": "session",
    "Plateau": "session",
    "Rewarm": "session",
    "Rewind": "session",
    "check": "review.checking.check",
    "compare": "lab.api",
    "diff": "review.diff",
    "explain": "review.explaining.explain",
    "export": "core.codegen.export",
    "from_env": "lab.client",
    "log": "lab.client",
    "presets": "recipes.published",
    "scaled_adam": "recipes.scaling",
    "scaled_peak": "recipes.scaling",
}


def _draw(target: Target, **more: Any) -> str:
    from preheat.plots.notebook import html

    return html(target, **more)


drawn_by(_draw)


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"preheat.{name}")
    if name in _LATE:
        return getattr(import_module(f"preheat.{_LATE[name]}"), name)
    raise AttributeError(f"module 'preheat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS, *_LATE])
