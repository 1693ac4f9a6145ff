"""Schedules by the names of the field, each a composition of the words of the language; published runs; scaling rules.

All take the same arguments for the same things: total_steps (warmup included; without it the schedule is bound to a Run
later), warmup_steps or warmup_ratio, peak_lr, min_lr or min_lr_ratio, start_lr or start_ratio. With a peak_lr they give
rates, `absolute(…)`; without it factors, of which 1 is the peak. A recipe with total_steps=n is the recipe without it, bound
to Run(total=n). The names of those that give one schedule are words of `parse` too; yolo_warmup
and seesaw give plans.
"""

from preheat.recipes import cycles, decays, open_ended  # noqa: F401  their recipes register themselves
from preheat.recipes.batches import batch_ramp, seesaw  # noqa: F401  in __all__, which is made of what is registered
from preheat.recipes.merging import merge_weights  # noqa: F401
from preheat.recipes.plans import yolo_warmup  # noqa: F401
from preheat.recipes.registry import RECIPES

_LATE = {  # loaded when they are asked for
    "AdamScaling": "scaling",
    "Preset": "published",
    "presets": "published",
    "scaled_adam": "scaling",
    "scaled_peak": "scaling",
}

__all__ = sorted(["RECIPES", "batch_ramp", "merge_weights", "seesaw", "yolo_warmup", *RECIPES, *_LATE])  # pyrefly: ignore


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in RECIPES:
        return RECIPES[name]
    if name in _LATE:
        return getattr(import_module(f"preheat.recipes.{_LATE[name]}"), name)
    raise AttributeError(f"module 'preheat.recipes' has no attribute {name!r}")
