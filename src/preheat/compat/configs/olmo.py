"""OLMo's YAML, with a section scheduler, and OLMo-core's configs, with a scheduler in train_module."""

from __future__ import annotations

import re
from typing import Any

from preheat.compat import olmo_core
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading, number
from preheat.compat.configs.said import agreed
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

FORMER = {
    "cosine_with_warmup": "cos_with_warmup",
    "linear_with_warmup": "linear_with_warmup",
    "inverse_sqrt_with_warmup": "inv_sqrt_with_warmup",
    "constant_with_warmup": "constant_with_warmup",
    "constant": "constant_scheduler",
}
"""The names of OLMo, before OLMo-core, and what they are there."""


def recognises(config: Config) -> bool:
    """YAML or JSON with a scheduler of OLMo's, or of OLMo-core's in train_module."""
    data = config.data if config.kind in ("yaml", "json") else {}
    former, module = data.get("scheduler"), data.get("train_module")
    if isinstance(former, dict) and "max_duration" in data:  # Composer has the same keys, and calls the rate lr
        optimizer = data.get("optimizer")
        return isinstance(optimizer, dict) and "learning_rate" in optimizer
    return isinstance(module, dict) and isinstance(module.get("scheduler"), dict)


def read(config: Config, given: Given) -> Reading:
    """The rates, by update; lengths in tokens are divided by those of an update."""
    keys = Keys(config.data)
    return _core(keys, given) if "train_module" in keys else _former(keys, given)


def _former(keys: Keys, given: Given) -> Reading:
    scheduler, findings = keys.section("scheduler"), []
    name, units = scheduler.get("name", "cosine_with_warmup"), scheduler.get("units", "steps")
    if name not in FORMER:
        raise PreheatError(f"OLMo's scheduler {name!r} is not restated", write=f"one of {', '.join(FORMER)} is")
    peak = agreed("the learning rate", keys.section("optimizer").number("learning_rate", None), given.base_lr)
    if peak is None:
        peak = 1e-4
        findings.append(
            Finding("assumed", "optimizer.learning_rate", "the config does not say it; 1e-4 is the default")
        )
    batch, length = keys.count("global_train_batch_size", 512), keys.section("model").whole("max_sequence_length", 1024)
    total = _updates(keys.get("max_duration", 10_000), batch * length, given)
    t_max = scheduler.number("t_max", None)
    said: dict[str, Any] = {} if name == "constant" else {"warmup": int(scheduler.number("t_warmup", 100))}
    if name in ("cosine_with_warmup", "linear_with_warmup"):
        said |= {"alpha_f": scheduler.number("alpha_f", 0.1), "t_max": None if t_max is None else int(t_max)}
    if name == "inverse_sqrt_with_warmup":
        said["alpha_f"] = 0.0
    low = scheduler.number("warmup_min_lr", None)
    if said.get("warmup"):
        said["warmup_min_lr"] = peak * 0.10 if low is None else low
        if low is None:
            findings.append(Finding("assumed", "scheduler.warmup_min_lr", "OLMo begins at a tenth of the rate"))
    scheduler.number("grad_clip_warmup_steps", None), scheduler.number("grad_clip_warmup_factor", None)
    findings += scheduler.left()
    return _reading(FORMER[name], {**said, "units": units}, (total, batch * length), peak, findings)


def _core(keys: Keys, given: Given) -> Reading:
    module, findings = keys.section("train_module"), []
    scheduler = dict(module.get("scheduler"))
    name = str(scheduler.pop("type", None) or scheduler.pop("_CLASS_", "")).rpartition(".")[2]
    scheduler.pop("_CLASS_", None)
    peak = agreed("the learning rate", module.section("optim").number("lr", None), given.base_lr)
    if peak is None:
        raise PreheatError("the config does not say train_module.optim.lr", write="say base_lr=")
    tokens = keys.section("data_loader").whole("global_batch_size", None)
    said = {key: value for key, value in scheduler.items() if not key.startswith("_") and value is not None}
    said |= {key: None for key in ("decay_fraction",) if key in scheduler and scheduler[key] is None}
    said.setdefault("units", "steps")
    total = _updates(keys.section("trainer").get("max_duration"), tokens, given)
    return _reading(name, said, (total, tokens), peak, findings)


def _reading(
    name: str,
    said: dict[str, Any],
    lengths: tuple[tuple[int | None, int | None], int | None],
    peak: float,
    findings: list[Finding],
) -> Reading:
    """said: its arguments, units among them.   lengths: of the run in updates and in tokens, and the tokens of an update."""
    (steps, exact), tokens = lengths
    units = said.pop("units")
    trainer: dict[str, Any] = {"units": units, "max_steps": steps}
    if units == "tokens":
        if tokens is None:
            raise PreheatError("the schedule counts tokens, and how many an update has the config does not say")
        most = exact if exact is not None else None if steps is None else steps * tokens
        trainer = {"units": units, "max_tokens": most, "tokens_per_step": tokens}
    named = {key: value for key, value in trainer.items() if value is not None}
    restated = olmo_core.PEER[name](**said, **named, base_lr=peak)
    return Reading.of(restated, Run(total=steps, tokens_per_step=tokens), findings, "olmo_core")


def _updates(duration: Any, tokens: int | None, given: Given) -> tuple[int | None, int | None]:
    """Updates, and the tokens where the duration counts them: 1000, "5e12T" and "1ep" of OLMo, value and unit of OLMo-core."""
    value, unit = duration, "steps"
    if isinstance(duration, dict):
        value, unit = duration.get("value"), str(duration.get("unit"))
    elif isinstance(duration, str) and (found := re.fullmatch(r"([\d.e+_]+)\s*(T|ep)", duration.strip())):
        value, unit = found[1], {"T": "tokens", "ep": "epochs"}[found[2]]
    if value is None or unit == "epochs":
        steps = given.total
        if steps is None and value is not None and given.steps_per_epoch is not None:
            steps = int(number(value, "max_duration") * given.steps_per_epoch)
        if steps is None and unit == "epochs":
            what = f"max_duration counts epochs, {value}, and how long one is the config does not say"
            raise PreheatError(what, write="give total= (--total), the updates of the run, or steps_per_epoch=")
        return steps, None
    amount = int(number(value, "max_duration"))
    if unit == "tokens":
        if tokens is None:
            raise PreheatError("max_duration is in tokens, and how many an update has the config does not say")
        return agreed("the updates of the run", -(-amount // tokens), given.total), amount
    return agreed("the updates of the run", amount, given.total), None
