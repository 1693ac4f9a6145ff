"""Schedules by the names of the field, each a composition of the words of the language; published runs; scaling rules.

All take the same arguments for the same things: total_steps (warmup included; without it the schedule is bound to a Run
later), warmup_steps or warmup_ratio, peak_lr, min_lr or min_lr_ratio, start_lr or start_ratio. A recipe with
total_steps=n is the recipe without it, bound to Run(total=n). Their names are words of `parse` too.
"""

from preheat.core.text.language import learn
from preheat.recipes.cycles import multistep, one_cycle, restarts, step_decay
from preheat.recipes.decays import constant, cosine, exponential_decay, linear, polynomial, wsd
from preheat.recipes.open_ended import inverse_sqrt, noam, radam, untuned_exponential, untuned_linear
from preheat.recipes.plans import yolo_warmup
from preheat.recipes.presets import Preset, presets
from preheat.recipes.scaling import AdamScaling, scaled_adam, scaled_peak

RECIPES = {
    recipe.__name__: recipe
    for recipe in (
        constant,
        cosine,
        exponential_decay,
        inverse_sqrt,
        linear,
        multistep,
        noam,
        one_cycle,
        polynomial,
        radam,
        restarts,
        step_decay,
        untuned_exponential,
        untuned_linear,
        wsd,
    )
}

__all__ = [
    "RECIPES",
    "AdamScaling",
    "Preset",
    "constant",
    "cosine",
    "exponential_decay",
    "inverse_sqrt",
    "linear",
    "multistep",
    "noam",
    "one_cycle",
    "polynomial",
    "presets",
    "radam",
    "restarts",
    "scaled_adam",
    "scaled_peak",
    "step_decay",
    "untuned_exponential",
    "untuned_linear",
    "wsd",
    "yolo_warmup",
]

learn(*RECIPES.values())
