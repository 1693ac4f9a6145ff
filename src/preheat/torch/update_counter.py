"""Which calls of `step()` stand for an applied update."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from preheat.core.checks import one_of
from preheat.core.errors import PreheatError, PreheatWarning
from preheat.core.peaks import peak_of
from preheat.session.session import Session
from preheat.torch.wrapped import layers, watched

COUNTS = ("updates", "calls")
MANY = 50  # calls in a row without an update, after which it is said
MISSED = 10  # updates of an optimizer before a call, from which on it is said; a critic's rounds have fewer
MOMENTS = ("momentum_buffer", "exp_avg", "exp_avg_sq", "square_avg")  # 0 until an update was applied
ROUNDS = 5  # of calls after each of several optimizers, after which it is said
LOOKED_AT = 16  # parameters whose own counts are read: each reading may wait for the device


class Written(Protocol):
    """What the scheduler wrote last."""

    first: Any  # one of the objects

    def is_replaced_in(self, groups: list[dict[str, Any]]) -> bool | None:
        """Whether, of the rates of ours in these groups that are looked at, none is the object that was written; None
        without any."""


class Flag:
    """Set by every update that an optimizer applies. A constant, never a counter: a compiled step that changed a number
    would compile again for each.

    torch's distributed checkpointing steps an optimizer with every rate swapped to 0, and gradients of 0, before it reads
    a state: with all rates 0, and none of them the object that was written, nothing was applied.
    """

    def __init__(self) -> None:
        self.up = False
        self.missed = 0  # updates since the flag is up, the first aside, as far as they were not compiled
        self.overlooked: Callable[[], Callable[[], None] | None] | None = None  # whom to tell of many missed ones
        self.captured = False  # into a CUDA graph, whose replays run no hooks
        self.written: Written | None = None
        self.who: set[int] | None = None  # which of several have applied one since the last that was counted

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling():
            self.up = True
        elif _is_capturing():
            self.captured = True
        elif not self.is_without_effect(optimizer):
            self.missed = self.missed + 1 if self.up else 0
            self.up = True
            if self.who is not None:
                self.who.add(id(optimizer))
            if self.missed and self.missed % MANY == 0 and self.overlooked is not None:
                tell = self.overlooked()
                if tell is not None:
                    tell()

    @property
    def is_raised(self) -> bool:
        """Whether an update was applied, read or not."""
        return self.up

    def is_without_effect(self, optimizer: Optimizer) -> bool:
        """Whether the update that was just applied had every rate swapped to 0, by whoever has not written them."""
        groups, written = optimizer.param_groups, self.written
        rate = groups[0].get("lr", 1.0)
        if (type(rate) is float and rate) or (written is not None and rate is written.first):  # at almost every update
            return False
        if not all(_is_zero(group["lr"]) for group in groups if "lr" in group):
            return False
        replaced = written is None or written.is_replaced_in(groups) is not False
        return replaced and _has_gradients_of_0(groups)


class ScaledFlag(Flag):
    """The same under a GradScaler: a fused optimizer steps always, and skips inside where the scaler's `found_inf`,
    which stands on it just then, is not 0. It is read only when `step()` asks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        if found is None or torch.compiler.is_compiling() or _is_capturing():
            super().__call__(optimizer, args, kwargs)
        else:
            self.found.append(found)
            if self.who is not None:
                self.who.add(id(optimizer))

    @property
    def is_raised(self) -> bool:
        """The same, of the fused updates that have not been read yet too."""
        return self.up or any(not value.item() for value in self.found)

    def read_found(self) -> bool:
        """Raise the flag for fused updates that were applied; whether there were only skipped ones."""
        self.up = self.is_raised
        found, self.found = self.found, []
        return bool(found) and not self.up


class UpdateCounter:
    """Tells applied updates from skipped and surplus calls, and counts them.

    Until an applied update has been seen every call counts, so that a bare loop draws the curve; unless a state was
    loaded, a gradient waits, or counts="updates". From then on a call counts if an update was applied since the last
    one. counts="calls": every call counts.

    With a GradScaler the updates that it skips do not count, those that a fused optimizer skips inside itself among
    them. Of several optimizers one that applies an update is enough. Of optimizers that wrap others the innermost say
    when an update is applied: those around them may be called for every micro-batch. Once an update was captured in a
    CUDA graph every call counts: replays cannot be seen.

    Raises PreheatError where no layer of an optimizer can be watched.
    """

    KEPT = (
        *("seen", "applied", "surplus", "skipped", "unseen", "_idle", "is_training", "is_told", "is_member"),
        *("mismatch", "met", "warned", "was_restored", "found_rate", "is_apart"),
    )

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        scaler: GradScaler | None,
        session: Session,
        counts: str | None = None,
        starts_anew: bool = False,
    ) -> None:
        if scaler is not None and not hasattr(scaler, "get_scale"):
            raise PreheatError("scaler= takes the torch.amp.GradScaler of the training loop", given=scaler)
        self.counts = counts if counts is None else one_of(counts, "counts", COUNTS)
        self.optimizers, self.session, self.starts_anew = optimizers, session, starts_anew
        self.given_scaler, self.layers = scaler, [layer for one in optimizers for layer in layers(one)]
        self.innermost = [layer for layer in self.layers if len(layers(layer)) == 1]
        self.scaler = scaler or next(filter(None, (_own_scaler(layer) for layer in self.layers)), None)
        # those whose own count is that of updates
        self._counting = [one for one in optimizers if len(layers(one)) == 1 or _is_transparent(one)]
        self.flag = Flag() if self.scaler is None else ScaledFlag()
        self.around = Flag()  # set by layers around others, which may be called without an update
        self.seen = False
        self.applied = self.surplus = self.skipped = self.unseen = 0
        self._idle = (0, 0)  # calls that waited for an update in vain, and how many had been applied by then
        self.is_training = False  # something shows that updates are to come
        self.is_told = False  # ticks came with a call
        self.is_member = False  # SequentialLR moves the position: the optimizer's other updates are not ours
        self._places: dict[int, int] = {}  # of the optimizer that each layer is of
        self._alone: Counter[int] = Counter()  # calls in a row after which not all had applied an update, and who had
        self.is_apart = False  # whether it looks as if step() were called after each of several
        self.since: tuple[int, int | None] | None = None  # counts at the first update: ours, and the optimizers' own
        self.mismatch = ""  # what the first update said of the two counts
        self.met: set[str] = set()  # metrics that came, by name
        self.warned: set[str] = set()
        self.was_restored = False  # whether a state of the scheduler was loaded
        self.found_rate: str | None = None
        self._alarms: list[str] = []
        self.uncalled = 0  # updates that came without a call when that was last noticed
        self._brought: tuple[Any, list[Any]] = (None, [])  # by the last call that brought metrics
        self._scale = self.scaler.get_scale() if self.scaler else 1.0
        self._before = self.own_count()
        self._watch()

    def _watch(self) -> None:
        for place, optimizer in enumerate(self.optimizers):
            inner, around = watched(optimizer)
            if not inner and self.counts != "calls":
                raise PreheatError(
                    f"nothing in {type(optimizer).__name__} tells when an update is applied: neither it nor what it wraps "
                    "has called torch.optim.Optimizer.__init__",
                    write="pass counts='calls', and call step() once for every update",
                )
            for layer, flag in [*((one, self.flag) for one in inner), *((one, self.around) for one in around)]:
                self._places[id(layer)] = place
                weakref.finalize(self, _let_go, layer.register_step_post_hook(flag))
        if len(self.optimizers) > 1:
            self.flag.who, self.around.who = set(), set()
        self._versions = self._parameter_versions()

    # -- what a call stands for -------------------------------------------------------------------------------------

    def is_update(self, with_metrics: bool = False) -> bool:
        """Whether this call of `step()` stands for an applied update; one that only brings metrics is not surplus."""
        skipped = self._was_skipped()
        if self.flag.up or self._was_applied_around() or (self.flag.captured and not skipped):
            self._count_update()
            return True
        if self.counts == "calls" or not (skipped or self.seen or self._is_waited_for()):
            self.unseen += 1
            return True
        self.skipped += skipped
        self.surplus += self.seen and not skipped and not with_metrics
        if not (self.seen and with_metrics):
            self._idle = self.idle + 1, self.applied
        if self.idle == MANY and not self.applied:
            self.alarm("idle", self.idle_words())
        return False

    def is_repeated(self, brought: Any) -> bool:
        """Whether a call brings the very objects that the last one brought, with no update in between: a scheduler that
        accelerate has prepared is called once for every process, and has been told only once."""
        last, values = self._brought
        now = [*brought.values()] if isinstance(brought, Mapping) else []
        self._brought = brought, now
        same = brought is last and len(now) == len(values) and all(a is b for a, b in zip(now, values, strict=True))
        return same and self.seen and self.counts != "calls" and not (self.flag.is_raised or self.flag.captured)

    def _count_update(self) -> None:
        if self.is_called_too_rarely():
            self.miss()
        if self.flag.who is not None:
            self._look_who(self.flag.who)
        self.flag.up = self.around.up = False
        self.seen = self.is_training = True
        self.applied += 1
        if self.unseen and self.applied == 1 and self.counts != "calls" and not self.is_member:
            self.alarm("unseen", self.unseen_words())
        if self.since is None:
            own = self.own_count()
            self.since = self.applied, own
            self._compare(own)

    def _look_who(self, who: set[int]) -> None:
        """Whether every call for a while has followed an update of some of the optimizers only, each in its turn.

        Where one call follows all of them, once in a while, the others may be those of a critic that is updated more often.
        A compiled update does not say whose it was.
        """
        places = {self._places[layer] for layer in who}
        who.clear()
        if not places or len(places) == len(self.optimizers):
            self._alone.clear()
            return
        self._alone.update(places)
        every = all(self._alone[place] >= ROUNDS for place in range(len(self.optimizers)))
        if every and self._counts_updates:
            self.is_apart = True
            self.alarm("apart", self.apart_words())

    def apart_words(self) -> str:
        """What there is to say of calls after each of several optimizers."""
        return (
            f"step() was called after each of {len(self.optimizers)} optimizers, and every call counts, so the schedule runs "
            "too fast; call it once, after all of them, give each a Scheduler of its own, or pass counts='calls' where every "
            "call is meant"
        )

    def _is_waited_for(self) -> bool:
        """Whether something shows that training is on, so that a call without an update is none."""
        self.is_training = self.is_training or self.counts == "updates" or self._has_gradient()
        return self.is_training

    def _has_gradient(self) -> bool:
        groups = (group for optimizer in self.optimizers for group in optimizer.param_groups)
        return any(parameter.grad is not None for group in groups for parameter in group["params"])

    def _was_applied_around(self) -> bool:
        """Whether a layer around others applied an update by itself, none having come from within: parameters moved."""
        if not self.around.up or self.seen:
            return False
        now = self._parameter_versions()
        moved, self.around.up = now != self._versions, False
        if moved:  # so the outer ones are what tells, from now on
            self.flag, self.around = self.around, self.flag
        return moved

    def _parameter_versions(self) -> list[int]:
        groups = (group for optimizer in self.optimizers for group in optimizer.param_groups)
        return [p._version for p in islice((p for group in groups for p in group["params"]), LOOKED_AT)]

    def _was_skipped(self) -> bool:
        """Whether the scaler skipped an update, and no other was applied.

        The scaler says so until its update(), and lowers its scale in it.
        """
        if self.scaler is None:
            return False
        skipped_inside = self.flag.read_found()  # type: ignore[attr-defined]
        before, self._scale = self._scale, self.scaler.get_scale()
        if self.flag.up:
            return False
        states = getattr(self.scaler, "_per_optimizer_states", {})  # no public name says it; a disabled one has none
        found = [states[id(o)]["found_inf_per_device"] for o in self.layers if id(o) in states]
        if skipped_inside or any(bool(value.item()) for per_device in found for value in per_device.values()):
            self._scale = 0.0  # known already: the lower scale to come is no news
            return True
        return self._scale < before

    # -- what is asked ----------------------------------------------------------------------------------------------

    @property
    def idle(self) -> int:
        """Calls in a row for which no update was applied where one was waited for, up to now."""
        calls, applied = self._idle
        return calls if applied == self.applied else 0

    @property
    def has_pending(self) -> bool:
        """Whether an update was applied whose call of `step()` is still to come, and is worth a tick that is known."""
        session = self.session
        known = session.tick is not None and session.run.clock != "epoch" and not self.is_told
        if not (known and self.counts != "calls" and not self.is_member and self.flag.is_raised):
            return False
        return self.seen or any(map(has_moments, self.innermost))

    def own_count(self) -> int | None:
        """How many updates the optimizers themselves say they applied; None if none of them counts.

        None too of those that may apply several to what they wrap in one update.
        """
        return own_count(self._counting)

    def unseen_words(self) -> str:
        """What there is to say of calls that counted although an update was still to come."""
        return (
            f"of the calls of step(), {self.unseen} came before any update was seen, and counted, so every update uses a later "
            "value; call step() after optimizer.step(), or pass counts='updates' where the optimizer starts late"
        )

    def is_called_too_rarely(self) -> bool:
        """Whether so many updates came before this call that it does not stand for one, where the plan counts updates.

        Looked at when a first update is counted. Several in a round are usual: a critic's, or one of each optimizer.
        """
        return self._counts_updates and self.flag.missed + 1 >= MISSED * len(self.optimizers)

    @property
    def _counts_updates(self) -> bool:
        """Whether one call is to be one update, and nobody else moves the position."""
        session = self.session
        counts_updates = session.tick is not None and session.run.clock != "epoch" and not self.is_told
        return counts_updates and self.counts != "calls" and not self.is_member

    def miss(self) -> None:
        """Warn of the updates that came without a call, and keep how many they were."""
        self.uncalled = self.flag.missed + 1
        self.alarm("missed", self.missed_words(self.uncalled))

    def missed_words(self, updates: int) -> str:
        """What there is to say of many updates without a call."""
        return (
            f"{updates} updates were applied without a call of step(), and the plan counts updates: call it, in "
            'every process, after every optimizer.step() (in Lightning return {"scheduler": …, "interval": "step"}), or write '
            "Run(clock='epoch') where once per epoch, or counts='calls' where once per round is meant"
        )

    def idle_words(self) -> str:
        """What there is to say of calls without an update."""
        return (
            f"no optimizer step in {self.idle} calls of step(), so the schedule stands still; call it after "
            "optimizer.step() of the optimizer that it was given, or pass counts='calls' where every call is an update"
        )

    # -- what is said -----------------------------------------------------------------------------------------------

    def alarm(self, kind: str, text: str) -> None:
        """Warn of something once, when `sound` is called."""
        if kind not in self.warned:
            self.warned.add(kind)
            self._alarms.append(text)

    def sound(self) -> None:
        """Give the warnings that are due."""
        while self._alarms:
            warnings.warn(self._alarms.pop(), PreheatWarning, stacklevel=_level_of_caller())

    def _compare(self, own: int | None) -> None:
        """At the first update: whether the optimizer has counted as many before as the schedule. One more may be that of
        distributed checkpointing, at rate 0."""
        session = self.session
        if self.unseen or self.starts_anew or self.is_member or self.flag.captured:
            return
        if own is None:
            self._compare_rates()
            return
        one_a_call = session.tick is not None and session.run.clock != "epoch" and not self.is_told
        ours, is_lone = session.updates, len(self.optimizers) == 1
        seen = 1 + (self.flag.missed if is_lone or not ours else 0)  # of their updates, in this call
        theirs = own - seen if one_a_call else self._before or 0
        if theirs > 1 and ours == 0 and not self._is_constant:
            per_epoch = ", Run(clock='epoch') where step() is called once per epoch" if one_a_call else ""
            self.mismatch = (
                f"the optimizer has applied {theirs} updates before and the schedule begins at 0, so it starts again in "
                f"the middle of a run; load the scheduler's state too, or write what is meant: base='initial' for a "
                f"new schedule, base='present' for one of the rates that stand there{per_epoch}"
            )
        elif one_a_call and theirs <= 0 and ours > 1:
            self.mismatch = (
                f"the schedule is at update {ours} and the optimizer has applied none before; load the optimizer's state "
                "too, or build a new scheduler where the run starts again"
            )
        elif one_a_call and abs(theirs - ours) > 1 and is_lone:
            self.mismatch = f"the schedule was at update {ours} when the optimizer had applied {theirs}"
            return
        else:
            return
        self.alarm("mismatch", self.mismatch)

    @property
    def _is_constant(self) -> bool:
        """Whether nothing in the plan can begin again."""
        bounds = [peak_of(line.schedule) for line in self.session.plan.lines]
        return not self.session.rules and all(bound.is_constant for bound in bounds)

    def _compare_rates(self) -> None:
        """Of an optimizer that does not count, as SGD, the loaded rate tells that it was in the middle of a run."""
        if self.found_rate is not None and self.session.updates == 0:
            self.mismatch = (
                f"the optimizer's state was saved with {self.found_rate}, and the schedule begins at 0, where it is another; "
                "load the scheduler's state too, or write what is meant: base='initial' for a new schedule, base='present' "
                "for one of the rates that stand there"
            )
            self.alarm("mismatch", self.mismatch)

    def restart(self) -> None:
        """What comes next is another run's: a state was loaded."""
        self.forget()
        self._idle, self.is_training = (0, 0), True
        self.was_restored = True
        self.optimizer_was_loaded()

    def optimizer_was_loaded(self, rate: str | None = None) -> None:
        """Its own count may be another: the two are compared anew at the next update.

        rate: one that the state has brought and the schedule's position has not, in words.
        """
        self.since, self.mismatch = None, ""
        self.found_rate = None if self.was_restored else rate
        self.warned.discard("mismatch")
        self._before = self.own_count()

    def forget(self) -> None:
        """Whatever was applied so far has been counted, by whoever moved the position."""
        self.flag.up = self.around.up = False
        for who in filter(None, (self.flag.who, self.around.who)):
            who.clear()
        if isinstance(self.flag, ScaledFlag):
            self.flag.found.clear()


def _is_zero(rate: Any) -> bool:
    """Whether a rate is 0; not of one on a device, which would have to be waited for: a swapped one is on the host."""
    return not rate if not isinstance(rate, Tensor) else rate.device.type == "cpu" and not rate.any()


def _has_gradients_of_0(groups: list[dict[str, Any]]) -> bool:
    gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
    return bool(gradients) and not any(gradient.any() for gradient in gradients)


_OF_HOOKS = sys.modules[Optimizer.__module__].__file__  # where torch goes through the hooks of an optimizer
_dropped: list[Any] = []  # handles of hooks whose Scheduler is gone, which are still to be removed


def _let_go(handle: Any) -> None:
    """Remove a hook whose Scheduler is gone; later if that happened while torch goes through the hooks, as it may when memory
    is collected there."""
    _dropped.append(handle)
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == _OF_HOOKS:
            return
        frame = frame.f_back  # type: ignore[assignment]
    while _dropped:
        _dropped.pop().remove()


def own_count(optimizers: Sequence[Optimizer]) -> int | None:
    """How many updates the optimizers themselves say they applied; None if none of them counts."""
    counts = []
    for optimizer in optimizers:
        state = getattr(optimizer, "state", None) or {}
        for held in (*islice(state.values(), LOOKED_AT), *optimizer.param_groups):
            step = held.get("step") if isinstance(held, dict) else None
            if isinstance(step, int | float) or (isinstance(step, Tensor) and step.numel() == 1):
                counts.append(int(step))
    return max(counts, default=None)


def has_moments(optimizer: Optimizer) -> bool:
    """Whether the first update of an optimizer was one; of gradients of 0 it only makes the state, as DeepSpeed has it."""
    held = islice((getattr(optimizer, "state", None) or {}).values(), LOOKED_AT)
    moments = [one[key] for one in held if isinstance(one, dict) for key in MOMENTS if key in one]
    return not moments or any(bool(moment.any()) for moment in moments if isinstance(moment, Tensor))


def _is_transparent(optimizer: Optimizer) -> bool:
    """Whether a wrapper shows the very state of what it wraps, as accelerate's does: one update of it is one of that."""
    return not watched(optimizer)[1] and any(
        getattr(optimizer, "state", None) is getattr(layer, "state", optimizer) for layer in layers(optimizer)[1:]
    )


def _own_scaler(layer: Any) -> GradScaler | None:
    """The GradScaler that a wrapper steps with, as accelerate's does."""
    scaler = getattr(layer, "__dict__", {}).get("scaler")
    return scaler if hasattr(scaler, "get_scale") else None


def _is_capturing() -> bool:
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _level_of_caller() -> int:
    """The `stacklevel` at which a warning names the code that called preheat."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("preheat."):
        frame, level = frame.f_back, level + 1
    return level
