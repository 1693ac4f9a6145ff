"""timm's training loop: an object with the contract of its schedulers, over a Scheduler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, PreheatWarning, nearest
from preheat.core.extras import needed
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.rules import Rule

with needed("preheat.timm", "timm"):
    from torch.optim import Optimizer

from preheat.torch.scheduler import Scheduler as Driver
from preheat.torch.wrapped import is_watchable, layers

__all__ = ["Scheduler"]

METRICS = ("loss", "metric")  # what a rule may listen to: that of step_update, that of step


class Scheduler:
    """What timm's `train.py` calls: `step_update(num_updates)` after every update, `step(epoch)` after every epoch.

    timm numbers its updates and epochs itself, and saves nothing of a scheduler: update t uses `base · s(t)`, t being the
    number that the loop says, an update that its scaler skipped included. `lr_scale` of a group multiplies its rate.

    optimizer, schedule, peak, base, on_change: as in preheat.torch.Scheduler. Give `peak=args.lr`: timm loads the
        optimizer before it makes the scheduler, and then the rates that stand in the groups are not what they were given.
    epochs, updates_per_epoch: the length of the run, and what an epoch is worth; or `run` in their place. Under
        Run(clock="epoch") a rate stands for a whole epoch, as timm's does without --sched-on-updates.
    rules: what `step(epoch, metric)` brings is called "metric", what `step_update` brings "loss".

    scheduler: the preheat.torch.Scheduler underneath.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> scheduler = Scheduler(optimizer, "warmup(1 epoch) >> decay()", epochs=3, updates_per_epoch=10)
    >>> scheduler.step_update(num_updates=5)
    >>> optimizer.param_groups[0]["lr"]
    0.05

    Raises PreheatError for a plan that does not fit, and where rules cannot know what they would have seen.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: Target | Source,
        *,
        epochs: int | None = None,
        updates_per_epoch: int | None = None,
        run: Run | None = None,
        peak: float | None = None,
        base: str | None = None,
        rules: Sequence[Rule | Mapping[str, Any]] = (),
        on_change: str = "refuse",
    ) -> None:
        if run is not None and (epochs, updates_per_epoch) != (None, None):
            raise PreheatError(
                "run= says what epochs= and updates_per_epoch= say", write="leave the one or the other out"
            )
        if run is None and epochs is not None and updates_per_epoch is None:
            raise PreheatError(
                "epochs= needs updates_per_epoch=", given=updates_per_epoch, write="give both, or run=Run(…)"
            )
        total = None if epochs is None else f"{counted(epochs, 'epochs is a number of epochs', 1)} epochs"
        run = Run(total, steps_per_epoch=updates_per_epoch) if run is None else run
        options: dict[str, Any] = {"peak": peak, "base": base, "rules": rules, "on_change": on_change}
        self.scheduler = Driver(optimizer, Plan(schedule), run=run, counts="calls", **options)
        for rule in self.scheduler.session.rules:
            if rule.metric not in METRICS:
                what = f"timm's loop brings no {rule.metric!r}{nearest(rule.metric, METRICS)}"
                raise PreheatError(
                    what, write="write 'metric' for what step(epoch, metric) brings, 'loss' for step_update"
                )
        self.optimizer = optimizer
        self.metric: float | None = None  # the latest
        self._is_met = False  # whether the loop has said a number
        self._is_updated = False  # since it said the last one
        for layer in filter(is_watchable, layers(optimizer)):
            layer.register_step_post_hook(self._note_update)

    @property
    def t_in_epochs(self) -> bool:
        """Whether a rate stands for a whole epoch."""
        return self.scheduler.run.clock == "epoch"

    def step_update(self, num_updates: int, metric: float | None = None) -> None:
        """After an update: so many have been applied, and these many are the number of the coming one."""
        self._tell("loss", metric)
        if self._is_updated and num_updates == self.scheduler.last_epoch and not self.t_in_epochs:
            what = (
                f"step_update({num_updates}) came after update {num_updates}, and says that it is still to come, so every rate "
                "comes one late; count first: num_updates += 1"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)
        self._is_updated = False
        if not self.t_in_epochs:
            self._go_to(counted(num_updates, "num_updates is a number of updates"))

    def step(self, epoch: int, metric: float | None = None) -> None:
        """After an epoch: the number of the coming one, and what evaluation gave."""
        self._tell("metric", metric)
        coming, worth = counted(epoch, "epoch is the number of an epoch"), self.scheduler.run.steps_per_epoch
        if self.t_in_epochs:
            self._go_to(coming)
        elif worth is not None:
            self._go_to(round(coming * worth), is_update=False)

    def _note_update(self, *_: Any) -> None:
        self._is_updated = True

    def _tell(self, name: str, metric: float | None) -> None:
        if metric is not None:
            self.metric = metric
            self.scheduler.observe({name: metric})

    def _go_to(self, coming: int, *, is_update: bool = True) -> None:
        """Go to an update (on a clock of epochs: an epoch), as the loop numbers it; one more is one more if it tells of one."""
        now, was_met, self._is_met = self.scheduler.last_epoch, self._is_met, True
        if coming == now + 1 and is_update:
            self.scheduler.step()
            return
        if coming != now and was_met:
            what = f"timm's loop went from update {now} to update {coming}"
            said = "an epoch has other than the updates_per_epoch that were said"
            warnings.warn(f"{what}: {said}", PreheatWarning, stacklevel=3)
        self.scheduler.go_to(coming)

    def state_dict(self) -> dict[str, Any]:
        """Where it is and what its rules have seen. timm's own loop saves none, and says the position when it resumes."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state; raises StateError where the plan or the rates have changed (see on_change)."""
        self.scheduler.load_state_dict(state_dict)
