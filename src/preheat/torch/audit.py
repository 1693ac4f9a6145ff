"""What a scheduler saw: what it counted, and what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.torch.groups import check_optimizers
from preheat.torch.watching import Watch, own_count

if TYPE_CHECKING:
    from preheat.torch.scheduler import Scheduler

# optimizers that warm up by themselves: where each says so
_OWN_WARMUP = ("warmup_steps", "warmup_init", "safeguard_warmup")


@dataclass(frozen=True)
class Audit:
    """What was counted, and findings in words: none if nothing looks wrong.

    applied: updates seen and counted.   unseen: calls of step() counted before any update was seen.
    surplus: calls without an update of their own, ignored.   skipped: updates that the GradScaler skipped.
    edited: times a scheduled value was found changed by someone else, and overwritten.
    blind: what cannot be seen with this optimizer, in words; empty if nothing.
    """

    position: float
    applied: int
    unseen: int
    surplus: int
    skipped: int
    edited: int
    findings: tuple[str, ...]
    blind: str = ""

    def __str__(self) -> str:
        counted = (
            f"position {self.position:g}: {self.applied} applied updates, {self.unseen} calls before any was seen, "
            f"{self.surplus} surplus calls, {self.skipped} skipped updates, {self.edited} values edited by others"
        )
        found = [f"- {finding}" for finding in self.findings] or ["nothing looks wrong"]
        return "\n".join([counted, *found, *([f"({self.blind})"] if self.blind else [])])


def audited(scheduler: Scheduler) -> Audit:
    """The audit of a scheduler as it stands."""
    watch, edits = scheduler._watch, scheduler._edits
    findings = [*_calls(watch), *_updates(scheduler), *_warmups(scheduler.optimizers, scheduler.plan), *_edited(edits)]
    applied = watch.applied if scheduler._clock is None else scheduler._clock.read()[0]
    counts = (applied, watch.unseen, watch.surplus, watch.skipped, sum(edits.values()))
    return Audit(scheduler.position, *counts, tuple(findings), _blind(scheduler))


def _calls(watch: Watch) -> list[str]:
    """What the calls of step() say by themselves."""
    found = []
    if watch.applied and watch.surplus >= watch.applied:
        times = round(1 + watch.surplus / watch.applied, 1)
        found.append(f"stepped {times:g} times per update; the surplus calls were ignored")
    if watch.unseen and watch.applied:
        found.append(
            f"of the calls, {watch.unseen} came before any update was seen, and counted; "
            "call step() after optimizer.step(), and pass scaler= if a GradScaler may skip the first updates"
        )
    return found


def _updates(scheduler: Scheduler) -> list[str]:
    """What the optimizers' own counts say, since the first update that was seen."""
    watch, own = scheduler._watch, own_count(scheduler.optimizers)
    if own is None or watch.since is None or watch.since[1] is None:
        return []
    calls, updates = watch.applied - watch.since[0], own - watch.since[1]
    if scheduler._tick is not None and scheduler.run.clock != "epoch" and updates >= 2 * calls > 0:
        return [
            f"{updates} updates in {calls} calls of step(), where the plan counts updates; call it after every update, "
            "or, if once per epoch is meant, write Run(clock='epoch')"
        ]
    fused = any(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in scheduler.optimizers)
    if fused and watch.scaler is None and 0 <= updates < calls:
        return [f"{calls - updates} updates were skipped inside the fused optimizer and counted; pass scaler="]
    return []


def _blind(scheduler: Scheduler) -> str:
    if scheduler._clock is not None:
        return "on_device: calls are counted on the device, whatever they stand for"
    if scheduler._watch.flag.captured:
        return "an update was captured in a CUDA graph, whose replays cannot be seen, so every call counts"
    if scheduler._watch.applied and own_count(scheduler.optimizers) is None:
        return "the optimizer does not count its updates, so several of them between two calls cannot be seen"
    return ""


def _warmups(optimizers: tuple[Optimizer, ...], plan: Plan) -> list[str]:
    if not any(_warms_up(line.schedule) for line in plan.lines if line.hyper == "lr"):
        return []
    found = []
    for optimizer in optimizers:
        name = type(optimizer).__name__
        own = [key for key in _OWN_WARMUP if _asked(optimizer, key)]
        own += ["its variance rectification"] if name.startswith("RAdam") else []
        found += [f"double warmup: {name} warms up by itself ({what}), and so does the plan" for what in own]
    return found


def _warms_up(schedule: Schedule) -> bool:
    end = schedule.length if schedule.length < math.inf else 1_000_000
    first = schedule(0)
    return any(schedule(end * share) > 2 * first for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0))


def _asked(optimizer: Optimizer, key: str) -> bool:
    """Whether a group, or else the optimizer's defaults, has a true or positive value there."""
    values = [group[key] for group in optimizer.param_groups if key in group] or [optimizer.defaults.get(key)]
    return any(isinstance(value, int | float) and value > 0 for value in values)


def _edited(edits: dict[str, int]) -> list[str]:
    return [
        f"{name} was changed by someone else ({times}×), and overwritten at the next step; one of the two has to go"
        for name, times in edits.items()
    ]


class _Table(str):
    """Text that a prompt shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def describe(optimizer: Optimizer | Sequence[Optimizer]) -> str:
    """The groups of an optimizer, or of several, as a table: name, parameters, and every number that a plan can drive.

    >>> from torch import nn, optim
    >>> print(describe(optim.SGD([nn.Parameter(nn.init.zeros_(nn.Linear(2, 3).weight))], lr=0.1, momentum=0.9)))
    SGD: 1 group
    0                         6 parameters  lr=0.1  momentum=0.9  dampening=0  weight_decay=0

    Raises PreheatError for what is not an optimizer.
    """
    rows, number = [], 0
    for one in check_optimizers(optimizer):
        groups = one.param_groups
        rows.append(f"{type(one).__name__}: {len(groups)} group{'s' * (len(groups) != 1)}")
        for group in groups:
            rows.append(_row(str(group.get("name", number)), group))
            number += 1
    return _Table("\n".join(rows))


def _row(name: str, group: dict[str, Any]) -> str:
    size = sum(parameter.numel() for parameter in group["params"])
    told = ("params", "name", "initial_lr")
    cells = [f"{key}={_shown(value)}" for key, value in group.items() if key not in told and _drives(value)]
    return f"{name:<12} {size:>14,} parameters  {'  '.join(cells)}"


def _drives(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_drives, value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (isinstance(value, torch.Tensor) and value.numel() == 1)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{float(value):g}"
