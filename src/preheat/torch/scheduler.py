"""The scheduler that one attaches to a torch optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.core.spans import Run
from preheat.session.rules import Rule
from preheat.session.session import Session, checked_rules
from preheat.torch.audit import Audit, audited
from preheat.torch.branching import Branching
from preheat.torch.clock import DeviceClock, Stopwatch, checked_advance, tick_of
from preheat.torch.groups import Slots, check_optimizers
from preheat.torch.plans import laid_out
from preheat.torch.state import POLICIES, from_state, resolved, to_state
from preheat.torch.watching import Watch
from preheat.torch.writing import attach


class Scheduler(Branching):
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
        self._peak = None if peak is None else positive_number(peak, "peak")
        self._tick = tick_of(self.run)
        self.session = Session(laid_out(self._given, self.run), checked_rules(rules, self.run))
        slots = Slots(self.optimizers, self.plan)
        if self._peak is not None:
            slots.set_peak(self._peak)
        self._clock = DeviceClock(slots, self.session, self._tick) if on_device else None
        self.last_epoch, self._step_count, self._edits = -1, 0, dict[str, int]()
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
            Where the Run does not say what an update is worth, a call without it brings metrics and counts nothing.
        found_inf: with on_device, a tensor that is 1 where the update was skipped and 0 where it was applied.

        Until an applied update has been seen each call counts, so that a bare loop draws the curve; from then on only
        calls that follow one do. The others change nothing but what the rules have seen, and `audit()` counts them.
        """
        if epoch is not None:
            raise PreheatError(
                f"step() takes no epoch, not {shown(epoch)}; write step(metrics={{'loss': …}}) for a metric; "
                "load_state_dict moves to another position"
            )
        if self._clock is not None:
            if metrics is not None or advance is not None:
                raise PreheatError("with on_device=True a step is one update, whatever the host has measured")
            self._catch_up()
            self._clock.step(found_inf)
            return
        if found_inf is not None:
            raise PreheatError("found_inf= is for on_device=True; pass scaler= to Scheduler to count on the host")
        session, passed = self.session, self._tick if advance is None else checked_advance(advance, self.run)
        if passed is None and metrics is None and self.run.clock != "second":
            raise PreheatError(f"how many {self.run.clock}s have passed is not known; write step(advance=…)")
        if metrics is not None:
            session.observe(metrics)
        if (passed is not None or self.run.clock == "second") and self._watch.due(metrics is not None):
            self._step_count += 1
            self.last_epoch += 1
            if self._tick is None:  # the time since the last update, which must not be counted again
                measured = self._stopwatch.read()
                session.advance(measured if passed is None else passed)
            elif session.rules:
                session.advance(passed or 0)
            else:
                session.position += passed or 0
        elif metrics is None:
            return
        self._write_now()

    def audit(self) -> Audit:
        """What was counted, skipped and ignored so far, and what looks wrong; `print` it."""
        return audited(self)

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
        self._read_clock()
        saved = from_state(state_dict, self.run.clock)
        session, run = resolved(saved, self.session, self._given, self.run, self.on_change)
        current = self._current_slots()
        written = {i: self._written(slot) for i, slot in enumerate(current.slots)}
        bases = current.recovered(saved.session, written, self._watch.trained)
        slots = Slots(self.optimizers, session.plan)
        slots.settle(current, bases, keep_rates=self._peak is not None)
        self.last_epoch, self._step_count = saved.last_epoch, saved.step_count
        self._lead = self._step_count - self.last_epoch
        self.session, self.run = session, run
        self._stopwatch.read()
        self._watch.start_over()
        self._take(slots)
        if self._clock is not None:
            self._clock.move_to(self.last_epoch, session)
        self._write_now()

    # -- the optimizer ----------------------------------------------------------------------------------------------

    def _take(self, slots: Slots) -> None:
        """Write to these slots from now on."""
        self._slots, self._write = slots, attach(slots, self.session if self.session.rules else None)
        self._watched = slots.watched()  # two values are looked at, to find out whether someone else writes to them
        self._note()
        self._groups = groups = self.optimizer.param_groups
        self._count, self._tail = len(groups), groups[-1]
        if self._clock is not None:
            self._clock.take(slots)

    def _write_now(self) -> None:
        groups = self.optimizer.param_groups
        if (
            groups is not self._groups
            or len(groups) != self._count
            or groups[-1] is not self._tail
            or len(self.optimizers) > 1
        ):
            self._catch_up()
        (group, key), (other, last) = self._watched
        if group[key] is not self._first or other[last] is not self._final:
            self._find_edits()
        if self._clock is not None:
            self._clock.write()
            return
        self._write(self.session.position)
        self._first, self._final = group[key], other[last]

    def _note(self) -> None:
        """Keep what stands in the watched places."""
        self._first, self._final = (group[key] for group, key in self._watched)

    def _find_edits(self) -> None:
        """Name what someone else has written to."""
        seen = zip(self._slots.ends(), (self._first, self._final), strict=True)
        found = {label for slot, last in seen if (label := slot.edited(last))}
        for label in found:
            self._edits[label] = self._edits.get(label, 0) + 1
        if found:  # a tensor may have been replaced
            self._take(self._slots)

    def _catch_up(self) -> None:
        now = self._current_slots()
        if now is not self._slots:
            self._take(now)

    def _current_slots(self) -> Slots:
        """The slots of the groups as they are now, should some have been added, or replaced by loaded ones."""
        if self._slots.are_current():
            return self._slots
        slots = Slots(self.optimizers, self.plan)
        slots.inherit(self._slots)
        return slots

    def _written(self, slot: Any) -> float:
        return slot.gain * self.session.value(slot.line)

    def _read_clock(self) -> None:
        if self._clock is not None:
            self.last_epoch, self.session.position = self._clock.read()
            self._step_count = self.last_epoch + 1

    def __getstate__(self) -> dict[str, Any]:
        self._read_clock()
        dropped = ("_slots", "_write", "_watch", "_stopwatch", "_clock")
        dropped += ("_watched", "_first", "_final", "_groups", "_count", "_tail")
        self._catch_up()
        bases = self._slots.used, [slot.kept() for slot in self._slots.slots]
        kept = {key: value for key, value in self.__dict__.items() if key not in dropped}
        counts = {name: getattr(self._watch, name) for name in Watch.KEPT}
        return kept | {
            "_bases": bases,
            "_scaler": self._watch.scaler,
            "_counts": counts,
            "_on_device": self._clock is not None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        bases, scaler, counts, on_device = (state.pop(key) for key in ("_bases", "_scaler", "_counts", "_on_device"))
        self.__dict__.update(state)
        slots = Slots(self.optimizers, self.plan)
        slots.used, kept = bases
        for slot, known in zip(slots.slots, kept, strict=True):
            slot.take(known)
        self._watch, self._stopwatch = Watch(self.optimizers, scaler), Stopwatch()
        self._watch.__dict__.update(counts)
        self._clock = DeviceClock(slots, self.session, self._tick) if on_device else None
        self._take(slots)
        if self._clock is not None:
            self._clock.move_to(self.last_epoch, self.session)
        self._write_now()


def _checked_run(run: object) -> Run:
    if not isinstance(run, Run):
        raise PreheatError(f"run= takes a Run, not {shown(run)}; write run=Run(total=10_000)")
    return run
