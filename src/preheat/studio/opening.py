"""What can be opened: published runs, recipes, schedulers of other libraries, configs, checkpoints, comparisons.

All of it is read as data: nothing is imported, evaluated or unpickled beyond what the readers of each kind do.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from preheat.compat import PEERS, peer
from preheat.compat.configs import Given
from preheat.compat.sources.expressions import Expressed, expressed
from preheat.core.errors import PreheatError, nearest, plural
from preheat.core.spans import Run
from preheat.core.text.language import parse, to_text
from preheat.plots.panel import thinned
from preheat.recipes.published import Preset, presets
from preheat.recipes.registry import RECIPES
from preheat.review.held import with_rates
from preheat.review.laid_out import has_factors
from preheat.review.opened import subject_of
from preheat.review.subject import Subject
from preheat.studio.document import MOST, Document, Fields, fields_of
from preheat.studio.examples import example_of
from preheat.studio.reviewing import found

if TYPE_CHECKING:
    from preheat.lab.records.record import Record

MOST_BYTES = 16 << 20  # of a file that is sent: a config, or a small checkpoint
MOST_RUNS, MOST_POINTS = 200, 500  # of a comparison, and of a run of it
_LONGEST_NAME = 200
_VIEW = {"line": "", "chosen": 0, "axis": "updates", "log": False, "difference": False, "view": None}
Source = Mapping[str, Any]


def opened(source: Source, document: Document | None = None) -> dict[str, Any]:
    """What a source of the page holds: schedules, their run and peak, findings, and the runs of a comparison.

    document: what is on the page, which may say what a config does not.
    Raises PreheatError for what cannot be read.
    """
    kind = _word(source, "kind")
    if kind not in _KINDS:
        raise PreheatError(f"nothing is opened as {kind!r}{nearest(kind, _KINDS)}")
    return _KINDS[kind](source, document)


def of_given(given: Any, read: Callable[[Any], Subject] = subject_of, peak: float | None = None) -> dict[str, Any]:
    """The same of what is given to a command or in Python: a schedule, text, a preset's name, a path, a comparison's folder.

    read: what makes a subject of it.   peak: the rate at the peak, where it is factors.
    """
    is_path = isinstance(given, str | Path) and _exists(given)
    if is_path and (records := records_at(Path(given))):
        return comparison(records)
    subject = read(given)
    if peak is not None and has_factors(subject):
        subject = with_rates(subject, peak)
    if isinstance(given, str) and not is_path and given not in presets:
        return of_subject(subject, text=given.strip())
    return of_subject(subject, subject.name if isinstance(given, str | Path | Preset) else "")


def of_subject(subject: Subject, name: str = "", text: str = "") -> dict[str, Any]:
    """A subject as it is opened: its text, its run, its peak, and what its source says of itself.

    name: what it is called on the page, "" where its text is all there is to say.   text: as it was typed.
    """
    subject = with_rates(subject, None)
    notes = []
    if subject.position:
        of = "" if subject.run.total is None else f" of {subject.run.total:,}"
        unit = "update" if subject.run.clock == "step" else subject.run.clock
        notes.append(f"{subject.name} stands at {unit} {subject.position:,g}{of}.")
    written = _written(name, text or to_text(subject.target)) | {"position": subject.position}
    return _opened([written], _fields(subject.run), subject.peak, found(subject.findings), notes)


def _exists(given: str | Path) -> bool:
    try:
        return bool(str(given).strip()) and Path(given).exists()
    except (OSError, ValueError):  # a text that is too long for a name, or has what none may have
        return False


def document_of(all_opened: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A document of what was opened: the run and the peak of the first are the page's, others are kept beside theirs."""
    first = all_opened[0]
    run, peak = first["run"] or asdict(Fields()), first["peak"]
    schedules = [
        {
            **written,
            "run": written["run"] or (one["run"] if one["run"] not in (None, run) else None),
            "peak": written["peak"] or (one["peak"] if one["peak"] != peak else ""),
        }
        for one in all_opened
        for written in one["schedules"]
    ]
    if len(schedules) > MOST:
        raise PreheatError(f"the studio shows at most {MOST} schedules over each other", given=len(schedules))
    return {"schedules": schedules, "run": run, "peak": peak, **_VIEW}


def peer_of(library: str, name: str, arguments: str) -> Expressed:
    """A scheduler of another library under arguments that were typed; raises PreheatError for what it does not take."""
    if library not in PEERS:
        raise PreheatError(f"no library {library!r} is restated{nearest(library, PEERS)}")
    if not name.isidentifier():
        raise PreheatError(f"{library} has no scheduler {name!r}{nearest(name, peer(library).functions)}")
    try:
        return expressed(f"{library}.{name}({arguments})", library=library)
    except PreheatError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        what = f"{library}'s {name} does not take these arguments: {error}"
        raise PreheatError(what, write="write each as its library takes it, for example num_warmup_steps=100") from None


def _preset(source: Source, document: Document | None) -> dict[str, Any]:
    preset = presets[_word(source, "name")]
    run = replace(fields_of(preset.run(total=None)), total=preset.total or "")
    checked = "" if preset.verified else " Not all of its numbers were read in the source."
    notes = [f"{preset.model}, {preset.year}. {preset.note}{checked}", preset.source]
    return _opened([_written(preset.name, repr(preset.schedule))], asdict(run), preset.peak_lr, [], notes)


def _recipe(source: Source, document: Document | None) -> dict[str, Any]:
    name = _word(source, "name")
    if name not in RECIPES:
        raise PreheatError(f"there is no recipe {name!r}{nearest(name, RECIPES)}")
    return _opened([_written("", example_of(RECIPES[name], name))], None, None, [], [])


def _peer(source: Source, document: Document | None) -> dict[str, Any]:
    library, name = _word(source, "library"), _word(source, "name")
    read = peer_of(library, name, _word(source, "arguments"))
    restated = read.restated
    length = restated.schedule.length
    run = None if length == math.inf else _fields(Run(total=math.ceil(length)))
    findings = found((*read.findings, *restated.findings))
    return _opened([_written(f"{library} {name}", to_text(restated.target))], run, None, findings, [])


def _file(source: Source, document: Document | None) -> dict[str, Any]:
    name, content = Path(_word(source, "name").replace("\\", "/")).name, _word(source, "content")
    if not name.strip(".") or not name.isprintable():
        raise PreheatError("a file has a name, which tells what kind of file it is", given=name)
    try:
        data = b64decode(content, validate=True)
    except ValueError:
        raise PreheatError(f"what was sent of {name} is damaged", write="open it again") from None
    if len(data) > MOST_BYTES:
        what = f"{name} has {len(data) >> 20} MiB, and at most {MOST_BYTES >> 20} are sent"
        raise PreheatError(what, write="open it by its path")
    with TemporaryDirectory() as folder:
        path = Path(folder) / name[-_LONGEST_NAME:]
        path.write_bytes(data)
        return at_path(path, document)


def _path(source: Source, document: Document | None) -> dict[str, Any]:
    typed = _word(source, "path").strip()
    try:
        path = Path(typed).expanduser()
        is_there = bool(typed) and (path.is_file() or path.is_dir())  # no pipe, which would be waited for
    except (OSError, RuntimeError, ValueError):  # no name of a file, or a home that nobody has
        path, is_there = Path(), False
    if not is_there:
        raise PreheatError("there is no file and no folder", given=typed)
    return at_path(path, document)


_KINDS: dict[str, Callable[[Source, Document | None], dict[str, Any]]] = {
    "preset": _preset,
    "recipe": _recipe,
    "peer": _peer,
    "file": _file,
    "path": _path,
}


def at_path(path: Path, document: Document | None = None) -> dict[str, Any]:
    """What lies at a path: a config, a checkpoint, or the folder of a comparison."""
    if records := records_at(path):
        return comparison(records)
    subject = next(_read(path, document))
    return of_subject(subject, path.name)


def _read(path: Path, document: Document | None) -> Iterator[Subject]:
    """The file, where it does not say all of it with as little as is needed of what the page says; else refused as it is."""
    refused: PreheatError | None = None
    for beside in _beside(document):
        try:
            yield subject_of(path, None, Given(**beside))
        except PreheatError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _beside(document: Document | None) -> Iterator[dict[str, Any]]:
    """What a config may be told, the least first."""
    known: dict[str, Any] = {}
    if document is not None:
        try:
            run, peak = document.run.run(), document.peak_of(0)
        except PreheatError:  # what is typed beside it is half typed
            run, peak = Run(), None
        known = {
            "total": run.total if run.clock == "step" else None,
            "steps_per_epoch": run.steps_per_epoch,
            "base_lr": peak,
        }
        known = {name: value for name, value in known.items() if value is not None}
    for count in range(len(known) + 1):
        for names in combinations(known, count):
            yield {name: known[name] for name in names}


def records_at(path: Path) -> list[Path]:
    """The records of a comparison's runs in its folder, or a single one; none where it is something else."""
    if path.is_dir():
        return sorted((path / "runs").glob("*.jsonl")) or sorted(path.glob("*.jsonl"))
    return [path] if path.suffix == ".jsonl" else []


def comparison(paths: Sequence[Path]) -> dict[str, Any]:
    """The runs of a comparison: what their loss and their rate were, and the schedule of every arm.

    Raises PreheatError where no record can be read.
    """
    from preheat.lab.records.record import read_record

    records, refused = list[Any](), list[PreheatError]()
    for path in paths[:MOST_RUNS]:
        try:
            records.append(read_record(path))
        except PreheatError as error:
            refused.append(error)
    if not records:
        raise refused[0]
    notes = [f"{plural(len(refused), 'file')} could not be read: {refused[0]}"] if refused else []
    if len(paths) > MOST_RUNS:
        notes.append(f"Shown are the first {MOST_RUNS} of {len(paths):,} runs.")
    total, peak = _shared(map(_total, records)), _shared(map(_peak, records))
    arms = _arms(records, peak)
    if len(arms) > MOST:
        notes.append(f"Drawn are the schedules of the first {MOST} of {len(arms)} arms.")
    run = None if total is None else _fields(Run(total=total))
    return _opened(arms[:MOST], run, peak, [], notes) | {"runs": [_run(one) for one in records]}


def _arms(records: Sequence[Record], peak: float | None) -> list[dict[str, Any]]:
    """The schedule of every arm, each once, by the name of the arm, and of its study where there are several; with the peak of
    its runs where `peak`, that of all, is none."""
    several = len({record.header["study"] for record in records}) > 1
    runs: dict[str, list[Record]] = {}
    for record in records:
        name = f"{record.header['study']}: {record.header['arm']}" if several else str(record.header["arm"])
        runs.setdefault(name, []).append(record)
    arms = [_written(name, to_text(parse(found[0].header["spec"]))) for name, found in runs.items()]
    peaks = [None if peak is not None else _shared(map(_peak, found)) for found in runs.values()]
    return [arm if own is None else arm | {"peak": _number(own)} for arm, own in zip(arms, peaks, strict=True)]


def _total(record: Record) -> int | None:
    options = record.header.get("options")
    said = (options.get("steps") if isinstance(options, Mapping) else None, record.header.get("steps"))
    return next((one for one in (*said, record.result.steps) if type(one) is int and one > 0), None)


def _peak(record: Record) -> float | None:
    options = record.header.get("options")
    peak = options.get("peak") if isinstance(options, Mapping) else None
    return float(peak) if isinstance(peak, int | float) and not isinstance(peak, bool) and peak > 0 else None


def _shared(values: Iterable[Any]) -> Any:
    """What all say alike; None where they differ."""
    said = set(values)
    return said.pop() if len(said) == 1 else None


def _run(record: Record) -> dict[str, Any]:
    loss = _loss(record)
    stage = loss.rpartition("/")[0]
    head = record.header
    at, values = _thinned(record, loss)
    rate_at, rates = _thinned(record, f"{stage}/lr" if stage else "lr")
    run = {"arm": str(head["arm"]), "study": str(head["study"]), "seed": int(head["seed"])}
    return {**run, "at": at, "loss": values, "rate_at": rate_at, "rate": rates}


def _loss(record: Record) -> str:
    """What is drawn as the loss: the metric of that name, else the first that was logged and is neither a rate nor a norm."""
    names = [name for name in record.names if name.rpartition("/")[2] not in ("lr", "grad_norm")]
    return "loss" if "loss" in names or not names else names[0]


def _thinned(record: Record, name: str) -> tuple[list[int], list[float | None]]:
    """Updates and values of a metric, few enough to be drawn; None where a value is not finite."""
    if name not in record.names:
        return [], []
    steps, values = record.steps_of(name), record.column(name)
    logged = [place for place, value in enumerate(values) if not math.isnan(value)]
    places = thinned(logged, MOST_POINTS)
    return [steps[place] for place in places], [
        values[place] if math.isfinite(values[place]) else None for place in places
    ]


def _opened(
    schedules: list[dict[str, Any]], run: dict[str, str] | None, peak: float | None, findings: Any, notes: list[str]
) -> dict[str, Any]:
    return {
        "schedules": schedules,
        "run": run,
        "peak": "" if peak is None else _number(peak),
        "findings": findings,
        "notes": notes,
        "runs": [],
    }


def _number(value: float) -> str:
    """A number as somebody would type it: 3e-4 and 0.1."""
    digits = repr(value)
    mantissa, _, power = f"{value:e}".partition("e")
    short = f"{float(mantissa):g}e{int(power)}"
    return short if float(short) == value and len(short) < len(digits) else digits


def _written(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "text": text, "peak": "", "run": None, "given": bool(name)}


def _fields(run: Run) -> dict[str, str]:
    """A run as it is typed."""
    return asdict(fields_of(run))


def _word(source: Source, key: str) -> str:
    value = source.get(key, "")
    if not isinstance(value, str):
        raise PreheatError(f"the {key} of what is opened is text", given=value)
    return value
