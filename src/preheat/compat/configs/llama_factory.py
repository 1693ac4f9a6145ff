"""LLaMA-Factory's YAML: the arguments of transformers, and its own lengths for warmup_stable_decay."""

from __future__ import annotations

import math

from preheat.compat import llama_factory
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.configs.said import agreed, assumed, epochs_total
from preheat.compat.configs.transformers import KNOWN
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

TELLING = {"stage", "finetuning_type", "template", "cutoff_len", "dataset_dir", "lora_target", "do_train"}


HARMLESS = KNOWN | {"loraplus_lr_embedding", "badam_switch_interval", "badam_start_block", "galore_update_interval"}


def recognises(config: Config) -> bool:
    """YAML or JSON with stage or finetuning_type, and another of its keys."""
    keys = set(config.data) if config.kind in ("yaml", "json") else set()
    return bool({"stage", "finetuning_type"} & keys) and len(TELLING & keys) >= 2


def read(config: Config, given: Given) -> Reading:
    """The rates; the total is max_steps, or what the epochs make of the samples, or of total= beside it."""
    keys, findings = Keys(config.data), []
    peak = agreed("the learning rate", keys.number("learning_rate", None), given.base_lr)
    if peak is None:
        peak = assumed(keys, "learning_rate", 5e-5, findings)
    kind = keys.get("lr_scheduler_type")
    if kind is None:
        kind = "linear"
        findings.append(Finding("assumed", "lr_scheduler_type", "the config does not say it; 'linear' is the default"))
    total, per_epoch = _total(keys, given)
    more = keys.get("lr_scheduler_kwargs", {})
    lengths = {"num_warmup_steps": _warm(keys, total), "num_training_steps": total}
    for key in ("loraplus_lr_ratio", "galore_scale", "badam_mode"):
        if keys.get(key) is not None:
            findings.append(Finding("not-carried", key, "it gives groups rates of their own, which are not read"))
    findings += keys.suspicious(HARMLESS)
    restated = llama_factory.PEER[kind](**lengths, **more, base_lr=peak)
    return Reading.of(restated, Run(total=total, steps_per_epoch=per_epoch), findings, "llama_factory")


def _total(keys: Keys, given: Given) -> tuple[int, float | None]:
    steps = keys.whole("max_steps", None)
    micro, accumulation = keys.count("per_device_train_batch_size", 8), keys.count("gradient_accumulation_steps", 1)
    epochs = keys.number("num_train_epochs", 3.0)
    if steps is not None and steps > 0:
        return agreed("the updates of the run", steps, given.total), given.steps_per_epoch
    return epochs_total(given, epochs, micro, accumulation)


def _warm(keys: Keys, total: int) -> int:
    """warmup_steps goes before warmup_ratio; below 1 it is a share, rounded up."""
    steps, ratio = keys.number("warmup_steps", 0), keys.number("warmup_ratio", 0)
    value = steps or ratio
    if value < 0:
        raise PreheatError("a warmup is not negative", given=value)
    return math.ceil(value * total) if value < 1 else int(value)
