"""What a scheduler saw: what it counted, and what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch.optim import Optimizer

from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.torch.update_counter import UpdateCounter, own_count

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


@dataclass(frozen=True, slots=True)
class Facts:
    """What an audit looks at."""

    plan: Plan
    run: Run
    position: float
    tick: int | None  # what one update is worth, where that is known
    applied: int
    counter: UpdateCounter
    edits: dict[str, int]  # how often a value was found changed by someone else, by what it is called
    on_device: bool


def audited(facts: Facts) -> Audit:
    """The audit of a scheduler as it stands."""
    counter, edits = facts.counter, facts.edits
    findings = [*_calls(counter), *_updates(facts), *_warmups(counter.optimizers, facts.plan), *_edited(edits)]
    counts = (facts.applied, counter.unseen, counter.surplus, counter.skipped, sum(edits.values()))
    return Audit(facts.position, *counts, tuple(findings), _blind(facts))


def _calls(counter: UpdateCounter) -> list[str]:
    """What the calls of step() say by themselves."""
    found = []
    if counter.applied and counter.surplus >= counter.applied:
        times = round(1 + counter.surplus / counter.applied, 1)
        found.append(f"stepped {times:g} times per update; the surplus calls were ignored")
    if counter.unseen and counter.applied:
        found.append(
            f"of the calls, {counter.unseen} came before any update was seen, and counted; "
            "call step() after optimizer.step(), and pass scaler= if a GradScaler may skip the first updates"
        )
    return found


def _updates(facts: Facts) -> list[str]:
    """What the optimizers' own counts say, since the first update that was seen."""
    counter, own = facts.counter, own_count(facts.counter.optimizers)
    if own is None or counter.since is None or counter.since[1] is None:
        return []
    calls, updates = counter.applied - counter.since[0], own - counter.since[1]
    if facts.tick is not None and facts.run.clock != "epoch" and updates >= 2 * calls > 0:
        return [
            f"{updates} updates in {calls} calls of step(), where the plan counts updates; call it after every update, "
            "or, if once per epoch is meant, write Run(clock='epoch')"
        ]
    fused = any(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in counter.optimizers)
    if fused and counter.scaler is None and 0 <= updates < calls:
        return [f"{calls - updates} updates were skipped inside the fused optimizer and counted; pass scaler="]
    return []


def _blind(facts: Facts) -> str:
    """What cannot be seen, in words."""
    if facts.on_device:
        return "on_device: calls are counted on the device, whatever they stand for"
    if facts.counter.flag.captured:
        return "an update was captured in a CUDA graph, whose replays cannot be seen, so every call counts"
    if facts.counter.applied and own_count(facts.counter.optimizers) is None:
        return "the optimizer does not count its updates, so several of them between two calls cannot be seen"
    return ""


def _warmups(optimizers: Sequence[Optimizer], plan: Plan) -> list[str]:
    if not any(_warms_up(line.schedule) for line in plan.lines if line.is_rate):
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
