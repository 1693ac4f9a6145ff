"""Keras: a schedule's `get_config`, in the form that `serialize` gives it, and an optimizer's that holds one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat import keras
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Reading, number
from preheat.compat.parts.restated import Restated, rates, within
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.spans import Run

LIBRARY = "keras"
_WHERE = ("learning_rate", "optimizer_config", "optimizer", "config", "compile_config")


def recognises(config: Config) -> bool:
    """Whether a schedule of Keras stands in it by its class, or an optimizer by its module."""
    return config.kind in ("json", "yaml") and _found(config.data) is not None


def read(config: Config, given: Given) -> Reading:
    """The schedule, or the optimizer's constant rate; a schedule of Keras does not say how long the run is.

    Raises PreheatError for a class that Keras does not have, and where no rate stands.
    """
    found = _found(config.data)
    if found is None:
        raise PreheatError(
            f"no schedule of Keras stands in {config}", write="write keras.saving.serialize_keras_object(…)"
        )
    serialised, accumulated = found
    findings = []
    if accumulated not in (None, 1):
        what = f"Keras counts every batch, {accumulated} to an update, and here updates are counted"
        write = f"divide the lengths by {accumulated}"
        findings.append(Finding("not-carried", "gradient_accumulation_steps", what, write))
    if given.base_lr is not None:
        findings.append(
            Finding("ignored-argument", "base_lr", f"{given.base_lr!r} is not used: Keras's schedules are rates")
        )
    return Reading.of(
        _restated(serialised, given.total),
        Run(total=given.total, steps_per_epoch=given.steps_per_epoch),
        findings,
        LIBRARY,
    )


def _restated(serialised: Any, total: int | None) -> Restated:
    if not isinstance(serialised, Mapping):
        return rates(hold(number(serialised, "learning_rate")))
    arguments = serialised.get("config", {})
    if not isinstance(arguments, Mapping):
        raise PreheatError("the config of a schedule is a mapping", given=arguments)
    name = serialised.get("class_name") or serialised.get("registered_name")
    function = keras.PEER[str(name).rpartition(">")[2]]
    return within(total, function, {str(key): value for key, value in arguments.items()})


def _found(data: Mapping[str, Any], depth: int = 0) -> tuple[Any, Any] | None:
    """A schedule that is serialised somewhere in it, or an optimizer's rate; and how many batches an update takes."""
    if _is_schedule(data):
        return data, None
    rate = data.get("learning_rate")
    optimizer = "ema_momentum" in data or "clipnorm" in data
    if (isinstance(rate, Mapping) and _is_schedule(rate)) or (optimizer and isinstance(rate, int | float)):
        return rate, data.get("gradient_accumulation_steps")
    inside = [data[key] for key in _WHERE if isinstance(data.get(key), Mapping)] if depth < 6 else []
    return next((found for one in inside if (found := _found(one, depth + 1)) is not None), None)


def _is_schedule(data: Mapping[str, Any]) -> bool:
    module, name = str(data.get("module") or ""), data.get("class_name")
    if not isinstance(name, str) or not isinstance(data.get("config"), Mapping):
        return False
    known = name.rpartition(">")[2].lower() in {one.replace("_", "") for one in keras.PEER.functions}
    if "schedules" in module and not known:
        raise PreheatError(f"Keras has no schedule {shown(name)} that is known here")
    return known
