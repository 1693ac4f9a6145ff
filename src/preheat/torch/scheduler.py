"""The scheduler that one attaches to a torch optimizer: groups to lines, updates to ticks, values written. It decides nothing
about schedules; that is the session's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import islice
from typing import Any
from weakref import WeakMethod

from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from preheat.core.checks import counted, one_of, positive_number
from preheat.core.errors import PreheatError, PreheatWarning, StateError, nearest, shown
from preheat.core.notebook import html_of
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import RATE, Line, Plan
from preheat.core.shapes import Shape
from preheat.core.spans import Run, SpanLike
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.bases import bases_to_text, same
from preheat.session.clock import checked_advance, unknown_advance
from preheat.session.rewind import GoBack
from preheat.session.rules import Rule, check_floors
from preheat.session.session import Session
from preheat.session.state import Resumption, Saved
from preheat.torch.audit import (
    Audit,
    Facts,
    audited,
    double_warmups,
    edited_words,
    is_over,
    misspelt_words,
    over_words,
    rounded_away,
    silent_words,
    warned_from,
    zero_from,
)
from preheat.torch.bases import OPEN, Bases, initial_of, number
from preheat.torch.described import check_optimizers
from preheat.torch.device_clock import DeviceClock
from preheat.torch.memory import memory_of
from preheat.torch.resuming import OPEN_BASE, WAYS, Left, left_behind, resumed
from preheat.torch.slots import (
    Slot,
    Slots,
    close_as_said,
    entry,
    levelled,
    name_of,
    put,
    put_number,
    rates_of,
    scale_to_peak,
)
from preheat.torch.update_counter import UpdateCounter
from preheat.torch.wrapped import is_watchable, layers
from preheat.torch.writer import Buffers, attach

_SHOWN = 4  # rates in a repr
_KEPT = 20  # names of metrics that no rule listens to


class Scheduler(LRScheduler):
    """Makes an optimizer's hyper-parameters follow a plan: attach it, and call `step()` after every `optimizer.step()`.

    Update t, counted from 0, uses `base · s(t)`, or `s(t)` itself where the line says `absolute(s)`.

    optimizer: a torch optimizer, or a list of several under one plan.
    schedule: a Schedule for "lr", `absolute(schedule)`, or a Plan for any hyper-parameters and groups; or whatever `parse`
        takes for one of them: text, a mapping, JSON. Factors multiply
        each group's own value, and its `lr_scale` where it has one. An absolute line that names nothing in the groups
        is a quantity of your own, read with `value("clip_norm")`.
    run: the Run that gives lengths their worth; needed where the schedule has '%', 'rest' or units. Without a total a
        `rest` in the middle stays open until `finish_in`.
    peak: the rate of the largest group at factor 1; the other groups keep their ratio to it.
    base: what factors multiply where the optimizer has been moved before, by an earlier scheduler or a loaded state:
        "initial" for each group's `initial_lr`, "present" for what stands there now. Needed only where that is not known.
        With `peak` too it says the groups' ratio, and `peak` how high the largest is.
    rules: Plateau, HoldUntil, Rewarm, Rewind: what `step(metrics={...})` may change.
    scaler: the GradScaler, if its skipped updates are to be told from applied ones before the first applied update, or
        with a fused optimizer.
    counts: which calls of `step()` count. None: those after an applied update, and until one was seen, a state was loaded
        or a gradient waits, every call, so that a bare loop draws the curve. "updates": only those after an applied
        update, from the start, for an optimizer that starts late. "calls": every call, for one that cannot be observed.
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

    session: Session
    optimizers: tuple[Optimizer, ...]
    _ahead: int  # of _step_count over last_epoch
    _known_ahead: int  # the same before somebody else set one of the two
    _is_led = False  # whether somebody else sets last_epoch
    _stood_when_asked = True  # whether our values still stood when a rate was asked for last
    _drawn = 0  # questions that counted without an update, since a load

    def __init__(
        self,
        optimizer: Optimizer | Iterable[Optimizer],
        schedule: Target | Source,
        *,
        run: Run | None = None,
        peak: float | None = None,
        base: str | None = None,
        rules: Sequence[Rule | Mapping[str, Any]] = (),
        scaler: GradScaler | None = None,
        counts: str | None = None,
        on_change: str = "refuse",
        on_device: bool = False,
    ) -> None:
        # LRScheduler.__init__ is not called: it would put a wrapper round optimizer.step, a graph break when compiled
        self.optimizers = check_optimizers(optimizer)
        self.optimizer = self.optimizers[0]
        self.session = Session(schedule, run, rules=rules, on_change=on_change)
        peak = None if peak is None else positive_number(peak, "peak")
        base = None if base is None else one_of(base, "base", ("initial", "present"))
        if on_device and counts == "updates":
            raise PreheatError("with on_device=True every call counts", given=counts, write="drop counts=")
        counts = "calls" if on_device else counts
        self._have_seen_nothing()
        for finding in getattr(schedule, "findings", ()):  # of a restatement: what the audit should not lose
            if finding.code in ("rate-argument", "not-equal", "metric-driven"):
                self._note(str(finding))
        self._count_with(UpdateCounter(self.optimizers, scaler, self.session, counts, base is not None))
        slots = self._first_slots(base, peak)
        self.session.check_floors(slots.called)
        given = {slot.line.key: slot.gain for slot in slots.slots}
        refuse_unclear(self.session.given, lambda line: given.get(line.key))
        self._device_clock = DeviceClock(slots, self.session, self._buffers) if on_device else None
        self._count_from(0, 1)
        self._follow(slots)
        self._take(slots)
        self._write_now()
        self._say_what_looks_wrong(slots)

    def _say_what_looks_wrong(self, slots: Slots) -> None:
        """Of what was given, before anything has happened."""
        level = levelled(slots)
        for _, words in level:
            self._note(words)
        words_of_rates = [words for line, words in level if line.is_rate]
        for words in rounded_away(self.session):
            self._note(words)
            words_of_rates.append(words)
        for words in [*double_warmups(self._counter.innermost, self.plan), *words_of_rates]:
            warnings.warn(words, PreheatWarning, stacklevel=3)

    def _count_with(self, counter: UpdateCounter) -> None:
        self._counter, self._buffers = counter, Buffers(counter.flag)
        counter.flag.overlooked = WeakMethod(self._overlooked)

    def _overlooked(self) -> None:
        """Many updates have been applied without a call: say so, unless another Scheduler is called."""
        counter = self._counter
        if self.has_begun and counter.is_called_too_rarely() and not self._is_replaced:
            counter.miss()
            counter.sound()

    def _have_seen_nothing(self) -> None:
        self._edits: dict[str, int] = {}
        self._notes: dict[str, int | None] = {}  # findings, and of what a load takes back the update
        self._unheard: dict[str, None] = {}  # metrics that no rule listens to, by name
        self._asked: GoBack | None = None  # what a Rewind asked for when the last step ended
        self._left: dict[tuple[int, str, int | None], float] = {}  # what nobody schedules any more, and what it is

    def _first_slots(self, base: str | None, peak: float | None) -> Slots:
        """The slots of the groups as they are found, with what their factors multiply."""
        memories = [memory_of(optimizer) for optimizer in self.optimizers]
        slots = Slots(self.plan, Bases(self.optimizers, [memory.has_writer for memory in memories]))
        self._defaults = [memory.default for memory in memories]  # the rates that the script built the optimizers with
        if base is not None:
            close_as_said(slots, base)
        for slot in [*slots.slots, *slots.left_alone] if base is None else ():
            known = ((memory, memory.base_of(slot)) for memory in memories)
            memory, earlier = next(((memory, found) for memory, found in known if found), (None, None))
            if memory is None or earlier is None:
                continue
            if slot.is_rate and peak is None and memory.asked_peak is not None and not same(memory.ratio, 1):
                slot.base.source = OPEN  # the script says another rate now
                continue
            is_news = slot.base.is_open or not same(slot.base.now, earlier.now)
            if is_news and slot.needs_base and earlier.now and not (slot.is_rate and peak is not None):
                self._note(f"{slot.label} follows an earlier Scheduler: its base of {earlier.now:g} was taken over")
            slot.base.is_now(earlier.given, earlier.now)
            if slot.is_rate and peak is not None:
                slots.bases.ratio = memory.ratio
        if peak is not None:
            scale_to_peak(slots, peak)
        whole = {slot.base.given for slot in slots.rates if slot.scale == 1} | set(filter(None, self._defaults))
        for slot in (slot for slot in slots.rates if slot.scale != 1):
            if (
                of := next((rate for rate in whole if rate and same(slot.base.given, rate * slot.scale)), None)
            ) is not None:
                self._warn(
                    f"{slot.label} is {slot.base.given:g}, which is lr_scale times {of:g}, the optimizer's rate or another "
                    "group's, and has that lr_scale too, so it is applied twice; leave one of them out"
                )
        return Slots(self.plan, slots.bases)

    # -- in the training loop ---------------------------------------------------------------------------------------

    def step(
        self,
        epoch: Any = None,
        *,
        metrics: Mapping[str, Any] | None = None,
        advance: float | None = None,
        found_inf: Tensor | None = None,
    ) -> None:
        """Go on to the next update: call it after every `optimizer.step()`.

        metrics: what was measured, for the rules, by name; it may come with any call, or never. Where all rules listen to
            one metric, `step(value)` is `step(metrics={name: value})`, as frameworks call ReduceLROnPlateau.
        advance: how many ticks have passed, where they are not the same for every update (tokens, samples, seconds).
            Where the Run does not say what an update is worth, a call without it brings metrics and counts nothing.
        found_inf: with on_device, a tensor that is 1 where the update was skipped and 0 where it was applied.

        Until an applied update has been seen each call counts, so that a bare loop draws the curve, unless something shows
        that training is on (see counts); from then on only calls that follow one do. The others change nothing but what
        the rules have seen, and `audit()` counts them. What looks wrong is said once, as a PreheatWarning.
        """
        if metrics is None and advance is None and epoch is None and found_inf is None and self._fast_step():
            return
        brought = epoch if metrics is None else metrics
        if epoch is not None:
            if isinstance(epoch, int) and epoch == 0 and self.last_epoch == -1:
                self._update_lr(0)  # SequentialLR of torch before 2.9 begins a member so
                return
            if metrics is not None or (isinstance(epoch, int) and not isinstance(epoch, bool)):
                raise PreheatError(
                    "step() takes no epoch",
                    given=epoch,
                    write="write step(metrics={'loss': …}) for a metric; load_state_dict moves to another position",
                )
            metrics = self.session.named(epoch)
        if metrics is not None and self._counter.is_repeated(brought):
            metrics = {}
        if self._device_clock is None:
            self._step(metrics, advance, found_inf)
        elif metrics is None and advance is None:
            self._step_on_device(found_inf)
        else:
            raise PreheatError("with on_device=True a step is one update, whatever the host has measured")

    def _step(self, metrics: Mapping[str, Any] | None, advance: float | None, found_inf: Tensor | None) -> None:
        session = self.session
        if found_inf is not None:
            raise PreheatError(
                "found_inf= is for on_device=True", write="pass scaler= to Scheduler to count on the host"
            )
        passed = None if advance is None else checked_advance(advance, session.run)
        known = passed is not None or session.tick is not None or session.measures_time
        if metrics is not None:
            session.observe(metrics)
            self._look_who_listens(metrics)
            self._counter.met.update(map(str, metrics))
        elif not known:
            raise unknown_advance(session.run)
        counter = self._counter
        if self._lead == 1:  # step() is called beside somebody who sets last_epoch
            self._drop_lead()
        counter.is_told = counter.is_told or passed is not None
        counted = known and counter.is_update(metrics is not None)
        if counted:
            session.advance(passed)
            self._say_unanswered()
        if counted or metrics is not None or not self._sample.is_untouched():
            self._write_now()
        self._look_whether_it_is_over()
        if session.rules and (words := silent_words(session, counter, self._unheard)):
            counter.alarm("silent", words)
        counter.sound()

    def _say_unanswered(self) -> None:
        """Warn of an update after a step that had ended with a question: what is asked within a step is seen after it."""
        asked, self._asked = self._asked, self.session.rewind
        if asked is not None:
            self._warn(
                f"Rewind asks to go back to update {asked.step} and nobody does; look at scheduler.rewind after every step, "
                "and answer with scheduler.go_back(state), or use Rewarm"
            )

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Tell the rules what was measured, by name, and count nothing: for whatever reports beside the training loop.

        What no rule listens to is left out, as frameworks report much beside; what looks like a slip of the pen for what a
        rule waits for is warned of. Raises PreheatError, having told none, for a metric that is no number.
        """
        heard = self.session.heard(metrics)
        self._look_who_listens(metrics)
        if heard:
            self.session.observe(heard)
            self._counter.met.update(heard)
            self._write_now()
        self._counter.sound()

    def _look_who_listens(self, metrics: Mapping[str, Any]) -> None:
        """Keep the names of metrics that no rule listens to, and say of which it looks like a slip of the pen."""
        known = {rule.metric for rule in self.session.rules}
        awaited = known - self._counter.met - set(metrics)
        new = (str(name) for name in metrics if name not in known and name not in self._unheard)
        for name in islice(new, max(0, _KEPT - len(self._unheard))):
            self._unheard[name] = None
            if words := misspelt_words(name, awaited):
                self._note(words)
                self._counter.alarm(f"misspelt {name}", words)

    def go_to(self, update: int) -> None:
        """Go to an update, counted from 0, for a framework that numbers them itself; its values are written at once.

        Raises PreheatError where an update is worth no known tick, and, unless it is there already, where there are rules:
        what they would have seen on the way is not known.
        """
        self._read_device_clock()
        update, session = counted(update, "go_to takes the number of an update"), self.session
        if session.tick is None or self._counter.is_told:
            raise unknown_advance(session.run)
        if update == session.updates:
            self.write()
            return
        if session.rules:
            what = f"what the rules have seen up to update {update} is not known"
            raise PreheatError(what, write="load_state_dict of what was saved there, or leave rules= out")
        self._count_from(update, update + 1)
        session.move_to(update * session.tick)
        self._counter.restart()
        if self._device_clock is not None:
            self._device_clock.move_to(session)
        self._write_now()

    def write(self) -> None:
        """Write the values of this position again, over what others have written, which is warned of once; counts nothing."""
        self._write_now()
        self._counter.sound()

    def _look_whether_it_is_over(self) -> None:
        """Warn once of updates at rate 0 after the end of the schedule."""
        counter = self._counter
        if is_over(self.session, self._warn_from) and (counter.applied or counter.counts == "calls"):
            self._warn_from = math.inf  # known now, and the usual step need not look any more
            self._fast_step = self._fast_step_if_plain()
            counter.alarm("over", over_words(self._facts()))

    def _step_on_device(self, found_inf: Tensor | None) -> None:
        self._catch_up()
        self._device_clock.step(found_inf)  # type: ignore[union-attr]

    def audit(self) -> Audit:
        """What was counted, skipped and ignored so far, and what looks wrong; `print` it."""
        return audited(self._facts())

    def _facts(self) -> Facts:
        device_clock = self._device_clock
        self._slots_now()
        return Facts(
            session=self.session,
            position=self.position,
            applied=self._counter.applied if device_clock is None else device_clock.read()[0],
            zero_from=zero_from(self._rate_lines()),
            counter=self._counter,
            edits=self._edits,
            on_device=device_clock is not None,
            notes=tuple(self._notes),
            unheard=tuple(self._unheard),
        )

    def _rate_lines(self) -> list[Line]:
        """The lines that drive rates."""
        return list({slot.line.key: slot.line for slot in self._slots.slots if slot.is_rate}.values())

    def __repr__(self) -> str:
        rates = [f"{float(rate):g}" for rate in self.get_last_lr()]
        shown_rates = ", ".join(rates[:_SHOWN] + ["…"] * (len(rates) > _SHOWN))
        return f"Scheduler({self._facts().place}, lr={shown_rates})"

    def _repr_html_(self) -> str | None:
        return html_of(self.plan, run=self.run, heading=repr(self), position=self.position)

    # -- what is read off it ----------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The bound plan that is followed."""
        return self.session.plan

    @property
    def run(self) -> Run:
        """The run that the plan is bound to."""
        return self.session.run

    @property
    def on_change(self) -> str:
        """What `load_state_dict` does when the plan differs from the saved one."""
        return self.session.on_change

    @property
    def position(self) -> float:
        """Where on the run's clock the coming update is, in ticks."""
        self._read_device_clock()
        return self.session.position

    def get_last_lr(self) -> list[float | Tensor]:
        """The rate of every group for the coming update, as this scheduler wrote it."""
        slots, values = self._slots_now(), self._values()
        rates = {id(slot.group): self._value_of(slot, values) for slot in slots.slots if slot.is_rate}
        return [rates.get(id(group), held) for group, held in zip(slots.groups, rates_of(slots.groups), strict=True)]

    def values(self) -> dict[str, float]:
        """Everything scheduled, for a logger: `{"head/lr": 0.1, "body/lr": 0.01}`; of a lone group, `{"lr": 0.1}`."""
        slots, values = self._slots_now(), self._values()
        lone = len(slots.groups) == 1
        own = {line.key: values[line.key] for line in slots.outside}
        return own | {
            slot.line.hyper if lone else f"{slot.name}/{slot.line.hyper}": self._value_of(slot, values)
            for slot in slots.slots
        }

    def value(self, name: str) -> float:
        """One of `values()`: a quantity of your own such as "clip_norm", or "head/lr". Raises PreheatError if unknown."""
        values = self.values()
        if name not in values:
            raise PreheatError(f"the plan has no {shown(name)}{nearest(str(name), values)}")
        return values[name]

    @property
    def rewind(self) -> GoBack | None:
        """What a Rewind rule asks for: to go back to the checkpoint of update `step`, or an older one, and to leave out `skip`
        batches; None if nothing. `go_back(state)` answers it."""
        return self.session.rewind

    @property
    def next_batch(self) -> int:
        """Which batch of the data the coming update takes, from 0: `last_epoch`, and what was left out after going back."""
        self._read_device_clock()
        return self.session.next_batch

    def _value_of(self, slot: Slot, values: Mapping[str, float]) -> float:
        """What a group is given now; `values` are those of the lines."""
        if self.session.has_floor(slot.line):
            return self.session.rate(slot.line, slot.gain, slot.called, slot.place)
        return slot.gain * values[slot.line.key]

    def _values(self) -> dict[str, float]:
        """The value of every line, by its key."""
        self._read_device_clock()
        return self.session.values()

    def _slots_now(self) -> Slots:
        """The slots of the groups as they are now; asking changes nothing but that the next step looks at them again."""
        if self._slots.are_current(self.optimizers):
            return self._slots
        self._fast_step = _no_fast_step  # it cannot tell a group from an equal one that replaced it
        return self._followed(self._slots.bases.copy())

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The position and the plan as plain values: JSON-able, the same keys for ever, however many groups.

        An update that was applied is counted in it, also where the call of `step()` that follows is still to come.
        """
        self._read_device_clock()
        session = self.session
        if self._device_clock is None and self._counter.has_pending:
            session = copy(session)
            session.advance()
        elif (lead := self._lead) == 1 or (self._is_led and lead == 0 and self._flag_is_up):
            session = copy(session)  # the update that is coming, whoever has counted it ahead
            session.updates -= lead
            if self._flag_is_up and self._is_led_by_updates:
                session.advance()
        slots = self._slots_now()
        defaults, peak = slots.bases.kept_from or (self._defaults, slots.bases.asked_peak)
        bases = bases_to_text(defaults, slots.known_rows(), peak)
        return session.state_dict() | {"_step_count": session.updates + self._ahead, "bases": bases}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position and write its values at once, whether the optimizer is loaded before or after.

        Raises StateError, having changed nothing, for a state that is damaged, or whose plan or bases differ (see
        on_change), or where what a group was given cannot be known.
        """
        self._read_device_clock()
        saved = self.session.saved(state_dict)
        self.session.check_not_asked(saved)
        self._load(saved)

    def go_back(self, state_dict: dict[str, Any]) -> None:
        """Go back to the state that was saved where `rewind` asks for, or before, and remember what is to be left out.

        Load the weights and the optimizer of the same checkpoint, before or after. The rate warms up again from there.
        Raises PreheatError, having changed nothing, where no rule asks to go back, or the state is of a later update;
        StateError as `load_state_dict` does.
        """
        self._read_device_clock()
        self._load(self.session.saved(state_dict), self.session.gone_back)

    def _load(self, saved: Saved, change: Callable[[Resumption], Resumption] | None = None) -> None:
        resumption, slots = resumed(self._slots_now(), saved, self.session, self._defaults)
        resumption = resumption if change is None else change(resumption)
        if self._device_clock is not None:
            self._device_clock.check(slots, resumption.rules)
        check_floors(resumption.rules, slots.called)
        is_the_same = slots is self._slots and saved.plan is slots.plan and resumption.rules == self.session.rules
        is_the_same = is_the_same and self.has_begun and not self._counter.is_member
        left = [] if is_the_same else left_behind(self._slots, saved, slots)
        self.session.resume(resumption)
        self._asked = None  # it is seen anew
        self._count_from(saved.updates, saved.steps)
        self._counter.restart()
        self._drawn = 0
        if not is_the_same or not self.has_begun:
            self._take_over(slots, left)
        if self._device_clock is not None:
            self._device_clock.move_to(self.session)
        is_moved = any(not same(slot.base.now, slot.base.given) for slot in self._slots.rates)
        for note, since in list(self._notes.items()):
            if since is not None and not (is_moved and since <= saved.updates):
                del self._notes[note]
        self._write_now()
        ends, ended = self.run.total, saved.run.total
        if self.on_change == "refuse" and ends is not None and ended is not None and ends < ended:
            self._warn(
                f"the run ends at {ends:g} now, and at {ended:g} when this state was saved, whose values are the same: pass "
                f"total={ended:g}, or on_change='keep', where that was meant to stay, as after extend({ended:g})"
            )

    def _take_over(self, slots: Slots, left: Iterable[Left]) -> None:
        """Write to other slots than before, and give back what is left."""
        if self.has_begun:
            self._follow(slots)
        self._take(slots)
        self._put_back(left)

    def _put_back(self, left: Iterable[Left]) -> None:
        """Give back to the groups what nobody schedules any more; say so where it is not known what that was."""
        place = {id(group): i for i, group in enumerate(self._slots.groups)}
        self._left = {}
        for slot, value, is_kept in left if not self._slots.unready else ():
            if value is None:
                self._warn(
                    f"{slot.label} is scheduled by nobody any more, and stays at {slot.value:g}; write it a line"
                )
            else:
                put_number(slot.group, slot.key, slot.index, value)
                if is_kept:
                    self._left[place[id(slot.group)], slot.key, slot.index] = value

    def _write_left(self) -> None:
        for (i, key, index), value in self._left.items():
            if i < len(groups := self._slots.groups):
                put_number(groups[i], key, index, value)

    def _count_from(self, updates: int, steps: int) -> None:
        self.session.updates, self._ahead = updates, steps - updates
        self._known_ahead = self._ahead

    def __getstate__(self) -> dict[str, Any]:
        self._read_device_clock()
        derived = ("_slots", "_write", "_fast_step", "_counter", "_device_clock", "_buffers")
        derived += ("_sample", "_groups", "_known_groups", "_stood", "_guards", "_warn_from")
        kept = {key: value for key, value in self.__dict__.items() if key not in derived}
        return kept | {
            "_bases": self._slots.bases.kept(),
            "_counting": (self._counter.given_scaler, self._counter.counts, self._counter.starts_anew),
            "_counts": {name: copy(getattr(self._counter, name)) for name in UpdateCounter.KEPT},
            "_pending": self._counter.flag.is_raised,
            "_on_device": self._device_clock is not None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        derived = ("_bases", "_counting", "_counts", "_pending", "_on_device")
        bases, (scaler, *counting), counts, pending, on_device = (state.pop(key) for key in derived)
        self.__dict__.update(state)
        self._count_with(UpdateCounter(self.optimizers, scaler, self.session, *counting))
        self._counter.__dict__.update(counts)
        self._counter.flag.up = pending
        slots = Slots(self.plan, Bases(self.optimizers).with_kept(bases))
        self._device_clock = DeviceClock(slots, self.session, self._buffers) if on_device else None
        self._follow(slots)
        self._take(slots)
        if self._device_clock is not None:
            self._device_clock.move_to(self.session)
        self._write_now()

    # -- another plan -----------------------------------------------------------------------------------------------

    def finish_in(self, span: SpanLike) -> None:
        """Say that the run ends `span` from now: the open stable phase ends in time for what follows it.

        Raises PreheatError, having changed nothing, if what follows does not fit into `span`, and for a bare `span` between
        0 and 1, unless the clock is seconds: write '20%', or '0.2 ticks'.
        """
        self._change_plan(lambda session: session.finish_in(span))

    def extend(self, total: SpanLike) -> None:
        """Make the run end at `total`: the plan that was given is bound anew, its 'rest' and '%' with it.

        Raises PreheatError, having changed nothing, if nothing in the plan is 'rest' or '%', or if a value before now
        would have been another.
        """
        self._change_plan(lambda session: session.extend(total))

    def cooldown(self, span: SpanLike, shape: Shape | str = "linear", to: float = 0.0) -> None:
        """From now on bring the rate down to `to`, a factor (a rate for an absolute line), over `span`: the run ends then.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        Raises PreheatError, having changed nothing, where the run ends before, and for a bare `span` between 0 and 1, unless
        the clock is seconds: write '20%', or '0.2 ticks'.
        """
        self._change_plan(lambda session: session.cooldown(span, shape, to))

    def rewarm(self, span: SpanLike, start: float = 0.0) -> None:
        """From now on warm up again over `span`: from `start`, 0 to 1, of the planned value to all of it.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        Raises PreheatError, having changed nothing, where the run ends before, and for a bare `span` between 0 and 1, unless
        the clock is seconds: write '20%', or '0.2 ticks'.
        """
        self._change_plan(lambda session: session.rewarm(span, start))

    def _change_plan(self, change: Callable[[Session], None]) -> None:
        """Follow the plan that the session would have after a change; refused whole where plan or groups do not allow it."""
        self._read_device_clock()
        changed = copy(self.session)
        change(changed)
        slots = Slots(changed.plan, self._slots_now().bases)
        if self._device_clock is not None:
            self._device_clock.check(slots, ())
        self.session.follow(changed)
        self._take(slots)
        self._write_now()

    def set_peak(self, peak: float) -> None:
        """From now on the largest group has the rate `peak` at factor 1, the others keeping their ratio to it.

        It is saved, and audited. After a load with on_change="rebase" the factors are those of `plan`, the rebased one.

        Loading a state brings back the peak that it was saved with: set another one after loading.

        Raises PreheatError, having changed nothing, for a plan of rates, whose peak is in its text.
        """
        peak, slots = positive_number(peak, "peak"), self._slots_now()
        rates = _settled_rates(slots, "set_peak")
        largest = max(slot.base.given * slot.scale for slot in rates)
        for slot in rates:
            slot.base.now = slot.base.given * (peak / largest)
        self._note(f"the peak was set to {peak:g} at update {self.last_epoch}", self.last_epoch)
        self._take(slots)
        self._write_now()

    # -- the optimizer ----------------------------------------------------------------------------------------------

    def _take(self, slots: Slots) -> None:
        """Write to these slots from now on."""
        session = self.session
        self._slots, self._write = slots, attach(slots, session if session.rules else None, self._buffers)
        self._sample = self._counter.flag.written = self._counter.around.written = slots.sample()
        self._groups = groups = self.optimizer.param_groups
        self._known_groups = list(groups)
        self._stood = [(group, group.get(RATE)) for group in slots.groups]
        self._guard(bool(slots.unready) and self.has_begun)
        for optimizer in self.optimizers if self.has_begun and not self._is_replaced else ():
            memory_of(optimizer).wrote(self, slots, session)
        if self._device_clock is not None:
            self._device_clock.take(slots)
        past_end = warned_from(self._rate_lines(), session.run, session.tick)
        self._warn_from = math.inf if "over" in self._counter.warned else past_end
        self._fast_step = self._fast_step_if_plain()

    def _fast_step_if_plain(self) -> Callable[[], bool]:
        plain = (
            self.session.tick is not None and not self.session.rules and len(self.optimizers) == 1 and not self._is_led
        )
        on_host = self._device_clock is None and self._counter.scaler is None
        return self._build_fast_step() if plain and on_host else _no_fast_step

    def _build_fast_step(self) -> Callable[[], bool]:
        """What `step()` does in the usual case, in as few operations as can be; False, having done nothing, in another.

        A local name costs a fraction of an attribute.
        """
        session, counter, optimizer = self.session, self._counter, self.optimizer
        flag, tick, move_to, write = counter.flag, session.tick or 0, session.move_to, self._write
        groups, known, sample = self._groups, self._known_groups, self._sample
        every_call, until = counter.counts == "calls", self._warn_from
        (head, key), (end, last) = sample.places

        def fast_step() -> bool:
            try:  # lists compare by identity first; where a group is another, looking into those with tensors fails
                if (
                    head[key] is not sample.first
                    or end[last] is not sample.last
                    or optimizer.param_groups is not groups
                    or groups != known
                ):
                    return False
            except (RuntimeError, ValueError):
                return False
            position = session.position + tick
            if position > until:
                return False
            if flag.up and counter.since:
                flag.up = False
                counter.applied += 1
            elif every_call and not flag.up:
                counter.unseen += 1
            else:
                return False
            session.updates += 1
            move_to(position)
            write(position)
            sample.first, sample.last = head[key], end[last]
            return True

        return fast_step

    @property
    def has_begun(self) -> bool:
        """Whether it follows the optimizer: a member of SequentialLR does not until its turn has come."""
        return self.session.updates >= 0

    def _write_now(self) -> None:
        self._catch_up()
        if not self.has_begun:
            return
        if not self._sample.is_untouched():
            self._find_edits()
        if self._device_clock is not None:
            self._device_clock.write()
            return
        self._write(self.session.position)
        self._sample.take()

    def _catch_up(self) -> None:
        """Take the groups as they are now."""
        now = self._slots_now()
        if now is not self._slots:
            self._take(now)

    def _find_edits(self) -> None:
        """Name what someone else has written to."""
        found = self._edited()
        for label in found:
            self._edits[label] = self._edits.get(label, 0) + 1
        if found:  # a tensor may have been replaced
            self._counter.alarm("edited", edited_words(self._edits)[0])
            self._take(self._slots)

    def _edited(self) -> list[str]:
        """What it is called, of the places that are looked at, where another value stands than was written last."""
        seen = zip(self._slots.ends(), (self._sample.first, self._sample.last), strict=True)
        return list(dict.fromkeys(label for slot, last in seen if (label := slot.edited(last))))

    def _followed(self, bases: Bases) -> Slots:
        """The slots of the groups as they are now, some of which were added, removed or replaced."""
        added = bases.follow(self.optimizers)
        slots = Slots(self.plan, bases)
        slots.check_places(self._slots)
        self.session.check_floors(slots.called)
        for slot in slots.rates:
            if any(slot.group is group for group in added) and (like := self._is_at_todays_rate(slot)):
                self._warn(
                    f"{slot.label} was added at {slot.base.given:g}, today's rate of {like}, and is a factor of that from now "
                    "on; add a group at the rate that it would have had from the beginning"
                )
        return slots

    def _is_at_todays_rate(self, added: Slot) -> str | None:
        """Another group that has, at the moment and not at its peak, the rate with which one was added."""
        values = self.session.values()
        for slot in self._slots.rates:
            now, factor = slot.gain * values[slot.line.key], values[slot.line.key]
            if slot.group is not added.group and not same(factor, 1.0) and same(now, added.base.given):
                return f"group {slot.name}"
        return None

    # -- what happens to the optimizer, told by its memory ----------------------------------------------------------

    def _follow(self, slots: Slots) -> None:
        for optimizer, default in zip(self.optimizers, self._defaults, strict=True):
            memory_of(optimizer).follow(self, _driven(slots.slots, optimizer), default)

    @property
    def _is_replaced(self) -> bool:
        """Whether a Scheduler that was built later drives all that this one did."""
        driven = [(one, key) for one in self.optimizers for key in _driven(self._slots.slots, one)]
        return bool(driven) and all(memory_of(one).is_superseded(self, *key) for one, key in driven)

    def added(self) -> None:
        """The optimizer got another group: it follows the plan from its first update on."""
        if not self._is_replaced:
            self._read_device_clock()
            self._write_now()

    def loading(self, optimizer: Optimizer, state: Mapping[str, Any]) -> None:
        """The optimizer is about to load a state. Refuses one whose groups have other names: torch loads them by place."""
        self._is_last_word = self._sample.is_untouched()
        for i, (group, saved) in enumerate(zip(optimizer.param_groups, state.get("param_groups", ()), strict=False)):
            own, other = name_of(group), name_of(saved)
            if own is not None and other is not None and own != other:
                raise StateError(
                    f"group {i} is called {own!r}, and in the optimizer's state {other!r}; torch loads groups by their place",
                    write="give the groups the names and the order that they were saved with",
                )

    def loaded(self) -> None:
        """The optimizer has loaded a state: the values that belong to this position are written again, into the tensors that
        the caller gave."""
        self._read_device_clock()
        before, bases = self._slots, self._slots.bases
        bases.follow(self.optimizers)
        if not (self._counter.seen or self._is_led):
            self._counter.forget()  # what was applied before, by a range finder, is undone
        _name_again(before, bases.groups)
        self._counter.optimizer_was_loaded(self._rate_found(bases))
        _put_back(before, bases.groups)
        slots = Slots(self.plan, bases)
        self._take(slots)
        shared = hasattr(self.optimizer.step, "_wrapped_by_lr_sched")  # another scheduler may write after this one
        last = all(memory_of(optimizer).is_last(self) for optimizer in self.optimizers)
        if last and not self._is_replaced and (self._is_last_word or not shared):
            self._sample.take()
            self._write_now()
            self._write_left()

    def _rate_found(self, bases: Bases) -> str | None:
        """A rate on the host that a loaded state has brought and this position has not, in words."""
        for slot in Slots(self.plan, bases).rates if self.has_begun and not self._is_replaced else ():
            held = slot.held
            on_host = not isinstance(held, Tensor) or held.device.type == "cpu"
            if slot.is_ready and on_host and not slot.holds(self._value_of(slot, self.session.values())):
                return f"{slot.label} {slot.value:g}"
        return None

    def _guard(self, wanted: bool) -> None:
        """Refuse updates before they are applied, while it is not known what the factors multiply."""
        guards = self.__dict__.setdefault("_guards", [])
        if wanted and not guards:
            refuse = WeakMethod(self._refuse_update)
            for layer in filter(is_watchable, (one for optimizer in self.optimizers for one in layers(optimizer))):
                guards.append(layer.register_step_pre_hook(_calling(refuse)))
        elif not wanted:
            for guard in guards:
                guard.remove()
            guards.clear()

    def _refuse_update(self, optimizer: Optimizer, /) -> None:
        groups = optimizer.param_groups
        stood = any(group.get(RATE) is held for group, held in self._stood if any(group is own for own in groups))
        if not stood and all(group.get(RATE) is not None and float(group[RATE]) == 0 for group in groups):
            return  # torch's distributed checkpointing fills the state so, before it loads it
        mine = [
            slot
            for one in self.optimizers
            for (place, hyper), slot in _driven(self._slots.unready, one).items()
            if not memory_of(one).is_superseded(self, place, hyper)
        ]
        if not mine:
            return
        slot = mine[0]
        if slot.base.is_open:
            what = (
                f"the optimizer was moved before this Scheduler was built, and what {slot.label} was given is not known"
            )
            if slot.is_rate and self._slots.bases.peak is not None:
                what += ", and so not its share of peak= either"
            raise PreheatError(what, write=f"load the scheduler's state, or {WAYS}", hint=OPEN_BASE)
        what = f"{slot.label} is 0, and factors of 0 are 0 for ever"
        line = f"{slot.name}/{slot.line.hyper}"
        raise PreheatError(
            what,
            write="give the group its peak rate, or, where it is meant to stand still, a line of its own such as "
            f"{{{line!r}: absolute(hold(0.0))}}",
        )

    def _note(self, note: str, since: int | None = None) -> None:
        """Keep a finding for the audit; since: the update of what loading an earlier state takes back."""
        self._notes[note] = since

    def _warn(self, note: str) -> None:
        """Keep a finding, and say it once."""
        if note not in self._notes:
            self._note(note)
            warnings.warn(note, PreheatWarning, stacklevel=4)

    def _read_device_clock(self) -> None:
        if self._device_clock is not None:
            updates, position = self._device_clock.read()
            self.session.move_to(position)
            self._count_from(updates, updates + 1)

    # -- what torch and the frameworks on top of it call or set -----------------------------------------------------

    @property
    def last_epoch(self) -> int:  # pyrefly: ignore[bad-override]
        """Updates applied so far; −1 of a member of SequentialLR that has not begun. A device clock is read."""
        self._read_device_clock()
        return self.session.updates

    @last_epoch.setter
    def last_epoch(self, updates: int) -> None:
        if updates == -1:
            self._set_updates(-1)
            self._give_way()
            return
        if updates == self.session.updates + 1 and not self._lead and self._is_led_by_updates and self._flag_is_up:
            if self._stood_when_asked:  # the update was applied before the first question, at our rate
                self._count_led()
                self._write_now()
                updates += 1
            else:  # at the rates of others, as those of a range finder, or of a scheduler before this one
                self._counter.forget()
        self._is_led, self._fast_step = True, _no_fast_step
        self._set_updates(updates)

    def _set_updates(self, updates: int) -> None:
        steps = self._step_count
        self.session.updates, self._ahead = updates, steps - updates
        self._counter.is_member = True

    @property
    def _step_count(self) -> int:  # pyrefly: ignore[bad-override]
        return self.session.updates + self._ahead

    @_step_count.setter
    def _step_count(self, steps: int) -> None:
        self._ahead = steps - self.session.updates

    @property
    def base_lrs(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        """What a factor of the rate multiplies now, of every group; it may be set, which `set_peak` does for all at once."""
        slots = self._slots_now()
        bases = {id(slot.group): slot.base.now for slot in slots.slots if slot.is_rate}
        held = zip(slots.groups, rates_of(slots.groups), strict=True)
        return _Rates(bases.get(id(group), rate) for group, rate in held)

    @base_lrs.setter
    def base_lrs(self, rates: Sequence[float]) -> None:
        slots = self._slots_now()
        settled, groups = _settled_rates(slots, "base_lrs"), slots.groups
        if not isinstance(rates, list | tuple) or len(rates) != len(groups):
            raise PreheatError(f"base_lrs has one rate for each of the {len(groups)} groups", given=rates)
        given = {
            id(group): positive_number(rate, "a rate of base_lrs") for group, rate in zip(groups, rates, strict=True)
        }
        for slot in settled:
            slot.base.now = given[id(slot.group)]
        self._note(f"base_lrs were set at update {self.last_epoch}", self.last_epoch)
        self._take(slots)
        self._write_now()

    @property
    def _last_lr(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        return self.get_last_lr()

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the coming update; where somebody else sets `last_epoch`, everything is written then.

        Ignite asks, and counts one more each time. What counts is the update that was applied since: a question without
        one changes nothing, once an update or a gradient has been seen, and until then each is one more, so that
        `simulate_values` draws the curve.
        """
        if not self._is_led_by_updates:
            return self.get_last_lr()
        self._stood_when_asked = not self._edited()
        if not self._is_led:
            return self.get_last_lr()
        if not self._counter.seen:  # what stands there may be of a scheduler whose turn it was until now
            self._sample.take()
        self._settle_lead()
        self._write_now()
        self._look_whether_it_is_over()
        self._counter.sound()
        return self.get_last_lr()

    @property
    def _is_led_by_updates(self) -> bool:
        """Whether somebody else's count can be followed: an update is worth a known tick."""
        on_host = self._device_clock is None and not self._counter.is_told
        return on_host and bool(self.session.tick) and self.has_begun

    @property
    def _lead(self) -> int:
        """By how much somebody else has set `last_epoch`, and no rate was asked for since."""
        return self._known_ahead - self._ahead if self._is_led else 0

    @property
    def _flag_is_up(self) -> bool:
        return self._counter.flag.is_raised

    def _settle_lead(self) -> None:
        """Make of somebody else's `last_epoch` the number of the update that is coming."""
        lead = self._lead
        if lead not in (0, 1):
            self._jump(lead)
        elif lead or (self._flag_is_up and self._stood_when_asked):
            self._drop_lead()
            self._count_led()
        elif self._flag_is_up:  # applied at the rates of others, whose turn it was until now
            self._drawn = 0
            self._counter.forget()
        self._known_ahead = self._ahead

    def _jump(self, lead: int) -> None:
        """Go where `last_epoch` was set to by hand."""
        session = self.session
        if session.rules:
            what = f"last_epoch was moved by {lead} updates, and what the rules would have seen in them is not known"
            raise PreheatError(what, write="load_state_dict goes to another position")
        session.move_to(session.updates * (session.tick or 1))
        self._counter.forget()

    def _drop_lead(self) -> None:
        """Take back what somebody else has counted ahead of the update."""
        self._count_from(self.session.updates - self._lead, self.session.updates - self._lead + 1)

    def _count_led(self) -> None:
        """Count an update if one was applied since the last question; say what looks wrong."""
        counter, session = self._counter, self.session
        updates = counter.flag.missed + 1 if self._flag_is_up else 0
        if not counter.seen:
            counter.is_training = False  # a loaded state says nothing of who asks
        drawn = self._drawn
        if not counter.is_update():
            return
        self._drawn = 0 if updates or counter.counts == "calls" else drawn + 1
        if updates and drawn and self._stood_when_asked:
            self._warn(
                f"{drawn + 1} rates were asked for before the first update, which counted as updates; attach the handler "
                "once, at an event that comes once for every update"
            )
            if not session.rules:  # those were none
                session.updates -= drawn
                session.move_to(session.position - drawn * (session.tick or 1))
        is_round = counter.counts == "calls" or session.run.clock == "epoch" or not self._stood_when_asked
        if updates >= 2 * len(self.optimizers) and not is_round:
            self._warn(
                f"{updates} updates were applied between two questions for the rate, and the plan counts updates: attach "
                "Ignite's handler at Events.ITERATION_STARTED, or write Run(clock='epoch') where it is asked once per "
                "epoch, or counts='calls' where a round of several is meant"
            )
        session.advance()

    _get_closed_form_lr = get_lr

    def _initial_step(self) -> None:
        self._counter.forget()
        self._count_from(self.last_epoch + 1, 1)
        self._begin()

    def _update_lr(self, epoch: int | None = None) -> None:
        self._counter.forget()
        self._set_updates(self.last_epoch + 1 if epoch is None else epoch)
        self._known_ahead = self._ahead
        self.session.move_to(self.last_epoch * (self.session.tick or 1))
        self._begin()

    def _begin(self) -> None:
        """Our turn has come: write, and be the one who writes after a load."""
        slots = self._slots_now()
        self._follow(slots)
        self._take(slots)
        self._sample.take()
        self._write_now()

    def _give_way(self) -> None:
        """SequentialLR has put every rate back to its initial_lr, which is the base then, and our turn is still to come."""
        for slot in self._slots.rates:
            initial = initial_of(slot.group)
            if slot.base.is_open and initial is not None:
                slot.base.is_now(initial, initial)
        self._take(self._slots)


class _Rates(list[Any]):
    """A list that says how to change what it shows."""

    def __setitem__(self, place: Any, rate: Any) -> None:
        raise PreheatError(
            "base_lrs is a copy", given=rate, write="write scheduler.base_lrs = [0.1, …], or set_peak(0.1)"
        )


def _settled_rates(slots: Slots, what: str) -> list[Slot]:
    """The rates that follow factors; refuses to change them where there are none, or their bases are not known."""
    rates = slots.rates
    if frozen := [slot for slot in rates if not slot.base.is_open and not slot.base.given]:
        why = f"{frozen[0].label} is 0, of which every multiple is 0"
        write = (
            f"write {{'{frozen[0].name}/{RATE}': 'absolute(hold(0))'}} into the plan where it is meant to stand still"
        )
        raise PreheatError(f"{what} changes what factors multiply, and {why}", write=write)
    if not rates or any(not slot.is_ready for slot in rates):
        why = "the rates of this plan are its own" if not rates else "what the factors multiply is not known yet"
        raise PreheatError(f"{what} changes what factors multiply, and {why}", write="build a Scheduler with peak=…")
    return rates


def _driven(slots: Iterable[Slot], optimizer: Optimizer) -> dict[tuple[int, str], Slot]:
    """Those of the slots that stand in an optimizer's groups, by the place of the group and what they drive there."""
    place = {id(group): i for i, group in enumerate(optimizer.param_groups)}
    return {(place[id(slot.group)], slot.line.hyper): slot for slot in slots if id(slot.group) in place}


def _name_again(before: Slots, groups: list[dict[str, Any]]) -> None:
    """Give the loaded groups the names that they had before: a state of groups without names takes none away."""
    for old, group in zip(before.groups, groups, strict=False) if len(groups) == len(before.groups) else ():
        if (name := old.get("name")) is not None:
            group.setdefault("name", name)


def _put_back(before: Slots, groups: list[dict[str, Any]]) -> None:
    """Put the tensors that the groups held before a load into the loaded ones, with what was loaded."""
    place = {id(group): i for i, group in enumerate(before.groups)}
    for slot in before.slots if len(groups) == len(before.groups) else ():
        group, held = groups[place[id(slot.group)]], slot.held
        if isinstance(held, Tensor) and group is not slot.group:
            held.detach().fill_(number(entry(group, slot.key, slot.index), slot.line.key))
            put(group, slot.key, slot.index, held)


def _calling(method: WeakMethod[Callable[[Optimizer], None]]) -> Callable[..., None]:
    """A hook that calls a method for as long as its object lives."""

    def hook(optimizer: Optimizer, *_: Any) -> None:
        if (found := method()) is not None:
            found(optimizer)

    return hook


def _no_fast_step() -> bool:
    """Every step takes the long way."""
    return False
