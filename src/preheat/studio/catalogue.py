"""What there is to open and to write, generated from where it lives: words, shapes, recipes, published runs, peers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from preheat.compat import PEERS, peer
from preheat.compat.parts.peer import Peer
from preheat.core import constructors, shapes
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.text.words import absolute, relative
from preheat.recipes.published import presets
from preheat.recipes.registry import RECIPES
from preheat.studio.copying import forms
from preheat.studio.examples import example_of
from preheat.studio.opening import peer_of

_SHAPED = "decay(to=0.1, shape={})"
_SHAPE = "How a ramp, a warmup or a decay goes from its start to its end."
_TRANSFORMED = {
    "scaled": "decay().scaled(0.5)",
    "clipped": "decay().clipped(0.1, 1)",
    "repeated": "decay(shape=cosine).repeated(3)",
    "shifted": "decay(100).shifted(10)",
    "stepwise": "decay().stepwise(10%)",
}
_SOURCE = re.compile(r"(?:^|\. )([A-Z][\w& ]*(?: et al\.)? \d{4}, arXiv:.*)$", re.MULTILINE)
# what arguments are given in an example: a value, and the names under which libraries take one like it
_TYPICAL = """
1000: T_max cycle_size decay_steps epochs lr_decay_iters lr_decay_steps max_iter max_iters max_steps max_update n_iter nb
1000: num_epochs num_iterations num_steps num_train_steps num_training_steps num_updates t_initial t_max total total_num_steps
1000: total_num_update total_steps train_iters training_steps transition_steps wd_incr_steps
100: constant_steps jagged_restart_warmup_steps lr_warmup_steps num_warmup_steps warmup warmup_duration warmup_period
100: warmup_steps
200: T_0 cycle_len decay decay_t first_cycle_steps first_decay_steps jagged_restart_steps num_decay_steps step_size step_size_up
[500, 750]: boundaries milestones
[500, 500]: period_lengths periods
[100]: durations
0.1: base_learning_rate base_lr base_value cycle_max_lr decay_rate end_lr end_wd gamma init_value initial_learning_rate
0.1: learning_rate lr max_learning_rate max_lr middle peak_value start start_value start_wd value
0.01: constant_lr_ratio cycle_min_lr end end_value eta_min init_lr min_lr min_lr_ratio start_lr swa_lr warmup_factor
0.01: warmup_start_value
0.5: pct power warmup_length
700: num_stable_steps
512: d_model
3: n_cycles num_decays
5: n_epoch
"cosine": interpolate_type lr_decay_style name
"constant": wd_incr_style
"loss": metric_name
"decay(1000)": inner_schedule lr_scheduler
["warmup(100)", "decay(900)"]: schedulers schedules scheds
[1.0, 0.5, 0.1]: values
[0.25, 0.75]: pcts
"1:100,0.1:200,0.01": step_rules
[(0, 0.0), (100, 0.1), (1000, 0.0)]: milestones_values
[dict(init_value=0.0, peak_value=0.1, warmup_steps=100, decay_steps=1000)]: cosine_kwargs
"""
_OTHERWISE = {  # where a library takes another value under that name
    "composer": """
"1000ba": max_duration
"200ba": step_size t_0
["500ba", "750ba"]: milestones
"100ba": t_warmup t_scale t_cooldown
""",
    "fairseq": "1.0: max_lr",
    "optax": "[100]: boundaries",
    "timm": "[500, 750]: decay_t",
    "torch": "[100]: milestones",
}
_INSIDE = {("torch", "schedulers"): "[LinearLR(optimizer, total_iters=100), CosineAnnealingLR(optimizer, T_max=900)]"}


@cache
def catalogue() -> dict[str, Any]:
    """All of it, made once."""
    return {
        "forms": forms(),
        "words": [*map(_named, _words()), *_transformations(), *_shapes()],
        "recipes": [_named(RECIPES[name]) for name in sorted(RECIPES)],
        "presets": [
            {"name": one.name, "text": repr(one.schedule), "summary": f"{one.model}, {one.year}", "source": one.source}
            for one in presets.values()
        ],
        "peers": [{"library": name, "schedulers": list(_schedulers(peer(name)))} for name in PEERS],
    }


def _words() -> list[Callable[..., Any]]:
    """The functions that schedules are built from, in the order of their file, and what is stated of them."""
    own = [one for one in vars(constructors).values() if inspect.isfunction(one)]
    return [
        *(one for one in own if one.__module__ == constructors.__name__ and one.__name__[0] != "_"),
        absolute,
        relative,
    ]


def _named(function: Callable[..., Any]) -> dict[str, str]:
    doc = inspect.getdoc(function) or ""
    name, source = function.__name__, _SOURCE.search(doc)
    return {
        "name": name,
        "text": example_of(function, name),
        "summary": _first(doc),
        "source": source[1] if source else "",
    }


def _first(doc: str) -> str:
    """The first sentence, which in a docstring may take two lines."""
    return " ".join(doc.partition("\n\n")[0].split())


def _transformations() -> Iterator[dict[str, str]]:
    for name, text in _TRANSFORMED.items():
        summary = _first(inspect.getdoc(getattr(Schedule, name)) or "")
        yield {"name": f".{name}", "text": text, "summary": summary, "source": ""}


def _shapes() -> Iterator[dict[str, str]]:
    """A decay of every shape that has a name, and of those that are made of others the example of their own."""
    for name in shapes.NAMES:
        yield {"name": f"shape={name}", "text": _SHAPED.format(name), "summary": _SHAPE, "source": ""}
    for name, function in shapes.WORDS.items():
        text = example_of(function, "ramp")
        yield {
            "name": f"shape={name}(…)",
            "text": text,
            "summary": _first(inspect.getdoc(function) or ""),
            "source": "",
        }


def _schedulers(library: Peer) -> Iterator[dict[str, str]]:
    """Those that text can say, each with arguments that restate; what takes functions of Python is none."""
    for name, function in library.functions.items():
        parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "faithful"]
        example = _example(library.name, name, parameters)
        if example is not None:
            signature = f"{name}({', '.join(map(_parameter, parameters))})"
            yield {"name": name, "signature": signature, "example": example}


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    return parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"


def _example(library: str, name: str, parameters: list[inspect.Parameter]) -> str | None:
    """Arguments that restate it, those that its library takes otherwise first; None where none are found."""
    needed = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    tried = (_restating(library, name, needed, _typical(more)) for more in (library, ""))
    return next((text for text in tried if text is not None), None)


def _restating(library: str, name: str, needed: list[str], typical: dict[str, str]) -> str | None:
    """Arguments that restate it: those that it needs, and those that its refusals ask for."""
    given = {one: typical[one] for one in needed if one in typical}
    while True:
        text = ", ".join(f"{key}={value}" for key, value in given.items())
        try:
            peer_of(library, name, text)
            return text
        except PreheatError as error:
            asked = re.findall(r"\w+", f"{error.write} {error.what}")
        more = next((word for word in asked if word in typical and word not in given), None)
        if more is None:
            return None
        given[more] = typical[more]


def _typical(library: str) -> dict[str, str]:
    """What arguments are given, as text, by their names."""
    lines = f"{_TYPICAL}{_OTHERWISE.get(library, '')}".strip().splitlines()
    found = {name: value for line in lines for value, _, names in [line.rpartition(": ")] for name in names.split()}
    return found | {name: value for (whose, name), value in _INSIDE.items() if whose == library}
