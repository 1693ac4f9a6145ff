"""What is looked at: a schedule on a run, wherever it came from: a text, a preset, a config, a checkpoint."""

from __future__ import annotations

from typing import Any, NamedTuple

from preheat.core.findings import Finding
from preheat.core.spans import Run


class Subject(NamedTuple):
    """A schedule, rates or a plan on a run.

    name: what it is called in sentences: the text, the preset's or the file's name.   target: as written, not bound.
    run: what is known of the run.   findings: what its source says of itself.   library: whose config it is, "" for none.
    peak: the rate at the peak, where the target is factors and that is known.   position: the updates that have passed.
    foreign: whether another library's scheduler is meant, which may go on after the end.
    """

    name: str
    target: Any
    run: Run
    findings: tuple[Finding, ...] = ()
    library: str = ""
    peak: float | None = None
    position: float = 0
    facts: Any = None  # what a checkpoint says beside its plan
    foreign: bool = False
