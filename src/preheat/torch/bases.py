"""What factors multiply in every group: known from the code or from a saved state, never guessed.

A base is open where the optimizer was moved before the scheduler was built: then neither what stands in a group nor its
`initial_lr` says what the script gave it. It stays open until somebody says, or a state that knows is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Any

import torch
from torch.optim import Optimizer

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError
from preheat.core.plan import RATE
from preheat.session.bases import same
from preheat.torch.update_counter import LOOKED_AT, MOMENTS, has_moments, own_count
from preheat.torch.wrapped import layers

Group = dict[str, Any]
CODE, SAVED, OPEN = "code", "saved", ""


@dataclass(slots=True)
class Base:
    """What a factor multiplies in one group: as it was given, and now, which differs after `set_peak`."""

    given: float
    now: float
    source: str  # who said so: the code, a saved state, or nobody yet

    @property
    def is_open(self) -> bool:
        """Whether nobody has said what it is."""
        return self.source == OPEN

    @property
    def values(self) -> tuple[float, float]:
        """As it was given, and now."""
        return self.given, self.now

    def is_now(self, given: float, now: float, source: str = CODE) -> None:
        """Settle it."""
        self.given, self.now, self.source = given, now, source


@dataclass(slots=True)
class Known:
    """What is known of one group."""

    group: Group
    moved: bool  # whether its optimizer had applied updates, or was loaded, when the group was met, or since
    is_added: bool = False  # to an optimizer that was followed already
    ratio: float = 1.0  # what its own rate is multiplied with, because peak= was given before it was added
    bases: dict[str, Base] = field(default_factory=dict)
    own: dict[str, float] = field(default_factory=dict)  # its numbers as it was built
    found: dict[str, float] = field(default_factory=dict)  # the same, or as a state that was loaded since has them

    def copy(self) -> Known:
        """The same, to be changed by itself."""
        bases = {hyper: replace(base) for hyper, base in self.bases.items()}
        return replace(self, bases=bases, own=dict(self.own), found=dict(self.found))

    def base(self, hyper: str, present: float) -> Base:
        """The base of a hyper-parameter, whose value in the group is `present` where nothing is known yet."""
        if hyper not in self.bases:
            self.found.setdefault(hyper, present)
            if not self.moved:
                self.own.setdefault(hyper, present)
            initial = initial_of(self.group) if hyper == RATE and not self.is_added else None
            is_open = self.moved or (initial is not None and not same(initial, present))
            value = initial if is_open and initial is not None else present
            value *= self.ratio if hyper == RATE else 1.0
            self.bases[hyper] = Base(value, value, OPEN if is_open else CODE)
        return self.bases[hyper]


class Bases:
    """The bases of all groups of some optimizers, whatever plan they follow."""

    def __init__(self, optimizers: Sequence[Optimizer], followed: Sequence[bool] = ()) -> None:
        """followed: of which optimizers it is remembered that a Scheduler wrote to them."""
        self.lists = [optimizer.param_groups for optimizer in optimizers]
        moved = [was_moved(one, is_followed) for one, is_followed in zip_longest(optimizers, followed, fillvalue=False)]  # type: ignore[arg-type]
        self.known = [
            [_met(group, is_moved) for group in groups] for groups, is_moved in zip(self.lists, moved, strict=True)
        ]
        self.kept_from: tuple[tuple[float | None, ...], float | None] | None = (
            None  # defaults and peak of a state that was kept
        )
        self.ratio = 1.0  # of the rates to what the groups were given, because of peak=
        self.asked_peak: float | None = None  # what peak= said
        self.peak: float | None = None  # the same, while the others' ratio to the largest rate is not known yet

    def copy(self) -> Bases:
        """The same bases, to be changed and then kept or dropped as a whole."""
        twin = copy(self)
        twin.lists = list(self.lists)
        twin.known = [[known.copy() for known in row] for row in self.known]
        return twin

    def kept(self) -> tuple[Any, ...]:
        """What is known, to be pickled with its optimizers."""
        return self.ratio, self.asked_peak, self.peak, self.kept_from, self.known

    def with_kept(self, kept: tuple[Any, ...]) -> Bases:
        """The same knowing what was kept, of the groups in the same places."""
        self.ratio, self.asked_peak, self.peak, self.kept_from, known = kept
        pairs = [zip(now, then, strict=True) for now, then in zip(self.known, known, strict=True)]
        self.known = [[replace(then, group=now.group) for now, then in row] for row in pairs]
        return self

    @property
    def all(self) -> list[Known]:
        """What is known of every group, in their order."""
        return [known for row in self.known for known in row]

    @property
    def groups(self) -> list[Group]:
        """All groups that it knows, in their order."""
        return [known.group for known in self.all]

    def by_group(self) -> dict[int, Known]:
        """What is known of each group, by its identity."""
        return {id(known.group): known for known in self.all}

    def follow(self, optimizers: Sequence[Optimizer]) -> list[Group]:
        """Know the groups as they are now: those that were added, removed, or moved to another place in the same list.

        Gives back the groups that were added. A whole list that was replaced is a loaded state: see `loaded`.
        """
        added: list[Group] = []
        before = self.by_group()
        for i, optimizer in enumerate(optimizers):
            groups = optimizer.param_groups
            if groups is not self.lists[i] and not any(id(group) in before for group in groups):
                self.loaded(i, groups)
                before = self.by_group()
            self.lists[i] = groups
            here = {id(group) for group in groups}
            gone = [known for known in self.known[i] if id(known.group) not in here]
            for group in groups:
                if id(group) not in before and (same_one := _with_its_parameters(gone, group)):
                    before[id(group)] = replace(same_one, group=group)
            added += [group for group in groups if id(group) not in before]
            self.known[i] = [before.get(id(group)) or Known(group, False, True, self.ratio) for group in groups]
        return added

    def loaded(self, i: int, groups: list[Group]) -> None:
        """Know the groups of a loaded state, which are the same ones by their place; of others, nothing is known."""
        old = self.known[i]
        self.lists[i] = groups
        if len(old) != len(groups):
            self.known[i] = [Known(group, True, False, self.ratio) for group in groups]
            return
        self.known[i] = [_reloaded(known, group) for known, group in zip(old, groups, strict=True)]


def _with_its_parameters(gone: list[Known], group: Group) -> Known | None:
    """What is known of a group that was there with the very parameters of one that is new: a copy took its place."""
    parameters = list(map(id, group["params"]))
    return next((known for known in gone if list(map(id, known.group["params"])) == parameters), None)


def _met(group: Group, is_moved: bool) -> Known:
    """What is known of a group when it is met."""
    numbers = numbers_of(group)
    return Known(group, is_moved, own={} if is_moved else numbers, found=dict(numbers))


def _reloaded(known: Known, group: Group) -> Known:
    """What is known of a group that has been loaded: what was open is looked at anew."""
    settled = {hyper: base for hyper, base in known.bases.items() if not base.is_open}
    return replace(known, group=group, moved=True, bases=settled, found=known.found | numbers_of(group))


def numbers_of(group: Group) -> dict[str, float]:
    """The plain numbers of a group, by what a line of a plan calls them."""
    found: dict[str, float] = {}
    for key, value in group.items():
        several = enumerate(value) if isinstance(value, list | tuple) and key != "params" else [(None, value)]
        for index, one in several:
            if isinstance(one, int | float) and not isinstance(one, bool):
                found[key if index is None else f"{key}[{index}]"] = float(one)
    return found


def initial_of(group: Group) -> float | None:
    """The group's `initial_lr`; None where it has none."""
    value = group.get("initial_lr")
    return None if value is None else number(value, "initial_lr")


def default_rate(optimizer: Optimizer) -> float | None:
    """The rate that the script built an optimizer with, which loading a state does not change."""
    value = getattr(optimizer, "defaults", {}).get(RATE)
    try:
        return None if value is None else number(value, RATE)
    except PreheatError:
        return None


def was_moved(optimizer: Optimizer, is_followed: bool = False) -> bool:
    """Whether an optimizer has applied updates, or has loaded a state.

    is_followed: whether a Scheduler has written to it, so that an `initial_lr` says nothing.
    """
    inner = [layer for layer in layers(optimizer) if isinstance(layer, Optimizer)]
    count = own_count(inner)
    counts = [group["k"] for group in optimizer.param_groups if isinstance(group.get("k"), int)]  # schedule-free ones
    if count is None and counts:
        count = max(counts)
    if (
        any(map(_has_moved_state, inner))
        if count is None
        else count > 1 or (count == 1 and any(map(has_moments, inner)))
    ):
        return True
    attached = is_followed or any(hasattr(getattr(layer, "step", None), "_wrapped_by_lr_sched") for layer in inner)
    if not attached and any("initial_lr" in group for group in optimizer.param_groups):
        return True  # a scheduler left it, of torch or of ours, on this optimizer or on that whose state it has
    default = default_rate(optimizer)
    is_prepared = any(type(layer).__module__.startswith("accelerate.") for layer in layers(optimizer))
    return any(_was_loaded(group) and not _is_as_built(group, default, is_prepared) for group in optimizer.param_groups)


def _is_as_built(group: Group, default: float | None, is_prepared: bool) -> bool:
    """Whether a loaded group, of an optimizer without a state, can only be one that was never followed: one that keeps a
    state would have it, and a scheduler leaves an initial_lr.

    is_prepared: whether accelerate wraps the optimizer, and so has loaded the state that it was built with.
    """
    keeps_a_state = bool(group.get("momentum")) or "betas" in group
    is_plain = keeps_a_state or is_prepared or same(default, number(group.get(RATE), RATE))
    return "initial_lr" not in group and is_plain


def _has_moved_state(optimizer: Optimizer) -> bool:
    """Whether the state of an optimizer that does not count is another than one may hold when built: zeros, or copies of the
    parameters. An empty one of a parameter is what loading leaves of an optimizer that keeps nothing."""
    for parameter, held in islice((getattr(optimizer, "state", None) or {}).items(), LOOKED_AT):
        if held == {}:
            return True
        if isinstance(held, dict) and any(
            isinstance(held.get(key), torch.Tensor) and held[key].any() for key in MOMENTS
        ):
            return True
        for value in held.values() if isinstance(held, dict) else [held]:
            if isinstance(value, torch.Tensor) and isinstance(parameter, torch.Tensor):
                copied = value.shape == parameter.shape and bool((value == parameter).all())
                if not copied and bool(value.any()):
                    return True
    return False


def _was_loaded(group: Group) -> bool:
    """Whether a group comes from `optimizer.load_state_dict`, which puts the parameters last; a built one has them first.

    SGD without momentum has no state that would tell.
    """
    return next((key for key in reversed(group) if key != "initial_lr"), None) == "params"


def number(value: Any, what: str) -> float:
    """A number that a group holds, as a float; refuses what is none, and tensors of several."""
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise PreheatError(f"{what} is a tensor of {value.numel()} values; a schedule drives one number a group")
        value = value.item()
    return finite_number(value, what)
