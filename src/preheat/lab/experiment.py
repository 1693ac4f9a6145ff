"""What is compared: arms (schedules) in studies (one task each), and the experiment that holds the studies.

A *trial* is one run: an arm of a study with one seed. What makes two trials the same is `Trial.identity`, and nothing
else: a finished run counts for this experiment only if its identity is equal.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from preheat.core.checks import counted, finite_number, positive_number
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute, Relative
from preheat.core.text.language import Target, parse, to_text
from preheat.core.text.words import Source
from preheat.lab.identity.holdings import holdings
from preheat.lab.identity.secrets import HIDDEN, Mask, is_secret
from preheat.lab.naming import check_distinct, check_name, relative, slug, slugs, titled

TRAINER = "preheat.lab.tasks.training:train"
"""The built-in training loop, as `module:function`: imported by the worker only."""

NOT_METRICS = frozenset({"step", "diverged", "reason", "steps", "parameters", "data", "chance_loss"})
"""What a line of a record, or a training that ends, says under these names is no metric."""

_ARM_EXAMPLE = "write NAME=SCHEDULE, such as linear='warmup(\"5%\") >> decay()'"


@dataclass(frozen=True, slots=True, repr=False)
class Arm:
    """A schedule under a name: factors of the peak rate, or for people's own training also `absolute(…)` or a plan.

    target: the schedule, or its text; `spec` is its text in the canonical spelling. In a grid of peaks every arm has
    its `peak`, and `family` is the name that it shares with the other peaks.
    Raises `PreheatError` for a name that cannot be shown, for what is not a schedule, and for factors whose peak is not 1
    unless they are `relative(…)`: they may be meant as rates.
    """

    name: str
    target: Target
    peak: float | None
    family: str

    def __init__(self, name: str, target: Target | Source, peak: float | None = None, family: str = "") -> None:
        check_name("the name of an arm", name)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "target", _clear(name, target))
        object.__setattr__(self, "peak", None if peak is None else positive_number(peak, "a peak"))
        object.__setattr__(self, "family", family or name)

    @property
    def spec(self) -> str:
        """The schedule as text."""
        return to_text(self.target)

    def __repr__(self) -> str:
        grid = "" if self.peak is None else f", {self.peak!r}, {self.family!r}"
        return f"Arm({self.name!r}, {self.spec!r}{grid})"

    @classmethod
    def read(cls, text: str) -> "Arm":
        """The arm that `NAME=SCHEDULE` describes."""
        name, equals, spec = text.partition("=")
        if not equals or not name.strip() or "(" in name:
            raise PreheatError(f"an arm needs a name and a schedule, not {shown(text)}; {_ARM_EXAMPLE}")
        return cls(name.strip(), spec.strip())


def grid(arms: Iterable[Arm], peaks: Iterable[float]) -> tuple[Arm, ...]:
    """Every arm at every peak, under names such as "linear @ 0.003".

    arms: schedules in factors of the peak.   peaks: rates above 0, each once.
    """
    arms, peaks = tuple(arms), peaks_of(peaks)
    for arm in arms:
        if not isinstance(arm.target, Schedule | Relative):
            raise PreheatError(f"arm {arm.name!r} gives rates of its own, so it has no peak to vary; write factors")
    return tuple(Arm(f"{arm.name} @ {peak:g}", arm.target, peak, arm.name) for arm in arms for peak in peaks)


def peaks_of(peaks: Iterable[float]) -> tuple[float, ...]:
    """The peaks of a grid as floats above 0. Raises `PreheatError` for anything else, and for one that is given twice."""
    if isinstance(peaks, str | bytes | Mapping) or not isinstance(peaks, Iterable):
        raise PreheatError("peaks are a list of rates", given=peaks, write="write for example peaks=(1e-3, 3e-3)")
    found = tuple(positive_number(peak, "a peak") for peak in peaks)
    for name, uses in Counter(f"{peak:g}" for peak in found).items():
        if uses > 1:
            raise PreheatError(f"the peak {name} is given {'twice' if uses == 2 else f'{uses} times'}; give each once")
    return found


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that runs end with; `goal` says whether a lower ("min") or a higher ("max") one is better.

    What stands in the name before the last "/" is the stage of the training that it was measured in: `stage2/val_loss`.
    """

    name: str
    goal: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        check_name("the name of a metric", self.name)
        if self.name in NOT_METRICS:
            raise PreheatError(
                f"a metric cannot be called {self.name!r}, which is a fact of a run; log it as my_{self.name}"
            )
        if self.name.startswith("/") or self.name.endswith("/"):
            raise PreheatError("a metric has a name after its stage", given=self.name, write="write stage2/val_loss")
        if self.goal not in ("min", "max"):
            raise PreheatError(f'the goal of {self.name} is "min" or "max", not {shown(self.goal)}')

    @property
    def title(self) -> str:
        """The metric in words: `validation loss` for `val_loss`, `validation loss, stage2` for `stage2/val_loss`."""
        return metric_title(self.name)

    @property
    def stage(self) -> str:
        """The stage of the training that it is of; empty where there is only one."""
        return self.name.rpartition("/")[0]

    def cost(self, value: float | None) -> float:
        """A value as one that is lower where it is better: negative for the goal "max", infinite where not finite."""
        return math.inf if value is None else -value if self.goal == "max" else value

    @classmethod
    def read(cls, text: str) -> "Metric":
        """`val_loss`, or `accuracy:max` where higher is better."""
        if not isinstance(text, str):
            what = "a metric is the name of what is logged or returned"
            raise PreheatError(what, given=text, write="write for example 'val_loss', or 'accuracy:max'")
        name, _, goal = text.strip().partition(":")
        return cls(name, goal or "min")  # type: ignore[arg-type]


def metric_title(name: str) -> str:
    """The name of what was logged in words, its stage last.

    >>> metric_title("val_loss"), metric_title("stage2/val_loss")
    ('validation loss', 'validation loss, stage2')
    """
    stage, _, own = name.rpartition("/")
    words = {"val_loss": "validation loss", "loss": "training loss"}.get(own, own.replace("_", " "))
    return f"{words}, {stage.replace('_', ' ')}" if stage else words


@dataclass(frozen=True, slots=True)
class TargetValue:
    """A fixed value that the mean of the deciding metric is to be better than: below, for the goal "max" above.

    sd: the standard deviation over seeds, where it is known from other runs; None to estimate it.   level: the probability
    of a false claim, all arms together; speed-runs ask for 0.01.
    """

    value: float
    sd: float | None = None
    level: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", finite_number(self.value, "a target"))
        if self.sd is not None:
            object.__setattr__(self, "sd", positive_number(self.sd, "the standard deviation for a target"))
        object.__setattr__(self, "level", positive_number(self.level, "the level of a target"))
        if self.level >= 0.5:
            what = "the level of a target is the probability of a false claim, below 0.5"
            raise PreheatError(what, given=self.level, write="write 0.05, or 0.01")

    @classmethod
    def given(cls, value: float | None, sd: float | None, level: float | None) -> "TargetValue | None":
        """The target of which these are known; None without any. Refuses what belongs to a target where there is none."""
        if value is not None:
            return cls(value, sd) if level is None else cls(value, sd, level)
        if sd is not None or level is not None:
            raise PreheatError("a standard deviation or level was given without a target; give the target too")
        return None


@dataclass(frozen=True, slots=True)
class Study:
    """The same task, options and number of updates under every arm, each arm with every seed.

    arms: the schedules, by name.   seeds: of the weights and the data; arms are compared seed by seed.

    The first arm is the one that the others are compared with; in a grid, at each peak. `metrics[0]` decides, the others
    are reported beside it; `target` is asked of the first. `options` is a frozen dataclass of plain values. `trainer` names
    the function that trains, as `module:function`, called as `train(options, schedule, seed, log, steps=steps)`. People's
    own training is a `function`, called as `train(schedule, seed, log)`; then `options` may be None, and `steps` too.
    `held` is what the function holds by name, each as what is shown and its digits: found by `holdings` unless it is given.
    `code` is a fingerprint of the source: runs of another version are kept, with a note. In `title` no folder of this
    machine stays. `prefix` begins the names of the runs' files, by default the title: with one, a study that gets another
    title finds its runs.
    """

    title: str
    task: str
    options: Any
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    steps: int | None
    trainer: str = TRAINER
    metrics: tuple[Metric, ...] = (Metric("val_loss"),)
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    code: str = field(default="", compare=False, repr=False)
    target: TargetValue | None = None
    held: Mapping[str, list[str]] | None = field(default=None, compare=False, repr=False)
    prefix: str = field(default="", compare=False, repr=False)
    files: Mapping[str, str] = field(init=False, compare=False, repr=False)  # the names of arms as parts of file names

    def __post_init__(self) -> None:
        check_name("the title of a study", self.title)
        object.__setattr__(self, "title", _public_title(self.title))
        for name in ("arms", "seeds", "metrics"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.arms:
            raise PreheatError(f"the study {self.title!r} has no arm; {_ARM_EXAMPLE}")
        if not self.metrics:
            raise PreheatError(f"the study {self.title!r} has no metric to compare; write Metric('val_loss')")
        check_distinct("arms", (arm.name for arm in self.arms))
        check_distinct("metrics", (metric.name for metric in self.metrics), "leave one out")
        object.__setattr__(self, "files", slugs(arm.name for arm in self.arms))
        if self.steps is not None:
            object.__setattr__(self, "steps", counted(self.steps, "steps must be a whole number of at least 1", 1))
        what = "a seed must be a whole number of at least 0"
        object.__setattr__(self, "seeds", tuple(counted(seed, what) for seed in self.seeds))
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise PreheatError(f"seeds must be different from one another and at least one, not {shown(self.seeds)}")
        if self.function is None and not re.fullmatch(r"[\w.]+:\w+", self.trainer):
            raise PreheatError(f"a trainer is written 'module:function', not {shown(self.trainer)}")
        if self.trainer == TRAINER:  # what another trainer's run is worth in epochs or tokens, only that trainer knows
            for arm in self.arms:
                _check_fit(arm, self.steps)
        if self.function is not None:
            held, code = holdings(self.function)
            object.__setattr__(self, "held", held if self.held is None else self.held)
            object.__setattr__(self, "code", self.code or code)
        self.settings()

    @property
    def stem(self) -> str:
        """What the names of the runs' files begin with, and what a study is known by whatever its title is."""
        return self.prefix or self.title

    @property
    def families(self) -> dict[str, dict[float | None, Arm]]:
        """The arms by family, and in each by peak, in their order; without a grid every arm is a family at peak None."""
        found: dict[str, dict[float | None, Arm]] = {}
        for arm in self.arms:
            found.setdefault(arm.family, {})[arm.peak] = arm
        return found

    @property
    def is_grid(self) -> bool:
        """Whether every arm has a peak of its own."""
        return all(arm.peak is not None for arm in self.arms)

    def reference(self, arm: Arm) -> Arm | None:
        """The arm that `arm` is compared with: the first one, at the same peak; None for that one itself."""
        first = next((one for one in self.arms if one.peak == arm.peak and one.family == self.arms[0].family), None)
        return None if first == arm else first

    def settings(self) -> dict[str, Any]:
        """What all runs of this study share, as JSON holds it; of `steps` only where the trainer is told of them."""
        shared: dict[str, Any] = {"task": self.task, "trainer": self.trainer, "options": _plain(self.options)}
        if self.function is None and not hasattr(self.options, "public"):
            shared["steps"] = self.steps
        return shared if self.held is None else {**shared, "held": dict(self.held)}

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
    def key(self) -> tuple[str, int]:
        """The name of the arm, and the seed: what tells the trials of one study apart."""
        return self.arm.name, self.seed

    def __hash__(self) -> int:
        return hash(self.key)  # that of all fields would hash every schedule of the study

    @property
    def name(self) -> str:
        """The run's file name without its ending: letters, digits, `.`, `_` and `-` only."""
        return f"{slug(self.study.stem)}-{self.study.files[self.arm.name]}-seed{self.seed}"

    @property
    def options(self) -> Any:
        """The study's options; in a grid at the arm's peak, where the options have one."""
        options, peak = self.study.options, self.arm.peak
        return dataclasses.replace(options, peak=peak) if peak is not None and hasattr(options, "peak") else options

    @property
    def target(self) -> Target:
        """What the training follows: the arm's schedule; in a grid the rates themselves, where options have no peak."""
        own, peak = self.arm.target, self.arm.peak
        if peak is None or hasattr(self.study.options, "peak") or not isinstance(own, Schedule | Relative):
            return own
        return Absolute((own.schedule if isinstance(own, Relative) else own).scaled(peak))

    @property
    def identity(self) -> dict[str, Any]:
        """All that the run's outcome depends on; the names of the arm and of the study are not among it."""
        settings = {**self.study.settings(), "options": _plain(self.options)}
        return {**settings, "spec": to_text(self.target), "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Experiment:
    """One or more studies that are run and reported together.

    title: what the report is called.   studies: at least one.

    `command` is the command line that made it, shown in the report under "How to reproduce"; without one the report
    shows the Python instead. In both the absolute paths keep their last part only, and secrets are `***`.
    """

    title: str
    studies: tuple[Study, ...]
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("the title of an experiment", self.title)
        object.__setattr__(self, "title", _public_title(self.title))
        object.__setattr__(self, "studies", tuple(self.studies))
        object.__setattr__(self, "command", tuple(self.command))
        if not self.studies:
            raise PreheatError("an experiment needs at least one study")
        check_distinct("studies", (study.title for study in self.studies))
        for name, uses in Counter(trial.name.casefold() for trial in self.trials()).items():
            if uses > 1:
                raise PreheatError(f"two runs would share the file {name}.jsonl; give one study or arm another name")

    def trials(self) -> Iterator[Trial]:
        """Every run of every study."""
        for study in self.studies:
            yield from study.trials()


def _clear(name: str, given: Target | Source) -> Target:
    """The schedule of an arm, refused where its factors may be meant as rates."""
    target = parse(given)
    try:
        refuse_unclear(Plan(target), lambda line: None)
    except PreheatError as error:
        raise error.restated(type(error), f"arm {name!r}: {error.reason}") from None
    return target


def _public_title(title: str) -> str:
    """A title without folders of this machine and without secrets."""
    public = Mask().text(relative(title))
    return title if public == title else titled(public)


def _plain(options: object) -> dict[str, Any] | None:
    """Options as JSON holds them; texts without folders and secrets, and then with a digest of what they were."""
    if options is None:
        return None
    if hasattr(options, "public"):
        return options.public()
    if not dataclasses.is_dataclass(options) or isinstance(options, type):
        raise PreheatError(f"options must be a dataclass of plain values, not {shown(options)}")
    try:
        plain = json.loads(json.dumps(dataclasses.asdict(options), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise PreheatError(f"options must hold plain finite values that JSON can write: {error}") from None
    without = {name: _public(value, name, Mask().text) for name, value in plain.items()}
    public = {name: _public(value, name, lambda text: relative(Mask().text(text))) for name, value in plain.items()}
    if public == without:
        return public
    text = json.dumps(without, sort_keys=True).encode()
    return {**public, "folders": hashlib.sha256(text).hexdigest()[:12]}


def _public(value: Any, name: str, shown_as: Callable[[str], str]) -> Any:
    """A value of JSON with every text in it as it is shown."""
    if isinstance(value, dict):
        return {key: _public(one, key, shown_as) for key, one in value.items()}
    if isinstance(value, list):
        return [_public(one, name, shown_as) for one in value]
    if isinstance(value, str):
        return HIDDEN if is_secret(name, value) else shown_as(value)
    return value


def _check_fit(arm: Arm, steps: int | None) -> None:
    """Refuse a schedule that does not fit the run, before a process is started for it."""
    if steps is None:
        raise PreheatError("the built-in tasks need to be told for how many steps to train")
    try:
        if not isinstance(arm.target, Schedule | Relative):
            what = f"{shown(arm.spec)} is no schedule of factors, and the built-in tasks have a peak of their own"
            raise PreheatError(what, write="write for example warmup('5%') >> decay()")
        arm.target.bind(Run(total=steps))
    except PreheatError as error:
        what = f"arm {arm.name!r} cannot run for {steps} steps: {error.reason}"
        raise error.restated(PreheatError, what) from None
