"""A live optimizer, scheduler and loader, looked at before the first update: plain facts of them, for preheat.review."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, CyclicLR, LRScheduler, OneCycleLR

from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute
from preheat.review.checking.beginnings import STUCK
from preheat.review.checking.check import findings
from preheat.review.checking.facts import Facts
from preheat.review.checking.look import NOTICED
from preheat.review.checking.totals import updates_per_epoch
from preheat.review.checking.traced import traced
from preheat.review.checkpoints.torch_states import TorchState
from preheat.review.subject import Subject
from preheat.torch.audit import double_warmups
from preheat.torch.scheduler import Scheduler
from preheat.torch.wrapped import layers

_MOST = 1 << 16  # updates of another scheduler that are tried out
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
    **known: Any,
) -> tuple[Finding, ...]:
    """What will go wrong in a training that is about to begin; () if nothing looks wrong. Nothing given is changed.

    optimizer: as it is.   scheduler: a preheat Scheduler, one of torch's or of transformers', or several in a list.
    loader: a DataLoader, or what has a length: its batches are those of one pass of this process.
    total: updates in the run, where another scheduler than preheat's follows.   per: "update" or "epoch": how often the loop
    steps the scheduler.   known: epochs, accumulation, world_size, parameters and the other facts of preheat.check.

    A scheduler of another library is tried out on a stand-in of the optimizer, up to 65,536 updates.
    Raises PreheatError for what is no optimizer or scheduler.
    """
    if not isinstance(optimizer, Optimizer):
        raise PreheatError("check takes an optimizer first", given=optimizer)
    several = list(scheduler) if isinstance(scheduler, list | tuple) else [scheduler]
    if not several or not all(isinstance(one, LRScheduler) for one in several):
        raise PreheatError("check takes a scheduler of torch's kind", given=scheduler)
    facts = _facts(optimizer, several, loader)._replace(**known).checked()
    if isinstance(several[0], Scheduler):
        return tuple(findings(_of_preheat(several[0]), facts._replace(calls=per).checked()))
    tried = _tried_out(several, _total(total, facts, per), per)
    found = [*findings(tried, facts._replace(library="torch")), *_of_classes(several)]
    if per == "epoch" and any(one.code in _UNFINISHED for one in found):
        what = (
            f"the scheduler is stepped {tried.run.total:,} times, once an epoch, and is not at the end of its plan then"
        )
        found.insert(0, Finding("per-epoch", "the scheduler's step()", what, "step it after every update"))
    meant = {code for one in several for kind, codes in _MEANT.items() if isinstance(one, kind) for code in codes}
    if any(one.code == "warmup-over-run" for one in found):
        meant.add("warmup-share")
    return tuple(finding for finding in dict.fromkeys(found) if finding.code not in meant)


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
        loader=len(loader) * _processes() if hasattr(loader, "__len__") else None,
        world_size=_processes(),
        warmups=tuple(own),
        without_decay=tuple(str(group.get("name", i)) for i, group in enumerate(groups) if _is_without_decay(group)),
    )


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


def _tried_out(schedulers: Sequence[Any], total: int, per: str) -> Subject:
    """What a scheduler of another library gives, update by update, on a stand-in of its optimizer."""
    own = schedulers[0].optimizer
    rates = [float(group["lr"]) for group in own.param_groups]
    stand_in = SGD([{**_numbers(group), "params": [torch.nn.Parameter(torch.zeros(1))]} for group in own.param_groups])
    stand_in.param_groups[0]["lr"] = rates[0]
    copies = [copy.deepcopy(one, {id(own): stand_in}) for one in schedulers]
    n, found = min(total, _MOST), [rates[0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no update is made: none is meant to be
        while len(found) < (3 * n if n == total else n) and (value := _next(stand_in, copies)) is not None:
            found.append(value)
    inside = found[:n]
    curve = traced(inside) if n == total else traced(inside) >> hold(inside[-1])
    run = Run(total=n, clock="epoch" if per == "epoch" else "step") if n == total else Run()
    return Subject("the scheduler", Absolute(curve), run, tuple(_ends(found, n, per)), foreign=True)


def _numbers(group: dict[str, Any]) -> dict[str, Any]:
    """A group's numbers, tensors as floats: what is moved in a stand-in must not move in the optimizer."""
    return {
        key: float(value) if isinstance(value, torch.Tensor) and value.numel() == 1 else value
        for key, value in group.items()
        if key != "params"
    }


def _next(stand_in: Optimizer, schedulers: Sequence[Any]) -> float | None:
    """The rate of the next update; None where a scheduler fails."""
    try:
        for one in schedulers:
            one.step()
    except (ValueError, ZeroDivisionError, NotImplementedError, TypeError):
        return None
    return float(stand_in.param_groups[0]["lr"])


def _ends(found: list[float], n: int, per: str) -> Iterator[Finding]:
    """A scheduler that fails inside the run, or whose rate is still falling when the run ends."""
    if len(found) < n:
        what = f"the scheduler raises an error when it is stepped for {per} {len(found):,} of {n:,}"
        yield Finding("after-the-end", f"{per} {len(found):,}", what, "give it more updates")
        return
    if len(found) == n:
        return
    peak = max(map(abs, found[:n]))
    rising = found[n - 1] == max(found[:n]) > found[0]
    turn = next(
        (k for k in range(n, len(found)) if (found[k] > found[k - 1]) != rising or found[k] == found[k - 1]), len(found)
    )
    last, later, place = found[n - 1], found[turn - 1], f"{per} {n - 1:,}"
    slower = abs(found[turn - 1] - found[turn - 2]) < abs(found[n] - last) / 2
    if abs(later - last) <= NOTICED * peak or (turn == len(found) and slower):  # without an end, such as 1/√t
        return
    way = "rising" if rising else "falling"
    what = f"the rate is still {way} when the run ends: the last is {last:.6g}, and it would go to {later:.6g}"
    what += f" by {per} {turn - 1:,}"
    if rising:
        yield Finding("warmup-over-run", place, what, "write a shorter warmup")
    else:
        yield Finding("above-floor", place, what, "let the decay end with the run")


def _of_classes(schedulers: Sequence[Any]) -> Iterator[Finding]:
    """Several schedulers of one optimizer; a warmup of no update, by the class that keeps its start for good."""
    if len(schedulers) > 1:
        names = ", ".join(type(one).__name__ for one in schedulers)
        what = f"{len(schedulers)} schedulers write the rates of one optimizer ({names}): each goes on from the others' values"
        yield Finding(
            "double-warmup", "the schedulers", what, "write one schedule: warmup(…) >> decay(…), or a SequentialLR"
        )
    for one in schedulers:
        for state in _flat(TorchState.of(one.state_dict(), [])):
            if state.kind in ("LinearLR", "ConstantLR") and state.arguments and state.arguments["total_iters"] == 0:
                what = f"{state.kind} has total_iters=0: {STUCK['torch']}"
                yield Finding("zero-warmup", "the scheduler", what, "leave it out where it has no updates")


def _flat(state: TorchState) -> Iterator[TorchState]:
    yield state
    for member in state.members:
        yield from _flat(member)
