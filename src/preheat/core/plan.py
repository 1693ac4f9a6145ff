"""Which schedule drives which hyper-parameter of which group."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.spans import Run
from preheat.core.value import Value

RATE = "lr"  # the hyper-parameter that a lone schedule drives, and that rules scale
_LINE = re.compile(r"(?:(?P<group>.+)/)?(?P<hyper>[A-Za-z_][A-Za-z_0-9]*(?:\[[0-9]+\])?)", re.ASCII)


class Absolute(Value):
    """A plan line whose schedule is the value itself, not a factor of the group's own."""

    __slots__ = ("schedule",)

    schedule: Schedule

    def __init__(self, schedule: Schedule) -> None:
        self._set(schedule=schedule)

    def __repr__(self) -> str:
        return f"absolute({self.schedule!r})"


def absolute(schedule: Schedule) -> Absolute:
    """Say that `schedule` is the value itself: `Scheduler(optimizer, absolute(ramp(0.01, 0.1, 1000)))`.

    Without it a schedule multiplies what each group was given. Raises PreheatError for what is not a schedule.

    >>> from preheat import ramp
    >>> absolute(ramp(0.01, 0.1, 1000))
    absolute(ramp(0.01, 0.1, 1000))
    """
    if not isinstance(schedule, Schedule):
        raise PreheatError(
            "absolute takes a schedule", given=schedule, write=f"write absolute(hold({shown(schedule)}))"
        )
    return Absolute(schedule)


class Line(NamedTuple):
    """One line of a plan: a hyper-parameter, of one group or of all, and what it follows."""

    group: str | None
    hyper: str
    schedule: Schedule
    is_absolute: bool

    @property
    def key(self) -> str:
        """`hyper` or `group/hyper`."""
        return self.hyper if self.group is None else f"{self.group}/{self.hyper}"

    @property
    def is_rate(self) -> bool:
        """Whether it drives the learning rate."""
        return self.hyper == RATE

    @property
    def target(self) -> Schedule | Absolute:
        """What stands on the right of the line."""
        return Absolute(self.schedule) if self.is_absolute else self.schedule


class Plan(Mapping[str, "Schedule | Absolute"]):
    """Which schedule drives which hyper-parameter: `{"lr": s, "weight_decay": absolute(w), "head/lr": s.scaled(10)}`.

    A key is `hyper`, for every group that has it, or `group/hyper`, for the group of that name or index; it is split at
    the last "/", and the second overrides the first. `betas[0]` is the first entry of a tuple. A schedule multiplies
    what the group was given; `absolute(s)` is the value itself. A plan is a value: equal, hashable, printable.

    >>> from preheat import decay, warmup
    >>> Plan({"lr": warmup(100) >> decay(900), "momentum": absolute(warmup(100))})
    Plan({'lr': ramp(0.0, 1.0, 100) >> ramp(1.0, 0.0, 900), 'momentum': absolute(ramp(0.0, 1.0, 100))})

    Raises PreheatError for a key that names no hyper-parameter, or what is not a schedule.
    """

    __slots__ = ("lines",)
    lines: tuple[Line, ...]

    def __init__(self, lines: Mapping[str, Schedule | Absolute] | Schedule | Absolute) -> None:
        if isinstance(lines, Schedule | Absolute):
            lines = {RATE: lines}
        if not isinstance(lines, Mapping) or not lines:
            raise PreheatError("a plan is a mapping from hyper-parameters to schedules", given=lines)
        read_lines = sorted((_line(key, target) for key, target in lines.items()), key=lambda line: line.key)
        object.__setattr__(self, "lines", tuple(read_lines))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a plan is a value; make a new one instead of setting {name}")

    def __getitem__(self, key: str) -> Schedule | Absolute:
        return {line.key: line.target for line in self.lines}[key]

    def __iter__(self) -> Iterator[str]:
        return (line.key for line in self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __eq__(self, other: object) -> bool:
        return self.lines == other.lines if isinstance(other, Plan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.lines)

    def __repr__(self) -> str:
        return f"Plan({{{', '.join(f'{line.key!r}: {line.target!r}' for line in self.lines)}}})"

    def __reduce__(self) -> tuple[type, tuple]:
        return Plan, (dict(self),)

    def bind(self, run: Run, *, truncate: bool = False) -> Plan:
        """Every line bound to `run`; raises BindError, naming the line, where one does not fit."""

        def bound(schedule: Schedule) -> Schedule:
            return schedule.bind(run, truncate=truncate)

        for line in self.lines:
            try:
                bound(line.schedule)
            except PreheatError as error:
                error.add_note(f"in the plan's line {line.key!r}")
                raise
        return self.replaced(None, bound)

    def replaced(self, hyper: str | None, change: Callable[[Schedule], Schedule]) -> Plan:
        """The plan with the schedule of every line for `hyper` (None: of every line) changed by a function."""
        lines: dict[str, Schedule | Absolute] = {}
        for line in self.lines:
            schedule = change(line.schedule) if hyper in (None, line.hyper) else line.schedule
            lines[line.key] = Absolute(schedule) if line.is_absolute else schedule
        return Plan(lines)

    def to_text(self) -> str:
        """The plan as one JSON object from line to schedule text: what a checkpoint holds."""
        import json  # not every import of preheat saves a plan

        return json.dumps({line.key: repr(line.target) for line in self.lines})


def _line(key: object, target: object) -> Line:
    found = _LINE.fullmatch(key) if isinstance(key, str) else None
    if found is None:
        raise PreheatError(f"{shown(key)} names no hyper-parameter", write="write 'lr', 'betas[0]' or 'head/lr'")
    if isinstance(target, Absolute):
        return Line(found["group"], found["hyper"], target.schedule, True)
    if not isinstance(target, Schedule):
        raise PreheatError(
            f"the line {key!r} needs a schedule", given=target, write=f"write absolute(hold({shown(target)}))"
        )
    return Line(found["group"], found["hyper"], target, False)
