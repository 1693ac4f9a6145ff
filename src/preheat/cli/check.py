"""`preheat check`: what will go wrong, before the run and before the resume."""

import json as jsons
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import Parameter

import preheat
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.cli.sources import refuse_unknown
from preheat.compat.configs import Given
from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.core.findings import CODES, Finding
from preheat.core.spans import Run
from preheat.plots.terminal import Terminal
from preheat.review.checking.check import check as found_in
from preheat.review.checking.facts import Facts
from preheat.review.checking.optimizers import known_optimizer
from preheat.review.checkpoints.checkpoint import Checkpoint
from preheat.review.checkpoints.resumed import coming
from preheat.review.opened import opened
from preheat.review.subject import Subject

FOUND = 1
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_Flag = Parameter(negative=(), show_default=False)


def _whole(type_: Any, tokens: Any) -> int:
    """A whole number as it was typed; 1.5 is none."""
    text = tokens[0].value.replace("_", "").replace(",", "")
    if not text.isdecimal():
        raise PreheatError(f"{tokens[0].keyword} is a whole number of at least 1", given=tokens[0].value)
    return int(text)


_WHOLE = Parameter(converter=_whole)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FactOptions:
    """What is known of the training beside its schedule; what is not said is not looked at."""

    optimizer: str | None = None
    """The optimizer's name, such as AdamW, RAdam or SGD."""

    beta2: float | None = None
    """Adam's β₂."""

    parameters: float | None = None
    """Parameters of the model, such as 7e9; with --optimizer and --peak the peak is compared with published ones."""

    epochs: float | None = None
    """Passes over the data."""

    loader: Annotated[int | None, _WHOLE] = None
    """Batches in one pass, before they are shared among processes: len(loader)."""

    accumulation: Annotated[int, _WHOLE] = 1
    """Batches in one update of one process."""

    world_size: Annotated[int, _WHOLE] = 1
    """Processes."""

    library: str | None = None
    """Of a config: whose it is, where the file does not tell. Of anything else: whose scheduler is to follow it."""


def check(
    source: str | None = None,
    /,
    *,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    facts: FactOptions = FactOptions(),
    peak: float | None = None,
    plan: str | None = None,
    ignore: tuple[str, ...] = (),
    format: Literal["text", "json", "sarif"] | None = None,
    json: Annotated[bool, _Flag] = False,
    list: Annotated[bool, _Flag] = False,
) -> int:
    """Say what will go wrong: in a schedule on its run, a config or a checkpoint.

    Try:

        preheat check "warmup(5%) >> decay()" --total 10k
        preheat check gpt3
        preheat check "warmup(5%) >> decay()" --total 3000 --epochs 3 --loader 1000
        preheat check --list

    Also the file of a config, or a checkpoint: then it says where it stands, what
    the coming rates are, and with --plan what another plan would change.
    Exit code 0: nothing was found. 1: findings. 2: it cannot be read.
    Each finding has a code, and docs/check.md explains it.

    Parameters
    ----------
    source
        A schedule in quotes, a plan as JSON, the name of a preset, or the path of a config or a checkpoint.
    peak
        The rate at the peak, where the schedule is factors.
    plan
        What a checkpoint is to go on with; with --total, on a run of that length, with --peak at another peak.
    ignore
        A code that is not asked for; may be given again.
    format
        text, as by default; json, a line for each finding; or sarif, for tools that read SARIF 2.1.
    json
        The same as --format json.
    list
        Explain every code, and check nothing.
    """
    if list:
        print("\n".join(_codes(Terminal.of(sys.stdout))))
        return 0
    if source is None:
        raise PreheatError("SOURCE requires an argument; see preheat check --help, and --list for the codes")
    if json and format not in (None, "json"):
        raise PreheatError(
            f"--json is --format json, and --format {format} is asked for too", write="write one of them"
        )
    peak = None if peak is None else positive_number(peak, "--peak")
    kind = "json" if json else format or "text"
    try:
        known = Facts(**asdict(facts)).checked()
        known_optimizer(facts.optimizer)
        subject, given = _subject(source, run, known, peak)
        if plan is not None:
            subject = opened(source)
        peak = peak if plan is not None or isinstance(subject.facts, Checkpoint) else None  # else it is the subject's
        found = found_in(subject, given, plan=plan, peak=peak, ignore=ignore, facts=known)
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None
    printed = (
        _sarif(subject, found, source) if kind == "sarif" else {"text": _text, "json": _lines}[kind](subject, found)
    )
    if printed:
        print(Terminal.of(sys.stdout).text(printed) if kind == "text" else printed)
    return FOUND if found else 0


def _subject(source: str, options: RunOptions, facts: Facts, peak: float | None) -> tuple[Subject, Run | None]:
    """What is looked at, and the run that was typed, None if nothing of it was."""
    refuse_unknown(source)
    typed = any(value is not None for value in asdict(options).values())
    preset = preheat.presets[source] if source in preheat.presets and not Path(source).exists() else None
    given = options.run(preset) if typed or preset is not None else None
    known = given or Run()
    whole = int(known.total) if known.total is not None and known.clock == "step" else None
    beside = Given(whole, known.steps_per_epoch, None, facts.world_size if facts.world_size > 1 else None, peak)
    subject = opened(source, given, beside, facts.library)
    return (subject if peak is None or isinstance(subject.facts, Checkpoint) else subject._replace(peak=peak)), given


def _codes(terminal: Terminal) -> Iterable[str]:
    width = max(map(len, CODES)) + 2
    wrap = textwrap.TextWrapper(terminal.width - 2, subsequent_indent=" " * width, break_on_hyphens=False)
    for code, meaning in CODES.items():
        yield from wrap.wrap(terminal.text(f"{code:<{width}}{meaning}"))


def _text(subject: Subject, found: tuple[Finding, ...]) -> str:
    """For people: what a checkpoint says of itself, then the findings by code, each with its place and its cure."""
    width = Terminal.of(sys.stdout).width - 2
    lines = _standing(subject) if isinstance(subject.facts, Checkpoint) else []
    for code in dict.fromkeys(finding.code for finding in found):
        lines.append(f"{code}: {CODES[code]}")
        for finding in (one for one in found if one.code == code):
            lines += textwrap.wrap(
                f"  {finding.place}: {finding.what}", width, subsequent_indent="    ", break_on_hyphens=False
            )
            cure = textwrap.wrap(f"    → {finding.write}", width, subsequent_indent="      ", break_on_hyphens=False)
            lines += cure if finding.write else []
    return (
        "\n".join([*lines, "" if not found else f"{len(found)} finding{'s' * (len(found) > 1)}"]).strip()
        or "nothing found"
    )


def _standing(subject: Subject) -> list[str]:
    """Where a checkpoint stands, and its coming rates."""
    facts: Checkpoint = subject.facts
    of = "" if subject.run.total is None else f" of {subject.run.total:,}"
    unit = "" if subject.run.clock == "step" else f", at {subject.position:,g} {subject.run.clock}s"
    at = "an update that it does not say" if facts.updates is None else f"update {facts.updates:,}"
    lines = [f"{subject.name} stands at {at}{of if not unit else ''}{unit}{of if unit else ''}"]
    if facts.rates:
        lines.append(f"the saved rates are {', '.join(f'{rate:g}' for rate in dict.fromkeys(facts.rates))}")
    if subject.target is None:
        return lines
    rates = subject.peak is not None or "absolute" in repr(subject.target)
    bases = facts.scheduler.bases if facts.scheduler is not None else ()
    whose = " of the first group" if rates and len(set(bases)) > 1 else ""
    lines.append(f"the coming {'rates' if rates else 'factors'}{whose}:")
    return lines + [f"  {one.at:>12,g}  {one.value:.6g}" for one in coming(subject)]


def _data(finding: Finding) -> dict[str, Any]:
    return finding._asdict()


def _lines(subject: Subject, found: tuple[Finding, ...]) -> str:
    return "\n".join(jsons.dumps({"source": subject.name, **_data(one)}, ensure_ascii=False) for one in found)


def _sarif(subject: Subject, found: tuple[Finding, ...], source: str) -> str:
    """SARIF 2.1: one run, its rules and results."""
    codes = dict.fromkeys(finding.code for finding in found)
    rules = [{"id": code, "shortDescription": {"text": CODES[code]}} for code in codes]
    path = Path(source)
    uri = path.resolve().as_uri() if path.is_absolute() else quote(path.as_posix())
    file = {"physicalLocation": {"artifactLocation": {"uri": uri}}}
    text = {"logicalLocations": [{"fullyQualifiedName": subject.name}]}  # a schedule is no file
    place = file if source.strip() and len(source) < 4096 and path.exists() else text
    results = [
        {
            "ruleId": one.code,
            "level": "warning",
            "message": {"text": f"{one.place}: {one.what}" + (f"; {one.write}" if one.write else "")},
            "locations": [place],
        }
        for one in found
    ]
    driver = {"name": "preheat check", "version": preheat.__version__, "rules": rules}
    return jsons.dumps(
        {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=1
    )
