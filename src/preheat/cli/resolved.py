"""From what was typed to a schedule that can be evaluated: what `show` and `table` share."""

import math
from dataclasses import asdict, dataclass
from typing import Literal

from cyclopts import Parameter

import preheat
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.core.checks import positive_number, ticks
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.node import Schedule
from preheat.core.plan import RATE, Plan
from preheat.core.sampling import horizon
from preheat.core.spans import Run
from preheat.core.stated import Absolute, Relative, Stated, plain
from preheat.core.text.language import Target
from preheat.recipes.published import Preset

LONGEST = 10**15


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the schedule does not know: how long the run is, and what its units are worth. Of a preset, what was published."""

    total: str | None = None
    """How long the run is, warmup included: 10_000 (updates), '3 epochs', '2B tokens', '6 h'."""

    steps_per_epoch: float | None = None
    """Updates in one epoch; needed where epochs are written."""

    samples_per_step: float | None = None
    """Samples in one update; needed where samples are written."""

    tokens_per_step: float | None = None
    """Tokens in one update; needed where tokens are written."""

    clock: Literal["step", "epoch", "sample", "token", "second"] | None = None
    """What a bare number counts, by default a step, which is an optimizer update."""

    def run(self, published: Preset | None = None) -> Run:
        """The same as a Run, what is not said being that of a preset; raises PreheatError where it cannot be one."""
        for name in ("steps_per_epoch", "samples_per_step", "tokens_per_step"):
            if (worth := getattr(self, name)) is not None:
                option = f"--{name.replace('_', '-')}"
                ticks(positive_number(worth, option), option)
        said = {name: value for name, value in asdict(self).items() if value is not None}
        run = Run(**said) if published is None else published.run(**said)
        if run.total == 0:
            raise PreheatError("--total must be above 0", given=self.total, write="write for example --total 10_000")
        return run


@dataclass(frozen=True)
class Resolved:
    """A schedule on its run, ready to be evaluated.

    written: as it was typed, in the canonical spelling. bound: with every span in ticks. values: that, times the peak.
    line: which line of which plan it is, in words; "" where it is no plan. total: ticks to show.
    known: whether it was given, or is the schedule's own length; else it is only a horizon.
    """

    written: Schedule | Stated
    bound: Schedule | Stated
    values: Schedule
    line: str
    run: Run
    peak: float
    total: int
    known: bool

    @property
    def curve(self) -> Schedule:
        """What is bound, whatever is stated of it."""
        return plain(self.bound)

    @property
    def tick(self) -> str:
        """What one tick is called."""
        return "update" if self.run.clock == "step" else self.run.clock


def resolve(
    spec: str | None, preset: str | None, options: RunOptions, peak: float | None, line: str | None = None
) -> Resolved:
    """The schedule of a text, or of a preset, on the run that `options` describe, its values times `peak`.

    peak: None for the preset's own, or 1.   line: which one of a plan; None for the learning rate's.
    Raises PreheatError, in the words of the command line, if one of them cannot be read or they do not fit.
    """
    given, usual = asked(spec, preset)
    written, where = _line(given, line)
    if isinstance(written, Absolute) and peak is not None:
        raise PreheatError("--peak makes rates of factors, and this schedule is rates; leave it out")
    factor = usual if peak is None else positive_number(peak, "--peak")
    try:
        run = options.run(None if preset is None else preheat.presets[preset])
        bound = written.bind(run)
        values = bound if peak is None and factor == 1 else written.bind(run, peak=factor)  # type: ignore[arg-type]
    except PreheatError as error:
        refused = at_prompt(error, SCHEDULE)
        raise refused if preset is None else PreheatError(f"{refused}; see preheat presets {preset}") from None
    length = bound.length if run.total is None else run.total
    known = length != math.inf
    total = max(1, math.ceil(length)) if known else horizon(plain(bound))
    if total > LONGEST:
        raise PreheatError(
            f"this would be a run of more than {LONGEST:,} ticks; give a shorter --total, or shorter spans"
        )
    return Resolved(written, bound, plain(values), where, run, factor, total, known)


def _line(given: Target, line: str | None) -> tuple[Schedule | Absolute | Relative, str]:
    """The schedule to show, and where in a plan it stands."""
    if not isinstance(given, Plan):
        if line is not None:
            raise PreheatError(f"--line {line} asks for a line of a plan, and this is one schedule; leave it out")
        return given, ""
    key = line if line is not None else RATE if RATE in given or len(given) > 1 else next(iter(given))
    if key not in given:
        raise PreheatError(f"the plan has no line {shown(key)}{nearest(key, given)}; write one of them after --line")
    others = ", ".join(other for other in given if other != key)
    return given[key], f"the line {key}" + (f"; --line shows another: {others}" if others else "")


def asked(spec: str | None, preset: str | None) -> tuple[Target, float]:
    """What was asked for, and the peak that it is shown at unless another is given."""
    if spec is not None and preset is not None:
        raise PreheatError("--preset stands instead of a schedule; write one of them")
    if preset is not None:
        published = preheat.presets[preset]
        return published.schedule, 1.0 if published.peak_lr is None else published.peak_lr
    if spec is None:
        raise PreheatError("SPEC requires an argument; see preheat show --help, or preheat presets for --preset NAME")
    return preheat.parse(spec), 1.0
