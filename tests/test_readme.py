"""What the README shows is what happens."""

import contextlib
import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR

import preheat as ph
from preheat.torch import Scheduler

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
RIGHT = re.findall(r"\| `(Scheduler\(.*\))` \|", README)


def optimizer() -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def test_the_blocks_run_in_order_and_the_example_prints_what_is_shown() -> None:
    scope: dict = {"__name__": "readme"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in BLOCKS:
            exec(block, scope)
    assert printed.getvalue() in README
    logged: list[int] = []
    result = scope["train"](ph.decay(), 0, lambda step, **metrics: logged.append(step))
    assert logged == list(range(200))
    assert math.isfinite(result["val_loss"].item())


def test_every_recipe_attaches() -> None:
    recipes = next(block for block in BLOCKS if "# 1. pre-train" in block)
    for recipe in re.split(r"\n(?=# \d)", recipes):
        scope: dict = {"ph": ph, "run": ph.Run(total=10_000)}
        exec(recipe, scope)
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in ("body", "head")]
        Scheduler(torch.optim.AdamW(groups, lr=1e-3), scope["s"], run=scope["run"])


def cosine(t: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * (t - 500) / 9_500))


def by_torch(make: Callable[[SGD], object]) -> list[float]:
    target, seen = optimizer(), []
    scheduler = make(target)
    for _ in range(10_000):
        seen.append(target.param_groups[0]["lr"])
        target.step()
        scheduler.step()
    return seen


PEERS = [
    lambda: [0.1 * (t / 500 if t < 500 else cosine(t)) for t in range(10_000)],
    lambda: [0.1 * (t / 500 if t < 500 else (10_000 - t) / 9_500) for t in range(10_000)],
    lambda: by_torch(
        lambda o: SequentialLR(o, [LinearLR(o, 0.1, total_iters=500), CosineAnnealingLR(o, 9_500)], [500])
    ),
    lambda: by_torch(lambda o: OneCycleLR(o, 0.1, total_steps=10_000, cycle_momentum=False)),
    lambda: [1e-3 + t * (0.1 - 1e-3) / 500 if t < 500 else 1e-4 + (0.1 - 1e-4) * cosine(t) for t in range(10_000)],
    lambda: [0.1 * ((t + 1) / 501 if t < 500 else 0.1 + 0.9 * cosine(t)) for t in range(10_000)],
]


@pytest.mark.parametrize(("theirs", "ours"), list(zip(PEERS, RIGHT, strict=True)))
def test_you_have_you_write(theirs: Callable[[], list[float]], ours: str) -> None:
    scheduler = eval(ours, {"Scheduler": Scheduler, "ph": ph, "optimizer": optimizer()})
    schedule = scheduler.plan["lr"]
    values = (
        schedule.schedule.table(10_000)
        if isinstance(schedule, type(ph.absolute(ph.hold())))
        else 0.1 * schedule.table(10_000)
    )
    assert values.tolist() == pytest.approx(theirs(), rel=1e-9, abs=1e-9)
