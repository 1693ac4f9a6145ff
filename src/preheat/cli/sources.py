"""From what names a schedule at a prompt, a text, a preset, a config or a checkpoint, to a subject on its run."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from cyclopts import Parameter

import preheat
from preheat.cli.counts import CountOrNone
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.compat.configs import Given
from preheat.core.errors import PreheatError, nearest
from preheat.core.spans import Run
from preheat.review.opened import subject_of
from preheat.review.subject import Subject

_NAME = re.compile(r"(?=\D)[\w.~/\\:-]+")  # no text of a schedule, which has brackets


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """What a config file does not say of its run, beside --total and --steps-per-epoch."""

    samples: CountOrNone = None
    """Samples in the data set; for a config that counts epochs."""

    world_size: CountOrNone = None
    """Processes that train together; for a config that says the batch of one."""

    base_lr: float | None = None
    """The rate that the optimizer is built with; for a config that does not say it."""


def opened(source: str, options: RunOptions, config: ConfigOptions) -> Subject:
    """What `source` names. A file has the run that it says, a preset its own where `options` do not say another.

    Raises PreheatError, in the words of the command line, for what cannot be read.
    """
    try:
        if not source.strip():
            write = "write a schedule in quotes, a preset's name, or the path of a config or a checkpoint"
            raise PreheatError("a schedule is named by some text", given=source, write=write)
        preset = source in preheat.presets and not Path(source).exists()
        refuse_unknown(source)
        said = options != RunOptions()
        run = options.run(preheat.presets[source] if preset else None) if said else None
        return subject_of(source, run, _beside(run, options, config))
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None


def refuse_unknown(source: str) -> None:
    """Refuse a name that is neither a file's nor a preset's, and no text of a schedule."""
    if source not in preheat.presets and _NAME.fullmatch(source) and not Path(source).exists():
        near = nearest(source, preheat.presets).partition("; known")[0]
        raise PreheatError(f"there is no file {source}, and no preset of that name{near}")


def _beside(run: Run | None, options: RunOptions, config: ConfigOptions) -> Given:
    total = run.total if run is not None and run.clock == "step" else None
    return Given(total=total, steps_per_epoch=options.steps_per_epoch, **asdict(config))
