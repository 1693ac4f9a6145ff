"""The scheduler that one attaches to a torch optimizer."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.numbers import positive
from preheat.core.pieces import MAX_TEXT
from preheat.core.plan import Absolute, Plan
from preheat.core.schedule import Schedule
from preheat.core.spans import Run
from preheat.torch.groups import Slots, check_optimizers
from preheat.torch.state import POLICIES, from_state, resolve, to_state
from preheat.torch.writing import attach


class Watch:
    """Whether an optimizer has applied an update since the scheduler last looked. A flag, never a counter: a compiled
    step that changed a number would compile again for each."""

    def __init__(self) -> None:
        self.updated = False

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.updated = True


class Scheduler(LRScheduler):
    """Makes an optimizer's hyper-parameters follow a plan: attach it, and call `step()` after every `optimizer.step()`.

    Update t, counted from 0, uses `base · s(t)`, or `s(t)` itself where the line says `absolute(s)`.

    optimizer: a torch optimizer, or a list of several under one plan.
    schedule: a Schedule for "lr", `absolute(schedule)`, or a Plan for any hyper-parameters and groups. Factors multiply
        each group's own value, and its `lr_scale` where it has one.
    run: the Run that gives lengths their worth; needed where the schedule has '%', 'rest' or units.
    peak: the rate of the largest group at factor 1; the other groups keep their ratio to it.
    on_change: what `load_state_dict` does when the plan differs from the saved one from the saved position on: "refuse"
        (an error that shows the first update that changes), "adopt" the new plan, "keep" the saved one, or "rebase":
        the new plan scaled to go on from the value in force.

    >>> import torch
    >>> from preheat import absolute, hold, ramp
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    >>> scheduler = Scheduler(optimizer, absolute(ramp(0.01, 0.1, 1000) >> hold(0.1)))
    >>> rates = []
    >>> for step in range(1001):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates[0], rates[500], rates[1000]
    (0.01, 0.055, 0.1)

    Raises PreheatError, before anything is changed, for a plan that does not fit the run or the groups.
    """

    def __init__(
        self,
        optimizer: Optimizer | Iterable[Optimizer],
        schedule: Schedule | Absolute | Plan,
        *,
        run: Run | None = None,
        peak: float | None = None,
        on_change: str = "refuse",
    ) -> None:
        # LRScheduler.__init__ is not called: it would put a wrapper round optimizer.step, a graph break when compiled
        if on_change not in POLICIES:
            raise PreheatError(f"unknown on_change {shown(on_change)}{nearest(str(on_change), POLICIES)}")
        self.optimizers = check_optimizers(optimizer)
        self.optimizer = self.optimizers[0]
        self.run = Run() if run is None else _checked_run(run)
        self.on_change = on_change
        self.plan = (schedule if isinstance(schedule, Plan) else Plan(schedule)).bind(self.run)
        if (size := len(self.plan.to_text())) > MAX_TEXT:
            raise PreheatError(f"the plan takes {size} characters of text in a checkpoint; at most {MAX_TEXT}")
        self._peak = None if peak is None else positive(peak, "peak")
        slots = Slots(self.optimizers, self.plan)
        if self._peak is not None:
            slots.set_peak(self._peak)
        self.last_epoch, self._step_count = -1, 0
        self._position: float = 0
        self._tick = _tick(self.run)
        self.surplus = 0
        self._observed = False
        self._watch_optimizers()
        self._take(slots)
        self._initial_step()

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next update: call it after every `optimizer.step()`.

        Until an applied update has been seen each call counts, so that a bare loop draws the curve; from then on only
        calls that follow one do, and the surplus ones are counted in `surplus`.
        """
        if epoch is not None:
            raise PreheatError(f"step() takes no epoch, not {shown(epoch)}; load_state_dict moves to another position")
        watch = self._watch
        if watch.updated:
            watch.updated = False
            self._observed = True
        elif self._observed:
            self.surplus += 1
            return
        self._step_count += 1
        self.last_epoch += 1
        if self._tick != 1:
            self._position += self._tick or self._elapsed()
        self._write_now()

    def get_last_lr(self) -> list[float | Tensor]:
        """The rate of every group for the coming update, as this scheduler wrote it."""
        rates = {
            id(slot.group): slot.gain * self._values[slot.line.key] for slot in self._slots.slots if slot.key == "lr"
        }
        return [rates.get(id(group), float(group["lr"])) for group in self._slots.groups]

    def values(self) -> dict[str, float]:
        """Everything scheduled, for a logger: `{"head/lr": 0.1, "body/lr": 0.01}`; of a lone group, `{"lr": 0.1}`."""
        lone, values = len(self._slots.groups) == 1, self._values
        return {
            slot.line.hyper if lone else f"{slot.name}/{slot.line.hyper}": slot.gain * values[slot.line.key]
            for slot in self._slots.slots
        }

    @property
    def position(self) -> float:
        """Where on the run's clock the coming update is, in ticks."""
        return self.last_epoch if self._tick == 1 else self._position

    @property
    def base_lrs(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        """What a factor of the rate multiplies, of every group."""
        bases = {id(slot.group): slot.base for slot in self._slots.slots if slot.key == "lr"}
        return [bases.get(id(group), float(group["lr"])) for group in self._slots.groups]

    def state_dict(self) -> dict[str, Any]:
        """The position and the plan as plain values: JSON-able, the same keys for ever, however many groups."""
        return to_state(self.last_epoch, self._step_count, self.position, self.plan, self.run)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position and write its values at once, whether the optimizer is loaded before or after.

        Raises StateError, having changed nothing, for a state that is damaged, or whose plan differs (see on_change),
        or where what a group was given cannot be known.
        """
        saved = from_state(state_dict, self.run.clock)
        plan = resolve(saved, self.plan, self.on_change)
        current = self._current_slots()
        written = {i: slot.gain * self._values.get(slot.line.key, 1.0) for i, slot in enumerate(current.slots)}
        bases = current.recovered(saved.plan, saved.position, written)
        if self._peak is not None:
            bases = [slot.base if slot.key == "lr" else base for slot, base in zip(current.slots, bases, strict=True)]
        slots = Slots(self.optimizers, plan)
        known = {(id(slot.group), slot.line.key): base for slot, base in zip(current.slots, bases, strict=True)}
        for slot in slots.slots:
            slot.base, slot.settled = known.get((id(slot.group), slot.line.key), slot.base), True
        self.plan = plan
        self.last_epoch, self._step_count, self._position = saved.last_epoch, saved.step_count, saved.position
        self._since = time.monotonic()
        self._take(slots)
        self._write(self.position)

    # -- what torch and its followers call --------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """The rates at `last_epoch`: a function of it alone."""
        return self.get_last_lr()

    _get_closed_form_lr = get_lr

    @property
    def _last_lr(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        return self.get_last_lr()

    @property
    def _values(self) -> dict[str, float]:
        return {line.key: line.schedule.function(self.position) for line in self.plan.lines}

    def _initial_step(self) -> None:
        if self.last_epoch == -1 and self._step_count:
            self._start_over()
        self._step_count = 1
        self.last_epoch += 1
        self._write_now()

    def _update_lr(self, epoch: int | None = None) -> None:
        if self.last_epoch == -1:
            self._start_over()
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._write_now()

    def _start_over(self) -> None:
        """SequentialLR has undone our first step and put every rate back to its initial_lr: that is the base then."""
        for slot in self._slots.slots:
            if slot.key == "lr":
                slot.base = float(slot.group.get("initial_lr", slot.base))
        self._take(self._slots)

    # -- the optimizer ----------------------------------------------------------------------------------------------

    def _watch_optimizers(self) -> None:
        self._watch, self._since = Watch(), time.monotonic()
        for optimizer in self.optimizers:
            handle = optimizer.register_step_post_hook(self._watch)
            weakref.finalize(self, handle.remove)

    def _take(self, slots: Slots) -> None:
        self._slots, self._write = slots, attach(slots)
        self._groups, self._count = self.optimizer.param_groups, len(self.optimizer.param_groups)

    def _write_now(self) -> None:
        groups = self.optimizer.param_groups
        if groups is not self._groups or len(groups) != self._count or len(self.optimizers) > 1:
            now = self._current_slots()
            if now is not self._slots:
                self._take(now)
        self._write(self.last_epoch if self._tick == 1 else self._position)

    def _current_slots(self) -> Slots:
        """The slots of the groups as they are now, should some have been added, or replaced by loaded ones."""
        old = self._slots
        lists = [optimizer.param_groups for optimizer in self.optimizers]
        if all(now is then for now, then in zip(lists, old.lists, strict=True)) and sum(map(len, lists)) == len(
            old.groups
        ):
            return old
        slots = Slots(self.optimizers, self.plan)
        slots.inherit(old)
        return slots

    def _elapsed(self) -> float:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return passed

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("_slots", "_write", "_watch", "_groups", "_count", "_since")
        bases = [(slot.base, slot.initial, slot.settled) for slot in self._slots.slots]
        return {**{k: v for k, v in self.__dict__.items() if k not in dropped}, "_bases": bases}

    def __setstate__(self, state: dict[str, Any]) -> None:
        bases = state.pop("_bases")
        self.__dict__.update(state)
        self._watch_optimizers()
        slots = Slots(self.optimizers, self.plan)
        for slot, (base, initial, settled) in zip(slots.slots, bases, strict=True):
            slot.base, slot.initial, slot.settled = base, initial, settled
        self._take(slots)
        self._write(self.position)


def _checked_run(run: object) -> Run:
    if not isinstance(run, Run):
        raise PreheatError(f"run= takes a Run, not {shown(run)}; write run=Run(total=10_000)")
    return run


def _tick(run: Run) -> int | None:
    """How many ticks of the clock one update is; None where it is measured."""
    if run.clock in ("step", "epoch"):
        return 1
    if run.clock == "second":
        return None
    worth = run.worth("step")
    if worth.denominator != 1:
        raise PreheatError(f"one step is {float(worth)} {run.clock}s; write a whole number of {run.clock}s per step")
    return int(worth)
