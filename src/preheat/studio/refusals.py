"""A refusal in the words of the page: the same fault, which field it stands in and where, and what to fill in."""

from __future__ import annotations

from typing import Any

from preheat.core.errors import ParseError, PreheatError
from preheat.core.nodes.sequence import sequence
from preheat.core.text.words import target
from preheat.studio.document import LABELS, WORTHS, Document, FieldError
from preheat.studio.lines import Line, lines_in
from preheat.studio.parts import MOST, form_of

CURES = {
    "total": "fill in “total”, for example 10_000",
    "total_or_span": "fill in “total”, for example 10_000, or give it a length",
    "fixed_total": "fill in a “total” such as 10_000 or 3 epochs",
    "clock": "choose seconds as what the run counts, and a “total” such as 6 h",
    "truncate": "shorten them, give one of them the length rest, or fill in a longer “total”",
    "updates": "choose updates as what the run counts; lengths may stay in other units",
    "peak": "fill in “peak”, for example 3e-4",
    **{name: f"fill in “{LABELS[name]}”" for name in WORTHS},
}
"""What to do on the page for each hint of a refusal, most of which name an argument of Python."""

_FIELDS = {name: name for name in ("clock", *WORTHS)} | dict.fromkeys(
    ("total", "total_or_span", "fixed_total"), "total"
)


def problem(error: PreheatError) -> dict[str, Any]:
    """A refusal as the page shows it."""
    field, cause = (error.field, error.error) if isinstance(error, FieldError) else ("", error)
    column = cause.column if isinstance(cause, ParseError) and field in ("", "text") else None
    field = (
        _FIELDS.get(error.hint, field) if field in ("run", "total") else field
    )  # what is missing is one of the run's
    write = CURES.get(error.hint, error.write)
    message = f"{error.reason}; {write}" if write else error.reason
    return {"message": message, "what": error.what, "write": write, "column": column, "field": field}


def problem_of(document: Document, index: int, error: PreheatError) -> dict[str, Any]:
    """The same of one schedule of a document: the column is one of what was typed, and a phase that does not fit is named."""
    found = problem(error)
    typed = document.schedules[index].text
    if found["field"] == "text":
        return found | {"column": _in_typed(typed, found["column"])}
    fault = (
        _at_fault(document, index) if isinstance(error, FieldError) and error.field == "run" and error.hint else None
    )
    if fault is None:
        return found
    column, text = fault
    what = f"{error.what}; the first that does not fit is {text}" if error.hint == "truncate" else error.what
    return found | {"message": f"{what}; {found['write']}", "what": what, "column": column}


def _in_typed(typed: str, column: int | None) -> int | None:
    """A column of a plan's line as one of the JSON that it stands in: of the first line that cannot be read."""
    try:
        lines = lines_in(typed)
    except (ValueError, IndexError, RecursionError):  # no JSON, so that the column is one of it
        return column
    for line in lines.values():
        if line.quoted and (fault := _fault(line)) is not None:
            return line.outside(fault.column or 0)
    return column


def _fault(line: Line) -> ParseError | None:
    try:
        target(line.text)
    except ParseError as error:
        return error
    except PreheatError:
        pass
    return None


def _at_fault(document: Document, index: int) -> tuple[int, str] | None:
    """The first phase that does not fit with those before it: where in what was typed its call begins, and its text; None where
    the run itself is at fault."""
    written = document.schedules[index]
    try:
        run = (written.run or document.run).run()
    except PreheatError:
        return None
    for line in lines_in(written.text).values():
        form = form_of(line.text)
        if form.repeated or form.shift or len(form.calls) > MOST:
            continue
        for count, call in enumerate(form.calls, 1):
            place = call.place
            try:
                sequence(one.node for one in form.calls[:count]).bind(run)
            except PreheatError:
                return line.outside(place.start), line.text[place.start : place.stop]
    return None
