"""Advice to be scored: one JSON line for each answer to "does this peak need warmup?" or "which peak, which warmup?"."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.advisor.truth import Trained
from preheat.core.errors import PreheatError
from preheat.measure.advising.deciding import decided
from preheat.measure.advising.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What was asked of a configuration, and what was answered.

    `peak` is the peak that was asked about, None where one was to be advised. `probability` that it needs warmup: None says
    "not known". `warmup` in updates and `advised_peak` are None where nothing was advised. `cost` is in updates.
    """

    config: str
    seed: int = 0
    peak: float | None = None
    probability: float | None = None
    warmup: float | None = None
    advised_peak: float | None = None
    cost: float = 0.0

    def __post_init__(self) -> None:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise PreheatError(f"{self.config}: a probability is between 0 and 1", given=self.probability)
        for name in ("peak", "advised_peak"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise PreheatError(f"{self.config}: {name} is a rate above 0, or null", given=value)


def read(path: Path, trained: Sequence[Trained]) -> list[Advice]:
    """The lines of a file, those about `trained`. Where a line holds what was measured, in "more", the advisor decides anew.

    Raises PreheatError for a line that is no advice.
    """
    known, out = {one.name for one in trained}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            said = Advice(**_decided(json.loads(line)))
        except (TypeError, ValueError) as error:
            if isinstance(error, PreheatError):
                raise
            raise PreheatError(f"line {number} of {path.name} is no advice: {error}") from error
        if said.config in known:
            out.append(said)
    return out


def _decided(line: dict[str, Any]) -> dict[str, Any]:
    """The line as the advisor of now would have answered, so that constants can change without measuring again."""
    more = line.pop("more", {})
    if "facts" not in more:
        return line
    decision = decided(Facts.from_dict(more["facts"]))
    known = decision.verdict != "not known"
    return {**line, "probability": decision.probability if known else None, "warmup": decision.warmup}


@dataclass(frozen=True)
class Answer:
    """An answer about a peak of the grid whose truth is decided."""

    trained: Trained
    peak: int
    needed: bool
    probability: float | None


def answers(advice: Iterable[Advice], trained: Sequence[Trained]) -> list[Answer]:
    """What was said of peaks that are asked about, beside what is true of the nearest peak; undecided ones are left out."""
    by_name, out = {one.name: one for one in trained}, []
    for said in advice:
        if said.peak is None:
            continue
        one = by_name[said.config]
        peak, _, _ = one.nearest(said.peak, 0)
        needed = one.verdicts[peak].needed
        if needed is not None:
            out.append(Answer(one, peak, needed, said.probability))
    return out
