"""What is compared: arms (schedules) in studies (one task each), and the experiment that holds the studies.

A *trial* is one run: an arm of a study with one seed. What makes two trials the same is `Trial.identity`, and nothing
else: a finished run counts for this experiment only if its identity is equal.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import preheat
from preheat.core.errors import PreheatError, shown

TRAINER = "preheat.lab.tasks.training:train"
"""The built-in training loop, as `module:function`: imported by the worker only."""

LONGEST_NAME = 60
_ARM_EXAMPLE = "write NAME=SCHEDULE, such as linear='warmup(\"5%\") >> decay()'"


@dataclass(frozen=True, slots=True)
class Arm:
    """A schedule under a name; `spec` is its text in factors of the peak rate, kept in the canonical spelling.

    Raises `PreheatError` for a name that cannot be shown and for text that is not a schedule.
    """

    name: str
    spec: str

    def __post_init__(self) -> None:
        named("an arm", self.name)
        object.__setattr__(self, "spec", repr(preheat.parse(self.spec)))

    @classmethod
    def read(cls, text: str) -> "Arm":
        """The arm that `NAME=SCHEDULE` describes."""
        name, equals, spec = text.partition("=")
        if not equals or not name.strip() or "(" in name:
            raise PreheatError(f"an arm needs a name and a schedule, not {shown(text)}; {_ARM_EXAMPLE}")
        return cls(name.strip(), spec.strip())


@dataclass(frozen=True, slots=True)
class Study:
    """The same task, options and number of updates under every arm, each arm with every seed.

    The first arm is the one that the others are compared with. `options` is a frozen dataclass of plain values;
    `trainer` names the function that trains, as `module:function`, called like `preheat.lab.tasks.training.train`.
    """

    title: str
    task: str
    options: Any
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    steps: int
    trainer: str = TRAINER

    def __post_init__(self) -> None:
        named("a study", self.title)
        object.__setattr__(self, "arms", tuple(self.arms))
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if not self.arms:
            raise PreheatError(f"the study {self.title!r} has no arm; {_ARM_EXAMPLE}")
        distinct("arms", [arm.name for arm in self.arms])
        whole("steps", self.steps, low=1)
        for seed in self.seeds:
            whole("a seed", seed, low=0)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise PreheatError(f"seeds must be different from one another and at least one, not {shown(self.seeds)}")
        if not re.fullmatch(r"[\w.]+:\w+", self.trainer):
            raise PreheatError(f"a trainer is written 'module:function', not {shown(self.trainer)}")
        if self.trainer == TRAINER:  # what another trainer's run is worth in epochs or tokens, only that trainer knows
            for arm in self.arms:
                fits(arm, self.steps)
        self.settings()

    def settings(self) -> dict[str, Any]:
        """What all runs of this study share, as JSON holds it."""
        if not dataclasses.is_dataclass(self.options) or isinstance(self.options, type):
            raise PreheatError(f"options must be a dataclass of plain values, not {shown(self.options)}")
        try:
            options = json.loads(json.dumps(dataclasses.asdict(self.options), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise PreheatError(f"options must hold plain finite values that JSON can write: {error}") from None
        return {"task": self.task, "trainer": self.trainer, "options": options, "steps": self.steps}

    def trials(self) -> Iterator["Trial"]:
        """Every run, seed by seed: when it is stopped early, whole pairs are there to be compared."""
        for seed in self.seeds:
            for arm in self.arms:
                yield Trial(self, arm, seed)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: an arm of a study with one seed."""

    study: Study
    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """The run's file name without its ending: letters, digits, `.`, `_` and `-` only."""
        return f"{slug(self.study.title)}-{slug(self.arm.name)}-seed{self.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """All that the run's outcome depends on; the names of the arm and of the study are not among it."""
        return {**self.study.settings(), "spec": self.arm.spec, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Experiment:
    """One or more studies that are run and reported together.

    `command` is the command line that made it, shown in the report under "How to reproduce"; without one the report
    shows the Python instead. Absolute paths in it are shown by their last part only.
    """

    title: str
    studies: tuple[Study, ...]
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named("an experiment", self.title)
        object.__setattr__(self, "studies", tuple(self.studies))
        object.__setattr__(self, "command", tuple(self.command))
        if not self.studies:
            raise PreheatError("an experiment needs at least one study")
        distinct("studies", [study.title for study in self.studies])
        names = [trial.name.casefold() for trial in self.trials()]
        for name in names:
            if names.count(name) > 1:
                raise PreheatError(f"two runs would share the file {name}.jsonl; give one study or arm another name")

    def trials(self) -> Iterator[Trial]:
        """Every run of every study."""
        for study in self.studies:
            yield from study.trials()


def slug(name: str) -> str:
    """`name` as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "unnamed"


def named(what: str, name: object) -> None:
    """Refuse a name that could not stand in a table: empty, long, or with characters that do not print."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise PreheatError(f"{what} needs a printable name of 1 to {LONGEST_NAME} characters, not {shown(name)}")


def distinct(what: str, names: list[str]) -> None:
    """Refuse two names that would write to the same files, on file systems that ignore case too."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(slug(name).casefold(), name)
        if other is not name:
            raise PreheatError(
                f"two {what} are too alike to have files of their own: {other!r} and {name!r}; rename one"
            )


def whole(what: str, value: object, low: int) -> None:
    """Refuse what is not a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise PreheatError(f"{what} must be a whole number of at least {low}, not {shown(value)}")


def fits(arm: Arm, steps: int) -> None:
    """Refuse a schedule that does not fit the run, before a process is started for it."""
    try:
        preheat.parse(arm.spec).bind(preheat.Run(total=steps))
    except PreheatError as error:
        raise PreheatError(f"arm {arm.name!r} cannot run for {steps} steps: {error}") from None
