"""What a scheduler saw: what it counted, and what looks wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from preheat.core.plan import Plan

if TYPE_CHECKING:
    from preheat.torch.scheduler import Scheduler

# optimizers that warm up by themselves: where each says so
_OWN_WARMUP = {
    "warmup_steps": lambda value: value and value > 0,  # schedule-free
    "warmup_init": bool,  # Adafactor
    "safeguard_warmup": bool,  # Prodigy
}


@dataclass(frozen=True)
class Audit:
    """What was counted, and findings in words.

    applied: updates seen and counted.   unseen: calls of step() counted before any update was seen.
    surplus: calls without an update of their own, ignored.   skipped: updates that the GradScaler skipped.
    edited: times a scheduled value was found changed by someone else, and overwritten.
    """

    position: float
    applied: int
    unseen: int
    surplus: int
    skipped: int
    edited: int
    findings: tuple[str, ...]

    def __str__(self) -> str:
        counted = (
            f"position {self.position:g}: {self.applied} applied updates, {self.unseen} calls before any was seen, "
            f"{self.surplus} surplus calls, {self.skipped} skipped updates, {self.edited} values edited by others"
        )
        return "\n".join([counted, *(f"- {finding}" for finding in self.findings)])


def audited(scheduler: Scheduler) -> Audit:
    """The audit of a scheduler as it stands."""
    watch = scheduler._watch
    findings = [*_counting(scheduler), *_warmups(scheduler.optimizers, scheduler.plan), *_edited(scheduler)]
    counts = (watch.applied, watch.unseen, watch.surplus, watch.skipped, scheduler._edits)
    return Audit(scheduler.position, *counts, tuple(findings))


def _counting(scheduler: Scheduler) -> list[str]:
    watch, found = scheduler._watch, []
    if watch.applied and watch.surplus >= watch.applied:
        times = round(1 + watch.surplus / watch.applied, 1)
        found.append(f"stepped {times:g} times per update; the surplus calls were ignored")
    if watch.unseen > 1 and watch.applied:
        found.append(
            f"{watch.unseen} calls came before any update was seen and were counted; "
            "call step() after optimizer.step(), and pass scaler= if a GradScaler may skip the first updates"
        )
    updates = _updates(scheduler.optimizers)
    calls = scheduler._step_count - 1
    if updates is None:
        found.append("how many updates come between two calls cannot be seen: this optimizer does not count them")
    elif scheduler.run.clock == "step" and calls > 0 and updates >= 2 * calls:
        found.append(
            f"{updates} updates in {calls} calls of step(), where the plan counts updates; "
            "call it after every update, or write Run(clock='epoch')"
        )
    return found


def _updates(optimizers: tuple[Optimizer, ...]) -> int | None:
    """How many updates the optimizers themselves say they applied; None if none of them counts."""
    counts = [int(state["step"]) for optimizer in optimizers for state in optimizer.state.values() if "step" in state]
    if counts:
        return max(counts)
    return None if any(optimizer.state for optimizer in optimizers) or not optimizers else 0


def _warmups(optimizers: tuple[Optimizer, ...], plan: Plan) -> list[str]:
    if not any(_warms_up(line.schedule) for line in plan.lines if line.hyper == "lr"):
        return []
    found = []
    for optimizer in optimizers:
        name = type(optimizer).__name__
        own = [key for key, warms in _OWN_WARMUP.items() if warms(_default(optimizer, key))]
        if name == "RAdam":
            own.append("its variance rectification")
        found += [f"double warmup: {name} warms up by itself ({what}), and so does the plan" for what in own]
    return found


def _warms_up(schedule: Any) -> bool:
    end = schedule.length if schedule.length < math.inf else 1_000_000
    first = schedule(0)
    return any(schedule(end * share) > 2 * first for share in (0.01, 0.05, 0.1, 0.25, 0.5))


def _default(optimizer: Optimizer, key: str) -> Any:
    values = [group.get(key) for group in optimizer.param_groups] + [optimizer.defaults.get(key)]
    return next((value for value in values if value), None)


def _edited(scheduler: Scheduler) -> list[str]:
    if not scheduler._edits:
        return []
    return [f"a scheduled value was found changed by someone else {scheduler._edits} times, and overwritten"]


def describe(optimizer: Optimizer) -> str:
    """The groups of an optimizer as a table: name, parameters, and every number that a plan can drive."""
    rows = []
    for i, group in enumerate(optimizer.param_groups):
        size = sum(parameter.numel() for parameter in group["params"])
        cells = [
            f"{key}={_shown(value)}" for key, value in group.items() if key not in ("params", "name") and _drives(value)
        ]
        rows.append(f"{group.get('name', i)!s:<12} {size:>14,} parameters  {'  '.join(cells)}")
    return "\n".join([f"{type(optimizer).__name__}: {len(rows)} groups", *rows])


def _drives(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_drives, value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (isinstance(value, torch.Tensor) and value.numel() == 1)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{float(value):g}"
