"""A schedule as options of Megatron's command line, where its OptimizerParamScheduler has these rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preheat.compat.megatron import STYLES, WSD_STYLES, arguments
from preheat.compat.parts.restated import Restated
from preheat.compat.parts.tried import Wanted, tried, wanted
from preheat.core.errors import PreheatError
from preheat.core.spans import Run


def write(target: Any, run: Run, peak: float | None) -> str:
    """`--lr 0.0003 --min-lr …`, one option a line, each but the last continued.

    Raises PreheatError where Megatron has no such rates.
    """
    goal = wanted(target, run, peak, "Megatron")
    batch = None if run.samples_per_step is None else int(run.samples_per_step)
    found = tried("Megatron", goal, _settings(goal, batch))
    return " \\\n".join(f"--{name.replace('_', '-')} {value}" for name, value in found.items()) + "\n"


def _settings(goal: Wanted, batch: int | None) -> Iterator[tuple[dict[str, Any], Restated]]:
    """Every style with the lengths at which the schedule changes."""
    rates = {"lr": goal.peak, "min_lr": max(0.0, goal.end), "lr_warmup_init": float(goal.rates[0])}
    for warm in (edge for edge in goal.edges if edge < goal.total):
        init = rates if warm else {**rates, "lr_warmup_init": 0.0}
        for style in STYLES:
            common = {**init, "lr_warmup_iters": warm, "train_iters": goal.total, "lr_decay_style": style}
            if style != "WSD":
                yield from _made(common, batch)
            elif warm < goal.total:
                for begin in (edge for edge in goal.edges if warm <= edge < goal.total):
                    for wsd in WSD_STYLES:
                        yield from _made(
                            {**common, "lr_wsd_decay_style": wsd, "lr_wsd_decay_iters": goal.total - begin}, batch
                        )
        for end in (edge for edge in goal.edges if warm < edge < goal.total):  # the decay may end before the run
            for style in ("linear", "cosine"):
                early = {"lr_decay_iters": end, "train_iters": goal.total, "lr_decay_style": style}
                yield from _made({**init, "lr_warmup_iters": warm, **early}, batch)


def _made(options: dict[str, Any], batch: int | None) -> Iterator[tuple[dict[str, Any], Restated]]:
    """Those that Megatron takes, with the batch where that is known; it matters to an inverse square root without a warmup."""
    if batch is None and options["lr_decay_style"] == "inverse-square-root" and not options["lr_warmup_iters"]:
        return
    try:
        restated = arguments(**options, global_batch_size=batch or 1)
    except PreheatError:
        return
    yield options if batch is None else {**options, "global_batch_size": batch}, restated
