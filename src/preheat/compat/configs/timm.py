"""timm's args.yaml, as its train.py writes it beside a checkpoint, and the YAML that is given to it by --config."""

from __future__ import annotations

import math
from typing import Any

from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.parts.curves import joined
from preheat.compat.parts.restated import Restated, curve_of
from preheat.compat.timm import SCHEDS, create_scheduler_v2
from preheat.core.checks import one_of
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run
from preheat.core.stated import Absolute

_TELLING = (
    "sched",
    "sched_on_updates",
    "lr_cycle_mul",
    "warmup_epochs",
    "warmup_lr",
    "decay_epochs",
    "lr_base",
    "lr_base_size",
)
_TELLING += ("cooldown_epochs", "reprob", "remode")
# create_scheduler_v2's argument: the key, and what train.py takes where a file does not say it
_KEYS: dict[str, tuple[str, Any]] = {
    "num_epochs": ("epochs", 300),
    "decay_epochs": ("decay_epochs", None),
    "decay_milestones": ("decay_milestones", [90, 180, 270]),
    "warmup_epochs": ("warmup_epochs", 5),
    "cooldown_epochs": ("cooldown_epochs", 0),
    "patience_epochs": ("patience_epochs", 10),
    "decay_rate": ("decay_rate", 0.1),
    "min_lr": ("min_lr", 0),
    "warmup_lr": ("warmup_lr", 1e-5),
    "noise": ("lr_noise", None),
    "noise_pct": ("lr_noise_pct", 0.67),
    "noise_std": ("lr_noise_std", 1.0),
    "noise_seed": ("seed", 42),
    "cycle_mul": ("lr_cycle_mul", 1.0),
    "cycle_decay": ("lr_cycle_decay", 0.5),
    "cycle_limit": ("lr_cycle_limit", 1),
    "k_decay": ("lr_k_decay", 1.0),
    "decay_fn": ("lr_decay_fn", None),
    "stable_timescale": ("lr_stable_timescale", None),
}
_CHANGED = ("epochs", "warmup_epochs", "warmup_lr", "min_lr", "cooldown_epochs")  # a file of train.py has them all
_ADAPTIVE = ("ada", "lamb", "lion")  # in an optimizer's name: train.py scales its rate by the square root


def recognises(config: Config) -> bool:
    """Whether a YAML file has train.py's keys: the scheduler's name and two more that are its own."""
    data = config.data
    return config.kind == "yaml" and data.get("sched") in SCHEDS and sum(key in data for key in _TELLING) >= 3


def read(config: Config, given: Given) -> Reading:
    """The schedule by epochs, or by updates where sched_on_updates says so.

    Updates in an epoch are not in the file: given.steps_per_epoch, or given.samples and world_size.
    """
    keys = Keys(config.data)
    sched = one_of(keys.get("sched", "cosine"), "sched", SCHEDS)
    on_updates, prefix = bool(keys.get("sched_on_updates", False)), bool(keys.get("warmup_prefix", False))
    batch = keys.count("batch_size", 128) * keys.count("grad_accum_steps", 1) * (given.world_size or 1)
    known = given.steps_per_epoch is not None or given.samples is not None
    each = _each(given, batch) if on_updates or known else 1
    arguments = {
        name: keys.number(key) if isinstance(keys.get(key), str) else keys.get(key, default)
        for name, (key, default) in _KEYS.items()
    }
    rate, findings = _rate(keys, given, batch)
    arguments |= {"sched": sched, "warmup_prefix": prefix, "base_lr": rate}
    restated = _restated(arguments, each, on_updates)
    findings += [
        Finding("assumed", key, f"not said: {default!r}, as the present train.py has it; earlier ones had others")
        for key, default in _KEYS.values()
        if key in _CHANGED and key not in keys
    ]
    epochs = _epochs(sched, prefix, arguments)
    if epochs != arguments["num_epochs"]:
        what = f"the run has {epochs} epochs: warmup, cycles and cooldown come to the {arguments['num_epochs']}"
        findings.append(Finding("assumed", "epochs", what))
    if on_updates or known:
        run = Run(total=epochs * each, steps_per_epoch=each)
    else:
        run = Run(total=epochs, clock="epoch")
        findings.append(
            Finding("assumed", "sched_on_updates", "the rate changes once an epoch: a tick of the clock is an epoch")
        )
    if keys.get("layer_decay") not in (None, 1):
        findings.append(
            Finding("not-carried", "layer_decay", "each layer has a rate of its own; this is the last one's")
        )
    if isinstance(more := keys.get("opt_kwargs", {}), dict) and "lr" in more:
        what = f"{more['lr']!r} is given to the optimizer itself, beside lr"
        findings.append(Finding("not-carried", "opt_kwargs.lr", what, "write lr"))
    others = [key for key in config.data if not key.startswith(("lr", "sched", "warmup", "cooldown", "decay_"))]
    return Reading.of(restated, run, [*findings, *keys.left(known=others)], "timm")


def _restated(arguments: dict[str, Any], each: int, on_updates: bool) -> Restated:
    """By updates; by epochs where no epoch's length is known; else each epoch's rate for the updates of it."""
    if on_updates:
        return create_scheduler_v2(**arguments, step_on_epochs=False, updates_per_epoch=each)
    by_epoch = create_scheduler_v2(**arguments, step_on_epochs=True, updates_per_epoch=0)
    if each == 1:
        return by_epoch
    epochs = _epochs(arguments["sched"], arguments["warmup_prefix"], arguments)
    values = by_epoch.table(epochs).tolist()
    finer = create_scheduler_v2(**arguments, step_on_epochs=False, updates_per_epoch=each)
    stairs = Absolute(curve_of(finer).stepwise(each))
    held, most = Absolute(joined(hold(value, each) for value in values)), 1e-12 * max(map(abs, values))
    equal = all(abs(stairs(each * epoch) - value) <= most for epoch, value in enumerate(values))
    plainer = equal and len(repr(stairs)) <= len(repr(held))
    return Restated(stairs if plainer else held, (), by_epoch.findings)


def _each(given: Given, batch: int) -> int:
    """Updates in an epoch."""
    if given.steps_per_epoch is not None:
        return round(given.steps_per_epoch)
    if given.samples is not None:
        return max(1, math.ceil(given.samples / batch))
    write = "give steps_per_epoch= (--steps-per-epoch), or samples= and world_size="
    raise PreheatError("a config of timm counts epochs, and does not say how many updates one has", write=write)


def _rate(keys: Keys, given: Given, batch: int) -> tuple[float, list[Finding]]:
    """lr, or lr_base scaled from lr_base_size to the batch, by the square root for adaptive optimizers."""
    said, name = keys.number("lr", None), str(keys.get("opt", "sgd")).lower()
    base, size, scale = keys.number("lr_base", 0.1), keys.number("lr_base_size", 256), keys.get("lr_base_scale")
    if said is not None or given.base_lr is not None:
        return float(given.base_lr if given.base_lr is not None else said), []
    how = scale or ("sqrt" if any(word in name for word in _ADAPTIVE) else "linear")
    ratio = batch / size
    found = base * (math.sqrt(ratio) if how == "sqrt" else ratio)
    what = f"lr is not said: lr_base {base:g} for a batch of {size:g}, scaled ({how}) to {batch}, is {found:g}"
    world = [] if given.world_size else [Finding("assumed", "world_size", "one process", "give world_size=")]
    return found, [Finding("assumed", "lr", what), *world]


def _epochs(sched: str, prefix: bool, given: dict[str, Any]) -> int:
    """Epochs of the whole run, as create_scheduler_v2 counts them: cycles, the warmup before them, and the cooldown."""
    epochs, warm = given["num_epochs"], given["warmup_epochs"]
    if sched in ("cosine", "tanh", "poly"):
        cycles, mul = max(1, given["cycle_limit"]), given["cycle_mul"]
        epochs = epochs * cycles if mul == 1 else math.floor(-epochs * (mul**cycles - 1) / (1 - mul))
        return epochs + (warm if prefix else 0) + given["cooldown_epochs"]
    if sched in ("wsd", "rsqrt"):
        return epochs + (warm if prefix else 0) + given["cooldown_epochs"]
    return epochs + (warm if prefix else 0)
