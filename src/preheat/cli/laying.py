"""From what was typed to a schedule that can be evaluated: what `show` and `table` share."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from cyclopts import Parameter

import preheat
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.spans import Run
from preheat.plots.sampling import horizon

LONGEST = 10**15

# what the core says to a Python program, and what there is to say at a prompt
_AS_OPTIONS = (
    (r"call \.bind\(Run\(\.\.\.\)\) first", "add --total, for example --total 10_000"),
    (r"bind (it )?to a Run( with a total|\(total=…\))", "add --total, for example --total 10_000"),
    (r"write Run\(total=…\)", "add --total, for example --total 10_000"),
    (r"write Run\(total=10_000\)", "write --total 10_000"),
    (r"write Run\(total='6 h', clock='second'\)", "add --clock second and a --total such as '6 h'"),
    (r"write Run\(\.\.\., (\w+)=…\)", r"add --\1 N"),
    (r"cut them with bind\(run, truncate=True\)", "give a longer --total"),
    (r"^the factor of scaled\(k\)", "--peak"),
    (r"^(steps_per_epoch|samples_per_step|tokens_per_step)\b", r"--\1"),
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the schedule does not know: how long the run is, and what its units are worth."""

    total: str | None = None
    """How long the run is, warmup included: 10_000 (updates), '3 epochs', '2B tokens', '6 h'."""

    steps_per_epoch: float | None = None
    """Updates in one epoch; needed where epochs are written."""

    samples_per_step: float | None = None
    """Samples in one update; needed where samples are written."""

    tokens_per_step: float | None = None
    """Tokens in one update; needed where tokens are written."""

    clock: Literal["step", "epoch", "sample", "token", "second"] = "step"
    """What a bare number counts; a step is an optimizer update."""

    def run(self) -> Run:
        """The same as a Run; raises PreheatError where it cannot be one."""
        return Run(
            self.total,  # type: ignore[arg-type]  a Run reads its total from a span
            clock=self.clock,
            steps_per_epoch=self.steps_per_epoch,
            samples_per_step=self.samples_per_step,
            tokens_per_step=self.tokens_per_step,
        )


@dataclass(frozen=True)
class Laid:
    """A schedule laid out on its run.

    written: as it was typed, in the canonical spelling. bound: with every span in ticks. values: that, times the peak.
    total: ticks to show. known: whether it was given, or is the schedule's own length; else it is only a horizon.
    """

    written: Schedule
    bound: Schedule
    values: Schedule
    run: Run
    peak: float
    total: int
    known: bool

    @property
    def tick(self) -> str:
        """What one tick is called."""
        return "update" if self.run.clock == "step" else self.run.clock


def laid(spec: str, options: RunOptions, peak: float) -> Laid:
    """The schedule that `spec` describes on the run that `options` describe, its values times `peak`.

    Raises PreheatError, in the words of the command line, if one of them cannot be read or they do not fit.
    """
    written = preheat.parse(spec)
    try:
        run = options.run()
        bound = written.bind(run)
        values = bound if peak == 1 else bound.scaled(peak).bind(run)
    except PreheatError as error:
        raise PreheatError(as_options(str(error))) from None
    length = bound.length if run.total is None else run.total
    known = length != math.inf
    total = max(1, math.ceil(length)) if known else horizon(bound)
    if total > LONGEST:
        raise PreheatError(
            f"this would be a run of more than {LONGEST:,} ticks; give a shorter --total, or shorter spans"
        )
    return Laid(written, bound, values, run, peak, total, known)


def as_options(message: str) -> str:
    """A message of the core with the advice for Python turned into options of this command."""
    for pattern, words in _AS_OPTIONS:
        message = re.sub(pattern, lambda found, words=words: found.expand(words).replace("_per_", "-per-"), message)
    return message
