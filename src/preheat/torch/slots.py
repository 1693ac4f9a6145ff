"""Where a plan's lines land in an optimizer's groups, and what each value is a multiple of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import torch
from torch.optim import Optimizer

from preheat.core.errors import PreheatError, nearest
from preheat.core.plan import RATE, Line, Plan, families
from preheat.core.ranges import refuse_impossible
from preheat.session.bases import Row
from preheat.torch.bases import OPEN, Base, Bases, Group, Known, initial_of, number

DECAY = "weight_decay"  # groups whose own is 0 are the field's no-decay groups: only a line that names one changes it
_OWN = (RATE, "momentum", "betas", DECAY, "eps", "dampening")  # never a quantity outside of an optimizer
_MEANT = {"learningrate": RATE, "rate": RATE, "wd": DECAY, "weightdecay": DECAY, "mom": "momentum"}
_MEANT |= {"beta1": "betas[0]", "beta2": "betas[1]"}  # in small letters, without underscores
_TYPO = 0.8  # how alike a word must be to one of the groups' own to be a slip of the pen


@dataclass(slots=True, eq=False)
class Slot:
    """One scheduled value: `group[key]`, or `group[key][index]`."""

    group: Group
    name: str
    key: str
    index: int | None
    line: Line
    called: tuple[str, ...]  # what a plan or a rule may call the group
    place: int  # of the group
    scale: float  # the group's lr_scale (timm's layer-wise decay), for rates
    base: Base
    is_factor: bool  # whether the schedule multiplies what the group was given

    @property
    def gain(self) -> float:
        """What the schedule's value is multiplied with."""
        return self.base.now * self.scale if self.is_factor else 1.0

    @property
    def is_rate(self) -> bool:
        """Whether it is a group's learning rate."""
        return self.key == RATE

    @property
    def needs_base(self) -> bool:
        """Whether what is written depends on what the group was given; a decay does on whether that was 0."""
        return self.is_factor or (self.is_decay_of_several and not self.base.now)

    @property
    def is_decay_of_several(self) -> bool:
        """Whether it is a weight decay whose line does not name this very group, so that one of 0 stays 0."""
        return self.key == DECAY and self.line.group not in (self.called[0], str(self.place))

    @property
    def is_ready(self) -> bool:
        """Whether it is known what to write."""
        return not self.needs_base or (not self.base.is_open and self.base.now != 0)

    @property
    def held(self) -> Any:
        """The very object that stands in the group now."""
        return entry(self.group, self.key, self.index)

    @property
    def value(self) -> float:
        """What stands in the group now, as a number."""
        return number(self.held, self.line.key)

    @property
    def label(self) -> str:
        """What it is called in a message."""
        return f"{self.line.hyper!r} of group {self.name}"

    def edited(self, last: Any) -> str | None:
        """What it is called, if another value than the `last` written object stands there."""
        held = self.group[self.key]
        replaced = isinstance(held, torch.Tensor) or isinstance(last, torch.Tensor)
        changed = held is not last and (replaced or held != last)
        return self.label if changed else None

    def holds(self, value: float) -> bool:
        """Whether the group holds `value`, up to the rounding of where it is kept."""
        held = self.held
        coarse = isinstance(held, torch.Tensor) and held.dtype != torch.float64
        return math.isclose(self.value, value, rel_tol=4 * torch.finfo(held.dtype).eps if coarse else 1e-12)


class Sample:
    """Two values that are looked at, to find out whether someone else writes to them.

    rates: groups whose scheduled rate is kept beside them, so that one of every optimizer is.
    """

    __slots__ = ("first", "kept", "last", "places", "rates")

    def __init__(self, first: tuple[Group, str], last: tuple[Group, str], rates: list[Group]) -> None:
        self.places, self.rates = (first, last), rates
        self.take()

    def take(self) -> None:
        """Keep what stands there."""
        self.first, self.last = (group[key] for group, key in self.places)
        self.kept = [group[RATE] for group in self.rates]

    def is_untouched(self) -> bool:
        """Whether the very objects that were kept still stand there."""
        (group, key), (other, last) = self.places
        if group[key] is not self.first or other[last] is not self.last:
            return False
        return not self.rates or all(one[RATE] is kept for one, kept in zip(self.rates, self.kept, strict=True))

    def is_replaced_in(self, groups: list[Group]) -> bool | None:
        """Whether, of the rates in these groups that are looked at, none is the object that was kept; None without any."""
        ends = zip(self.places, (self.first, self.last), strict=True)
        known = [(group, kept) for (group, key), kept in ends if key == RATE]
        known += zip(self.rates, self.kept, strict=True)
        theirs = {id(group) for group in groups}
        looked_at = [(group, kept) for group, kept in known if id(group) in theirs]
        return all(group[RATE] is not kept for group, kept in looked_at) if looked_at else None


class Slots:
    """All scheduled values of some groups under one bound plan."""

    def __init__(self, plan: Plan, bases: Bases) -> None:
        self.plan, self.bases = plan, bases
        self.lists = list(bases.lists)
        self.groups: list[Group] = bases.groups
        self.slots, self.left_alone, self.outside = _resolved(self.groups, plan, bases.by_group())
        refuse_impossible(plan, self._multiples)
        self._looks = [_look(group) for group in self.groups]

    def _multiples(self, line: Line) -> list[float]:
        """What the values of a line are multiplied with in the groups that follow it, as far as that is known."""
        return [slot.gain for slot in self.of(line)]

    @property
    def called(self) -> list[tuple[str, ...]]:
        """What a plan or a rule may call each group."""
        return _called(_names(self.groups))

    def of(self, line: Line) -> list[Slot]:
        """The slots that follow one line, as far as it is known what to write there."""
        return [slot for slot in self.slots if slot.line is line and slot.is_ready]

    @property
    def rates(self) -> list[Slot]:
        """The rates that follow factors."""
        return [slot for slot in self.slots if slot.is_rate and slot.is_factor]

    @property
    def unready(self) -> list[Slot]:
        """Those of which it is not known what to write."""
        return [slot for slot in self.slots if not slot.is_ready]

    def holders(self, hyper: str) -> list[Base | None]:
        """The base of a hyper-parameter in every group in which it matters: where factors multiply it, and where a line for
        all groups drives a decay, or leaves alone what has none."""
        factors = {id(slot.group) for slot in self.slots if slot.line.hyper == hyper and slot.is_factor}
        if hyper == DECAY:
            factors |= {id(slot.group) for slot in self._decays_of_several}
        if hyper == DECAY and DECAY in self.plan:
            factors |= {id(known.group) for known in self.bases.all}
        return [known.bases.get(hyper) if id(known.group) in factors else None for known in self.bases.all]

    def rows(self, hyper: str) -> list[Row]:
        """What was given of a hyper-parameter, group by group."""
        bases = zip(self.bases.all, self.holders(hyper), strict=True)
        return [
            Row(name_of(one.group)) if base is None else Row(name_of(one.group), *base.values) for one, base in bases
        ]

    def known_rows(self) -> dict[str, list[Row] | None]:
        """The same of every hyper-parameter for which it matters; None where it is not known."""
        unknown = {slot.line.hyper for slot in self.slots if slot.needs_base and slot.base.is_open}
        return {hyper: None if hyper in unknown else self.rows(hyper) for hyper in self.hypers}

    @property
    def hypers(self) -> list[str]:
        """The hyper-parameters of which it matters what was given."""
        factors = [slot.line.hyper for slot in self.slots if slot.is_factor]
        return list(dict.fromkeys([*factors, *[DECAY] * (DECAY in self.plan or bool(self._decays_of_several))]))

    @property
    def _decays_of_several(self) -> list[Slot]:
        return [slot for slot in [*self.slots, *self.left_alone] if slot.is_decay_of_several]

    def ends(self) -> list[Slot]:
        """The first and the last rate (or other value): where edits by someone else are looked for. Empty without any."""
        looked_at = [slot for slot in self.slots if slot.is_rate] or self.slots
        return [looked_at[0], looked_at[-1]] if looked_at else []

    def sample(self) -> Sample:
        """Where those two stand, and what stands there now."""
        first, last = [(slot.group, slot.key) for slot in self.ends()] or [({"": None}, "")] * 2
        driven = {id(slot.group) for slot in self.slots if slot.is_rate}
        rates = [next((group for group in groups if id(group) in driven), None) for groups in self.lists]
        return Sample(first, last, [group for group in rates[1:-1] if group is not None])

    def are_current(self, optimizers: Sequence[Optimizer]) -> bool:
        """Whether the optimizers still hold the groups that these slots are of, each in its place."""
        lists = [optimizer.param_groups for optimizer in optimizers]
        if not all(now is then for now, then in zip(lists, self.lists, strict=True)):
            return False
        groups = [group for groups in lists for group in groups]
        return len(groups) == len(self.groups) and all(a is b for a, b in zip(groups, self.groups, strict=True))

    def fit(self, plan: Plan) -> bool:
        """Whether they are those of this very plan in the groups as they are: no name, `lr_scale` or key has changed since."""
        return plan is self.plan and self._looks == [_look(group) for group in self.groups]

    def check_places(self, old: Slots) -> None:
        """Refuse a line that names a group by its place, where another group than before stands there now."""
        for line in self.plan.lines:
            if line.group is None or not line.group.isdecimal():
                continue
            before = [slot.group for slot in old.slots if slot.line.key == line.key]
            after = [slot.group for slot in self.slots if slot.line.key == line.key]
            if not all(any(group is other for other in after) for group in before):
                raise PreheatError(
                    f"the plan's line {line.key!r} names a group by its place, and another group stands there now",
                    write="give the groups a 'name', or build a new Scheduler",
                )


def levelled(slots: Slots) -> list[tuple[Line, str]]:
    """The lines for all groups that give every group the same, where the groups were given different values, with words.

    A line that names a group is meant for it, and a base that nobody has said is not compared.
    """
    found: list[tuple[Line, str]] = []
    for line in (line for line in slots.plan.lines if line.group is None):
        given = [slot for slot in slots.slots if slot.line is line and not slot.is_factor and not slot.base.is_open]
        values = [slot.base.given * slot.scale for slot in given]
        if not values or math.isclose(min(values), max(values), rel_tol=1e-6):
            continue
        what = "rates" if given[0].is_rate else "values"
        found.append(
            (
                line,
                f"the line {line.key!r} is the {what} themselves, so {len(values)} groups, which were given {min(values):g} "
                f"to {max(values):g}, all have the same; write factors"
                + (", with peak= for the largest rate," if given[0].is_rate else "")
                + " to keep their ratio, or a line for each group",
            )
        )
    return found


def name_of(group: Group) -> str | None:
    """The group's own name; None where it has none."""
    name = group.get("name")
    return None if name is None else str(name)


def _names(groups: list[Group]) -> list[str]:
    """What each group is called first: by its name, or its place where it has none."""
    return [str(group.get("name", i)) for i, group in enumerate(groups)]


def _called(names: list[str]) -> list[tuple[str, ...]]:
    """All that each group may be called, what names it most closely first: its name, its place unless another has that as
    its name, and what its name is a part of: "head/no_decay" is called "head" too."""
    taken = set(names)
    own = [(name,) if str(i) in taken else (name, str(i)) for i, name in enumerate(names)]
    of = [[family for family in families(name) if not family.isdecimal()] for name in names]  # a number is a place
    return [(*called, *more) for called, more in zip(own, of, strict=True)]


def _look(group: Group) -> tuple[object, ...]:
    """What decides which lines land in a group, and how; a tensor may have changed in place, so it equals nothing."""
    scale = group.get("lr_scale")
    keys = len(group) - ("initial_lr" in group)
    return group.get("name"), object() if isinstance(scale, torch.Tensor) else scale, keys


def _resolved(groups: list[Group], plan: Plan, known: dict[int, Known]) -> tuple[list[Slot], list[Slot], list[Line]]:
    """The slots of a plan, those that are left alone, and its lines for quantities outside the groups; a line for some groups
    overrides that for all, and one for fewer that for more."""
    names = _names(groups)
    often, all_called = Counter(names), _called(names)
    known_as = {name for called in all_called for name in called if not name.isdecimal()} | set(names)
    for line in plan.lines:
        if line.group is not None and line.group not in known_as and not _is_index(line.group, groups):
            raise PreheatError(
                f"the plan's line {line.key!r} names no group{nearest(line.group, known_as)}",
                write="a group is named by its 'name' key, as in AdamW([{'params': …, 'name': 'head'}, …]), or by its index, "
                "and a plan for groups that have changed needs a new Scheduler",
            )
    of: dict[str | None, dict[str, Line]] = {}
    for line in plan.lines:
        of.setdefault(line.group, {})[line.hyper] = line
    slots: list[Slot] = []
    for i, (group, name, called) in enumerate(zip(groups, names, all_called, strict=True)):
        lines = dict(of.get(None, {}))
        for one in reversed(called):  # what names it more closely overrides
            lines |= of.get(one, {})
        label = name if often[name] == 1 else f"{name}[{i}]"
        slots += [_slot(known[id(group)], label, (called, i), line) for line in lines.values() if _has(group, line)]
    outside = _outside(groups, plan, {slot.line.key for slot in slots})
    left_alone = [slot for slot in slots if _is_left_alone(slot)]
    return [slot for slot in slots if not _is_left_alone(slot)], left_alone, outside


def _is_left_alone(slot: Slot) -> bool:
    """Whether it is the weight decay of a group that has none, which a line for all groups does not switch on."""
    base = slot.base
    return slot.is_decay_of_several and not base.is_open and base.given == 0


def _outside(groups: list[Group], plan: Plan, met: set[str]) -> list[Line]:
    """The lines that drive nothing in the groups; refuses those that were meant to."""
    found = {line.hyper for line in plan.lines if line.key in met}
    missing = [line for line in plan.lines if line.key not in met and (line.group or line.hyper not in found)]
    for line in missing:
        key, index = split_key(line.hyper)
        meant = _meant(key, groups, index)
        if line.group or not line.is_absolute or index is not None or key in _OWN or meant:
            raise _nowhere(line, key, meant, groups)
    return missing


def _nowhere(line: Line, key: str, meant: str | None, groups: list[Group]) -> PreheatError:
    """What there is to say of a line that drives nothing."""
    if any(key in group and group[key] is None for group in groups):
        what = f"the groups' {key!r} is None: this optimizer sets it by itself, so the line {line.key!r} cannot"
        return PreheatError(
            what, write=f"build the optimizer with a number for {key!r} (Adafactor: relative_step=False)"
        )
    where = "no group has" if line.group is None else f"the group {line.group!r} does not have"
    what = f"{where} {line.hyper!r}, which the plan's line {line.key!r} schedules"
    if meant is not None:
        return PreheatError(f"{what}; did you mean {meant!r}?")
    if not line.is_absolute and line.group is None and line.hyper == key and key not in _OWN:
        return PreheatError(
            what, write="a quantity of your own is absolute: write absolute(s), and read it with value()"
        )
    return PreheatError(f"{what}{nearest(line.hyper, {place for group in groups for place in _places(group)})}")


def _places(group: Group) -> Iterator[str]:
    """What lines may call the values of a group."""
    for key in _keys([group]):
        value = group[key]
        yield from [f"{key}[{i}]" for i in range(len(value))] if isinstance(value, list | tuple) else [key]


def _keys(groups: list[Group]) -> set[str]:
    return {key for group in groups for key in group} - {"params", "initial_lr", "name", "param_names"}


def _meant(key: str, groups: list[Group], index: int | None) -> str | None:
    """The group's own value that a word was meant for, where it looks like a slip of the pen."""
    word = key.casefold()
    if (said := _MEANT.get(word.replace("_", ""))) is not None:
        return said
    if RATE in word.split("_"):  # LR, base_lr, max_lr
        return RATE
    drivable = {
        name
        for group in groups
        for name, value in group.items()
        if isinstance(value, list | tuple) == (index is not None)
    }
    likely = [(SequenceMatcher(None, key, name).ratio(), name) for name in (drivable & _keys(groups)) - {key}]
    best = max(likely, default=(0.0, ""))
    return best[1] if best[0] >= _TYPO else None


def _is_index(name: str, groups: list[Group]) -> bool:
    return name.isdecimal() and int(name) < len(groups)


def _has(group: Group, line: Line) -> bool:
    key, index = split_key(line.hyper)
    value = group.get(key)
    return value is not None if index is None else isinstance(value, list | tuple) and index < len(value)


def _slot(known: Known, name: str, where: tuple[tuple[str, ...], int], line: Line) -> Slot:
    group, (key, index) = known.group, split_key(line.hyper)
    held = entry(group, key, index)
    if isinstance(held, torch.Tensor) and not held.is_floating_point():
        what = f"{line.key!r} is a tensor of {held.dtype}, which cannot hold it"
        raise PreheatError(what, write="write torch.tensor(0.1)")
    if isinstance(held, list | tuple) and index is None and key != "params":
        what = f"{line.key!r} is several numbers, and a line drives one"
        raise PreheatError(what, given=held, write=f"write {', '.join(f'{line.key}[{i}]' for i in range(len(held)))}")
    scale = number(group.get("lr_scale", 1.0), "lr_scale") if key == RATE else 1.0
    base = known.bases.get(line.hyper) or known.base(line.hyper, number(held, line.key))
    return Slot(group, name, key, index, line, *where, scale, base, not line.is_absolute)


def split_key(hyper: str) -> tuple[str, int | None]:
    """`betas[0]` as ('betas', 0), `lr` as ('lr', None)."""
    key, bracket, index = hyper.partition("[")
    return key, int(index[:-1]) if bracket else None


def entry(group: Group, key: str, index: int | None) -> Any:
    """What a group holds there."""
    return group[key] if index is None else group[key][index]


def put(group: Group, key: str, index: int | None, value: Any) -> None:
    """Replace an entry of a group, or of a tuple in it such as betas[0]."""
    if index is None:
        group[key] = value
    else:
        held = group[key]
        group[key] = type(held)((*held[:index], value, *held[index + 1 :]))


def put_number(group: Group, key: str, index: int | None, value: float) -> None:
    """Give an entry of a group another value; a tensor stays the object that it is."""
    held = entry(group, key, index)
    if isinstance(held, torch.Tensor):
        held.detach().fill_(value)
    else:
        put(group, key, index, value)


def rates_of(groups: Iterable[Group]) -> list[float | torch.Tensor]:
    """What stands in the groups as their rates: NaN where a group has none; a tensor as it is, so that nothing waits."""
    found: list[float | torch.Tensor] = []
    for group in groups:
        held = group.get(RATE)
        found.append(held if isinstance(held, torch.Tensor) else math.nan if held is None else float(held))
    return found


def close_as_said(slots: Slots, base: str) -> None:
    """Settle the bases as the caller of Scheduler said: at each group's `initial_lr`, or at what stands there now."""
    for slot in slots.slots:
        initial = initial_of(slot.group) if base == "initial" and slot.is_rate else None
        if initial is None and base == "initial" and slot.is_rate and slot.base.is_open and slot.needs_base:
            raise PreheatError(
                f"base='initial' is the group's initial_lr, and group {slot.name} has none",
                write="write base='present', or peak=…",
            )
        value = slot.value if initial is None else initial
        if slot.needs_base and (slot.base.is_open or initial is not None):
            slot.base.is_now(value, value)


def scale_to_peak(slots: Slots, peak: float) -> None:
    """Make the largest rate `peak`, the others keeping their ratio to it, where that is known."""
    rates, slots.bases.asked_peak = slots.rates, peak
    if not rates:
        raise PreheatError(
            f"peak= sets the rates of a schedule of factors, and this plan has no such line for {RATE!r}"
        )
    lone = len(rates) == 1
    is_open = [slot.base.is_open for slot in rates]
    ratio_known = not any(is_open) or (all(is_open) and all(initial_of(slot.group) is not None for slot in rates))
    if not lone and not ratio_known:
        for slot in rates:  # a share of the peak is not known for any of them
            slot.base.source = OPEN
        slots.bases.peak = peak
        return
    largest = max(slot.base.given * slot.scale for slot in rates)
    if lone and largest == 0 and rates[0].scale:
        rates[0].base.given, largest = 1.0, rates[0].scale
    if largest <= 0:
        raise PreheatError(
            "peak= keeps the groups' ratio to the largest rate, and that is 0",
            write="give the groups rates of their own",
        )
    slots.bases.ratio *= peak / largest
    for slot in rates:
        given = slot.base.given * peak / largest if slot.base.given * slot.scale != largest else peak / slot.scale
        slot.base.is_now(given, given)
