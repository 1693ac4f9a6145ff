"""What resuming a checkpoint under another plan, or another total, would change: the first difference first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.plan import RATE, Line, Plan
from preheat.core.sampling import horizon, sampled
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.review.checkpoints.checkpoint import Checkpoint
from preheat.review.subject import Subject
from preheat.session.bases import same
from preheat.session.changes import bound_plan, first_change

_POINTS = 2048


class Rates(NamedTuple):
    """A rate and where it comes: an update, or a time of the run's clock."""

    at: float
    value: float


def coming(subject: Subject) -> list[Rates]:
    """The rates of a checkpoint's next updates, sparser and sparser, up to the last; factors where the base is not known."""
    plan = subject.target if isinstance(subject.target, Plan) else Plan(subject.target)
    line = next((line for line in plan.lines if line.is_rate), None)
    if line is None:
        return []
    curve, tick = line.schedule.bind(subject.run, truncate=True), _tick(subject.run)
    base = 1.0 if line.is_absolute else subject.peak or 1.0
    total = subject.run.total if subject.run.total is not None else curve.length
    end = total if total < math.inf else subject.position + horizon(curve)
    gain = subject.facts.saved.gain if isinstance(subject.facts, Checkpoint) and subject.facts.saved else 1.0
    left = max(1, math.ceil((end - subject.position) / tick))
    later = sorted({0, 1, *(10**k for k in range(1, 10)), left // 2, left - 1})
    return [
        Rates(subject.position + k * tick, curve(subject.position + k * tick) * base * gain) for k in later if k < left
    ]


def _tick(run: Run) -> float:
    worth = {"token": run.tokens_per_step, "sample": run.samples_per_step}.get(run.clock)
    return worth or 1


def resumed(subject: Subject, plan: Any, run: Run | None = None, peak: float | None = None) -> Subject:
    """A checkpoint under another plan, on another run and with another peak where these are given.

    Raises PreheatError for what is no checkpoint, and for a run that counts something else.
    """
    if not isinstance(subject.facts, Checkpoint):
        what = "a plan to go on with is for a checkpoint"
        raise PreheatError(what, given=subject.name, write="leave plan= (--plan) out")
    if run is not None and run.clock not in ("step", subject.run.clock):
        what = (
            f"the checkpoint stands at a number of {subject.run.clock}s, and no plan in another unit goes on from there"
        )
        raise PreheatError(what, given=run.clock, write="leave clock= (--clock) out")
    ahead = run if run is not None and run.total is not None else subject.run
    return subject._replace(
        target=parse(plan), run=ahead, findings=(), foreign=False, library="", peak=peak or subject.peak
    )


def resuming(before: Subject, after: Subject) -> list[Finding]:
    """Findings of a checkpoint that is to go on as another subject says: what differs, the first difference first."""
    facts: Checkpoint = before.facts
    new = _bound(after)
    if before.target is None:
        return list(_against_last(after, new))
    old = _bound(before)
    gains = _gains(old, new, _base(before), _base(after))
    change = first_change(old, new, before.position, tick=int(_tick(after.run)), gains=gains or None)
    if change is None:
        return []
    what = f"{change}{_largest(old, new, before, gains)}"
    return [Finding("resume-differs", f"update {facts.updates:,}", what, _POLICIES)]


_POLICIES = (
    "resume with on_change='adopt' for this plan, 'keep' for the saved one, 'rebase' to go on from the rate in force"
)


def _bound(subject: Subject) -> Plan:
    return bound_plan(subject.target if isinstance(subject.target, Plan) else Plan(subject.target), subject.run)


def _base(subject: Subject) -> float | None:
    """What factors of the rate multiply: what is said, else what is in the checkpoint."""
    if subject.peak is not None:
        return subject.peak
    facts: Checkpoint = subject.facts
    bases = facts.scheduler.bases if facts.scheduler is not None else facts.bases
    return bases[0] if bases else None


def _gains(old: Plan, new: Plan, before: float | None, after: float | None) -> dict[str, tuple[float, float]]:
    """For each line of rates, what each side is multiplied with, where these are known."""
    if before is None or after is None:
        return {}
    mixed = [line for line in old.lines if line.key in new and line.is_rate]
    return {line.key: (_gain(line, before), _gain(_line(new, line.key), after)) for line in mixed}


def _line(plan: Plan, key: str) -> Line:
    return next(line for line in plan.lines if line.key == key)


def _gain(line: Line, base: float) -> float:
    return 1.0 if line.is_absolute else base


def _largest(old: Plan, new: Plan, subject: Subject, gains: dict[str, tuple[float, float]]) -> str:
    """The largest difference of the rates to come, in words; "" where they cannot be compared."""
    if RATE not in old or RATE not in new:
        return ""
    a, b = gains.get(RATE, (1.0, 1.0))
    before, after = _line(old, RATE).schedule, _line(new, RATE).schedule
    ends = [length for length in (before.length, after.length) if length < math.inf]
    ahead = max(1, math.ceil((max(ends, default=subject.position + 1000) - subject.position) / _tick(subject.run)))
    times = [subject.position + k * _tick(subject.run) for k in sampled(ahead, [], _POINTS)]
    apart, at = max((abs(a * before(t) - b * after(t)), -t) for t in times)
    return f"; the largest difference is {apart:.6g}, at {-at:,g}" if apart else ""


def _against_last(after: Subject, new: Plan) -> Iterator[Finding]:
    """Where the old plan is not known: the last rates, and what the new plan would make of them at once."""
    facts: Checkpoint = after.facts
    if RATE not in new or not facts.last:
        return
    last, line, position = facts.last[0], _line(new, RATE), after.position
    base = 1.0 if line.is_absolute else _base(after)
    if facts.updates is None:
        what = "it does not say how many updates were made, so where the plan goes on is not known; "
        what += f"the last rate is {last:.6g}"
        yield Finding("unknown-plan", "the position", what, "look at a checkpoint with the scheduler's state")
        return
    would = line.schedule(position)
    if base is None:
        what = f"it does not say what factors multiply: the saved rate is {last:.6g}, and this plan gives "
        what += f"{would:.6g} times the peak"
        yield Finding(
            "unknown-plan", f"update {position:,g}", what, "say the rate at the peak: --peak, or write absolute(…)"
        )
    elif not same(would * base, last):
        what = f"the saved rate is {last:.6g}, and this plan gives {would * base:.6g} at update {position:,g}"
        write = "shift the plan, or scale it, so that it goes on from there"
        yield Finding("resume-differs", f"update {position:,g}", what, write)
