"""What a program does, line by line: as code to run, and as what it makes of a world."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from resuming.curves import near
from resuming.reference import (
    Group,
    OptimizerState,
    Outcome,
    State,
    UndecidedError,
    World,
    build,
    fits,
    lines_of,
    load_optimizer,
    load_scheduler,
    started,
)
from resuming.scripts import GroupSpec, Script


class Action:
    """One step of a program. It is left out where it makes no sense, so that any other may be dropped."""

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is not None

    def code(self, world: World) -> str:
        raise NotImplementedError

    def outcomes(self, world: World) -> list[Outcome]:
        raise NotImplementedError


@dataclass(frozen=True)
class Process(Action):
    """A new process, in which a script builds its optimizers."""

    script: Script

    def makes_sense(self, world: World) -> bool:
        return True

    def code(self, world: World) -> str:
        return "; ".join(f"o{k} = {one.code()}" for k, one in enumerate(self.script.optimizers)) + "; s = None"

    def outcomes(self, world: World) -> list[Outcome]:
        return [(False, World(started(self.script), self.script, None, dict(world.saved)))]


@dataclass(frozen=True)
class Foreign(Action):
    """torch's own scheduler on an optimizer: its rates move, and what they were stands in initial_lr."""

    k: int

    def makes_sense(self, world: World) -> bool:
        if world.scheduler is not None or self.k >= len(world.optimizers) or world.script.optimizers[self.k].tensor:
            return False
        one = world.optimizers[self.k]
        return not one.loaded and all(group.initial == frozenset({None}) and group.scale == 1 for group in one.groups)

    def code(self, world: World) -> str:
        return f"LinearLR(o{self.k}, 0.5, total_iters=10)"

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        for group in new.optimizers[self.k].groups:
            group.initial = frozenset({group.values["lr"]})
            group.values["lr"] *= 0.5
        return [(False, new)]


@dataclass(frozen=True)
class Bare(Action):
    """Updates without a scheduler."""

    updates: int

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is None and bool(world.optimizers)

    def code(self, world: World) -> str:
        return "; ".join(f"up(o{k})" for k in range(len(world.optimizers)) for _ in range(self.updates))

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        for one in new.optimizers:
            one.updates += self.updates
        return [(False, new)]


@dataclass(frozen=True)
class Build(Action):
    """The scheduler of a script, or of another on the same optimizers; before it rates may be set by hand."""

    script: Script
    edit: float | None = None
    alive: bool = False  # whether the scheduler before goes on living

    def makes_sense(self, world: World) -> bool:
        tensors = world.script is not None and any(one.tensor for one in world.script.optimizers)
        same = world.script is not None and world.script.optimizers == self.script.optimizers
        no_names_lost = all(i < len(self.script.optimizers[k].groups) for k, i, _ in world.groups()) if same else False
        return bool(same and no_names_lost and not (self.edit and tensors) and fits(self.script, self.script.total))

    def code(self, world: World) -> str:
        several = range(len(world.optimizers))
        groups = " + ".join(f"o{k}.param_groups" for k in several)
        edit = f"for g in {groups}: g['lr'] = {self.edit!r}\n" if self.edit else ""
        alive = "old.append(s)\n" if self.alive else ""
        return f"{edit}{alive}s = {self.script.code()}"

    def outcomes(self, world: World) -> list[Outcome]:
        if self.edit:
            world = world.copy()
            for one in world.optimizers:
                one.edited = frozenset(
                    i for i, group in enumerate(one.groups) if not near(group.values["lr"], self.edit)
                )
                for group in one.groups:
                    group.values["lr"] = self.edit
        if self.alive and not world.alive and world.scheduler is not None:
            world = world.copy()
            world.alive = True
        return build(world, self.script)


def _may_stand_at_zero(world: World, k: int) -> bool:
    """Whether all rates of an optimizer may be 0: as they stand, or as they are scheduled."""
    scheduler = world.scheduler
    lines = world.driven(scheduler.plan, scheduler.script).items()
    zero = {slot for slot, key in lines if scheduler.plan[key].curve(scheduler.t) == 0}
    groups = enumerate(world.optimizers[k].groups)
    return all(group.values["lr"] == 0 or (k, i, "lr") in zero for i, group in groups)


@dataclass(frozen=True)
class Train(Action):
    """Updates. On a base that is open they are refused, before anything is applied."""

    updates: int

    def code(self, world: World) -> str:
        names = [f"o{k}" for k in sorted(world.open_optimizers())]
        if names:
            return "\n".join(f"up({name})" for name in names[:1])
        return f"train({self.updates}, s, {', '.join(f'o{k}' for k in range(len(world.optimizers)))})"

    def outcomes(self, world: World) -> list[Outcome]:
        if world.is_open():
            k = min(world.open_optimizers())
            if not _may_stand_at_zero(world, k):
                return [(True, world)]
            new = world.copy()
            new.optimizers[k].updates += 1
            return [(True, world), (False, new)]  # with all rates at 0, as torch's distributed checkpointing does it
        new = world.copy()
        for one in new.optimizers:
            one.updates += self.updates
        new.scheduler.t += self.updates
        new.write()
        return [(False, new)]


@dataclass(frozen=True)
class Save(Action):
    """Everything saved under a name; between optimizer.step() and scheduler.step() if `between`."""

    name: str
    optimizer: str = "torch"  # torch, pickle, copy; dcp and room: through torch.distributed.checkpoint
    scheduler: str = "json"
    between: bool = False

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is not None and not world.is_open()

    def _is_between(self, world: World) -> bool:
        return self.between and not world.scheduler.script.on_device

    def code(self, world: World) -> str:
        several = range(len(world.optimizers))
        between = self._is_between(world)
        lines = [f"up(o{k})" for k in several] if between else []
        for k in several:
            dcp = self.optimizer in ("dcp", "room")
            state, how = (f"dcp_state(o{k})", "torch") if dcp else (f"o{k}.state_dict()", self.optimizer)
            lines.append(f"{self.name}_o{k} = through({state}, {how!r})")
        lines.append(f"{self.name}_s = through(s.state_dict(), {self.scheduler!r})")
        return "\n".join([*lines, "s.step()"] if between else lines)

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        scheduler, between = new.scheduler, self._is_between(world)
        if any(group.pending for _, _, group in new.groups()):
            raise UndecidedError
        kind = self.optimizer if self.optimizer in ("dcp", "room") else "plain"
        optimizers = [
            OptimizerState([group.copy() for group in one.groups], kind, one.updates + between)
            for one in new.optimizers
        ]
        scheduler.t += between
        driven = new.driven(scheduler.plan, scheduler.script)
        factors = [slot for slot, key in driven.items() if not scheduler.plan[key].absolute]
        state = State(
            scheduler.t,
            scheduler.plan,
            {slot: scheduler.given[slot] for slot in factors},
            {slot: scheduler.now[slot] for slot in factors},
            tuple(one.default for one in new.optimizers),
            scheduler.total,
            sum(1 for _ in new.groups()),
            {slot: base for slot, base in scheduler.given.items() if slot not in factors},
            scheduler.script.peak,
        )
        new.saved[self.name] = (optimizers, state)
        if between:
            for one in new.optimizers:
                one.updates += 1
            new.write()
        return [(False, new)]


@dataclass(frozen=True)
class LoadOptimizer(Action):
    k: int
    name: str

    def makes_sense(self, world: World) -> bool:
        saved = world.saved.get(self.name)
        if saved is None or self.k >= min(len(world.optimizers), len(saved[0])):
            return False
        ours, theirs = world.optimizers[self.k].groups, saved[0][self.k].groups
        return len(ours) == len(theirs) and [sorted(g.values) for g in ours] == [sorted(g.values) for g in theirs]

    def code(self, world: World) -> str:
        kind, state = world.saved[self.name][0][self.k].kind, f"{self.name}_o{self.k}"
        if kind == "plain":
            return f"o{self.k}.load_state_dict(copy.deepcopy({state}))"
        return f"dcp_load(o{self.k}, {state}{', into_room=True' if kind == 'room' else ''})"

    def outcomes(self, world: World) -> list[Outcome]:
        return [(False, load_optimizer(world, self.k, world.saved[self.name][0][self.k]))]


@dataclass(frozen=True)
class LoadScheduler(Action):
    name: str
    watched: bool = False  # whether the state is looked at before and after: a refusal must not change it

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is not None and self.name in world.saved

    def code(self, world: World) -> str:
        return f"s.load_state_dict(copy.deepcopy({self.name}_s))"

    def outcomes(self, world: World) -> list[Outcome]:
        return load_scheduler(world, world.saved[self.name][1])


@dataclass(frozen=True)
class Ask(Action):
    """A getter: it changes nothing."""

    what: str = "s.get_last_lr()"

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is not None and (self.what != "s.state_dict()" or not world.is_open())

    def code(self, world: World) -> str:
        return self.what

    def outcomes(self, world: World) -> list[Outcome]:
        return [(False, world.copy())]


@dataclass(frozen=True)
class Travel(Action):
    """The scheduler, its optimizers with it, through pickle or deepcopy."""

    how: str = "pickle"

    def code(self, world: World) -> str:
        several = range(len(world.optimizers))
        made = ", ".join(f"o{k}" for k in several) + ("," if len(several) == 1 else "")
        return f"s = through(s, {self.how!r}); {made} = map(watch, s.optimizers)"

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        for one in new.optimizers:
            one.ours = "maybe"
        return [(False, new)]


@dataclass(frozen=True)
class SetPeak(Action):
    peak: float

    def makes_sense(self, world: World) -> bool:
        return world.scheduler is not None and not world.is_open()

    def code(self, world: World) -> str:
        return f"s.set_peak({self.peak!r})"

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        scheduler = new.scheduler
        driven = new.driven(scheduler.plan, scheduler.script)
        rated = [slot for slot, key in driven.items() if slot[2] == "lr" and not scheduler.plan[key].absolute]
        if not rated:
            return [(True, world)]
        largest = max(scheduler.now[slot] * new.optimizers[slot[0]].groups[slot[1]].scale for slot in rated)
        for slot in rated:
            scheduler.now[slot] *= self.peak / largest
        scheduler.peaked = True
        new.write()
        return [(False, new)]


@dataclass(frozen=True)
class Change(Action):
    """cooldown or rewarm over so many updates from now on, or another end of the run."""

    word: str
    span: int

    def makes_sense(self, world: World) -> bool:
        return (
            world.scheduler is not None
            and not world.is_open()
            and any(key.rpartition("/")[2] == "lr" for key in world.scheduler.plan)
        )

    def code(self, world: World) -> str:
        return f"s.{self.word}({self.span})"

    def outcomes(self, world: World) -> list[Outcome]:
        if self.word == "extend":
            return self._extended(world)
        new = world.copy()
        scheduler, changed = new.scheduler, {}
        ends = scheduler.t + self.span
        if scheduler.total is not None and ends > scheduler.total:
            return [(True, world)]
        if self.word == "cooldown":
            scheduler.total = ends
        for key, line in scheduler.plan.items():
            if key.rpartition("/")[2] == "lr":
                change = line.curve.cooled if self.word == "cooldown" else line.curve.rewarmed
                line = line._replace(curve=change(scheduler.t, self.span))
            changed[key] = line
        scheduler.plan = changed
        new.write()
        return [(False, new)]

    def _extended(self, world: World) -> list[Outcome]:
        script, scheduler = world.scheduler.script, world.scheduler
        same = scheduler.plan.keys() == scheduler.written.keys() and all(
            near(line.curve(t), scheduler.written[key].curve(t), 1e-12)
            for key, line in scheduler.plan.items()
            for t in range(200)
        )
        if not same or scheduler.kept:
            raise UndecidedError
        refused = [(True, world)]
        if not fits(script, self.span):
            return refused
        lines = lines_of(script, self.span)
        if any(not line.curve.is_as(lines[key].curve, 0, scheduler.t) for key, line in scheduler.plan.items()):
            return refused
        if not any(isinstance(part.span, str) for _, line in script.lines for part in line.parts):
            return refused
        new = world.copy()
        new.scheduler.plan, new.scheduler.total = lines, self.span
        new.write()
        now = scheduler.t
        same_now = all(near(line.curve(now), lines[key].curve(now), 1e-12) for key, line in scheduler.plan.items())
        return [(False, new)] if same_now else [(False, new), *refused]


@dataclass(frozen=True)
class AddGroup(Action):
    """A group is added; its first update follows the schedule."""

    k: int
    group: GroupSpec

    def makes_sense(self, world: World) -> bool:
        if self.k != len(world.optimizers) - 1 or world.scheduler is None or world.is_open() or world.scheduler.peaked:
            return False
        return (
            not world.scheduler.kept
            and not math.isnan(world.scheduler.ratio)
            and world.script.optimizers[self.k].tensor is None
        )

    def code(self, world: World) -> str:
        return f"o{self.k}.add_param_group({self.group.code(None)})"

    def outcomes(self, world: World) -> list[Outcome]:
        new = world.copy()
        one, scheduler = new.optimizers[self.k], new.scheduler
        i = len(one.groups)
        values = dict(one.groups[0].values) | {"lr": self.group.lr, "weight_decay": self.group.weight_decay}
        one.groups.append(Group(self.group.name, values, self.group.lr_scale or 1.0, pending=True))
        for hyper, value in values.items():
            if hyper == "momentum":
                value = 0.9 if world.script.optimizers[self.k].kind == "Momentum" else 0.0
            base = value * scheduler.ratio if hyper == "lr" else value
            for bases in (scheduler.code, scheduler.given, scheduler.now):
                bases[self.k, i, hyper] = base
        return [(False, new)]


def simpler(action: Action) -> list[Action]:
    """The same action with less in it."""
    if isinstance(action, Train) and action.updates > 1:
        return [Train(1), Train(action.updates // 2)]
    if isinstance(action, Save):
        return [replace(action, optimizer="copy"), replace(action, scheduler="copy"), replace(action, between=False)]
    return []
