"""A live optimizer, scheduler and loader, looked at before the first update: plain facts of them, for preheat.review."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from preheat.core.checks import counted
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.review.checking.beginnings import STUCK
from preheat.review.checking.check import findings, ignored, said
from preheat.review.checking.facts import Facts
from preheat.review.checking.totals import updates_per_epoch
from preheat.review.checking.traced import traced
from preheat.review.subject import Subject
from preheat.torch.audit import double_warmups
from preheat.torch.scheduler import Scheduler
from preheat.torch.trial import Trial, tried_out, unfinished
from preheat.torch.wrapped import layers

_UNFINISHED = ("above-floor", "warmup-over-run", "peak-not-reached")
_MEANT = {
    CosineAnnealingWarmRestarts: ("jump", "rebound"),
    CyclicLR: ("jump", "rebound", "warmup-share"),
    OneCycleLR: ("warmup-share",),
}  # what the classes are for


def check(
    optimizer: Optimizer,
    scheduler: Any,
    loader: Any = None,
    *,
    total: int | None = None,
    per: str = "update",
    ignore: tuple[str, ...] = (),
    **known: Any,
) -> tuple[Finding, ...]:
    """What will go wrong in a training that is about to begin; () if nothing looks wrong. Nothing given is changed.

    optimizer: as it is.   scheduler: a preheat Scheduler, one of torch's or of transformers', or several in a list.
    loader: a DataLoader, or what has a length: its batches are those of one pass of this process.
    total: updates in the run, where another scheduler than preheat's follows.   per: "update" or "epoch": how often the loop
    steps the scheduler.   ignore: codes that are not asked for.   known: epochs, accumulation, world_size, parameters and the
    other facts of preheat.check.

    A scheduler of another library is tried out on a stand-in of the optimizer, up to 65,536 updates; one that has been stepped
    is looked at from there on, and total counts what has passed too.
    Raises PreheatError for what is no optimizer or scheduler, and for a scheduler that fails or gives no finite rate.
    """
    if not isinstance(optimizer, Optimizer):
        raise PreheatError("check takes an optimizer first", given=optimizer)
    several = [_unwrapped(one) for one in (scheduler if isinstance(scheduler, list | tuple) else [scheduler])]
    if not several or not all(isinstance(one, LRScheduler) for one in several):
        raise PreheatError("check takes a scheduler of torch's kind", given=scheduler)
    if per not in ("update", "epoch"):
        raise PreheatError("per is how often the scheduler steps", given=per, write="write 'update' or 'epoch'")
    if total is not None:
        total = counted(total, "total is a whole number of at least 1", least=1)
    codes = ignored(ignore)
    facts = _facts(optimizer, several, loader)._replace(**said(known)).checked()
    if isinstance(several[0], Scheduler):
        found = findings(_of_preheat(several[0]), facts._replace(calls=per))
    else:
        found = _of_another(several, facts, total, per)
    return tuple(finding for finding in dict.fromkeys(found) if finding.code not in codes)


def _of_another(several: Sequence[Any], facts: Facts, total: int | None, per: str) -> list[Finding]:
    """The findings of what is no Scheduler of preheat's."""
    n = _total(total, facts, per)
    stepped = [one for one in several if not isinstance(one, ReduceLROnPlateau)]
    found = [_METRIC] * (len(stepped) < len(several)) + list(_of_classes(several))
    if not stepped:
        return found
    trial = tried_out(stepped, n, per)
    found += [trial.failed] if trial.failed else []
    for group in trial.groups():
        mine = findings(_subject(trial, group, per), facts._replace(library="torch"))
        mine += [] if any(one.code == "rebound" for one in mine) else unfinished(trial, group, per)
        told = {one.code for one in found}  # a finding of several groups is the first one's
        found += [
            one._replace(place=f"group {group}, {one.place}") if group else one for one in mine if one.code not in told
        ]
    if per == "epoch" and any(one.code in _UNFINISHED for one in found):
        what = f"the scheduler is stepped {trial.n:,} times, once an epoch, and is not at the end of its plan then"
        found.insert(0, Finding("per-epoch", "the scheduler's step()", what, "step it after every update"))
    meant = {code for one in _members(stepped) for code in _meant(one)}
    if any(one.code == "warmup-over-run" for one in found):
        meant.add("warmup-share")
    return [finding for finding in found if finding.code not in meant]


_METRIC = Finding(
    "metric-driven",
    "the scheduler",
    "ReduceLROnPlateau follows a metric, so what it will do is not known before the run",
    "write the rule Plateau, and the schedule that it acts on",
)


def _unwrapped(scheduler: Any) -> Any:
    """A scheduler by itself: Accelerate's prepared ones hold it."""
    inner = getattr(scheduler, "scheduler", None)
    return inner if isinstance(inner, LRScheduler) and not isinstance(scheduler, LRScheduler) else scheduler


def _members(schedulers: Sequence[Any]) -> Iterator[Any]:
    """Schedulers, and those inside them."""
    for one in schedulers:
        yield one
        yield from _members(getattr(one, "_schedulers", ()))


def _meant(scheduler: Any) -> tuple[str, ...]:
    """The codes of what a scheduler is for: restarts and cycles, by its class or the name of its function."""
    functions = [getattr(one, "func", one) for one in getattr(scheduler, "lr_lambdas", ())]
    if any("restart" in getattr(one, "__name__", "") for one in functions):
        return _MEANT[CosineAnnealingWarmRestarts]
    return next((codes for kind, codes in _MEANT.items() if isinstance(scheduler, kind)), ())


def _subject(trial: Trial, group: int, per: str) -> Subject:
    """The rates of a group as what is to be looked at."""
    inside = trial.inside(group)
    curve = traced(inside)
    if not trial.whole or trial.failed:
        return Subject("the scheduler", Absolute(curve >> hold(inside[-1])), Run(), position=trial.start, foreign=True)
    run = Run(total=trial.n, clock="epoch" if per == "epoch" else "step")
    return Subject("the scheduler", Absolute(curve), run, position=trial.start, foreign=True)


def _facts(optimizer: Optimizer, schedulers: Sequence[Any], loader: Any) -> Facts:
    innermost = layers(optimizer)[-1]
    groups = innermost.param_groups
    betas = groups[0].get("betas")
    plans = [one.plan for one in schedulers if isinstance(one, Scheduler)]
    plan = plans[0] if plans else Plan("warmup(1) >> hold()")  # whether another one warms up its findings say
    own = [
        what.removeprefix("double warmup: ").partition(", and so does")[0] for what in double_warmups([innermost], plan)
    ]
    return Facts(
        optimizer=type(innermost).__name__,
        beta2=float(betas[1]) if isinstance(betas, list | tuple) and len(betas) == 2 else None,
        parameters=float(sum(parameter.numel() for group in groups for parameter in group["params"])),
        loader=None if (batches := _batches(loader)) is None else batches * _processes(),
        world_size=_processes(),
        warmups=tuple(own),
        without_decay=tuple(str(group.get("name", i)) for i, group in enumerate(groups) if _is_without_decay(group)),
    )


def _batches(loader: Any) -> int | None:
    """Batches of a pass; None of what has no length, as a DataLoader of an IterableDataset."""
    try:
        return len(loader)
    except TypeError:
        return None


def _is_without_decay(group: dict[str, Any]) -> bool:
    """Whether a group is given no weight decay, or holds only vectors: a plan may have written to it since."""
    return group.get("weight_decay") == 0 or all(parameter.ndim <= 1 for parameter in group["params"])


def _processes() -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1


def _of_preheat(scheduler: Scheduler) -> Subject:
    written = scheduler.session.written
    rates = {float(rate) for rate in scheduler.base_lrs}
    peak = rates.pop() if len(rates) == 1 else None
    target = scheduler.plan if written is None else written
    return Subject("the scheduler", target, scheduler.run, peak=peak, position=scheduler.position)


def _total(total: int | None, facts: Facts, per: str) -> int:
    """Updates of the run, as given, or as the loader and the epochs make them."""
    if total is None and facts.loader is not None and facts.epochs is not None:
        total = math.ceil(facts.epochs * (1 if per == "epoch" else updates_per_epoch(facts)))
    if total is None:
        raise PreheatError("how long the run is must be known", write="write total=…, or loader and epochs=…")
    return total


def _of_classes(schedulers: Sequence[Any]) -> Iterator[Finding]:
    """Several schedulers of one optimizer; a warmup of no update, by the class that keeps its start for good."""
    if len(schedulers) > 1:
        names = ", ".join(type(one).__name__ for one in schedulers)
        what = f"{len(schedulers)} schedulers write the rates of one optimizer ({names}): each goes on from the others' values"
        yield Finding(
            "double-warmup", "the schedulers", what, "write one schedule: warmup(…) >> decay(…), or a SequentialLR"
        )
    for one in _members(schedulers):
        if isinstance(one, LinearLR | ConstantLR) and one.total_iters == 0:
            what = f"{type(one).__name__} has total_iters=0: {STUCK['torch']}"
            yield Finding("zero-warmup", "the scheduler", what, "leave it out where it has no updates")
