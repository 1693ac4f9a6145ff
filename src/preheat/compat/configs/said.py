"""What a config says, what is said beside it, and what its library takes where neither says anything."""

from __future__ import annotations

import math
from typing import Any

from preheat.compat.configs.reading import Given, Keys
from preheat.core.checks import counted, positive_number
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding


def agreed(what: str, said: Any, given: Any) -> Any:
    """One of two numbers that must not contradict each other; None where neither is said."""
    if said is not None and given is not None and said != given:
        raise PreheatError(f"the config says {said!r} for {what}, and beside it stands {given!r}", write="say it once")
    return given if said is None else said


def assumed(keys: Keys, key: str, default: Any, findings: list[Finding]) -> Any:
    """A number, or the library's own default for it, which becomes a finding."""
    value = keys.number(key, None)
    if value is not None:
        return value
    findings.append(Finding("assumed", f"{keys.where}{key}", f"the config does not say it; {default!r} is the default"))
    return default


def epochs_total(given: Given, epochs: float, micro: int, accumulation: int) -> tuple[int, float | None]:
    """Updates of a transformers Trainer, and in an epoch: its last update may have fewer micro-batches.

    A total that is said goes before; else the samples, or the updates, of an epoch are needed.
    """
    per_epoch: float | None = given.steps_per_epoch
    if per_epoch is None and given.samples is not None:
        processes = 1 if given.world_size is None else counted(given.world_size, "world_size is a number", least=1)
        loader = math.ceil(given.samples / (micro * processes))
        per_epoch = max(1, math.ceil(loader / accumulation))
    if given.total is not None:
        return counted(given.total, "total is a number of updates", least=1), per_epoch
    if per_epoch is None:
        raise PreheatError(
            "the config counts epochs, and how long one is it does not say",
            write="say total= (--total), steps_per_epoch=, or samples= of the data set and world_size=",
        )
    return math.ceil(positive_number(epochs, "the number of epochs") * per_epoch), per_epoch
