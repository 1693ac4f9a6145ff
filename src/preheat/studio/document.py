"""What somebody typed on the page, as it is sent: schedules as text on a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from preheat.core.checks import finite_number, positive_number
from preheat.core.errors import PreheatError
from preheat.core.plan import RATE, Plan
from preheat.core.spans import MULTIPLES, Run
from preheat.review.laid_out import Laid, laid_out
from preheat.review.subject import Subject
from preheat.studio.lines import meant_by

MOST = 12  # schedules over each other
LABELS = {
    "total": "total",
    "clock": "clock",
    "steps_per_epoch": "updates per epoch",
    "samples_per_step": "samples per update",
    "tokens_per_step": "tokens per update",
    "seconds_per_step": "seconds per update",
    "peak": "peak",
}
"""What the fields of the page are called there."""
WORTHS = ("steps_per_epoch", "samples_per_step", "tokens_per_step")
_Result = TypeVar("_Result")


class FieldError(PreheatError):
    """A refusal of what stands in one field of the page."""

    def __init__(self, field: str, error: PreheatError) -> None:
        super().__init__(error.what, write=error.write, hint=error.hint)
        self.args, self.given, self.field, self.error = error.args, error.given, field, error


@dataclass(frozen=True)
class Fields:
    """What is known of the run, as typed; "" is not said."""

    total: str = ""
    clock: str = "step"
    steps_per_epoch: str = ""
    samples_per_step: str = ""
    tokens_per_step: str = ""
    seconds_per_step: str = ""

    def run(self) -> Run:
        """The run; raises FieldError, which says which of its fields is wrong."""
        worths: dict[str, Any] = {name: self._worth(name) for name in WORTHS}
        clock = in_field("clock", lambda: Run(clock=self.clock or "step")).clock
        return in_field("total", lambda: Run(total=self.total.strip() or None, clock=clock, **worths))

    @property
    def seconds(self) -> float | None:
        """How long an update takes, where it is said."""
        return self._worth("seconds_per_step")

    def _worth(self, name: str) -> float | None:
        typed: str = getattr(self, name)
        return in_field(name, lambda: _counted(typed, LABELS[name])) if typed.strip() else None


@dataclass(frozen=True)
class Written:
    """One schedule: its text, and a peak and a run of its own where it has them."""

    text: str
    name: str = ""
    peak: str = ""
    run: Fields | None = None
    position: float = 0.0  # ticks that have passed, of a run under way
    given: bool = False  # whether the name is that of what was opened

    def with_text(self, text: str) -> Written:
        """The schedule with another text, which is no longer what was opened by its name; a name that was typed stays."""
        return (
            replace(self, text=text)
            if text == self.text or not self.given
            else replace(self, text=text, name="", given=False)
        )


@dataclass(frozen=True)
class Document:
    """Schedules over each other on a run, and what of them is shown."""

    schedules: tuple[Written, ...]
    run: Fields = Fields()
    peak: str = ""
    line: str = ""
    view: tuple[float, float] | None = None
    difference: bool = False

    def subject(self, index: int) -> Subject:
        """A schedule on its run; raises FieldError, which says in which field what is wrong stands."""
        written = self.schedules[index]
        target = in_field("text", lambda: meant_by(written.text))
        run = in_field("run", (written.run or self.run).run)
        return Subject(written.name or written.text, target, run, peak=self.peak_of(index), position=written.position)

    def peak_of(self, index: int) -> float | None:
        """The peak of a schedule, its own or the document's; None where none is said."""
        typed = self.schedules[index].peak or self.peak
        return in_field("peak", lambda: _counted(typed, f"the {LABELS['peak']}")) if typed.strip() else None

    def line_of(self, subject: Subject) -> Laid:
        """The line that is shown, laid out: the one asked for where the plan has it, else the rate's, else the first."""
        lines = {one.key: one for one in in_field("run", lambda: laid_out(subject))}
        return lines.get(self.line) or lines.get(RATE) or next(iter(lines.values()))


def in_field(field: str, asked: Callable[[], _Result]) -> _Result:
    """What is asked for; what it refuses is refused with the field of the page that it stands in."""
    try:
        return asked()
    except FieldError:
        raise
    except PreheatError as error:
        raise FieldError(field, error) from None


def document_from(data: Any) -> Document:
    """The document that the page sent; raises PreheatError for what is none."""
    found = _mapping(data, "a document")
    schedules = found.get("schedules")
    if not isinstance(schedules, list) or not 1 <= len(schedules) <= MOST:
        raise PreheatError(f"a document has 1 to {MOST} schedules", write="leave some out")
    view = found.get("view")
    return Document(
        tuple(map(_written, schedules)),
        fields_from(found.get("run") or {}),
        _text(found, "peak"),
        _text(found, "line"),
        None if view is None else _view(view),
        found.get("difference") is True,
    )


def fields_from(data: Any) -> Fields:
    """The fields of a run as they were sent."""
    found = _mapping(data, "a run")
    return Fields(**{name: _text(found, name) for name in Fields.__dataclass_fields__ if name in found})


def fields_of(run: Run, before: Fields = Fields()) -> Fields:
    """A run as it would be typed, as `Fields.run` reads it; what a run does not hold stays as it was before."""
    total = "" if run.total is None else str(run.total)
    worths = {name: "" if getattr(run, name) is None else repr(getattr(run, name)) for name in WORTHS}
    return replace(before, total=total, clock=run.clock, **worths)


def lines_of(subject: Subject) -> list[str]:
    """The lines of a plan by their keys; of anything else the learning rate's."""
    return [line.key for line in Plan(subject.target).lines]


def _written(data: Any) -> Written:
    found = _mapping(data, "a schedule")
    run = found.get("run")
    return Written(
        _text(found, "text"),
        _text(found, "name"),
        _text(found, "peak"),
        None if run is None else fields_from(run),
        max(0.0, finite_number(found.get("position") or 0, "the position of a schedule")),
        found.get("given") is True,
    )


def _view(data: Any) -> tuple[float, float]:
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise PreheatError("a view is two numbers of ticks", given=data)
    low, high = (finite_number(end, "an end of the view") for end in data)
    return min(low, high), max(low, high)


def _mapping(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise PreheatError(f"{what} is a mapping", given=data)
    return data


def _text(data: Mapping[str, Any], name: str) -> str:
    found = data.get(name, "")
    if not isinstance(found, str):
        raise PreheatError(f"{name} is text as it was typed", given=found)
    return found


def _counted(text: str, what: str) -> float:
    """A number as typed: 3e-4, 10_000, 4M."""
    plain = text.strip()
    factor = MULTIPLES.get(plain[-1:], 1)
    try:
        number = float(plain[:-1] if factor != 1 else plain) * factor
    except ValueError:
        raise PreheatError(f"{what} is a number", given=text, write="write for example 4096, 10k or 3e-4") from None
    return positive_number(int(number) if number.is_integer() and number < 2**53 else number, what)
