"""What is to be known of a schedule beside its curve: the findings of `check`, and what `explain` says of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.findings import CODES, Finding
from preheat.review.checking.check import check
from preheat.review.explaining.measured import explained
from preheat.review.explaining.sentences import line_sentences, phase_rows, subject_sentences
from preheat.review.laid_out import Laid, laid_out
from preheat.review.subject import Subject
from preheat.studio.document import Document

MOST_UPDATES = 2_000_000  # whose values are computed: a second, where somebody types


def review(document: Document, index: int) -> dict[str, Any]:
    """Findings, sentences, and a row for each phase of the line that is shown, its head first."""
    subject = document.subject(index)
    shown = document.line_of(subject)
    sentences, rows = _explained(subject, shown)
    return {"findings": found(check(subject)), "sentences": sentences, "rows": [list(row) for row in rows]}


def found(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as the page has them, each with what its code means."""
    return [finding._asdict() | {"means": CODES[finding.code]} for finding in findings]


def _explained(subject: Subject, shown: Laid) -> tuple[list[str], list[tuple[str, ...]]]:
    """What is said of the whole and of the line that is shown, and its phases; of a very long run why nothing is."""
    lines = laid_out(subject)
    said = subject_sentences(subject, lines)
    if shown.updates > MOST_UPDATES:
        return [*said, _too_long(shown)], []
    try:
        measured = explained(shown, lines, None, subject.position)
    except PreheatError as error:
        return [*said, f"{error}."], []
    return [*said, *line_sentences(measured)], phase_rows(measured)


def _too_long(shown: Laid) -> str:
    what = f"Areas and phases are shown here of at most {MOST_UPDATES:,} {shown.unit}s"
    if shown.unit == "update":
        return f"{what}; preheat explain tells them of longer runs."
    return f"{what}; say what an update is worth, such as tokens per step."
