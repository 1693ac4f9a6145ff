"""Which schedule drives which hyper-parameter of which group."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from preheat.core.errors import PreheatError, shown
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.notebook import html_of
from preheat.core.spans import Run
from preheat.core.stated import Absolute, Relative, Sizes, Stated, no_rate, plain
from preheat.core.text.words import BUILDERS, is_json, mapping_from, refuse_unbuilt, target

RATE = "lr"  # the hyper-parameter that a lone schedule drives, and that rules scale
BATCH = "batch"  # a quantity that changes what an update is worth
_HYPER = r"[A-Za-z_][A-Za-z_0-9]*(?:\[[0-9]+\])?"
_LINE = re.compile(rf"(?:(?P<group>.+)/)?(?P<hyper>{_HYPER})", re.ASCII)
PATTERN = rf"^(?:.+/)?{_HYPER}$"  # of a line's key, in the regular expressions of JSON Schema
NO_LINES = ("kind", *BUILDERS)  # what tells a schedule as data, or what is to be built, from a plan


class Line(NamedTuple):
    """One line of a plan: a hyper-parameter, of one group or of all, and what it follows."""

    group: str | None
    hyper: str
    target: Schedule | Absolute | Relative

    @property
    def key(self) -> str:
        """`hyper` or `group/hyper`."""
        return self.hyper if self.group is None else f"{self.group}/{self.hyper}"

    @property
    def is_rate(self) -> bool:
        """Whether it drives the learning rate."""
        return self.hyper == RATE

    @property
    def schedule(self) -> Schedule:
        """The schedule, whatever is stated of it."""
        return plain(self.target)

    @property
    def is_absolute(self) -> bool:
        """Whether its values are the values themselves, not factors."""
        return isinstance(self.target, Absolute)

    @property
    def is_batch(self) -> bool:
        """Whether it drives the batch: by its name, "batch" or one with the word in it, or by what it follows."""
        return BATCH in self.hyper.split("_") or isinstance(self.target, Sizes)

    @property
    def is_relative(self) -> bool:
        """Whether it says that its values are factors, whatever their peak."""
        return isinstance(self.target, Relative)

    def following(self, schedule: Schedule) -> Line:
        """The same line with another schedule, of which the same is stated."""
        return self._replace(target=type(self.target)(schedule) if isinstance(self.target, Stated) else schedule)


class Plan(Mapping[str, "Schedule | Absolute | Relative"]):
    """Which schedule drives which hyper-parameter: `{"lr": s, "weight_decay": absolute(w), "head/lr": s.scaled(10)}`.

    A key is `hyper`, for every group that has it, or `group/hyper`, for the group of that name or index, and for those
    whose name begins with it and a "/"; it is split at the last "/", and the closest overrides the others. `betas[0]` is
    the first entry of a tuple. A schedule multiplies what the group was given; `absolute(s)` is the value itself. Schedules
    may be given as text or data, as `parse` takes them, and so may the plan. A plan is a value: equal, hashable, printable.

    lines: schedules by key; a schedule alone is the line "lr".

    >>> from preheat import absolute, decay, warmup
    >>> Plan({"lr": warmup(100) >> decay(900), "momentum": absolute(warmup(100))})
    Plan({'lr': ramp(0.0, 1.0, 100) >> ramp(1.0, 0.0, 900), 'momentum': absolute(ramp(0.0, 1.0, 100))})

    Raises PreheatError for a key that names no hyper-parameter, or what is not a schedule.
    """

    __slots__ = ("lines",)
    lines: tuple[Line, ...]

    def __init__(self, lines: Mapping[str, Any] | Schedule | Absolute | Relative | Meant | str) -> None:
        given: Any = lines.target if isinstance(lines, Meant) else lines
        given = mapping_from(given) if isinstance(given, str) and is_json(given) else given
        if not isinstance(given, Mapping) or "kind" in given:
            given = {RATE: target(given)}
        if not given:
            raise PreheatError("a plan is a mapping from hyper-parameters to schedules", given=lines)
        refuse_unbuilt(given)
        read_lines = sorted((_line(key, value) for key, value in given.items()), key=lambda line: line.key)
        object.__setattr__(self, "lines", tuple(read_lines))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a plan is a value; make a new one instead of setting {name}")

    def __getitem__(self, key: str) -> Schedule | Absolute | Relative:
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

    def _repr_html_(self) -> str | None:
        return html_of(self)

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
        lines = [line.following(change(line.schedule)) if hyper in (None, line.hyper) else line for line in self.lines]
        return Plan({line.key: line.target for line in lines})

    def to_text(self) -> str:
        """The plan as one JSON object from line to schedule text: what a checkpoint holds."""
        import json  # not every import of preheat saves a plan

        return json.dumps({line.key: repr(line.target) for line in self.lines})


def families(name: str) -> list[str]:
    """What stands before each "/" of a group's name, the longest first: "head/no_decay" is of "head"."""
    ends = [i for i, letter in enumerate(name) if letter == "/"]
    return [name[:end] for end in reversed(ends)]


def _line(key: object, value: object) -> Line:
    found = _LINE.fullmatch(key) if isinstance(key, str) else None
    if found is None or key == "kind":  # the word that tells data from a plan
        raise PreheatError(f"{shown(key)} names no hyper-parameter", write="write 'lr', 'betas[0]' or 'head/lr'")
    try:
        line = Line(found["group"], found["hyper"], target(value))
        if line.is_rate and isinstance(line.target, Sizes):
            raise no_rate(line.target)
        return line
    except PreheatError as error:
        raise error.restated(type(error), f"the line {key!r}: {error.reason}") from None
