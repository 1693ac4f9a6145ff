"""What the factors of a checkpoint multiply: the rates that it holds, which no peak given beside it changes."""

from __future__ import annotations

from typing import Any

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.core.plan import RATE, Line, Plan, families
from preheat.core.stated import Absolute
from preheat.review.checkpoints.checkpoint import Checkpoint
from preheat.review.subject import Subject
from preheat.session.bases import same


def held(subject: Subject) -> dict[str, float]:
    """The rate that factor 1 stands for in each group of a checkpoint, by the group's name, else its number.

    Groups of the same rate are one. Empty where no rate is known, or the schedule is rates.
    """
    facts = subject.facts
    if not isinstance(facts, Checkpoint) or facts.saved is None:
        return {}
    rows = enumerate(facts.saved.bases.of(RATE) or ())
    found = {row.name or str(i): row.now for i, row in rows if row.now is not None}
    return found if len({*found.values()}) > 1 else dict([*found.items()][:1])


def of_the_first(subject: Subject) -> list[str]:
    """What is said of another library's checkpoint whose groups have several rates: only the first one's is restated."""
    state = subject.facts.scheduler if isinstance(subject.facts, Checkpoint) else None
    if state is None or not subject.foreign or len(set(state.bases)) < 2:
        return []
    rates = ", ".join(f"{rate:g}" for rate in state.bases[:12])
    return [f"The groups of {subject.name} began with the rates {rates}; told here is the first one's."]


def with_rates(subject: Subject, peak: float | None) -> Subject:
    """The subject with what its factors multiply: what it holds, a line for each group where these differ, else `peak`.

    Raises PreheatError for a peak where it holds rates, unless that is the only one.
    """
    rates = held(subject)
    if not rates:
        return subject if peak is None else subject._replace(peak=positive_number(peak, "peak"))
    if peak is not None and not (len(rates) == 1 and all(same(rate, peak) for rate in rates.values())):
        what = f"{subject.name} holds what its factors multiply, {', '.join(f'{rate:g}' for rate in rates.values())}"
        raise PreheatError(what, given=peak, write="leave peak= (--peak) out")
    if len(rates) == 1:
        return subject._replace(peak=next(iter(rates.values())))
    return subject._replace(target=_by_group(Plan(subject.target), rates))


def _by_group(plan: Plan, rates: dict[str, float]) -> Plan:
    """The plan with a line of rates for each group."""
    written = {line.key: line for line in plan.lines}
    lines, told = dict[str, Any](), {RATE}
    for group, rate in rates.items():
        own = (f"{name}/{RATE}" for name in (group, *families(group)))
        key = next((key for key in own if key in written), RATE)
        if key in written:
            lines[f"{group}/{RATE}"] = _times(written[key], rate)
            told.add(key)
    return Plan(lines | {key: line.target for key, line in written.items() if key not in told})


def _times(line: Line, rate: float) -> Any:
    return line.target if line.is_absolute else Absolute(line.schedule.scaled(rate))
