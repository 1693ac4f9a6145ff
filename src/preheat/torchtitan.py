"""torchtitan (0.3 and later): a container of schedulers whose Config builds it from a schedule's text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.extras import needed
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run

with needed("preheat.torchtitan", "torchtitan"):
    from torch.optim import Optimizer
    from torchtitan.components.optimizer.lr_scheduler import (  # pyrefly: ignore[missing-import]
        LRSchedulersContainer,
    )

from preheat.torch.scheduler import Scheduler

__all__ = ["ScheduleContainer"]

_THEIRS = {"warmup_steps": 0, "decay_ratio": None, "decay_type": "linear", "min_lr_factor": 0.0}  # left as they are


class ScheduleContainer(LRSchedulersContainer):  # pyrefly: ignore[invalid-inheritance]
    """One Scheduler over all optimizers of an OptimizersContainer, made by `ScheduleContainer.Config(schedule="…")`.

    Update t, counted from 0, uses `base · s(t)`. `schedulers` holds the Scheduler.

    options: what torchtitan passes from the Config.

    Raises PreheatError for a plan that does not fit the run or the groups.
    """

    @dataclass(kw_only=True, slots=True)
    class Config(LRSchedulersContainer.Config):  # pyrefly: ignore[invalid-inheritance]
        """What stands in `Trainer.Config(lr_scheduler=…)`; torchtitan's own fields of a schedule must be left out.

        schedule: the text of a schedule, or of a plan as JSON.   total_steps: the length of the run, where it is not that of
        the training.   tokens_per_step: what an update is worth, for lengths in tokens.
        peak, on_change: as in preheat.torch.Scheduler.
        """

        warmup_steps: int = 0
        schedule: str = ""
        tokens_per_step: int | None = None
        peak: float | None = None
        on_change: str = "refuse"

        def build(self, *, optimizers: Iterable[Optimizer], training_steps: int) -> ScheduleContainer:
            """The container for these optimizers, on a run of `total_steps` or else `training_steps` updates."""
            for field, unset in _THEIRS.items():
                if getattr(self, field) != unset:
                    what = f"{field} is torchtitan's own schedule, beside schedule={self.schedule!r}"
                    raise PreheatError(what, given=getattr(self, field), write="say it in the schedule")
            if not self.schedule:
                example = "Config(schedule='warmup(200) >> decay()')"
                raise PreheatError("ScheduleContainer needs a schedule", given=self.schedule, write=f"write {example}")
            total = training_steps if self.total_steps is None else self.total_steps
            run = Run(total=total, tokens_per_step=self.tokens_per_step)
            return ScheduleContainer(optimizers, self.schedule, run=run, peak=self.peak, on_change=self.on_change)

    schedulers: list[Scheduler]

    def __init__(self, optimizers: Iterable[Optimizer], schedule: Any, **options: Any) -> None:
        # that of LRSchedulersContainer is not called: it would make a LambdaLR for each optimizer
        self.schedulers = [Scheduler(list(optimizers), Plan(schedule), **options)]

    def get_metrics(self) -> dict[str, float]:
        """The rates as torchtitan names them, `lr/AdamW` or `lr/AdamW/0`, and all else that is scheduled."""
        (scheduler,) = self.schedulers
        rates, metrics = iter(scheduler.get_last_lr()), {}
        for optimizer in scheduler.optimizers:
            name, several = f"lr/{type(optimizer).__name__}", len(optimizer.param_groups) > 1
            for i, _ in enumerate(optimizer.param_groups):
                metrics[f"{name}/{i}" if several else name] = float(next(rates))
        others = {name: value for name, value in scheduler.values().items() if name.split("/")[-1] != RATE}
        return metrics | others

    def state_dict(self) -> dict[str, Any]:
        """The Scheduler's state: the same keys for ever, as distributed checkpointing wants them."""
        return self.schedulers[0].state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state; raises StateError where the plan or the rates have changed (see on_change)."""
        self.schedulers[0].load_state_dict(state_dict)
