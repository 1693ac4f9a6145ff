"""One `scheduler.step()` in the decay phase, against the hand-written loop and the peers."""

import contextlib
import importlib.util
import math
from collections.abc import Callable

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, OneCycleLR, SequentialLR

import preheat as ph
from benchmarks.timing import medians
from preheat.torch import Scheduler

WARM, TOTAL = 1_000, 10_000_000  # so long that no candidate reaches its end while it is timed


def optimizer(groups: int, tensor: bool) -> Optimizer:
    rate = (lambda: torch.tensor(0.1)) if tensor else (lambda: 0.1)
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate()} for _ in range(groups)], lr=0.1)


def factor(t: int) -> float:
    if t < WARM:
        return t / WARM
    return 0.5 * (1 + math.cos(math.pi * (t - WARM) / (TOTAL - WARM)))


def by_hand(target: Optimizer, tensor: bool) -> Callable[[], None]:
    """What one writes without a library: the formula, and a loop over the groups."""
    state = {"t": WARM}
    base = 0.1

    def assign() -> None:
        state["t"] += 1
        f = factor(state["t"])
        for group in target.param_groups:
            group["lr"] = base * f

    def fill() -> None:
        state["t"] += 1
        f = factor(state["t"])
        for group in target.param_groups:
            group["lr"].fill_(base * f)

    return fill if tensor else assign


def preheat(target: Optimizer) -> Scheduler:
    schedule = ph.warmup(WARM) >> ph.decay(shape="cosine")
    return Scheduler(target, schedule, run=ph.Run(total=TOTAL), counts="calls")


def sequential(target: Optimizer) -> SequentialLR:
    parts = [LinearLR(target, 1e-3, total_iters=WARM), CosineAnnealingLR(target, TOTAL - WARM)]
    return SequentialLR(target, parts, [WARM])


PEERS: dict[str, Callable[[Optimizer], object]] = {
    "torch LambdaLR": lambda target: LambdaLR(target, factor),
    "torch SequentialLR": sequential,
    "torch OneCycleLR": lambda target: OneCycleLR(target, 0.1, total_steps=TOTAL, cycle_momentum=False),
}
if importlib.util.find_spec("transformers"):
    from transformers import get_cosine_schedule_with_warmup

    PEERS["transformers cosine"] = lambda target: get_cosine_schedule_with_warmup(target, WARM, TOTAL)

with contextlib.suppress(ImportError):  # timm needs torchvision
    from timm.scheduler import CosineLRScheduler

    class _Timm:
        """timm is told the update; what else it needs is a count."""

        def __init__(self, target: Optimizer) -> None:
            self.scheduler = CosineLRScheduler(
                target, t_initial=TOTAL, warmup_t=WARM, warmup_prefix=True, t_in_epochs=False
            )
            self.t = 0

        def step(self) -> None:
            self.t += 1
            self.scheduler.step_update(self.t)

    PEERS["timm cosine"] = _Timm


def compare(groups: int, tensor: bool) -> dict[str, float]:
    """Seconds a step of everyone, for so many groups with float or tensor rates."""
    mine = preheat(optimizer(groups, tensor))
    everyone: dict[str, Callable[[], object]] = {
        "by hand": by_hand(optimizer(groups, tensor), tensor),
        "preheat": mine.step,
    }
    for name, make in PEERS.items():
        target = optimizer(groups, tensor)
        target.step()  # or torch warns of a wrong order
        everyone[name] = make(target).step
    for _ in range(WARM + 1 if groups <= 8 else 1):
        for name, step in everyone.items():
            if name != "by hand":
                step()
    return medians(everyone, rounds=41 if groups <= 100 else 11)
