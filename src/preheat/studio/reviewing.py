"""What is to be known of a schedule beside its curve: the findings of `check`, and what `explain` says of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.findings import CODES, Finding
from preheat.review.checking.check import check
from preheat.review.explaining.measured import explained
from preheat.review.explaining.sentences import line_sentences, phase_rows, subject_sentences
from preheat.review.laid_out import Laid, laid_out
from preheat.review.subject import Subject
from preheat.studio.document import Document

_SHORT = 60  # letters, as a subject without a name is called
MOST_UPDATES = 2_000_000  # whose values are computed: a second, where somebody types


def review(document: Document, index: int) -> dict[str, Any]:
    """Findings, sentences, and a row for each phase of the line that is shown, its head first."""
    subject = document.subject(index)
    seen = document.line_of(subject)
    name = document.schedules[index].name or shown(subject.target, _SHORT)  # else it is called by its text twice
    sentences, rows = _explained(subject._replace(name=name), seen)
    return {"findings": found(check(subject)), "sentences": sentences, "rows": [list(row) for row in rows]}


def found(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as the page has them, each with what its code means."""
    return [finding._asdict() | {"means": CODES[finding.code]} for finding in findings]


def _explained(subject: Subject, seen: Laid) -> tuple[list[str], list[tuple[str, ...]]]:
    """What is said of the whole and of the line that is shown, and its phases; of a very long run why nothing is."""
    lines = laid_out(subject)
    said = subject_sentences(subject, lines)
    if seen.updates > MOST_UPDATES:
        return [*said, _too_long(seen)], []
    try:
        measured = explained(seen, lines, None, subject.position)
    except PreheatError as error:
        return [*said, f"{error}."], []
    return [*said, *line_sentences(measured)], phase_rows(measured)


def _too_long(seen: Laid) -> str:
    what = f"Areas and phases are shown here of at most {MOST_UPDATES:,} {seen.unit}s"
    if seen.unit == "update":
        return f"{what}; preheat explain tells them of longer runs."
    return f"{what}; say what an update is worth, such as tokens per step."
