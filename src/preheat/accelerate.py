"""Accelerate: a scheduler that counts real updates at any number of processes, and is saved with the accelerator's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.extras import needed
from preheat.core.spans import Run
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.rules import Rule
from preheat.torch import Scheduler

with needed("preheat.accelerate", "accelerate"):
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

__all__ = ["prepare"]


def prepare(
    accelerator: Accelerator,
    optimizer: AcceleratedOptimizer | Sequence[AcceleratedOptimizer],
    schedule: Target | Source,
    *,
    run: Run | None = None,
    peak: float | None = None,
    base: str | None = None,
    rules: Sequence[Rule | Mapping[str, Any]] = (),
    on_change: str = "refuse",
) -> Scheduler:
    """A Scheduler of a prepared optimizer, which `accelerator.save_state` and `load_state` save and load with the rest.

    Call its `step()` after every `optimizer.step()`, wherever that is: an update counts once, however many processes
    apply it; micro-batches that only accumulate, and updates that the scaler skipped, do not count. Lengths are in
    updates, never multiplied by the number of processes. Do not give it to `accelerator.prepare`.

    accelerator: the Accelerator of the training.
    optimizer: what `accelerator.prepare(optimizer)` returned, or a list of several under one plan.
    schedule: a Schedule for "lr", `absolute(schedule)`, or a Plan; their text does as well.
    run, peak, base, rules, on_change: as in `preheat.torch.Scheduler`.

    Raises PreheatError, before anything is changed, for an optimizer that was not prepared by this accelerator, and for
    what `Scheduler` refuses.
    """
    if not isinstance(accelerator, Accelerator):
        raise PreheatError(
            "prepare takes the Accelerator first",
            given=type(accelerator).__name__,
            write="write prepare(accelerator, optimizer, schedule)",
        )
    several: list[Any] = [*optimizer] if isinstance(optimizer, list | tuple) else [optimizer]
    for one in several:
        if not any(one is prepared for prepared in accelerator._optimizers):  # no public name says it
            raise PreheatError(
                "prepare takes an optimizer that this accelerator has prepared",
                given=type(one).__name__,
                write="write model, optimizer = accelerator.prepare(model, optimizer) before it",
            )
    scheduler = Scheduler(
        several if len(several) > 1 else several[0],
        schedule,
        run=run,
        peak=peak,
        base=base,
        rules=rules,
        counts="updates",
        on_change=on_change,
    )
    accelerator.register_for_checkpointing(scheduler)
    return scheduler
