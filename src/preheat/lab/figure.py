"""The PNG: loss, rate and final losses of every study in one row each."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preheat.core.errors import PreheatError
from preheat.lab.curves import chance_of, curves, loss_range
from preheat.lab.statistics import ArmSummary, Records, StudySummary

COLOURS = ("#d1590a", "#0b63b5", "#0a7d5c", "#a3379b", "#8a6a00", "#55606e")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 2)), (0, (6, 2, 1.5, 2)))


def save_figure(studies: Sequence[StudySummary], records: Sequence[Records], path: Path) -> None:
    """Write the picture. matplotlib is imported here, and draws without a screen."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PreheatError("the picture needs matplotlib; pip install 'preheat[lab]'") from None
    figure = Figure(figsize=(12, 3.6 * len(studies)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(studies), 3, squeeze=False, width_ratios=(4, 4, 3))
    for axes, study, runs in zip(rows, studies, records, strict=True):
        draw_losses(axes[0], study, runs)
        draw_rates(axes[1], study, runs)
        draw_results(axes[2], study)
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(alpha=0.25)
    figure.savefig(path, format="png")


def draw_losses(axis: Any, study: StudySummary, records: Records) -> None:
    """Training loss: the mean over seeds, and the seeds behind it."""
    arms = curves(study.study, records)
    for position, arm in enumerate(arms):
        look = looks(position)
        for row in arm.losses:
            axis.plot(arm.updates, row, color=look["color"], lw=0.8, alpha=0.3)
        if arm.loss:
            axis.plot(arm.updates, arm.loss, lw=2, label=plain(arm.name), **look)
    chance = chance_of(records)
    if chance is not None:
        axis.axhline(chance, color="#888888", lw=1, ls=":", label="chance")
    if (limits := loss_range(arms, chance)) is not None:
        axis.set_ylim(limits)
        axis.legend(frameon=False, fontsize="small")
    axis.set(title=plain(study.study.title), xlabel="update", ylabel="training loss")


def draw_rates(axis: Any, study: StudySummary, records: Records) -> None:
    """The learning rate of each arm."""
    for position, arm in enumerate(curves(study.study, records)):
        if arm.rate:
            axis.plot(arm.updates, arm.rate, lw=2, **looks(position))
    axis.set(title="schedule", xlabel="update", ylabel="learning rate")


def draw_results(axis: Any, study: StudySummary) -> None:
    """The final validation loss of every run, joined by seed: what the paired difference is made of."""
    for seed in study.study.seeds:
        values = [arm.losses.get(seed) for arm in study.arms]
        axis.plot([math.nan if v is None else v for v in values], color="#999999", lw=0.8, zorder=1)
    for position, arm in enumerate(study.arms):
        values = [value for value in arm.losses.values() if value is not None]
        axis.scatter([position] * len(values), values, color=looks(position)["color"], s=28, zorder=2)
    axis.set_xticks(range(len(study.arms)), [plain(arm.name) + lost(arm) for arm in study.arms])
    axis.set_xlim(-0.5, len(study.arms) - 0.5)
    axis.set(title="final loss, lines join a seed", ylabel="validation loss")


def lost(arm: ArmSummary) -> str:
    """What has no dot."""
    return f"\n{arm.non_finite} of {arm.runs} not finite" if arm.non_finite else ""


def looks(position: int) -> dict[str, Any]:
    """Colour and dashes of an arm, the same in every panel."""
    return {"color": COLOURS[position % len(COLOURS)], "ls": DASHES[position % len(DASHES)]}


def plain(name: str) -> str:
    """A name that matplotlib shows as it is: `$` would begin a formula, and `_` hide a legend entry."""
    return name.replace("$", r"\$").replace("_", "\u02cd", 1) if name.startswith("_") else name.replace("$", r"\$")
