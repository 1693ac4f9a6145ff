"""mmengine's Python configs, read as literals: optim_wrapper, param_scheduler, train_cfg, auto_scale_lr.

What stands in `_base_` is named, not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat import mmengine
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run


def recognises(config: Config) -> bool:
    """Whether it assigns a param_scheduler or an optim_wrapper."""
    return config.kind == "python" and ("param_scheduler" in config.data or "optim_wrapper" in config.data)


def read(config: Config, given: Given) -> Reading:
    """The schedulers in their windows; epochs need `steps_per_epoch`, or `samples` and the loader's batch size."""
    keys = Keys(config.data)
    findings = _bases(keys.get("_base_"))
    schedulers = keys.get("param_scheduler", [])
    schedulers = [schedulers] if isinstance(schedulers, Mapping) else list(schedulers)
    if not schedulers:
        findings.append(Finding("assumed", "param_scheduler", "no scheduler is said: the rate is constant"))
    optimizer, loop = keys.section("optim_wrapper").section("optimizer"), keys.section("train_cfg")
    loader = keys.section("train_dataloader")
    base = given.base_lr if given.base_lr is not None else optimizer.number("lr", None)
    if base is None:
        findings.append(Finding("assumed", "optim_wrapper", "no lr is said: the values are factors", "give base_lr="))
    base = _scaled(1.0 if base is None else float(base), keys.section("auto_scale_lr"), loader, given, findings)
    length = _epoch(loader, given)
    total = _total(loop, length, given)
    ended = [_ended(one, loop, total) for one in schedulers]
    if length is None and any(one.get("by_epoch", True) for one in ended):
        what = "schedulers go by epochs, whose length the config does not say"
        raise PreheatError(what, write="write steps_per_epoch= (--steps-per-epoch), the updates in an epoch")
    accumulated = keys.section("optim_wrapper").whole("accumulative_counts", 1)
    if accumulated != 1:
        what = f"an update is made every {accumulated} iterations, and the schedulers count iterations"
        findings.append(Finding("not-carried", "optim_wrapper.accumulative_counts", what, "count iterations"))
    findings += _other_groups(keys.section("optim_wrapper"))
    findings += keys.suspicious(telling=())
    restated = mmengine.param_scheduler(
        schedulers=ended, epoch_length=length, base_lr=base, base_momentum=optimizer.number("momentum", 0.9)
    )
    return Reading.of(restated, Run(total=total, steps_per_epoch=length), findings, "mmengine")


def _other_groups(wrapper: Keys) -> list[Finding]:
    """What gives groups rates of their own."""
    found = []
    for place in (wrapper, wrapper.section("optimizer")):
        if place.get("paramwise_cfg"):
            what = "groups have rates of their own, multiples of these, which are not read"
            found.append(
                Finding("not-carried", f"{place.where}paramwise_cfg", what, "give these groups lines of their own")
            )
    return found


def _bases(base: Any) -> list[Finding]:
    if not base:
        return []
    what = f"{base!r}: other files, which are not read; what they say of the schedule is missing here"
    return [Finding("not-carried", "_base_", what, "write the whole config (mmengine's Config.dump)")]


def _epoch(loader: Keys, given: Given) -> int | None:
    """Updates in an epoch."""
    if given.steps_per_epoch is not None:
        return int(given.steps_per_epoch)
    if given.samples is None or (batch := loader.count("batch_size", None)) is None:
        return None
    return -(-given.samples // (batch * (given.world_size or 1)))


def _total(loop: Keys, length: int | None, given: Given) -> int | None:
    epochs, updates = loop.whole("max_epochs", None), loop.whole("max_iters", None)
    said = updates if updates is not None else None if epochs is None or length is None else epochs * length
    if given.total is not None and said not in (None, given.total):
        raise PreheatError(f"train_cfg says {said} updates, and the total that was given {given.total}")
    return said if said is not None else given.total


def _ended(scheduler: Mapping[str, Any], loop: Keys, total: int | None) -> dict[str, Any]:
    """With the end that the runner gives it where it has none: that of the loop."""
    by_epoch = scheduler.get("by_epoch", True)
    end = loop.whole("max_epochs", None) if by_epoch else loop.whole("max_iters", total)
    return ({} if end is None else {"end": end}) | dict(scheduler)


def _scaled(base: float, scale: Keys, loader: Keys, given: Given, findings: list[Finding]) -> float:
    """The rate under auto_scale_lr: times the batch of all processes over the one that it was made for."""
    if not scale.get("enable", False):
        return base
    reference, batch = scale.count("base_batch_size"), loader.count("batch_size", None)
    if batch is None or given.world_size is None:
        what = f"the rate is scaled from a batch of {reference} to that of all processes, which the config does not say"
        findings.append(Finding("not-carried", "auto_scale_lr", what, "give world_size= (--world-size), or base_lr="))
        return base
    ratio = batch * given.world_size / reference
    findings.append(Finding("assumed", "auto_scale_lr", f"the rate times {ratio:g}, for {given.world_size} processes"))
    return base * ratio
