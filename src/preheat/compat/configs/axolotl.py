"""axolotl's YAML: which of its schedulers, or of transformers', it takes, and with which warmup."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from preheat.compat import axolotl, transformers
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.configs.said import agreed, epochs_total
from preheat.compat.parts.restated import Restated
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.core.text.language import parse

TELLING = {"base_model", "micro_batch_size", "datasets", "sequence_len", "adapter", "num_epochs", "lr_scheduler"}
OWN = "preheat_schedule"  # of preheat.axolotl's plugin
HARMLESS = {
    *(
        "eval_steps",
        "save_steps",
        "logging_steps",
        "saves_per_epoch",
        "evals_per_epoch",
        "save_first_step",
        "save_on_epoch_end",
    ),
    *("profiler_steps", "profiler_steps_start", "jagged_restart_warmup_steps", "jagged_restart_anneal_steps"),
    *("eval_strategy", "save_strategy", "lr_scheduler_kwargs", "max_steps", "num_epochs"),
}
CURVES = ("cosine_constant_lr_ratio", "cosine_min_lr_ratio", "lr_quadratic_warmup")


KINDS = ("one_cycle", "rex", *transformers.PEER.functions)
"""What lr_scheduler may be."""


def recognises(config: Config) -> bool:
    """YAML or JSON with micro_batch_size and two more of its keys."""
    if config.kind not in ("yaml", "json"):
        return False
    own = set(config.data)
    return ("micro_batch_size" in own and len(TELLING & own) >= 3) or (
        OWN in own and bool((TELLING | {"plugins"}) & own)
    )


def read(config: Config, given: Given) -> Reading:
    """The rates; the total is max_steps, or what the epochs make of the samples, or of total= beside it."""
    keys, findings = Keys(config.data), []
    peak = agreed("the learning rate", keys.number("learning_rate", None), given.base_lr)
    if peak is None:
        raise PreheatError("the config does not say learning_rate", write="say base_lr=")
    total, per_epoch = _total(keys, given, findings)
    if OWN in keys:
        return Reading(_followed(keys, total, peak), Run(total=total, steps_per_epoch=per_epoch), findings, "axolotl")
    warm = axolotl.warmup_updates(total, keys.number("warmup_steps", None), keys.number("warmup_ratio", None))
    if keys.number("warmup_steps", keys.number("warmup_ratio", None)) is None:
        what = f"the config says no warmup; axolotl takes 3 % of the run, and at most 100 updates: {warm}"
        findings.append(Finding("assumed", "warmup_steps", what))
    warm = math.ceil(warm * total) if warm < 1 else int(warm)  # as transformers reads it
    restated = _scheduled(keys, {"num_warmup_steps": warm, "num_training_steps": total}, peak, findings)
    restated = _jagged(keys, restated)
    for key in ("loraplus_lr_ratio", "embedding_lr", "lr_groups", "loraplus_lr_embedding"):
        if keys.get(key) is not None:
            findings.append(Finding("not-carried", key, "other groups have rates of their own, which are not read"))
    if keys.number("relora_steps", None):
        findings.append(Finding("not-carried", "relora_steps", "ReLoRA restarts the rate, which is not read"))
    findings += keys.suspicious(HARMLESS)
    return Reading.of(restated, Run(total=total, steps_per_epoch=per_epoch), findings, "axolotl")


def _followed(keys: Keys, total: int, peak: float) -> Any:
    """preheat's own schedule, which its plugin makes the trainer follow."""
    for key in ("lr_scheduler", "lr_scheduler_kwargs", "warmup_steps", "warmup_ratio", *CURVES, "jagged_restart_steps"):
        if keys.get(key):
            what = f"the config says {key}, a second schedule beside {OWN}"
            raise PreheatError(what, write=f"leave {key} out, and write all of it in the schedule")
    said, run = keys.get(OWN), Run(total=total)
    target = parse(json.dumps(said)) if isinstance(said, Mapping) else parse(said)
    lines = {line.key: line for line in target.lines} if isinstance(target, Plan) else {}
    if not lines:
        return target.bind(run) if isinstance(target, Absolute) else target.bind(run, peak=peak)
    rates = {
        key: line.target.bind(run, peak=peak)
        if line.is_rate and not isinstance(line.target, Absolute)
        else line.target.bind(run)
        for key, line in lines.items()
    }
    return Plan(rates)


def _total(keys: Keys, given: Given, findings: list[Finding]) -> tuple[int, float | None]:
    micro, accumulation = keys.count("micro_batch_size", 1), keys.count("gradient_accumulation_steps", 1)
    steps = keys.whole("max_steps", None)
    if steps is not None and steps > 0:
        return agreed("the updates of the run", steps, given.total), given.steps_per_epoch
    total, per_epoch = epochs_total(given, keys.number("num_epochs", 1), micro, accumulation)
    if keys.get("sample_packing") and given.total is None and given.steps_per_epoch is None:
        what = "samples are packed into sequences, so that the run has fewer updates than the samples say"
        findings.append(Finding("assumed", "sample_packing", what, "say total= as axolotl prints it"))
    return total, per_epoch


def _scheduled(keys: Keys, lengths: dict[str, Any], peak: float, findings: list[Finding]) -> Restated:
    """As its trainer chooses: rex, one_cycle, its own cosines, or a kind of transformers."""
    kind = keys.get("lr_scheduler", "cosine")
    constant, floor, quadratic = (keys.get(key) for key in CURVES)
    more = keys.get("lr_scheduler_kwargs", {})
    if kind == "one_cycle":
        raise PreheatError("one_cycle is torch's OneCycleLR", write='write restate("torch", "OneCycleLR", …)')
    if kind == "rex":  # its floor needs lr_scheduler_type cosine, which rex has behind it
        warm, total = lengths["num_warmup_steps"], lengths["num_training_steps"]
        low = peak * (floor or 0)
        return axolotl.rex_lr(max_lr=peak, min_lr=low, total_steps=total, num_warmup_steps=warm, base_lr=peak)
    if kind == "cosine" and quadratic is True:
        if floor is not None:
            findings.append(Finding("ignored-argument", CURVES[1], "with lr_quadratic_warmup it is not used"))
        return axolotl.get_cosine_schedule_with_quadratic_warmup(**lengths, base_lr=peak)
    if kind == "cosine" and floor and constant:
        ratios = {"min_lr_ratio": floor, "constant_lr_ratio": constant}
        return axolotl.get_cosine_schedule_with_warmup_decay_constant(**lengths, **ratios, base_lr=peak)
    if kind == "cosine" and floor:
        return axolotl.get_cosine_schedule_with_min_lr(**lengths, min_lr_ratio=floor, base_lr=peak)
    for key, value in zip(CURVES, (constant, floor, quadratic), strict=True):
        if value:
            findings.append(Finding("ignored-argument", key, f"{value!r} is not used with lr_scheduler {kind}"))
    if kind not in KINDS:
        raise PreheatError(f"axolotl has no lr_scheduler {shown(kind)}{nearest(str(kind), KINDS)}")
    return axolotl.PEER[kind](**lengths, **more, base_lr=peak)


def _jagged(keys: Keys, inner: Restated) -> Restated:
    every = keys.whole("jagged_restart_steps", None)
    if not every:
        return inner
    if keys.get("lr_scheduler") == "rex":
        raise PreheatError("jagged restarts around rex are two updates early, and not restated")
    named: dict[str, Any] = {
        "jagged_restart_steps": every,
        "min_lr_scale": keys.number("cosine_min_lr_ratio", 0) or 0.001,
    }
    named |= {"jagged_restart_warmup_steps": keys.whole("jagged_restart_warmup_steps", 0) or 10}
    named |= {"jagged_restart_anneal_steps": keys.whole("jagged_restart_anneal_steps", 0) or 1}
    restated = axolotl.jagged_lr_restart_scheduler(inner_schedule=inner, **named)
    return restated.having(*inner.findings)
