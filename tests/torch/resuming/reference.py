"""What every update of a program must use, computed without preheat.

A world is what exists while a program runs: optimizers, the scheduler on them, saved states. Where the rules leave more than
one thing allowed (to refuse, or to go on with the one right rate), an action leads to several worlds; a program is right as
long as one of them agrees with all that was seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

from resuming.curves import HORIZON, Curve, bound, near, spans
from resuming.scripts import Script

Slot = tuple[int, int, str]  # optimizer, group, hyper-parameter


class UndecidedError(Exception):
    """The rules do not say what is right here: the program ends."""


class Line(NamedTuple):
    curve: Curve
    absolute: bool


Lines = dict[str, Line]


@dataclass
class Group:
    name: str | None
    values: dict[str, float]  # what stands in it
    scale: float
    initial: frozenset[float | None] = frozenset({None})  # what its initial_lr may be
    pending: bool = False  # added, and not yet written to

    def copy(self) -> Group:
        return replace(self, values=dict(self.values))


@dataclass
class Optimizer:
    default: float
    groups: list[Group]
    loaded: bool = False
    updates: int = 0
    ours: str = "no"  # whether the scheduler before is remembered: yes, no or maybe
    edited: frozenset[int] = frozenset()  # groups whose rate was set by hand since

    def copy(self) -> Optimizer:
        return replace(self, groups=[group.copy() for group in self.groups])


@dataclass
class Scheduler:
    script: Script
    written: Lines  # as the script says
    plan: Lines  # as it is followed
    code: dict[Slot, float | None]  # what factors multiply according to the script; None is open
    given: dict[Slot, float | None]  # according to the script or to the state that was kept
    now: dict[Slot, float | None]  # after set_peak
    ratio: float = 1.0  # of peak= to what the groups were given
    t: int = 0
    kept: bool = False  # whether it follows a saved plan
    peaked: bool = False  # whether set_peak was called
    total: int = 0
    mixed: bool = False  # peak= where some optimizers were moved: what the others are written with does not matter
    unseen: bool = False  # the one before was open in part: what it wrote does not matter
    lost: frozenset[int] = frozenset()  # where a weight decay of 0 may have been given so, or have come to it

    def copy(self) -> Scheduler:
        return replace(self, code=dict(self.code), given=dict(self.given), now=dict(self.now))


class State(NamedTuple):
    """What a scheduler saves."""

    t: int
    plan: Lines
    given: dict[Slot, float | None]
    now: dict[Slot, float | None]
    defaults: tuple[float, ...]
    total: int
    groups: int
    others: dict[Slot, float | None]  # what was given where the lines are rates: it may be saved too
    peak: float | None  # what peak= said


class OptimizerState(NamedTuple):
    groups: list[Group]
    kind: str  # plain, dcp or room
    updates: int = 0


@dataclass
class World:
    optimizers: list[Optimizer] = field(default_factory=list)
    script: Script | None = None
    scheduler: Scheduler | None = None
    saved: dict[str, tuple[list[OptimizerState], State]] = field(default_factory=dict)
    alive: bool = False  # whether a scheduler before this one lives

    def copy(self) -> World:
        return World(
            [one.copy() for one in self.optimizers],
            self.script,
            self.scheduler.copy() if self.scheduler else None,
            dict(self.saved),
            self.alive,
        )

    def groups(self) -> Iterator[tuple[int, int, Group]]:
        for k, one in enumerate(self.optimizers):
            for i, group in enumerate(one.groups):
                yield k, i, group

    # -- what a plan drives

    def driven(self, lines: Lines, script: Script) -> dict[Slot, str]:
        """The line of every value that a plan drives."""
        found = {}
        for number, (k, i, group) in enumerate(self.groups()):
            names = {str(group.name), str(number)} if group.name else {str(number)}
            for key in sorted(lines, key=lambda key: "/" in key):
                where, _, hyper = key.rpartition("/")
                own = own_value(script, k, i, hyper, group)
                if own is None or (where and where not in names):
                    continue
                if hyper == "weight_decay" and own == 0 and not where:
                    continue  # a group without weight decay is left alone
                found[k, i, hyper] = key
        return found

    def value(self, slot: Slot, key: str) -> float | None:
        """What a value is now; None where it is open."""
        scheduler = self.scheduler
        return valued(self, slot, scheduler.plan[key], scheduler.now.get(slot), scheduler.t)

    def expected(self) -> dict[Slot, float | None]:
        scheduler = self.scheduler
        return {slot: self.value(slot, key) for slot, key in self.driven(scheduler.plan, scheduler.script).items()}

    def open_optimizers(self) -> set[int]:
        """Those with a value that is open, or a rate that is a multiple of 0."""
        scheduler, found = self.scheduler, set(self.scheduler.lost)
        for slot, key in self.driven(scheduler.plan, scheduler.script).items():
            now = scheduler.now.get(slot)
            if not scheduler.plan[key].absolute and (now is None or (now == 0 and slot[2] == "lr")):
                found.add(slot[0])
        return found

    def is_open(self) -> bool:
        return bool(self.open_optimizers())

    def write(self, only: int | None = None) -> None:
        """Every value into its group."""
        scheduler = self.scheduler
        for (k, i, hyper), value in self.expected().items():
            if value is not None and only in (None, k):
                group = self.optimizers[k].groups[i]
                group.values[hyper], group.pending = value, False
                if hyper == "lr":
                    held = {scheduler.now.get((k, i, hyper)), scheduler.given.get((k, i, hyper))}
                    unsure = scheduler.plan[self.driven(scheduler.plan, scheduler.script)[k, i, hyper]].absolute
                    group.initial = frozenset(held | group.initial | {None} if unsure else held)


def own_value(script: Script, k: int, i: int, hyper: str, group: Group) -> float | None:
    """What the script gave to a group, added ones included."""
    if i < len(script.optimizers[k].groups):
        return script.own(k, i, hyper)
    return group.values.get(hyper)


def valued(world: World, slot: Slot, line: Line, base: float | None, t: int) -> float | None:
    if line.absolute:
        return line.curve(t)
    scale = world.optimizers[slot[0]].groups[slot[1]].scale if slot[2] == "lr" else 1.0
    return None if base is None else base * scale * line.curve(t)


def lines_of(script: Script, total: int) -> Lines:
    return {key: Line(bound(line.parts, total).scaled(line.scale), line.absolute) for key, line in script.lines}


def fits(script: Script, total: int) -> bool:
    return all(min(spans(line.parts, total)) >= 0 for _, line in script.lines)


def same_plan(a: Lines, b: Lines, since: int) -> bool:
    return a.keys() == b.keys() and all(
        a[key].absolute == b[key].absolute and a[key].curve.is_as(b[key].curve, since) for key in a
    )


# -- building

Outcome = tuple[bool, World]  # whether it was refused, and what is then


def started(script: Script) -> list[Optimizer]:
    """The optimizers as a script builds them."""
    made = []
    for k, one in enumerate(script.optimizers):
        groups = []
        for i, group in enumerate(one.groups):
            values = {key: script.own(k, i, key) for key in ("lr", "weight_decay", "momentum")}
            held = {key: value for key, value in values.items() if value is not None}
            groups.append(Group(group.name, held, group.lr_scale or 1.0))
        made.append(Optimizer(one.lr, groups))
    return made


def build(world: World, script: Script) -> list[Outcome]:
    """A scheduler on the optimizers as they are."""
    before, lines = world.scheduler, lines_of(script, script.total)
    driven = world.driven(lines, script)
    rated = [slot for slot, key in driven.items() if slot[2] == "lr" and not lines[key].absolute]
    if script.peak is not None and not rated:
        return [(True, world)]
    outcomes: list[Outcome] = []
    found, may_refuse = _bases(world, script, before, driven, rated, lines)
    for now, given, ratio in found:
        new = world.copy()
        new.scheduler = Scheduler(script, lines, lines, dict(given), given, now, ratio, 0, total=script.total)
        new.scheduler.ratio = _ratio(world, before, ratio)
        new.scheduler.mixed = script.peak is not None and len(world.optimizers) > 1 and _some_moved(world)
        if before is not None and ((before.mixed and new.is_open()) or any(before.now[slot] == 0 for slot in rated)):
            raise UndecidedError
        if before is not None and before.peaked:
            new.scheduler.peaked = True
        for one in new.optimizers:
            one.ours, one.edited = "yes", frozenset()
        new.scheduler.unseen = before is not None and world.is_open()
        for k, i, _ in (slot for slot in rated if now[slot] is not None):
            new.optimizers[k].groups[i].initial |= {now[k, i, "lr"]}
        if not new.is_open():
            new.write()
        elif any(now[slot] == 0 for slot in rated):
            may_refuse = True
        outcomes.append((False, new))
    if lost := _lost(world, lines):
        for _, new in list(outcomes):
            doubtful = new.copy()
            doubtful.scheduler.lost, doubtful.optimizers = lost, [one.copy() for one in world.optimizers]
            for one in doubtful.optimizers:
                one.ours, one.edited = "yes", frozenset()
            outcomes.append((False, doubtful))
    if may_refuse or lost:
        outcomes.append((True, world))
    return outcomes


def _ratio(world: World, before: Scheduler | None, ratio: float) -> float:
    """What a group's own rate is multiplied with if it is added now; NaN where the rules do not say."""
    if any(one.edited or one.loaded or one.ours == "maybe" for one in world.optimizers):
        return math.nan
    return ratio if before is None else ratio * before.ratio


def _some_moved(world: World) -> bool:
    """Whether any optimizer is known, or may be found, to have moved."""
    initials = any(group.initial != frozenset({None}) for _, _, group in world.groups())
    return initials or any(one.loaded or one.updates for one in world.optimizers)


def _lost(world: World, lines: Lines) -> frozenset[int]:
    """Where a weight decay of 0 may have been given so or have decayed to it: that may be refused, never be guessed."""
    if "weight_decay" not in lines:
        return frozenset()
    moved = [k for k, one in enumerate(world.optimizers) if one.loaded or one.updates or one.ours != "no"]
    return frozenset(k for k in moved if any(group.values["weight_decay"] == 0 for group in world.optimizers[k].groups))


def _bases(
    world: World, script: Script, before: Scheduler | None, driven: dict[Slot, str], rated: list[Slot], lines: Lines
) -> tuple[list[tuple[dict, dict, float]], bool]:
    """The bases that may be taken, each with what was given and the ratio of peak=; and whether building may be refused."""
    options: dict[tuple[int, bool], list[tuple[dict, dict]]] = {}  # of one kind for all groups of an optimizer
    may_refuse = False
    for k, i, group in world.groups():
        for hyper in group.values:
            slot = (k, i, hyper)
            choices, refusable = _choices(world, script, before, slot)
            may_refuse |= refusable
            kind = k, hyper == "lr"
            made = options.setdefault(kind, [({}, {})])
            made += [made[-1]] * (len(choices) - len(made))
            choices += choices[-1:] * (len(made) - len(choices))
            options[kind] = [
                ({**code, slot: base}, {**given, slot: first})
                for (code, given), (base, first) in zip(made, choices, strict=True)
            ]
    bases = [
        (
            {key: base for code, _ in several for key, base in code.items()},
            {key: base for _, given in several for key, base in given.items()},
        )
        for several in product(*options.values())
    ]
    if script.peak is None or not rated:
        return [(code, given, 1.0) for code, given in bases], may_refuse
    found = []
    for code, given in bases:
        for peaked, ratio in _peaked(world, script, code, rated):
            may_refuse |= any(peaked[slot] is None for slot in rated)
            found.append((peaked, {**given, **{slot: peaked[slot] for slot in rated}}, ratio))
    return found, may_refuse


def _choices(
    world: World, script: Script, before: Scheduler | None, slot: Slot
) -> tuple[list[tuple[float | None, float | None]], bool]:
    """What the base of a value may be taken for (and what was given); whether that may be refused."""
    k, i, hyper = slot
    one = world.optimizers[k]
    group = one.groups[i]
    present, initials = group.values[hyper], group.initial if hyper == "lr" else frozenset({None})
    moved = one.loaded or (None not in initials and not any(near(present, initial) for initial in initials))
    unsure = not moved and (one.updates > 0 or any(x is not None and not near(present, x) for x in initials))
    if hyper == "lr" and script.base == "present":
        if before is not None and world.is_open():
            raise UndecidedError
        return [(present, present)], False
    if hyper == "lr" and script.base == "initial":
        known = [x for x in initials if x is not None]
        refusable = None in initials or (not known and not moved)
        return [(x, x) for x in known or ([present] if not moved else [])] or [(None, None)], refusable
    if before is not None and one.ours != "no" and not (i in one.edited and hyper == "lr"):
        choices = _taken_over(world, before, slot)
        if hyper == "lr" and script.peak is None and before.script.peak is not None and before.ratio != 1:
            return [(None, None)], False  # the script gives another rate now, and no peak
        return (choices if one.ours == "yes" else [*choices, (None, None)]), False
    if (
        moved
        and hyper == "lr"
        and initials == {None}
        and near(present, one.default)
        and near(present, script.own(*slot))
    ):
        return [(None, None), (present, present)], False  # it may be known: nothing but the default has been there
    if moved:
        return [(None, None)], False
    return ([(None, None)] if unsure else []) + [(present, present)], False


def _taken_over(world: World, before: Scheduler, slot: Slot) -> list[tuple[float | None, float | None]]:
    driven = world.driven(before.plan, before.script)
    now, given = before.now.get(slot), before.given.get(slot)
    if slot not in driven:
        present = world.optimizers[slot[0]].groups[slot[1]].values[slot[2]]
        return [(present, present)] if now is not None else [(None, None)]
    if before.plan[driven[slot]].absolute:
        return [(None, None), (now, given)]
    if before.kept and before.script.policy == "keep":
        return [(now, given), (now, now)]
    return [(now, given)] if now == given else [(now, given), (now, now)]


def _peaked(world: World, script: Script, code: dict, rated: list[Slot]) -> list[tuple[dict, float]]:
    """The bases under peak=, each with the ratio to what was given; open where the ratios are not known."""
    own, sure = {slot: code[slot] for slot in rated}, True
    unknown = [({**code, **dict.fromkeys(rated)}, 1.0)]
    scales = {slot: world.optimizers[slot[0]].groups[slot[1]].scale for slot in rated}
    if len({own[slot] is None for slot in rated}) == 2:
        return unknown  # initial_lr may be from under another peak: it says nothing beside what the script gives
    for slot in rated:
        if own[slot] is None:
            initials = world.optimizers[slot[0]].groups[slot[1]].initial
            sure &= None not in initials
            own[slot] = min(
                (x for x in initials if x is not None), default=None
            )  # before set_peak or after: the same ratios
    if len(rated) == 1 and not own[rated[0]]:
        return [({**code, rated[0]: script.peak / scales[rated[0]]}, math.nan)]
    if any(base is None for base in own.values()) or not any(own.values()):
        return unknown
    ratio = script.peak / max(scales[slot] * base for slot, base in own.items())
    peaked = {**code, **{slot: base * ratio for slot, base in own.items()}}, ratio
    return [peaked] if sure else [peaked, *unknown]


# -- loading


def load_optimizer(world: World, k: int, state: OptimizerState) -> World:
    """torch's own loading, and then the scheduled values again."""
    new = world.copy()
    one, groups = new.optimizers[k], [group.copy() for group in state.groups]
    if state.kind == "room":
        for held, group in zip(one.groups, groups, strict=True):
            if held.initial == frozenset({None}):
                group.initial = held.initial
            elif None in held.initial or None in group.initial:
                group.initial |= held.initial
    if state.kind == "room" and state.updates < 2 and new.scheduler is None:
        raise UndecidedError  # of an optimizer with state that has not moved nothing says that it was loaded
    one.groups, one.loaded, one.updates = groups, True, state.updates
    if new.scheduler is not None and not new.is_open():
        new.write()
    elif new.alive:
        raise UndecidedError  # the one before may write
    return new


def load_scheduler(world: World, state: State) -> list[Outcome]:
    """A saved state into the scheduler, as its policy says."""
    policy, scheduler = world.scheduler.script.policy, world.scheduler
    if state.groups != sum(1 for _ in world.groups()):
        raise UndecidedError
    if policy == "keep":
        return [(False, _went_on(world, state, state.plan, dict(state.now), dict(state.given), kept=True))]
    plans = [scheduler.written]
    if not scheduler.kept and not same_plan(scheduler.written, scheduler.plan, 0):
        plans.append(scheduler.plan)  # changed while it went on: both may be meant
    outcomes: list[Outcome] = []
    for plan in plans:
        outcomes += {"refuse": _refusing, "adopt": _adopting, "rebase": _rebasing}[policy](world, state, plan)
    return [(True, world) if not refused and _impossible(new) else (refused, new) for refused, new in outcomes]


def _impossible(world: World) -> bool:
    """Whether a momentum would reach 1 somewhere."""
    scheduler, largest = world.scheduler, dict[str, float]()
    for slot, key in world.driven(scheduler.plan, scheduler.script).items():
        base = 1.0 if scheduler.plan[key].absolute else scheduler.now.get(slot) or 0.0
        largest[key] = max(largest.get(key, 0.0), base)
    return any(
        key.rpartition("/")[2] == "momentum" and max(map(scheduler.plan[key].curve, range(HORIZON))) * times >= 1
        for key, times in largest.items()
    )


def _went_on(world: World, state: State, plan: Lines, now: dict, given: dict, kept: bool = False) -> World:
    new = world.copy()
    scheduler = new.scheduler
    scheduler.plan, scheduler.t, scheduler.kept, scheduler.lost = plan, state.t, kept, frozenset()
    scheduler.now.update(now)
    scheduler.given.update(given)
    scheduler.peaked = any(now[slot] != given.get(slot) for slot in now)
    if kept:
        scheduler.total = state.total
    if not new.is_open():
        new.write()
    return new


def _known(scheduler: Scheduler, slot: Slot) -> float | None:
    """What factors multiply according to the script, or since a state closed it; None is open."""
    code = scheduler.code[slot]
    return scheduler.given.get(slot) if code is None and scheduler.now.get(slot) is not None else code


def _compared(world: World, state: State, plan: Lines) -> tuple[str, dict[Slot, str]]:
    """How the bases compare: same, maybe or other; and how each does: equal, other, closed by the state, doubtful, absent."""
    scheduler, each = world.scheduler, {}
    driven, saved = world.driven(plan, scheduler.script), world.driven(state.plan, scheduler.script)
    for slot, key in driven.items():
        if plan[key].absolute:
            continue
        code = _known(scheduler, slot)
        if slot not in saved or state.plan[saved[slot]].absolute:
            each[slot] = "absent" if code is None else "known"
        elif code is not None:
            each[slot] = "equal" if near(code, state.given[slot]) else "other"
            if each[slot] == "other" and scheduler.code[slot] is None and scheduler.script.policy != "refuse":
                raise UndecidedError
        else:
            each[slot] = _opened(world, state, slot)
    verdicts = set(each.values())
    if "other" in verdicts or "contradicted" in verdicts or "absent" in verdicts:
        only_places = verdicts <= {"other", "equal"} and _same_set(world, state, each)
        return ("maybe" if only_places else "other"), each
    return ("maybe" if "doubtful" in verdicts else "same"), each


def _opened(world: World, state: State, slot: Slot) -> str:
    """An open base, and the saved one."""
    one = world.optimizers[slot[0]]
    given, now = state.given[slot], state.now[slot]
    asked = world.scheduler.script.peak
    if slot[2] == "lr" and asked is None and state.peak is not None:
        return "contradicted"  # the script gives a peak no more
    if world.scheduler.mixed or (slot[2] == "lr" and asked is not None):
        return "doubtful" if near(_largest(world, state), asked) else "contradicted"
    if not near(one.default, state.defaults[slot[0]]):
        own = world.scheduler.script.own(*slot)
        return "contradicted" if own is not None and slot[2] == "lr" and not near(own, given) else "doubtful"
    if slot[2] != "lr":
        return "closed"
    initials = [x for x in one.groups[slot[1]].initial if x is not None]
    agree = [near(x, given) or near(x, now) for x in initials]
    if not initials or all(agree):
        return "closed"
    return "doubtful" if any(agree) or None in one.groups[slot[1]].initial else "contradicted"


def _largest(world: World, state: State) -> float:
    """The largest rate that was saved."""
    rates = [slot for slot in state.given if slot[2] == "lr"]
    return max((state.given[slot] * world.optimizers[slot[0]].groups[slot[1]].scale for slot in rates), default=0.0)


def _same_set(world: World, state: State, each: dict[Slot, str]) -> bool:
    """Whether the rates of groups without names, or of one name, are the saved ones in other places."""
    groups = {(k, i): group for k, i, group in world.groups()}
    often = Counter(group.name for group in groups.values())
    for slot, verdict in each.items():
        name = groups[slot[:2]].name
        if verdict == "other":
            if name is not None and often[name] == 1:
                return False
            alike = [other for other in each if groups[other[:2]].name == name and other[2] == slot[2]]
            code = {round(_known(world.scheduler, other) or 0, 9) for other in alike}
            if code != {round(state.given[other], 9) for other in alike}:
                return False
    return True


def _settled(world: World, state: State, each: dict[Slot, str]) -> tuple[dict, dict]:
    """The bases in force and as given: the saved ones, where the script says nothing else."""
    code = {slot: _known(world.scheduler, slot) for slot in each}
    now = {
        slot: state.now[slot] if verdict in ("equal", "closed", "doubtful") else code[slot]
        for slot, verdict in each.items()
    }
    given = {
        slot: code[slot] if verdict in ("equal", "other", "known") else state.given.get(slot)
        for slot, verdict in each.items()
    }
    return now, given


def _refusing(world: World, state: State, plan: Lines) -> list[Outcome]:
    verdict, each = _compared(world, state, plan)
    if not same_plan(state.plan, plan, state.t):
        same = _same_values(world, state, plan, each)
        return [(True, world), (False, same)] if same is not None and verdict != "other" else [(True, world)]
    if verdict == "other":
        return [(True, world)]
    went_on = (False, _went_on(world, state, plan, *_settled(world, state, each)))
    return [went_on] if verdict == "same" else [(True, world), went_on]


def _same_values(world: World, state: State, plan: Lines, each: dict[Slot, str]) -> World | None:
    """The world that went on, if no value is another than under the saved plan, though the lines are."""
    now, given = _settled(world, state, each)
    if any(base is None for base in now.values()):
        return None
    driven, saved = world.driven(plan, world.scheduler.script), world.driven(state.plan, world.scheduler.script)
    if driven.keys() != saved.keys():
        return None
    for t in range(state.t, state.t + 60):
        for slot in driven:
            new = valued(world, slot, plan[driven[slot]], now.get(slot), t)
            if not near(new, valued(world, slot, state.plan[saved[slot]], state.now.get(slot), t)):
                return None
    return _went_on(world, state, plan, now, given)


def _adopting(world: World, state: State, plan: Lines) -> list[Outcome]:
    verdict, each = _compared(world, state, plan)
    if "absent" in each.values() or "contradicted" in each.values():
        return [(True, world), *_shared_anew(world, state, plan, each), *_known_besides(world, state, plan, each)]
    now, given = _settled(world, state, each)
    outcomes: list[Outcome] = [(False, _went_on(world, state, plan, now, given))]
    other = {slot: world.scheduler.now[slot] for slot in now if each[slot] == "other"}
    if any(base != now[slot] for slot, base in other.items()):  # after set_peak: that, or the script's
        outcomes.append((False, _went_on(world, state, plan, {**now, **other}, given)))
        lively = {slot: world.scheduler.now[slot] for slot in now if world.scheduler.now[slot] is not None}
        outcomes.append((False, _went_on(world, state, plan, {**now, **lively}, given)))
    changed = verdict != "same" or not same_plan(state.plan, plan, state.t)
    peaked = [slot for slot in now if each[slot] == "equal" and state.now[slot] != state.given[slot]]
    if changed and peaked:
        own = {**now, **{slot: _known(world.scheduler, slot) for slot in peaked}}
        outcomes.append((False, _went_on(world, state, plan, own, given)))
    if "doubtful" in each.values():
        outcomes.append((True, world))
    return outcomes


def _known_besides(world: World, state: State, plan: Lines, each: dict[Slot, str]) -> list[Outcome]:
    """What was given where the saved lines were rates, if the state says it."""
    absent = {slot: state.others.get(slot) for slot, verdict in each.items() if verdict == "absent"}
    if "contradicted" in each.values() or None in absent.values():
        return []
    now, given = _settled(world, state, {slot: verdict for slot, verdict in each.items() if slot not in absent})
    return [(False, _went_on(world, state, plan, {**now, **absent}, {**given, **absent}))]


def _shared_anew(world: World, state: State, plan: Lines, each: dict[Slot, str]) -> list[Outcome]:
    """The saved rates, which say how they are to one another, at the peak that the script asks for."""
    if world.scheduler.script.peak is None or "absent" in each.values():
        return []
    ratio = world.scheduler.script.peak / _largest(world, state)
    now, given = _settled(world, state, dict.fromkeys(each, "closed"))
    rates = {slot: state.given[slot] * ratio for slot in each if slot[2] == "lr"}
    return [(False, _went_on(world, state, plan, {**now, **rates}, {**given, **rates}))]


def _rebasing(world: World, state: State, plan: Lines) -> list[Outcome]:
    verdict, each = _compared(world, state, plan)
    if verdict == "same" and same_plan(state.plan, plan, state.t):
        return [(False, _went_on(world, state, plan, *_settled(world, state, each)))]
    if "absent" in each.values():
        return [(True, world)]
    if plan.keys() != state.plan.keys() or any(state.now[slot] != state.given[slot] for slot in state.now):
        raise UndecidedError
    now, given = _settled(world, state, each)
    joined, may_refuse = {}, "contradicted" in each.values() or verdict == "maybe" or "doubtful" in each.values()
    now = {slot: state.now[slot] if verdict == "contradicted" else now[slot] for slot, verdict in each.items()}
    driven = world.driven(plan, world.scheduler.script)
    for key, line in plan.items():
        slots = [slot for slot, own in driven.items() if own == key]
        constant, unsure = _constant(world, state, line, key, slots, now)
        if constant is None:
            return [(True, world)]
        may_refuse |= unsure
        joined[key] = line._replace(curve=line.curve.scaled(constant))
    went_on = (False, _went_on(world, state, joined, now, given))
    return [went_on, (True, world)] if may_refuse else [went_on]


def _constant(
    world: World, state: State, line: Line, key: str, slots: list[Slot], now: dict
) -> tuple[float | None, bool]:
    """What the new line is multiplied with to go on from what is in force; None where that is refused. Whether it may be."""
    old = state.plan[key]
    force = [valued(world, slot, old, state.now.get(slot), state.t) for slot in slots]
    raw = [valued(world, slot, line, now.get(slot), state.t) for slot in slots]
    if all(near(a, b) for a, b in zip(force, raw, strict=True)):
        unchanged = same_plan({key: old}, {key: line}, state.t)
        return 1.0, 0 in force and not unchanged
    if any(a == 0 or b == 0 for a, b in zip(force, raw, strict=True)):
        return None, False
    constants = [a / b for a, b in zip(force, raw, strict=True)]
    if not all(near(constant, constants[0]) for constant in constants):
        return None, False
    return constants[0], False
