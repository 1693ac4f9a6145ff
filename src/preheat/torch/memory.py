"""What is remembered of an optimizer: which Schedulers follow it, and what they wrote there last.

It goes with the optimizer, not with a Scheduler: a notebook cell that is run twice builds a second Scheduler on an optimizer
whose rates the first one has moved. Through it the Schedulers also learn that the optimizer has loaded a state, or got
another group.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from preheat.core.errors import PreheatError
from preheat.core.plan import RATE
from preheat.session.session import Session
from preheat.torch.bases import CODE, Base, Group, default_rate
from preheat.torch.slots import Slot, Slots
from preheat.torch.wrapped import layers


class Follower(Protocol):
    """A Scheduler, as an optimizer's memory knows it."""

    @property
    def has_begun(self) -> bool:
        """Whether it writes: a member of SequentialLR does not until its turn has come."""

    def loading(self, optimizer: Optimizer, state: Mapping[str, Any]) -> None:
        """The optimizer is about to load a state."""

    def loaded(self) -> None:
        """The optimizer has loaded a state."""

    def added(self) -> None:
        """The optimizer got another group."""


class Memory:
    """What is remembered of one optimizer."""

    def __init__(self, default: float | None) -> None:
        self.default = (
            default  # the rate that the optimizer was built with: where it is a tensor, schedules write into it
        )
        self.has_writer = False  # whether a Scheduler has written to the optimizer
        self.asked_peak: float | None = None  # what its peak= said
        self.ratio = 1.0  # of the rates that it writes to what the groups were given, because of its peak=
        self.hooked: weakref.WeakSet[Any] = weakref.WeakSet()  # the layers that tell of what happens to them
        self._followers: list[weakref.ref[Follower]] = []
        self._wrote: dict[tuple[int, str], tuple[Group, Base, Callable[[], float]]] = {}
        self._latest: dict[tuple[int, str], weakref.ref[Follower]] = {}
        self._writer: weakref.ref[Follower] | None = None  # of the rates

    def follow(self, follower: Follower, driven: Iterable[tuple[int, str]], default: float | None) -> None:
        """Tell a Scheduler of what happens to the optimizer, for as long as it lives.

        driven: the places of the groups, and what it drives there.   default: the rate the optimizer was built with.
        """
        self.default = default
        self._followers = [ref for ref in self._followers if ref() not in (None, follower)]
        self._followers.append(weakref.ref(follower))
        self._latest |= dict.fromkeys(driven, weakref.ref(follower))

    def wrote(self, follower: Follower, slots: Slots, session: Session) -> None:
        """Remember that a Scheduler writes to these slots from now on, and what it leaves alone."""
        if slots.unready:  # nothing is written; what the code gave is known all the same while nobody moves it
            known = [slot for slot in slots.slots if slot.base.source == CODE]
            self._wrote |= {
                (id(slot.group), slot.line.hyper): (slot.group, slot.base, _standing(slot)) for slot in known
            }
            return
        self.has_writer, self.ratio, self.asked_peak = True, slots.bases.ratio, slots.bases.asked_peak
        for known in slots.bases.all:
            for hyper, base in known.bases.items():
                if not base.is_open:
                    self._wrote[id(known.group), hyper] = known.group, base, _given(base)
        for slot in slots.slots:
            self._wrote[id(slot.group), slot.line.hyper] = slot.group, slot.base, _written(slot, session)
        if any(slot.is_rate for slot in slots.slots):
            self._writer = weakref.ref(follower)

    def is_last(self, follower: Follower) -> bool:
        """Whether no other living Scheduler has begun to write the rates after this one."""
        writer = None if self._writer is None else self._writer()
        return writer is None or writer is follower

    def is_superseded(self, follower: Follower, place: int, hyper: str) -> bool:
        """Whether another living Scheduler was built later for what stands in the group at a place."""
        ref = self._latest.get((place, hyper))
        latest = None if ref is None else ref()
        return latest is not None and latest is not follower and latest.has_begun

    def base_of(self, slot: Slot) -> Base | None:
        """What an earlier Scheduler knew as the base of a slot, if the value that it wrote last still stands there."""
        group, base, value = self._wrote.get((id(slot.group), slot.line.hyper), (None, None, None))
        if base is None or value is None or group is not slot.group or base.is_open:
            return None
        return base if slot.holds(value()) else None

    @property
    def followers(self) -> list[Follower]:
        """The Schedulers that live, in the order in which they were built."""
        return [follower for ref in self._followers if (follower := ref()) is not None]


_memories: weakref.WeakKeyDictionary[Optimizer, Memory] = weakref.WeakKeyDictionary()


def memory_of(optimizer: Optimizer) -> Memory:
    """The memory of an optimizer, and of all that are wrapped around it; made, and hooked into it, when first asked for."""
    if optimizer not in _memories:
        within = [layer for layer in layers(optimizer) if isinstance(layer, Optimizer) and len(layers(layer)) == 1]
        innermost = within[0] if len(within) == 1 else optimizer
        memory = _memories.get(innermost) or Memory(default_rate(optimizer))
        _memories[innermost] = _memories[optimizer] = memory
        _hook(optimizer, memory)
    return _memories[optimizer]


def _given(base: Base) -> Callable[[], float]:
    return lambda: base.given


def _standing(slot: Slot) -> Callable[[], float]:
    value = slot.value
    return lambda: value


def _written(slot: Slot, session: Session) -> Callable[[], float]:
    return lambda: session.rate(slot.line, slot.gain, slot.called, slot.place)


def _hook(optimizer: Optimizer, memory: Memory) -> None:
    """Tell a memory of what happens to the layers of an optimizer."""

    def about_to_load(optimizer: Optimizer, state: Any) -> None:
        for follower in memory.followers:
            follower.loading(optimizer, state)

    def has_loaded(optimizer: Optimizer) -> None:
        for follower in memory.followers:
            follower.loaded()

    for layer in layers(optimizer):
        if layer in memory.hooked:
            continue
        memory.hooked.add(layer)
        if "_optimizer_load_state_dict_post_hooks" in getattr(layer, "__dict__", {}):  # wrappers skip what makes them
            layer.register_load_state_dict_pre_hook(about_to_load)
            layer.register_load_state_dict_post_hook(has_loaded)
        if isinstance(layer, Optimizer) and _leaves_behind(layer):
            if not isinstance(vars(layer).get("add_param_group"), _Telling):
                layer.add_param_group = _Telling(layer)  # type: ignore[method-assign]
            layer.add_param_group.memories.append(memory)  # type: ignore[attr-defined]


def _leaves_behind(layer: Optimizer) -> bool:
    """Whether copies of an optimizer do not take its own attributes along. A wrapper whose copies would, as those of
    accelerate's, hands what is added on to what it wraps, which tells."""
    return type(layer).__getstate__ is Optimizer.__getstate__ or len(layers(layer)) == 1


class _Telling:
    """`add_param_group`, telling those that follow. It is the optimizer's own attribute, which copies do not take along."""

    def __init__(self, layer: Optimizer) -> None:
        self._add = weakref.WeakMethod(layer.add_param_group)
        self.memories: list[Memory] = []

    def __call__(self, param_group: Group) -> None:
        method = self._add()
        if method is None:
            return
        method(param_group)
        optimizer: Optimizer = method.__self__  # type: ignore[attr-defined]
        _with_own_default(optimizer, self.memories[0].default)
        try:
            for follower in [follower for memory in self.memories for follower in memory.followers]:
                follower.added()
        except PreheatError:  # then it is not added at all
            del optimizer.param_groups[-1]
            raise


def _with_own_default(optimizer: Optimizer, default: float | None) -> None:
    """Give the group that was added last a rate of its own, where it took the optimizer's default, a tensor that has moved."""
    group, held = optimizer.param_groups[-1], optimizer.defaults.get(RATE)
    if isinstance(held, Tensor) and group.get(RATE) is held and default is not None:
        group[RATE] = torch.full_like(held, default)
