"""`preheat convert`: what another library trains by, as a schedule; and a schedule as what another library takes."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import preheat
from preheat.cli.counts import CountOrNone
from preheat.cli.export import EXPORTED
from preheat.cli.refusals import at_prompt
from preheat.compat import read
from preheat.compat.configs import Config, Given, Reading, read_config
from preheat.compat.sources.expressions import names_scheduler
from preheat.compat.writers import WRITERS, write
from preheat.core.checks import positive_number
from preheat.core.codegen.export import FORMS, export
from preheat.core.errors import ParseError, PreheatError, nearest, shown
from preheat.core.node import Schedule
from preheat.core.peaks import refuse_unclear_peak
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute, plain
from preheat.core.text.language import to_text
from preheat.core.updates import ticks_per_update

_OPTION = re.compile(r"\b(total|steps_per_epoch|samples|world_size|base_lr|library)=(…?)(?: \(--[a-z-]+\))?")
_CURES = EXPORTED | {
    "peak": "add --base-lr, for example --base-lr 3e-4",
    "samples_per_step": "write its total in updates",
    "tokens_per_step": "write its total in updates",
    "clock": "write its lengths in updates",
    "updates": "add --steps-per-epoch N",
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Beside:
    """What the source does not say."""

    total: str | None = None
    """Updates in the run, such as 10_000 or 10k."""

    steps_per_epoch: float | None = None
    """Updates in one epoch."""

    samples: CountOrNone = None
    """Samples in the data set."""

    world_size: CountOrNone = None
    """Processes that train together."""

    base_lr: float | None = None
    """The rate that the optimizer is built with."""

    def given(self) -> Given:
        """The same for the reader of a config."""
        total = None if self.total is None else Run(total=self.total).total
        return Given(total, self.steps_per_epoch, self.samples, self.world_size, self.base_lr)  # type: ignore[arg-type]

    def run(self) -> Run:
        """The same for a schedule; what says nothing of one is refused."""
        for name in ("samples", "world_size"):
            if getattr(self, name) is not None:
                raise PreheatError(f"--{name.replace('_', '-')} is for a config, and this is a schedule; leave it out")
        return Run(total=self.total, steps_per_epoch=self.steps_per_epoch)


def convert(
    source: str,
    /,
    *,
    to: str | None = None,
    library: str | None = None,
    beside: Beside = Beside(),
    name: str = "schedule",
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> None:
    """Print the schedule of a config file, or another library's form of a schedule.

    Try:

        preheat convert "warmup(5%) >> decay()" --total 10k --to torch
        preheat convert gpt3 --json
        preheat convert llama2_7b --to optax

    A config is read as data, never run, and need not be written to a file again:

          preheat table "$(preheat convert training_args.json)" > rates.csv

    Standard output is the schedule's text alone, a plan's as JSON: rates where the
    peak is known, in updates where the total is. What could not be carried over,
    and what one should know, stands on standard error, a line each.

    Parameters
    ----------
    source
        A config file, an expression of torch, optax or Keras, a preset's name, or a schedule.
    to
        A form of preheat export, such as torch, or a library whose config is to be written, instead of the text.
    library
        Whose config it is, where that cannot be told.
    name
        What an exported function is called.
    as_json
        An object for machines: schedule, run, library and findings.
    """
    if to is not None and to not in FORMS and to not in WRITERS:
        raise PreheatError(f"nothing is converted to {shown(to)}{nearest(to, (*FORMS, *WRITERS))}")
    try:
        reading = _opened(source, beside, library)
        meant = _laid(reading)
        text = to_text(meant) if to is None else _written(reading, meant, to, name)
    except PreheatError as error:
        raise _at_prompt(error) from None
    if as_json:
        print(json.dumps(_facts(reading, meant, None if to is None else text)))
        return
    for finding in sorted(map(str, reading.findings)):
        print(finding, file=sys.stderr)
    if (clock := reading.run.clock) != "step":
        each = f"told in updates, of {ticks_per_update(reading.run) or 0:,} {clock}s each"
        print(f"its clock counts {clock}s: add --clock {clock}" if to is None else each, file=sys.stderr)
    print(text.removesuffix("\n"))


def _opened(source: str, beside: Beside, library: str | None) -> Reading:
    """What the source says, whatever it is."""
    if _is_file(source):
        return read_config(Config.of(source), beside.given(), library)
    if source in preheat.presets:
        preset = preheat.presets[source]
        known = {"total": beside.total, "steps_per_epoch": beside.steps_per_epoch}
        beside.run()
        run = preset.run(**{key: value for key, value in known.items() if value is not None})
        return Reading(_as_rates(preset.schedule, run, beside.base_lr or preset.peak_lr), run)
    if "(" not in source and "{" not in source:
        raise PreheatError(f"there is no file, no preset and no schedule {shown(source)}")
    try:
        target = preheat.parse(source)
    except ParseError:
        if not names_scheduler(source):
            raise
        return read(source, library=library, **beside.given()._asdict())
    return Reading(_as_rates(target, beside.run(), beside.base_lr), beside.run())


def _as_rates(target: Any, run: Run, peak: float | None) -> Any:
    """Factors whose peak is known as rates; of a plan, the lines of the rate."""
    if peak is None:
        return target
    if isinstance(target, Plan):
        return Plan(
            {line.key: _as_rates(line.target, run, peak) if line.is_rate else line.target for line in target.lines}
        )
    if isinstance(target, Absolute):
        raise PreheatError("--base-lr makes rates of factors, and this schedule is rates; leave it out")
    positive_number(peak, "--base-lr")
    if run.total is None and isinstance(target, Schedule):
        refuse_unclear_peak(target, peak)
    return target.bind(run, peak=peak) if run.total is not None else preheat.absolute(plain(target).scaled(peak))


def _laid(reading: Reading) -> Any:
    """What is meant, in updates where the run is known, and as long as it."""
    run, target = reading.run, reading.target
    if run.total is None:
        return target
    if isinstance(target, Plan):
        return Plan({key: _laid(Reading(target[key], run)) for key in target})
    bound = target.bind(run, truncate=True)
    left = run.total - bound.length
    if left <= 0:
        return bound
    last = preheat.hold(bound(bound.length), left)
    return bound >> (preheat.absolute(last) if isinstance(bound, Absolute) else last)


def _written(reading: Reading, meant: Any, to: str, name: str) -> str:
    """The source, or the config of another library."""
    if to in FORMS:
        return export(meant, to, run=reading.run.replace(total=None), name=name)
    return write(reading.target, to, reading.run)


def _facts(reading: Reading, meant: Any, text: str | None) -> dict[str, Any]:
    """What was read, as JSON has it."""
    fields = ("total", "clock", "steps_per_epoch", "samples_per_step", "tokens_per_step")
    run = {field: value for field in fields if (value := getattr(reading.run, field)) is not None}
    schedule = {key: repr(meant[key]) for key in meant} if isinstance(meant, Plan) else repr(meant)
    findings = [finding._asdict() for finding in sorted(reading.findings)]
    found = {"schedule": schedule, "run": run, "library": reading.library or None, "findings": findings}
    return found if text is None else found | {"text": text}


def _is_file(source: str) -> bool:
    try:
        return "\n" not in source and Path(source).is_file()
    except OSError:  # a text too long for a name
        return False


def _at_prompt(error: PreheatError) -> PreheatError:
    """A refusal in the words of the command line: of a config too, whose reader names arguments of Python."""
    if error.hint in _CURES:
        return at_prompt(error, _CURES)
    return PreheatError(_OPTION.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2]}".rstrip(), str(error)))
