"""Changing the plan of a run that goes on: its end, a cooldown off the present, a new warmup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from preheat.core.branch import nothing_grows, stretches
from preheat.core.errors import BindError, PreheatError
from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.core.shapes import Shape
from preheat.core.spans import Edge, Run, Span, SpanLike
from preheat.torch.groups import Slots
from preheat.torch.plans import first_change, laid_out
from preheat.torch.protocol import TorchProtocol


class Branching(TorchProtocol):
    """The part of a scheduler that goes on with another plan."""

    run: Run
    _given: Plan

    def finish_in(self, span: SpanLike) -> None:
        """Say that the run ends `span` from now: the open stable phase ends in time for what follows it.

        Raises PreheatError, having changed nothing, if what follows does not fit into `span`.
        """
        self.extend(self.position + self._ticks(span))

    def extend(self, total: SpanLike) -> None:
        """Make the run end at `total`: the plan that was given is laid out anew, its 'rest' and '%' with it.

        Raises PreheatError, having changed nothing, if nothing in the plan is 'rest' or '%', or if a value before now
        would have been another.
        """
        run = replace(self.run, total=total)  # type: ignore[arg-type]
        plan = laid_out(self._given, run)
        if not stretches(self._given, run):
            raise BindError(nothing_grows(self._given))
        if change := first_change(self.plan, plan, 0, self.position, self._tick):
            raise PreheatError(f"that comes too late, the run is at {self.position:g}: {change}")
        self.run = run
        self._go_on_with(plan)

    def cooldown(self, span: SpanLike, shape: Shape | str = "linear", to: float = 0.0) -> None:
        """From now on bring the rate down to `to`, a factor (a rate for an absolute line), over `span`.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        """
        now, ticks = self.position, self._ticks(span)
        self._bend(lambda s: s.cooldown_from(now, ticks, shape, to=to))

    def rewarm(self, span: SpanLike, start: float = 0.0) -> None:
        """From now on warm up again over `span`: from `start` of the planned value to all of it.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        """
        now, ticks = self.position, self._ticks(span)
        self._bend(lambda s: s.rewarmed(now, ticks, start=start))

    def _bend(self, change: Callable[[Schedule], Schedule]) -> None:
        if not any(line.hyper == "lr" for line in self.plan.lines):
            raise PreheatError(f"the plan has no line for 'lr', only for {', '.join(self.plan)}")
        self._go_on_with(self.plan.replaced("lr", change).bind(Run()))

    def _ticks(self, span: SpanLike) -> float:
        span = Span(span)
        if not span.is_rest:
            return span.measured(self.run, Edge())
        if self.run.total is None or self.run.total < self.position:
            raise PreheatError("'rest' has no length where no end is to come; write a length, or extend(total) first")
        return self.run.total - self.position

    def _go_on_with(self, plan: Plan) -> None:
        """Follow another bound plan from here."""
        slots = Slots(self.optimizers, plan)
        slots.settle(self._current_slots(), None)
        self.session.plan = plan
        self._take(slots)
        self._write_now()

    def _current_slots(self) -> Slots:
        raise NotImplementedError
