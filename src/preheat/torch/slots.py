"""Where a plan's lines land in an optimizer's groups, and what each value is a multiple of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.optim import Optimizer

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError, StateError, nearest, shown
from preheat.core.plan import RATE, Line, Plan
from preheat.session.state import Saved

Group = dict[str, Any]
_OWN = (RATE, "momentum", "betas", "weight_decay", "eps", "dampening")  # never a quantity outside of an optimizer


@dataclass(slots=True)
class Slot:
    """One scheduled value: `group[key]`, or `group[key][index]`."""

    group: Group
    name: str
    key: str
    index: int | None
    line: Line
    called: tuple[str, ...]  # what a plan or a rule may call the group
    place: int  # of the group
    base: float  # what a factor multiplies: the group's own value
    scale: float  # the group's lr_scale (timm's layer-wise decay), for rates
    present: float  # the value found when the slot was made
    initial: float | None  # the initial_lr found then
    settled: bool = False  # whether the base has been confirmed by a saved state
    loaded: bool = False  # whether the optimizer has loaded its state since the base was found

    KEPT: ClassVar = ("base", "present", "initial", "settled", "loaded")

    @property
    def gain(self) -> float:
        """What the schedule's value is multiplied with."""
        return 1.0 if self.line.is_absolute else self.base * self.scale

    def kept(self) -> dict[str, Any]:
        """What is known of its base."""
        return {name: getattr(self, name) for name in self.KEPT}

    def take(self, kept: dict[str, Any]) -> None:
        """Know what another slot of the same value knew."""
        for name, value in kept.items():
            setattr(self, name, value)

    def edited(self, last: Any) -> str | None:
        """What it is called, if another value than the `last` written object stands there."""
        held = self.group[self.key]
        replaced = isinstance(held, torch.Tensor) or isinstance(last, torch.Tensor)
        changed = held is not last and (replaced or held != last)
        return f"{self.line.hyper!r} of group {self.name}" if changed else None

    @property
    def is_rate(self) -> bool:
        """Whether it is a group's learning rate."""
        return self.key == RATE

    @property
    def value(self) -> float:
        """What stands in the group now."""
        held = entry(self.group, self.key, self.index)
        return held if type(held) is float and math.isfinite(held) else _number(held, self.line.key)


class Sample:
    """Two values that are looked at, to find out whether someone else writes to them."""

    __slots__ = ("first", "last", "places")

    def __init__(self, first: tuple[Group, str], last: tuple[Group, str]) -> None:
        self.places = first, last
        self.take()

    def take(self) -> None:
        """Keep what stands there."""
        self.first, self.last = (group[key] for group, key in self.places)

    def is_untouched(self) -> bool:
        """Whether the very objects that were kept still stand there."""
        (group, key), (other, last) = self.places
        return group[key] is self.first and other[last] is self.last


class Slots:
    """All scheduled values of some optimizers under one bound plan."""

    def __init__(self, optimizers: Sequence[Optimizer], plan: Plan) -> None:
        self.optimizers, self.plan = optimizers, plan
        self.lists = [optimizer.param_groups for optimizer in optimizers]
        self.groups: list[Group] = [group for groups in self.lists for group in groups]
        self.slots, self.outside = _resolved(self.groups, plan)
        self._looks = [_look(group) for group in self.groups]
        self.used = _are_used(optimizers, self.groups)

    def set_peak(self, peak: float) -> None:
        """Make the largest rate of the groups `peak`, the others keeping their ratio to it."""
        rates = [slot for slot in self.slots if slot.is_rate and not slot.line.is_absolute]
        if not rates:
            raise PreheatError(
                f"peak= sets the rates of a schedule of factors, and this plan has no such line for {RATE!r}"
            )
        if not any(slot.base for slot in rates):  # saved where the factor was 0: what the groups were given is gone
            for slot in rates:
                slot.base = slot.initial or 1.0
        largest = max(slot.gain for slot in rates)
        for slot in rates:
            slot.base *= peak / largest

    @property
    def called(self) -> list[tuple[str, ...]]:
        """What a plan or a rule may call each group."""
        names = [str(group.get("name", i)) for i, group in enumerate(self.groups)]
        return [(name,) if str(i) in names else (name, str(i)) for i, name in enumerate(names)]

    def of(self, line: Line) -> list[Slot]:
        """The slots that follow one line."""
        return [slot for slot in self.slots if slot.line is line]

    def inherit(self, old: Slots) -> None:
        """Take the bases of the slots as they were before groups came, went or were replaced by loaded ones."""
        same = all(now is then for now, then in zip(self.lists, old.lists, strict=True))
        if not same and len(self.groups) != len(old.groups):
            raise StateError(
                f"the optimizer had {len(old.groups)} groups and its loaded state has {len(self.groups)}",
                write="build a new Scheduler for it and load the scheduler's state into that",
            )
        self.used = old.used if same else True
        before = {(id(slot.group) if same else i, slot.line.key): slot for i, slot in _numbered_slots(old)}
        for i, slot in _numbered_slots(self):
            if then := before.get((id(slot.group) if same else i, slot.line.key)):
                slot.take(then.kept())
                if not same:  # what stands there now is what was loaded
                    slot.loaded, slot.present = True, slot.value

    def ends(self) -> list[Slot]:
        """The first and the last rate (or other value): where edits by someone else are looked for. Empty without any."""
        looked_at = [slot for slot in self.slots if slot.is_rate] or self.slots
        return [looked_at[0], looked_at[-1]] if looked_at else []

    def sample(self) -> Sample:
        """Where those two stand, and what stands there now."""
        return Sample(*([(slot.group, slot.key) for slot in self.ends()] or [({"": None}, "")] * 2))

    def came_or_went(self) -> bool:
        """Whether groups have been added to the optimizers, or taken away."""
        lists = [optimizer.param_groups for optimizer in self.optimizers]
        same = all(now is then for now, then in zip(lists, self.lists, strict=True))
        return same and sum(map(len, lists)) != len(self.groups)

    def are_current(self) -> bool:
        """Whether the optimizers still hold the groups that these slots are of."""
        lists = [optimizer.param_groups for optimizer in self.optimizers]
        if not all(now is then for now, then in zip(lists, self.lists, strict=True)):
            return False
        groups = [group for groups in lists for group in groups]
        return len(groups) == len(self.groups) and all(a is b for a, b in zip(groups, self.groups, strict=True))

    def fit(self, plan: Plan) -> bool:
        """Whether they are those of this very plan in the groups as they are: no name, `lr_scale` or key has changed since."""
        return plan is self.plan and self._looks == [_look(group) for group in self.groups]

    def settle(self, old: Slots, bases: list[float] | None, keep_rates: bool = False) -> None:
        """Take the bases of slots of the same groups, those given or their own: of these very slots, or under another plan."""
        if old is self:
            for i, slot in enumerate(self.slots):
                if bases is not None and not (keep_rates and slot.is_rate):
                    slot.base = bases[i]
                slot.present, slot.loaded, slot.settled = slot.value, False, True
            self.used = _are_used(self.optimizers, self.groups)
            return
        known = {(id(slot.group), slot.line.hyper): (slot, i) for i, slot in enumerate(old.slots)}
        for slot in self.slots:
            if found := known.get((id(slot.group), slot.line.hyper)):
                then, i = found
                own = bases is None or (keep_rates and slot.is_rate)
                slot.base, slot.initial = then.base if own else bases[i], then.initial  # type: ignore[index]
            slot.settled = True

    def recovered(self, saved: Saved, written: dict[int, float], trained: bool) -> list[float]:
        """The base of every slot for a saved state; refuses what cannot be known.

        `written` is what this scheduler last wrote, by slot: another value there means that the optimizer was loaded.
        `trained`: whether it has seen updates of its own, so that its bases are right.
        """
        factors = saved.values()
        return [
            slot.base
            if slot.line.is_absolute or slot.line.key not in factors
            else self._base(slot, factors[slot.line.key], written[i], trained)
            for i, slot in enumerate(self.slots)
        ]

    def _base(self, slot: Slot, factor: float, written: float, trained: bool) -> float:
        now = slot.value
        untouched = now == written or _close(now, written, slot)
        if untouched and not slot.loaded and (slot.settled or trained):
            return slot.base
        found, candidates = (slot.present if untouched else now), [slot.initial]
        if slot.loaded or not untouched:
            candidates = [slot.base, slot.group.get("initial_lr") if slot.is_rate else None, slot.initial]
        for candidate in candidates:
            if candidate is not None and _close(float(candidate) * slot.scale * factor, found, slot):
                return float(candidate)
        if untouched and not slot.loaded and not self.used:
            return slot.base  # a new optimizer, whose own state is still to be loaded
        if factor * slot.scale == 0:
            raise StateError(
                f"{slot.line.key!r} of group {slot.name} cannot be known: it was saved where its factor is 0",
                write="build the Scheduler before the optimizer loads its state, or pass peak=",
            )
        return found / (factor * slot.scale)


def _look(group: Group) -> tuple[object, ...]:
    """What decides which lines land in a group, and how; a tensor may have changed in place, so it equals nothing."""
    scale = group.get("lr_scale")
    keys = [key for key in group if key != "initial_lr"]
    return group.get("name"), object() if isinstance(scale, torch.Tensor) else scale, keys


def _are_used(optimizers: Sequence[Optimizer], groups: list[Group]) -> bool:
    """Whether the optimizers have applied updates, or have loaded a state."""
    return any(optimizer.state for optimizer in optimizers) or any(map(_was_loaded, groups))


def _was_loaded(group: Group) -> bool:
    """Whether a group comes from `optimizer.load_state_dict`, which puts the parameters last; a built one has them first.

    SGD without momentum has no state that would tell.
    """
    return next(key for key in reversed(group) if key != "initial_lr") == "params"


def _numbered_slots(slots: Slots) -> list[tuple[int, Slot]]:
    """Every slot with the number of its group."""
    number = {id(group): i for i, group in enumerate(slots.groups)}
    return [(number[id(slot.group)], slot) for slot in slots.slots]


def _resolved(groups: list[Group], plan: Plan) -> tuple[list[Slot], list[Line]]:
    """The slots of a plan, and its lines for quantities outside the groups; a line for one group overrides that for all."""
    names = [str(group.get("name", i)) for i, group in enumerate(groups)]
    often = Counter(names)
    for line in plan.lines:
        if line.group is not None and line.group not in often and not _is_index(line.group, groups):
            raise PreheatError(
                f"the plan's line {line.key!r} names no group{nearest(line.group, names)}",
                write="a group is named by its 'name' key or its index, "
                "and a plan for groups that have changed needs a new Scheduler",
            )
    slots = []
    for i, (group, name) in enumerate(zip(groups, names, strict=True)):
        called = (name,) if str(i) in often else (name, str(i))
        lines = {line.hyper: line for line in plan.lines if line.group is None}
        lines |= {line.hyper: line for line in plan.lines if line.group in called}
        label = name if often[name] == 1 else f"{name}[{i}]"
        slots += [_slot(group, label, (called, i), line) for line in lines.values() if _has(group, line)]
    return slots, _outside(groups, plan, slots)


def _outside(groups: list[Group], plan: Plan, slots: list[Slot]) -> list[Line]:
    """The lines that drive nothing in the groups; refuses those that were meant to."""
    driven, found = {slot.line.key for slot in slots}, {slot.line.hyper for slot in slots}
    missing = [line for line in plan.lines if line.key not in driven and (line.group or line.hyper not in found)]
    for line in missing:
        known = {key for group in groups for key in group} - {"params", "initial_lr", "name"}
        near, key = nearest(line.hyper, known), split_key(line.hyper)[0]
        if line.group or not line.is_absolute or key != line.hyper or key in _OWN or "did you mean" in near:
            where = "no group has" if line.group is None else f"the group {line.group!r} does not have"
            raise PreheatError(f"{where} {line.hyper!r}, which the plan's line {line.key!r} schedules{near}")
    return missing


def _is_index(name: str, groups: list[Group]) -> bool:
    return name.isdecimal() and int(name) < len(groups)


def _has(group: Group, line: Line) -> bool:
    key, index = split_key(line.hyper)
    value = group.get(key)
    return value is not None if index is None else isinstance(value, list | tuple) and index < len(value)


def _slot(group: Group, name: str, where: tuple[tuple[str, ...], int], line: Line) -> Slot:
    key, index = split_key(line.hyper)
    held = entry(group, key, index)
    if isinstance(held, torch.Tensor) and not held.is_floating_point():
        what = f"{line.key!r} is a tensor of {held.dtype}, which cannot hold it"
        raise PreheatError(what, write="write torch.tensor(0.1)")
    present = _number(held, line.key)
    rate = key == RATE
    scale = _number(group.get("lr_scale", 1.0), "lr_scale") if rate else 1.0
    initial = group.get("initial_lr") if rate else None
    initial = None if initial is None else _number(initial, "initial_lr")
    return Slot(group, name, key, index, line, *where, base=present, scale=scale, present=present, initial=initial)


def split_key(hyper: str) -> tuple[str, int | None]:
    """`betas[0]` as ('betas', 0), `lr` as ('lr', None)."""
    key, bracket, index = hyper.partition("[")
    return key, int(index[:-1]) if bracket else None


def entry(group: Group, key: str, index: int | None) -> Any:
    """What a group holds there."""
    return group[key] if index is None else group[key][index]


def _number(value: Any, what: str) -> float:
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise PreheatError(f"{what} is a tensor of {value.numel()} values; a schedule drives one number a group")
        value = value.item()
    return finite_number(value, what)


def _close(a: float, b: float, slot: Slot) -> bool:
    """Whether two values are the same up to the rounding of where they were kept."""
    kept = entry(slot.group, slot.key, slot.index)
    if type(kept) is float:
        return math.isclose(a, b, rel_tol=1e-12)
    coarse = isinstance(kept, torch.Tensor) and kept.dtype != torch.float64
    return math.isclose(a, b, rel_tol=4 * torch.finfo(kept.dtype).eps if coarse else 1e-12)


def check_optimizers(optimizers: object) -> tuple[Optimizer, ...]:
    """One optimizer or several, as a tuple; refuses anything else, and groups that two of them share."""
    several = tuple(optimizers) if isinstance(optimizers, list | tuple) else (optimizers,)
    for optimizer in several:
        if not isinstance(optimizer, Optimizer):
            raise PreheatError(f"Scheduler takes a torch optimizer, or a list of them, first; not {shown(optimizer)}")
    if not several or len({id(optimizer) for optimizer in several}) != len(several):
        raise PreheatError("Scheduler takes one optimizer or several different ones; not an empty or repeated list")
    return several  # pyrefly: ignore[bad-return]
