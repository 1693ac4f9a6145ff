"""Composer's and llm-foundry's YAML: scheduler, optimizer.lr, max_duration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from preheat.compat.composer import PEER, updates
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading, number
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

REFERENCE = re.compile(r"\$\{([\w.]+)\}")
MOST_REFERENCES = 20  # to one another


def recognises(config: Config) -> bool:
    """A YAML with max_duration and scheduler, also below `parameters`."""
    data = _inside(config.data) if config.kind == "yaml" else {}
    optimizer = data.get("optimizer")
    if isinstance(optimizer, dict) and "learning_rate" in optimizer:  # OLMo's, with the same keys
        return False
    return "max_duration" in data and ("scheduler" in data or "schedulers" in data)


def read(config: Config, given: Given) -> Reading:
    """The schedule as rates, by the names of llm-foundry's registry or Composer's classes.

    Raises PreheatError for a scheduler that is not known, several of them, and where it is not said what an epoch is worth.
    """
    keys = Keys(_resolved(_inside(config.data)))
    name, arguments = _scheduler(keys)
    training: dict[str, Any] = {"max_duration": _time(keys.get("max_duration"))} | _worths(keys, given)
    base = keys.section("optimizer").get("lr")
    base = given.base_lr if base is None else number(base, "optimizer.lr")
    if base is None:
        raise PreheatError("the config does not say optimizer.lr", write="give base_lr")
    findings = (
        [_assumed(training)]
        if "tok" in f"{training['max_duration']} {arguments}" and "tokens_per_batch" in training
        else []
    )
    restated = PEER[name](**arguments, **training, base_lr=base)
    batch, tokens = training.get("batch_size"), training.get("tokens_per_batch")
    run = Run(
        total=updates(**training),
        steps_per_epoch=training.get("dataloader_len"),
        samples_per_step=batch,
        tokens_per_step=tokens,
    )
    return Reading.of(restated, run, findings, "composer")


def _inside(data: Mapping[str, Any]) -> dict[str, Any]:
    """What stands at the top, or below `parameters`, as in files for MosaicML's platform."""
    inner = data.get("parameters")
    return dict(inner) if isinstance(inner, Mapping) and "max_duration" not in data else dict(data)


def _scheduler(keys: Keys) -> tuple[str, dict[str, Any]]:
    found = keys.get("scheduler") or keys.get("schedulers")
    if isinstance(found, Mapping) and "name" not in found and len(found) == 1:
        ((name, arguments),) = found.items()
        return str(name), dict(arguments or {})
    if not isinstance(found, Mapping) or not isinstance(found.get("name"), str):
        raise PreheatError(
            "the config must have one scheduler with a name", given=found, write="write scheduler: {name: …}"
        )
    arguments = {key: _number(value) for key, value in found.items() if key != "name"}
    return found["name"], arguments


def _number(value: Any) -> Any:
    """YAML takes 1e-4 for text."""
    try:
        return number(value, "it") if isinstance(value, str) else value
    except PreheatError:
        return value


def _time(value: Any) -> Any:
    return f"{value}ep" if isinstance(value, int) and not isinstance(value, bool) else value


def _worths(keys: Keys, given: Given) -> dict[str, Any]:
    """What a batch and an epoch are worth, where that is said."""
    found: dict[str, Any] = {}
    batch = keys.count("global_train_batch_size", None)
    if batch is not None:
        found["batch_size"] = batch
        length = keys.whole("max_seq_len", None)
        found |= {} if length is None else {"tokens_per_batch": batch * length}
        found |= {} if given.samples is None else {"dataloader_len": given.samples // batch}
    if given.steps_per_epoch is not None:
        found["dataloader_len"] = int(given.steps_per_epoch)
    ratio = keys.number("scale_schedule_ratio", None)
    return found | ({} if ratio is None else {"scale_schedule_ratio": ratio})


def _assumed(training: Mapping[str, Any]) -> Finding:
    what = f"a batch is taken for {training['tokens_per_batch']} tokens, all of them full; Composer counts those that are there"
    return Finding("assumed", "max_seq_len", what)


def _resolved(data: Mapping[str, Any]) -> dict[str, Any]:
    """References to other keys, ${name} and ${variables.name}, resolved where those hold a value."""

    def value(one: Any, left: int) -> Any:
        if isinstance(one, Mapping):
            return {key: value(inner, left) for key, inner in one.items()}
        match = REFERENCE.fullmatch(one) if isinstance(one, str) else None
        if match is None or not left:
            return one
        target: Any = data
        for name in match[1].split("."):
            target = target.get(name) if isinstance(target, Mapping) else None
        return one if target is None else value(target, left - 1)

    wanted = ("scheduler", "schedulers", "optimizer", "max_duration", "max_seq_len", "global_train_batch_size")
    return {key: value(one, MOST_REFERENCES) if key in wanted else one for key, one in data.items()}
