"""A program is run line by line, and after every line compared with what the reference allows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from resuming.actions import Action, Ask, LoadScheduler, Train, simpler
from resuming.curves import near
from resuming.reference import UndecidedError, World

from preheat.core.errors import PreheatError

PRELUDE = Path(__file__).with_name("prelude.py").read_text()
NEAR = 3e-6  # rates are compared as they are held: tensors have 24 bits, bases are the same to 1e-6
Program = list[Action]


class WrongRateError(AssertionError):
    """A program that was neither right nor refused where that was due."""


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Any:
    return compile(text, "<program>", "exec")


class Running:
    """One run of a program."""

    def __init__(self) -> None:
        self.names = _names()
        self.worlds = [World()]
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()
        self.used: list[Any] = []  # what every update used, for a second run to be compared with

    def do(self, action: Action) -> None:
        """One action; raises WrongRateError, or UndecidedError where nothing more can be said."""
        if not all(action.makes_sense(world) for world in self.worlds):
            return
        text = action.code(self.worlds[0])
        if any(action.code(world) != text for world in self.worlds[1:]):
            raise UndecidedError
        allowed = [outcome for world in self.worlds for outcome in action.outcomes(world)]
        self.names["used"].clear()
        before = self._entries()
        watched = isinstance(action, LoadScheduler) and action.watched and not self.worlds[0].is_open()
        state = self.names["s"].state_dict() if watched else None
        self.lines.append(text)
        refusal = self._executed(text)
        self.counts["refused" if refusal else "right"] += 1
        if isinstance(action, LoadScheduler):
            self.counts["load refused" if refusal else "load right"] += 1
        agreeing = [world for refused, world in allowed if refused == (refusal is not None)]
        if not agreeing:
            raise WrongRateError(self._says(f"refused: {refusal}" if refusal else "nothing was refused", allowed))
        edited = getattr(action, "edit", None)  # by hand, in the same breath
        if refusal and not edited and self._entries() != before:
            raise WrongRateError(
                self._says(f"a refusal changed the groups from {before} to {self._entries()}", allowed)
            )
        if refusal and watched and self.names["s"].state_dict() != state:
            raise WrongRateError(self._says("a refusal changed the state", allowed))
        if not refusal:
            self._compare(action, agreeing)
        else:
            self.worlds = agreeing

    def _executed(self, text: str) -> PreheatError | None:
        try:
            exec(_compiled(text), self.names)
        except PreheatError as error:
            return error
        except Exception as error:
            raise WrongRateError(self._says(f"{type(error).__name__}: {error}", [])) from error
        return None

    def _entries(self) -> list[Any]:
        entries = self.names["entries"]
        return [entries(self.names[f"o{k}"]) for k in range(len(self.worlds[0].optimizers))]

    def _compare(self, action: Action, agreeing: list[World]) -> None:
        held = self._entries_of(agreeing[0])
        used = [(self._number(optimizer), values) for optimizer, values in self.names["used"]]
        self.used.append((held, used))
        reasons, left = [], []
        for world in agreeing:
            found = _wrong_use(world, action, used) or _wrong_entry(world, held) or self._wrong_position(world)
            if found:
                reasons.append(found)
            else:
                left.append(world)
        if not left:
            raise WrongRateError(self._says(" / ".join(dict.fromkeys(reasons)), []))
        self.worlds = left

    def _entries_of(self, world: World) -> list[Any]:
        return [self.names["entries"](self.names[f"o{k}"]) for k in range(len(world.optimizers))]

    def _number(self, optimizer: object) -> int:
        return next((k for k in range(8) if self.names.get(f"o{k}") is optimizer), -1)

    def _wrong_position(self, world: World) -> str | None:
        if world.scheduler is None or self.names["s"] is None:
            return None
        scheduler = self.names["s"]  # position is a getter, which must not be needed for what is written
        position = scheduler.position if world.scheduler.script.on_device else scheduler.session.position
        return None if position == world.scheduler.t else f"the position is {position}, right is {world.scheduler.t}"

    def finish(self) -> None:
        """What can be asked agrees with what was written."""
        self.do(Train(3))
        self.do(Ask("shown = s.get_last_lr()"))
        worlds = [world for world in self.worlds if world.scheduler is not None]
        if "shown" not in self.names or not worlds or worlds[0].is_open():
            return
        if not any(_shows(world, self.names["shown"]) for world in worlds):
            raise WrongRateError(self._says(f"get_last_lr() is {self.names['shown']}", []))

    def _says(self, what: str, allowed: list[Any]) -> str:
        """What went wrong, under the program as it can be run."""
        due = (
            ""
            if not allowed
            else f"\n# allowed: {' or '.join(sorted({'refuse' if r else 'go on' for r, _ in allowed}))}"
        )
        shown = "print([entries(o) for o in s.optimizers] if s else [], *[values for _, values in used], sep='\\n')"
        return f"{PRELUDE}\n\n" + "\n".join([*self.lines, f"# here: {what}{due}", shown])


@lru_cache(maxsize=1)
def _module() -> tuple[ModuleType, set[str]]:
    """The prelude as a module that pickle finds, and the names in it."""
    module = sys.modules["program"] = ModuleType("program")
    exec(compile(PRELUDE, "<prelude>", "exec"), vars(module))
    return module, set(vars(module))


def _names() -> dict[str, Any]:
    """What a new program finds: the prelude and nothing else."""
    module, known = _module()
    for name in set(vars(module)) - known:
        delattr(module, name)
    module.used.clear()
    module.old.clear()
    return vars(module)


def _wrong_use(world: World, action: Action, used: list[Any]) -> str | None:
    """What an update used and should not have. The reference is asked for every update that the action had."""
    if not isinstance(action, Train) or world.scheduler is None or world.is_open():
        return None
    several, count = len(world.optimizers), action.updates
    real = [entry for entry in used if entry[0] >= 0]
    if len(real) != several * count:
        return f"{len(real)} updates were applied, not {several * count}"
    now = world.copy()
    for number in range(count):
        now.scheduler.t = world.scheduler.t - count + number
        for k in range(several):
            if found := _difference(now.expected(), k, real[number * several + k][1]):
                return f"update {now.scheduler.t} used {found}"
    return None


def _wrong_entry(world: World, held: list[Any]) -> str | None:
    """What stands in the groups and should not."""
    if world.scheduler is None or world.is_open():
        expected = {(k, i, key): value for k, i, group in world.groups() for key, value in group.values.items()}
        if world.scheduler is not None:  # what is not open may be written or not
            scheduler = world.scheduler
            opened = {
                slot
                for slot, key in world.driven(scheduler.plan, scheduler.script).items()
                if not scheduler.plan[key].absolute and scheduler.now.get(slot) is None
            }
            expected = {
                slot: value
                for slot, value in expected.items()
                if slot in opened and not (scheduler.mixed or scheduler.unseen)
            }
    else:
        pending = {(k, i) for k, i, group in world.groups() if group.pending}
        expected = {slot: value for slot, value in world.expected().items() if slot[:2] not in pending}
    for k, entries in enumerate(held):
        if found := _difference(expected, k, entries):
            return f"now stands {found}"
    return None


def _difference(expected: dict[Any, Any], k: int, entries: list[dict[str, float]]) -> str | None:
    for (number, i, hyper), value in expected.items():
        if number == k and value is not None and not near(entries[i][hyper], value, NEAR):
            return f"{hyper} {entries[i][hyper]!r} in group {i} of o{k}, right is {value!r}"
    return None


def _shows(world: World, shown: list[Any]) -> bool:
    rates = [world.expected().get((k, i, "lr")) for k, i, _ in world.groups()]
    return all(right is None or near(float(a), right, NEAR) for a, right in zip(shown, rates, strict=True))


def run(program: Program, each: Callable[[Running], None] = lambda running: None) -> Running:
    """Run a program to its end, or to where the rules say no more."""
    running = Running()
    with suppress(UndecidedError):
        for action in program:
            running.do(action)
            each(running)
        running.finish()
        running.counts["whole"] += 1
    return running


def failure(program: Program) -> str | None:
    """What is wrong with a program; None if nothing is. Asking must change nothing: it is run again without."""
    try:
        first = run(program)
        if any(isinstance(action, Ask) for action in program):
            second = run([action for action in program if not isinstance(action, Ask)])
            if [entry for entry in first.used if entry[1]] != [entry for entry in second.used if entry[1]]:
                return first._says("without the getters the updates used other values", [])
    except WrongRateError as error:
        return str(error)
    return None


def shrunk(program: Program) -> Program:
    """The program with everything dropped that its failure does not need."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(program):
            if failure(candidate) is not None:
                program, smaller = candidate, True
                break
    return program


def _candidates(program: Program) -> Iterator[Program]:
    for i in reversed(range(len(program))):
        yield program[:i] + program[i + 1 :]
    for i, action in enumerate(program):
        for less in simpler(action):
            if less != action:
                yield [*program[:i], less, *program[i + 1 :]]
