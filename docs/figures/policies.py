"""Draws what each policy of resuming does, and the ways to another plan from a checkpoint: `python docs/figures/policies.py`.

Real Schedulers train, save and load; what is drawn are the rates that the optimizer really had.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from runs import TOTAL, built, followed, save, series

from preheat.core.errors import StateError
from preheat.plots.panel import Curves, Mark
from preheat.plots.svg import svg
from preheat.torch import Scheduler

SAVED = {"schedule": "warmup(100) >> decay(shape=cosine)", "lr": 0.1}
CODE = {"schedule": "warmup(100) >> decay(to=0.2)", "lr": 0.2}  # what stands in the script when it is resumed
AT = 400
POLICIES = ("refuse", "adopt", "keep", "rebase")
BRANCHES = {  # what is called on the resumed scheduler, and up to which update it trains on
    "cooldown(200)": (lambda scheduler: scheduler.cooldown(200), AT + 200),
    "rewarm(100)": (lambda scheduler: scheduler.rewarm(100), TOTAL),
    "set_peak(0.05)": (lambda scheduler: scheduler.set_peak(0.05), TOTAL),
}
OPEN = {"schedule": "warmup(100) >> hold()", "lr": 0.1}


def checkpoint(code: dict[str, Any]) -> tuple[tuple[list[int], list[float]], dict[str, Any]]:
    """A run up to the checkpoint, and what it saved."""
    optimizer, scheduler = built(**code)
    run = followed(optimizer, scheduler, AT)
    return run, deepcopy({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})


def resumed(saved: dict[str, Any], code: dict[str, Any], on_change: str = "refuse") -> tuple[Any, Scheduler]:
    """A new process: built from the code, then loaded."""
    optimizer, scheduler = built(**code, on_change=on_change)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    return optimizer, scheduler


def policy(on_change: str) -> str:
    """The saved run, what the code says now, and what follows."""
    run, saved = checkpoint(SAVED)
    curves = [series("your code now", followed(*built(**CODE), TOTAL), 2), series("saved run", run, 1)]
    marks = []
    try:
        curves.append(series("what follows", followed(*resumed(saved, CODE, on_change), TOTAL), 0))
    except StateError as error:
        marks.append(Mark(AT, run[1][-1], "nonfinite", 0, error.what))
    panel = Curves(
        title=f"on_change={on_change!r}",
        x_label="update",
        y_label="learning rate",
        series=curves,
        marks=marks,
        y_range=(0.0, 0.21),
    )
    return svg(panel)


def branches() -> str:
    """Several runs from one checkpoint of a constant rate."""
    run, saved = checkpoint(OPEN)

    def branch(change: Callable[[Scheduler], None], until: int) -> tuple[list[int], list[float]]:
        optimizer, scheduler = resumed(saved, OPEN)
        change(scheduler)
        return followed(optimizer, scheduler, until)

    curves = [series("saved run", run, 5)]
    curves += [series(name, branch(*change), style) for style, (name, change) in enumerate(BRANCHES.items())]
    panel = Curves(title="From one checkpoint", x_label="update", y_label="learning rate", series=curves)
    return svg(panel)


def figures() -> dict[str, str]:
    """Every picture of this script, by its name."""
    return {f"policy-{name}": policy(name) for name in POLICIES} | {"branches": branches()}


if __name__ == "__main__":
    save(figures())
