"""Draws a run in which each rule acts: `python docs/figures/rules.py`.

The losses are scripted, so that one sees what a rule answers; rules, Schedulers and rates are real.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from runs import TOTAL, built, followed, save, series

import preheat as ph
from preheat.plots.panel import Curves
from preheat.plots.svg import svg
from preheat.session import GreedyLR, LossWarmup, Rule


@dataclass(frozen=True)
class Case:
    """A rule, the schedule under it, and the loss that it hears of."""

    rule: Rule
    schedule: str
    loss: Callable[[int], float]
    ends: int = TOTAL  # the position at which the schedule ends


def _through(*points: tuple[int, float]) -> Callable[[int], float]:
    """Straight lines through points, and the last value from there on."""

    def loss(update: int) -> float:
        for (left, low), (right, high) in itertools.pairwise(points):
            if left <= update < right:
                return low + (high - low) * (update - left) / (right - left)
        return points[-1][1]

    return loss


def _spiking(update: int) -> float:
    """A loss that falls, a little unevenly, and jumps at update 500."""
    return 0.95 if update == 500 else 0.3 + 0.6 * 0.995**update + 0.002 * (-1) ** update


CASES = {
    "plateau": Case(
        ph.Plateau("loss", factor=0.5, patience=50, after=100, min=0.1),
        "warmup(100) >> hold()",
        _through((0, 1.0), (300, 0.5), (400, 0.5), (600, 0.3)),
    ),
    "holduntil": Case(
        ph.HoldUntil("loss", at=300, patience=50),
        "warmup(100) >> hold(1, 200) >> decay(300)",
        _through((0, 1.0), (500, 0.3)),
        ends=600,
    ),
    "rewarm": Case(ph.Rewarm("loss"), "warmup(100) >> decay(shape=cosine)", _spiking),
    "rewind": Case(ph.Rewind("loss"), "warmup(100) >> decay(shape=cosine)", _spiking),
    "losswarmup": Case(
        LossWarmup("loss", until=0.5, start_ratio=0.1), "hold() >> decay(20%)", _through((0, 1.0), (400, 0.4))
    ),
    "greedylr": Case(
        GreedyLR("loss", factor=0.9, patience=10),
        "hold()",
        _through((0, 1.0), (200, 0.6), (400, 0.6), (700, 0.3)),
    ),
}


def _rewound(case: Case) -> tuple[list[int], list[float], list[float]]:
    """Every update that was trained, those that were taken back too; its rate and its loss."""
    optimizer, scheduler = built(case.schedule, lr=1.0, rules=[case.rule])
    rates, losses, kept = [], [], {0: deepcopy(scheduler.state_dict())}
    while scheduler.last_epoch < TOTAL or scheduler.rewind is not None:
        if scheduler.last_epoch % 100 == 0:
            kept[scheduler.last_epoch] = deepcopy(scheduler.state_dict())
        if (asked := scheduler.rewind) is not None:
            scheduler.go_back(kept[max(update for update in kept if update <= asked.step)])
        rates.append(float(optimizer.param_groups[0]["lr"]))
        losses.append(case.loss(scheduler.next_batch))  # the data decides
        optimizer.step()
        scheduler.step(metrics={"loss": losses[-1]})
    return list(range(len(rates))), rates, losses


def acting(name: str) -> str:
    """A run in which the rule acts: its loss, the rate without the rule, and the rate."""
    case = CASES[name]
    if name == "rewind":
        updates, rates, losses = _rewound(case)
    else:
        updates, rates = followed(*built(case.schedule, lr=1.0, rules=[case.rule]), case.ends, case.loss)
        losses = [case.loss(update) for update in updates]
    alone = followed(*built(case.schedule, lr=1.0), case.ends)
    curves = [
        series("schedule alone", alone, 5),
        series("loss", (updates, losses), 2, every=1 if "rew" in name else 4),
        series(f"rate with {type(case.rule).__name__}", (updates, rates), 0, every=2),
    ]
    again = ", those taken back too" if name == "rewind" else ""
    panel = Curves(
        title=type(case.rule).__name__,
        x_label=f"updates trained{again}",
        y_label="rate / peak, and the loss",
        series=curves,
        y_range=(0.0, 1.05),
    )
    return svg(panel)


def figures() -> dict[str, str]:
    """Every picture of this script, by its name."""
    return {f"rule-{name}": acting(name) for name in CASES}


if __name__ == "__main__":
    save(figures())
