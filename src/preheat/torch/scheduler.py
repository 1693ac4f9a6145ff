"""The scheduler that one attaches to a torch optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from preheat.control.rules import Rule
from preheat.control.session import Session, checked_rules
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.numbers import positive
from preheat.core.plan import Absolute, Plan
from preheat.core.schedule import Schedule
from preheat.core.shapes import Shape
from preheat.core.spans import Edge, Run, Span, SpanLike
from preheat.torch.audit import Audit, audited
from preheat.torch.clock import DeviceClock, Stopwatch, checked_advance, tick_of
from preheat.torch.groups import Slots, check_optimizers
from preheat.torch.plans import first_change, laid_out
from preheat.torch.protocol import TorchProtocol
from preheat.torch.state import POLICIES, from_state, resolved, to_state
from preheat.torch.watching import Watch
from preheat.torch.writing import attach


class Scheduler(TorchProtocol):
    """Makes an optimizer's hyper-parameters follow a plan: attach it, and call `step()` after every `optimizer.step()`.

    Update t, counted from 0, uses `base · s(t)`, or `s(t)` itself where the line says `absolute(s)`.

    optimizer: a torch optimizer, or a list of several under one plan.
    schedule: a Schedule for "lr", `absolute(schedule)`, or a Plan for any hyper-parameters and groups. Factors multiply
        each group's own value, and its `lr_scale` where it has one. An absolute line that names nothing in the groups
        is a quantity of your own, read with `value("clip_norm")`.
    run: the Run that gives lengths their worth; needed where the schedule has '%', 'rest' or units. Without a total a
        `rest` in the middle stays open until `finish_in`.
    peak: the rate of the largest group at factor 1; the other groups keep their ratio to it.
    rules: Plateau, HoldUntil, Rewarm: what `step(metrics={...})` may change.
    scaler: the GradScaler, if its skipped updates are to be told from applied ones before the first applied update, or
        with a fused optimizer.
    on_change: what `load_state_dict` does when the plan differs from the saved one from the saved position on: "refuse"
        (an error that shows the first update that changes), "adopt" the new plan, "keep" the saved one, or "rebase":
        the new plan scaled to go on from the value in force.
    on_device: keep the position in a device tensor, so that `step()` may stand inside a compiled or captured training
        step and costs the host nothing; every scheduled value must be a tensor then.

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
        rules: Sequence[Rule] = (),
        scaler: GradScaler | None = None,
        on_change: str = "refuse",
        on_device: bool = False,
    ) -> None:
        # LRScheduler.__init__ is not called: it would put a wrapper round optimizer.step, a graph break when compiled
        if on_change not in POLICIES:
            raise PreheatError(f"unknown on_change {shown(on_change)}{nearest(str(on_change), POLICIES)}")
        self.optimizers = check_optimizers(optimizer)
        self.optimizer = self.optimizers[0]
        self.run = Run() if run is None else _checked_run(run)
        self.on_change = on_change
        self._given = schedule if isinstance(schedule, Plan) else Plan(schedule)
        self._peak = None if peak is None else positive(peak, "peak")
        self._tick = tick_of(self.run)
        self.session = Session(laid_out(self._given, self.run), checked_rules(rules, self.run))
        slots = Slots(self.optimizers, self.plan)
        if self._peak is not None:
            slots.set_peak(self._peak)
        self._clock = DeviceClock(slots, self.session, self._tick) if on_device else None
        self.last_epoch, self._step_count, self._edits = -1, 0, 0
        self._watch, self._stopwatch = Watch(self.optimizers, scaler), Stopwatch()
        self._take(slots)
        self._initial_step()

    # -- in the training loop ---------------------------------------------------------------------------------------

    def step(
        self,
        epoch: int | None = None,
        *,
        metrics: Mapping[str, Any] | None = None,
        advance: float | None = None,
        found_inf: Tensor | None = None,
    ) -> None:
        """Go on to the next update: call it after every `optimizer.step()`.

        metrics: what was measured, for the rules, by name; it may come with any call, or never.
        advance: how many ticks have passed, where they are not the same for every update (tokens, samples, seconds).
        found_inf: with on_device, a tensor that is 1 where the update was skipped and 0 where it was applied.

        Until an applied update has been seen each call counts, so that a bare loop draws the curve; from then on only
        calls that follow one do. The others change nothing but what the rules have seen, and `audit()` counts them.
        """
        if self._clock is not None:
            self._clock.step(found_inf)
            return
        if epoch is not None:
            raise PreheatError(f"step() takes no epoch, not {shown(epoch)}; load_state_dict moves to another position")
        session = self.session
        if metrics is not None:
            session.observe(metrics)
        if self._watch.due():
            self._step_count += 1
            self.last_epoch += 1
            if advance is not None or self._tick is None:
                session.advance(self._stopwatch.read() if advance is None else checked_advance(advance, self.run))
            elif session.rules:
                session.advance(self._tick)
            else:
                session.position += self._tick
        elif metrics is None:
            return
        self._write_now()

    def audit(self) -> Audit:
        """What was counted, skipped and ignored so far, and what looks wrong; `print` it."""
        return audited(self)

    # -- changing the plan of a run that goes on --------------------------------------------------------------------

    def finish_in(self, span: SpanLike) -> None:
        """Say that the run ends `span` from now: the open stable phase ends in time for what follows it.

        Raises PreheatError, having changed nothing, if what follows does not fit into `span`.
        """
        self.extend(self.position + self._ticks(span))

    def extend(self, total: SpanLike) -> None:
        """Make the run end at `total`: the plan that was given is laid out anew, its 'rest' and '%' with it.

        Raises PreheatError, having changed nothing, if a value before now would have been another.
        """
        run = replace(self.run, total=total)  # type: ignore[arg-type]
        plan = self._given.bind(run)
        if change := first_change(self.plan, plan, 0, self.position):
            raise PreheatError(f"that comes too late, the run is at {self.position:g}: {change}")
        self.run = run
        self._go_on_with(plan)

    def cooldown(self, span: SpanLike, shape: Shape | str = "linear", to: float = 0.0) -> None:
        """From now on bring the rate down to `to`, a factor (a rate for an absolute line), over `span`."""
        now, ticks = self.position, self._ticks(span)
        self._go_on_with(self.plan.replaced("lr", lambda s: s.cooldown_from(now, ticks, shape, to=to)))

    def rewarm(self, span: SpanLike, start: float = 0.0) -> None:
        """From now on warm up again over `span`: from `start` of the planned value to all of it."""
        now, ticks = self.position, self._ticks(span)
        self._go_on_with(self.plan.replaced("lr", lambda s: s.rewarmed(now, ticks, start=start)))

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The position and the plan as plain values: JSON-able, the same keys for ever, however many groups."""
        self._read_clock()
        return to_state(self.last_epoch, self._step_count, self.session, self.run)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position and write its values at once, whether the optimizer is loaded before or after.

        Raises StateError, having changed nothing, for a state that is damaged, or whose plan differs (see on_change),
        or where what a group was given cannot be known.
        """
        saved = from_state(state_dict, self.run.clock)
        session, run = resolved(saved, self.session, self._given, self.run, self.on_change)
        current = self._current_slots()
        bases = current.recovered(saved.session, {i: self._written(slot) for i, slot in enumerate(current.slots)})
        slots = Slots(self.optimizers, session.plan)
        slots.settle(current, bases, keep_rates=self._peak is not None)
        self.last_epoch, self._step_count = saved.last_epoch, saved.step_count
        self.session, self.run = session, run
        self._stopwatch.read()
        self._take(slots)
        if self._clock is not None:
            self._clock.move_to(self.last_epoch, session)
        self._write_now()

    # -- where it is ------------------------------------------------------------------------------------------------

    @property
    def position(self) -> float:
        """Where on the run's clock the coming update is, in ticks."""
        self._read_clock()
        return self.session.position

    # -- the optimizer ----------------------------------------------------------------------------------------------

    def _take(self, slots: Slots) -> None:
        """Write to these slots from now on."""
        self._slots, self._write = slots, attach(slots, self.session if self.session.rules else None)
        self._watched, self._last = slots.watched(), None
        if self._watched is not None:  # one value is looked at, to find out whether someone else writes to it
            self._last = self._watched[0][self._watched[1]]
        self._groups, self._count = self.optimizer.param_groups, len(self.optimizer.param_groups)
        if self._clock is not None:
            self._clock.take(slots)

    def _write_now(self) -> None:
        groups = self.optimizer.param_groups
        if groups is not self._groups or len(groups) != self._count or len(self.optimizers) > 1:
            now = self._current_slots()
            if now is not self._slots:
                self._take(now)
        elif (watched := self._watched) is not None and watched[0][watched[1]] != self._last:
            self._edits += 1
        if self._clock is not None:
            self._clock.write()
            return
        self._write(self.session.position)
        if self._watched is not None:
            self._last = self._watched[0][self._watched[1]]

    def _current_slots(self) -> Slots:
        """The slots of the groups as they are now, should some have been added, or replaced by loaded ones."""
        if self._slots.are_current():
            return self._slots
        slots = Slots(self.optimizers, self.plan)
        slots.inherit(self._slots)
        return slots

    def _written(self, slot: Any) -> float:
        return slot.gain * self.session.value(slot.line)

    def _ticks(self, span: SpanLike) -> float:
        return Span(span).measured(self.run, Edge())

    def _go_on_with(self, plan: Plan) -> None:
        """Follow another bound plan from here."""
        slots = Slots(self.optimizers, plan)
        slots.settle(self._current_slots(), None)
        self.session.plan = plan
        self._take(slots)
        self._write_now()

    def _read_clock(self) -> None:
        if self._clock is not None:
            self.last_epoch = self._clock.updates()
            self._step_count = self.last_epoch + 1
            self.session.position = self.last_epoch * (self._tick or 1)

    def __getstate__(self) -> dict[str, Any]:
        self._read_clock()
        dropped = ("_slots", "_write", "_watch", "_watched", "_groups", "_count", "_stopwatch", "_clock")
        bases = [(slot.base, slot.initial, slot.settled) for slot in self._slots.slots]
        kept = {key: value for key, value in self.__dict__.items() if key not in dropped}
        return kept | {"_bases": bases, "_scaler": self._watch.scaler, "_on_device": self._clock is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        bases, scaler, on_device = (state.pop(key) for key in ("_bases", "_scaler", "_on_device"))
        self.__dict__.update(state)
        slots = Slots(self.optimizers, self.plan)
        for slot, (base, initial, settled) in zip(slots.slots, bases, strict=True):
            slot.base, slot.initial, slot.settled = base, initial, settled
        self._watch, self._stopwatch = Watch(self.optimizers, scaler), Stopwatch()
        self._clock = DeviceClock(slots, self.session, self._tick) if on_device else None
        self._take(slots)
        if self._clock is not None:
            self._clock.move_to(self.last_epoch, self.session)
        self._write_now()


def _checked_run(run: object) -> Run:
    if not isinstance(run, Run):
        raise PreheatError(f"run= takes a Run, not {shown(run)}; write run=Run(total=10_000)")
    return run
